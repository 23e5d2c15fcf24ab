/**
 * LOAD DATA in statement format, in the parts that MySQL 5.0 and later write. They are named, so that they are refused.
 *
 *     BEGIN_LOAD_QUERY, APPEND_BLOCK   u32 file id · block (rest)
 *     DELETE_FILE                      u32 file id
 *     EXECUTE_LOAD_QUERY               as QUERY, and after its fixed part
 *                                      u32 file id · u32 name start · u32 name end · u8 duplicate handling
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';
import { readQueryParts } from './query.ts';

export function decodeLoadBlock(reader: ByteReader, header: EventHeader, name: string): BinlogEvent {
  reader.skip(4);
  return { kind: 'load-data', header, name, sql: null, session: null };
}

export function decodeExecuteLoadQuery(reader: ByteReader, header: EventHeader): BinlogEvent {
  const session = readQueryParts(reader, () => reader.skip(13));
  return { kind: 'load-data', header, name: 'execute-load-query', sql: reader.rest(), session };
}
