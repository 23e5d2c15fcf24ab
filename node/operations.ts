/**
 * What can be asked of a running installation: the one list behind HTTP API and CLI. Any node answers for the whole.
 * Shapes are schemas since they cross processes.
 */
import { z } from 'zod';
import { type ClockReading, lagView } from '../model/lag.ts';
import { STAGES } from '../model/stage.ts';
import { type DesiredState, PIPELINE_STATES } from '../model/status.ts';
import { LEDGER_STATES, type LedgerState } from '../stages/load/ledger-contract.ts';
import type { TraceRequest, TraceView } from './trace/trace.ts';

export const stageStatusView = z
  .object({
    stage: z.enum(STAGES),
    holder: z.string().nullable(),
    /** Age of the oldest change there, ms; 0 where there is none, null when nobody can say. */
    lagMs: z.number().nullable(),
    lagErrorMs: z.number().nullable(),
    /** Batches that stand there. */
    batches: z.number(),
    /** Nodes that are at work on one. */
    working: z.number(),
    /** How long the oldest batch has stood there, and for how long of that somebody has worked on it; null when not known. */
    standsMs: z.number().nullable(),
    workMs: z.number().nullable(),
    /** Of batches of the last seconds, on average: how long they stood before their work began, and how long that took. */
    meanQueueMs: z.number().nullable(),
    meanWorkMs: z.number().nullable(),
    rowsPerSecond: z.number(),
    /** How long ago the holder last answered, where it does not now. */
    silentMs: z.number().nullable(),
    waiting: z.string().nullable(),
    problem: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'StageStatus' });

/** A lane of apply mode `parallel`: what has been written by it since the node that loads was started. */
export const laneView = z
  .object({ lane: z.number(), rows: z.number(), batches: z.number() })
  .meta({ id: 'Lane' });
export type LaneView = z.infer<typeof laneView>;

/** A table whose changes are held at the target; names are those at the source. */
export const parkedTableView = z
  .object({
    table: z.string(),
    /** The table that it waits with: itself, or one that foreign keys join it to. */
    root: z.string(),
    target: z.string(),
    state: z.enum(['parked', 'draining']),
    code: z.string(),
    why: z.string(),
    by: z.string(),
    /** By the target's clock, UTC. */
    since: z.string(),
    /** Of the whole group; 0 in the rows of tables that only wait with another. */
    heldChanges: z.number(),
    heldBytes: z.number(),
    /** Commit time (ms) at the source of the oldest that is held; null when nothing is. */
    oldestCommitMs: z.number().nullable(),
  })
  .meta({ id: 'ParkedTable' });
export type ParkedTableView = z.infer<typeof parkedTableView>;

export type StageStatusView = z.infer<typeof stageStatusView>;

export const pipelineStatusView = z
  .object({
    pipeline: z.string(),
    state: z.enum(PIPELINE_STATES),
    reason: z.string().nullable(),
    code: z.string().nullable(),
    /** Since when it is paused, stopped or failed, ms since 1970; null in other states. */
    sinceMs: z.number().nullable(),
    /** When this was so, ms since 1970 by the clock of the node that was asked. */
    asOfMs: z.number(),
    epoch: z.number().nullable(),
    /** `lag.endToEnd` and `lag.stage`, for those who want no more. */
    lagMs: z.number().nullable(),
    lagStage: z.enum(STAGES).nullable(),
    lag: lagView,
    rowsPerSecond: z.number(),
    rowsTotal: z.number(),
    stages: z.array(stageStatusView).readonly(),
    position: z.string().nullable(),
    appliedSeq: z.string().nullable(),
    rewinds: z.number(),
    parked: z.array(parkedTableView).readonly(),
    /** Present in apply mode `parallel`: readers of the target may see a part of a batch (no consistent prefix). */
    lanes: z.array(laneView).readonly().optional(),
  })
  .meta({ id: 'PipelineStatus' });
export type PipelineStatusView = z.infer<typeof pipelineStatusView>;

export const nodeView = z
  .object({
    node: z.string(),
    site: z.string(),
    release: z.string(),
    state: z.enum(['ready', 'draining', 'drained', 'unknown']),
    /** Seconds since the node last answered; 0 for the node asked. */
    ageSeconds: z.number().nullable(),
    session: z.string().nullable(),
    memoryBytes: z.number().nullable(),
    eventLoopP99Ms: z.number().nullable(),
    stages: z.array(z.string()).readonly(),
  })
  .meta({ id: 'Node' });
