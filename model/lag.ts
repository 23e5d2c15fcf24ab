/**
 * The lag of a pipeline as everybody is told it: CLI, HTTP API, metrics, page and alarms read these shapes and compute nothing of their
 * own. What each figure means and how it is measured is in docs/lag.md.
 *
 * Figures are durations, taken at one moment: no clock is needed to read them.
 */
import { z } from 'zod';
import { STAGES } from './stage.ts';

/** A duration in milliseconds, right to ± `errorMs`; null for an error that cannot be told. */
export const measured = z.object({ ms: z.number(), errorMs: z.number().nullable() });
export type Measured = z.infer<typeof measured>;

/** The way of the last batch that was applied, from commit to commit. */
export const applyLag = measured.extend({
  seq: z.string(),
  /** Milliseconds since then. */
  agoMs: z.number(),
});
export type ApplyLag = z.infer<typeof applyLag>;

export const clockReading = z.object({
  /** `node <name>` or `database <data source>`. */
  party: z.string(),
  /** How far its clock is ahead of that of the node in `by`; negative for behind. */
  aheadMs: z.number(),
  errorMs: z.number(),
  /** Node that measured it. */
  by: z.string(),
  /** Milliseconds since it was measured. */
  agoMs: z.number(),
});
export type ClockReading = z.infer<typeof clockReading>;

export const lagView = z.object({
  /** Age of the oldest change that is committed at the source and not at the target; 0 where there is none. Null when nobody can say. */
  endToEnd: measured.nullable(),
  /** The stage where that change is; null where there is none. Known also while `endToEnd` is not. */
  stage: z.enum(STAGES).nullable(),
  /** Delay that the source itself had, where it is a replica: of the newest transaction read. Null where its log does not say. */
  upstream: measured.nullable(),
  /** Age of the oldest change in the source's log that Select has not read. */
  read: measured.nullable(),
  /** From where Select reads to the end of the source's log. */
  readBytes: z.number().nullable(),
  apply: applyLag.nullable(),
  /** Age of the oldest thing in the source's log, Holt's own rows included, behind the durable position: from there reading begins anew. */
  checkpoint: measured.nullable(),
  /** Until nothing is behind, if it goes on as in the last seconds; 0 when nothing is, null when no end is in sight. */
  catchUpMs: z.number().nullable(),
  /** How long nothing has moved though something is there to move; 0 otherwise. */
  stalledMs: z.number(),
  /** Milliseconds since the source took the last heartbeat row. */
  heartbeatAgoMs: z.number().nullable(),
  /** Whether the source logs commit times to the µs; else heartbeats and looks at the end of its log stand in. */
  exactCommitTimes: z.boolean().nullable(),
  /** The source's clock, as the node that reads it measures it. */
  sourceClock: clockReading.nullable(),
});
export type LagView = z.infer<typeof lagView>;

/** Nothing is known. */
export const UNKNOWN_LAG: LagView = {
  endToEnd: null,
  stage: null,
  upstream: null,
  read: null,
  readBytes: null,
  apply: null,
  checkpoint: null,
  catchUpMs: null,
  stalledMs: 0,
  heartbeatAgoMs: null,
  exactCommitTimes: null,
  sourceClock: null,
};
