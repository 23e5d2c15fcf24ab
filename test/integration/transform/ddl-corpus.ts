/**
 * Runs a statement of the corpus on the tables it wants, and what it is at a target on the tables that the mapping makes of them: both
 * have to give the same schema, names aside. One server is enough, with one after the other in it.
 */
import type { Connection } from 'mysql2/promise';
import type { TableRuleConfig } from '../../../model/config.ts';
import type { SqlServer } from '../../../model/ddl-kind.ts';
import { TableFilter } from '../../../stages/select/table-filter.ts';
import type { DdlRead } from '../../../stages/transform/ddl/ddl.ts';
import { mapDdl } from '../../../stages/transform/ddl/map-ddl.ts';
import { readDdl } from '../../../stages/transform/ddl/read-ddl.ts';
import { TableMapping } from '../../../stages/transform/table-mapping.ts';
import { CARRIED, COLUMNS, type DdlCase, RENAMED, TABLES } from '../../cases/ddl/ddl-case.ts';
import type { Database } from '../../support/database.ts';

const SCHEMAS = ['shop', 'crm', 'store', 'arch`ive'];

/** Text at the target back to the source's names. */
type Normalised = (text: string) => string;

export interface Trial {
  /** What the source's server says to the statement; null for nothing. */
  readonly refusal: string | null;
  readonly differences: readonly string[];
  readonly compared: number;
}

export class CorpusRunner {
  readonly #db: Database;
  readonly #server: SqlServer;

  constructor(db: Database, server: SqlServer) {
    this.#db = db;
    this.#server = server;
  }

  async try(one: DdlCase): Promise<Trial> {
    const source = await this.#run(one, TABLES, one.sql, 'shop', (text) => text);
    if (typeof source === 'string') return { refusal: source, differences: [], compared: 0 };
    const differences: string[] = [];
    let compared = 0;
    for (const way of WAYS) {
      const mapped = this.#map(one, way.rules);
      if (mapped === null) continue;
      const target = await this.#run(one, TABLES.map(way.fixture), mapped.sql, mapped.schema, way.back);
      compared += 1;
      if (typeof target === 'string') differences.push(`${way.name}: ${mapped.sql}: ${target}`);
      else differences.push(...differencesOf(source, target, way.name, way.without));
    }
    return { refusal: null, differences, compared };
  }

  #map(
    one: DdlCase,
    rules: readonly TableRuleConfig[],
  ): { readonly sql: string; readonly schema: string | null } | null {
    const read: DdlRead = readDdl(
      { schema: 'shop', sql: Buffer.from(one.sql), threadId: 1, nature: 'ddl', sqlMode: 0n, charset: 45 },
      this.#server,
    );
    if (!read.readable || read.kind === 'none' || read.kind.endsWith('-database')) return null;
    const mapped = mapDdl(read, {
      tables: new TableFilter(CARRIED, { caseSensitive: true }),
      mapping: new TableMapping(rules),
      caseSensitive: true,
      source: this.#server,
      target: this.#server,
    });
    return mapped.kind === 'sql' ? { sql: mapped.sql.toString(), schema: mapped.defaultSchema } : null;
  }

  /** The schema afterwards, or the server's refusal. */
  async #run(
    one: DdlCase,
    tables: readonly string[],
    sql: string,
    schema: string | null,
    back: Normalised,
  ): Promise<ReadonlyMap<string, readonly string[]> | string> {
    const connection = await this.#db.connect();
    try {
      await connection.query('SET NAMES utf8mb4');
      await connection.query("SET SESSION sql_mode = ''");
      await connection.query('SET SESSION foreign_key_checks = 0');
      for (const name of SCHEMAS) await connection.query(`DROP DATABASE IF EXISTS ${quoted(name)}`);
      await connection.query('SET SESSION foreign_key_checks = 1');
      for (const name of SCHEMAS)
        await connection.query(`CREATE DATABASE ${quoted(name)} CHARACTER SET utf8mb4`);
      for (const table of tables.filter((_, index) => isWanted(TABLES[index] ?? '', one.sql)))
        await connection.query(table);
      if (schema !== null) await connection.query(`USE ${quoted(schema)}`);
      try {
        await connection.query(sql);
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
      return await snapshot(connection, back);
    } finally {
      await connection.end();
    }
  }
}

interface Way {
  readonly name: string;
  readonly rules: readonly TableRuleConfig[];
  readonly fixture: (sql: string) => string;
  readonly back: Normalised;
  /** True for what the target does not have. */
  readonly without: (line: string) => boolean;
}

