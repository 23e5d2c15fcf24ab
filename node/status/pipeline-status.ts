/**
 * What is shown of a pipeline: a pure function of what the tree says, and what nodes report (G9).
 *
 * Nothing is shown as running on hearsay: the mainstem's node must hold its lock, have a session that is alive, and have answered;
 * and something must have moved of late where something is there to move.
 */

import type { LagView, Measured } from '../../model/lag.ts';
import { UNKNOWN_LAG } from '../../model/lag.ts';
import { STAGES, type StageName, TASK_STAGES, type TaskStage } from '../../model/stage.ts';
import type { DesiredState, PipelineState } from '../../model/status.ts';
import type { LaneView, ParkedTableView, StageStatusView } from '../operations.ts';
import type { LagReport, SelectReport, StageReport } from './node-report.ts';

/** What the tree says about one task stage. */
export interface StageTasks {
  readonly tasks: number;
  /** The oldest batch there, with its source commit time (ms since 1970, as the log says it); null without tasks. */
  readonly lowest: {
    readonly seq: string;
    readonly part: number;
    readonly commitMs: number | null;
    /** Node in whose memory its payload is; null where it is elsewhere. */
    readonly payloadNode: string | null;
  } | null;
  /** Node that holds the claim on the lowest task; null when nobody does. */
  readonly holder: string | null;
}

/** What a node answered that does not talk to the one who asks. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

export interface SilentNode {
  /** How long ago it last answered; null for never. */
  readonly agoMs: number | null;
  readonly stages: readonly string[];
}

export interface NodeStageReport {
  readonly node: string;
  readonly report: StageReport;
  /** Ms since its process began. */
  readonly uptimeMs: number;
}

export interface PipelineFacts {
  readonly pipeline: string;
  /** Ms since 1970 by the clock of the node that is asked. */
  readonly nowMs: number;
  readonly desired: {
    readonly desired: DesiredState;
    readonly by: string;
    readonly why: string;
    readonly code: string | null;
    /** Null where nobody has said anything. */
    readonly sinceMs: number | null;
  };
  /** A record of the pipeline in the tree that does not hold what Holt writes there; null when all do. */
  readonly foreign: { readonly code: string; readonly message: string } | null;
  readonly epoch: number | null;
  /** Node in the mainstem's lock; null when free. */
  readonly mainstem: string | null;
  readonly stages: Readonly<Record<TaskStage, StageTasks>>;
  /** The mainstem's own report; null when its node did not answer, or leads nothing. */
  readonly select: SelectReport | null;
  /** Ms since that report was made. */
  readonly selectAgeMs: number;
  /** Coordination session of the mainstem's node, as it says; null when it did not answer. */
  readonly session: { readonly state: string; readonly leaseMs: number } | null;
  /** What keeps a node from taking the free mainstem, as it says itself; null when nobody says anything. */
  readonly hindrance: { readonly code: string; readonly message: string } | null;
  /** Nodes that do not answer. */
  readonly silent: ReadonlyMap<string, SilentNode>;
  /** Nodes that refuse our calls. */
  readonly refusals: ReadonlyMap<string, Refusal>;
  /** Reports of every node that answered, per stage. */
  readonly reports: Readonly<Record<TaskStage, readonly NodeStageReport[]>>;
  /** Tables whose changes are held at the target. */
  readonly parked: readonly ParkedTableView[];
  /** Lanes of the node that loads; empty in mode `prefix`. */
  readonly lanes?: readonly LaneView[];
  readonly appliedSeq: string | null;
  readonly appliedMs: number | null;
  readonly lastCommitMs: number | null;
}

export type StageStatus = StageStatusView;

