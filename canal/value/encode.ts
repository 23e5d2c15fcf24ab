/**
 * What a user processor returned, checked and put into the canonical text of its column (carrier `text`).
 *
 * Taken are the forms that `decode.ts` gives out, and beside them: safe integers for integers and DECIMAL, digits for
 * numbers, strings for characters. Nothing is rounded, cut or guessed: what does not fit is HOLT_VALUE_INVALID, for it
 * would be an error, or another value, at the target.
 */
import type { ColumnShape } from '../../model/table-shape.ts';
import { charsetOf } from './charset.ts';
import { TYPE } from './column-type.ts';
import { valueKind } from './decode.ts';
import { doubleText, floatText } from './float.ts';
import { addressType } from './mariadb-types.ts';
import { oldTemporalDigits } from './temporal.ts';
import { invalidValue } from './value-text.ts';

/** The text of `value` for `column`; null for NULL. @throws HOLT_VALUE_INVALID */
export function encodeTextValue(column: ColumnShape, value: unknown): Buffer | null {
  if (value === null) return null;
  const kind = valueKind(column);
  switch (kind) {
    case 'integer':
      return Buffer.from(integerText(column, value), 'latin1');
    case 'number':
      return Buffer.from(numberText(column, value), 'latin1');
    case 'text':
      return typedText(column, value);
    case 'bytes':
      return characters(column, value);
    default:
      return kind satisfies never;
  }
}

/** Bits of the integer types. */
const INTEGER_BITS: Readonly<Record<number, number>> = {
  [TYPE.tiny]: 8,
  [TYPE.short]: 16,
  [TYPE.int24]: 24,
  [TYPE.long]: 32,
  [TYPE.longlong]: 64,
};

function integerText(column: ColumnShape, value: unknown): string {
  const integer = toBigInt(value);
  if (integer === null) throw invalidValue(column, `a ${typeof value} is no integer`);
  const [least, most] = integerRange(column);
  const zeroYear = column.type === TYPE.year && integer === 0n;
  if ((integer < least || integer > most) && !zeroYear) throw invalidValue(column, 'out of range');
  return column.type === TYPE.year ? String(integer).padStart(4, '0') : String(integer);
}

function integerRange(column: ColumnShape): readonly [least: bigint, most: bigint] {
  const { meta } = column;
  switch (column.type) {
    case TYPE.year:
      return [1901n, 2155n];
    case TYPE.bit:
      return [0n, (1n << BigInt((meta >> 8) * 8 + (meta & 0xff))) - 1n];
    case TYPE.enum:
      return [0n, meta === 1 ? 255n : 65_535n];
    case TYPE.set:
      return [0n, (1n << BigInt(meta * 8)) - 1n];
    default: {
      const bits = BigInt(INTEGER_BITS[column.type] ?? 64);
      return column.unsigned ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
    }
  }
}

function toBigInt(value: unknown): bigint | null {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null;
  return typeof value === 'string' && /^-?[0-9]{1,20}$/.test(value) ? BigInt(value) : null;
}

function numberText(column: ColumnShape, value: unknown): string {
  const digits =
    typeof value === 'string' && /^[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,3})?$/.test(value);
  const number =
    typeof value === 'number' || typeof value === 'bigint' || digits ? Number(value) : Number.NaN;
  const stored = column.type === TYPE.float ? Math.fround(number) : number;
  if (!Number.isFinite(stored)) throw invalidValue(column, 'no number, or out of range');
  return column.type === TYPE.float ? floatText(stored) : doubleText(stored);
}

function typedText(column: ColumnShape, value: unknown): Buffer {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
  if (column.type === TYPE.newDecimal) return Buffer.from(decimalText(column, text), 'latin1');
  if (typeof text !== 'string') throw invalidValue(column, `a ${typeof value} where a string is due`);
  if (column.type === TYPE.json) {
    checkJson(column, text);
    return Buffer.from(text, 'utf8');
  }
  if (addressType(column) !== null) {
    if (!/^[0-9a-fA-F:.-]{2,45}$/.test(text)) throw invalidValue(column, 'no address');
    return Buffer.from(text, 'latin1');
  }
  return Buffer.from(temporalText(column, text), 'latin1');
}

