/**
 * When the pending batch is cut, and when an empty advance is due. Functions of values.
 */
import type { BatchLimits } from '../../model/config.ts';
import type { Passed } from './batch-former.ts';

export interface CutFacts {
  readonly rows: number;
  readonly bytes: number;
  /** Nothing more goes into it. */
  readonly isFull: boolean;
  /** Since its first transaction was taken. */
  readonly ageMs: number;
  /** The window has a place for it. */
  readonly hasRoom: boolean;
  /** Batches in flight. */
  readonly inFlight: number;
  /** More could be taken without waiting. */
  readonly moreAtHand: boolean;
}

/** With others in flight, a batch may wait so long for what is already at hand. */
const LINGER_MS = 20;
/** With nothing in flight, everybody waits for this one. */
const LINGER_ALONE_MS = 5;
/** Share of the limits at which a batch goes at once when nothing is in flight. */
const ALONE_SHARE = 1 / 16;

/**
 * A batch goes as soon as the window has a place and nothing more is at hand: an idle system moves single transactions. Under
 * load the window is full most of the time and batches grow meanwhile, to their limits; and what can be had without
 * waiting is taken along, for a moment.
 */
export function cutIsDue(facts: CutFacts, limits: BatchLimits): boolean {
  if (!facts.hasRoom) return false;
  if (facts.isFull || !facts.moreAtHand) return true;
  if (facts.inFlight > 0) return facts.ageMs >= LINGER_MS;
  return (
    facts.ageMs >= LINGER_ALONE_MS ||
    facts.rows >= limits.maxRows * ALONE_SHARE ||
    facts.bytes >= limits.maxBytes * ALONE_SHARE
  );
}

export interface AdvanceFacts {
  readonly passed: Passed;
  readonly windowIsEmpty: boolean;
  /** Since the last batch or advance; from the start of the reign before the first. */
  readonly sinceLastMs: number;
}

const ADVANCE_MS = 10_000;
const ADVANCE_BYTES = 64 * 1024 * 1024;
const ADVANCE_OWN_MS = 3_600_000;

/**
 * Protocol section 4: only with an empty window, at most every 10 s or 64 MiB. For marks and heartbeats alone only when
 * the source's binlog file changes, and once an hour: two pipelines must not answer each other's advances, and an idle
 * position must not be purged.
 */
export function emptyAdvanceIsDue(facts: AdvanceFacts): boolean {
  return facts.windowIsEmpty && facts.sinceLastMs >= untilAdvanceMs(facts.passed);
}

/** How long after the last batch or advance the next advance is due, as things are. */
export function untilAdvanceMs(passed: Passed): number {
  if (passed.bytes >= ADVANCE_BYTES && !passed.ownOnly) return 0;
  return passed.ownOnly && !passed.fileChanged ? ADVANCE_OWN_MS : ADVANCE_MS;
}
