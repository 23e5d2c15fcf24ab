/**
 * XID: the commit of a transaction.
 *
 *     u64 xid
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export function decodeXid(reader: ByteReader, header: EventHeader): BinlogEvent {
  return { kind: 'xid', header, xid: reader.u64() };
}
