/**
 * `holt.table_shape` at the target: what the columns of the source's tables are at the checkpoint. Written only in transactions that move the
 * checkpoint behind the place where they became so; read when reading begins there.
 */
import { surveyPayload } from '../../model/payload.ts';
import type { TableDefinition } from '../../model/source-item.ts';
import { bytesLiteral, integerLiteral } from './target/sql-text.ts';
import type { TargetConnection } from './target/target-connection.ts';

/** A definition of so many bytes is not kept: the table is asked about when it is needed. */
const MAX_BYTES = 512 * 1024;

/** In the transaction that is open, behind the guard. */
export async function recordDefinitions(
  connection: TargetConnection,
  pipeline: string,
  seq: bigint,
  definitions: readonly TableDefinition[],
): Promise<void> {
  for (const { schema, table, definition } of definitions) {
    if (definition === null || Buffer.byteLength(definition) > MAX_BYTES) {
      await connection.execute(
        `DELETE FROM holt.table_shape WHERE pipeline = ${bytesLiteral(pipeline)} AND table_schema = ${bytesLiteral(schema)} AND table_name = ${bytesLiteral(table)}`,
      );
      continue;
    }
    const values = [bytesLiteral(pipeline), bytesLiteral(schema), bytesLiteral(table)];
    const rest = [integerLiteral(seq), bytesLiteral(definition), 'UTC_TIMESTAMP(6)'];
    await connection.execute(
      `REPLACE INTO holt.table_shape (pipeline, table_schema, table_name, seq, definition, recorded_at) VALUES (${[...values, ...rest].join(', ')})`,
    );
  }
}

/** The same for what a batch brings. */
export async function recordDefinitionsOf(
  connection: TargetConnection,
  pipeline: string,
  seq: bigint,
  payload: Buffer,
): Promise<void> {
  if (payload.length > 0)
    await recordDefinitions(connection, pipeline, seq, surveyPayload(payload).definitions);
}

export async function readDefinitionsAt(
  connection: TargetConnection,
  pipeline: string,
): Promise<readonly TableDefinition[]> {
  const rows = await connection.rows(
    `SELECT table_schema, table_name, definition FROM holt.table_shape WHERE pipeline = ${bytesLiteral(pipeline)}`,
  );
  return rows.map((row) => ({
    schema: row[0]?.toString('utf8') ?? '',
    table: row[1]?.toString('utf8') ?? '',
    definition: row[2]?.toString('utf8') ?? null,
  }));
}

/** The checkpoint is set to another place: what was true at the old one says nothing there. */
export async function forgetDefinitions(connection: TargetConnection, pipeline: string): Promise<void> {
  await connection.execute(`DELETE FROM holt.table_shape WHERE pipeline = ${bytesLiteral(pipeline)}`);
}
