/**
 * A value as an SQL literal that stores the same bits.
 *
 * For a session with `SET NAMES binary`, `time_zone = '+00:00'` and an sql_mode without NO_BACKSLASH_ESCAPES and
 * ANSI_QUOTES. There a quoted literal is a run of bytes: nothing is converted on the way into a character column, and the
 * lexer knows no multi-byte characters, so that only the quote and the backslash need a backslash. In a comparison such a
 * literal gives way to the column: the column's collation rules, and its index is used (coercibility,
 * https://dev.mysql.com/doc/refman/8.4/en/charset-collation-coercibility.html).
 *
 * Numbers stand bare; FLOAT and DOUBLE with an exponent, so that they are read as doubles and not as decimals. A FLOAT
 * has all the digits of its value as a double: the server compares it as one, and the shorter text of the largest
 * FLOAT is out of range.
 * The sql_mode must also allow what the source allowed: zero and invalid dates (no NO_ZERO_DATE, no NO_ZERO_IN_DATE,
 * ALLOW_INVALID_DATES) and 0 in an AUTO_INCREMENT column (NO_AUTO_VALUE_ON_ZERO).
 */
import type { ByteSink } from '../../lib/byte-sink.ts';
import type { ColumnShape } from '../../model/table-shape.ts';
import { charsetOf } from './charset.ts';
import { TYPE } from './column-type.ts';
import { doubleText } from './float.ts';
import { JsonReader } from './json-binary.ts';
import { writeJsonExpression, writeJsonLiteral } from './json-literal.ts';
import { writeJsonText } from './json-text.ts';
import { addressType, uncompressedColumn } from './mariadb-types.ts';
import { quoteWritten, writeQuoted } from './quoted.ts';
import {
  binaryPadding,
  invalidValue,
  readDouble,
  readFloat,
  writeDecimal,
  writeInteger,
  writeTemporal,
  writeValueText,
} from './value-text.ts';

/** What the literal is for. */
export interface LiteralTarget {
  /** True where the column it goes to, or is compared with, is MySQL's JSON. Other columns get JSON as text. */
  readonly nativeJson: boolean;
  /** True where the column takes characters: numbers stand quoted, and UUID, INET4 and INET6 are written out. Default false. */
  readonly text?: boolean;
}

const TEXT_TARGET: LiteralTarget = { nativeJson: false };
const NATIVE_JSON_TARGET: LiteralTarget = { nativeJson: true };

/** The usual target of a column of its own kind. */
export function targetLike(column: ColumnShape): LiteralTarget {
  return column.type === TYPE.json ? NATIVE_JSON_TARGET : TEXT_TARGET;
}

const QUOTE = 39;

/**
 * Writes the literal of the value of `len` bytes at `off`, for INSERT, SET and VALUES.
 * @throws HOLT_VALUE_INVALID
 */
export function writeLiteral(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
  target: LiteralTarget = targetLike(column),
): void {
  if (column.carrier === 'text') {
    writeTextLiteral(sink, column, buf, off, len, target);
    return;
  }
  if (target.text === true && isPrinted(column)) {
    // None of these texts has a quote or a backslash.
    sink.byte(QUOTE);
    writeValueText(sink, column, buf, off, len);
    sink.byte(QUOTE);
    return;
  }
  switch (column.type) {
    case TYPE.tiny:
    case TYPE.short:
    case TYPE.int24:
    case TYPE.long:
    case TYPE.longlong:
    case TYPE.bit:
    case TYPE.enum:
    case TYPE.set:
      writeInteger(sink, column, buf, off, len);
      return;
    case TYPE.year:
      writeTemporal(sink, column, buf, off, len);
      return;
    case TYPE.newDecimal:
      writeDecimal(sink, column, buf, off, len);
      return;
    case TYPE.float:
      writeDouble(sink, doubleText(readFloat(column, buf, off, len)));
      return;
    case TYPE.double:
      writeDouble(sink, doubleText(readDouble(column, buf, off, len)));
      return;
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
    case TYPE.time2:
    case TYPE.datetime2:
    case TYPE.timestamp2:
      sink.byte(QUOTE);
      writeTemporal(sink, column, buf, off, len);
      sink.byte(QUOTE);
      return;
    case TYPE.json:
      writeJson(sink, buf, off, len, target);
      return;
    case TYPE.string:
      writeCharacters(sink, column, buf, off, len, target);
      return;
    case TYPE.varcharCompressed:
    case TYPE.blobCompressed: {
      const plain = uncompressedColumn(buf, off, len);
      writeCharacters(sink, column, plain, 0, plain.length, target);
      return;
    }
    case TYPE.varchar:
    case TYPE.varString:
    case TYPE.tinyBlob:
    case TYPE.mediumBlob:
    case TYPE.longBlob:
    case TYPE.blob:
      writeCharacters(sink, column, buf, off, len, target);
      return;
    case TYPE.geometry:
    case TYPE.vector:
      writeQuoted(sink, buf, off, len);
      return;
    default:
      throw invalidValue(column, `type ${column.type}`);
  }
}

