/** One look at a pipeline, as the history keeps it, and what is shown of many: a line of a chart. */
import { z } from 'zod';
import { STAGES } from '../../model/stage.ts';
import { PIPELINE_STATES, type PipelineState } from '../../model/status.ts';
import type { PipelineStatusView } from '../operations.ts';

/** Short names: there are millions of them. */
export const sample = z.strictObject({
  /** ms since 1970 by the clock of the node that looked. */
  t: z.number(),
  /** Pipeline. */
  p: z.string(),
  /** State. */
  s: z.enum(PIPELINE_STATES),
  /** Error code. */
  c: z.string().optional(),
  /** End-to-end lag, ms, and what it may be wrong by. */
  l: z.number().nullable(),
  e: z.number().nullable(),
  /** Stage that holds the lag. */
  g: z.enum(STAGES).optional(),
  /** How far reading is behind, ms. */
  r: z.number().nullable(),
  /** Rows a second at the target. */
  v: z.number(),
});
export type Sample = z.infer<typeof sample>;

export function sampleOf(status: PipelineStatusView, tMs: number): Sample {
  const { lag } = status;
  return {
    t: Math.round(tMs),
    p: status.pipeline,
    s: status.state,
    ...(status.code === null ? {} : { c: status.code }),
    l: rounded(status.lagMs),
    e: rounded(lag.endToEnd?.errorMs ?? null),
    ...(status.lagStage === null ? {} : { g: status.lagStage }),
    r: rounded(lag.read?.ms ?? null),
    v: Math.round(status.rowsPerSecond * 10) / 10,
  };
}

const rounded = (value: number | null) => (value === null ? null : Math.round(value));

export const historyPoint = z
  .object({
    fromMs: z.number(),
    /** The worst state within it: what was wrong must not vanish in a wide step. */
    state: z.enum(PIPELINE_STATES),
    code: z.string().nullable(),
    lagMaxMs: z.number().nullable(),
    lagMeanMs: z.number().nullable(),
    lagErrorMs: z.number().nullable(),
    readLagMaxMs: z.number().nullable(),
    stage: z.enum(STAGES).nullable(),
    rowsPerSecond: z.number(),
    samples: z.number(),
  })
  .meta({ id: 'HistoryPoint' });
export type HistoryPoint = z.infer<typeof historyPoint>;

/** From good to bad. */
const SEVERITY: readonly PipelineState[] = [
  'idle',
  'running',
  'catching-up',
  'paused',
  'stopped',
  'degraded',
  'unknown',
  'failed',
];

/** States in which nothing happens: a sample of one stands for what follows until the next, or until the store writes the same again. */
const RESTING: readonly PipelineState[] = ['idle', 'paused', 'stopped'];

export function isResting(one: Sample): boolean {
  return RESTING.includes(one.s) && (one.l ?? 0) === 0 && one.v === 0;
}

/** One sample in place of several: the worst state, the greatest lag, the mean of the rows. */
export function merged(samples: readonly [Sample, ...Sample[]]): Sample {
  const worst = samples.reduce((a, b) => (SEVERITY.indexOf(b.s) > SEVERITY.indexOf(a.s) ? b : a));
  const slowest = samples.reduce((a, b) => ((b.l ?? -1) > (a.l ?? -1) ? b : a));
  const reads = samples.flatMap(({ r }) => (r === null ? [] : [r]));
  return {
    t: samples[0].t,
    p: worst.p,
    s: worst.s,
    ...(worst.c === undefined ? {} : { c: worst.c }),
    l: slowest.l,
    e: slowest.e,
    ...(slowest.g === undefined ? {} : { g: slowest.g }),
    r: reads.length === 0 ? null : Math.max(...reads),
    v: Math.round((samples.reduce((sum, one) => sum + one.v, 0) / samples.length) * 10) / 10,
  };
}

/**
 * Samples of one pipeline, in steps counted from `fromMs` and before `toMs`. A resting sample stands for the `holdMs` behind it; steps
 * of which nothing is known are left out.
 */
export function pointsOf(
  samples: readonly Sample[],
  range: { readonly fromMs: number; readonly toMs: number; readonly stepMs: number; readonly holdMs: number },
): HistoryPoint[] {
  const { fromMs, toMs, stepMs, holdMs } = range;
  const steps = new Map<number, [Sample, ...Sample[]]>();
  const stepOf = (t: number) => Math.floor((t - fromMs) / stepMs);
  const sorted = samples.toSorted((a, b) => a.t - b.t);
  for (const [index, one] of sorted.entries()) {
    const until = isResting(one)
      ? Math.min(one.t + holdMs, (sorted[index + 1]?.t ?? Number.POSITIVE_INFINITY) - 1, toMs - 1)
      : one.t;
    for (let step = stepOf(Math.max(one.t, fromMs)); step <= stepOf(until); step++) {
      const known = steps.get(step);
      if (known === undefined) steps.set(step, [one]);
      else known.push(one);
    }
  }
  return [...steps]
    .sort(([a], [b]) => a - b)
    .map(([step, own]) => {
      const lags = own.flatMap(({ l }) => (l === null ? [] : [l]));
      const { s, c, l, e, g, r, v } = merged(own);
      return {
        fromMs: fromMs + step * stepMs,
        state: s,
        code: c ?? null,
        lagMaxMs: l,
        lagMeanMs:
          lags.length === 0 ? null : Math.round(lags.reduce((sum, one) => sum + one, 0) / lags.length),
        lagErrorMs: e,
        readLagMaxMs: r,
        stage: g ?? null,
        rowsPerSecond: v,
        samples: own.length,
      };
    });
}
