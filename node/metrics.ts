/** Prometheus figures, made of the node's own report when scraped: nothing is counted twice. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { CoordinationTree, SessionState } from '../scheduler/tree/tree.ts';
import type { NodeReport } from './status/node-report.ts';
import { readLagMs } from './status/pipeline-status.ts';

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
  readonly tree: CoordinationTree;
  readonly release: string;
}

export function nodeMetrics({ report, tree, release }: MetricsOptions): { text(): Promise<string> } {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });

  const build = gauge('holt_build_info', 'Release of this node.', ['release']);
  const session = gauge(
    'holt_zk_session_state',
    'State of the coordination session; 1 for the present one.',
    ['state'],
  );
  const lost = gauge('holt_zk_session_expired_total', 'Sessions lost since the node started.');
  const requests = gauge('holt_zk_requests_total', 'Requests to the coordination service.', ['op']);
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
  const lag = gauge('holt_pipeline_lag_seconds', 'Lag as the mainstem knows it.', ['pipeline', 'kind']);
  const skipped = gauge('holt_select_skipped_total', 'Transactions not carried.', ['pipeline', 'why']);
  const chunks = gauge(
    'holt_select_chunks_total',
    'Batches cut out of larger transactions, each a transaction of its own at the target.',
    ['pipeline'],
  );
  const rewinds = gauge('holt_pipeline_rewinds_total', 'Rewinds since this node took the mainstem.', [
    'pipeline',
  ]);
  const ledgered = gauge('holt_ledger_entries_total', 'Changes written to the ledger by this node.', [
    'pipeline',
  ]);

  const collect = () => {
    const now = report();
    registry.resetMetrics();
    build.set({ release }, 1);
    for (const state of SESSION_STATES) session.set({ state }, state === now.session.state ? 1 : 0);
    lost.set(tree.counters.sessionsLost);
    for (const [op, counters] of Object.entries(tree.counters.ops)) requests.set({ op }, counters.sent);
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
      const { select } = one;
      if (select === null) continue;
      rows.set({ pipeline, stage: 'select' }, select.rows.total);
      inFlight.set({ pipeline }, select.inFlight);
      connected.set({ pipeline }, select.sourceConnected ? 1 : 0);
      rewinds.set({ pipeline }, select.rewinds);
      chunks.set({ pipeline }, select.chunks);
      for (const [why, count] of Object.entries(select.skipped)) skipped.set({ pipeline, why }, count);
      if (select.problem !== null) problem.set({ pipeline, stage: 'select', code: select.problem.code }, 1);
      const read = readLagMs(select, now.nowMs);
      if (read !== null) lag.set({ pipeline, kind: 'read' }, read / 1000);
      const whole =
        select.oldestUnappliedMs === null ? read : Math.max(0, now.nowMs - select.oldestUnappliedMs);
      if (whole !== null) lag.set({ pipeline, kind: 'end_to_end' }, whole / 1000);
    }
  };

  return {
    async text() {
      collect();
      return registry.metrics();
    },
  };
}
