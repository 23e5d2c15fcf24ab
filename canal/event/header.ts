/**
 * The common header of every event since binlog version 4 (MySQL 5.0), and the CRC32 trailer.
 *
 *     u32 timestamp · u8 type · u32 server id · u32 event length · u32 log position · u16 flags · body … [u32 crc32]
 *
 * All numbers are little-endian. The length counts header, body and trailer.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication_binlog_event.html; the trailer:
 * MySQL worklog 2540, https://dev.mysql.com/worklog/task/?id=2540.
 */
import { crc32 } from 'node:zlib';
import { crc32Of } from '../../lib/crc32.ts';
import { HoltError } from '../../lib/errors.ts';
import type { EventHeader } from './event.ts';
import { EVENT_CODE } from './event-code.ts';

export const HEADER_BYTES = 19;
export const CHECKSUM_BYTES = 4;

/** Bits of the header's flags. */
export const EVENT_FLAG = {
  /** In a FORMAT_DESCRIPTION: the file was not closed. Never part of the checksum. */
  inUse: 0x0001,
  threadSpecific: 0x0004,
  suppressUse: 0x0008,
  /** Made up for this connection; stands in no file. */
  artificial: 0x0020,
  relayLog: 0x0040,
  /** Whoever does not know the type may skip the event. */
  ignorable: 0x0080,
} as const;

const TYPE_OFFSET = 4;
const LENGTH_OFFSET = 9;
const LOG_POS_OFFSET = 13;
const FLAGS_OFFSET = 17;

/**
 * Reads the 19 bytes. From `start` to `end` lies one whole event, exactly.
 * @throws HOLT_EVENT_CORRUPT when it is shorter than a header or its length field says otherwise.
 */
export function readEventHeader(
  event: Buffer,
  crc: number | null,
  start = 0,
  end = event.length,
): EventHeader {
  checkEventLength(event, start, end);
  return {
    timestamp: u32(event, start),
    typeCode: event[start + TYPE_OFFSET] as number,
    serverId: u32(event, start + 5),
    eventLength: end - start,
    logPos: u32(event, start + LOG_POS_OFFSET),
    flags: (event[start + FLAGS_OFFSET] as number) | ((event[start + FLAGS_OFFSET + 1] as number) << 8),
    crc32: crc,
  };
}

/** @throws HOLT_EVENT_CORRUPT when what lies from `start` to `end` is shorter than a header or its length field says otherwise. */
export function checkEventLength(event: Buffer, start: number, end: number): void {
  const length = end - start;
  if (length < HEADER_BYTES)
    throw new HoltError('HOLT_EVENT_CORRUPT', `an event of ${length} bytes is shorter than its header`);
  const eventLength = u32(event, start + LENGTH_OFFSET);
  if (eventLength === length) return;
  const typeCode = event[start + TYPE_OFFSET] as number;
  throw new HoltError(
    'HOLT_EVENT_CORRUPT',
    `an event of type ${typeCode} says it has ${eventLength} bytes and has ${length}`,
    { facts: { typeCode, eventLength, found: length } },
  );
}

/** Little-endian; `Buffer`'s own reads check and call, which tells here. */
function u32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** The CRC32 that the event from `start` to `end`, which ends in a trailer, ought to have. */
export function computeChecksum(event: Buffer, start = 0, end = event.length): number {
  const sumEnd = end - CHECKSUM_BYTES;
  const flags = event[start + FLAGS_OFFSET] ?? 0;
  const inUse =
    event[start + TYPE_OFFSET] === EVENT_CODE.formatDescription && (flags & EVENT_FLAG.inUse) !== 0;
  if (!inUse) return crc32Of(event, start, sumEnd);
  // The server sums the event as if the file had been closed: the flag is set and cleared in place.
  const closed = Buffer.from([flags & ~EVENT_FLAG.inUse]);
  const before = crc32(event.subarray(start, start + FLAGS_OFFSET));
  return crc32(event.subarray(start + FLAGS_OFFSET + 1, sumEnd), crc32(closed, before));
}

/** The trailer of the event that ends at `end`. */
export function readChecksum(event: Buffer, end: number): number {
  return u32(event, end - CHECKSUM_BYTES);
}

/**
 * Verifies the trailer of a whole event and returns it.
 * @throws HOLT_EVENT_CHECKSUM when it differs, HOLT_EVENT_CORRUPT when there is no room for one.
 */
export function verifyChecksum(event: Buffer, start = 0, end = event.length): number {
  if (end - start < HEADER_BYTES + CHECKSUM_BYTES)
    throw new HoltError('HOLT_EVENT_CORRUPT', `an event of ${end - start} bytes has no room for a checksum`);
  const found = readChecksum(event, end);
  const computed = computeChecksum(event, start, end);
  if (found !== computed)
    throw new HoltError(
      'HOLT_EVENT_CHECKSUM',
      `the checksum of an event of type ${event[start + TYPE_OFFSET]} is ${found.toString(16)} and should be ${computed.toString(16)}`,
      {
        disposition: 'retry',
        facts: {
          typeCode: event[start + TYPE_OFFSET],
          logPos: u32(event, start + LOG_POS_OFFSET),
          found,
          computed,
        },
      },
    );
  return found;
}
