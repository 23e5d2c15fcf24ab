/** What is counted as it happens, for /metrics: batches at stages, rows at targets, requests to the API, alarms on their channels. */
import { Counter, Histogram, Registry } from 'prom-client';
import type { TaskStage } from '../model/stage.ts';
import type { LoadStats } from '../stages/stage.ts';

const BATCH_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const ANSWER_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

export class Counted {
  readonly registry = new Registry();
  readonly #queue = this.#histogram(
    'holt_stage_queue_wait_seconds',
    'From when a batch stood at the stage to its work.',
    ['pipeline', 'stage'],
    BATCH_SECONDS,
  );
  readonly #work = this.#histogram(
    'holt_stage_batch_duration_seconds',
    'Work on a batch at the stage.',
    ['pipeline', 'stage'],
    BATCH_SECONDS,
  );
  readonly #errors = this.#counter(
    'holt_stage_errors_total',
    'Attempts at a stage of this node that failed.',
    ['pipeline', 'stage', 'code'],
  );
  readonly #rows = this.#counter(
    'holt_load_rows_total',
    'Net row changes that this node has committed at targets, after folding.',
    ['pipeline', 'op'],
  );
  readonly #statements = this.#counter('holt_load_statements_total', 'Statements that wrote them.', [
    'pipeline',
    'shape',
  ]);
  readonly #ledger = this.#counter(
    'holt_conflicts_total',
    'Changes that this node has written to the ledger: rows that differed, and dead letters that the target cannot hold.',
    ['pipeline', 'kind'],
  );
  readonly #answers = this.#histogram(
    'holt_http_request_duration_seconds',
    'Answers of the API of this node; event streams are not among them.',
    ['route', 'method', 'status'],
    ANSWER_SECONDS,
  );
  readonly #alarms = this.#counter(
    'holt_alarm_deliveries_total',
    'Alarms that this node has sent to a channel, or given up.',
    ['channel', 'result'],
  );

  queued(pipeline: string, stage: TaskStage, ms: number): void {
    this.#queue.observe({ pipeline, stage }, ms / 1000);
  }

  worked(pipeline: string, stage: TaskStage, ms: number): void {
    this.#work.observe({ pipeline, stage }, ms / 1000);
  }

  failed(pipeline: string, stage: TaskStage, code: string): void {
    this.#errors.inc({ pipeline, stage, code });
  }

  loaded(
    pipeline: string,
    { inserted, updated, deleted, statements, careful, ledgered, deadLetters = 0 }: LoadStats,
  ): void {
    for (const [op, count] of Object.entries({ insert: inserted, update: updated, delete: deleted }))
      if (count > 0) this.#rows.inc({ pipeline, op }, count);
    this.#statements.inc({ pipeline, shape: careful ? 'careful' : 'folded' }, statements);
    if (ledgered > deadLetters) this.#ledger.inc({ pipeline, kind: 'conflict' }, ledgered - deadLetters);
    if (deadLetters > 0) this.#ledger.inc({ pipeline, kind: 'dead-letter' }, deadLetters);
  }

  /** `route` as the table has it, with its parameters' names: what was asked for by others is without end. */
  answered(route: string, method: string, status: number, ms: number): void {
    this.#answers.observe({ route, method, status: String(status) }, ms / 1000);
  }

  alarm(channel: string, result: 'delivered' | 'failed'): void {
    this.#alarms.inc({ channel, result });
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] });
  }

  #histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: readonly number[],
  ): Histogram<L> {
    return new Histogram({
      name,
      help,
      labelNames: [...labelNames],
      buckets: [...buckets],
      registers: [this.registry],
    });
  }
}
