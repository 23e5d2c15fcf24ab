import { collationOfDeclared } from './complete-shape.ts';
import type { FactsSource, NamedFacts } from './facts-cache.ts';
import type { ColumnFacts, TableFacts, UniqueKeyFacts } from './table-facts.ts';

/** Rows as text, in the order of the columns asked for. */
export type SchemaQuery = (sql: string) => Promise<readonly (readonly (string | null)[])[]>;

/**
 * Reads what INFORMATION_SCHEMA says of a table over an ordinary connection. The session's sql_mode must not contain
 * NO_BACKSLASH_ESCAPES or ANSI_QUOTES: names come from the log and are quoted as text.
 */
/** More tables are not looked at ahead. */
const MAX_TABLES = 10_000;
/** Above this a whole schema is read rather than the tables by name. */
const MAX_NAMES = 200;

export class SchemaReader implements FactsSource {
  readonly #query: SchemaQuery;
  #collations: Promise<ReadonlyMap<string, number>> | null = null;

  constructor(options: { readonly query: SchemaQuery }) {
    this.#query = options.query;
  }

  /** Null when the table is not there, or the account may not see it. */
  async read(schema: string, table: string): Promise<TableFacts | null> {
    const where = `TABLE_SCHEMA = ${quoteText(schema)} AND TABLE_NAME = ${quoteText(table)}`;
    const found = await this.#readWhere(where);
    // INFORMATION_SCHEMA compares names by its own collation: where names differ in case only, it gives several tables.
    const exact = found.find((one) => one.schema === schema && one.table === table);
    return (exact ?? (found.length === 1 ? found[0] : undefined))?.facts ?? null;
  }

  /** Of the tables that `wants` takes, at most `MAX_TABLES`: a schema at a time. */
  async readAll(wants: (schema: string, table: string) => boolean): Promise<readonly NamedFacts[]> {
    const tables = await this.#query('SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES');
    const bySchema = new Map<string, string[]>();
    let count = 0;
    for (const [schema, table] of tables) {
      if (!schema || !table || count >= MAX_TABLES || !wants(schema, table)) continue;
      bySchema.set(schema, [...(bySchema.get(schema) ?? []), table]);
      count += 1;
    }
    const found: NamedFacts[] = [];
    for (const [schema, names] of bySchema) {
      const only = names.length <= MAX_NAMES ? ` AND TABLE_NAME IN (${names.map(quoteText).join(', ')})` : '';
      for (const one of await this.#readWhere(`TABLE_SCHEMA = ${quoteText(schema)}${only}`))
        if (one.schema === schema && names.includes(one.table)) found.push(one);
    }
    return found;
  }

  async #readWhere(where: string): Promise<readonly NamedFacts[]> {
    const collations = await this.#collationIds();
    const columns = groupByTable(
      await this.#query(
        `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, CHARACTER_OCTET_LENGTH, COLLATION_NAME
           FROM information_schema.COLUMNS WHERE ${where} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION`,
      ),
    );
    if (columns.size === 0) return [];
    const keys = groupByTable(
      await this.#query(
        `SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE, INDEX_TYPE
           FROM information_schema.STATISTICS WHERE ${where} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
      ),
    );
    const types = groupByTable(
      await this.#query(
        `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, TABLE_COLLATION, UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.TABLES WHERE ${where}`,
      ),
    );
    return [...columns].map(([key, rows]) => {
      const [, , type, collation, changedAt] = types.get(key)?.[0] ?? [];
      const own = collation ? collations.get(collation) : undefined;
      return {
        schema: rows[0]?.[0] ?? '',
        table: rows[0]?.[1] ?? '',
        facts: {
          columns: rows.map((row) => columnFacts(row, collations)),
          ...keyFacts(keys.get(key) ?? []),
          type: type ?? '',
          ...(own === undefined ? {} : { collation: own }),
          changedAt: changedAt ? Math.floor(Number(changedAt)) : null,
        },
      };
    });
  }

  /** Read once; asked for again if that failed. */
  async #collationIds(): Promise<ReadonlyMap<string, number>> {
    this.#collations ??= this.#readCollations();
    try {
      return await this.#collations;
    } catch (error) {
      this.#collations = null;
      throw error;
    }
  }

  async #readCollations(): Promise<ReadonlyMap<string, number>> {
    // MariaDB 10.10 and later list some collations without their character set, and by full name only in the other view.
    const rows = await this.#query(
      'SELECT COLLATION_NAME, ID FROM information_schema.COLLATIONS WHERE ID IS NOT NULL',
    );
    const ids = new Map<string, number>();
    for (const [name, id] of rows) if (name && id) ids.set(name, Number(id));
    const full = await this.#query(
      `SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema'
          AND TABLE_NAME = 'COLLATION_CHARACTER_SET_APPLICABILITY' AND COLUMN_NAME = 'FULL_COLLATION_NAME'`,
    );
    if (full[0]?.[0] === '1')
      for (const [name, id] of await this.#query(
        'SELECT FULL_COLLATION_NAME, ID FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY',
      ))
        if (name && id) ids.set(name, Number(id));
    return ids;
  }
}

function groupByTable<Row extends readonly (string | null)[]>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = `${row[0]}\0${row[1]}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

function columnFacts(row: readonly (string | null)[], collations: ReadonlyMap<string, number>): ColumnFacts {
  const [, , name, type, nullable, octets, collation] = row;
  const declared = (type ?? '').replace(/^[^'"]*/, (head) => head.toLowerCase());
  return {
    name: name ?? '',
    declared,
    nullable: nullable === 'YES',
    octetLength: octets === null || octets === undefined ? null : BigInt(octets),
    collation: collationOfDeclared(declared, collation ? collations.get(collation) : undefined),
  };
}

function keyFacts(
  rows: readonly (readonly (string | null)[])[],
): Pick<TableFacts, 'primaryKey' | 'uniqueKeys'> {
  const keys = new Map<string, { columns: string[]; partial: boolean; isHash: boolean }>();
  for (const [, , index, column, subPart, nullable, type] of rows) {
    const key = keys.get(index ?? '') ?? { columns: [], partial: false, isHash: type === 'HASH' };
    keys.set(index ?? '', key);
    if (column === null || column === undefined) key.partial = true;
    else key.columns.push(column);
    if (index !== 'PRIMARY' && (subPart !== null || nullable === 'YES')) key.partial = true;
  }
  const uniqueKeys: UniqueKeyFacts[] = [];
  for (const [name, key] of keys) if (name !== 'PRIMARY') uniqueKeys.push({ name, ...key });
  return { primaryKey: keys.get('PRIMARY')?.columns ?? [], uniqueKeys };
}

/** A text literal, for sessions in which a backslash escapes. */
export function quoteText(text: string): string {
  return `'${text.replace(/['\\]/g, (found) => `\\${found}`).replaceAll('\0', '\\0')}'`;
}
