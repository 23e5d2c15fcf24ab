/** When a transaction was committed, on our own clock: from what its log says and from looks at the log's end. Pure. */
import type { ClockOffset } from './clock-estimate.ts';
import type { Bracket } from './source-timeline.ts';

export interface CommitFacts {
  /** What the log says, µs since 1970 by the source's clock; to the second only, where not exact: never later than the commit. */
  readonly commitUs: number;
  readonly isExact: boolean;
  /** Looks at the log's end around it. */
  readonly bracket: Bracket;
  /** When Select took it, monotonic: it was committed before. */
  readonly takenMs: number;
  /** The source's clock; null where it was never measured. */
  readonly clock: ClockOffset | null;
}

/** A moment on our monotonic clock, right to ± `errorMs`; null for an error nobody can tell. */
export interface Moment {
  readonly atMs: number;
  readonly errorMs: number | null;
}

const SECOND_MS = 1_000;
/** A server notes the time of a commit, and a moment later the log has it. */
const SLACK_MS = 50;

export function commitMoment({ commitUs, isExact, bracket, takenMs, clock }: CommitFacts): Moment {
  const toMs = Math.min(bracket.toMs ?? Number.POSITIVE_INFINITY, takenMs);
  const fromMs = Math.min(bracket.fromMs ?? Number.NEGATIVE_INFINITY, toMs);
  const looked = Number.isFinite(fromMs);
  const said = clock === null ? null : { ms: commitUs / 1000 - clock.offsetMs, errorMs: clock.errorMs };
  if (said !== null && isExact) {
    const atMs = clamp(said.ms, fromMs, toMs);
    const apartMs = Math.abs(atMs - said.ms);
    if (apartMs <= said.errorMs + SLACK_MS) return { atMs, errorMs: Math.max(said.errorMs, apartMs) };
    // The source's clock was set since it was measured: the looks do not depend on it.
    if (!looked) return { atMs, errorMs: null };
  } else if (said !== null) {
    const earliestMs = said.ms - said.errorMs;
    const latestMs = looked ? toMs : Math.min(toMs, said.ms + SECOND_MS + said.errorMs);
    if (earliestMs <= latestMs) return middle(Math.max(fromMs, earliestMs), latestMs);
  }
  return looked ? middle(fromMs, toMs) : { atMs: toMs, errorMs: null };
}

function middle(fromMs: number, toMs: number): Moment {
  return { atMs: (fromMs + toMs) / 2, errorMs: (toMs - fromMs) / 2 };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
