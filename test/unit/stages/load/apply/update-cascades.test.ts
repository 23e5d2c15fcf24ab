import { describe, expect, it } from 'vitest';
import {
  type CascadingKey,
  cascadePaths,
  reachedColumns,
} from '../../../../../stages/load/apply/update-cascades.ts';

const key = (
  child: string,
  columns: readonly string[],
  parent: string,
  parentColumns: readonly string[],
): CascadingKey => ({
  child: { schema: 's', name: child },
  columns,
  parent: { schema: 's', name: parent },
  parentColumns,
  autoUpdateColumns: [],
});
const named = (keys: readonly CascadingKey[], from: string) =>
  cascadePaths(keys, { schema: 'S', name: from }).map((path) =>
    path.map(({ child }) => child.name).join(' '),
  );

describe('cascadePaths()', () => {
  it('gives all ways from a table, shorter ones first', () => {
    const keys = [
      key('m', ['id'], 'p', ['id']),
      key('c', ['up'], 'm', ['id']),
      key('c', ['top'], 'p', ['id']),
      key('x', ['up'], 'elsewhere', ['id']),
    ];
    expect(named(keys, 'p')).toEqual(['m', 'c', 'm c']);
    expect(named(keys, 'M')).toEqual(['c']);
    expect(named(keys, 'c')).toEqual([]);
  });

  it('comes through no table twice', () => {
    const keys = [key('a', ['b'], 'b', ['id']), key('b', ['a'], 'a', ['id']), key('a', ['up'], 'a', ['id'])];
    expect(named(keys, 'a')).toEqual(['b']);
  });

  it('ends in a schema where every table points to every other', () => {
    const names = Array.from({ length: 12 }, (_, i) => `t${i}`);
    const keys = names.flatMap((child) =>
      names.filter((parent) => parent !== child).map((parent) => key(child, ['up'], parent, ['id'])),
    );
    expect(named(keys, 't0')).toHaveLength(200);
  });
});

describe('reachedColumns()', () => {
  const first = key('m', ['n', 'id'], 'p', ['n', 'id']);

  it('follows the columns that change, and no others', () => {
    expect(reachedColumns([first], ['ID'])).toEqual([1]);
    expect(reachedColumns([first], ['id', 'n'])).toEqual([0, 1]);
    expect(reachedColumns([first, key('c', ['up'], 'm', ['id'])], ['id'])).toEqual([0]);
    expect(reachedColumns([first, key('c', ['up'], 'm', ['id'])], ['n'])).toEqual([]);
    expect(reachedColumns([first], ['v'])).toEqual([]);
  });
});
