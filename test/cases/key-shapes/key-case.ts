/**
 * The vocabulary of the key-shape cases: tables and changes as data, from which come SQL for real servers, row images for
 * unit tests, and the section of the documentation. Pure: nothing here touches a server.
 */
import type { CaseServer } from '../column-types/column-type-case.ts';

/** The groups of the documentation, in its order. */
export const KEY_SHAPES = [
  'primary key',
  'composite key',
  'string key',
  'binary key',
  'number key',
  'time key',
  'prefix index',
  'functional index',
  'no key',
  'nullable unique key',
  'key changes',
  'unique values that move',
  'foreign key',
  'trigger at the target',
  'AUTO_INCREMENT',
  'other columns at the target',
] as const;
export type KeyShape = (typeof KEY_SHAPES)[number];

/** An SQL expression in place of a value. */
export interface Expression {
  readonly sql: string;
}
export type CellValue = number | string | null | Expression;
export type Cells = Readonly<Record<string, CellValue>>;

export interface ColumnDef {
  readonly name: string;
  /** As in CREATE TABLE, without NULL or NOT NULL. */
  readonly type: string;
  readonly nullable?: boolean;
  /** `AUTO_INCREMENT`, `DEFAULT …`. */
  readonly extra?: string;
}

export interface UniqueDef {
  readonly name: string;
  /** Columns, `name(3)` for a prefix, `(expression)` for an expression. */
  readonly parts: readonly string[];
}

export interface ForeignKeyDef {
  readonly columns: readonly string[];
  readonly table: string;
  readonly references: readonly string[];
  readonly onDelete?: 'CASCADE' | 'SET NULL' | 'RESTRICT';
  readonly onUpdate?: 'CASCADE' | 'SET NULL' | 'RESTRICT';
}

export interface TableDef {
  readonly name: string;
  readonly columns: readonly ColumnDef[];
  /** As `UniqueDef.parts`; empty for none. */
  readonly primary: readonly string[];
  readonly unique?: readonly UniqueDef[];
  readonly foreignKeys?: readonly ForeignKeyDef[];
}

/** One change, as a statement at the source. */
export type Op =
  | { readonly kind: 'insert'; readonly table: string; readonly rows: readonly Cells[] }
  | { readonly kind: 'update'; readonly table: string; readonly where: Cells; readonly set: Cells }
  | { readonly kind: 'delete'; readonly table: string; readonly where: Cells }
  /** A statement as it is; what only it can say. */
  | { readonly kind: 'sql'; readonly text: string };

export type Expected =
  /** The tables are equal, the ledger empty, and nothing went row by row. */
  | { readonly kind: 'equal' }
  /** The ledger names what was not as the images said, in this order; `equal` says whether the tables are the same after it. */
  | { readonly kind: 'ledger'; readonly entries: readonly string[]; readonly equal: boolean }
  /** The table is refused by this code before a row of it is written. */
  | { readonly kind: 'refused'; readonly code: string };

export interface Pair {
  readonly source: CaseServer;
  readonly target: CaseServer;
}

/** The pairs of servers on which every case runs. */
export const PAIRS: readonly Pair[] = [
  { source: 'mariadb', target: 'mariadb' },
  { source: 'mysql', target: 'mysql' },
  { source: 'mysql56', target: 'mariadb' },
  { source: 'mariadb', target: 'mysql' },
];

export const ROW_IMAGES = ['FULL', 'NOBLOB', 'MINIMAL'] as const;
export type RowImage = (typeof ROW_IMAGES)[number];

/** How the transactions of a case are cut into batches. */
export type Cut = 'one batch' | 'a batch a transaction' | { readonly after: number };

export interface KeyCase {
  /** Unique, for titles and names of schemas. */
  readonly name: string;
  readonly shape: KeyShape;
  /** A sentence for the documentation: what the case shows. */
  readonly title: string;
  /** Tables at both sides, parents before children. */
  readonly tables: readonly TableDef[];
  /** The target's tables where they differ from the source's. */
  readonly targetTables?: readonly TableDef[];
  /** More statements that make tables: at both sides, and at the target alone. */
  readonly setup?: readonly string[];
  readonly targetSetup?: readonly string[];
  /** Statements that begin the source's session, such as SET. */
  readonly session?: readonly string[];
  /** Rows at both sides before the first batch. */
  readonly start?: readonly Op[];
  readonly transactions: readonly (readonly Op[])[];
  /** Servers that can be the source; all by default. */
  readonly sources?: readonly CaseServer[];
  /** Servers that can be the target; all by default. */
  readonly targets?: readonly CaseServer[];
  /** Row images with which it runs; all by default. */
  readonly images?: readonly RowImage[];
  /** What a rule for the tables says; see the configuration. */
  readonly rule?: { readonly triggers?: 'allow' };
  /** Columns that must be equal, by table; all where absent. */
  readonly compare?: Readonly<Record<string, readonly string[]>>;
  /** True where rows may go one by one, which is slower and as right: the server took for equal what the bytes do not show. */
  readonly mayBeCareful?: boolean;
  readonly expected: Expected | ((pair: Pair) => Expected);
}

export const EQUAL: Expected = { kind: 'equal' };

export const int = (name: string, extra?: string): ColumnDef => ({
  name,
  type: 'INT',
  ...(extra === undefined ? {} : { extra }),
});
export const nullableInt = (name: string): ColumnDef => ({ name, type: 'INT', nullable: true });
export const column = (name: string, type: string, extra?: string): ColumnDef => ({
  name,
  type,
  ...(extra === undefined ? {} : { extra }),
});
export const nullable = (name: string, type: string): ColumnDef => ({ name, type, nullable: true });

export const insert = (table: string, ...rows: readonly Cells[]): Op => ({ kind: 'insert', table, rows });
export const update = (table: string, where: Cells, set: Cells): Op => ({
  kind: 'update',
  table,
  where,
  set,
});
export const remove = (table: string, where: Cells): Op => ({ kind: 'delete', table, where });
export const sql = (text: string): Op => ({ kind: 'sql', text });
export const expression = (text: string): Expression => ({ sql: text });

export function expectedOn(one: KeyCase, pair: Pair): Expected {
  return typeof one.expected === 'function' ? one.expected(pair) : one.expected;
}

export function runsOn(one: KeyCase, pair: Pair): boolean {
  return (
    (one.sources ?? [pair.source]).includes(pair.source) &&
    (one.targets ?? [pair.target]).includes(pair.target)
  );
}
