/**
 * Prometheus figures, made when scraped: of the node's own report, and of the status of the pipelines that it has a part in, the same
 * that CLI and API show. Every node tells those, so that they are there while some node is; take the largest of them.
 */

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { assert } from '../lib/assert.ts';
import { ALARM_SEVERITIES, type AlarmSeverity } from '../model/alarm.ts';
import type { LagView, Measured } from '../model/lag.ts';
import { STAGES } from '../model/stage.ts';
import { PIPELINE_STATES } from '../model/status.ts';
import type { CoordinationTree, SessionState } from '../scheduler/tree/tree.ts';
import { Counted } from './counted.ts';
import type { QueueView } from './operations.ts';
import type { NodeReport } from './status/node-report.ts';
import type { PipelineStatus } from './status/pipeline-status.ts';

const SESSION_STATES = [
  'connecting',
  'connected',
  'suspended',
  'lost',
  'closed',
  'auth-failed',
] as const satisfies readonly SessionState[];

export interface MetricsOptions {
  readonly report: () => NodeReport;
  /** Status of the pipelines named. */
  readonly statuses: (pipelines: readonly string[]) => Promise<readonly PipelineStatus[]>;
  readonly counted: Counted;
  /** Of this node. */
  readonly queues: () => Promise<readonly QueueView[]>;
  readonly tree: Pick<CoordinationTree, 'counters'>;
  readonly alarms: AlarmFigures;
  readonly release: string;
}

export interface MetricEntry {
  readonly name: string;
  readonly help: string;
  readonly kind: 'gauge' | 'counter' | 'histogram';
  readonly labels: readonly string[];
}

export interface AlarmFigures {
  readonly list: () => Promise<
    readonly {
      readonly severity: AlarmSeverity;
      readonly state: string;
      readonly pipeline: string | null;
      readonly stage: string | null;
      readonly kind: string;
    }[]
  >;
  /** Of this node's evaluator. */
  readonly evaluator: () => { readonly isEvaluating: boolean; readonly evaluations: number };
}

/** `kind` of the lag metrics → figure of the model. */
const LAG_KINDS: readonly (readonly [string, (lag: LagView) => Measured | null])[] = [
  ['end_to_end', (lag) => lag.endToEnd],
  ['upstream', (lag) => lag.upstream],
  ['read', (lag) => lag.read],
  ['apply', (lag) => lag.apply],
  ['checkpoint', (lag) => lag.checkpoint],
];

