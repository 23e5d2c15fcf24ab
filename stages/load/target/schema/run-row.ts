/**
 * The row at the source that says a pipeline has run (protocol section 2): with it, a checkpoint row that is missing at the target is a loss and not a first start.
 * Written before the first batch is read, after the rows at the target were made.
 */
import { bytesLiteral } from '../sql-text.ts';
import type { TargetConnection } from '../target-connection.ts';

export interface PipelineRun {
  readonly cluster: string;
  readonly pipeline: string;
}

export async function hasRun(connection: TargetConnection, run: PipelineRun): Promise<boolean> {
  const rows = await connection.rows(
    `SELECT 1 FROM holt.pipeline WHERE cluster = ${bytesLiteral(run.cluster)} AND pipeline = ${bytesLiteral(run.pipeline)}`,
  );
  return rows.length > 0;
}

/** Does nothing where the row is there already; writes nothing to the binlog then. */
export async function markHasRun(connection: TargetConnection, run: PipelineRun): Promise<void> {
  if (await hasRun(connection, run)) return;
  await connection.execute(
    `INSERT IGNORE INTO holt.pipeline (cluster, pipeline, first_run_at) VALUES (${bytesLiteral(run.cluster)}, ` +
      `${bytesLiteral(run.pipeline)}, UTC_TIMESTAMP(6))`,
  );
}

/** For `pipeline delete`: the next start is a first start again. */
export async function forgetRun(connection: TargetConnection, run: PipelineRun): Promise<void> {
  await connection.execute(
    `DELETE FROM holt.pipeline WHERE cluster = ${bytesLiteral(run.cluster)} AND pipeline = ${bytesLiteral(run.pipeline)}`,
  );
}
