/**
 * The target's tables, as its INFORMATION_SCHEMA gives them, kept until something shows that they changed.
 *
 * Foreign keys are read for all schemas at once: rows of two tables can affect each other through a third that is not
 * replicated, so only the whole graph says which tables belong together.
 */
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { HoltError } from '../../../lib/errors.ts';
import { quoteTable, quoteText } from '../../../lib/sql-name.ts';
import {
  cascadesAboveEngine,
  type TargetColumn,
  type TargetTable,
  type TargetTraits,
  type UniqueKey,
} from './target-table.ts';
import { seesTriggers } from './trigger-sight.ts';
import { type CascadingKey, cascadePaths } from './update-cascades.ts';

type TextRow = readonly (Buffer | null)[];

/** A query on the target outside of any transaction of Load; the connection is the caller's affair. */
export type SchemaQuery = (sql: string) => Promise<readonly TextRow[]>;

export interface TargetSchemaOptions {
  readonly query: SchemaQuery;
  /** Age at which a table is read again even if nothing hints at a change. Default 60 000. */
  readonly maxAgeMs?: number;
  /** The same for the graph of foreign keys, which costs a look at every table of the server. Default 600 000. */
  readonly foreignKeysMaxAgeMs?: number;
  /** Read definitions too: rows may then go as events (`row-events.ts`). */
  readonly definitions?: boolean;
  readonly clock?: Clock;
}

interface Cached<T> {
  readonly value: Promise<T>;
  readonly readMs: number;
}

/** One foreign key: the table that has it, the one it points to. Names as `schema\0table`. */
export interface ForeignKeyEdge {
  readonly child: string;
  readonly parent: string;
  /** Column of the parent. */
  readonly column: string;
}

interface ForeignKeyGraph {
  readonly groups: ReadonlyMap<string, number>;
  /** Columns that are pointed to, by table. */
  readonly referenced: ReadonlyMap<string, ReadonlySet<string>>;
  readonly selfReferencing: ReadonlySet<string>;
}

/** The graph with what it was made of; `at`: before it was read, by the server's clock in seconds. */
interface KnownGraph extends Cached<ForeignKeyGraph> {
  readonly at: number | null;
  edges: string | null;
}

const TRAITS_MAX_AGE_MS = 10_000;

export class TargetSchema {
  readonly #query: SchemaQuery;
  readonly #maxAgeMs: number;
  readonly #foreignKeysMaxAgeMs: number;
  readonly #definitions: boolean;
  readonly #clock: Clock;
  readonly #tables = new Map<string, Cached<TargetTable>>();
  #traits: Cached<TargetTraits> | null = null;
  #foreignKeys: KnownGraph | null = null;
  #cascades: Cached<readonly CascadingKey[]> | null = null;

  constructor(options: TargetSchemaOptions) {
    this.#query = options.query;
    this.#maxAgeMs = options.maxAgeMs ?? 60_000;
    this.#foreignKeysMaxAgeMs = options.foreignKeysMaxAgeMs ?? 600_000;
    this.#definitions = options.definitions ?? false;
    this.#clock = options.clock ?? systemClock;
  }