export type NodeView = z.infer<typeof nodeView>;

export const positionView = z
  .object({
    pipeline: z.string(),
    position: z.string().nullable(),
    file: z.string().nullable(),
    offset: z.number().nullable(),
    epoch: z.number().nullable(),
    seq: z.string().nullable(),
    appliedAt: z.string().nullable(),
  })
  .meta({ id: 'Position' });
export type PositionView = z.infer<typeof positionView>;

export const ledgerEntryView = z
  .object({
    id: z.string(),
    at: z.string(),
    code: z.string(),
    op: z.string(),
    table: z.string(),
    key: z.string(),
    state: z.string(),
    status: z.enum(LEDGER_STATES),
    /** Whose version stands: the source's, made true, or the target's, kept. */
    decision: z.enum(['source', 'target']),
    origin: z.string(),
    gtid: z.string(),
    position: z.string().nullable(),
  })
  .meta({ id: 'LedgerEntry' });
export type LedgerEntryView = z.infer<typeof ledgerEntryView>;

/** Column → text as people can read it, or null; bytes that are no UTF-8 as 0x… */
const image = z.record(z.string(), z.string().nullable()).nullable();

export const ledgerDetailView = ledgerEntryView
  .extend({
    before: image,
    after: image,
    found: image,
    why: z.string(),
  })
  .meta({ id: 'LedgerDetail' });
export type LedgerDetailView = z.infer<typeof ledgerDetailView>;

/** Where a pipeline stands that has not reached a position in time. */
export const waitStanding = z
  .object({
    waitedFor: z.string(),
    checkpoint: z
      .string()
      .nullable()
      .describe('Of the target, cut where it is long; null where there is none.'),
    state: z.string().nullable(),
    stage: z.enum(STAGES).nullable().describe('That holds the oldest change.'),
    holder: z.string().nullable(),
    lagMs: z.number().nullable(),
  })
  .meta({ id: 'WaitStanding' });
export type WaitStanding = z.infer<typeof waitStanding>;

export const waitView = z
  .object({
    pipeline: z.string(),
    waitedFor: z.string(),
    waitedMs: z.number(),
    by: z
      .enum(['checkpoint', 'reading'])
      .describe(
        "`checkpoint`: the target's covers it. `reading`: all up to it is read, and nothing of that is on its way any more.",
      ),
    checkpoint: z.string().nullable().describe('Cut where it is long.'),
  })
  .meta({ id: 'Wait' });
export type WaitView = z.infer<typeof waitView>;

export interface WaitRequest {
  /** As the source's server writes it, or as Holt does; null: all that is committed at the source now. */
  readonly gtid: string | null;
  readonly timeoutMs: number;
}

export const verifyView = z
  .object({
    id: z.string(),
    pipeline: z.string(),
    state: z.enum(['running', 'equal', 'different', 'failed']),
    chunksDone: z.number(),
    chunksTotal: z.number().nullable(),
    rowsCompared: z.number(),
    differences: z
      .array(
        z.object({
          table: z.string(),
          key: z.string(),
          kind: z.enum(['missing', 'unexpected', 'different']),
          columns: z.array(z.string()).readonly(),
        }),
      )
      .readonly(),
    /** More differences than are listed. */
    differencesTotal: z.number(),
    error: z.string().nullable(),
  })
  .meta({ id: 'Check' });
export type VerifyView = z.infer<typeof verifyView>;

export const ddlView = z
  .object({
    id: z.string(),
    at: z.string(),
    state: z.enum(['open', 'done', 'ran', 'void', 'failed']),
    kind: z.string(),
    /** The source's text, cut where it is long. */
    statement: z.string(),
    why: z.string().nullable(),
  })
  .meta({ id: 'Ddl' });
export type DdlView = z.infer<typeof ddlView>;

export const ddlDetailView = ddlView
  .extend({
    origin: z.string(),
    seq: z.string(),
    sourceRef: z.string(),
    /** What is sent to the target. */
    sent: z.string(),
    defaultSchema: z.string(),
    /** The session's `timestamp` when it began at the source, seconds since 1970; null where the log does not say. */
    sessionTime: z.string().nullable(),
    ownGtid: z.string().nullable(),
    connectionId: z.number(),
    /** `file:offset` in the target's own log, before the statement. */
    log: z.string().nullable(),
    settledAt: z.string().nullable(),
    settledBy: z.string().nullable(),
  })
  .meta({ id: 'DdlDetail' });
