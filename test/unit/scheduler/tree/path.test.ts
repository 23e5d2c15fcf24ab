import { describe, expect, it } from 'vitest';
import { checkPath, childOf, lineageOf, nameOf, parentOf } from '../../../../scheduler/tree/path.ts';

describe('paths', () => {
  it.each(['/', '/a', '/a/b-c', '/seda/stage/p:select/1-0000000001/lock', '/ünïcode', '/a..b'])(
    'takes %s',
    (path) => {
      expect(checkPath(path)).toBe(path);
    },
  );

  it.each([
    ['', /start with/],
    ['a', /start with/],
    ['/a/', /empty segment/],
    ['//', /empty segment/],
    ['/a//b', /empty segment/],
    ['/.', /relative/],
    ['/a/../b', /relative/],
    ['/a\u0000', /forbidden/],
    ['/a\u007f', /forbidden/],
    ['/a\ud83d\ude00', /forbidden/],
    ['/a\ufff0', /forbidden/],
  ])('refuses %j', (path, why) => {
    expect(() => checkPath(path)).toThrow(why);
  });

  it('takes them apart', () => {
    expect(parentOf('/a/b')).toBe('/a');
    expect(parentOf('/a')).toBe('/');
    expect(nameOf('/a/b')).toBe('b');
    expect(childOf('/', 'a')).toBe('/a');
    expect(childOf('/a', 'b')).toBe('/a/b');
    expect(lineageOf('/a/b/c')).toEqual(['/a', '/a/b', '/a/b/c']);
    expect(lineageOf('/')).toEqual([]);
  });
});
