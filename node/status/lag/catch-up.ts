/** How long until nothing is behind, if it goes on as in the last seconds. Pure. */

export interface LagSample {
  readonly atMs: number;
  readonly lagMs: number;
  /** From what has been applied to the end of the source's log; null where nobody knows. */
  readonly bytes: number | null;
}

/** Below this nobody is behind. */
export const LEVEL_MS = 1_000;
/** What the trend is read from. */
const TREND_MS = 15_000;
/** A shorter stretch is chance. */
const MIN_TREND_MS = 2_000;

/**
 * 0 when level; null when what is behind does not shrink, or is not known for long enough. Told from the bytes of log that are behind: the age of
 * the oldest change says nothing of the end of a backlog behind which nothing follows, where it falls to 0 at once. By the age where they are
 * not known. The trend is the least-squares line: a batch that arrives takes a step off, and between two it grows.
 */
export function catchUpMs(samples: readonly LagSample[]): number | null {
  const last = samples.at(-1);
  if (last === undefined) return null;
  if (last.lagMs < LEVEL_MS) return 0;
  const recent = samples.filter((one) => one.atMs > last.atMs - TREND_MS);
  const bytes = recent.flatMap((one) => (one.bytes === null ? [] : [{ atMs: one.atMs, value: one.bytes }]));
  const ages = recent.map(({ atMs, lagMs }) => ({ atMs, value: lagMs }));
  const points = [bytes, ages].find((one) => last.atMs - (one[0]?.atMs ?? last.atMs) >= MIN_TREND_MS);
  if (points === undefined) return null;
  const slope = slopeOf(points);
  const left = points.at(-1)?.value ?? 0;
  return slope < -1e-6 ? Math.round(left / -slope) : null;
}

interface Point {
  readonly atMs: number;
  readonly value: number;
}

function slopeOf(points: readonly Point[]): number {
  const meanAt = points.reduce((sum, one) => sum + one.atMs, 0) / points.length;
  const mean = points.reduce((sum, one) => sum + one.value, 0) / points.length;
  let covariance = 0;
  let variance = 0;
  for (const { atMs, value } of points) {
    covariance += (atMs - meanAt) * (value - mean);
    variance += (atMs - meanAt) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}
