/**
 * A statement that defines tables: what it is, what it touches, and its text at the target.
 *
 *     statement ─► readDdl ─► reading ─► mapDdl ─► text for the target | nothing to do | refused, with code and reason
 *
 * The text stays as it was written, byte for byte, except for the names that the pipeline's mapping changes, and what
 * concerns tables and columns that are not carried, which is cut out. Names are found twice, by the grammar here and by
 * a parser library; both have to agree wherever both can read the statement. What neither understands as a whole is
 * refused: nothing is guessed.
 */
import type { DdlKind, SqlServer } from '../../../model/ddl-kind.ts';
import type { ErrorCodeName } from '../../../model/error-codes.ts';
import type { StatementSession } from '../../../model/source-item.ts';
import type { TableName } from '../../select/ddl.ts';
import type { CommentEdge } from '../../select/sql-tokens.ts';

/** A name as it stands in the statement: bytes [start, end) of the original, quotes included. */
export interface NamePlace {
  readonly start: number;
  readonly end: number;
  /** Without quotes, decoded. */
  readonly text: string;
}

/** What a table is to the statement. */
export type TableUse =
  /** Exists before and after. */
  | 'changed'
  | 'created'
  | 'dropped'
  /** Its name goes over to the one that follows, a `renamed-to`. */
  | 'renamed'
  | 'renamed-to'
  /** Source of LIKE or SELECT, or read by a view. */
  | 'read'
  /** The same in a query that gives it no other name there: its columns may be called by its name. */
  | 'read-unnamed'
  /** Parent of a foreign key. */
  | 'referenced'
  /** Before the name of a column, as in `t.c`. */
  | 'qualifier';

export interface TablePlace {
  readonly schemaAt: NamePlace | null;
  readonly tableAt: NamePlace;
  /** The source's names. */
  readonly schema: string;
  readonly table: string;
  readonly use: TableUse;
  /**
   * Against what a name without schema is resolved: the schema of the session, or that of the table that has the
   * foreign key.
   */
  readonly within: 'session' | 'statement';
}

export type ColumnUse =
  /** Defined here: CREATE, ADD, and the new name in CHANGE and RENAME COLUMN. */
  | 'defined'
  /** MODIFY, ALTER COLUMN, the old name in CHANGE and RENAME COLUMN. */
  | 'altered'
  | 'dropped'
  /** A key part, a column of a foreign key or of a partition list. */
  | 'listed'
  /** In an expression, or what looks like a name there. */
  | 'expression'
  /** AFTER column. */
  | 'after';

export interface ColumnPlace {
  readonly at: NamePlace;
  readonly use: ColumnUse;
  /** Index in `tables`: whose column it is. */
  readonly of: number;
  /** False for a bare word in an expression, which may be a keyword instead. */
  readonly certain: boolean;
  /** The whole clause `AFTER column`. */
  readonly clause: Cut | null;
}

/** A part of a list that can be left out: a table of DROP, a pair of RENAME, a specification of ALTER, a column of CREATE. */
export interface ListItem {
  /** Number of the list within the statement: its items are separated by commas. */
  readonly list: number;
  readonly start: number;
  readonly end: number;
  /** The column (index in `columns`) that it is about, and about nothing else. */
  readonly about: number | null;
  /** The item that holds the list it is in: ADD COLUMN (…). */
  readonly within: number | null;
}

/** Bytes that never go to a target. */
export interface Cut {
  readonly start: number;
  readonly end: number;
}

export interface DdlReading {
  readonly readable: true;
  readonly kind: DdlKind;
  /** The statement's bytes and session, as they came. */
  readonly sql: Buffer;
  readonly charset: number | null;
  /** Default schema of the session; empty for none. */
  readonly sessionSchema: string;
  readonly tables: readonly TablePlace[];
  readonly columns: readonly ColumnPlace[];
  readonly items: readonly ListItem[];
  readonly cuts: readonly Cut[];
  /** Ends of comments that a server may take for a part of the statement. */
  readonly edges: readonly CommentEdge[];
  /** CREATE, ALTER and DROP DATABASE. */
  readonly database: NamePlace | null;
  /** Tables it changes, creates, drops or renames (old and new names), each once. */
  readonly changes: readonly TableName[];
  /** Tables it only reads, each once; null when it reads some that are not known. */
  readonly reads: readonly TableName[] | null;
  /** Who found the names: both agreed, or only the one could read it. */
  readonly readBy: 'both' | 'grammar' | 'library';
  /** True when IF EXISTS or IF NOT EXISTS makes it harmless to run twice. */
  readonly conditional: boolean;
  /** What only some servers have, by the words it is asked for; decided when the target is known. */
  readonly features: readonly Feature[];
  /** What CHARACTER SET utf8mb4 means where a COLLATE does not say it: decided by server and session, when the target is known. */
  readonly utf8mb4: { readonly stands: 'alone' | 'with-collation'; readonly session: StatementSession };
}

/** Something in the statement that not every server takes, or not every server takes alike. */
export interface Feature {
  readonly word: string;
  /** Whether a server takes it in the meaning of the source's. */
  readonly known: (server: SqlServer) => boolean;
  /** One line that says what is missing. */
  readonly why: string;
}

export type DdlRead =
  | DdlReading
  /** Holds no tables: a trigger, a routine, an account, FLUSH… `what` says it in two words. */
  | { readonly readable: true; readonly kind: 'none'; readonly what: string }
  | { readonly readable: false; readonly code: ErrorCodeName; readonly why: string };

export interface MappedTable {
  readonly source: TableName;
  readonly target: TableName;
  readonly use: TableUse;
}

export type MappedDdl =
  | {
      readonly kind: 'sql';
      readonly sql: Buffer;
      /** To be the default schema of the session at the target; null for none. */
      readonly defaultSchema: string | null;
      /** Carried tables that it changes, creates, drops, renames or reads, once a use. */
      readonly tables: readonly MappedTable[];
      /** The database at the target that it is about, for the database kinds. */
      readonly database: string | null;
    }
  /** Nothing of it concerns what is carried. */
  | { readonly kind: 'nothing'; readonly why: string }
  | { readonly kind: 'refused'; readonly code: ErrorCodeName; readonly why: string };
