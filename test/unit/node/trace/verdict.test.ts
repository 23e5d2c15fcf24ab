import { describe, expect, test } from 'vitest';
import type { OutcomeKind } from '../../../../node/trace/trace.ts';
import { type TraceFacts, traceVerdict } from '../../../../node/trace/verdict.ts';

const BASE: TraceFacts = {
  pipeline: 'p',
  commitMs: 1_000,
  nowMs: 5_000,
  leftOutBy: null,
  origin: null,
  carriesOrigin: true,
  filter: null,
  processor: null,
  preparedXid: null,
  isCovered: true,
  isRead: true,
  inFlight: null,
  applied: null,
  ledger: null,
  parked: null,
  standstill: null,
};

const APPLIED = {
  id: '0000000001-00000000000000000007',
  selectedMs: 1_010,
  extractedMs: 1_030,
  transformedMs: 1_060,
  appliedMs: 1_100,
  node: 'west-1',
};
const FLIGHT = {
  id: '0000000001-00000000000000000008',
  stage: 'transform' as const,
  holder: 'west-1',
  selectedMs: 1_010,
  extractedMs: 1_030,
  transformedMs: null,
  appliedMs: null,
};
const LEDGER = {
  id: '3',
  kind: 'update-differs',
  decision: 'target' as const,
  state: 'open',
  why: 'it differs',
};
const WHERE = { rule: 'shop.items', where: 'a > 1' };

describe('traceVerdict()', () => {
  test.each<[OutcomeKind, string, Partial<TraceFacts>, RegExp]>([
    ['applied', 'what the checkpoint is behind', { applied: APPLIED }, /west-1 in batch 1-7/],
    ['applied', 'what no node has kept the batch of', {}, /when is not known/],
    [
      'filtered',
      'what no pattern takes',
      { leftOutBy: 'no pattern fits', isCovered: false },
      /no pattern fits/,
    ],
    [
      'filtered',
      'what a row filter drops, on its way or not',
      { filter: { ...WHERE, verdict: { kind: 'dropped' } }, isCovered: false },
      /shop\.items.*a > 1/,
    ],
    [
      'applied',
      'what a row filter passes',
      { filter: { ...WHERE, verdict: { kind: 'passes', op: 'insert' } } },
      /./,
    ],
    ['not-carried', 'what came from elsewhere', { origin: 'west', carriesOrigin: false }, /from west/],
    ['applied', 'what came from elsewhere and is carried', { origin: 'west', carriesOrigin: true }, /./],
    ['conflict', 'what lost', { ledger: LEDGER }, /it lost/],
    [
      'conflict',
      'what was applied over another row',
      { ledger: { ...LEDGER, decision: 'source' } },
      /all the same/,
    ],
    [
      'dead-letter',
      'what could not be taken',
      { ledger: { ...LEDGER, kind: 'parent-missing' } },
      /dead letter/,
    ],
    [
      'dead-letter',
      'what was replayed',
      { ledger: { ...LEDGER, kind: 'unique-taken', state: 'replayed' } },
      /replayed/,
    ],
    ['prepared', 'an XA transaction without outcome', { preparedXid: 'x' }, /XA COMMIT/],
    ['held', 'a change of a parked table', { parked: { code: 'C', why: 'w', isHeld: true } }, /parked.*w/],
    [
      'applied',
      'one from before the table was parked',
      { parked: { code: 'C', why: 'w', isHeld: false } },
      /./,
    ],
    ['passed', 'where too much is held', { parked: { code: 'C', why: 'w', isHeld: null } }, /too much/],
    ['passed', 'what a user processor saw', { processor: 'p.ts' }, /p\.ts/],
    [
      'in-flight',
      'what stands at a stage',
      { isCovered: false, inFlight: FLIGHT },
      /1-8 at transform, on west-1/,
    ],
    [
      'in-flight',
      'what nobody has taken, in a pipeline that stands still',
      { isCovered: false, inFlight: { ...FLIGHT, holder: null }, standstill: 'p is paused (by ann)' },
      /no node has taken it; p is paused \(by ann\)/,
    ],
    ['applied', 'what left the boards a moment ago', { isCovered: false, applied: APPLIED }, /west-1/],
    ['not-read', 'what is read and in no batch', { isCovered: false }, /has read it/],
    ['not-read', 'what is not read', { isCovered: false, isRead: false }, /has not read it/],
    ['not-read', 'what nobody can say anything of', { isCovered: false, isRead: null }, /nobody leads/],
    ['not-read', 'a pipeline that has not begun', { isCovered: null, isRead: null }, /no checkpoint/],
  ])('%s: %s', (kind, _what, facts, text) => {
    const { outcome } = traceVerdict({ ...BASE, ...facts });
    expect(outcome.kind).toBe(kind);
    expect(outcome.text).toMatch(text);
  });

  test('an applied change has the time of each stage, from its commit on', () => {
    const { steps, outcome } = traceVerdict({ ...BASE, applied: APPLIED });
    expect(steps.map(({ stage, tookMs }) => [stage, tookMs])).toEqual([
      ['select', 10],
      ['extract', 20],
      ['transform', 30],
      ['load', 40],
    ]);
    expect(outcome.appliedMs).toBe(1_100);
  });

  test('one on its way has the time of the stages it is through, and of the one where it stands until now', () => {
    const { steps } = traceVerdict({ ...BASE, isCovered: false, inFlight: FLIGHT });
    expect(steps).toEqual([
      { stage: 'select', tookMs: 10, doneMs: 1_010, node: null },
      { stage: 'extract', tookMs: 20, doneMs: 1_030, node: null },
      { stage: 'transform', tookMs: 3_970, doneMs: null, node: 'west-1' },
    ]);
  });

  test('what is not carried has none, and clocks that are apart give no times below nothing', () => {
    expect(traceVerdict({ ...BASE, leftOutBy: 'x', applied: APPLIED }).steps).toEqual([]);
    const { steps } = traceVerdict({ ...BASE, commitMs: 1_020, applied: APPLIED });
    expect(steps[0]?.tookMs).toBe(0);
  });
});
