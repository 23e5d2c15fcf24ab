/**
 * What is shown of a pipeline: a pure function of what the tree says, and what nodes report (G9).
 *
 * Nothing is shown as running on hearsay: the mainstem's node must hold its lock and have answered.
 */

import type { StageName, TaskStage } from '../../model/stage.ts';
import type { DesiredState, PipelineState } from '../../model/status.ts';
import type { ParkedTableView } from '../operations.ts';
import type { SelectReport, StageReport } from './node-report.ts';

/** What the tree says about one task stage. */
export interface StageTasks {
  readonly tasks: number;
  /** Source commit time (ms) of the oldest batch there; null without tasks. */
  readonly oldestCommitMs: number | null;
  /** Node that holds the claim on the lowest task; null when nobody does. */
  readonly holder: string | null;
}

/** What a node answered that does not talk to the one who asks. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

export interface PipelineFacts {
  readonly pipeline: string;
  readonly nowMs: number;
  readonly desired: {
    readonly desired: DesiredState;
    readonly by: string;
    readonly why: string;
    readonly code: string | null;
  };
  /** A record of the pipeline in the tree that does not hold what Holt writes there; null when all do. */
  readonly foreign: { readonly code: string; readonly message: string } | null;
  readonly epoch: number | null;
  /** Node in the mainstem's lock; null when free. */
  readonly mainstem: string | null;
  readonly stages: Readonly<Record<TaskStage, StageTasks>>;
  /** The mainstem's own report; null when its node did not answer. */
  readonly select: SelectReport | null;
  /** What keeps a node from taking the free mainstem, as it says itself; null when nobody says anything. */
  readonly hindrance: { readonly code: string; readonly message: string } | null;
  /** When that node last answered; null for never. */
  readonly selectAnsweredMs: number | null;
  /** Nodes that refuse our calls. */
  readonly refusals: ReadonlyMap<string, Refusal>;
  /** Reports of every node that answered, per stage. */
  readonly reports: Readonly<
    Record<TaskStage, readonly { readonly node: string; readonly report: StageReport }[]>
  >;
  /** Tables whose changes are held at the target. */
  readonly parked: readonly ParkedTableView[];
  readonly appliedSeq: string | null;
  readonly appliedMs: number | null;
  readonly lastCommitMs: number | null;
}

export interface StageStatus {
  readonly stage: StageName;
  readonly holder: string | null;
  /** Age of the oldest change at this stage, ms; 0 when there is none; null when not known. */
  readonly lagMs: number | null;
  readonly batches: number;
  readonly rowsPerSecond: number;
  readonly waiting: string | null;
  readonly problem: { readonly code: string; readonly message: string } | null;
}

export interface PipelineStatus {
  readonly pipeline: string;
  readonly state: PipelineState;
  readonly reason: string | null;
  readonly code: string | null;
  readonly epoch: number | null;
  /** Age of the oldest change not yet applied, or how far reading is behind; null when nobody can say. */
  readonly lagMs: number | null;
  /** The stage that holds the lag; null when there is none to speak of. */
  readonly lagStage: StageName | null;
  readonly rowsPerSecond: number;
  readonly rowsTotal: number;
  readonly stages: readonly StageStatus[];
  readonly position: string | null;
  readonly appliedSeq: string | null;
  readonly rewinds: number;
  readonly parked: readonly ParkedTableView[];
}

/** Above this a pipeline is catching up rather than running. */
const CATCHING_UP_MS = 10_000;

export function pipelineStatus(facts: PipelineFacts): PipelineStatus {
  const stages = stageStatuses(facts);
  const lag = lagOf(facts, stages);
  const rows = facts.reports.load.reduce((sum, one) => sum + one.report.rows.perSecond, 0);
  const state = stateOf(facts, stages, lag.lagMs, rows);
  return {
    pipeline: facts.pipeline,
    ...state,
    epoch: facts.epoch,
    ...lag,
    rowsPerSecond: rows,
    rowsTotal: facts.reports.load.reduce((sum, one) => sum + one.report.rows.total, 0),
    stages,
    position: facts.select?.position ?? null,
    appliedSeq: facts.appliedSeq,
    rewinds: facts.select?.rewinds ?? 0,
    parked: facts.parked,
  };
}

/** How far reading is behind, ms: the delay of the newest heartbeat, and growing when none comes. */
export function readLagMs(select: SelectReport, nowMs: number): number | null {
  if (select.lastReadSourceMs === null || select.lastReadMs === null) return null;
  const silence = nowMs - select.lastReadMs;
  const delay = Math.max(0, select.lastReadMs - select.lastReadSourceMs);
  // Up to two heartbeats may be on their way; later than that, what we do not read is what we are behind.
  if (silence <= 2 * select.heartbeatPeriodMs) return delay < select.heartbeatPeriodMs ? 0 : delay;
  return Math.max(0, nowMs - select.lastReadSourceMs);
}

function stageStatuses(facts: PipelineFacts): StageStatus[] {
  const select: StageStatus = {
    stage: 'select',
    holder: facts.mainstem,
    lagMs: facts.select === null ? null : readLagMs(facts.select, facts.nowMs),
    batches: facts.select?.inFlight ?? 0,
    rowsPerSecond: facts.select?.rows.perSecond ?? 0,
    waiting: null,
    problem: facts.select?.problem ?? null,
  };
  const rest = (['extract', 'transform', 'load'] as const).map((stage): StageStatus => {
    const tasks = facts.stages[stage];
    const reports = facts.reports[stage];
    const own =
      reports.find((one) => one.node === tasks.holder) ?? reports.find((one) => one.report.active > 0);
    return {
      stage,
      holder: tasks.holder ?? own?.node ?? null,
      lagMs: tasks.oldestCommitMs === null ? 0 : Math.max(0, facts.nowMs - tasks.oldestCommitMs),
      batches: tasks.tasks,
      rowsPerSecond: reports.reduce((sum, one) => sum + one.report.rows.perSecond, 0),
      waiting: own?.report.waiting ?? null,
      problem: reports.find((one) => one.report.problem !== null)?.report.problem ?? null,
    };
  });
  return [select, ...rest];
}

