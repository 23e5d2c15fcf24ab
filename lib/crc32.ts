import { crc32 as native } from 'node:zlib';

/**
 * CRC32 (ISO 3309, as zlib's), unsigned, for many short pieces of large buffers.
 *
 * Measured on Node 20: a call into the runtime costs about 150 ns with the view it needs, whatever the length, and sums 7 GB/s;
 * eight tables in JavaScript ("slicing by eight", Kounavis and Berry, 2005) 2 GB/s at once.
 */

/** Below this many bytes a call into the runtime costs more than the sum. */
const NATIVE_FROM_BYTES = 320;
const POLYNOMIAL = 0xedb88320;

/** Table n: the sum over a byte followed by n zeros. */
const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables();

/** The sum of `bytes` from `start` to `end`. */
export function crc32Of(bytes: Uint8Array, start: number, end: number): number {
  return end - start < NATIVE_FROM_BYTES ? short(bytes, start, end) : native(bytes.subarray(start, end));
}

function short(bytes: Uint8Array, start: number, end: number): number {
  let sum = -1;
  let at = start;
  for (; at + 7 < end; at += 8) {
    const low =
      sum ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    sum =
      (T7[low & 0xff] as number) ^
      (T6[(low >>> 8) & 0xff] as number) ^
      (T5[(low >>> 16) & 0xff] as number) ^
      (T4[low >>> 24] as number) ^
      (T3[bytes[at + 4] as number] as number) ^
      (T2[bytes[at + 5] as number] as number) ^
      (T1[bytes[at + 6] as number] as number) ^
      (T0[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) sum = (T0[(sum ^ (bytes[at] as number)) & 0xff] as number) ^ (sum >>> 8);
  return ~sum >>> 0;
}

function makeTables(): readonly [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
] {
  const first = new Int32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
    first[byte] = sum;
  }
  const behind = (table: Int32Array) =>
    table.map((sum) => (first[sum & 0xff] as number) ^ (sum >>> 8)) as Int32Array;
  const t1 = behind(first);
  const t2 = behind(t1);
  const t3 = behind(t2);
  const t4 = behind(t3);
  const t5 = behind(t4);
  const t6 = behind(t5);
  return [first, t1, t2, t3, t4, t5, t6, behind(t6)];
}