export function nodeMetrics({ report, statuses, counted, queues, tree, alarms, release }: MetricsOptions): {
  text(): Promise<string>;
  /** Every metric there is, whether it has a value now or not. */
  catalogue(): readonly MetricEntry[];
} {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const entries: MetricEntry[] = [];
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) => {
    // Totals are read from where they are kept: to Prometheus they are counters all the same.
    const kind = name.endsWith('_total') ? 'counter' : 'gauge';
    entries.push({ name, help, kind, labels: labelNames });
    return new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
  };

  const build = gauge('holt_build_info', 'Release of this node.', ['release']);
  const session = gauge(
    'holt_zk_session_state',
    'State of the coordination session; 1 for the present one.',
    ['state'],
  );
  const lost = gauge('holt_zk_session_expired_total', 'Sessions lost since the node started.');
  const requests = gauge('holt_zk_requests_total', 'Requests to the coordination service.', ['op']);
  const requestTime = gauge(
    'holt_zk_request_seconds_total',
    'Time between sending a request to the coordination service and its answer, all together.',
    ['op'],
  );
  const watchEvents = gauge('holt_zk_watch_events_total', 'Watches that fired.');
  const queueJobs = gauge('holt_queue_jobs', 'Jobs of the queues that this node works on.', [
    'queue',
    'state',
  ]);
  const memory = gauge('holt_node_memory_bytes', 'Resident memory.');
  const loop = gauge('holt_node_event_loop_delay_p99_seconds', 'Event-loop delay, 99th percentile.');
  const rows = gauge('holt_stage_rows_total', 'Row changes done by this node.', ['pipeline', 'stage']);
  const batches = gauge('holt_stage_batches_total', 'Batches done by this node.', ['pipeline', 'stage']);
  const active = gauge('holt_stage_batches_active', 'Batches this node works on.', ['pipeline', 'stage']);
  const duration = gauge('holt_stage_last_batch_seconds', 'Time the last batch took.', ['pipeline', 'stage']);
  const problem = gauge('holt_stage_problem', '1 while the stage has a problem.', [
    'pipeline',
    'stage',
    'code',
  ]);
  const inFlight = gauge('holt_pipeline_batches_in_flight', 'Batches between Select and receipt.', [
    'pipeline',
  ]);
  const connected = gauge('holt_source_connected', '1 while the binlog connection is up.', ['pipeline']);
  const state = gauge('holt_pipeline_state', 'State of the pipeline; 1 for the present one.', [
    'pipeline',
    'state',
  ]);
  const lag = gauge('holt_pipeline_lag_seconds', 'Lag, by kind; absent where nobody can say.', [
    'pipeline',
    'kind',
  ]);
  const lagError = gauge('holt_pipeline_lag_error_seconds', 'The lag of that kind is right to ± this.', [
    'pipeline',
    'kind',
  ]);
  const lagStage = gauge('holt_pipeline_lag_stage', '1 for the stage that holds the oldest change.', [
    'pipeline',
    'stage',
  ]);
  const stalled = gauge(
    'holt_pipeline_stalled_seconds',
    'How long nothing has moved though something is there to move.',
    ['pipeline'],
  );
  const catchUp = gauge(
    'holt_pipeline_catch_up_seconds',
    'Predicted time until nothing is behind; absent where no end is in sight.',
    ['pipeline'],
  );
  const checkpoint = gauge(
    'holt_checkpoint_timestamp_seconds',
    'How far the durable position is: when the oldest thing behind it in the log was written.',
    ['pipeline'],
  );
  const lagBytes = gauge(
    'holt_source_binlog_lag_bytes',
    "From where Select reads to the end of the source's log.",
    ['pipeline'],
  );
  const heartbeat = gauge('holt_heartbeat_timestamp_seconds', 'When the source last took a heartbeat.', [
    'pipeline',
  ]);
  const sourceClock = gauge(
    'holt_source_clock_offset_seconds',
    "How far the source's clock is ahead of that of the node that reads it.",
    ['pipeline'],
  );
  const clockOffset = gauge('holt_clock_offset_seconds', "How far a party's clock is ahead of this node's.", [
    'party',
  ]);
  const clockError = gauge('holt_clock_error_seconds', 'The clock offset is right to ± this.', ['party']);
  const standing = gauge('holt_stage_batches_in_flight', 'Batches that stand at the stage.', [
    'pipeline',
    'stage',
  ]);
  const oldest = gauge('holt_stage_oldest_batch_age_seconds', 'Age of the oldest change at the stage.', [
    'pipeline',
    'stage',
  ]);
  const skipped = gauge('holt_select_skipped_total', 'Transactions not carried.', ['pipeline', 'why']);
  const chunks = gauge(
    'holt_select_chunks_total',
    'Batches cut out of larger transactions, each a transaction of its own at the target.',
    ['pipeline'],
  );
  const rewinds = gauge('holt_pipeline_rewinds_total', 'Rewinds since this node took the mainstem.', [
    'pipeline',
  ]);
  const lanes = gauge(
    'holt_load_lane_rows_total',
    'Row changes that a lane of apply mode parallel has written.',
    ['pipeline', 'lane'],
  );
  const laneBatches = gauge(
    'holt_load_lane_batches_total',
    'Transactions of a lane of apply mode parallel.',
    ['pipeline', 'lane'],
  );
  const ledgered = gauge('holt_ledger_entries_total', 'Changes written to the ledger by this node.', [
    'pipeline',
  ]);

  const firing = gauge('holt_alarms_firing', 'Alarms of the installation that fire; every node tells them.', [
    'severity',
  ]);
  const pending = gauge(
    'holt_alarms_pending',
    'Alarms of the installation that do not hold for long enough yet.',
    ['severity'],
  );
  const stuck = gauge(
    'holt_alarm_stage',
    '1 while an alarm of that kind, firing or pending, names that stage of the pipeline.',
    ['pipeline', 'kind', 'stage'],
  );
  const evaluating = gauge('holt_alarm_evaluator', '1 on the node that evaluates the alarms.');
  const evaluations = gauge('holt_alarm_evaluations_total', 'Evaluations of all rules by this node.');

  /** Absent while the tree cannot be asked: nothing is known then, and 0 would say that all is well. */
  const tellAlarms = async () => {
    const all = await alarms.list().catch(() => null);
    const { isEvaluating, evaluations: count } = alarms.evaluator();
    return () => {
      evaluating.set(isEvaluating ? 1 : 0);
      evaluations.set(count);
      if (all === null) return;
      for (const severity of ALARM_SEVERITIES) {
        const own = all.filter((one) => one.severity === severity);
        firing.set({ severity }, own.filter((one) => one.state === 'firing').length);
        pending.set({ severity }, own.filter((one) => one.state === 'pending').length);
      }
      for (const { pipeline, kind, stage } of all)
        if (pipeline !== null && stage !== null) stuck.set({ pipeline, kind, stage }, 1);
    };
  };

  const tellStatus = (status: PipelineStatus) => {
    const { pipeline } = status;
    for (const one of PIPELINE_STATES) state.set({ pipeline, state: one }, one === status.state ? 1 : 0);
    for (const [kind, figure] of LAG_KINDS) {
      const found = figure(status.lag);
      if (found === null) continue;
      lag.set({ pipeline, kind }, found.ms / 1000);
      if (found.errorMs !== null) lagError.set({ pipeline, kind }, found.errorMs / 1000);
    }
    for (const stage of STAGES) lagStage.set({ pipeline, stage }, stage === status.lagStage ? 1 : 0);
    for (const { stage, batches: standsThere, lagMs } of status.stages) {
      standing.set({ pipeline, stage }, standsThere);
      if (lagMs !== null) oldest.set({ pipeline, stage }, lagMs / 1000);
    }
    const { stalledMs, catchUpMs, readBytes, heartbeatAgoMs } = status.lag;
    stalled.set({ pipeline }, stalledMs / 1000);
    if (catchUpMs !== null) catchUp.set({ pipeline }, catchUpMs / 1000);
    if (readBytes !== null) lagBytes.set({ pipeline }, readBytes);
    if (heartbeatAgoMs !== null) heartbeat.set({ pipeline }, (status.asOfMs - heartbeatAgoMs) / 1000);
    if (status.lag.checkpoint !== null)
      checkpoint.set({ pipeline }, (status.asOfMs - status.lag.checkpoint.ms) / 1000);
    const clock = status.lag.sourceClock;
    if (clock !== null) sourceClock.set({ pipeline }, clock.aheadMs / 1000);
  };

  /** What is not known is told as such: a figure that stands still would look like a truth. */
  const tellUnknown = (pipeline: string) => {
    for (const one of PIPELINE_STATES) state.set({ pipeline, state: one }, one === 'unknown' ? 1 : 0);
  };

  const collect = async () => {
    const names = report().pipelines.map((one) => one.pipeline);
    const [known, setAlarms, jobs] = await Promise.all([
      statuses(names).catch(() => []),
      tellAlarms(),
      queues().catch(() => []),
    ]);
    const now = report();
    registry.resetMetrics();
    setAlarms();
    for (const { queue, waiting, active: atWork, delayed, failed } of jobs)
      for (const [jobState, count] of Object.entries({ waiting, active: atWork, delayed, failed }))
        if (count !== null) queueJobs.set({ queue, state: jobState }, count);
    for (const name of names) {
      const status = known.find((one) => one.pipeline === name);
      if (status === undefined) tellUnknown(name);
      else tellStatus(status);
    }
    for (const { party, aheadMs, errorMs } of now.clocks) {
      clockOffset.set({ party }, aheadMs / 1000);
      clockError.set({ party }, errorMs / 1000);
    }
    build.set({ release }, 1);
    for (const one of SESSION_STATES) session.set({ state: one }, one === now.session.state ? 1 : 0);
    lost.set(tree.counters.sessionsLost);
    for (const [op, counters] of Object.entries(tree.counters.ops)) {
      requests.set({ op }, counters.sent);
      requestTime.set({ op }, counters.latencyMsSum / 1000);
    }
    watchEvents.set(tree.counters.watchFires);
    memory.set(now.memoryBytes);
    loop.set(now.eventLoopP99Ms / 1000);
    for (const one of now.pipelines) {
      const { pipeline } = one;
      for (const stage of ['extract', 'transform', 'load'] as const) {
        const share = one[stage];
        if (share === null) continue;
        rows.set({ pipeline, stage }, share.rows.total);
        batches.set({ pipeline, stage }, share.batches);
        active.set({ pipeline, stage }, share.active);
        if (share.lastDurationMs !== null) duration.set({ pipeline, stage }, share.lastDurationMs / 1000);
        if (share.problem !== null) problem.set({ pipeline, stage, code: share.problem.code }, 1);
      }
      ledgered.set({ pipeline }, one.ledgered);
      for (const { lane, rows: count, batches: transactions } of one.lanes) {
        lanes.set({ pipeline, lane: String(lane) }, count);
        laneBatches.set({ pipeline, lane: String(lane) }, transactions);
      }
      const { select } = one;
      if (select === null) continue;
      rows.set({ pipeline, stage: 'select' }, select.rows.total);
      inFlight.set({ pipeline }, select.inFlight);
      connected.set({ pipeline }, select.sourceConnected ? 1 : 0);
      rewinds.set({ pipeline }, select.rewinds);
      chunks.set({ pipeline }, select.chunks);
      for (const [why, count] of Object.entries(select.skipped)) skipped.set({ pipeline, why }, count);
      if (select.problem !== null) problem.set({ pipeline, stage: 'select', code: select.problem.code }, 1);
    }
  };

  return {
    async text() {
      await collect();
      const [own, rest] = await Promise.all([registry.metrics(), counted.registry.metrics()]);
      // prom-client has no counter that is set.
      return `${own.replace(/^# TYPE (holt_\w+_total) gauge$/gm, '# TYPE $1 counter')}\n${rest}`;
    },
    catalogue() {
      const others = counted.registry.getMetricsAsArray() as unknown as readonly CountedMetric[];
      return [
        ...entries,
        ...others.map(({ name, help, type, labelNames }) => ({
          name,
          help,
          kind: type,
          labels: labelNames,
        })),
      ].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}

/** Every metric of a node, without a node: for the reference page, and for the tests of rules and dashboard. */
export function metricsCatalogue(): readonly MetricEntry[] {
  const nothing = () => assert(false, 'a catalogue has no values');
  return nodeMetrics({
    report: nothing as () => never,
    statuses: nothing as () => never,
    counted: new Counted(),
    queues: nothing as () => never,
    tree: {
      get counters() {
        return nothing() as never;
      },
    },
    alarms: { list: nothing as () => never, evaluator: nothing as () => never },
    release: '',
  }).catalogue();
}

/** What prom-client's metrics are beside what its types say. */
interface CountedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  readonly labelNames: readonly string[];
}
