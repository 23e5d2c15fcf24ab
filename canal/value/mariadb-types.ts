/**
 * MariaDB's types that the binlog does not tell from others.
 *
 * - UUID, INET4 and INET6 stand as BINARY(16), (4), (16): in the order of their text, trailing zero bytes cut. Only the
 *   declared type tells them apart. https://mariadb.com/kb/en/uuid-data-type/, https://mariadb.com/kb/en/inet6/.
 * - COMPRESSED columns (types 140 and 141) stand as the engine stores them:
 *   u8 0 · bytes, or u8 0x80 | (8: raw deflate, else with zlib header) | n · uint(n) big-endian, length · zlib data
 *   https://mariadb.com/kb/en/storage-engine-independent-column-compression/; the layout was seen on MariaDB 10.11.
 */
import { inflateRawSync, inflateSync } from 'node:zlib';
import { HoltError } from '../../lib/errors.ts';
import type { ColumnShape } from '../../model/table-shape.ts';
import { TYPE } from './column-type.ts';

export type AddressType = 'uuid' | 'inet4' | 'inet6';

/** Which of MariaDB's fixed binary types a column is, else null. */
export function addressType(column: ColumnShape): AddressType | null {
  if (column.type !== TYPE.string || column.declared === null) return null;
  const { declared, meta } = column;
  if (meta === 16 && (declared === 'uuid' || declared === 'inet6')) return declared;
  return meta === 4 && declared === 'inet4' ? declared : null;
}

/** The text that MariaDB prints for such a value. */
export function addressText(type: AddressType, buf: Buffer, offset: number, length: number): string {
  const bytes = Buffer.alloc(type === 'inet4' ? 4 : 16);
  buf.copy(bytes, 0, offset, offset + Math.min(length, bytes.length));
  switch (type) {
    case 'uuid': {
      const hex = bytes.toString('hex');
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    }
    case 'inet4':
      return bytes.join('.');
    case 'inet6':
      return inet6Text(bytes);
    default:
      return type satisfies never;
  }
}

/** As the server prints it: the longest run of zero groups folded, even of one; IPv4-mapped and -compatible ones with dots. */
function inet6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2));
  let foldAt = -1;
  let foldLength = 0;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > foldLength) {
      foldAt = i;
      foldLength = length;
    }
  }
  const dotted =
    foldAt === 0 && (foldLength === 6 || (foldLength === 5 && groups[5] === 0xffff))
      ? bytes.subarray(12).join('.')
      : null;
  const shown = dotted === null ? groups.map((group) => group.toString(16)) : groups.slice(0, 6).map(String);
  if (dotted !== null) shown.push(dotted);
  if (dotted !== null && foldLength === 5) shown[5] = 'ffff';
  if (foldAt === -1) return shown.join(':');
  const head = shown.slice(0, foldAt).join(':');
  const tail = shown.slice(foldAt + foldLength).join(':');
  return `${head}::${tail}`;
}

/** The bytes of a value of a COMPRESSED column; a view where it is stored plain. @throws HOLT_VALUE_INVALID */
export function uncompressedColumn(buf: Buffer, offset: number, length: number): Buffer {
  if (length === 0) return buf.subarray(offset, offset);
  const head = buf[offset] as number;
  if (head === 0) return buf.subarray(offset + 1, offset + length);
  const lengthBytes = head & 0x07;
  if ((head & 0xf0) !== 0x80 || lengthBytes < 1 || lengthBytes > 4 || length < 1 + lengthBytes)
    throw new HoltError('HOLT_VALUE_INVALID', 'the value of a COMPRESSED column has no known form');
  const plainLength = buf.readUIntBE(offset + 1, lengthBytes);
  const packed = buf.subarray(offset + 1 + lengthBytes, offset + length);
  const options = { maxOutputLength: Math.max(1, plainLength) };
  let plain: Buffer;
  try {
    plain = (head & 0x08) !== 0 ? inflateRawSync(packed, options) : inflateSync(packed, options);
  } catch (cause) {
    throw new HoltError('HOLT_VALUE_INVALID', 'the value of a COMPRESSED column does not unpack', { cause });
  }
  if (plain.length !== plainLength)
    throw new HoltError(
      'HOLT_VALUE_INVALID',
      `the value of a COMPRESSED column says ${plainLength} bytes and has ${plain.length}`,
    );
  return plain;
}
