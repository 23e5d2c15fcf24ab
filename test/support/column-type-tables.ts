/**
 * The table of column types as tables of a database: many columns to a table, so that one pass over a few tables tries
 * them all.
 */
import {
  type CaseServer,
  type ColumnCase,
  type ColumnTypeCase,
  type Outcome,
  outcomeOf,
  type TableCase,
  valuesOn,
} from '../cases/column-types/column-type-case.ts';
import { columnCasesOn, tableCasesOn } from '../cases/column-types/column-type-cases.ts';
import type { Database } from './database.ts';

/** InnoDB wants half a page for what it cannot put elsewhere. */
const COLUMNS_A_TABLE = 12;

/** Lets through what the cases write: zero and invalid dates, labels that are none, what does not fit a character set. */
export const LENIENT_SESSION = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'";

export interface CaseTable {
  readonly name: string;
  readonly cases: readonly ColumnCase[];
  /** Column definitions at either end, without a key. */
  readonly source: string;
  readonly target: string;
  /** SQL expressions, a list per row in the order of `cases`. */
  readonly rows: readonly (readonly string[])[];
}

/** Tables for everything that Holt carries from one server to the other. */
export function caseTables(source: CaseServer, target: CaseServer): readonly CaseTable[] {
  const carried = columnCasesOn(source).filter((one) => outcomeOf(one, source, target)?.kind !== 'refused');
  const groups: ColumnCase[][] = [];
  const byFamily = new Map<string, ColumnCase[]>();
  for (const one of carried) {
    const key = one.large === true ? one.id : one.family;
    byFamily.set(key, [...(byFamily.get(key) ?? []), one]);
  }
  for (const family of byFamily.values())
    for (let at = 0; at < family.length; at += COLUMNS_A_TABLE)
      groups.push(family.slice(at, at + COLUMNS_A_TABLE));
  return groups.map((cases, index): CaseTable => {
    const values = cases.map((one) => [...valuesOn(one, source), 'NULL']);
    const count = Math.max(...values.map((list) => list.length));
    return {
      name: `t${index}_${cases[0]?.id ?? ''}`,
      cases,
      source: cases.map((one) => `\`${one.id}\` ${one.ddl}`).join(', '),
      target: cases.map((one) => `\`${one.id}\` ${ddlAt(one, source, target)}`).join(', '),
      rows: Array.from({ length: count }, (_, row) =>
        values.map((list) => list[row % list.length] ?? 'NULL'),
      ),
    };
  });
}

export function ddlAt(one: ColumnCase, source: CaseServer, target: CaseServer): string {
  return outcomeOf(one, source, target)?.ddl ?? one.ddl;
}

export function columnsAt(one: TableCase, source: CaseServer, target: CaseServer | null): string {
  const said = target === null ? undefined : outcomeOf(one, source, target)?.ddl;
  const columns = typeof one.columns === 'string' ? one.columns : one.columns[target ?? source];
  const text = said ?? columns;
  if (text === undefined) throw new Error(`${one.id} has no columns for ${target ?? source}`);
  return text;
}

/** Cases that Holt refuses between the two, with what it says. */
export function refusedCases(
  source: CaseServer,
  target: CaseServer,
): readonly { readonly one: ColumnTypeCase; readonly outcome: Extract<Outcome, { kind: 'refused' }> }[] {
  return [...columnCasesOn(source), ...tableCasesOn(source)].flatMap((one) => {
    const outcome = outcomeOf(one, source, target);
    return outcome?.kind === 'refused' ? [{ one, outcome }] : [];
  });
}

/** Table cases that Holt carries. */
export function carriedTables(source: CaseServer, target: CaseServer): readonly TableCase[] {
  return tableCasesOn(source).filter((one) => outcomeOf(one, source, target)?.kind !== 'refused');
}

