/**
 * The statement that made the rows that follow: MySQL's ROWS_QUERY and MariaDB's ANNOTATE_ROWS.
 *
 *     ROWS_QUERY      u8 length (of its first 255 bytes, not to be used) · statement (rest)
 *     ANNOTATE_ROWS   statement (rest)
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export function decodeRowsQuery(reader: ByteReader, header: EventHeader): BinlogEvent {
  reader.skip(1);
  return { kind: 'rows-query', header, sql: reader.rest() };
}

export function decodeAnnotateRows(reader: ByteReader, header: EventHeader): BinlogEvent {
  return { kind: 'rows-query', header, sql: reader.rest() };
}
