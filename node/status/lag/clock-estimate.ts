/** How far another party's clock is from ours, by halving round trips. Pure: times are given. */

/** The other party's time, read at some moment between two readings of our monotonic clock. */
export interface ClockProbe {
  /** Ms since 1970 by the other's clock. */
  readonly theirsMs: number;
  readonly askedMs: number;
  readonly answeredMs: number;
}

export interface ClockOffset {
  /** Their clock less our monotonic one. */
  readonly offsetMs: number;
  readonly errorMs: number;
  /** On our monotonic clock. */
  readonly measuredMs: number;
}

/** Quartz that nobody disciplines is right to some 50 ppm; two of them. */
const DRIFT = 1e-4;
const MAX_PROBES = 16;
/** An answer that took so long says nothing. */
const MAX_ROUND_TRIP_MS = 10_000;

export function offsetOf({ theirsMs, askedMs, answeredMs }: ClockProbe): ClockOffset {
  return {
    offsetMs: theirsMs - (askedMs + answeredMs) / 2,
    errorMs: (answeredMs - askedMs) / 2,
    measuredMs: (askedMs + answeredMs) / 2,
  };
}

/** What an offset is good for later on: two clocks drift apart. */
export function agedError({ errorMs, measuredMs }: ClockOffset, nowMs: number): number {
  return errorMs + Math.abs(nowMs - measuredMs) * DRIFT;
}

/** The best of the last probes. A clock that was set in between makes those before void. */
export class ClockEstimate {
  #offsets: ClockOffset[] = [];

  add(probe: ClockProbe): void {
    if (!(probe.answeredMs - probe.askedMs <= MAX_ROUND_TRIP_MS)) return;
    const fresh = offsetOf(probe);
    const agree = this.#offsets.filter(
      (one) => Math.abs(one.offsetMs - fresh.offsetMs) <= fresh.errorMs + agedError(one, fresh.measuredMs),
    );
    this.#offsets = [...agree.slice(1 - MAX_PROBES), fresh];
  }

  /** Null before the first probe. `errorMs` is as of `nowMs`. */
  at(nowMs: number): ClockOffset | null {
    let best: ClockOffset | null = null;
    for (const one of this.#offsets) {
      const errorMs = agedError(one, nowMs);
      if (best === null || errorMs <= best.errorMs) best = { ...one, errorMs };
    }
    return best;
  }
}
