/**
 * GTID_TAGGED (MySQL 8.3): the head of a transaction whose GTID has a tag, in MySQL's self-describing serialization.
 *
 *     message  := varint format version (1) · varint message bytes · varint last non-ignorable field id + 1 · field*
 *     field    := varint id · value                            ids ascend; what is absent has its default
 *     varint   := first byte's trailing ones count the bytes that follow; the value is above the first zero bit
 *     signed   := varint of (n << 1), or of (~n << 1 | 1) for a negative n
 *     string   := varint length · bytes                        byte[16] := 16 varints
 *
 *     fields   0 flags · 1 uuid byte[16] · 2 number signed · 3 tag string · 4 last committed signed · 5 sequence number signed
 *              6 immediate commit µs · 7 original commit µs · 8 transaction length · 9 immediate server version
 *              10 original server version · 11 commit group ticket
 *
 * A reader that does not know a field may skip to the message's end, unless its id is not above the last
 * non-ignorable one. Source: https://dev.mysql.com/doc/dev/mysql-server/latest/PageLibsMysqlSerialization.html and
 * "Gtid_event::define_fields" there.
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';
import { uuidText } from './uuid.ts';

const LAST_KNOWN_FIELD = 11;
const MAX_TAG_BYTES = 32;

export function decodeGtidTagged(body: ByteReader, header: EventHeader): BinlogEvent {
  const start = body.offset;
  const version = readVarint(body);
  if (version !== 1n) body.fail(`serialization version ${version}`);
  const size = Number(readVarint(body));
  const head = body.offset - start;
  if (size < head || size - head > body.remaining) body.fail(`a message of ${size} bytes`);
  const reader = body.inner(size - head, 'GTID_TAGGED');
  const needed = readVarint(reader);
  if (needed > BigInt(LAST_KNOWN_FIELD + 1)) reader.fail(`field ${needed - 1n} may not be ignored`);

  const uuid = Buffer.alloc(16);
  let number = 0n;
  let tag = '';
  let lastCommitted = 0n;
  let sequenceNumber = 0n;
  let immediateCommitUs = 0;
  let originalCommitUs: number | null = null;
  let transactionLength: number | null = null;
  let seen = -1;
  while (reader.remaining > 0) {
    const id = Number(readVarint(reader));
    if (id <= seen) reader.fail(`field ${id} after field ${seen}`);
    if (id > LAST_KNOWN_FIELD) break;
    seen = id;
    switch (id) {
      case 1:
        for (let i = 0; i < 16; i++) {
          const byte = readVarint(reader);
          if (byte > 255n) reader.fail('a uuid byte above 255');
          uuid[i] = Number(byte);
        }
        break;
      case 2:
        number = readSignedVarint(reader);
        break;
      case 3: {
        const length = Number(readVarint(reader));
        if (length > MAX_TAG_BYTES) reader.fail(`a tag of ${length} bytes`);
        tag = reader.latin1(length);
        if (!/^[a-z_][a-z0-9_]*$|^$/.test(tag)) reader.fail('a tag with characters that tags may not have');
        break;
      }
      case 4:
        lastCommitted = readSignedVarint(reader);
        break;
      case 5:
        sequenceNumber = readSignedVarint(reader);
        break;
      case 6:
        immediateCommitUs = readSafeVarint(reader);
        break;
      case 7:
        originalCommitUs = readSafeVarint(reader);
        break;
      case 8:
        transactionLength = readSafeVarint(reader);
        break;
      default:
        readVarint(reader);
    }
  }
  if (seen < 2) reader.fail('no uuid and number');
  return {
    kind: 'gtid',
    header,
    gtid: { flavour: 'mysql', uuid: uuidText(uuid), tag, number },
    lastCommitted,
    sequenceNumber,
    immediateCommitUs,
    originalCommitUs: originalCommitUs ?? immediateCommitUs,
    transactionLength,
  };
}

/** An unsigned integer of 1 to 9 bytes. */
export function readVarint(reader: ByteReader): bigint {
  const first = reader.u8();
  let extra = 0;
  while (extra < 8 && (first & (1 << extra)) !== 0) extra++;
  if (extra === 0) return BigInt(first >> 1);
  let rest = 0n;
  for (let i = 0; i < extra; i++) rest |= BigInt(reader.u8()) << BigInt(8 * i);
  // 7 - extra bits of the first byte are the lowest; with eight or more followers it holds none.
  return extra >= 7 ? rest : (rest << BigInt(7 - extra)) | BigInt(first >> (extra + 1));
}

function readSignedVarint(reader: ByteReader): bigint {
  const value = readVarint(reader);
  return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n;
}

function readSafeVarint(reader: ByteReader): number {
  const value = Number(readVarint(reader));
  if (!Number.isSafeInteger(value)) reader.fail('a number beyond 2^53');
  return value;
}
