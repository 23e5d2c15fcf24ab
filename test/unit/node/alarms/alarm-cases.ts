/** Rules, states and readings for the tests of alarms. */
import { type AlarmKind, type AlarmRule, defaultRule } from '../../../../model/alarm.ts';
import { UNKNOWN_LAG } from '../../../../model/lag.ts';
import { STAGES, type StageName } from '../../../../model/stage.ts';
import { NO_ORDERS, type Orders } from '../../../../node/alarms/alarms.ts';
import { type AlarmState, type Evaluation, evaluate, NO_ALARMS } from '../../../../node/alarms/evaluate.ts';
import type { NodeReading, Readings } from '../../../../node/alarms/readings.ts';
import type { PipelineStatusView, StageStatusView } from '../../../../node/operations.ts';

/** 2026-06-10, a Wednesday, 12:00 UTC. */
export const NOON = Date.UTC(2026, 5, 10, 12);

export function rule(when: AlarmKind, given: Partial<AlarmRule> = {}): AlarmRule {
  return { ...defaultRule(when, ['ops']), ...given };
}

export function stage(name: StageName, given: Partial<StageStatusView> = {}): StageStatusView {
  return {
    stage: name,
    holder: `${name}-node`,
    lagMs: 0,
    lagErrorMs: 0,
    batches: 0,
    working: 0,
    standsMs: null,
    workMs: null,
    meanQueueMs: null,
    meanWorkMs: null,
    rowsPerSecond: 0,
    silentMs: null,
    waiting: null,
    problem: null,
    ...given,
  };
}

export interface StatusGiven extends Partial<Omit<PipelineStatusView, 'lag' | 'stages'>> {
  readonly lag?: Partial<PipelineStatusView['lag']>;
  readonly stages?: Partial<Record<StageName, Partial<StageStatusView>>>;
}

export function status(pipeline: string, given: StatusGiven = {}): PipelineStatusView {
  const { lag, stages, ...rest } = given;
  return {
    pipeline,
    state: 'running',
    reason: null,
    code: null,
    sinceMs: null,
    asOfMs: NOON,
    epoch: 1,
    lagMs: lag?.endToEnd?.ms ?? 0,
    lagStage: lag?.stage ?? null,
    rowsPerSecond: 0,
    rowsTotal: 0,
    position: 'mariadb:0-1-1',
    appliedSeq: '1',
    rewinds: 0,
    parked: [],
    ...rest,
    lag: { ...UNKNOWN_LAG, endToEnd: { ms: 0, errorMs: 1 }, heartbeatAgoMs: 0, ...lag },
    stages: STAGES.map((name) => stage(name, stages?.[name])),
  };
}

export const ENDS = {
  source: 'east-db',
  target: 'west-db',
  sourceSite: 'east',
  targetSite: 'west',
} as const;

export function node(name: string, silentMs = 0, site = 'west'): NodeReading {
  return { node: name, site, stages: [...STAGES], silentMs };
}

export function readings(
  nowMs: number,
  given: Partial<Omit<Readings, 'pipelines' | 'nowMs'>> & {
    readonly pipelines?: readonly PipelineStatusView[];
  } = {},
): Readings {
  const { pipelines = [], ...rest } = given;
  return {
    nowMs,
    pipelines: pipelines.map((one) => ({ status: one, ends: ENDS })),
    nodes: [],
    clocks: [],
    ledger: [],
    retention: [],
    ...rest,
  };
}

/** An evaluator's course, look by look. */
export class Course {
  state: AlarmState = NO_ALARMS;
  orders: Orders = NO_ORDERS;
  readonly notices: Evaluation['notices'][number][] = [];
  readonly rules: readonly AlarmRule[];
  readonly timezone: string;

  constructor(rules: readonly AlarmRule[], timezone = 'UTC') {
    this.rules = rules;
    this.timezone = timezone;
  }

  /** @returns what is told by this look. */
  look(given: Readings): Evaluation['notices'] {
    const { state, notices } = evaluate(
      this.state,
      given,
      { rules: this.rules, timezone: this.timezone, channels: [{ name: 'ops', severity: 'info' }] },
      this.orders,
    );
    this.state = state;
    this.notices.push(...notices);
    return notices;
  }

  /** `<id> <state>`, sorted. */
  get alarms(): readonly string[] {
    return [...this.state.alarms.values()].map((one) => `${one.id} ${one.state}`).sort();
  }
}

export function kinds(notices: Evaluation['notices']): readonly string[] {
  return notices.map(({ kind, group, count }) => `${kind} ${group} ${count}`);
}
