/** The checkpoint as commands and displays see it, and deleting a pipeline's traces at its target. */
import type { DataSourceConfig } from '../../model/config.ts';
import { LANE } from '../../model/holt-tables.ts';
import { type CheckpointRow, readCheckpointRow, readLanes, rowKey } from './target/checkpoint-row.ts';
import { targetError } from './target/error-classes.ts';
import { type ConnectTarget, connectTarget } from './target/mysql2-connection.ts';
import { openRegistered } from './target/registered-session.ts';
import { bytesLiteral } from './target/sql-text.ts';
import { type TargetConnection, TargetServerError } from './target/target-connection.ts';
import { killWriters } from './target/writer-registry.ts';

export type { CheckpointRow } from './target/checkpoint-row.ts';

const ER_NO_SUCH_TABLE = 1146;
const ER_BAD_DB = 1049;

/** The stream's row, without a lock; null when there is none, or no holt schema yet. */
export async function readCheckpoint(
  connection: TargetConnection,
  pipeline: string,
): Promise<CheckpointRow | null> {
  try {
    return await readCheckpointRow(connection, pipeline, LANE.stream, false);
  } catch (error) {
    if (error instanceof TargetServerError && (error.errno === ER_NO_SUCH_TABLE || error.errno === ER_BAD_DB))
      return null;
    throw error;
  }
}

export interface DeleteCheckpointOptions {
  readonly pipeline: string;
  readonly node: string;
  readonly target: DataSourceConfig;
  readonly signal: AbortSignal;
  /** The ledger goes, too; otherwise it stays for looking at. */
  readonly withLedger: boolean;
  readonly connect?: ConnectTarget;
}

/**
 * For `pipeline delete`, after the pipeline was stopped: ends every session that still writes for it, then takes its rows
 * away in one transaction. A late Load finds no row, and changes nothing.
 * @throws HoltError with disposition `retry` when the target cannot be reached or stays locked.
 */
export async function deleteCheckpoint(options: DeleteCheckpointOptions): Promise<void> {
  const { pipeline, node, target, signal } = options;
  const registering = await openRegistered({
    connect: options.connect ?? connectTarget,
    target,
    pipeline,
    lane: LANE.stream,
    role: 'delete',
    node,
    signal,
    deadlineMs: 30_000,
    accepts: () => true,
  });
  if (registering.kind === 'refused') return;
  const { writer } = registering;
  try {
    const own = writer.registration;
    await killWriters({ connection: writer, pipeline, which: (other) => other.registration !== own, signal });
    await writer.execute('START TRANSACTION');
    for (const lane of await readLanes(writer, pipeline))
      await writer.execute(`DELETE FROM holt.checkpoint WHERE ${rowKey(pipeline, lane)}`);
    const of = `WHERE pipeline = ${bytesLiteral(pipeline)}`;
    for (const table of ['ddl', 'parked', 'held', 'table_shape', 'lane_plan'])
      await writer.execute(`DELETE FROM holt.${table} ${of}`);
    if (options.withLedger) {
      await writer.execute(`DELETE FROM holt.ledger_piece WHERE id IN (SELECT id FROM holt.ledger ${of})`);
      await writer.execute(`DELETE FROM holt.ledger ${of}`);
    }
    await writer.execute('COMMIT');
    await writer.close();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw targetError(error);
  } finally {
    writer.destroy();
  }
}
