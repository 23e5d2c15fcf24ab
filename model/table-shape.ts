/**
 * What is needed to read a table's raw binlog rows: the columns as the TABLE_MAP event has them, completed with
 * names and keys from the event's own optional metadata or from the schema at that position.
 */

/** How a column's bytes stand in a row image. */
export type ColumnCarrier =
  /** As MySQL wrote them into the binlog, by `type` and `meta`. */
  | 'binlog'
  /** u32 little-endian length, then the canonical text of the value (see `canal/value/value-text.ts`): what a user processor returned. */
  | 'text';

export interface ColumnShape {
  readonly name: string;
  /** MySQL type code with STRING resolved: 254 is CHAR/BINARY, 247 ENUM, 248 SET. */
  readonly type: number;
  /** Type metadata as in TABLE_MAP, little-endian; for STRING/ENUM/SET already resolved to the length in bytes; DECIMAL: precision << 8 | scale; BIT: full bytes << 8 | bits. */
  readonly meta: number;
  readonly nullable: boolean;
  readonly unsigned: boolean;
  /** Collation id of a character column; 63 for binary, 0 where it does not apply. */
  readonly collation: number;
  readonly carrier: ColumnCarrier;
  /** Declared type in lower case as INFORMATION_SCHEMA gives it (`tinyint(1)`, `uuid`, `json`…) where known; tells apart what type codes do not (MariaDB uuid, inet6, json). */
  readonly declared: string | null;
  /** Made and kept by the server alone (MariaDB: period of a versioned table, hash of a long key): in the log, never written. */
  readonly hidden?: true;
}

export interface TableShape {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly ColumnShape[];
  /** Column indexes of the primary key in key order, else of the first NOT NULL unique key, else empty. */
  readonly key: readonly number[];
  /** True when `key` is the primary key. */
  readonly hasPrimaryKey: boolean;
  /** Set where nobody can say what the columns are: names and key are stand-ins. Such rows travel raw, and are held at the target. */
  readonly fault?: ShapeFault;
  /** Was faulty when it passed Extract, and has been made good since: its rows are not extracted yet. */
  readonly repaired?: true;
}

/** Why a table's rows cannot be decoded, and what the log itself said of its columns. */
export interface ShapeFault {
  readonly code: string;
  readonly why: string;
  /** True when `unsigned` of the columns is from the log, and no stand-in. */
  readonly knowsUnsigned: boolean;
  /** A column's type is not known, so that rows cannot be told apart: each event counts as one. */
  readonly uncounted?: true;
}
