/**
 * The decoded binlog events, one variant a kind. Each kind has its decoder in a file of its own, headed by its grammar.
 * Decoders are pure functions of bytes and of the format description in force.
 */
import type { ColumnBitmap } from '../../model/rows.ts';
import type { TransactionGtid } from '../../model/source-item.ts';
import type { QueryEvent, QueryParts } from './query.ts';
import type { RowsEvent } from './rows.ts';

/** The common header, 19 bytes. */
export interface EventHeader {
  /** Seconds since 1970; 0 in artificial events. */
  readonly timestamp: number;
  readonly typeCode: number;
  readonly serverId: number;
  /** Whole event with header and checksum, in bytes. */
  readonly eventLength: number;
  /** End of the event as the server wrote it: 32 bits, wraps in files above 4 GiB, 0 in artificial events. */
  readonly logPos: number;
  readonly flags: number;
  /** CRC32 trailer as found (and verified); null where the file has none. */
  readonly crc32: number | null;
}

/** Id of an XA transaction, as the client gave it. */
export interface XaId {
  readonly formatId: number;
  readonly gtrid: Buffer;
  readonly bqual: Buffer;
}

/** What a TABLE_MAP event says, before names and keys are completed. */
export interface TableMap {
  /** 48 bits. */
  readonly tableId: number;
  readonly schema: string;
  readonly table: string;
  readonly columnCount: number;
  /** Types with STRING resolved into 254, 247, 248, and metas as `ColumnShape.meta` wants them. */
  readonly types: readonly number[];
  readonly metas: readonly number[];
  readonly nullable: ColumnBitmap;
  /** Optional metadata; null where the server did not write it. */
  readonly unsigned: readonly boolean[] | null;
  /** Collation id per column (0 where it does not apply). */
  readonly collations: readonly number[] | null;
  readonly names: readonly string[] | null;
  readonly primaryKey: readonly number[] | null;
  readonly enumValues: readonly (readonly Buffer[] | null)[] | null;
  readonly setValues: readonly (readonly Buffer[] | null)[] | null;
  readonly geometryTypes: readonly (number | null)[] | null;
  readonly visible: readonly boolean[] | null;
  readonly vectorDimensions: readonly (number | null)[] | null;
  /** The event's own bytes after the common header: equal bytes mean an equal map. */
  readonly raw: Buffer;
}

export type BinlogEvent =
  | {
      readonly kind: 'format-description';
      readonly header: EventHeader;
      readonly binlogVersion: number;
      readonly serverVersion: string;
      readonly createdAt: number;
      readonly postHeaderLengths: Uint8Array;
      readonly checksum: 'none' | 'crc32';
    }
  | { readonly kind: 'rotate'; readonly header: EventHeader; readonly file: string; readonly offset: number }
  | { readonly kind: 'stop'; readonly header: EventHeader }
  /** GTID_LOG, ANONYMOUS_GTID_LOG, GTID_TAGGED_LOG. `gtid` is null for an anonymous one. */
  | {
      readonly kind: 'gtid';
      readonly header: EventHeader;
      readonly gtid: Extract<TransactionGtid, { flavour: 'mysql' }> | null;
      readonly lastCommitted: bigint;
      readonly sequenceNumber: bigint;
      readonly immediateCommitUs: number | null;
      readonly originalCommitUs: number | null;
      readonly transactionLength: number | null;
    }
  | {
      readonly kind: 'mariadb-gtid';
      readonly header: EventHeader;
      readonly gtid: Extract<TransactionGtid, { flavour: 'mariadb' }>;
      readonly standalone: boolean;
      readonly ddl: boolean;
      readonly preparedXa: boolean;
      readonly completedXa: boolean;
      /** Id of the XA transaction that is prepared or completed; null for all others. */
      readonly xa: XaId | null;
      readonly transactional: boolean;
      readonly alter: 'none' | 'start' | 'commit' | 'rollback';
      readonly alterStartSequence: bigint | null;
    }
  | {
      readonly kind: 'mariadb-gtid-list';
      readonly header: EventHeader;
      readonly gtids: readonly Extract<TransactionGtid, { flavour: 'mariadb' }>[];
    }
  /** Canonical text of the set. */
  | { readonly kind: 'previous-gtids'; readonly header: EventHeader; readonly set: string }
  | QueryEvent
  | { readonly kind: 'xid'; readonly header: EventHeader; readonly xid: bigint }
  | ({ readonly kind: 'xa-prepare'; readonly header: EventHeader; readonly onePhase: boolean } & XaId)
  | { readonly kind: 'table-map'; readonly header: EventHeader; readonly map: TableMap }
  | RowsEvent
  | { readonly kind: 'rows-query'; readonly header: EventHeader; readonly sql: Buffer }
  /** Statement-format context (INTVAR, RAND, USER_VAR) and LOAD DATA forms: named so that they are refused, not skipped. */
  | {
      readonly kind: 'statement-context';
      readonly header: EventHeader;
      readonly name: 'intvar' | 'rand' | 'user-var';
    }
  | {
      readonly kind: 'load-data';
      readonly header: EventHeader;
      readonly name: string;
      /** With the statement comes its session; the events before it have only bytes of the file. */
      readonly sql: Buffer | null;
      readonly session: QueryParts | null;
    }
  | {
      readonly kind: 'incident';
      readonly header: EventHeader;
      readonly incident: number;
      readonly message: string;
    }
  /** `at` is null where the event has no position of its own. */
  | {
      readonly kind: 'heartbeat';
      readonly header: EventHeader;
      readonly file: string;
      readonly offset: number;
    }
  /**
   * A compressed transaction. `events` unpacks and decodes while it is iterated, an event at a time (and anew with
   * every iteration), so that a payload of any plain size passes in bounded memory; iterating may throw what `decode` throws.
   * Inner events keep the log positions of the transaction before compression: the outer header's is the one to use.
   */
  | {
      readonly kind: 'transaction-payload';
      readonly header: EventHeader;
      readonly compression: 'zstd' | 'none';
      readonly events: Iterable<BinlogEvent>;
    }
  /** Known and of no concern, or unknown with the ignorable flag. */
  | { readonly kind: 'ignored'; readonly header: EventHeader; readonly name: string };