export interface PipelineStatus {
  readonly pipeline: string;
  readonly state: PipelineState;
  readonly reason: string | null;
  readonly code: string | null;
  /** Since when it is paused, stopped or failed, ms since 1970; null in other states. */
  readonly sinceMs: number | null;
  /** When this was so, ms since 1970 by the clock of the node that was asked. */
  readonly asOfMs: number;
  readonly epoch: number | null;
  /** `lag.endToEnd` and `lag.stage`, for those who want no more. */
  readonly lagMs: number | null;
  readonly lagStage: StageName | null;
  readonly lag: LagView;
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
/** What has not moved for so long, though it could, is stuck as far as anyone can see. */
export const STALLED_MS = 1_500;
/** Of work at hand, at a node that answers: so many times what it took there of late, at most for so long. */
const USUAL_WORK = { times: 3, mostMs: 10_000 };
/** A source that was not seen for so long does not answer. */
const BLIND_MS = 1_500;
/** What a node found at a stage so soon after it began may have stood there for long. */
const FIRST_SIGHT_MS = 5_000;

export function pipelineStatus(facts: PipelineFacts): PipelineStatus {
  const stages = stageStatuses(facts);
  const lag = lagOf(facts);
  const rows = facts.reports.load.reduce((sum, one) => sum + one.report.rows.perSecond, 0);
  return {
    pipeline: facts.pipeline,
    ...stateOf(facts, stages, lag, rows),
    asOfMs: facts.nowMs,
    epoch: facts.epoch,
    lagMs: lag.endToEnd?.ms ?? null,
    lagStage: lag.stage,
    lag,
    rowsPerSecond: rows,
    rowsTotal: facts.reports.load.reduce((sum, one) => sum + one.report.rows.total, 0),
    stages,
    position: facts.select?.position ?? null,
    appliedSeq: facts.appliedSeq,
    rewinds: facts.select?.rewinds ?? 0,
    parked: facts.parked,
    ...(facts.lanes === undefined || facts.lanes.length === 0 ? {} : { lanes: facts.lanes }),
  };
}

// ── the figures ────────────────────────────────────────────────────────────────────────────────────────────────────

function lagOf(facts: PipelineFacts): LagView {
  const { select, selectAgeMs } = facts;
  const stage = lagStageOf(facts);
  const report = reportOf(facts);
  if (report === null) return { ...UNKNOWN_LAG, stage, sourceClock: select?.sourceClock ?? null };
  return {
    endToEnd: aged(oldestFlight(facts) ?? report.pending ?? report.read, selectAgeMs),
    stage,
    upstream: report.upstreamMs === null ? null : { ms: report.upstreamMs, errorMs: 0 },
    read: aged(report.read, selectAgeMs),
    readBytes: report.readBytes,
    apply: report.apply === null ? null : { ...report.apply, agoMs: report.apply.agoMs + selectAgeMs },
    checkpoint: aged(report.checkpoint, selectAgeMs),
    catchUpMs: report.catchUpMs,
    stalledMs:
      report.stalledMs === 0 ? 0 : Math.min(report.stalledMs + selectAgeMs, stageReachedMs(facts, stage)),
    heartbeatAgoMs: report.heartbeatAgoMs === null ? null : report.heartbeatAgoMs + selectAgeMs,
    exactCommitTimes: report.exactCommitTimes,
    sourceClock: select?.sourceClock ?? null,
  };
}

/** What nothing is behind in has no age, however old the report. */
function aged(lag: Measured | null, ageMs: number): Measured | null {
  if (lag === null || lag.ms === 0) return lag;
  return { ms: lag.ms + ageMs, errorMs: lag.errorMs };
}

/** What the mainstem's node says of the lag; null where it is not to be relied on. */
function reportOf(facts: PipelineFacts): LagReport | null {
  return isOwnerAlive(facts) ? (facts.select?.lag ?? null) : null;
}

/**
 * The oldest batch that is not at the target. Receipts take a moment to come round; the node that applied a batch knows it at once.
 */
function oldestFlight(facts: PipelineFacts): LagReport['flights'][number] | null {
  const epoch = facts.select?.epoch ?? null;
  let done = -1n;
  for (const { report } of facts.reports.load) {
    if (report.applied === null || report.applied.epoch !== epoch) continue;
    const seq = BigInt(report.applied.seq);
    if (seq > done) done = seq;
  }
  return reportOf(facts)?.flights.find(({ seq }) => BigInt(seq) > done) ?? null;
}

/** Where the oldest change is that is not applied. */
function lagStageOf(facts: PipelineFacts): StageName | null {
  if (facts.desired.desired !== 'running') return null;
  const report = reportOf(facts);
  // Nobody reads, and what was read may be in the memory of a node that is gone: others wait for it.
  if (report === null) return 'select';
  const oldest = oldestFlight(facts);
  if (oldest !== null) {
    if (!oldest.published) return 'select';
    // Published, and no task any more: the receipt is under way.
    const at = stageOfOldest(facts);
    return at === null ? 'load' : (keeperOf(facts, at)?.stage ?? at);
  }
  if (report.pending !== null || report.read === null || report.read.ms > 0) return 'select';
  return null;
}

/**
 * How long ago the oldest batch came to its stage, as nodes there saw it; infinite where nobody knows. Going from stage to stage is
 * movement, of which the mainstem hears nothing.
 */
function stageReachedMs(facts: PipelineFacts, stage: StageName | null): number {
  const at = stageOfOldest(facts);
  if (at === null || at !== stage) return Number.POSITIVE_INFINITY;
  const { lowest } = facts.stages[at];
  const seen = facts.reports[at].flatMap(({ report: { standing }, uptimeMs }) =>
    standing !== null &&
    standing.seq === lowest?.seq &&
    standing.part === lowest.part &&
    standing.forMs + FIRST_SIGHT_MS < uptimeMs
      ? [standing.forMs]
      : [],
  );
  return seen.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...seen);
}

