import { crc32 as native } from 'node:zlib';

/** Below this many bytes a call into the runtime costs more than the sum. */
const NATIVE_FROM_BYTES = 192;
const POLYNOMIAL = 0xedb88320;

/** Four tables of 256: the sum over a byte, and over a byte followed by one, two and three zeros (slicing by four). */
const TABLES = makeTables();

/** CRC32 (ISO 3309, as zlib's) of `bytes` from `start` to `end`, unsigned. Made for many short pieces. */
export function crc32Of(bytes: Uint8Array, start: number, end: number): number {
  return end - start < NATIVE_FROM_BYTES ? short(bytes, start, end) : native(bytes.subarray(start, end));
}

function short(bytes: Uint8Array, start: number, end: number): number {
  let sum = -1;
  let at = start;
  for (; at + 3 < end; at += 4) {
    sum ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    sum =
      (TABLES[768 + (sum & 0xff)] as number) ^
      (TABLES[512 + ((sum >>> 8) & 0xff)] as number) ^
      (TABLES[256 + ((sum >>> 16) & 0xff)] as number) ^
      (TABLES[sum >>> 24] as number);
  }
  for (; at < end; at++) sum = (TABLES[(sum ^ (bytes[at] as number)) & 0xff] as number) ^ (sum >>> 8);
  return ~sum >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
    tables[byte] = sum;
  }
  for (let index = 256; index < tables.length; index++) {
    const before = tables[index - 256] as number;
    tables[index] = (tables[before & 0xff] as number) ^ (before >>> 8);
  }
  return tables;
}
