/** How long until nothing is behind, if it goes on as in the last seconds. Pure. */

export interface LagSample {
  readonly atMs: number;
  readonly lagMs: number;
}

/** Below this nobody is behind. */
export const LEVEL_MS = 1_000;
/** What the trend is read from. */
const TREND_MS = 15_000;
/** A shorter stretch is chance. */
const MIN_TREND_MS = 2_000;

/**
 * 0 when level; null when the lag does not shrink, or is not known for long enough. The trend is the least-squares line: a batch that
 * arrives takes a step off the lag, and between two it grows.
 */
export function catchUpMs(samples: readonly LagSample[]): number | null {
  const last = samples.at(-1);
  if (last === undefined) return null;
  if (last.lagMs < LEVEL_MS) return 0;
  const recent = samples.filter((one) => one.atMs > last.atMs - TREND_MS);
  const first = recent[0];
  if (first === undefined || last.atMs - first.atMs < MIN_TREND_MS) return null;
  const slope = slopeOf(recent);
  return slope < -1e-6 ? Math.round(last.lagMs / -slope) : null;
}

function slopeOf(samples: readonly LagSample[]): number {
  const meanAt = samples.reduce((sum, one) => sum + one.atMs, 0) / samples.length;
  const meanLag = samples.reduce((sum, one) => sum + one.lagMs, 0) / samples.length;
  let covariance = 0;
  let variance = 0;
  for (const { atMs, lagMs } of samples) {
    covariance += (atMs - meanAt) * (lagMs - meanLag);
    variance += (atMs - meanAt) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
