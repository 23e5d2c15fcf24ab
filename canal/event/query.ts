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
import type { EventHeader } from './event.ts';

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

/** Its parts are read when asked for: of most, which are `BEGIN`, nothing else is. */
export class QueryEvent implements QueryParts {
  readonly kind = 'query';
  readonly header: EventHeader;
  readonly threadId: number;
  readonly errorCode: number;
  readonly #memory: Buffer;
  readonly #statusAt: number;
  readonly #schemaAt: number;
  readonly #sqlAt: number;
  readonly #end: number;
  readonly #unpacked: Buffer | null;

  constructor(header: EventHeader, reader: ByteReader, unpack: ((text: Buffer) => Buffer) | null) {
    this.header = header;
    this.#memory = reader.memory;
    this.threadId = reader.u32();
    reader.skip(4);
    const schemaLength = reader.u8();
    this.errorCode = reader.u16();
    const statusLength = reader.u16();
    this.#statusAt = reader.at;
    reader.skip(statusLength);
    this.#schemaAt = reader.at;
    reader.skip(schemaLength);
    if (reader.u8() !== 0) reader.fail('the schema name does not end in NUL');
    this.#sqlAt = reader.at;
    this.#end = reader.end;
    this.#unpacked = unpack === null ? null : unpack(reader.rest());
  }

  get schema(): string {
    return this.#memory.toString('utf8', this.#schemaAt, this.#sqlAt - 1);
  }

  get statusVars(): Buffer {
    return this.#memory.subarray(this.#statusAt, this.#schemaAt);
  }

  get sql(): Buffer {
    return this.#unpacked ?? this.#memory.subarray(this.#sqlAt, this.#end);
  }

  /** Whether the statement is this one, in these very bytes. */
  says(statement: Uint8Array): boolean {
    const { length } = statement;
    if (this.#unpacked !== null || this.#end - this.#sqlAt !== length) return false;
    for (let i = 0; i < length; i++) if (this.#memory[this.#sqlAt + i] !== statement[i]) return false;
    return true;
  }
}

export function decodeQuery(
  reader: ByteReader,
  header: EventHeader,
  unpack: ((text: Buffer) => Buffer) | null = null,
): QueryEvent {
  return new QueryEvent(header, reader, unpack);
}
