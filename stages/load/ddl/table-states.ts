/**
 * What stands at the target under certain names: whether it is there, the storage engine's ids, and a digest of its definition. TRUNCATE, DROP with CREATE
 * and rebuilding change the ids and not the definition, renaming moves them, adding an index changes the definition and not the ids.
 */
import { createHash } from 'node:crypto';
import { quoteName, quoteTable } from '../../../lib/sql-name.ts';
import { bytesLiteral } from '../target/sql-text.ts';
import { type TargetConnection, TargetServerError } from '../target/target-connection.ts';
import type { DdlTable, TableState } from './ddl.ts';

const ER_BAD_DB = 1049;
const ER_NO_SUCH_TABLE = 1146;
/** A view on what is no more. */
const ER_VIEW_INVALID = 1356;
/** The engine's list of tables: MySQL 8 and later, and everybody else. */
const INNODB_LISTS = ['INNODB_TABLES', 'INNODB_SYS_TABLES'] as const;

export async function readTableStates(
  connection: TargetConnection,
  tables: readonly DdlTable[],
  database: string | null,
): Promise<readonly TableState[]> {
  const states: TableState[] = [];
  for (const table of tables) states.push(await tableState(connection, table));
  if (database !== null) states.push(await databaseState(connection, database));
  return states;
}

async function tableState(connection: TargetConnection, { schema, table }: DdlTable): Promise<TableState> {
  const definition = await showCreate(connection, `SHOW CREATE TABLE ${quoteTable(schema, table)}`);
  if (definition === null) return { schema, table, exists: false, ids: [], definition: '' };
  return { schema, table, exists: true, ids: await innodbIds(connection, schema, table), definition };
}

async function databaseState(connection: TargetConnection, schema: string): Promise<TableState> {
  const definition = await showCreate(connection, `SHOW CREATE DATABASE ${quoteName(schema)}`);
  return { schema, table: null, exists: definition !== null, ids: [], definition: definition ?? '' };
}

/** Null for what is not there. Throws where it may not be seen. */
async function showCreate(connection: TargetConnection, sql: string): Promise<string | null> {
  try {
    const [row] = await connection.rows(sql);
    const text = row?.[1]?.toString('latin1') ?? '';
    // The next number is data, and moves with every row.
    return createHash('sha256')
      .update(text.replace(/ AUTO_INCREMENT=\d+/, ''), 'latin1')
      .digest('hex');
  } catch (error) {
    if (error instanceof TargetServerError && (error.errno === ER_NO_SUCH_TABLE || error.errno === ER_BAD_DB))
      return null;
    if (error instanceof TargetServerError && error.errno === ER_VIEW_INVALID) return 'invalid';
    throw error;
  }
}

/** Empty where the engine is another one, or its list may not be seen. */
async function innodbIds(
  connection: TargetConnection,
  schema: string,
  table: string,
): Promise<readonly string[]> {
  const names = [...new Set([`${schema}/${table}`, `${fileName(schema)}/${fileName(table)}`])];
  const same = names.map((name) => `LOWER(NAME) = LOWER(${textOf(name)})`);
  const partition = names.map((name) => `LOWER(NAME) LIKE LOWER(${textOf(`${likeText(name)}#p#%`)})`);
  for (const list of INNODB_LISTS) {
    try {
      const rows = await connection.rows(
        `SELECT NAME, TABLE_ID FROM information_schema.${list} WHERE ${[...same, ...partition].join(' OR ')}`,
      );
      return rows
        .map(([name, id]) => `${name?.toString('utf8') ?? ''}:${id?.toString('latin1') ?? ''}`)
        .sort();
    } catch (error) {
      if (!(error instanceof TargetServerError)) throw error;
    }
  }
  return [];
}

function textOf(text: string): string {
  return `CONVERT(${bytesLiteral(text)} USING utf8)`;
}

function likeText(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}

/** As the server names a table's file: letters, digits and underscores, and everything else as `@` and four hex digits. */
function fileName(name: string): string {
  return name.replace(/[^0-9A-Za-z_]/g, (char) => `@${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `unknown` when a table could be exchanged for one with the same definition without a trace: no ids. */
export function compareTableStates(
  before: readonly TableState[],
  now: readonly TableState[],
): 'changed' | 'same' | 'unknown' {
  if (before.length === 0 || before.length !== now.length) return 'unknown';
  let known = true;
  for (const [index, one] of before.entries()) {
    const other = now[index];
    if (other === undefined || one.exists !== other.exists || one.definition !== other.definition)
      return 'changed';
    if (one.ids.join() !== other.ids.join()) return 'changed';
    known &&= !one.exists || one.ids.length > 0 || one.table === null;
  }
  return known ? 'same' : 'unknown';
}