/** Where the batch with the lowest number stands: stages work on several at once, and younger ones may be further down. */
function stageOfOldest({ stages }: PipelineFacts): TaskStage | null {
  let found: TaskStage | null = null;
  for (const stage of TASK_STAGES) {
    const one = stages[stage].lowest;
    const best = found === null ? null : stages[found].lowest;
    if (one === null) continue;
    if (best === null || BigInt(one.seq) < BigInt(best.seq)) found = stage;
    else if (one.seq === best.seq && one.part <= best.part) found = stage;
  }
  return found;
}

/** Who keeps a stage waiting: a node that does not answer and has the payload of its oldest batch, from its work at an earlier stage. */
function keeperOf(
  { stages, silent }: PipelineFacts,
  at: TaskStage,
): { readonly stage: StageName; readonly node: string; readonly agoMs: number | null } | null {
  const { lowest, holder } = stages[at];
  const node = lowest?.payloadNode ?? null;
  const keeper = node === null || node === holder ? undefined : silent.get(node);
  if (node === null || keeper === undefined) return null;
  const stage = STAGES.findLast(
    (one) => STAGES.indexOf(one) < STAGES.indexOf(at) && keeper.stages.includes(one),
  );
  return stage === undefined ? null : { stage, node, agoMs: keeper.agoMs };
}

function isOwnerAlive({ select, session }: PipelineFacts): boolean {
  return select !== null && (session === null || (session.state === 'connected' && session.leaseMs > 0));
}

function stageStatuses(facts: PipelineFacts): StageStatus[] {
  return STAGES.map((stage) => (stage === 'select' ? selectStatus(facts) : taskStageStatus(facts, stage)));
}

/** Select holds what is read and not published, and answers for what is not read. */
function selectStatus(facts: PipelineFacts): StageStatus {
  const { select, selectAgeMs } = facts;
  const report = reportOf(facts);
  const own = report?.flights.find((one) => !one.published) ?? report?.pending ?? null;
  const lag = report === null ? null : aged(own ?? report.read, selectAgeMs);
  const unpublished = report?.flights.filter((one) => !one.published).length ?? 0;
  return {
    stage: 'select',
    holder: facts.mainstem,
    lagMs: lag?.ms ?? null,
    lagErrorMs: lag?.errorMs ?? null,
    batches: unpublished + (report?.pending == null ? 0 : 1),
    working: own === null ? 0 : 1,
    standsMs: own === null ? null : (report?.stalledMs ?? null),
    workMs: null,
    meanQueueMs: null,
    meanWorkMs: null,
    rowsPerSecond: select?.rows.perSecond ?? 0,
    waiting: report === null || select === null ? null : waitingSelect(select, report),
    silentMs: silenceOf(facts, facts.mainstem),
    problem: select?.problem ?? null,
  };
}

function waitingSelect(select: SelectReport, report: LagReport): string | null {
  if (!select.sourceConnected) return 'no connection to the source';
  if (report.lookedAgoMs !== null && report.lookedAgoMs > BLIND_MS) return 'the source does not answer';
  return null;
}

