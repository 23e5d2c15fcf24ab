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
import { uuidText } from './uuid.ts';

const LOGICAL_CLOCK = 2;
const HAS_ORIGINAL = 0x80;

export function decodeGtid(reader: ByteReader, header: EventHeader, anonymous: boolean): BinlogEvent {
  reader.skip(1);
  const uuid = reader.bytes(16);
  const number = reader.i64();
  const gtid = anonymous ? null : ({ flavour: 'mysql', uuid: uuidText(uuid), tag: '', number } as const);
  let lastCommitted = 0n;
  let sequenceNumber = 0n;
  let immediateCommitUs: number | null = null;
  let originalCommitUs: number | null = null;
  let transactionLength: number | null = null;
  if (reader.remaining >= 17 && reader.u8() === LOGICAL_CLOCK) {
    lastCommitted = reader.i64();
    sequenceNumber = reader.i64();
    if (reader.remaining >= 7) {
      const [immediate, hasOriginal] = readCommitTime(reader);
      immediateCommitUs = immediate;
      originalCommitUs = hasOriginal ? readCommitTime(reader)[0] : immediate;
      if (reader.remaining > 0) transactionLength = reader.lenenc();
    }
  }
  return {
    kind: 'gtid',
    header,
    gtid,
    lastCommitted,
    sequenceNumber,
    immediateCommitUs,
    originalCommitUs,
    transactionLength,
  };
}

/** 55 bits of microseconds and a flag. The year 2255 is below 2^53. */
function readCommitTime(reader: ByteReader): [microseconds: number, flag: boolean] {
  const low = reader.u48();
  const high = reader.u8();
  const microseconds = (high & ~HAS_ORIGINAL) * 0x1_0000_0000_0000 + low;
  if (!Number.isSafeInteger(microseconds)) reader.fail('a commit time beyond 2^53 µs');
  return [microseconds, (high & HAS_ORIGINAL) !== 0];
}
