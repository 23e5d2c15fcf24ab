/**
 * DECIMAL as the servers store it.
 *
 * Nine digits in four bytes, big-endian, fewer at the two outer ends; the digits before the point are filled up on the
 * left, those after it on the right. A positive number has its first bit set; a negative one has that bit clear and all
 * other bits inverted. Source: https://dev.mysql.com/doc/dev/mysql-server/latest/decimal_8h.html (decimal2bin).
 */
import { HoltError } from '../../lib/errors.ts';
import { putPadded, putUint32 } from './digits.ts';

const DIGITS_PER_WORD = 9;
/** Bytes that 0 to 9 digits take. */
const BYTES_OF_DIGITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;
const MAX_PRECISION = 65;
const MAX_SCALE = 38;

/** Bytes of a DECIMAL(precision, scale). @throws HOLT_EVENT_UNSUPPORTED for numbers no server allows. */
export function decimalBytes(precision: number, scale: number): number {
  if (precision < 1 || precision > MAX_PRECISION || scale > MAX_SCALE || scale > precision)
    throw new HoltError('HOLT_EVENT_UNSUPPORTED', `DECIMAL(${precision},${scale}) is not known`);
  return digitBytes(precision - scale) + digitBytes(scale);
}

function digitBytes(digits: number): number {
  const words = Math.floor(digits / DIGITS_PER_WORD);
  return words * 4 + (BYTES_OF_DIGITS[digits - words * DIGITS_PER_WORD] ?? 0);
}

/** The most characters `putDecimal` writes: sign, point and a leading zero beside the digits. */
export const MAX_DECIMAL_TEXT = MAX_PRECISION + 3;

/** Writes sign, digits without leading zeros (but one before the point) and all digits of the scale. */
export function putDecimal(
  out: Uint8Array,
  at: number,
  buf: Buffer,
  offset: number,
  precision: number,
  scale: number,
): number {
  const flip = ((buf[offset] as number) & 0x80) === 0 ? 0xff : 0;
  // The sign bit is turned where the first byte is read, in either case.
  const firstFlip = flip ^ 0x80;
  let from = offset;
  let to = at;
  if (flip !== 0) out[to++] = 45;

  let significant = false;
  let digits = precision - scale;
  for (let width = digits % DIGITS_PER_WORD; digits > 0; width = DIGITS_PER_WORD) {
    if (width === 0) continue;
    const bytes = BYTES_OF_DIGITS[width] as number;
    const word = readWord(buf, from, bytes, flip, from === offset ? firstFlip : flip);
    from += bytes;
    digits -= width;
    if (significant) to = putPadded(out, to, word % WORD_LIMIT, width);
    else if (word !== 0) {
      to = putUint32(out, to, word % WORD_LIMIT);
      significant = true;
    }
  }
  if (!significant) out[to++] = 48;
  if (scale === 0) return to;

  out[to++] = 46;
  for (let rest = scale; rest > 0; ) {
    const width = Math.min(rest, DIGITS_PER_WORD);
    const bytes = BYTES_OF_DIGITS[width] as number;
    const word = readWord(buf, from, bytes, flip, from === offset ? firstFlip : flip);
    from += bytes;
    rest -= width;
    to = putPadded(out, to, word % 10 ** width, width);
  }
  return to;
}

/** What nine digits can hold; damaged bytes may say more and are cut to it. */
const WORD_LIMIT = 1_000_000_000;

function readWord(buf: Buffer, at: number, bytes: number, flip: number, firstFlip: number): number {
  let word = (buf[at] as number) ^ firstFlip;
  for (let i = 1; i < bytes; i++) word = word * 256 + ((buf[at + i] as number) ^ flip);
  return word;
}