function taskStageStatus(facts: PipelineFacts, stage: TaskStage): StageStatus {
  const { tasks, lowest, holder } = facts.stages[stage];
  const reports = facts.reports[stage];
  const own = reports.find((one) => one.node === holder) ?? reports.find((one) => one.report.active > 0);
  const lag = lowest === null ? { ms: 0, errorMs: 0 } : ageOfTask(facts, lowest);
  const stands = reports.flatMap(({ report: { standing } }) =>
    standing !== null && standing.seq === lowest?.seq ? [standing.forMs] : [],
  );
  const work = own?.report.work ?? null;
  return {
    stage,
    holder: holder ?? own?.node ?? null,
    lagMs: lag?.ms ?? null,
    lagErrorMs: lag?.errorMs ?? null,
    batches: tasks,
    working: reports.filter((one) => one.report.work !== null).length,
    standsMs: stands.length === 0 ? null : Math.max(...stands),
    workMs: work !== null && work.seq === lowest?.seq ? work.forMs : null,
    meanQueueMs: meanOf(reports.map((one) => one.report.queueMs)),
    meanWorkMs: meanOf(reports.map((one) => one.report.busyMs)),
    rowsPerSecond: reports.reduce((sum, one) => sum + one.report.rows.perSecond, 0),
    waiting: own?.report.waiting ?? null,
    silentMs: silenceOf(facts, holder),
    problem: reports.find((one) => one.report.problem !== null)?.report.problem ?? null,
  };
}

/** By the mainstem's own reckoning; without it by the wall clocks, which nobody answers for. */
function ageOfTask(facts: PipelineFacts, lowest: NonNullable<StageTasks['lowest']>): Measured | null {
  const { select, selectAgeMs, nowMs } = facts;
  const flight = reportOf(facts)?.flights.find((one) => one.seq === lowest.seq);
  if (flight !== undefined) return { ms: flight.ms + selectAgeMs, errorMs: flight.errorMs };
  if (lowest.commitMs === null) return null;
  const aheadMs = select?.sourceClock?.aheadMs ?? 0;
  return { ms: Math.max(0, nowMs + aheadMs - lowest.commitMs), errorMs: null };
}

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((one) => one !== null);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0) / known.length;
}

function silenceOf({ silent }: PipelineFacts, node: string | null): number | null {
  return node === null ? null : (silent.get(node)?.agoMs ?? null);
}

// ── the state ──────────────────────────────────────────────────────────────────────────────────────────────────────

type StateView = Pick<PipelineStatus, 'state' | 'reason' | 'code' | 'sinceMs'>;

function shown(state: PipelineState, reason: string | null = null, code: string | null = null): StateView {
  return { state, reason, code, sinceMs: null };
}

function stateOf(
  facts: PipelineFacts,
  stages: readonly StageStatus[],
  lag: LagView,
  rows: number,
): StateView {
  const { desired, select, mainstem } = facts;
  const { sinceMs } = desired;
  const byWhom = desired.why === '' ? `by ${desired.by}` : `by ${desired.by}: ${desired.why}`;
  if (desired.desired === 'stopped') return { ...shown('stopped', byWhom), sinceMs };
  if (desired.desired === 'paused')
    return desired.code === null
      ? { ...shown('paused', byWhom), sinceMs }
      : { ...shown('failed', desired.why, desired.code), sinceMs };
  if (facts.foreign !== null) return shown('degraded', facts.foreign.message, facts.foreign.code);
  if (mainstem === null)
    return facts.hindrance === null
      ? shown('degraded', 'no node holds the mainstem')
      : shown('degraded', `select: ${facts.hindrance.message}`, facts.hindrance.code);
  if (select === null || !isOwnerAlive(facts)) return ownerUnknown(facts, mainstem);
  const troubled = stages.find((stage) => stage.problem !== null);
  if (troubled?.problem)
    return shown('degraded', `${troubled.stage}: ${troubled.problem.message}`, troubled.problem.code);
  if (select.state !== 'reigning') return shown('degraded', `the mainstem is ${select.state}`);
  if (!select.sourceConnected) return shown('degraded', 'no connection to the source');
  if (lag.stalledMs > patienceMs(facts, stages, lag)) return standstill(facts, stages, lag);
  const blindMs = select.lag?.lookedAgoMs ?? 0;
  if (blindMs > BLIND_MS)
    return shown('degraded', `select: the source has not answered for ${secondsOf(blindMs)}`);
  const [first] = facts.parked;
  if (first !== undefined)
    return shown(
      'degraded',
      `changes of ${facts.parked.map(({ table }) => table).join(', ')} are held: ${first.why}`,
      first.code,
    );
  // Nothing was read since the reign began: how far behind that is nobody knows yet, and idle it is not.
  if (lag.endToEnd === null) return shown('catching-up', 'nothing has been read since the reign began');
  if (lag.endToEnd.ms > CATCHING_UP_MS) return shown('catching-up');
  const busy =
    lag.endToEnd.ms > 0 || rows > 0 || select.inFlight > 0 || stages.some((stage) => stage.batches > 0);
  return shown(busy ? 'running' : 'idle');
}

