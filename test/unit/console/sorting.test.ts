import { describe, expect, it } from 'vitest';
import { orderOf, sortRows } from '../../../console/components/sorting.ts';

interface Row {
  readonly name: string;
  readonly lag: number | null;
}
const rows: readonly Row[] = [
  { name: 'b', lag: 5 },
  { name: 'a10', lag: 0 },
  { name: 'a9', lag: 0 },
  { name: 'c', lag: null },
];
const names = (sorted: readonly Row[]) => sorted.map((one) => one.name);
const key = (row: Row) => row.name;

describe('rows', () => {
  it('are ordered by value, equal ones by key in both directions', () => {
    expect(names(sortRows(rows, (row) => row.lag, false, key))).toEqual(['a9', 'a10', 'b', 'c']);
    expect(names(sortRows(rows, (row) => row.lag, true, key))).toEqual(['b', 'a9', 'a10', 'c']);
  });

  it('whose value nobody knows are last, whichever way', () => {
    for (const isDescending of [true, false])
      expect(names(sortRows(rows, (row) => row.lag, isDescending, key)).at(-1)).toBe('c');
  });

  it('are ordered by the default where the address names no column that can be sorted by', () => {
    const columns = [{ key: 'lag', sort: () => 0 }, { key: 'why' }];
    expect(orderOf('-lag', columns, 'lag')).toEqual({ key: 'lag', isDescending: true });
    expect(orderOf('why', columns, '-lag')).toEqual({ key: 'lag', isDescending: true });
    expect(orderOf('nonsense', columns, 'lag')).toEqual({ key: 'lag', isDescending: false });
  });
});