function lagOf(
  facts: PipelineFacts,
  stages: readonly StageStatus[],
): Pick<PipelineStatus, 'lagMs' | 'lagStage'> {
  // The oldest change is at the stage furthest down the flow that has any: batches stay in order.
  for (const stage of [...stages].reverse()) {
    if (stage.stage === 'select') break;
    if (stage.batches > 0) return { lagMs: stage.lagMs, lagStage: stage.stage };
  }
  const read = stages[0]?.lagMs ?? null;
  if (facts.select?.oldestUnappliedMs !== null && facts.select?.oldestUnappliedMs !== undefined)
    return { lagMs: Math.max(0, facts.nowMs - facts.select.oldestUnappliedMs), lagStage: 'select' };
  return { lagMs: read, lagStage: read === null || read === 0 ? null : 'select' };
}

/** Why nothing arrives, as far as it is known: the oldest change is at the stage furthest down that has any. */
function standstill(
  facts: PipelineFacts,
  stages: readonly StageStatus[],
): Pick<PipelineStatus, 'state' | 'reason' | 'code'> {
  const what = 'nothing has been applied for seconds';
  const at = stages.findLast((stage) => stage.batches > 0);
  if (at === undefined) return { state: 'degraded', reason: what, code: null };
  const who = at.holder === null ? at.stage : `${at.stage} on ${at.holder}`;
  const refusal = at.holder === null ? undefined : facts.refusals.get(at.holder);
  if (refusal !== undefined)
    return { state: 'degraded', reason: `${what}: ${who}: ${refusal.message}`, code: refusal.code };
  return { state: 'degraded', reason: `${what}: ${who} is ${at.waiting ?? 'at it'}`, code: null };
}

function stateOf(
  facts: PipelineFacts,
  stages: readonly StageStatus[],
  lagMs: number | null,
  rows: number,
): Pick<PipelineStatus, 'state' | 'reason' | 'code'> {
  const { desired } = facts;
  const byWhom = desired.why === '' ? `by ${desired.by}` : `by ${desired.by}: ${desired.why}`;
  if (desired.desired === 'stopped') return { state: 'stopped', reason: byWhom, code: null };
  if (desired.desired === 'paused')
    return desired.code === null
      ? { state: 'paused', reason: byWhom, code: null }
      : { state: 'failed', reason: desired.why, code: desired.code };
  if (facts.foreign !== null)
    return { state: 'degraded', reason: facts.foreign.message, code: facts.foreign.code };
  if (facts.mainstem === null)
    return {
      state: 'degraded',
      reason: facts.hindrance === null ? 'no node holds the mainstem' : `select: ${facts.hindrance.message}`,
      code: facts.hindrance?.code ?? null,
    };
  if (facts.select === null) {
    const refusal = facts.refusals.get(facts.mainstem);
    if (refusal !== undefined)
      return {
        state: 'unknown',
        reason: `node ${facts.mainstem} holds the mainstem: ${refusal.message}`,
        code: refusal.code,
      };
    const age =
      facts.selectAnsweredMs === null
        ? 'never'
        : `${Math.round((facts.nowMs - facts.selectAnsweredMs) / 1000)} s ago`;
    return {
      state: 'unknown',
      reason: `node ${facts.mainstem} holds the mainstem and does not answer; last heard ${age}`,
      code: null,
    };
  }
  const troubled = stages.find((stage) => stage.problem !== null);
  if (troubled?.problem)
    return {
      state: 'degraded',
      reason: `${troubled.stage}: ${troubled.problem.message}`,
      code: troubled.problem.code,
    };
  if (facts.select.state !== 'reigning')
    return { state: 'degraded', reason: `the mainstem is ${facts.select.state}`, code: null };
  if (!facts.select.sourceConnected)
    return { state: 'degraded', reason: 'no connection to the source', code: null };
  const stuck = stages.find(
    (stage) => stage.stage !== 'select' && stage.batches > 0 && stage.holder === null,
  );
  if (stuck !== undefined && (stuck.lagMs ?? 0) > CATCHING_UP_MS)
    return { state: 'degraded', reason: `no node takes ${stuck.stage}`, code: null };
  const [first] = facts.parked;
  if (first !== undefined)
    return {
      state: 'degraded',
      reason: `changes of ${facts.parked.map(({ table }) => table).join(', ')} are held: ${first.why}`,
      code: first.code,
    };
  // Not even a heartbeat since the reign began: how far behind that is nobody knows yet, and idle it is not.
  if (lagMs === null)
    return { state: 'catching-up', reason: 'nothing has been read since the reign began', code: null };
  if (lagMs > CATCHING_UP_MS)
    return rows > 0 ? { state: 'catching-up', reason: null, code: null } : standstill(facts, stages);
  const busy = rows > 0 || facts.select.inFlight > 0 || stages.some((stage) => stage.batches > 0);
  return { state: busy ? 'running' : 'idle', reason: null, code: null };
}
