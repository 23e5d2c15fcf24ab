/** The statements on `holt.ddl`. A row's first columns are the loop mark: an UPDATE assigns the state and nothing before it. */
import type { DdlPolicyKind } from '../../../model/ddl.ts';
import { bytesLiteral, hexLiteral, integerLiteral, nullable } from '../target/sql-text.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import type { DdlRow, DdlState, LogPlace, TableState } from './ddl.ts';

export interface NewDdlRow
  extends Omit<DdlRow, 'id' | 'state' | 'why' | 'openedAt' | 'settledAt' | 'settledBy'> {
  readonly pipeline: string;
  readonly tenure: string;
}

export interface DdlClosing {
  readonly state: Exclude<DdlState, 'open'>;
  readonly why: string | null;
  readonly by: string;
  /** The end of the server's log when it was known what became of the statement. */
  readonly log: LogPlace | null;
}

const COLUMNS =
  'id, state, origin, connection_id, registration, seq, epoch, kind, source_ref, default_schema, statement, mapped, ' +
  'own_gtid, server_identity, server_started, log_file, log_offset, tables_before, why, opened_at, settled_at, settled_by, ' +
  'session_time';

/** Rows kept of a pipeline once they are closed. */
const KEPT = 1000;

/** Returns the row's key. */
export async function openDdlRow(connection: TargetConnection, row: NewDdlRow): Promise<bigint> {
  const values = [
    bytesLiteral(row.pipeline),
    bytesLiteral('open'),
    bytesLiteral(row.origin),
    integerLiteral(row.connectionId),
    hexLiteral(row.registration),
    integerLiteral(row.seq),
    integerLiteral(row.epoch),
    hexLiteral(row.tenure),
    bytesLiteral(row.kind),
    bytesLiteral(row.sourceRef),
    bytesLiteral(row.defaultSchema),
    bytesLiteral(row.statement),
    bytesLiteral(row.mapped),
    nullable(row.ownGtid, bytesLiteral),
    bytesLiteral(row.serverIdentity),
    bytesLiteral(row.serverStarted),
    nullable(row.log?.file ?? null, bytesLiteral),
    nullable(row.log?.offset ?? null, integerLiteral),
    bytesLiteral(JSON.stringify(row.tablesBefore)),
    'UTC_TIMESTAMP(6)',
    nullable(row.sessionTime, bytesLiteral),
  ];
  await connection.execute(
    'INSERT INTO holt.ddl (pipeline, state, origin, connection_id, registration, seq, epoch, tenure, kind, source_ref, ' +
      'default_schema, statement, mapped, own_gtid, server_identity, server_started, log_file, log_offset, ' +
      `tables_before, opened_at, session_time) VALUES (${values.join(', ')})`,
  );
  const [inserted] = await connection.rows('SELECT LAST_INSERT_ID()');
  return BigInt(inserted?.[0]?.toString('latin1') ?? '0');
}

/** Closes a row that is open (or, for `done`, found to have run); the number of rows that were. */
export async function closeDdlRow(
  connection: TargetConnection,
  id: bigint,
  closing: DdlClosing,
): Promise<number> {
  const from = closing.state === 'done' ? ["'open'", "'ran'"] : ["'open'"];
  const { affectedRows } = await connection.execute(
    `UPDATE holt.ddl SET state = ${bytesLiteral(closing.state)}, why = ${nullable(closing.why, bytesLiteral)}, ` +
      `settled_at = UTC_TIMESTAMP(6), settled_by = ${bytesLiteral(closing.by)}, ` +
      `settled_file = ${nullable(closing.log?.file ?? null, bytesLiteral)}, ` +
      `settled_offset = ${nullable(closing.log?.offset ?? null, integerLiteral)} ` +
      `WHERE id = ${integerLiteral(id)} AND state IN (${from.join(', ')})`,
  );
  return affectedRows;
}

