import { describe, expect, it } from 'vitest';
import { rangeOf, timedApplied, timedInFlight, timeline } from '../../../console/pages/timing.ts';
import type { AppliedBatchView } from '../../../node/api/views.ts';
import type { BatchView } from '../../../node/cluster-views.ts';

const applied: AppliedBatchView = {
  ...{ id: '1-4', epoch: 1, seq: '4', transactions: 2, rows: 9, bytes: 100 },
  ...{
    firstCommitMs: 1_000,
    lastCommitMs: 1_005,
    selectedMs: 1_010,
    extractedMs: 1_030,
    transformedMs: 1_020,
  },
  ...{ loadBeganMs: 1_050, appliedMs: 1_090, node: 'w', endFile: 'f', endOffset: 4 },
};
const inFlight: BatchView = {
  ...{ id: '1-5', stage: 'transform', epoch: 1, seq: '5', part: 0, lastPart: true, origin: 'east' },
  ...{ transactions: 1, rows: 1, bytes: 1, firstCommitMs: 1_040, lastCommitMs: 1_040, selectedMs: 1_045 },
  ...{ extractedMs: 1_050, transformedMs: null, endPosition: 'x', holder: 'w', heldSinceMs: 1_060 },
};
const spans = (batch: ReturnType<typeof timedApplied>) =>
  batch.spans.map(({ stage, fromMs, toMs, isQueue, isOpen }) => [
    stage,
    toMs - fromMs,
    ...(isQueue ? ['waits'] : []),
    ...(isOpen ? ['goes on'] : []),
  ]);

describe('the time of a batch', () => {
  it('is that of its stages, from commit to commit, also where clocks of nodes are apart', () => {
    expect(spans(timedApplied(applied))).toEqual([
      ['select', 10],
      ['extract', 20],
      ['transform', 0],
      ['load', 20, 'waits'],
      ['load', 40],
    ]);
  });

  it('goes on at the stage where it is', () => {
    expect(spans(timedInFlight(inFlight, 1_100))).toEqual([
      ['select', 5],
      ['extract', 5],
      ['transform', 10, 'waits'],
      ['transform', 40, 'goes on'],
    ]);
    expect(spans(timedInFlight({ ...inFlight, heldSinceMs: null }, 1_100)).at(-1)).toEqual([
      'transform',
      50,
      'waits',
      'goes on',
    ]);
  });

  it('is drawn once for a batch that was applied while it was asked for, newest first', () => {
    const both = timeline([inFlight, { ...inFlight, id: '1-4' }], [applied], { nowMs: 1_100, most: 10 });
    expect(both.map((one) => [one.id, one.appliedMs])).toEqual([
      ['1-5', null],
      ['1-4', 1_090],
    ]);
    expect(rangeOf(both, 60_000)).toEqual({ fromMs: 1_000, toMs: 1_100 });
    expect(rangeOf(both, 50)).toEqual({ fromMs: 1_050, toMs: 1_100 });
    expect(rangeOf([], 50)).toBeNull();
  });
});
