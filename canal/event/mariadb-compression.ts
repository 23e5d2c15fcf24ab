/**
 * What MariaDB puts in place of a statement or of row images with log_bin_compress=ON.
 *
 *     u8 0x80 | algorithm << 4 | n      algorithm 0 is zlib; n is 1 to 4
 *     uint(n), big-endian               length before compression
 *     zlib stream
 *
 * Source: https://mariadb.com/kb/en/compressing-events-to-reduce-size-of-the-binary-log/ and, for the byte layout,
 * https://mariadb.com/kb/en/rows_event_v1v2-rows_compressed_event_v1/.
 */
import { inflateSync } from 'node:zlib';
import { HoltError } from '../../lib/errors.ts';

/**
 * @param maxBytes the largest result that is made.
 * @throws HOLT_EVENT_TOO_LARGE beyond `maxBytes`, HOLT_EVENT_CORRUPT for all else.
 */
export function inflateMariadb(packed: Buffer, maxBytes: number): Buffer {
  const head = packed[0] ?? 0;
  const lengthBytes = head & 0x07;
  if ((head & 0xf0) !== 0x80 || lengthBytes < 1 || lengthBytes > 4 || packed.length < 1 + lengthBytes)
    throw new HoltError('HOLT_EVENT_CORRUPT', 'a compressed event has no compression header');
  const length = packed.readUIntBE(1, lengthBytes);
  if (length > maxBytes)
    throw new HoltError('HOLT_EVENT_TOO_LARGE', `a compressed event unpacks to ${length} bytes`, {
      facts: { length, maxBytes },
    });
  let plain: Buffer;
  try {
    plain = inflateSync(packed.subarray(1 + lengthBytes), { maxOutputLength: Math.max(1, length) });
  } catch (cause) {
    throw new HoltError('HOLT_EVENT_CORRUPT', 'a compressed event does not unpack', { cause });
  }
  if (plain.length !== length)
    throw new HoltError(
      'HOLT_EVENT_CORRUPT',
      `a compressed event says ${length} bytes and unpacks to ${plain.length}`,
    );
  return plain;
}
