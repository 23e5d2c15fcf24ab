/** Rows of `holt.parked`: reading, locking, writing. Whoever calls says in which transaction. */
import { bytesLiteral } from '../target/sql-text.ts';
import { type TargetConnection, TargetServerError } from '../target/target-connection.ts';
import { heldSubject, type ParkedState, type ParkedTable, type ParkTable, type TableName } from './parked.ts';

const ER_DUP_ENTRY = 1062;

const COLUMNS =
  'table_schema, table_name, target_schema, target_table, root_schema, root_table, state, code, why, parked_by, parked_at';

/** All parked tables of a pipeline, in order of their names; takes no lock. */
export async function readParked(
  connection: { rows(sql: string): Promise<readonly (readonly (Buffer | null)[])[]> },
  pipeline: string,
): Promise<readonly ParkedTable[]> {
  const rows = await connection.rows(
    `SELECT ${COLUMNS} FROM holt.parked WHERE pipeline = ${bytesLiteral(pipeline)} ORDER BY table_schema, table_name`,
  );
  return rows.map(parseRow);
}

/** One table's row, locked until the transaction ends; null when it is not parked. */
export async function lockParked(
  connection: TargetConnection,
  pipeline: string,
  name: TableName,
): Promise<ParkedTable | null> {
  const [row] = await connection.rows(
    `SELECT ${COLUMNS} FROM holt.parked WHERE ${rowKey(pipeline, name)} FOR UPDATE`,
  );
  return row === undefined ? null : parseRow(row);
}

/**
 * Parks a table; one that is parked already stays as it is. In whatever transaction is open, or by itself: Load holds the
 * table's changes from the first batch on that it begins after this is committed.
 * @returns whether it was parked by this.
 */
export async function insertParked(
  connection: TargetConnection,
  pipeline: string,
  { name, target, root, code, why, by }: ParkTable,
): Promise<boolean> {
  const values = [
    pipeline,
    name.schema,
    name.table,
    target.schema,
    target.table,
    root.schema,
    root.table,
    'parked' satisfies ParkedState,
    code,
    cut(why, MAX_WHY_BYTES),
    cut(by, 256),
  ].map(bytesLiteral);
  try {
    await connection.execute(
      'INSERT INTO holt.parked (pipeline, table_schema, table_name, target_schema, target_table, root_schema, root_table, state, code, why, parked_by, parked_at, changed_at) ' +
        `VALUES (${values.join(', ')}, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`,
    );
    return true;
  } catch (error) {
    if (error instanceof TargetServerError && error.errno === ER_DUP_ENTRY) return false;
    throw error;
  }
}

/** Sets the state of a whole group; `because` replaces code and reason of its root. @returns whether there is such a group. */
export async function setGroupState(
  connection: TargetConnection,
  pipeline: string,
  root: TableName,
  state: ParkedState,
  because: { readonly code: string; readonly why: string } | null = null,
): Promise<boolean> {
  const { affectedRows } = await connection.execute(
    `UPDATE holt.parked SET state = ${bytesLiteral(state)}, changed_at = UTC_TIMESTAMP(6) WHERE ${groupIs(pipeline, root)}`,
  );
  if (because !== null)
    await connection.execute(
      `UPDATE holt.parked SET code = ${bytesLiteral(because.code)}, why = ${bytesLiteral(cut(because.why, MAX_WHY_BYTES))} ` +
        `WHERE ${rowKey(pipeline, root)}`,
    );
  return affectedRows > 0;
}

/** What an operator says the columns of a table's held rows were: adds to what was said before. Texts of `canal/schema/definition.ts`. */
export async function addDefinitions(
  connection: TargetConnection,
  pipeline: string,
  name: TableName,
  definitions: readonly string[],
): Promise<void> {
  const known = await readDefinitions(connection, pipeline, name);
  const all = [...new Set([...known, ...definitions])];
  await connection.execute(
    `UPDATE holt.parked SET definitions = ${bytesLiteral(JSON.stringify(all))} WHERE ${rowKey(pipeline, name)}`,
  );
}

