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

const FLAGS_OFFSET = 17;

/**
 * Reads the 19 bytes. `event` is one whole event, exactly.
 * @throws HOLT_EVENT_CORRUPT when it is shorter than a header or its length field says otherwise.
 */
export function readEventHeader(event: Buffer, crc: number | null): EventHeader {
  if (event.length < HEADER_BYTES)
    throw new HoltError('HOLT_EVENT_CORRUPT', `an event of ${event.length} bytes is shorter than its header`);
  const eventLength = event.readUInt32LE(9);
  const typeCode = event.readUInt8(4);
  if (eventLength !== event.length)
    throw new HoltError(
      'HOLT_EVENT_CORRUPT',
      `an event of type ${typeCode} says it has ${eventLength} bytes and has ${event.length}`,
      { facts: { typeCode, eventLength, found: event.length } },
    );
  return {
    timestamp: event.readUInt32LE(0),
    typeCode,
    serverId: event.readUInt32LE(5),
    eventLength,
    logPos: event.readUInt32LE(13),
    flags: event.readUInt16LE(FLAGS_OFFSET),
    crc32: crc,
  };
}

/** The CRC32 that `event`, which ends in a trailer, ought to have. */
export function computeChecksum(event: Buffer): number {
  const end = event.length - CHECKSUM_BYTES;
  const inUse =
    event[4] === EVENT_CODE.formatDescription && ((event[FLAGS_OFFSET] ?? 0) & EVENT_FLAG.inUse) !== 0;
  if (!inUse) return crc32Of(event, 0, end);
  // The server sums the event as if the file had been closed: the flag is set and cleared in place.
  const flags = Buffer.from([(event[FLAGS_OFFSET] ?? 0) & ~EVENT_FLAG.inUse]);
  return crc32(event.subarray(FLAGS_OFFSET + 1, end), crc32(flags, crc32(event.subarray(0, FLAGS_OFFSET))));
}

/**
 * Verifies the trailer of a whole event and returns it.
 * @throws HOLT_EVENT_CHECKSUM when it differs, HOLT_EVENT_CORRUPT when there is no room for one.
 */
export function verifyChecksum(event: Buffer): number {
  if (event.length < HEADER_BYTES + CHECKSUM_BYTES)
    throw new HoltError('HOLT_EVENT_CORRUPT', `an event of ${event.length} bytes has no room for a checksum`);
  const found = event.readUInt32LE(event.length - CHECKSUM_BYTES);
  const computed = computeChecksum(event);
  if (found !== computed)
    throw new HoltError(
      'HOLT_EVENT_CHECKSUM',
      `the checksum of an event of type ${event[4]} is ${found.toString(16)} and should be ${computed.toString(16)}`,
      {
        disposition: 'retry',
        facts: { typeCode: event[4], logPos: event.readUInt32LE(13), found, computed },
      },
    );
  return found;
}
