/**
 * A case: tables, what is done to them at a source, and how the batches are cut. Plain data that becomes SQL without
 * looking at a server, so that a case can be shrunk, kept as a file and run again.
 *
 * Values are SQL expressions for a session in UTC with an sql_mode that takes everything. What a column, key or row needs
 * to make sense stands beside it: whoever takes a column out of a case takes out what needs it.
 */
import type { DatabaseFlavour } from '../test/support/database.ts';

export const PAIRS = {
  'mariadb-mariadb': ['mariadb', 'mariadb'],
  'mysql-mysql': ['mysql', 'mysql'],
  'mysql56-mariadb': ['mysql56', 'mariadb'],
  'mariadb-mysql': ['mariadb', 'mysql'],
} as const satisfies Readonly<Record<string, readonly [DatabaseFlavour, DatabaseFlavour]>>;
export type PairName = keyof typeof PAIRS;
export const PAIR_NAMES = Object.keys(PAIRS) as readonly PairName[];

export interface FuzzCase {
  readonly version: 1;
  readonly pair: PairName;
  /** Where it came from; a shrunk case keeps them. */
  readonly seed: number;
  readonly index: number;
  /** Statements that the source's session begins with. */
  readonly session: readonly string[];
  readonly tables: readonly TableSpec[];
  readonly steps: readonly Step[];
  readonly apply: ApplySpec;
}

export interface ApplySpec {
  /** Transactions in each batch, over and over. */
  readonly batches: readonly number[];
  readonly maxStatementBytes: number;
  /** Rows are compared with their before images, as two-way pipelines do. */
  readonly detect: boolean;
  /** Rows go as events of the binlog wherever they may; absent in older cases. */
  readonly rowEvents?: boolean;
  /** Rows go over so many lanes; absent: over one connection, in order. */
  readonly lanes?: number;
}

export interface TableSpec {
  readonly name: string;
  /** The key shape, for the counts. */
  readonly shape: string;
  readonly columns: readonly ColumnSpec[];
  readonly keys: readonly KeySpec[];
  readonly options: string;
  /** Columns that only the target's table has. */
  readonly targetOnly: readonly ColumnSpec[];
  /** True where the target's table has its columns in the reverse order. */
  readonly targetReversed: boolean;
}

export interface ColumnSpec {
  readonly name: string;
  /** Type and attributes. */
  readonly ddl: string;
  /** The type, for the counts. */
  readonly family: string;
  /** At the target, where it differs. */
  readonly targetDdl?: string;
  /** Other columns that its expression names. */
  readonly needs?: readonly string[];
}

export interface KeySpec {
  /** The clause of CREATE TABLE. */
  readonly sql: string;
  readonly columns: readonly string[];
  /** Of a foreign key: the table it points to. */
  readonly references?: string;
  /** Of a foreign key in a circle: added when both tables are there. */
  readonly late?: boolean;
}

export type Step = TransactionStep | DdlStep | SessionStep;

export interface TransactionStep {
  readonly kind: 'transaction';
  readonly statements: readonly Statement[];
  readonly end: 'COMMIT' | 'ROLLBACK';
}

/** A change of a table, at both sides, between the transactions before it and those behind. */
export interface DdlStep {
  readonly kind: 'ddl';
  readonly op: string;
  readonly table: string;
  readonly sql: string;
  readonly needs: readonly string[];
}

export interface SessionStep {
  readonly kind: 'session';
  readonly sql: string;
}

export type Statement = InsertStatement | ChangeStatement | PlainStatement;

interface Operation {
  /** The operation, for the counts. */
  readonly op: string;
  readonly table: string;
}

export interface InsertStatement extends Operation {
  readonly kind: 'insert';
  readonly verb: 'INSERT' | 'INSERT IGNORE' | 'REPLACE';
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** ON DUPLICATE KEY UPDATE */
  readonly onDuplicate: readonly Assignment[];
}

export interface Assignment {
  readonly column: string;
  readonly value: string;
}

export interface ChangeStatement extends Operation {
  readonly kind: 'update' | 'delete';
  /** Empty for DELETE. */
  readonly set: readonly Assignment[];
  readonly where: readonly { readonly column: string; readonly sql: string }[];
  readonly order: { readonly columns: readonly string[]; readonly descending: boolean } | null;
  readonly limit: number | null;
}

/** SAVEPOINT and the like. */
export interface PlainStatement {
  readonly kind: 'plain';
  readonly op: string;
  readonly sql: string;
}

export function quoted(name: string): string {
  return `\`${name}\``;
}

export function statementSql(statement: Statement): string {
  switch (statement.kind) {
    case 'plain':
      return statement.sql;
    case 'insert': {
      const { verb, table, columns, rows, onDuplicate } = statement;
      const values = rows.map((row) => `(${row.join(',')})`).join(',');
      const tail = onDuplicate.length === 0 ? '' : ` ON DUPLICATE KEY UPDATE ${assignments(onDuplicate)}`;
      return `${verb} INTO ${quoted(table)} (${columns.map(quoted).join(',')}) VALUES ${values}${tail}`;
    }
    case 'update':
    case 'delete': {
      const { kind, table, set, where, order, limit } = statement;
      const head =
        kind === 'update'
          ? `UPDATE ${quoted(table)} SET ${assignments(set)}`
          : `DELETE FROM ${quoted(table)}`;
      const condition = where.length === 0 ? '' : ` WHERE ${where.map(({ sql }) => sql).join(' AND ')}`;
      const direction = order?.descending ? ' DESC' : '';
      const by =
        order === null
          ? ''
          : ` ORDER BY ${order.columns.map((column) => `${quoted(column)}${direction}`).join(',')}`;
      return `${head}${condition}${by}${limit === null ? '' : ` LIMIT ${limit}`}`;
    }
    default:
      return statement satisfies never;
  }
}

function assignments(list: readonly Assignment[]): string {
  return list.map(({ column, value }) => `${quoted(column)}=${value}`).join(',');
}

/** CREATE TABLE for one side, and what is added once all tables are there. */
export function createTableSql(table: TableSpec, side: 'source' | 'target'): readonly string[] {
  const columns = table.columns.map(
    ({ name, ddl, targetDdl }) => `${quoted(name)} ${side === 'target' ? (targetDdl ?? ddl) : ddl}`,
  );
  if (side === 'target') {
    if (table.targetReversed) columns.reverse();
    columns.push(...table.targetOnly.map(({ name, ddl }) => `${quoted(name)} ${ddl}`));
  }
  const parts = [...columns, ...table.keys.filter((key) => key.late !== true).map(({ sql }) => sql)];
  return [`CREATE TABLE ${quoted(table.name)} (${parts.join(', ')}) ENGINE=InnoDB ${table.options}`];
}

export function lateKeySql(tables: readonly TableSpec[]): readonly string[] {
  return tables.flatMap((table) =>
    table.keys
      .filter((key) => key.late === true)
      .map(({ sql }) => `ALTER TABLE ${quoted(table.name)} ADD ${sql}`),
  );
}
