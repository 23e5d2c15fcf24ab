/**
 * Every znode path of Holt, in one place; protocol.md section 1 gives them.
 *
 *     /seda/node/{node}                                      ephemeral: NodePresence
 *     /seda/pipeline/{pipeline}/config                       StoredConfig
 *     /seda/pipeline/{pipeline}/state                        DesiredRecord
 *     /seda/pipeline/{pipeline}/epoch                        EpochRecord; its version is checked by every hand-over
 *     /seda/pipeline/{pipeline}/receipt                      LoadReceipt of the newest batch applied
 *     /seda/pipeline/{pipeline}/progress                     PartProgress, only within a large transaction
 *     /seda/pipeline/{pipeline}/termination                  TerminationRequest of a worker to the mainstem
 *     /seda/pipeline/{pipeline}/history/{ms}-{digest}        StoredConfig that ruled, never changed; for display
 *     /seda/stage/{pipeline}:select/main                     MainstemTaking; its version counts the takings of the lock
 *     /seda/stage/{pipeline}:select/main/lock                ephemeral: the mainstem (LockRecord)
 *     /seda/stage/{pipeline}:{stage}/{epoch}-{seq}[.part]    a task: BatchHeader
 *     /seda/stage/{pipeline}:{stage}/{epoch}-{seq}[.part]/lock   ephemeral: the claim (LockRecord)
 *     /seda/access/user/{name}                               who may use the API: see node/access/records.ts
 *     /seda/access/token/{id}
 *     /seda/access/session/{id}
 *     /seda/access/setup                                     while there is no account: the hash of the setup token
 *     /seda/access/request/{id}                              answers to requests with an Idempotency-Key
 *     /seda/access/audit/{day}/{ms}-{random}                 AuditRecord, never changed
 *     /seda/alarm/evaluator                                  who evaluates alarms, and which nodes it knows; its version is checked by every write
 *     /seda/alarm/evaluator/lock                             ephemeral: the evaluator (LockRecord)
 *     /seda/alarm/firing/{alarm}                             an alarm that fires: see node/alarms/alarms.ts
 *     /seda/alarm/pending                                    alarms that may come to fire
 *     /seda/alarm/orders                                     silences and acknowledgements
 *     /seda/alarm/notice/{ms}-{digest}                       what was told, or is to be
 *     /seda/alarm/notice/{ms}-{digest}/{channel}             what became of it there
 *     /otter/canal/destinations/{source}                     SourceTaking: who last took or released `running`
 *     /otter/canal/destinations/{source}/running             ephemeral, as in Canal
 *     /otter/canal/destinations/{source}/{client}/running    ephemeral, as in Canal
 *     /otter/canal/destinations/{source}/{client}/cursor     written lazily, for display; never decides
 *
 * Names contain neither "/" nor ":" (model/ids.ts), so that paths are unambiguous.
 */
import { taskName } from '../model/batch.ts';
import type { DataSourceId, NodeId, PipelineId } from '../model/ids.ts';
import type { StageName, TaskStage } from '../model/stage.ts';

export const NODES = '/seda/node';
export const PIPELINES = '/seda/pipeline';
export const STAGES_ROOT = '/seda/stage';
export const ACCESS = '/seda/access';
export const ALARMS = '/seda/alarm';
export const DESTINATIONS = '/otter/canal/destinations';

/** Parents that every node makes sure of, in order. */
export const ROOTS = [NODES, PIPELINES, STAGES_ROOT, DESTINATIONS] as const;

export const PIPELINE_RECORDS = ['config', 'state', 'epoch', 'receipt', 'progress', 'termination'] as const;
export type PipelineRecord = (typeof PIPELINE_RECORDS)[number];

export const nodePath = (node: NodeId): string => `${NODES}/${node}`;

export const pipelinePath = (pipeline: PipelineId): string => `${PIPELINES}/${pipeline}`;

export const recordPath = (pipeline: PipelineId, record: PipelineRecord): string =>
  `${PIPELINES}/${pipeline}/${record}`;

export const historyPath = (pipeline: PipelineId): string => `${pipelinePath(pipeline)}/history`;

export const stagePath = (pipeline: PipelineId, stage: StageName): string =>
  `${STAGES_ROOT}/${pipeline}:${stage}`;

export const mainPath = (pipeline: PipelineId): string => `${stagePath(pipeline, 'select')}/main`;

export const lockOf = (task: string): string => `${task}/lock`;

export const mainLockPath = (pipeline: PipelineId): string => lockOf(mainPath(pipeline));

export const alarmPaths = {
  evaluator: `${ALARMS}/evaluator`,
  pending: `${ALARMS}/pending`,
  orders: `${ALARMS}/orders`,
  firing: `${ALARMS}/firing`,
  notices: `${ALARMS}/notice`,
  alarm: (id: string): string => `${ALARMS}/firing/${id}`,
  notice: (id: string): string => `${ALARMS}/notice/${id}`,
  delivery: (id: string, channel: string): string => `${ALARMS}/notice/${id}/${channel}`,
} as const;

export interface TaskKey {
  readonly epoch: number;
  readonly seq: bigint;
  readonly part: number;
}

export const taskPath = (pipeline: PipelineId, stage: TaskStage, key: TaskKey): string =>
  `${stagePath(pipeline, stage)}/${taskName(key.epoch, key.seq, key.part)}`;

export const destinationPath = (source: DataSourceId): string => `${DESTINATIONS}/${source}`;

export const runningPath = (source: DataSourceId): string => `${destinationPath(source)}/running`;

/** `client` is the pipeline: each is one client of its source's engine. */
export const clientRunningPath = (source: DataSourceId, client: PipelineId): string =>
  `${destinationPath(source)}/${client}/running`;

export const clientCursorPath = (source: DataSourceId, client: PipelineId): string =>
  `${destinationPath(source)}/${client}/cursor`;
