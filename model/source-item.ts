/**
 * What the canal engine hands to Select: whole transactions (or parts of one that is too large to hold), raw.
 */
import type { BinlogCoordinates, LastEvent } from './position.ts';
import type { ColumnBitmap, RowOp } from './rows.ts';
import type { TableShape } from './table-shape.ts';

/** One rows event, decompressed, checksum verified, its row images untouched. */
export interface SourceRows {
  readonly shape: TableShape;
  readonly op: RowOp;
  /** `ROW_FLAG` bits. */
  readonly flags: number;
  /** Columns present in the before image (update, delete), else null. */
  readonly before: ColumnBitmap | null;
  /** Columns present in the after image (insert, update), else null. */
  readonly after: ColumnBitmap | null;
  /** Number of rows in `data` (an update's two images are one row). */
  readonly rows: number;
  /** Rows of the transaction before these, of any table; only where a reader counts them. */
  readonly rawBefore?: number | undefined;
  /** Row images back to back, each a null bitmap over the present columns followed by the values. */
  readonly data: Buffer;
}

/** A changed `holt.checkpoint` row at the head of a transaction: Holt itself wrote what follows (the loop mark, protocol section 6). */
export interface LoadMark {
  readonly pipeline: string;
  readonly lane: number;
  readonly seq: bigint;
  readonly origin: string;
  /** Seq before the change, for the gap check. Null when the image lacks it. */
  readonly previousSeq: bigint | null;
}

/** A transaction's GTID, in the flavour of its server; null where the server has none. */
export type TransactionGtid =
  | { readonly flavour: 'mysql'; readonly uuid: string; readonly tag: string; readonly number: bigint }
  | {
      readonly flavour: 'mariadb';
      readonly domain: number;
      readonly server: number;
      readonly sequence: bigint;
    };

/**
 * What a statement in the log is: `ddl`, or `dml` (a statement-format change: never safe to skip), or `load-data`, or `incident`
 * (the source itself says that changes are missing).
 */
export type StatementNature = 'ddl' | 'dml' | 'load-data' | 'incident';

/**
 * Of the rows of an XA transaction, which take effect at a later XA COMMIT, if at all. `open`: a part that is not the last, so
 * that it is not known yet how it ends. `prepared`: they wait. `one-phase`: the last part of one that commits here after all.
 */
export interface XaBranch {
  /** Canonical: `x'<gtrid>',x'<bqual>',<format id>` in lower-case hexadecimal (`canal/assembler/statement.ts`). */
  readonly xid: string;
  readonly phase: 'open' | 'prepared' | 'one-phase';
}

export type XaOutcome = 'commit' | 'rollback';

/**
 * The session that ran a statement, as far as it decides what the statement does; what the event does not say is absent. Numbers of
 * collations are the source's.
 */
export interface StatementSession {
  /** Bits of the QUERY event's flags: 0x4000 auto_is_null, 0x4000000 no foreign key checks, 0x8000000 relaxed unique checks. */
  readonly flags?: number;
  readonly charset?: { readonly client: number; readonly connection: number; readonly server: number };
  readonly databaseCollation?: number;
  readonly timeZone?: string;
  /** When the statement began: what NOW() and DEFAULT CURRENT_TIMESTAMP gave. Seconds since 1970. */
  readonly timestamp?: number;
  /** Of that second, where the statement asked for parts of one. */
  readonly microseconds?: number;
  readonly explicitDefaultsForTimestamp?: boolean;
  readonly defaultCollationForUtf8mb4?: number;
}

export interface SourceStatement {
  /** Default schema of the session. */
  readonly schema: string;
  /** The statement's own bytes. */
  readonly sql: Buffer;
  readonly threadId: number;
  readonly nature: StatementNature;
  /** Of the session, where the event says it: decides how its quotes and backslashes are read. */
  readonly sqlMode: bigint | null;
  /** Collation id of the client's character set: what encoding `sql` is in. */
  readonly charset: number | null;
  readonly session?: StatementSession;
  /** The error with which it ended at the source though it did something there; absent for 0. */
  readonly errorCode?: number;
}

/** What a table's columns and keys are from some place of the log on, in the form of `canal/schema/definition.ts`; null: not known. */
export interface TableDefinition {
  readonly schema: string;
  readonly table: string;
  readonly definition: string | null;
}

export interface SourceTransactionBase {
  readonly gtid: TransactionGtid | null;
  /** Where the transaction's first event begins. */
  readonly start: BinlogCoordinates;
  /** Where the next transaction begins: a place to resume. For a part that is not the last, the place after its last event. */
  readonly end: BinlogCoordinates;
  readonly lastEvent: LastEvent;
  /** Commit at this source, µs since 1970: from the GTID event where it is logged, else the header's second × 10^6. */
  readonly commitUs: number;
  /** True when `commitUs` has µs precision. */
  readonly commitIsExact: boolean;
  /** Commit at the server where the transaction was first made, µs since 1970 by that one's clock; absent where it is this source. */
  readonly originalCommitUs?: number;
  /** Bytes held in memory by this item; what queues count. */
  readonly bytes: number;
  /** Of tables that became known with this item, or were changed by it: true behind it. */
  readonly definitions?: readonly TableDefinition[];
  /** The server was started anew between the transaction before and this one: numbers of its threads begin again. */
  readonly afterServerStart?: true;
}

export type SourceItem =
  /** A transaction, or one part of it. `part` 0 and `lastPart` true for nearly all. All parts of one transaction follow each other. */
  | (SourceTransactionBase & {
      readonly kind: 'rows';
      readonly part: number;
      readonly lastPart: boolean;
      readonly mark: LoadMark | null;
      /** Rows of the transaction up to the end of this part, of any table; only where a reader counts them. */
      readonly rawRows?: number;
      /** In the order of the log. Of Holt's own tables only `checkpoint`, `heartbeat` and `ddl`; of others those a reader wants. */
      readonly rows: readonly SourceRows[];
      /** Statements inside the transaction beside its rows: CREATE TABLE … SELECT, statement-format changes. Mostly empty. */
      readonly statements: readonly SourceStatement[];
      /** Absent for nearly all, and for one that commits in one phase without parts. */
      readonly xa?: XaBranch;
    })
  /** A statement that is not rows: DDL, or DML in statement form. Alone in its transaction. */
  | (SourceTransactionBase & SourceStatement & { readonly kind: 'statement' })
  /** What becomes of a prepared XA transaction: a transaction of its own in the log. */
  | (SourceTransactionBase & {
      readonly kind: 'xa-outcome';
      /** As in `XaBranch`. */
      readonly xid: string;
      readonly outcome: XaOutcome;
    })
  /** Parts already handed out will not be completed by this connection (reconnect in mid-transaction): whoever passed them on rewinds. */
  | { readonly kind: 'interrupted'; readonly bytes: number };
