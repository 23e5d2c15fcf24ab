import { deflateSync } from 'node:zlib';
import { computeChecksum } from '../../canal/event/header.ts';

/** Events built by hand, from the layouts that the decoders cite: for what no server here writes, and for damage. */

export interface HeaderFields {
  readonly timestamp?: number;
  readonly serverId?: number;
  readonly logPos?: number;
  readonly flags?: number;
}

/** A whole event; the checksum is right unless it is left out. */
export function eventBytes(
  typeCode: number,
  body: Buffer,
  options: HeaderFields & { readonly checksum?: boolean } = {},
): Buffer {
  const { timestamp = 1_700_000_000, serverId = 7, logPos = 4242, flags = 0, checksum = true } = options;
  const bytes = Buffer.alloc(19 + body.length + (checksum ? 4 : 0));
  bytes.writeUInt32LE(timestamp, 0);
  bytes.writeUInt8(typeCode, 4);
  bytes.writeUInt32LE(serverId, 5);
  bytes.writeUInt32LE(bytes.length, 9);
  bytes.writeUInt32LE(logPos, 13);
  bytes.writeUInt16LE(flags, 17);
  body.copy(bytes, 19);
  if (checksum) bytes.writeUInt32LE(computeChecksum(bytes), bytes.length - 4);
  return bytes;
}

/** `event` with a checksum that fits its bytes. */
export function resummed(event: Buffer): Buffer {
  const bytes = Buffer.from(event);
  bytes.writeUInt32LE(computeChecksum(bytes), bytes.length - 4);
  return bytes;
}

/** A FORMAT_DESCRIPTION as MySQL 8.4 writes it, or another server. */
export function formatDescription(options: {
  readonly version?: string;
  readonly checksum?: 'none' | 'crc32';
  readonly lengths?: readonly number[];
}): Buffer {
  const { version = '8.4.0', checksum = 'crc32', lengths = [] } = options;
  const body = Buffer.concat([
    u16(4),
    Buffer.from(version.padEnd(50, '\0'), 'latin1'),
    u32(0),
    u8(19),
    Buffer.from(lengths.length > 0 ? lengths : new Array(42).fill(8)),
    u8(checksum === 'crc32' ? 1 : 0),
  ]);
  return eventBytes(15, body, { logPos: 126 });
}

export const u8 = (value: number): Buffer => Buffer.from([value]);
export const u16 = (value: number): Buffer => uint(value, 2);
export const u24 = (value: number): Buffer => uint(value, 3);
export const u32 = (value: number): Buffer => uint(value, 4);
export const u48 = (value: number): Buffer => uint(value, 6);

export function u64(value: bigint | number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
}

function uint(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUIntLE(value, 0, size);
  return bytes;
}

export function lenenc(value: number): Buffer {
  if (value < 251) return u8(value);
  if (value < 0x1_0000) return Buffer.concat([u8(252), u16(value)]);
  if (value < 0x100_0000) return Buffer.concat([u8(253), u24(value)]);
  return Buffer.concat([u8(254), u64(value)]);
}

export const text = (value: string): Buffer => Buffer.from(value, 'utf8');

/** u8 length, text, NUL. */
export const name = (value: string): Buffer =>
  Buffer.concat([u8(Buffer.byteLength(value)), text(value), u8(0)]);

export function concat(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}

/** MariaDB's compressed form. */
export function mariadbPacked(plain: Buffer): Buffer {
  return concat(
    u8(0x84),
    Buffer.from([0, 0, 0, 0].map((_, i) => (plain.length >>> (24 - 8 * i)) & 255)),
    deflateSync(plain),
  );
}

/** MySQL's serialization varint. */
export function varint(value: bigint | number): Buffer {
  const number = BigInt(value);
  for (let extra = 0; extra < 8; extra++) {
    if (number >= 1n << BigInt(7 * (extra + 1))) continue;
    const head = ((1n << BigInt(extra)) - 1n) | (number << BigInt(extra + 1));
    return u64(head).subarray(0, extra + 1);
  }
  return concat(u8(0xff), u64(number));
}

export const signedVarint = (value: bigint): Buffer =>
  varint(value >= 0n ? value << 1n : ((-value - 1n) << 1n) | 1n);

export interface TableMapFields {
  readonly tableId?: number;
  readonly schema?: string;
  readonly table?: string;
  readonly types: readonly number[];
  readonly metadata?: Buffer;
  readonly optional?: Buffer;
}

/** Body of a TABLE_MAP. */
export function tableMapBody(fields: TableMapFields): Buffer {
  const { tableId = 108, schema = 'shop', table = 'orders', types, metadata = Buffer.alloc(0) } = fields;
  return concat(
    u48(tableId),
    u16(1),
    name(schema),
    name(table),
    lenenc(types.length),
    Buffer.from(types),
    lenenc(metadata.length),
    metadata,
    Buffer.alloc((types.length + 7) >> 3, 0xff),
    fields.optional ?? Buffer.alloc(0),
  );
}

/** One field of the optional metadata. */
export const metadataField = (field: number, value: Buffer): Buffer =>
  concat(u8(field), lenenc(value.length), value);