export type DdlDetailView = z.infer<typeof ddlDetailView>;

/** What can be asked of the ledger; names at the target. */
export interface LedgerFilter {
  readonly state?: LedgerState;
  readonly kind?: string;
  /** `schema.table` at the target. */
  readonly table?: string;
}

export const configDifference = z.object({
  path: z.string(),
  before: z.string().nullable().describe('JSON; null where it is not there.'),
  after: z.string().nullable(),
});
export type ConfigDifference = z.infer<typeof configDifference>;

export const configView = z
  .object({
    pipeline: z.string(),
    version: z.number().describe('What If-Match names; batches carry it, too.'),
    by: z.string().describe('Node or account that wrote it.'),
    writtenMs: z.number(),
    /** True while it stands in place of what the files say. */
    overridesFiles: z.boolean(),
    /** Whether it is what the files of the node say that answers. */
    isOfFiles: z.boolean(),
    config: z
      .record(z.string(), z.unknown())
      .describe('The effective configuration; nothing of it is secret.'),
  })
  .meta({ id: 'PipelineConfig' });
export type ConfigView = z.infer<typeof configView>;

export const configCheckView = z
  .object({
    valid: z.boolean(),
    problems: z.array(z.object({ path: z.string(), message: z.string() })).readonly(),
    /** Against the ruling one; empty where there are problems. */
    differences: z.array(configDifference).readonly(),
  })
  .meta({ id: 'ConfigCheck' });
export type ConfigCheckView = z.infer<typeof configCheckView>;

export const keptConfigView = z
  .object({
    id: z.string(),
    by: z.string(),
    writtenMs: z.number(),
    overridesFiles: z.boolean(),
    /** The one that rules now. */
    isCurrent: z.boolean(),
  })
  .meta({ id: 'KeptConfig' });
export type KeptConfigView = z.infer<typeof keptConfigView>;

export const keptConfigDetailView = keptConfigView
  .extend({ config: z.record(z.string(), z.unknown()) })
  .meta({ id: 'KeptConfigDetail' });
export type KeptConfigDetailView = z.infer<typeof keptConfigDetailView>;

export const configDiffView = z
  .object({ from: z.string(), to: z.string(), differences: z.array(configDifference).readonly() })
  .meta({ id: 'ConfigDiff' });
export type ConfigDiffView = z.infer<typeof configDiffView>;

export const nodeConfigView = z
  .object({
    node: z.string(),
    pipelines: z
      .array(z.string())
      .readonly()
      .describe('Their configurations are at /pipelines/{name}/config.'),
    config: z
      .record(z.string(), z.unknown())
      .describe('As its files say, defaults filled in; secrets as references.'),
  })
  .meta({ id: 'NodeConfig' });
export type NodeConfigView = z.infer<typeof nodeConfigView>;

export const queueView = z
  .object({
    node: z.string(),
    queue: z.string(),
    /** Where its jobs are kept. */
    kept: z.enum(['redis', 'memory']),
    waiting: z.number().nullable().describe('Null where Redis does not answer; so are the others.'),
    active: z.number().nullable(),
    delayed: z.number().nullable().describe('They failed and are tried again later.'),
    failed: z.number().nullable().describe('Of those that are kept: a day.'),
    completed: z.number().nullable(),
  })
  .meta({ id: 'Queue' });
export type QueueView = z.infer<typeof queueView>;

export const queuesView = z
  .object({
    items: z.array(queueView).readonly(),
    silent: z.array(z.string()).readonly().describe('Nodes that did not answer.'),
  })
  .meta({ id: 'Queues' });
export type QueuesView = z.infer<typeof queuesView>;

export interface RestartRequest {
  readonly by: string;
  readonly why: string;
  /** Leaves alone what has not failed. */
  readonly onlyFailed: boolean;
}

export interface SettleRequest {
  readonly ran: boolean;
  readonly by: string;
}

export interface DesiredChange {
  readonly desired: DesiredState;
  readonly by: string;
  readonly why: string;
}

export interface ParkRequest {
  readonly by: string;
  readonly why: string;
}

export interface ResumeRequest {
  readonly by: string;
  /** Tables at the source that have the columns which rows that could not be decoded had; empty: the table itself, as it is now. */
  readonly like: readonly string[];
}