const WAYS: readonly Way[] = [
  { name: 'plain', rules: [], fixture: (sql) => sql, back: (text) => text, without: () => false },
  {
    name: 'renamed',
    rules: RENAMED,
    fixture: (sql) =>
      sql
        .replaceAll('shop.child', '`arch``ive`.kid')
        .replaceAll('shop.t', 'store.goods')
        .replaceAll('shop.', 'store.'),
    back: (text) =>
      text
        .replaceAll('`arch``ive`.', '')
        .replaceAll('`store`.', '')
        .replaceAll('`shop`.', '')
        .replaceAll('arch`ive.', 'shop.')
        .replaceAll('store.', 'shop.')
        .replaceAll('`goods`', '`t`')
        .replaceAll('`kid`', '`child`')
        .replaceAll('shop.goods', 'shop.t')
        .replaceAll('shop.kid', 'shop.child')
        // Names that the server makes of the table's.
        .replaceAll('kid_ibfk', 'child_ibfk')
        .replaceAll('goods_ibfk', 't_ibfk')
        .replaceAll('goods_chk', 't_chk'),
    without: () => false,
  },
  {
    name: 'columns',
    rules: COLUMNS,
    fixture: (sql) =>
      sql.startsWith('CREATE TABLE shop.t ')
        ? 'CREATE TABLE shop.t (id INT NOT NULL PRIMARY KEY, alpha INT, b VARCHAR(50), c INT, KEY k_a (alpha))'
        : sql,
    back: (text) => text.replaceAll('`alpha`', '`a`').replaceAll(/\balpha\b/g, 'a'),
    without: (line) => /^shop\.t:.*\bd\b/.test(line) || /^shop\.t:index k_d\b/.test(line),
  },
];

/** Whether the statement can have to do with what the fixture's statement makes. */
function isWanted(fixture: string, sql: string): boolean {
  const name = /^CREATE (?:TABLE|VIEW) (?:shop|crm)\.(\w+)/.exec(fixture)?.[1];
  if (name === undefined) return false;
  const mentions = (word: string): boolean => new RegExp(`(?<![\\w$])${word}(?![\\w$])`, 'i').test(sql);
  switch (name) {
    case 'parent':
      return mentions('parent') || mentions('child');
    case 't':
      return mentions('t') || mentions('v');
    default:
      return mentions(name);
  }
}

/** Table → a line for each column, index and constraint. */
async function snapshot(
  connection: Connection,
  back: Normalised,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const found = new Map<string, string[]>();
  const within = `(${SCHEMAS.map((name) => `'${name}'`).join(', ')})`;
  const queries = [
    `SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('table ', TABLE_TYPE, ' ', IFNULL(ENGINE, ''), ' ', IFNULL(TABLE_COLLATION, ''), ' ',
       IFNULL(CREATE_OPTIONS, ''), ' ', IF(TABLE_TYPE = 'VIEW', '', TABLE_COMMENT)) AS line
     FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ${within}`,
    `SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('column ', COLUMN_NAME, ' ', COLUMN_TYPE, ' ', IS_NULLABLE, ' ', IFNULL(COLUMN_DEFAULT, 'none'), ' ',
       IFNULL(COLLATION_NAME, ''), ' ', EXTRA, ' ', IFNULL(GENERATION_EXPRESSION, ''), ' ', COLUMN_COMMENT) AS line
     FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN ${within} ORDER BY TABLE_NAME, ORDINAL_POSITION`,
    `SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('index ', INDEX_NAME, ' ', SEQ_IN_INDEX, ' ', IFNULL(COLUMN_NAME, 'expression'), ' ', NON_UNIQUE, ' ',
       IFNULL(SUB_PART, ''), ' ', INDEX_TYPE, ' ', INDEX_COMMENT) AS line
     FROM information_schema.STATISTICS WHERE TABLE_SCHEMA IN ${within} ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`,
    `SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('key ', CONSTRAINT_NAME, ' ', COLUMN_NAME, ' ', IFNULL(REFERENCED_TABLE_SCHEMA, ''), '.',
       IFNULL(REFERENCED_TABLE_NAME, ''), '.', IFNULL(REFERENCED_COLUMN_NAME, '')) AS line
     FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA IN ${within} ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`,
    `SELECT TABLE_SCHEMA, TABLE_NAME, CONCAT('partition ', PARTITION_NAME, ' ', IFNULL(SUBPARTITION_NAME, ''), ' ', IFNULL(PARTITION_METHOD, ''), ' ',
       IFNULL(PARTITION_EXPRESSION, ''), ' ', IFNULL(PARTITION_DESCRIPTION, '')) AS line
     FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA IN ${within} AND PARTITION_NAME IS NOT NULL
     ORDER BY TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION`,
  ];
  for (const query of queries) {
    const [rows] = await connection.query(query);
    for (const row of rows as { TABLE_SCHEMA: string; TABLE_NAME: string; line: Buffer | string }[]) {
      const table = back(`${row.TABLE_SCHEMA}.${row.TABLE_NAME}`);
      const lines = found.get(table) ?? [];
      lines.push(back(row.line.toString()));
      found.set(table, lines);
    }
  }
  return found;
}

/** Of carried tables only; others may be there or not. */
function differencesOf(
  source: ReadonlyMap<string, readonly string[]>,
  target: ReadonlyMap<string, readonly string[]>,
  name: string,
  without: (line: string) => boolean,
): string[] {
  const carried = (table: string): boolean => table.startsWith('shop.') && !table.startsWith('shop.x_');
  const differences: string[] = [];
  for (const table of new Set([...source.keys(), ...target.keys()])) {
    if (!carried(table)) continue;
    const [left, right] = [source, target].map((one) =>
      (one.get(table) ?? ['absent'])
        .filter((line) => !without(`${table}:${line}`))
        .map((line) => line.replaceAll('`shop`.', ''))
        .toSorted()
        .join('\n'),
    );
    if (left !== right) differences.push(`${name}: ${table}:\n${left}\n── is at the target ──\n${right}`);
  }
  return differences;
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
