import { describe, expect, test } from 'vitest';
import { searchEnd, searchPlan } from '../../../../node/trace/search-plan.ts';

const files = (first: number, ...bytes: number[]) =>
  bytes.map((size, index) => ({ name: `log.${String(first + index).padStart(6, '0')}`, bytes: size }));

describe('searchPlan()', () => {
  test('takes files newest first, the newest however large, others while they fit', () => {
    expect(searchPlan(files(1, 10, 20, 30), 100)).toMatchObject({ bytes: 60, isCut: false });
    const cut = searchPlan(files(1, 10, 20, 30), 50);
    expect(cut.files.map(({ name }) => name)).toEqual(['log.000003', 'log.000002']);
    expect(cut).toMatchObject({ bytes: 50, isCut: true });
    expect(searchPlan(files(1, 10, 20, 30), 1)).toMatchObject({ bytes: 30, isCut: true });
    expect(searchPlan([], 1)).toEqual({ files: [], bytes: 0, isCut: false });
  });
});

describe('searchEnd()', () => {
  const since = 1_000;
  test('goes on through files that are younger than the time asked for', () => {
    const plan = searchPlan(files(1, 10, 20), 100);
    expect(searchEnd(plan, 'log.000002', 2_000, since)).toBeNull();
    expect(searchEnd(plan, 'log.000002', null, since)).toBeNull();
  });
  test('ends with the file that reaches back to it', () => {
    expect(searchEnd(searchPlan(files(1, 10, 20), 100), 'log.000002', 1_000, since)).toBe('time');
  });
  test("tells the source's first file from one before which others were purged, and from a bound of bytes", () => {
    expect(searchEnd(searchPlan(files(1, 10, 20), 100), 'log.000001', 2_000, since)).toBe('beginning');
    expect(searchEnd(searchPlan(files(7, 10, 20), 100), 'log.000007', 2_000, since)).toBe('purged');
    expect(searchEnd(searchPlan(files(7, 10, 20), 20), 'log.000008', 2_000, since)).toBe('bytes');
  });
});