function ownerUnknown({ refusals, select, session, silent }: PipelineFacts, mainstem: string): StateView {
  const refusal = refusals.get(mainstem);
  const holds = `node ${mainstem} holds the mainstem`;
  if (refusal !== undefined) return shown('unknown', `${holds}: ${refusal.message}`, refusal.code);
  if (select !== null)
    return shown(
      'unknown',
      `${holds}, but its session with the coordination service is ${session?.state ?? 'unknown'} and its lease is over`,
    );
  // It answers, and knows nothing of the lock: it was started anew, and the lock is of the one before.
  if (session !== null) return shown('unknown', `${holds} from before it was started, and does not lead yet`);
  const agoMs = silent.get(mainstem)?.agoMs ?? null;
  const heard = agoMs === null ? 'never' : `${secondsOf(agoMs)} ago`;
  return shown('unknown', `${holds} and does not answer; last heard ${heard}`);
}

/** Large batches at a slow target take their time: where the last ones did too, this one is no standstill yet. */
function patienceMs({ silent }: PipelineFacts, stages: readonly StageStatus[], { stage }: LagView): number {
  const at = stages.find((one) => one.stage === stage);
  if (at === undefined || at.holder === null || silent.has(at.holder)) return STALLED_MS;
  if (at.workMs === null || at.meanWorkMs === null) return STALLED_MS;
  return Math.min(USUAL_WORK.mostMs, Math.max(STALLED_MS, USUAL_WORK.times * at.meanWorkMs));
}

/** Why nothing moves, as far as it is known. */
function standstill(facts: PipelineFacts, stages: readonly StageStatus[], lag: LagView): StateView {
  const what = `nothing has moved for ${secondsOf(lag.stalledMs)}`;
  const oldestAt = stageOfOldest(facts);
  const keeper = oldestAt === null || lag.stage === 'select' ? null : keeperOf(facts, oldestAt);
  if (keeper !== null)
    return shown(
      'degraded',
      `${what}: ${oldestAt} waits for a batch of ${keeper.node}, which ${heardOf(keeper.agoMs)}`,
    );
  const at = stages.find((one) => one.stage === lag.stage);
  if (at === undefined) return shown('degraded', what);
  if (at.holder === null) return shown('degraded', `${what}: no node takes ${at.stage}${silentText(facts)}`);
  const who = `${at.stage} on ${at.holder}`;
  const refusal = facts.refusals.get(at.holder);
  if (refusal !== undefined) return shown('degraded', `${what}: ${who}: ${refusal.message}`, refusal.code);
  if (facts.silent.has(at.holder)) {
    const heard = at.silentMs === null ? 'was never heard' : `has not answered for ${secondsOf(at.silentMs)}`;
    return shown('degraded', `${what}: ${who}, which ${heard}`);
  }
  return shown('degraded', `${what}: ${who} is ${at.waiting ?? doing(at)}`);
}

function heardOf(agoMs: number | null): string {
  return agoMs === null ? 'was never heard' : `has not answered for ${secondsOf(agoMs)}`;
}

/** Whoever would take it may be among those who do not answer. */
function silentText({ silent }: PipelineFacts): string {
  if (silent.size === 0) return '';
  return `; no answer from ${[...silent.keys()].join(', ')}`;
}

function doing({ stage, workMs, standsMs }: StageStatus): string {
  if (workMs !== null) return `at work on one batch for ${secondsOf(workMs)}`;
  if (stage === 'select') return 'not getting on';
  return standsMs === null
    ? 'not at work'
    : `not at work on a batch that has stood there for ${secondsOf(standsMs)}`;
}

function secondsOf(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}
