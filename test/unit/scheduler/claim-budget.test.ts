import { describe, expect, it } from 'vitest';
import { newTenure } from '../../../model/ids.ts';
import { ClaimBudget } from '../../../scheduler/claim-budget.ts';
import { batchHeaderOf, freshPipeline } from '../../support/scheduler-fixtures.ts';

const header = (bytes: number) => {
  const batch = batchHeaderOf({ pipeline: freshPipeline(), epoch: 1, tenure: newTenure() }, 1n);
  return { payload: { ...batch.payload, bytes } };
};

describe('ClaimBudget', () => {
  it('always has room for the lowest sequence, and keeps the reserve free of all others', () => {
    const budget = new ClaimBudget({ maxBytes: 100, reserveBytes: 40 });
    expect(budget.admits(header(60), false)).toBe(true);
    const release = budget.hold(60);
    expect(budget.admits(header(1), false)).toBe(false);
    expect(budget.admits(header(40), true)).toBe(true);
    const lowest = budget.hold(40);
    expect(budget.usedBytes).toBe(100);
    release();
    lowest();
    expect(budget.usedBytes).toBe(0);
  });

  it('counts a release once, and tells of it', () => {
    const budget = new ClaimBudget({ maxBytes: 100, reserveBytes: 0 });
    let freed = 0;
    const off = budget.onFree(() => {
      freed += 1;
    });
    const release = budget.hold(10);
    budget.hold(5);
    release();
    release();
    expect([budget.usedBytes, freed]).toEqual([5, 1]);
    off();
  });
});