function decimalText(column: ColumnShape, value: unknown): string {
  const text =
    typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))
      ? String(value)
      : value;
  const match = typeof text === 'string' ? /^(-?)0*([0-9]*)(?:\.([0-9]*?)0*)?$/.exec(text) : null;
  const [, sign = '', whole = '', fraction = ''] = match ?? [];
  if (match === null || !/[0-9]/.test(String(text))) throw invalidValue(column, 'no decimal number');
  const precision = column.meta >> 8;
  const scale = column.meta & 0xff;
  if (whole.length > precision - scale || fraction.length > scale)
    throw invalidValue(column, `more digits than DECIMAL(${precision},${scale}) has`);
  const digits = fraction.padEnd(scale, '0');
  const zero = !/[1-9]/.test(whole + digits);
  return `${zero ? '' : sign}${whole === '' ? '0' : whole}${scale === 0 ? '' : `.${digits}`}`;
}

function checkJson(column: ColumnShape, text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw invalidValue(column, 'no JSON document');
  }
}

const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;
const DATETIME = /^([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?$/;
const TIME = /^(-?)([0-9]{2,3}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?$/;

function temporalText(column: ColumnShape, text: string): string {
  switch (column.type) {
    case TYPE.date:
    case TYPE.newDate: {
      const [, year = '', month = '', day = ''] = DATE.exec(text) ?? [];
      checkDate(column, year, month, day);
      return text;
    }
    case TYPE.time:
    case TYPE.time2: {
      const [, sign = '', hours = '', minutes = '', seconds = '', fraction = ''] = TIME.exec(text) ?? [];
      checkClock(column, hours, minutes, seconds, 838);
      return `${sign}${hours.length === 3 ? hours.replace(/^0/, '') : hours}:${minutes}:${seconds}${fractionText(column, fraction)}`;
    }
    default: {
      const [, year = '', month = '', day = '', hours = '', minutes = '', seconds = '', fraction = ''] =
        DATETIME.exec(text) ?? [];
      checkDate(column, year, month, day);
      checkClock(column, hours, minutes, seconds, 23);
      return `${year}-${month}-${day} ${hours}:${minutes}:${seconds}${fractionText(column, fraction)}`;
    }
  }
}

/** Zero dates and days beyond their month's end are left to the target: the source may have stored them too. */
function checkDate(column: ColumnShape, year: string, month: string, day: string): void {
  if (year === '' || Number(month) > 12 || Number(day) > 31) throw invalidValue(column, 'no date');
}

function checkClock(
  column: ColumnShape,
  hours: string,
  minutes: string,
  seconds: string,
  most: number,
): void {
  if (hours === '' || Number(hours) > most || Number(minutes) > 59 || Number(seconds) > 59)
    throw invalidValue(column, 'no time');
}

function fractionText(column: ColumnShape, fraction: string): string {
  const isNew =
    column.type === TYPE.time2 || column.type === TYPE.datetime2 || column.type === TYPE.timestamp2;
  const digits = isNew ? column.meta : oldTemporalDigits(column);
  if (/[1-9]/.test(fraction.slice(digits)))
    throw invalidValue(column, `more than ${digits} digits of fraction`);
  return digits === 0 ? '' : `.${fraction.slice(0, digits).padEnd(digits, '0')}`;
}

function characters(column: ColumnShape, value: unknown): Buffer {
  const bytes = value instanceof Uint8Array ? Buffer.from(value) : encodedString(column, value);
  if (bytes.length > maxBytes(column)) throw invalidValue(column, `${bytes.length} bytes`);
  return bytes;
}

function maxBytes(column: ColumnShape): number {
  switch (column.type) {
    case TYPE.string:
    case TYPE.varchar:
    case TYPE.varString:
      return column.meta;
    case TYPE.varcharCompressed:
      // The stored form has a byte more.
      return column.meta - 1;
    default:
      return 256 ** Math.min(column.meta, 4) - 1;
  }
}

/** A string in the column's character set, as far as the platform knows it: others take Buffers, or ASCII. */
function encodedString(column: ColumnShape, value: unknown): Buffer {
  if (typeof value !== 'string')
    throw invalidValue(column, `a ${typeof value} where bytes or a string are due`);
  const charset = charsetOf(column.collation);
  switch (charset) {
    case 'ucs2':
    case 'utf16':
      return Buffer.from(value, 'utf16le').swap16();
    case 'utf16le':
      return Buffer.from(value, 'utf16le');
    case 'utf32': {
      const points = [...value].map((character) => character.codePointAt(0) ?? 0);
      const bytes = Buffer.alloc(points.length * 4);
      points.forEach((point, i) => {
        bytes.writeUInt32BE(point, i * 4);
      });
      return bytes;
    }
    case 'utf8mb4':
    case 'utf8mb3':
    case 'binary':
    case null:
      return Buffer.from(value, 'utf8');
    default:
      if (/[^\0-\x7f]/.test(value))
        throw invalidValue(column, `a string with characters beyond ASCII for ${charset}: give a Buffer`);
      return Buffer.from(value, 'latin1');
  }
}
