/**
 * The BINLOG statement, by which a session applies events of a log as a replica does (https://dev.mysql.com/doc/refman/9.4/en/binlog.html,
 * https://mariadb.com/kb/en/binlog/), and the event that must come first in each session.
 */
import { ByteSink } from '../../../lib/byte-sink.ts';

export const EVENT_TYPE = {
  formatDescription: 15,
  tableMap: 19,
  v1: { insert: 23, update: 24, delete: 25 },
  v2: { insert: 30, update: 31, delete: 32 },
} as const;

const HEADER_BYTES = 19;
const OPEN = Buffer.from("BINLOG '");
const QUOTE = 0x27;

/** Bytes of events that make a statement of at most so many. */
export function eventBytesWithin(statementBytes: number): number {
  return Math.floor((statementBytes - OPEN.length - 1) / 4) * 3;
}

/** The FORMAT_DESCRIPTION event that must come first in a session: without checksums, as `version` of the server would write it. */
export function formatDescription(version: string, serverId: number): Buffer {
  const types = 64;
  const body = Buffer.alloc(2 + 50 + 4 + 1 + types + 1);
  body.writeUInt16LE(4, 0);
  body.write(version.slice(0, 49), 2, 'latin1');
  body[56] = HEADER_BYTES;
  const postHeader = (type: number, bytes: number) => {
    body[56 + type] = bytes;
  };
  postHeader(EVENT_TYPE.formatDescription, 57 + types);
  postHeader(EVENT_TYPE.tableMap, 8);
  for (const type of Object.values(EVENT_TYPE.v1)) postHeader(type, 8);
  for (const type of Object.values(EVENT_TYPE.v2)) postHeader(type, 10);
  const sink = new ByteSink(256);
  startEvent(sink, EVENT_TYPE.formatDescription, serverId);
  sink.copy(body);
  // The event itself always has room for a checksum.
  sink.uint32(0);
  endEvent(sink, 0);
  return sink.take();
}

/** `BINLOG '…'` of the events. */
export function binlogStatement(events: Buffer): Buffer {
  const text = events.toString('base64');
  const sql = Buffer.allocUnsafe(OPEN.length + text.length + 1);
  OPEN.copy(sql);
  sql.write(text, OPEN.length, 'latin1');
  sql[sql.length - 1] = QUOTE;
  return sql;
}

/** Writes an event's header; its length comes with `endEvent`. Our rows are logged under the id given here: the server's own. */
export function startEvent(sink: ByteSink, type: number, serverId: number): void {
  sink.uint32(Math.floor(Date.now() / 1000));
  sink.byte(type);
  sink.uint32(serverId);
  // Length, filled in by `endEvent`; position and flags, which nobody reads.
  sink.uint32(0);
  sink.uint32(0);
  sink.uint16(0);
}

/** Notes the length of the event that begins at `start` and ends here. */
export function endEvent(sink: ByteSink, start: number): void {
  sink.reserve(0).writeUInt32LE(sink.length - start, start + 9);
}
