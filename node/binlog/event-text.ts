/** Events of a binlog as people and programs read them: a kind, facts, a statement's text. Pure. */
import type { BinlogEvent, EventHeader } from '../../canal/event/event.ts';
import { formatMysqlGtid } from '../../model/gtid-set.ts';
import { formatMariadbGtid } from '../../model/mariadb-gtid.ts';
import { readableBytes } from '../readable-row.ts';

export type EventFact = string | number | boolean | readonly string[];

export interface EventText {
  readonly kind: string;
  /** In the order in which they are shown. 64-bit numbers are text. */
  readonly facts: Readonly<Record<string, EventFact>>;
  /** A statement as it stands in the log; null where the event has none. */
  readonly sql: string | null;
}

/** `tableName` gives `schema.table` for the id of a rows event, null where its map has not been seen. */
export function eventText(event: BinlogEvent, tableName: (tableId: number) => string | null): EventText {
  switch (event.kind) {
    case 'format-description':
      return plain(event, {
        server: event.serverVersion,
        version: event.binlogVersion,
        checksum: event.checksum,
      });
    case 'rotate':
      return plain(event, { next: `${event.file}:${event.offset}` });
    case 'stop':
      return plain(event, {});
    case 'gtid':
      return plain(event, {
        gtid: event.gtid === null ? 'anonymous' : formatMysqlGtid(event.gtid),
        lastCommitted: String(event.lastCommitted),
        sequence: String(event.sequenceNumber),
        ...(event.immediateCommitUs === null ? {} : { committed: microseconds(event.immediateCommitUs) }),
        ...(event.originalCommitUs === null || event.originalCommitUs === event.immediateCommitUs
          ? {}
          : { originallyCommitted: microseconds(event.originalCommitUs) }),
        ...(event.transactionLength === null ? {} : { transactionBytes: event.transactionLength }),
      });
    case 'mariadb-gtid':
      return plain(event, {
        gtid: formatMariadbGtid(event.gtid),
        ...flags({
          standalone: event.standalone,
          ddl: event.ddl,
          preparedXa: event.preparedXa,
          completedXa: event.completedXa,
          transactional: event.transactional,
        }),
        ...(event.alter === 'none' ? {} : { alter: event.alter }),
        ...(event.alterStartSequence === null ? {} : { alterStarted: String(event.alterStartSequence) }),
      });
    case 'mariadb-gtid-list':
      return plain(event, { gtids: event.gtids.map(formatMariadbGtid) });
    case 'previous-gtids':
      return plain(event, { set: event.set });
    case 'query':
      return {
        kind: event.kind,
        facts: {
          ...(event.schema === '' ? {} : { schema: event.schema }),
          thread: event.threadId,
          ...(event.errorCode === 0 ? {} : { error: event.errorCode }),
        },
        sql: readableBytes(event.sql),
      };
    case 'xid':
      return plain(event, { xid: String(event.xid) });
    case 'xa-prepare':
      return plain(event, {
        xid: `${readableBytes(event.gtrid)},${readableBytes(event.bqual)},${event.formatId}`,
        onePhase: event.onePhase,
      });
    case 'table-map':
      return plain(event, {
        table: `${event.map.schema}.${event.map.table}`,
        tableId: event.map.tableId,
        columns: event.map.columnCount,
      });
    case 'rows':
      return {
        kind: event.op,
        facts: {
          table: tableName(event.tableId) ?? `table id ${event.tableId}`,
          ...(event.partialJson ? { partialJson: true } : {}),
          dataBytes: event.data.length,
        },
        sql: null,
      };
    case 'rows-query':
      return { kind: event.kind, facts: {}, sql: readableBytes(event.sql) };
    case 'statement-context':
      return { kind: event.name, facts: {}, sql: null };
    case 'load-data':
      return {
        kind: event.name,
        facts: {},
        sql: event.sql === null ? null : readableBytes(event.sql),
      };
    case 'incident':
      return plain(event, { incident: event.incident, message: event.message });
    case 'heartbeat':
      return plain(event, { at: `${event.file}:${event.offset}` });
    case 'transaction-payload':
      return plain(event, { compression: event.compression, bytes: event.header.eventLength });
    case 'ignored':
      return { kind: event.name, facts: {}, sql: null };
    default:
      return event satisfies never;
  }
}

/** ISO text to the second; null for events that carry no time. */
export function eventTime(header: EventHeader): string | null {
  return header.timestamp === 0
    ? null
    : new Date(header.timestamp * 1000).toISOString().replace('.000Z', 'Z');
}

function plain(event: BinlogEvent, facts: EventText['facts']): EventText {
  return { kind: event.kind, facts, sql: null };
}

function flags(values: Readonly<Record<string, boolean>>): Record<string, boolean> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value));
}

/** µs since 1970 as ISO text with six digits. */
function microseconds(us: number): string {
  const seconds = Math.floor(us / 1e6);
  const fraction = String(us - seconds * 1e6).padStart(6, '0');
  return new Date(seconds * 1000).toISOString().replace('.000Z', `.${fraction}Z`);
}
