import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchPath, pathOf, withQuery } from '../../../console/router/route.ts';

describe('addresses of pages', () => {
  it.each([
    ['/', '/', {}],
    ['/pipelines', '/pipelines/', {}],
    ['/pipelines/:name', '/pipelines/east-west', { name: 'east-west' }],
    ['/pipelines/:name/batches/:id', '/pipelines/a%2Fb/batches/1-2', { name: 'a/b', id: '1-2' }],
  ])('%s takes %s', (pattern, path, params) => expect(matchPath(pattern, path)?.params).toEqual(params));

  it.each([
    ['/pipelines', '/pipelines/x'],
    ['/pipelines/:name', '/pipelines'],
    ['/pipelines/:name', '/nodes/x'],
    ['/pipelines/:name', '/pipelines/%zz'],
  ])('%s does not take %s', (pattern, path) => expect(matchPath(pattern, path)).toBeNull());

  it('come back as they were made', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (name) => {
        expect(matchPath('/pipelines/:name', pathOf('pipelines', name))?.params).toEqual({ name });
      }),
    );
  });

  it('keep the other words of the query', () => {
    expect(withQuery('?q=a&sort=-lag', { q: 'b c' })).toBe('?q=b+c&sort=-lag');
    expect(withQuery('?q=a', { q: null })).toBe('');
    expect(withQuery('', { q: '', show: 'all' })).toBe('?show=all');
  });
});