export async function readDefinitions(
  connection: TargetConnection,
  pipeline: string,
  name: TableName,
): Promise<readonly string[]> {
  const [row] = await connection.rows(`SELECT definitions FROM holt.parked WHERE ${rowKey(pipeline, name)}`);
  const text = row?.[0]?.toString('utf8');
  const json: unknown = text === undefined ? [] : JSON.parse(text);
  return Array.isArray(json) ? json.filter((one) => typeof one === 'string') : [];
}

/** Joins a group to another one, with what it holds; both roots are locked. */
export async function joinGroups(
  connection: TargetConnection,
  pipeline: string,
  from: TableName,
  to: TableName,
): Promise<void> {
  await connection.execute(
    `UPDATE holt.parked SET root_schema = ${bytesLiteral(to.schema)}, root_table = ${bytesLiteral(to.table)}, ` +
      `state = ${bytesLiteral('parked')}, changed_at = UTC_TIMESTAMP(6) WHERE ${groupIs(pipeline, from)}`,
  );
  const [old, now] = [heldSubject(pipeline, from), heldSubject(pipeline, to)];
  await connection.execute(
    `UPDATE holt.held SET subject = ${bytesLiteral(now.subject)} ` +
      `WHERE pipeline = ${bytesLiteral(pipeline)} AND kind = ${bytesLiteral(old.kind)} AND subject = ${bytesLiteral(old.subject)}`,
  );
}

/** Its tables are applied again. The root is locked, and holds nothing. */
export async function deleteGroup(
  connection: TargetConnection,
  pipeline: string,
  root: TableName,
): Promise<void> {
  await connection.execute(`DELETE FROM holt.parked WHERE ${groupIs(pipeline, root)}`);
}

export interface HeldSums {
  /** Row changes of the source. */
  readonly changes: number;
  readonly bytes: number;
  /** Commit time (µs) of the oldest; null when nothing is held. */
  readonly oldestCommitUs: number | null;
}

/** What a group holds; takes no lock. */
export async function sumHeld(
  connection: TargetConnection,
  pipeline: string,
  root: TableName,
): Promise<HeldSums> {
  const { kind, subject } = heldSubject(pipeline, root);
  const [row] = await connection.rows(
    'SELECT SUM(changes), SUM(bytes), MIN(source_committed_us) FROM holt.held ' +
      `WHERE pipeline = ${bytesLiteral(pipeline)} AND kind = ${bytesLiteral(kind)} AND subject = ${bytesLiteral(subject)}`,
  );
  const number = (column: number): number | null => {
    const value = row?.[column] ?? null;
    return value === null ? null : Number(value.toString('latin1'));
  };
  return { changes: number(0) ?? 0, bytes: number(1) ?? 0, oldestCommitUs: number(2) };
}

const MAX_WHY_BYTES = 16_000;

function rowKey(pipeline: string, { schema, table }: TableName): string {
  return `pipeline = ${bytesLiteral(pipeline)} AND table_schema = ${bytesLiteral(schema)} AND table_name = ${bytesLiteral(table)}`;
}

function groupIs(pipeline: string, { schema, table }: TableName): string {
  return `pipeline = ${bytesLiteral(pipeline)} AND root_schema = ${bytesLiteral(schema)} AND root_table = ${bytesLiteral(table)}`;
}

function cut(text: string, bytes: number): string {
  return Buffer.byteLength(text) <= bytes ? text : `${Buffer.from(text).toString('utf8', 0, bytes - 4)}…`;
}

function parseRow(values: readonly (Buffer | null)[]): ParkedTable {
  const text = (column: number): string => values[column]?.toString('utf8') ?? '';
  return {
    name: { schema: text(0), table: text(1) },
    target: { schema: text(2), table: text(3) },
    root: { schema: text(4), table: text(5) },
    state: text(6) === 'draining' ? 'draining' : 'parked',
    code: text(7),
    why: text(8),
    by: text(9),
    parkedAt: text(10),
  };
}
