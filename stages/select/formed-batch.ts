/** What Select makes of source items: batches, empty advances, and what it says of them. */
import type { DdlPolicyKind } from '../../model/ddl.ts';
import { formatMysqlGtid } from '../../model/gtid-set.ts';
import type { SiteId } from '../../model/ids.ts';
import { formatMariadbGtid } from '../../model/mariadb-gtid.ts';
import type { BinlogCoordinates, Position, PositionText } from '../../model/position.ts';
import type { SourceItem, TableDefinition } from '../../model/source-item.ts';

export type RowsItem = Extract<SourceItem, { kind: 'rows' }>;
export type StatementItem = Extract<SourceItem, { kind: 'statement' }>;
export type OutcomeItem = Extract<SourceItem, { kind: 'xa-outcome' }>;

export interface FormedBatch {
  readonly origin: SiteId;
  readonly part: number;
  readonly lastPart: boolean;
  readonly start: PositionText;
  /** For a part that is not the last: the start. */
  readonly end: Position;
  readonly transactions: number;
  readonly rows: number;
  /** µs since 1970. */
  readonly firstCommitUs: number;
  readonly lastCommitUs: number;
  /** Behind its first transaction, and whether the log says that one's commit time to the µs. */
  readonly firstEnd: BinlogCoordinates;
  readonly firstIsExact: boolean;
  readonly payload: Buffer;
  /** Kind of the schema change that the batch is; null for rows. */
  readonly ddl: DdlPolicyKind | null;
  /** Online schema changes under way at `end`; absent where nothing has changed. */
  readonly onlineChanges?: string | null;
}

/** What lies between the end of the last batch (or empty advance) and the place reached. */
export interface Passed {
  readonly transactions: number;
  readonly bytes: number;
  /** True when all of it was Holt's own: marks alone and heartbeats. */
  readonly ownOnly: boolean;
  /** True when the place reached is in another binlog file. */
  readonly fileChanged: boolean;
}

export interface Advance {
  readonly start: PositionText;
  readonly end: Position;
  /** Commit time of the last transaction passed over, µs since 1970. */
  readonly lastCommitUs: number;
  /** Online schema changes under way at `end`; absent where nothing has changed. */
  readonly onlineChanges?: string | null;
  /** What tables of the source are at the end, where that is new. */
  readonly definitions: readonly TableDefinition[];
}

export interface SelectCounts {
  taken: number;
  filtered: number;
  foreign: number;
  own: number;
  statementsIgnored: number;
  /** Batches that hold a piece of a transaction, which commits by itself at the target. */
  chunks: number;
  /** Schema changes of replicated tables that the policy passes over. */
  ddlIgnored: number;
}

/** The last transaction read, whatever became of it. */
export interface LastRead {
  readonly end: BinlogCoordinates;
  readonly commitUs: number;
  readonly commitIsExact: boolean;
}

/** A heartbeat row of the source's own site. */
export interface ReadHeartbeat {
  /** µs since 1970 by the source's clock. */
  readonly atUs: number;
  /** Behind its transaction. */
  readonly end: BinlogCoordinates;
  /** Of its transaction in the log; null where others will be of another length. */
  readonly bytes: number | null;
}

/** The transaction's GTID as its server writes it; where it has none, the place of its first event. */
export function gtidText(item: RowsItem | StatementItem | OutcomeItem): string {
  const { gtid } = item;
  if (gtid === null) return `${item.start.file}:${item.start.offset}`;
  return gtid.flavour === 'mysql' ? formatMysqlGtid(gtid) : formatMariadbGtid(gtid);
}