  /** Read anew now and then: a server that was restarted may take less at a time. */
  traits(): Promise<TargetTraits> {
    const now = this.#clock.monotonicMs();
    if (this.#traits !== null && now - this.#traits.readMs < Math.min(this.#maxAgeMs, TRAITS_MAX_AGE_MS))
      return this.#traits.value;
    const value = this.#readTraits();
    const cached = { value, readMs: now };
    this.#traits = cached;
    value.catch(() => {
      if (this.#traits === cached) this.#traits = null;
    });
    return value;
  }

  /** Throws HOLT_TARGET_TABLE_MISSING, HOLT_TARGET_GRANT where triggers would be hidden; whatever else is wrong with a table is for those who plan its statements to say. */
  table(schema: string, name: string): Promise<TargetTable> {
    const key = `${schema}\0${name}`;
    const known = this.#tables.get(key);
    const now = this.#clock.monotonicMs();
    if (known !== undefined && now - known.readMs < this.#maxAgeMs) return known.value;
    const value = this.#readTable(schema, name);
    const cached = { value, readMs: now };
    this.#tables.set(key, cached);
    // A failed reading is not kept: the cause may pass.
    value.catch(() => {
      if (this.#tables.get(key) === cached) this.#tables.delete(key);
    });
    return value;
  }

  /** The table is read anew when it is asked for again. */
  forget(schema: string, name: string): void {
    this.#tables.delete(`${schema}\0${name}`);
  }

  /** Forgets everything: an error or a person says that the target changed, or that it is another server. */
  invalidate(): void {
    this.#tables.clear();
    this.#foreignKeys = null;
    this.#cascades = null;
    this.#traits = null;
  }

  async #readTraits(): Promise<TargetTraits> {
    const [row] = await this.#query('SELECT VERSION(), @@GLOBAL.max_allowed_packet, @@GLOBAL.server_id');
    const version = textOf(row?.[0]);
    const [, major, minor, patch] = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
    return {
      flavour: /mariadb/i.test(version) ? 'mariadb' : 'mysql',
      versionNumber: Number(major ?? 0) * 10_000 + Number(minor ?? 0) * 100 + Number(patch ?? 0),
      maxAllowedPacket: Number(textOf(row?.[1])),
      serverId: Number(textOf(row?.[2])),
    };
  }

  async #readTable(schema: string, name: string): Promise<TargetTable> {
    const here = `TABLE_SCHEMA = ${quoteText(schema)} AND TABLE_NAME = ${quoteText(name)}`;
    const tables = await this.#query(
      // MySQL otherwise gives an estimate of yesterday; to other servers the hint is a comment.
      `SELECT /*+ SET_VAR(information_schema_stats_expiry=0) */ TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, UNIX_TIMESTAMP(CREATE_TIME), UNIX_TIMESTAMP() FROM information_schema.TABLES WHERE ${here}`,
    );
    const table = pickTable(tables, schema, name);
    if (table === undefined)
      throw new HoltError('HOLT_TARGET_TABLE_MISSING', `the target has no table ${schema}.${name}`, {
        disposition: 'retry',
        remedy: `Create ${schema}.${name} at the target, or exclude it; Holt tries again by itself.`,
        facts: { table: `${schema}.${name}` },
      });
    const realSchema = textOf(table[0]);
    const realName = textOf(table[1]);
    const before = await this.#definition(realSchema, realName);
    const mine = (row: TextRow) => textOf(row[0]) === realSchema && textOf(row[1]) === realName;
    const columns = await this.#query(
      `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, CHARACTER_SET_NAME, COLLATION_NAME, NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_OCTET_LENGTH FROM information_schema.COLUMNS WHERE ${here} ORDER BY ORDINAL_POSITION`,
    );
    const indexes = await this.#query(
      `SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE FROM information_schema.STATISTICS WHERE ${here} AND NON_UNIQUE = 0 ORDER BY INDEX_NAME, SEQ_IN_INDEX`,
    );
    const triggers = await this.#query(
      `SELECT EVENT_OBJECT_SCHEMA, EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ${quoteText(schema)} AND EVENT_OBJECT_TABLE = ${quoteText(name)}`,
    );
    if (triggers.length === 0) await this.#refuseHiddenTriggers(realSchema, realName);
    const traits = await this.traits();
    const graph = await this.#graph(secondsOf(table[5]), secondsOf(table[6]));
    const node = `${realSchema}\0${realName}`.toLowerCase();
    // What was read in between belongs to one definition only if that is the same before and after.
    const text = before !== null && before === (await this.#definition(realSchema, realName)) ? before : null;
    const isReferenced = graph.referenced.has(node);
    const cascades = isReferenced && cascadesAboveEngine(traits) ? await this.#cascading() : [];
    return {
      schema: realSchema,
      name: realName,
      engine: textOf(table[2]) === 'BASE TABLE' ? textOf(table[3]) : textOf(table[2]),
      rowEstimate: Number(textOf(table[4])),
      columns: columns.filter(mine).map((row) => columnOf(row, traits)),
      uniqueKeys: uniqueKeysOf(indexes.filter(mine)),
      triggers: triggers.filter(mine).map((row) => textOf(row[2])),
      foreignKeyGroup: graph.groups.get(node) ?? null,
      referenced: isReferenced,
      referencedColumns: [...(graph.referenced.get(node) ?? [])],
      updateCascades: cascadePaths(cascades, { schema: realSchema, name: realName }),
      selfReferencing: graph.selfReferencing.has(node),
      ...(text === null ? {} : { definition: { text, flavour: traits.flavour } }),
    };
  }

  async #definition(schema: string, name: string): Promise<string | null> {
    if (!this.#definitions) return null;
    const [row] = await this.#query(definitionQuery(schema, name));
    return row === undefined ? null : definitionText(row);
  }

  async #refuseHiddenTriggers(schema: string, name: string): Promise<void> {
    if ((await this.traits()).flavour !== 'mysql') return;
    const grants = await this.#query('SHOW GRANTS');
    if (
      seesTriggers(
        grants.map((row) => textOf(row[0])),
        schema,
        name,
      )
    )
      return;
    throw new HoltError(
      'HOLT_TARGET_GRANT',
      `the account lacks TRIGGER on ${schema}.${name} at the target: triggers there, which would act a second time, cannot be seen`,
      {
        disposition: 'retry',
        remedy: `GRANT TRIGGER ON \`${schema}\`.* TO the account; Holt tries again by itself.`,
        facts: { table: `${schema}.${name}`, privilege: 'TRIGGER' },
      },
    );
  }

  #cascading(): Promise<readonly CascadingKey[]> {
    const now = this.#clock.monotonicMs();
    if (this.#cascades !== null && now - this.#cascades.readMs < this.#foreignKeysMaxAgeMs)
      return this.#cascades.value;
    const value = this.#readCascading();
    const cached = { value, readMs: now };
    this.#cascades = cached;
    value.catch(() => {
      if (this.#cascades === cached) this.#cascades = null;
    });
    return value;
  }

  async #readCascading(): Promise<readonly CascadingKey[]> {
    const rows = await this.#query(
      `SELECT k.CONSTRAINT_NAME, k.TABLE_SCHEMA, k.TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS r JOIN information_schema.KEY_COLUMN_USAGE k ON k.CONSTRAINT_SCHEMA = r.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = r.CONSTRAINT_NAME AND k.TABLE_NAME = r.TABLE_NAME WHERE r.UPDATE_RULE = 'CASCADE' AND k.REFERENCED_TABLE_NAME IS NOT NULL ORDER BY k.TABLE_SCHEMA, k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION`,
    );
    const byKey = new Map<string, TextRow[]>();
    for (const row of rows) {
      const key = row.slice(0, 3).map(textOf).join('\0');
      byKey.set(key, [...(byKey.get(key) ?? []), row]);
    }
    const schemas = [...new Set(rows.map((row) => quoteText(textOf(row[1]))))];
    const changing =
      schemas.length === 0
        ? []
        : await this.#query(
            `SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA IN (${schemas.join(', ')}) AND EXTRA LIKE '%on update%'`,
          );
    return [...byKey.values()].map((parts): CascadingKey => {
      const [, schema, name, , parentSchema, parentName] = (parts[0] ?? []).map(textOf);
      return {
        child: { schema: schema ?? '', name: name ?? '' },
        columns: parts.map((row) => textOf(row[3])),
        parent: { schema: parentSchema ?? '', name: parentName ?? '' },
        parentColumns: parts.map((row) => textOf(row[6])),
        autoUpdateColumns: changing
          .filter((row) => textOf(row[0]) === schema && textOf(row[1]) === name)
          .map((row) => textOf(row[2])),
      };
    });
  }

  /**
   * Read anew for a table that was made or altered since (`changedAt`; `at` is now, by the server's clock): somebody may have made tables with
   * foreign keys by hand, and rows of theirs must not be folded as if they had none.
   */
  #graph(changedAt: number | null, at: number | null): Promise<ForeignKeyGraph> {
    const now = this.#clock.monotonicMs();
    const known = this.#foreignKeys;
    // Both count whole seconds.
    const isOlder = changedAt !== null && (known?.at ?? null) !== null && changedAt >= (known?.at ?? 0) - 1;
    if (known !== null && now - known.readMs < this.#foreignKeysMaxAgeMs && !isOlder) return known.value;
    const value = this.#query(
      'SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL',
    ).then((rows) => {
      const edges = rows.map((row) => ({
        child: `${textOf(row[0])}\0${textOf(row[1])}`,
        parent: `${textOf(row[2])}\0${textOf(row[3])}`,
        column: textOf(row[4]),
      }));
      cached.edges = edges
        .map((edge) => JSON.stringify(edge))
        .sort()
        .join();
      if (known === null || known.edges === null) return foreignKeyGraph(edges);
      if (known.edges === cached.edges) return known.value;
      // Groups have other numbers now, and tables other neighbours.
      this.#tables.clear();
      this.#cascades = null;
      return foreignKeyGraph(edges);
    });
    const cached: KnownGraph = { value, readMs: now, at, edges: null };
    this.#foreignKeys = cached;
    value.catch(() => {
      if (this.#foreignKeys === cached) this.#foreignKeys = null;
    });
    return value;
  }
}

