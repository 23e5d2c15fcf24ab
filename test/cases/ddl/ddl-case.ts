/**
 * The corpus of definitions: what each statement is, what it touches, and its text at the target under three mappings.
 *
 * Unit tests read and map each; integration tests run each on real servers, its mapped text at a second one, and
 * compare what came of it.
 */

import type { TableFilterConfig, TableRuleConfig } from '../../../model/config.ts';
import type { DdlKind } from '../../../model/ddl-kind.ts';
import type { ErrorCodeName } from '../../../model/error-codes.ts';

/** The text at the target; `nothing` to do; or a refusal. */
export type ExpectedMapping = { readonly sql: string } | 'nothing' | { readonly code: ErrorCodeName };

export interface DdlCase {
  readonly sql: string;
  /** Servers that take it as it stands on the tables of `TABLES`; `none` for what only a log holds, or no server takes. */
  readonly servers: 'both' | 'mysql' | 'mariadb' | 'none';
  /** `no-tables`, or the words of the reason why it cannot be read. */
  readonly reading:
    | {
        readonly kind: DdlKind;
        readonly changes: readonly string[];
        readonly reads: readonly string[] | null;
      }
    | { readonly nothing: string }
    | { readonly unreadable: string };
  /** No rules. */
  readonly plain: ExpectedMapping;
  /** `shop` becomes `store`, and two of its tables get other names and schemas. */
  readonly renamed: ExpectedMapping;
  /** In `shop.t` the column `a` becomes `alpha`, and `d` is not carried. */
  readonly columns: ExpectedMapping;
}

export const CARRIED: TableFilterConfig = { include: ['shop.*'], exclude: ['shop.x_*'] };
/** The same where a whole database has to be carried for the statement to be. */
export const WHOLE: TableFilterConfig = { include: ['shop.*'], exclude: [] };

function rule(
  match: string,
  to: { readonly schema?: string; readonly table?: string },
  columns: Partial<TableRuleConfig['columns']> = {},
): TableRuleConfig {
  return {
    match,
    to: { schema: to.schema ?? null, table: to.table ?? null },
    columns: { rename: {}, drop: [], order: null, constant: {}, ...columns },
    where: null,
    processor: null,
  };
}

export const RENAMED: readonly TableRuleConfig[] = [
  rule('shop.t', { schema: 'store', table: 'goods' }),
  rule('shop.child', { schema: 'arch`ive', table: 'kid' }),
  rule('shop.*', { schema: 'store' }),
];

export const COLUMNS: readonly TableRuleConfig[] = [
  rule('shop.t', {}, { rename: { a: 'alpha' }, drop: ['d'] }),
];

/** The tables that the statements find, at the source. `crm` is not carried. */
export const TABLES: readonly string[] = [
  'CREATE DATABASE shop CHARACTER SET utf8mb4',
  'CREATE DATABASE crm CHARACTER SET utf8mb4',
  'CREATE TABLE shop.t (id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(50), c INT, d INT, KEY k_a (a), KEY k_d (d))',
  'CREATE TABLE shop.u (id INT NOT NULL PRIMARY KEY, b VARCHAR(50))',
  'CREATE TABLE shop.px (id INT NOT NULL PRIMARY KEY, b VARCHAR(50))',
  `CREATE TABLE shop.p (id INT NOT NULL PRIMARY KEY, b VARCHAR(50)) PARTITION BY RANGE (id)
   (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN (30))`,
  'CREATE TABLE shop.h (id INT NOT NULL PRIMARY KEY, b VARCHAR(50)) PARTITION BY HASH (id) PARTITIONS 4',
  'CREATE TABLE shop.parent (id INT NOT NULL PRIMARY KEY)',
  'CREATE TABLE shop.child (id INT NOT NULL PRIMARY KEY, p INT, CONSTRAINT fk_c FOREIGN KEY (p) REFERENCES shop.parent (id))',
  'CREATE TABLE shop.x_private (id INT NOT NULL PRIMARY KEY)',
  'CREATE TABLE crm.other (id INT NOT NULL PRIMARY KEY, b VARCHAR(50))',
  'CREATE VIEW shop.v AS SELECT id FROM shop.t',
];
