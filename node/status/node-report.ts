/**
 * What a node says about itself and its share of each pipeline: the answer of the signed channel's `/status`.
 * A schema, since it crosses processes. Times are ms since 1970 by the reporting node's clock unless said otherwise.
 */
import { z } from 'zod';
import { parkedTableView } from '../operations.ts';

const rate = z.strictObject({
  /** Rows since the process began. */
  total: z.number(),
  /** Rows a second over the last five seconds. */
  perSecond: z.number(),
});

const problem = z.strictObject({ code: z.string(), message: z.string(), sinceMs: z.number() });

/** Select's share: only on the node that holds the mainstem. */
export const selectReport = z.strictObject({
  state: z.enum(['raising', 'reigning', 'rewinding', 'pausing', 'waiting']),
  epoch: z.number().nullable(),
  /** Where reading stands, for people. */
  position: z.string(),
  file: z.string().nullable(),
  offset: z.number().nullable(),
  sourceConnected: z.boolean(),
  /** Source time (ms) of the newest heartbeat or change read, and when it was read here. */
  lastReadSourceMs: z.number().nullable(),
  lastReadMs: z.number().nullable(),
  heartbeatPeriodMs: z.number(),
  /** Source commit time (ms) of the oldest change read and not yet applied; null when nothing is in flight. */
  oldestUnappliedMs: z.number().nullable(),
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
  session: z.strictObject({ state: z.string(), epoch: z.number(), leaseMs: z.number() }),
  memoryBytes: z.number(),
  eventLoopP99Ms: z.number(),
  pipelines: z.array(pipelineReport),
});
export type NodeReport = z.infer<typeof nodeReport>;