/** Statements that fill a table, change every row and take some away, phase by phase. Keyed by `id` or, without a key, by `n`. */
export function tableWrites(table: CaseTable, keyed: boolean): readonly (readonly string[])[] {
  const name = keyed ? table.name : `${table.name}_nokey`;
  const key = keyed ? 'id' : 'n';
  const { rows, cases } = table;
  const large = cases.some((one) => one.large === true);
  const tuples = rows.map((row, i) => `(${i}, ${row.join(', ')})`);
  const inserts = large
    ? tuples.map((tuple) => `INSERT INTO ${name} VALUES ${tuple}`)
    : [`INSERT INTO ${name} VALUES ${tuples.join(', ')}`];
  const updates = rows.flatMap((_, i) => {
    if (i % 3 === 2) return [];
    const next = rows[(i + 1) % rows.length] ?? [];
    const set = cases.map((one, column) => `\`${one.id}\` = ${next[column] ?? 'NULL'}`);
    return [`UPDATE ${name} SET ${set.join(', ')} WHERE ${key} = ${i}`];
  });
  return [
    inserts,
    [...updates, `UPDATE ${name} SET ${key} = ${key} + 1000 WHERE ${key} = 1`],
    [`DELETE FROM ${name} WHERE ${key} % 4 = 3`],
  ];
}

/** Rows in a form that says every bit, ordered: by column name, what code that shares nothing with Holt makes of the value. */
export async function exactRows(
  db: Database,
  schema: string,
  table: string,
): Promise<readonly Readonly<Record<string, string | null>>[]> {
  const columns = await db.query(
    'SELECT COLUMN_NAME AS name, DATA_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION',
    [schema, table],
  );
  const list = columns.map(({ name, type }) => `${exactText(`\`${name}\``, String(type))} AS \`${name}\``);
  const connection = await db.connect({ schema });
  try {
    await connection.query(LENIENT_SESSION);
    const [rows] = await connection.query({
      sql: `SELECT ${list.join(', ')} FROM \`${table}\``,
      typeCast: (field, next) => {
        if (field.type !== 'DOUBLE') return next();
        const text = field.string();
        return text === null ? null : Buffer.from(text).toString('hex').toUpperCase();
      },
    });
    const texts = (rows as Readonly<Record<string, unknown>>[]).map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, textOf(value)])),
    );
    return texts.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  } finally {
    connection.destroy();
  }
}

function textOf(value: unknown): string | null {
  if (value === null) return null;
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value);
}

/** HEX of a number would round it, and the text of a FLOAT has not all its digits. */
function exactText(column: string, type: string): string {
  switch (type) {
    case 'float':
    case 'double':
      // All digits, also of DOUBLE(m,d). A sum would lose the sign of zero; as a string MySQL cuts it at 22 characters.
      return `${column} * 1e0`;
    case 'enum':
    case 'set':
      return `CONCAT(CAST(${column} AS UNSIGNED), ':', HEX(${column}))`;
    case 'json':
      return `HEX(CAST(${column} AS CHAR CHARACTER SET utf8mb4))`;
    default:
      if (/char|text|binary|blob|bit|geom|point|polygon|line|vector/.test(type)) return `HEX(${column})`;
      return `HEX(CAST(${column} AS CHAR))`;
  }
}

/** Rows of `exactRows` as lines, each value in the form that both servers must agree on. */
export function agreedRows(
  rows: Awaited<ReturnType<typeof exactRows>>,
  outcomes: ReadonlyMap<string, Outcome | null>,
): readonly string[] {
  return rows
    .map((row) =>
      Object.entries(row)
        .map(([name, text]) => `${name}=${agreedForm(outcomes.get(name) ?? null, text) ?? 'NULL'}`)
        .join('|'),
    )
    .toSorted();
}

/** The value of a column of `exactRows` in the form that both servers must agree on. */
function agreedForm(outcome: Outcome | null, text: string | null): string | null {
  if (text === null || outcome?.kind !== 'canonical') return text;
  const printed = Buffer.from(text, 'hex').toString('utf8');
  switch (outcome.form) {
    case 'json':
      return sameDocument(printed);
    case 'number':
      return printed === '-0' ? '0' : printed;
    case 'printed':
      return printed;
    default:
      return outcome.form satisfies never;
  }
}

/** Integers too long for a double stay as they are written. */
function sameDocument(text: string): string {
  const guarded = text.replace(
    /"(?:[^"\\]|\\.)*"|(?<![0-9.])(?:-?[0-9]{16,19}|1[0-9]{19})(?![0-9.eE])/g,
    (found) => (found.startsWith('"') ? found : `"#${found}"`),
  );
  return JSON.stringify(sorted(JSON.parse(guarded)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return members.map(([key, member]) => [key, sorted(member)]);
}
