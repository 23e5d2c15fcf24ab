/**
 * The contract of the canal engine: it plays a replica of one source server and hands out whole transactions.
 *
 * One engine per source and node, one dump connection however many pipelines read. Readers share a ring bounded in
 * bytes with put, get and ack cursors; a reader that falls out of the ring, or starts elsewhere, gets a dump
 * connection of its own until it is level.
 */
import type { Service } from '../lib/service.ts';
import type { StartConfig } from '../model/config.ts';
import type { BinlogCoordinates, Position, PositionText } from '../model/position.ts';
import type { SourceItem, TableDefinition } from '../model/source-item.ts';

export interface ReaderOptions {
  /** Name of the consumer (the pipeline); for logs and metrics. */
  readonly name: string;
  /** Exactly where the first item begins. */
  readonly start: Position;
  /** Identity of the server on which `start.at` was read, so that the last event before it can be checked; null or absent where it is not known. */
  readonly readFrom?: string | null;
  /** Which tables this reader wants rows of; Holt's own schema always passes. Called once per table and shape, then cached. */
  readonly wants: (schema: string, table: string) => boolean;
  /** Items say how many rows of the log stand before theirs, also of tables nobody wants. Default: they do not. */
  readonly countsRows?: boolean;
  /** What is known of tables at `start`. */
  readonly definitions?: readonly TableDefinition[];
}

export interface CanalReader {
  /** The next item in log order; waits for one. Rejects with a HoltError whose disposition says what to do. */
  next(signal: AbortSignal): Promise<SourceItem>;
  /** The next item if it is here; null when it must be waited for. Throws what `next` rejects with. Costs no promise. */
  take(): SourceItem | null;
  /** True when `next` would return without waiting. */
  readonly hasNext: boolean;
  /** All items up to and including the last one handed out may be forgotten. */
  ack(): void;
  /** Where this reader would go on after the last item handed out. */
  readonly position: Position;
  /**
   * How far the log has come, where all that came has been handed out: behind the last transaction, and behind what is none. Null where
   * something is still to be handed out.
   */
  readonly passed?: BinlogCoordinates | null;
  /** Tables whose definition at `start` is known for sure, as far as they are wanted; may take a while, and be none. */
  definitionsAtStart?(): Promise<readonly TableDefinition[]>;
  close(): Promise<void>;
}

/** What is known about the source at start. */
export interface SourceIdentity {
  readonly flavour: 'mysql' | 'mariadb';
  /** As the server gives it, e.g. `10.11.19-MariaDB-log`. */
  readonly version: string;
  /** server_uuid on MySQL; on MariaDB server_uid where it exists, else a digest of server id, host and data directory. No colon in it. */
  readonly identity: string;
  readonly serverId: number;
  /** True where positions are GTID sets. */
  readonly gtids: boolean;
}

export interface CanalEngine extends Service {
  readonly source: SourceIdentity;
  /** Whether schema and table names that differ in case only are different tables at this source. */
  readonly namesAreCaseSensitive: boolean;
  openReader(options: ReaderOptions): Promise<CanalReader>;
  /** Turns a configured start into a position; used only when there is no checkpoint. */
  resolveStart(start: StartConfig): Promise<Position>;
  /**
   * Whether the source still has what a position includes, though nothing is read from there.
   * @throws HOLT_SOURCE_POSITION_FOREIGN, HOLT_SOURCE_POSITION_PURGED
   */
  mustHave(text: PositionText): Promise<void>;
  /** Head of the source's log now. */
  currentPosition(): Promise<Position>;
  /** The position after one more transaction. */
  advance(
    text: PositionText,
    gtid: import('../model/source-item.ts').TransactionGtid | null,
    end: import('../model/position.ts').BinlogCoordinates,
  ): PositionText;
}
