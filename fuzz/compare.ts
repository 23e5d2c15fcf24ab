/**
 * The oracle: every row of a table with every column's bytes, at both sides. It shares nothing with Holt but the wish.
 *
 * Rows are compared as a set that counts: tables without a key have no order of their own.
 */
import type { Connection } from 'mysql2/promise';
import type { Database } from '../test/support/database.ts';
import { quoted } from './case.ts';

export interface Difference {
  readonly table: string;
  readonly missing: number;
  readonly surplus: number;
  /** The first of each, as HEX by column. */
  readonly example: string;
}

type Zeros = 'signed' | 'plain';

interface Column {
  readonly name: string;
  readonly sql: string;
}

/** Differences in the columns that the source has; tables by name. */
export async function differencesOf(
  source: Database,
  target: Database,
  schema: string,
  tables: readonly string[],
): Promise<Difference[]> {
  const [left, right] = [await reader(source, schema), await reader(target, schema)];
  // MariaDB stores no negative zero, however it is written.
  const zeros: Zeros = source.flavour === target.flavour ? 'signed' : 'plain';
  try {
    const differences: Difference[] = [];
    for (const table of tables) {
      const columns = await columnsOf(left, schema, table);
      const here = await rowsOf(left, table, columns, zeros);
      const there = await rowsOf(right, table, columns, zeros);
      const difference = compare(table, columns, here, there);
      if (difference !== null) differences.push(difference);
    }
    return differences;
  } finally {
    await left.end();
    await right.end();
  }
}

async function reader(db: Database, schema: string): Promise<Connection> {
  const connection = await db.connect({ schema });
  await connection.query("SET SESSION time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'");
  await connection.query('SET NAMES utf8mb4');
  return connection;
}

async function columnsOf(connection: Connection, schema: string, table: string): Promise<Column[]> {
  const [rows] = await connection.query(
    'SELECT COLUMN_NAME AS name, DATA_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION',
    [schema, table],
  );
  return (rows as { name: string; type: string }[]).map(({ name, type }) => ({
    name,
    sql: readable(quoted(name), type.toLowerCase()),
  }));
}

/** FLOAT and DOUBLE come as they are: no text that a server makes of them tells all of their bits. */
function readable(column: string, type: string): string {
  if (type === 'float' || type === 'double') return column;
  if (type === 'enum') return `CONCAT(${column} + 0,':',HEX(${column}))`;
  if (/char|text|binary|blob|bit|set|geo|point|polygon|line|vector/.test(type)) return `HEX(${column})`;
  if (type === 'json') return `CONCAT(JSON_TYPE(${column}),':',HEX(CAST(${column} AS CHAR)))`;
  return `CAST(${column} AS CHAR)`;
}

async function rowsOf(
  connection: Connection,
  table: string,
  columns: readonly Column[],
  zeros: Zeros,
): Promise<string[]> {
  // A prepared statement: its rows are binary.
  const [rows] = await connection.execute({
    sql: `SELECT ${columns.map(({ sql }) => sql).join(',')} FROM ${quoted(table)}`,
    rowsAsArray: true,
  });
  return (rows as unknown[][]).map((row) => row.map((value) => textOf(value, zeros)).join('|')).sort();
}

function textOf(value: unknown, zeros: Zeros): string {
  if (typeof value === 'number') return Object.is(value, -0) && zeros === 'signed' ? '-0' : String(value);
  return value === null ? 'NULL' : String(value);
}

function compare(
  table: string,
  columns: readonly Column[],
  here: readonly string[],
  there: readonly string[],
): Difference | null {
  const missing = without(here, there);
  const surplus = without(there, here);
  if (missing.length === 0 && surplus.length === 0) return null;
  return {
    table,
    missing: missing.length,
    surplus: surplus.length,
    example: `${columns.map(({ name }) => name).join('|')}: source ${short(missing[0])}, target ${short(surplus[0])}`,
  };
}

/** Both are sorted. */
function without(list: readonly string[], other: readonly string[]): string[] {
  const left: string[] = [];
  let at = 0;
  for (const line of list) {
    while (at < other.length && (other[at] as string) < line) at += 1;
    if (other[at] === line) at += 1;
    else left.push(line);
  }
  return left;
}

function short(line: string | undefined): string {
  if (line === undefined) return 'none';
  return line.length > 600 ? `${line.slice(0, 600)}… (${line.length})` : line;
}
