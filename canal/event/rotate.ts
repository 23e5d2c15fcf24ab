/**
 * ROTATE: the log goes on in another file. An artificial one opens every dump.
 *
 *     u64 offset of the first event there · file name (rest)
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export function decodeRotate(
  reader: ByteReader,
  header: EventHeader,
): Extract<BinlogEvent, { kind: 'rotate' }> {
  const offset = reader.safeU64();
  return { kind: 'rotate', header, offset, file: reader.rest().toString('utf8') };
}
