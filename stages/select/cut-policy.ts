/**
 * When the pending batch is cut, and when an empty advance is due. Functions of values.
 */
import type { BatchLimits } from '../../model/config.ts';
import type { Passed } from './formed-batch.ts';

export interface CutFacts {
  readonly rows: number;
  readonly bytes: number;
  /** Nothing more goes into it. */
  readonly isFull: boolean;
  /** Since its first transaction was taken. */
  readonly ageMs: number;
  /** Since its last transaction was taken. */
  readonly quietMs: number;
  /** Since the batch before it was cut. */
  readonly sinceCutMs: number;
  /** How far batches are to be apart while others are in flight. */
  readonly paceMs: number;
  /** How long ago its first transaction was committed, as far as the clocks of two machines tell. */
  readonly behindMs: number;
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

/** Below this nobody is behind: servers that log commit times in whole seconds make everything seem so much older. */
const BEHIND_FROM_MS = 2_000;
/** What is behind may wait for this share of its age: not enough to notice, and larger batches make up for more. */
const BEHIND_SHARE = 1 / 20;
const LINGER_BEHIND_MS = 250;
/** What is read from a backlog comes in bursts; after so long without any, this was the end of it. */
const QUIET_MS = 10;

/**
 * A batch goes as soon as the window has a place and nothing more is at hand: an idle system moves single transactions. Under
 * load the window is full most of the time and batches grow meanwhile, to their limits; and what can be had without
 * waiting is taken along, for a moment. Over a long link batches keep a distance, so that there is always a place soon. While a backlog is caught up, batches wait longer, since a large one costs less a row.
 */
export function cutIsDue(facts: CutFacts, limits: BatchLimits): boolean {
  if (!facts.hasRoom) return false;
  if (facts.isFull) return true;
  if (paceLeftMs(facts) > 0) return false;
  if (facts.inFlight > 0) {
    const patienceMs = patience(facts);
    if (!facts.moreAtHand) return patienceMs === 0 || facts.quietMs >= QUIET_MS || facts.ageMs >= patienceMs;
    return facts.ageMs >= Math.max(LINGER_MS, patienceMs);
  }
  return (
    !facts.moreAtHand ||
    facts.ageMs >= LINGER_ALONE_MS ||
    facts.rows >= limits.maxRows * ALONE_SHARE ||
    facts.bytes >= limits.maxBytes * ALONE_SHARE
  );
}

/** How long until a batch for which nothing is at hand may be due though nothing happens; null when only an event makes it so. */
export function untilCutMs(facts: CutFacts): number | null {
  if (!facts.hasRoom || facts.inFlight === 0) return null;
  const patienceLeftMs = Math.min(QUIET_MS - facts.quietMs, patience(facts) - facts.ageMs);
  return Math.max(1, Math.ceil(Math.max(patienceLeftMs, paceLeftMs(facts))));
}

/** The first two go at once: whoever is alone is not to wait for the sake of a stream that may not come. */
function paceLeftMs({ inFlight, paceMs, sinceCutMs }: CutFacts): number {
  return inFlight > 1 ? paceMs - sinceCutMs : 0;
}

function patience({ behindMs }: CutFacts): number {
  return behindMs < BEHIND_FROM_MS ? 0 : Math.min(LINGER_BEHIND_MS, behindMs * BEHIND_SHARE);
}

export interface AdvanceFacts {
  readonly passed: Passed;
  readonly windowIsEmpty: boolean;
  /** Since the last batch or advance; from the start of the reign before the first. */
  readonly sinceLastMs: number;
  /** The target is to learn something with it. */
  readonly hasNews?: boolean;
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
  if (facts.hasNews === true && facts.windowIsEmpty) return true;
  return facts.windowIsEmpty && facts.sinceLastMs >= untilAdvanceMs(facts.passed);
}

/** How long after the last batch or advance the next advance is due, as things are. */
export function untilAdvanceMs(passed: Passed): number {
  if (passed.bytes >= ADVANCE_BYTES && !passed.ownOnly) return 0;
  return passed.ownOnly && !passed.fileChanged ? ADVANCE_OWN_MS : ADVANCE_MS;
}
