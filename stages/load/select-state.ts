/**
 * What Select has to remember beside the position: online schema changes under way at the source (`stages/select/online-schema-change.ts`).
 *
 * A row per pipeline that has any. Written in the transaction that moves the checkpoint to where it holds, behind the guard, and only when it
 * changes; a position that is set by hand takes it away.
 */
import { bytesLiteral } from './target/sql-text.ts';
import type { TargetConnection } from './target/target-connection.ts';

/** To be the state at the position of this transaction; null for none. */
export function selectStateStatement(pipeline: string, state: string | null): string {
  if (state === null) return `DELETE FROM holt.select_state WHERE pipeline = ${bytesLiteral(pipeline)}`;
  return (
    `INSERT INTO holt.select_state SET pipeline = ${bytesLiteral(pipeline)}, online_changes = ${bytesLiteral(state)}, ` +
    `changed_at = UTC_TIMESTAMP(6) ON DUPLICATE KEY UPDATE online_changes = VALUES(online_changes), changed_at = VALUES(changed_at)`
  );
}

/** Under a reign that nobody but the caller holds: as of the reign's position, until its first batch. */
export async function readSelectState(
  connection: TargetConnection,
  pipeline: string,
): Promise<string | null> {
  const [row] = await connection.rows(
    `SELECT online_changes FROM holt.select_state WHERE pipeline = ${bytesLiteral(pipeline)}`,
  );
  return row?.[0]?.toString('utf8') ?? null;
}