/** Whole seconds since 1970; null where the server does not say. */
function secondsOf(value: Buffer | null | undefined): number | null {
  return value === null || value === undefined ? null : Math.floor(Number(textOf(value)));
}

export function definitionQuery(schema: string, name: string): string {
  return `SHOW CREATE TABLE ${quoteTable(schema, name)}`;
}

/** The answer's text, without what changes with every row. */
export function definitionText(row: TextRow): string {
  return textOf(row[1]).replace(/ AUTO_INCREMENT=\d+/, '');
}

/**
 * Which tables belong together. Names are compared without case: taking two tables for one only makes Load keep more order.
 */
export function foreignKeyGraph(edges: readonly ForeignKeyEdge[]): ForeignKeyGraph {
  const leader = new Map<string, string>();
  const find = (node: string): string => {
    let root = node;
    for (let up = leader.get(root); up !== undefined && up !== root; up = leader.get(root)) root = up;
    leader.set(node, root);
    return root;
  };
  const referenced = new Map<string, Set<string>>();
  const selfReferencing = new Set<string>();
  for (const edge of edges) {
    const child = edge.child.toLowerCase();
    const parent = edge.parent.toLowerCase();
    leader.set(find(child), find(parent));
    referenced.set(parent, (referenced.get(parent) ?? new Set()).add(edge.column.toLowerCase()));
    if (child === parent) selfReferencing.add(child);
  }
  const numbers = new Map<string, number>();
  const groups = new Map<string, number>();
  for (const node of leader.keys()) {
    const root = find(node);
    const number = numbers.get(root) ?? numbers.size;
    numbers.set(root, number);
    groups.set(node, number);
  }
  return { groups, referenced, selfReferencing };
}

