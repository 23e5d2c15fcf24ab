/** Points of the history put in order for drawing: pure. */
import type { PipelineState } from '../../model/status.ts';
import type { HistoryPoint } from '../../node/history/samples.ts';

export interface Step {
  readonly atMs: number;
  readonly point: HistoryPoint | null;
}

/** A step of which nothing is known is a gap in the line, not a line across it. */
export function filled(
  points: readonly HistoryPoint[],
  { fromMs, toMs, stepMs }: { readonly fromMs: number; readonly toMs: number; readonly stepMs: number },
): readonly Step[] {
  const byStep = new Map(points.map((one) => [Math.round((one.fromMs - fromMs) / stepMs), one]));
  return Array.from({ length: Math.ceil((toMs - fromMs) / stepMs) }, (_, step) => ({
    atMs: fromMs + step * stepMs,
    point: byStep.get(step) ?? null,
  }));
}

export interface Stretch {
  readonly state: PipelineState;
  readonly code: string | null;
  readonly fromMs: number;
  readonly toMs: number;
}

/** Points of one state after another, put together. */
export function stretches(points: readonly HistoryPoint[], stepMs: number): readonly Stretch[] {
  const found: Stretch[] = [];
  for (const { fromMs, state, code } of points) {
    const last = found.at(-1);
    if (last !== undefined && last.state === state && last.code === code && fromMs - last.toMs < stepMs)
      found[found.length - 1] = { ...last, toMs: fromMs + stepMs };
    else found.push({ state, code, fromMs, toMs: fromMs + stepMs });
  }
  return found;
}