/** Every member throws HoltError; HOLT_PIPELINE_UNKNOWN for a name that is not configured. */
export interface Operations {
  /** @throws HoltError HOLT_PIPELINE_UNKNOWN. */
  known(name: string): Promise<void>;
  nodes(): Promise<readonly NodeView[]>;
  /** The clocks of all parties, each as every node measures it that can. */
  clocks(): Promise<readonly ClockReading[]>;
  pipelines(): Promise<readonly PipelineStatusView[]>;
  pipeline(name: string): Promise<PipelineStatusView>;
  setDesired(name: string, change: DesiredChange): Promise<void>;
  /**
   * Begins anew from the checkpoint: resumes what Holt has paused for an error, and lets what runs read again. False where `onlyFailed` and it had not.
   * @throws HoltError HOLT_PIPELINE_STATE where a person has paused or stopped it.
   */
  restart(name: string, request: RestartRequest): Promise<boolean>;
  /** What is in flight is read again, the batch with it. @throws HoltError HOLT_BATCH_UNKNOWN where it does not stand any more. */
  retryBatch(name: string, batch: string, request: Omit<RestartRequest, 'onlyFailed'>): Promise<void>;
  /** Only when stopped: takes znodes and the target's rows of the pipeline away. */
  deletePipeline(name: string): Promise<void>;
  /** The configuration that all nodes work by. */
  config(name: string): Promise<ConfigView>;
  /** Only where `version` stands still: else HOLT_CONFIG_VERSION. A new reign begins with it. */
  setConfig(name: string, version: number, config: unknown, by: string): Promise<ConfigView>;
  /** What would be said of it, without putting it anywhere. */
  checkConfig(name: string, config: unknown): Promise<ConfigCheckView>;
  /** Those that ruled, newest first. */
  configHistory(name: string): Promise<readonly KeptConfigView[]>;
  /** @throws HoltError HOLT_CONFIG_UNKNOWN */
  keptConfig(name: string, id: string): Promise<KeptConfigDetailView>;
  /** Each end `current`, `files` (of the node that answers) or an id of the history. */
  configDiff(name: string, from: string, to: string): Promise<ConfigDiffView>;
  /** @throws HoltError HOLT_NODE_UNKNOWN */
  nodeConfig(node: string): Promise<NodeConfigView>;
  queues(): Promise<QueuesView>;
  position(name: string): Promise<PositionView>;
  /** Only when paused or stopped: a raise with the position given. */
  setPosition(name: string, position: string, why: string): Promise<PositionView>;
  /** Until the target has what was committed at the source up to a position. @throws HoltError HOLT_WAIT_TIMEOUT. */
  wait(name: string, request: WaitRequest, signal: AbortSignal): Promise<WaitView>;
  /** Runs on a node at the source's site. */
  startTrace(name: string, request: TraceRequest): Promise<TraceView>;
  /** @throws HoltError HOLT_TRACE_UNKNOWN. */
  trace(name: string, id: string): Promise<TraceView>;
  cancelTrace(name: string, id: string): Promise<TraceView>;
  /** Newest first; `before` an id. */
  errors(
    name: string,
    limit: number,
    before: string | null,
    filter?: LedgerFilter,
  ): Promise<readonly LedgerEntryView[]>;
  error(name: string, id: string): Promise<LedgerDetailView>;
  replay(name: string, id: string, by: string): Promise<LedgerEntryView>;
  /** What stands at the target shall stand; the entry stays, and may still be replayed. */
  closeError(name: string, id: string, by: string): Promise<LedgerEntryView>;
  /** Parked tables with what is held of them, from the target itself. */
  tables(name: string): Promise<readonly ParkedTableView[]>;
  /** `table` is `schema.table` at the source. */
  parkTable(name: string, table: string, request: ParkRequest): Promise<ParkedTableView>;
  /** Asks for the held changes to be applied, and the table to go on; answers with its group. */
  resumeTable(name: string, table: string, request: ResumeRequest): Promise<readonly ParkedTableView[]>;
  /** The journal of schema changes at the target, newest first; `before` an id. */
  ddl(name: string, limit: number, before: string | null): Promise<readonly DdlView[]>;
  ddlRow(name: string, id: string): Promise<DdlDetailView>;
  /** What a person says of a statement that was begun. */
  settleDdl(name: string, id: string, request: SettleRequest): Promise<DdlDetailView>;
  startVerify(name: string): Promise<VerifyView>;
  /** Asked of all nodes: whichever runs it. */
  verify(name: string, id: string): Promise<VerifyView>;
  /** Those that nodes remember, newest last. */
  checks(name: string): Promise<readonly VerifyView[]>;
}
