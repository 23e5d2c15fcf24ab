import { describe, expect, it } from 'vitest';
import {
  type CutFacts,
  cutIsDue,
  emptyAdvanceIsDue,
  untilAdvanceMs,
  untilCutMs,
} from '../../../../stages/select/cut-policy.ts';
import type { Passed } from '../../../../stages/select/formed-batch.ts';

const limits = { maxRows: 1600, maxBytes: 16_000, partBytes: 1_000_000, window: 4 };

function factsWith(facts: Partial<CutFacts>): CutFacts {
  return {
    rows: 1,
    bytes: 10,
    isFull: false,
    ageMs: 0,
    quietMs: 0,
    sinceCutMs: 1_000,
    paceMs: 0,
    behindMs: 0,
    hasRoom: true,
    inFlight: 1,
    moreAtHand: true,
    ...facts,
  };
}

function cut(facts: Partial<CutFacts>): boolean {
  return cutIsDue(factsWith(facts), limits);
}

describe('a batch', () => {
  it('goes at once when nothing more is at hand: idle, single transactions', () => {
    expect(cut({ moreAtHand: false, inFlight: 0 })).toBe(true);
    expect(cut({ moreAtHand: false, inFlight: 3 })).toBe(true);
  });

  it('never goes without room, and grows meanwhile', () => {
    expect(cut({ hasRoom: false, moreAtHand: false, isFull: true, ageMs: 10_000 })).toBe(false);
  });

  it('takes along what is at hand, but only for a moment', () => {
    expect(cut({})).toBe(false);
    expect(cut({ ageMs: 20 })).toBe(true);
    expect(cut({ isFull: true })).toBe(true);
  });

  it('waits less when everybody waits for it', () => {
    expect(cut({ inFlight: 0, ageMs: 5 })).toBe(true);
    expect(cut({ inFlight: 0, rows: 100 })).toBe(true);
    expect(cut({ inFlight: 0, bytes: 1000 })).toBe(true);
    expect(cut({ inFlight: 0, rows: 99, bytes: 999, ageMs: 4 })).toBe(false);
  });

  it('of a backlog waits for a share of its age, with others in flight', () => {
    const behindMs = 4_000;
    expect(cut({ behindMs, ageMs: 199 })).toBe(false);
    expect(cut({ behindMs, ageMs: 200 })).toBe(true);
    expect(cut({ behindMs: 3_600_000, ageMs: 249 })).toBe(false);
    expect(cut({ behindMs: 3_600_000, ageMs: 250 })).toBe(true);
    expect(cut({ behindMs, isFull: true })).toBe(true);
    expect(cut({ behindMs, inFlight: 0, ageMs: 5 })).toBe(true);
    expect(cut({ behindMs, inFlight: 0, moreAtHand: false })).toBe(true);
  });

  it('of a backlog waits out the gaps between bursts, and not its end', () => {
    const facts = { behindMs: 4_000, moreAtHand: false };
    expect(cut({ ...facts, ageMs: 150, quietMs: 9 })).toBe(false);
    expect(cut({ ...facts, ageMs: 150, quietMs: 10 })).toBe(true);
    expect(cut({ ...facts, ageMs: 200, quietMs: 0 })).toBe(true);
    expect(untilCutMs(factsWith({ ...facts, ageMs: 150, quietMs: 4 }))).toBe(6);
    expect(untilCutMs(factsWith({ ...facts, ageMs: 197, quietMs: 4 }))).toBe(3);
    expect(untilCutMs(factsWith({ ...facts, hasRoom: false }))).toBeNull();
  });

  it('keeps its distance from the one before while others are in flight, unless it is full', () => {
    const facts = { paceMs: 80, moreAtHand: false, inFlight: 2 };
    expect(cut({ ...facts, sinceCutMs: 79 })).toBe(false);
    expect(cut({ ...facts, sinceCutMs: 80 })).toBe(true);
    expect(cut({ ...facts, sinceCutMs: 10, isFull: true })).toBe(true);
    expect(cut({ ...facts, sinceCutMs: 10, inFlight: 1 })).toBe(true);
    expect(cut({ ...facts, sinceCutMs: 10, inFlight: 0 })).toBe(true);
    expect(untilCutMs(factsWith({ ...facts, sinceCutMs: 30 }))).toBe(50);
    expect(untilCutMs(factsWith({ ...facts, sinceCutMs: 79, quietMs: 5, behindMs: 4_000 }))).toBe(5);
  });

  it('is not taken for a backlog because commit times are whole seconds', () => {
    expect(cut({ behindMs: 1_999, moreAtHand: false })).toBe(true);
    expect(cut({ behindMs: -60_000, moreAtHand: false })).toBe(true);
  });
});

describe('an empty advance', () => {
  const passed = (facts: Partial<Passed> = {}): Passed => ({
    transactions: 1,
    bytes: 1000,
    ownOnly: false,
    fileChanged: false,
    ...facts,
  });
  const due = (facts: Partial<Passed>, sinceLastMs: number, windowIsEmpty = true): boolean =>
    emptyAdvanceIsDue({ passed: passed(facts), windowIsEmpty, sinceLastMs });

  it('waits for an empty window', () => {
    expect(due({}, 1e9, false)).toBe(false);
    expect(due({ bytes: 1e12 }, 1e9, false)).toBe(false);
  });

  it('comes every 10 s, or 64 MiB, for filtered and foreign changes', () => {
    expect(due({}, 9_999)).toBe(false);
    expect(due({}, 10_000)).toBe(true);
    expect(due({ bytes: 64 * 1024 * 1024 }, 0)).toBe(true);
  });

  it('for marks and heartbeats alone comes with a new binlog file, and once an hour', () => {
    expect(due({ ownOnly: true }, 3_599_999)).toBe(false);
    expect(due({ ownOnly: true, bytes: 1e9 }, 3_599_999)).toBe(false);
    expect(due({ ownOnly: true }, 3_600_000)).toBe(true);
    expect(due({ ownOnly: true, fileChanged: true }, 9_999)).toBe(false);
    expect(due({ ownOnly: true, fileChanged: true }, 10_000)).toBe(true);
    expect(untilAdvanceMs(passed({ ownOnly: true }))).toBe(3_600_000);
  });
});
