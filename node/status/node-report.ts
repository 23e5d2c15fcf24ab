/**
 * What a node says about itself and its share of each pipeline: the answer of the signed channel's `/status`.
 * A schema, since it crosses processes. Times are ms since 1970 by the reporting node's clock unless said otherwise.
 */
import { z } from 'zod';
import { applyLag, clockReading, measured } from '../../model/lag.ts';
import { laneView, parkedTableView } from '../operations.ts';

const rate = z.strictObject({
  /** Rows since the process began. */
  total: z.number(),
  /** Rows a second over the last five seconds. */
  perSecond: z.number(),
});

const problem = z.strictObject({ code: z.string(), message: z.string(), sinceMs: z.number() });

/** What the mainstem's node knows of the lag. Durations at the moment of the report. */
export const lagReport = z.strictObject({
  /** Batches in flight, as far as receipts were heard of, in order: the age of the oldest change of each. Not published: still at Select. */
  flights: z.array(measured.extend({ seq: z.string(), published: z.boolean() })),
  /** Age of the oldest change that is read and in no batch of the window; null when there is none. */
  pending: measured.nullable(),
  read: measured.nullable(),
  readBytes: z.number().nullable(),
  upstreamMs: z.number().nullable(),
  apply: applyLag.nullable(),
  checkpoint: measured.nullable(),
  catchUpMs: z.number().nullable(),
  /** How long nothing has moved though something is there to move; 0 otherwise. */
  stalledMs: z.number(),
  /** Since somebody last saw where the source's log ends, and since the source took a heartbeat; null for never. */
  lookedAgoMs: z.number().nullable(),
  heartbeatAgoMs: z.number().nullable(),
  exactCommitTimes: z.boolean(),
});
export type LagReport = z.infer<typeof lagReport>;

/** Select's share: only on the node that holds the mainstem. */
export const selectReport = z.strictObject({
  state: z.enum(['raising', 'reigning', 'rewinding', 'pausing', 'waiting']),
  epoch: z.number().nullable(),
  /** Where reading stands, for people. */
  position: z.string(),
  file: z.string().nullable(),
  offset: z.number().nullable(),
  sourceConnected: z.boolean(),
  /** Null before the first reign of this node. */
  lag: lagReport.nullable(),
  sourceClock: clockReading.nullable(),
  inFlight: z.number(),
  inFlightBytes: z.number(),
  rows: rate,
  skipped: z.strictObject({ loop: z.number(), filtered: z.number(), ddl: z.number() }),
  /** Batches that were cut out of larger transactions, each a transaction of its own at the target. */
  chunks: z.number(),
  rewinds: z.number(),
  problem: problem.nullable(),
});
export type SelectReport = z.infer<typeof selectReport>;

/** One task stage's share. */
export const stageReport = z.strictObject({
  /** Batches being worked on here. */
  active: z.number(),
  rows: rate,
  batches: z.number(),
  /** Milliseconds the last batch took at this stage. */
  lastDurationMs: z.number().nullable(),
  /** The lowest task that stands at the stage, and for how long this node has seen it there; null when none does. */
  standing: z.strictObject({ seq: z.string(), part: z.number(), forMs: z.number() }).nullable(),
  /** The oldest batch that is being worked on here, and for how long; null when none is. */
  work: z.strictObject({ seq: z.string(), part: z.number(), forMs: z.number() }).nullable(),
  /** Load: the last batch whose COMMIT was answered here; null before the first, and at other stages. */
  applied: z.strictObject({ epoch: z.number(), seq: z.string() }).nullable(),
  /** How long batches of the last seconds waited here before their work began, and how long that took, on average; null without any. */
  queueMs: z.number().nullable(),
  busyMs: z.number().nullable(),
  /** What the stage waits for when that is not its own work, such as a server's rollback. */
  waiting: z.string().nullable(),
  problem: problem.nullable(),
});
export type StageReport = z.infer<typeof stageReport>;

export const pipelineReport = z.strictObject({
  pipeline: z.string(),
  select: selectReport.nullable(),
  extract: stageReport.nullable(),
  transform: stageReport.nullable(),
  load: stageReport.nullable(),
  ledgered: z.number(),
  /** Those of them that the target cannot hold. */
  deadLetters: z.number().default(0),
  /** Of apply mode `parallel`: what this node has written by lane. Empty in mode `prefix`, and before the first batch. */
  lanes: z.array(laneView).default([]),
  /** As this node last saw them at the target; null where it does not work on Load. */
  parked: z.array(parkedTableView).nullable().default(null),
});
export type PipelineReport = z.infer<typeof pipelineReport>;

export const nodeReport = z.strictObject({
  version: z.literal(1),
  node: z.string(),
  site: z.string(),
  release: z.string(),
  startedMs: z.number(),
  nowMs: z.number(),
  draining: z.boolean(),
  /** It was asked to put its work down, and has. */
  drained: z.boolean().default(false),
  session: z.strictObject({ state: z.string(), epoch: z.number(), leaseMs: z.number() }),
  memoryBytes: z.number(),
  eventLoopP99Ms: z.number(),
  /** Other parties' clocks against this node's. */
  clocks: z.array(clockReading),
  pipelines: z.array(pipelineReport),
});
export type NodeReport = z.infer<typeof nodeReport>;
