import { crc32 } from 'node:zlib';
import { EVENT_CODE, type EventName } from '../../canal/event/event-code.ts';

export interface RawEventSpec {
  readonly type: EventName;
  readonly body?: Buffer;
  readonly timestamp?: number;
  readonly logPos?: number;
  readonly flags?: number;
}

/** One event as it stands in a log: header, body and CRC32. */
export function eventBytes(spec: RawEventSpec, checksum: 'crc32' | 'none' = 'crc32'): Buffer {
  const body = spec.body ?? Buffer.alloc(0);
  const trailer = checksum === 'crc32' || spec.type === 'formatDescription' ? 4 : 0;
  const bytes = Buffer.alloc(19 + body.length + trailer);
  bytes.writeUInt32LE(spec.timestamp ?? 1_700_000_000, 0);
  bytes.writeUInt8(EVENT_CODE[spec.type], 4);
  bytes.writeUInt32LE(1, 5);
  bytes.writeUInt32LE(bytes.length, 9);
  bytes.writeUInt32LE((spec.logPos ?? 0) % 2 ** 32, 13);
  bytes.writeUInt16LE(spec.flags ?? 0, 17);
  body.copy(bytes, 19);
  if (checksum === 'crc32') bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

const ARTIFICIAL = 0x20;

/** Writes events one after another as a server of MySQL 8 does, with offsets that follow each other. */
export class LogWriter {
  readonly checksum: 'crc32' | 'none';
  offset: number;

  constructor(options: { readonly offset?: number; readonly checksum?: 'crc32' | 'none' } = {}) {
    this.offset = options.offset ?? 4;
    this.checksum = options.checksum ?? 'crc32';
  }

  /** The next event of the log. */
  event(spec: RawEventSpec): Buffer {
    const length = eventBytes(spec, this.checksum).length;
    this.offset += length;
    return eventBytes({ ...spec, logPos: this.offset }, this.checksum);
  }

  /** As a dump opens each file. */
  fakeRotate(file: string, offset = this.offset): Buffer {
    return eventBytes(
      { type: 'rotate', body: rotateBody(file, offset), timestamp: 0, flags: ARTIFICIAL },
      this.checksum,
    );
  }

  rotate(file: string): Buffer {
    const bytes = this.event({ type: 'rotate', body: rotateBody(file, 4) });
    this.offset = 4;
    return bytes;
  }

  /** `placed` at the beginning of a file, else made up for a dump that begins in the middle. */
  formatDescription(placed = this.offset === 4): Buffer {
    const body = Buffer.alloc(2 + 50 + 4 + 1 + 42 + 1);
    body.writeUInt16LE(4, 0);
    body.write('9.7.4', 2, 'latin1');
    body.writeUInt8(19, 56);
    body.writeUInt8(this.checksum === 'crc32' ? 1 : 0, body.length - 1);
    const spec: RawEventSpec = { type: 'formatDescription', body };
    return placed ? this.event(spec) : eventBytes(spec, this.checksum);
  }

  heartbeat(file: string, offset = this.offset): Buffer {
    return eventBytes(
      { type: 'heartbeat', body: Buffer.from(file), timestamp: 0, logPos: offset },
      this.checksum,
    );
  }

  query(sql: string): Buffer {
    const head = Buffer.alloc(13 + 1);
    return this.event({ type: 'query', body: Buffer.concat([head, Buffer.from(sql)]) });
  }

  xid(): Buffer {
    return this.event({ type: 'xid', body: Buffer.alloc(8) });
  }

  /** BEGIN, a body of some size, XID. */
  transaction(bytes = 40): Buffer[] {
    return [
      this.query('BEGIN'),
      this.event({ type: 'rowsQuery', body: Buffer.alloc(bytes, 'r') }),
      this.xid(),
    ];
  }
}

function rotateBody(file: string, offset: number): Buffer {
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(offset));
  return Buffer.concat([head, Buffer.from(file)]);
}
