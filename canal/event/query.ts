/**
 * QUERY: a statement as text; BEGIN and COMMIT of non-XA transactions where they are not implied, and all DDL.
 *
 *     u32 thread id · u32 execution seconds · u8 schema length · u16 error code · u16 status length
 *     · status variables · schema · NUL · statement (rest)
 *
 * MariaDB's QUERY_COMPRESSED has the statement in the form of `mariadb-compression.ts`.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Query__event.html,
 * https://mariadb.com/kb/en/query_event/. The status variables are read by `query-status.ts`, on demand.
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export interface QueryParts {
  readonly threadId: number;
  readonly schema: string;
  readonly errorCode: number;
  readonly statusVars: Buffer;
}

/** The fixed part, the status variables and the schema. `between` reads what a derived event has after the fixed part. */
export function readQueryParts(reader: ByteReader, between: () => void = () => {}): QueryParts {
  const threadId = reader.u32();
  reader.skip(4);
  const schemaLength = reader.u8();
  const errorCode = reader.u16();
  const statusLength = reader.u16();
  between();
  const statusVars = reader.bytes(statusLength);
  const schema = reader.utf8(schemaLength);
  if (reader.u8() !== 0) reader.fail('the schema name does not end in NUL');
  return { threadId, schema, errorCode, statusVars };
}

export function decodeQuery(
  reader: ByteReader,
  header: EventHeader,
  unpack: (text: Buffer) => Buffer = (text) => text,
): BinlogEvent {
  const parts = readQueryParts(reader);
  return { kind: 'query', header, ...parts, sql: unpack(reader.rest()) };
}