/** INFORMATION_SCHEMA compares names by its own collation: the exact name wins, else the only one that is the same without case. */
function pickTable(rows: readonly TextRow[], schema: string, name: string): TextRow | undefined {
  return (
    rows.find((row) => textOf(row[0]) === schema && textOf(row[1]) === name) ??
    (rows.length === 1 ? rows[0] : undefined)
  );
}

/** gb18030 came with MySQL 5.7.4; MariaDB has not got it. */
function unknownCharsets(traits: TargetTraits): readonly string[] {
  return traits.flavour === 'mysql' && traits.versionNumber >= 50_704 ? [] : ['gb18030'];
}

function columnOf(row: TextRow, traits: TargetTraits): TargetColumn {
  const unknown = unknownCharsets(traits);
  const extra = textOf(row[7]).toLowerCase();
  const nullable = textOf(row[5]) === 'YES';
  const scale = row[10] ?? row[11] ?? null;
  const dataType = textOf(row[3]).toLowerCase();
  const columnType = textOf(row[4]);
  return {
    name: textOf(row[2]),
    dataType,
    columnType: dataType === 'enum' || dataType === 'set' ? columnType : columnType.toLowerCase(),
    nullable,
    hasDefault:
      nullable || (row[6] !== null && row[6] !== undefined) || /auto_increment|default_generated/.test(extra),
    // MySQL: "virtual generated", "stored generated"; MariaDB the same, older ones "virtual", "persistent".
    generated: /(?:^|\s)(?:virtual|stored|persistent)(?:\s|$)/.test(extra),
    autoIncrement: extra.includes('auto_increment'),
    autoUpdate: extra.includes('on update'),
    charset: optionalTextOf(row[8]),
    collation: optionalTextOf(row[9]),
    scale: scale === null ? null : Number(textOf(scale)),
    octetLength: row[12] === null || row[12] === undefined ? null : BigInt(textOf(row[12])),
    ...(unknown.length > 0 ? { unknownCharsets: unknown } : {}),
    // Measured on 10.11, however the zero is written.
    ...(traits.flavour === 'mariadb'
      ? { losesSignOfZero: true, hasJsonEquals: traits.versionNumber >= 100_700 }
      : {}),
  };
}

function uniqueKeysOf(rows: readonly TextRow[]): readonly UniqueKey[] {
  const keys = new Map<string, { columns: (string | null)[]; prefix: boolean; nullable: boolean }>();
  for (const row of rows) {
    const name = textOf(row[2]);
    const key = keys.get(name) ?? { columns: [], prefix: false, nullable: false };
    keys.set(name, key);
    key.columns.push(optionalTextOf(row[3]));
    key.prefix ||= (row[4] ?? null) !== null;
    key.nullable ||= textOf(row[5]) === 'YES';
  }
  return [...keys]
    .map(([name, key]) => ({ name, primary: name === 'PRIMARY', ...key }))
    .sort((a, b) => Number(b.primary) - Number(a.primary) || (a.name < b.name ? -1 : 1));
}

function textOf(value: Buffer | null | undefined): string {
  return value === null || value === undefined ? '' : value.toString('utf8');
}

function optionalTextOf(value: Buffer | null | undefined): string | null {
  return value === null || value === undefined ? null : value.toString('utf8');
}
