/**
 * GTID and ANONYMOUS_GTID: the head of a transaction on MySQL 5.6 and later.
 *
 *     u8 flags · byte[16] source uuid · i64 number                                   5.6
 *     [u8 clock type (2) · i64 last committed · i64 sequence number]                 5.7
 *     [u56 immediate commit, µs; bit 55 set: u56 original commit, µs]                8.0.1
 *     [lenenc transaction length]                                                    8.0.2
 *     [u32 immediate server version; bit 31 set: u32 original server version]        8.0.14
 *     [u64 commit group ticket]                                                      8.0.26
 *
 * Each part may be missing together with all that follow. Without its own value, the original commit is the immediate one.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Gtid__event.html
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';
import type { UuidReader } from './uuid.ts';

const LOGICAL_CLOCK = 2;
const HAS_ORIGINAL = 0x80;

/** The numbers of the logical clock, which few ask for, are made when they do. */
class GtidEvent {
  readonly kind = 'gtid';
  readonly header: EventHeader;
  readonly gtid: Extract<BinlogEvent, { kind: 'gtid' }>['gtid'];
  immediateCommitUs: number | null = null;
  originalCommitUs: number | null = null;
  transactionLength: number | null = null;
  #clock:
    | readonly [committedLow: number, committedHigh: number, numberLow: number, numberHigh: number]
    | null = null;

  constructor(header: EventHeader, gtid: Extract<BinlogEvent, { kind: 'gtid' }>['gtid']) {
    this.header = header;
    this.gtid = gtid;
  }

  readClock(reader: ByteReader): void {
    this.#clock = [reader.u32(), reader.u32(), reader.u32(), reader.u32()];
  }

  get lastCommitted(): bigint {
    return this.#clock === null ? 0n : int64(this.#clock[0], this.#clock[1]);
  }

  get sequenceNumber(): bigint {
    return this.#clock === null ? 0n : int64(this.#clock[2], this.#clock[3]);
  }
}

function int64(low: number, high: number): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

export function decodeGtid(
  reader: ByteReader,
  header: EventHeader,
  anonymous: boolean,
  uuids: UuidReader,
): BinlogEvent {
  reader.skip(1);
  const uuid = uuids.read(reader);
  const number = reader.i64();
  const event = new GtidEvent(header, anonymous ? null : { flavour: 'mysql', uuid, tag: '', number });
  if (reader.remaining >= 17 && reader.u8() === LOGICAL_CLOCK) {
    event.readClock(reader);
    if (reader.remaining >= 7) {
      const low = reader.u48();
      const high = reader.u8();
      const immediate = commitTime(reader, low, high);
      event.immediateCommitUs = immediate;
      event.originalCommitUs =
        (high & HAS_ORIGINAL) === 0 ? immediate : commitTime(reader, reader.u48(), reader.u8());
      if (reader.remaining > 0) event.transactionLength = reader.lenenc();
    }
  }
  return event;
}

/** 55 bits of microseconds and a flag. The year 2255 is below 2^53. */
function commitTime(reader: ByteReader, low: number, high: number): number {
  const microseconds = (high & ~HAS_ORIGINAL) * 0x1_0000_0000_0000 + low;
  if (!Number.isSafeInteger(microseconds)) reader.fail('a commit time beyond 2^53 µs');
  return microseconds;
}