export async function readOpenDdl(
  connection: TargetConnection,
  pipeline: string,
): Promise<readonly DdlRow[]> {
  return await readRows(
    connection,
    `pipeline = ${bytesLiteral(pipeline)} AND state = ${bytesLiteral('open')} ORDER BY id`,
  );
}

/** The row that says that this very statement of the source ran, though the checkpoint has not moved; null for none. */
export async function readRanDdl(
  connection: TargetConnection,
  pipeline: string,
  statement: { readonly sourceRef: string; readonly sql: Buffer },
): Promise<DdlRow | null> {
  const rows = await readRows(
    connection,
    `pipeline = ${bytesLiteral(pipeline)} AND state = ${bytesLiteral('ran')} ORDER BY id DESC`,
  );
  return (
    rows.find((row) => row.sourceRef === statement.sourceRef && row.statement.equals(statement.sql)) ?? null
  );
}

/** Newest first. */
export async function readDdlRows(
  connection: TargetConnection,
  pipeline: string,
  limit: number,
  /** Only rows older than this one. */
  before: bigint | null = null,
): Promise<readonly DdlRow[]> {
  const older = before === null ? '' : ` AND id < ${integerLiteral(before)}`;
  return await readRows(
    connection,
    `pipeline = ${bytesLiteral(pipeline)}${older} ORDER BY id DESC LIMIT ${integerLiteral(limit)}`,
  );
}

export async function readDdlRow(
  connection: TargetConnection,
  pipeline: string,
  id: bigint,
): Promise<DdlRow | null> {
  const [row] = await readRows(
    connection,
    `pipeline = ${bytesLiteral(pipeline)} AND id = ${integerLiteral(id)}`,
  );
  return row ?? null;
}

/** Takes the oldest closed rows away. */
export async function pruneDdl(connection: TargetConnection, pipeline: string): Promise<void> {
  const [last] = await connection.rows(
    `SELECT id FROM holt.ddl WHERE pipeline = ${bytesLiteral(pipeline)} ORDER BY id DESC LIMIT 1 OFFSET ${KEPT}`,
  );
  const id = last?.[0];
  if (id === undefined || id === null) return;
  await connection.execute(
    `DELETE FROM holt.ddl WHERE pipeline = ${bytesLiteral(pipeline)} AND id <= ${integerLiteral(BigInt(id.toString('latin1')))} ` +
      `AND state IN ('done', 'void', 'failed')`,
  );
}

async function readRows(connection: TargetConnection, where: string): Promise<readonly DdlRow[]> {
  const rows = await connection.rows(`SELECT ${COLUMNS} FROM holt.ddl WHERE ${where}`);
  return rows.map((values) => {
    let at = 0;
    const bytes = (): Buffer | null => values[at++] ?? null;
    const text = (): string => bytes()?.toString('utf8') ?? '';
    const optional = (): string | null => bytes()?.toString('utf8') ?? null;
    const row = {
      id: BigInt(text()),
      state: text() as DdlState,
      origin: text(),
      connectionId: Number(text()),
      registration: bytes()?.toString('hex') ?? '',
      seq: BigInt(text()),
      epoch: Number(text()),
      kind: text() as DdlPolicyKind,
      sourceRef: text(),
      defaultSchema: text(),
      statement: bytes() ?? Buffer.alloc(0),
      mapped: bytes() ?? Buffer.alloc(0),
      ownGtid: optional(),
      serverIdentity: text(),
      serverStarted: text(),
    };
    const file = optional();
    const offset = optional();
    return {
      ...row,
      log: file === null || offset === null ? null : { file, offset: Number(offset) },
      tablesBefore: tableStates(text()),
      why: optional(),
      openedAt: text(),
      settledAt: optional(),
      settledBy: optional(),
      sessionTime: optional(),
    };
  });
}

/** Empty for what is none: then the tables say nothing. */
function tableStates(json: string): readonly TableState[] {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? (value as TableState[]) : [];
  } catch {
    return [];
  }
}
