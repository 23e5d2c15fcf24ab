import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideRaise,
  type RaiseFacts,
  type RaiseRow,
  STANDING_LANES,
} from '../../../../../stages/load/target/decide-raise.ts';

const row = (change: Partial<RaiseRow> = {}): RaiseRow => ({
  lane: 0,
  epoch: 5,
  tenure: 'T',
  cluster: 'c',
  ...change,
});
const replay = row({ lane: 1_000_002 });
const drain = row({ lane: 1_000_003 });
const takeOver: RaiseFacts = {
  cluster: 'c',
  rows: [row(), replay, drain],
  takeOver: true,
  seenEpoch: 5,
  ownTenures: [],
  treeEpoch: 5,
  hasRun: true,
  openDdl: false,
  setsPosition: false,
};
const rewind: RaiseFacts = { ...takeOver, takeOver: false, ownTenures: ['T'] };
const first: RaiseFacts = { ...takeOver, rows: [], seenEpoch: null, treeEpoch: 0, hasRun: false };

describe('decideRaise()', () => {
  it.each<[string, RaiseFacts, object]>([
    ['a first start makes all rows', first, { kind: 'raise', epoch: 1, newLanes: STANDING_LANES }],
    ['a take-over of what was seen', takeOver, { kind: 'raise', epoch: 6, newLanes: [] }],
    ['the tree is ahead', { ...takeOver, treeEpoch: 9 }, { kind: 'raise', epoch: 10 }],
    [
      'a lane is missing',
      { ...takeOver, rows: [row()] },
      { kind: 'raise', newLanes: [1_000_002, 1_000_003] },
    ],
    [
      'a lane is ahead',
      { ...takeOver, rows: [row(), row({ lane: 3, epoch: 8 }), replay] },
      { kind: 'raise', epoch: 9 },
    ],
    ['raised since it was seen', { ...takeOver, rows: [row({ epoch: 6 }), replay] }, { kind: 'let-go' }],
    ['made since it was seen not to be', { ...takeOver, seenEpoch: null }, { kind: 'let-go' }],
    ['lower than seen', { ...takeOver, rows: [row({ epoch: 4 }), replay] }, { kind: 'let-go' }],
    [
      'raised by us, and the tree does not know',
      { ...takeOver, rows: [row({ epoch: 6, tenure: 'O' })], ownTenures: ['O'] },
      { kind: 'raise', epoch: 7 },
    ],
    ['a rewind of the own reign', rewind, { kind: 'raise', epoch: 6 }],
    [
      'a rewind after the target lost the raise',
      { ...rewind, rows: [row({ epoch: 3, tenure: 'S' }), replay] },
      { kind: 'raise', epoch: 6 },
    ],
    [
      'a rewind, and another reigns',
      { ...rewind, rows: [row({ epoch: 6, tenure: 'U' })] },
      { kind: 'let-go' },
    ],
    [
      'a rewind, and another reigns under the same number',
      { ...rewind, rows: [row({ tenure: 'U' })] },
      { kind: 'let-go' },
    ],
    [
      'no rows though it has run',
      { ...first, hasRun: true },
      { kind: 'stop', code: 'HOLT_CHECKPOINT_MISSING' },
    ],
    [
      'no rows though one was seen',
      { ...first, seenEpoch: 2 },
      { kind: 'stop', code: 'HOLT_CHECKPOINT_MISSING' },
    ],
    [
      'the stream’s row is gone',
      { ...first, rows: [replay] },
      { kind: 'stop', code: 'HOLT_CHECKPOINT_MISSING' },
    ],
    [
      'no rows, and the position is set',
      { ...first, hasRun: true, setsPosition: true },
      { kind: 'raise', newLanes: STANDING_LANES },
    ],
    [
      'another installation',
      { ...takeOver, rows: [row({ cluster: 'd' })] },
      { kind: 'stop', code: 'HOLT_CHECKPOINT_FOREIGN' },
    ],
    ['an open schema change', { ...takeOver, openDdl: true }, { kind: 'stop', code: 'HOLT_DDL_UNSETTLED' }],
  ])('%s', (_, facts, decision) => {
    expect(decideRaise(facts)).toMatchObject(decision);
  });

  it('always gives an epoch above everything seen, and never makes a row for a pipeline that has run', () => {
    const facts = fc.record({
      cluster: fc.constant('c'),
      rows: fc.uniqueArray(
        fc.record({
          lane: fc.constantFrom(0, 1, 1_000_002),
          epoch: fc.integer({ min: 1, max: 5 }),
          tenure: fc.constantFrom('T', 'U'),
          cluster: fc.constant('c'),
        }),
        { selector: ({ lane }) => lane, maxLength: 3 },
      ),
      takeOver: fc.boolean(),
      seenEpoch: fc.option(fc.integer({ min: 1, max: 5 })),
      ownTenures: fc.constantFrom([], ['T']),
      treeEpoch: fc.integer({ min: 0, max: 6 }),
      hasRun: fc.boolean(),
      openDdl: fc.boolean(),
      setsPosition: fc.boolean(),
    });
    fc.assert(
      fc.property(facts, (given) => {
        const decision = decideRaise(given);
        if (decision.kind !== 'raise') return;
        expect(decision.epoch).toBeGreaterThan(
          Math.max(given.treeEpoch, ...given.rows.map(({ epoch }) => epoch)),
        );
        if (decision.newLanes.includes(0)) expect(given.hasRun && !given.setsPosition).toBe(false);
      }),
    );
  });
});