/** Types without characters of their own, whose text is ASCII. */
export function isPrinted(column: ColumnShape): boolean {
  switch (column.type) {
    case TYPE.tiny:
    case TYPE.short:
    case TYPE.int24:
    case TYPE.long:
    case TYPE.longlong:
    case TYPE.bit:
    case TYPE.year:
    case TYPE.newDecimal:
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
    case TYPE.time2:
    case TYPE.datetime2:
    case TYPE.timestamp2:
      return true;
    default:
      return addressType(column) !== null;
  }
}

/**
 * Writes the literal for a comparison with the column. It differs from the one for INSERT for native JSON, which is
 * equal to JSON only.
 */
export function writeKeyLiteral(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
  target: LiteralTarget = targetLike(column),
): void {
  if (target.nativeJson && column.carrier === 'binlog' && column.type === TYPE.json) {
    const reader = new JsonReader(buf, off, len);
    writeJsonExpression(sink, reader, reader.root());
    return;
  }
  if (column.type === TYPE.set && column.carrier === 'binlog' && len === 8) {
    // The server compares a SET of 64 members as a signed number.
    writeInteger(sink, { ...column, type: TYPE.longlong, unsigned: false }, buf, off, len);
    return;
  }
  writeLiteral(sink, column, buf, off, len, target);
}

function writeCharacters(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
  target: LiteralTarget,
): void {
  // MySQL refuses binary strings for JSON: it wants to know the character set.
  if (target.nativeJson) sink.latin1(`_${charsetOf(column.collation) ?? 'utf8mb4'}`);
  writeQuoted(sink, buf, off, len, binaryPadding(column, len));
}

function writeJson(sink: ByteSink, buf: Buffer, off: number, len: number, target: LiteralTarget): void {
  const reader = new JsonReader(buf, off, len);
  if (target.nativeJson) {
    writeJsonLiteral(sink, reader, reader.root());
    return;
  }
  sink.latin1('_utf8mb4');
  quoteWritten(sink, (text) => writeJsonText(text, reader, reader.root()));
}

/** `text` is a double's; an exponent keeps the server from reading it as a decimal. */
function writeDouble(sink: ByteSink, text: string): void {
  sink.latin1(text.includes('e') ? text : `${text}e0`);
}

const INTEGER = /^-?[0-9]{1,20}$/;
const DECIMAL = /^-?[0-9]{1,66}(?:\.[0-9]{1,38})?$/;
const DOUBLE = /^-?[0-9]{1,25}(?:\.[0-9]{1,340})?(?:e[+-]?[0-9]{1,3})?$/;
const TEMPORAL = /^-?[0-9][0-9:. -]{0,39}$/;

/**
 * The literal of a value in text form. The text came from a user's code and over a network: what is not quoted is
 * checked to be a number and nothing else.
 */
function writeTextLiteral(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
  target: LiteralTarget,
): void {
  const checked = (form: RegExp): string => {
    const text = len <= 400 ? buf.toString('latin1', off, off + len) : '';
    if (!form.test(text)) throw invalidValue(column, 'no text of its type');
    return text;
  };
  switch (column.type) {
    case TYPE.tiny:
    case TYPE.short:
    case TYPE.int24:
    case TYPE.long:
    case TYPE.longlong:
    case TYPE.bit:
    case TYPE.enum:
    case TYPE.set:
    case TYPE.year:
      writeNumber(sink, checked(INTEGER), target);
      return;
    case TYPE.newDecimal:
      writeNumber(sink, checked(DECIMAL), target);
      return;
    case TYPE.float:
      writeDouble(sink, doubleText(Math.fround(Number(checked(DOUBLE)))));
      return;
    case TYPE.double:
      writeDouble(sink, checked(DOUBLE));
      return;
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
    case TYPE.time2:
    case TYPE.datetime2:
    case TYPE.timestamp2:
      sink.latin1(`'${checked(TEMPORAL)}'`);
      return;
    case TYPE.json:
      sink.latin1('_utf8mb4');
      writeQuoted(sink, buf, off, len);
      return;
    default:
      // MariaDB takes a binary string for the sixteen bytes of a UUID, and one with a character set for its text.
      if (addressType(column) !== null && target.text !== true) sink.latin1('_latin1');
      writeCharacters(sink, column, buf, off, len, target);
  }
}

function writeNumber(sink: ByteSink, digits: string, target: LiteralTarget): void {
  sink.latin1(target.text === true ? `'${digits}'` : digits);
}
