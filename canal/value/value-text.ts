/**
 * The canonical text of a value: exact, and the same for equal values. What a user processor returns has this form too
 * (carrier `text`).
 *
 * | type | text |
 * |---|---|
 * | integers, YEAR | decimal digits, "-" in front; YEAR has four digits, 0000 for the zero year |
 * | DECIMAL | all digits of the scale, none too many before the point: `-0.50` |
 * | FLOAT, DOUBLE | the shortest decimal that gives the same bits: `0.1`, `1e+30`, `-0` |
 * | DATE, TIME, DATETIME | as the server prints them, with all digits of the fraction: `0000-00-00`, `-838:59:59.000000` |
 * | TIMESTAMP | the same, in UTC |
 * | BIT | unsigned decimal |
 * | ENUM | number of the member, from 1; 0 is the error value |
 * | SET | unsigned decimal of the bit mask |
 * | JSON | the document in utf8mb4, as MySQL prints it |
 * | CHAR, VARCHAR, TEXT, BINARY, VARBINARY, BLOB | the bytes, in the column's own character set; BINARY filled up with zero bytes |
 * | GEOMETRY, VECTOR | the bytes |
 * | UUID, INET4, INET6 (MariaDB, where the declared type is known) | as the server prints them |
 */
import type { ByteSink } from '../../lib/byte-sink.ts';
import { HoltError } from '../../lib/errors.ts';
import type { ColumnShape } from '../../model/table-shape.ts';
import { TYPE } from './column-type.ts';
import { decimalBytes, MAX_DECIMAL_TEXT, putDecimal } from './decimal.ts';
import { putInt32, putInt64, putUint32, putUint64 } from './digits.ts';
import { doubleText, floatText } from './float.ts';
import { JsonReader } from './json-binary.ts';
import { writeJsonText } from './json-text.ts';
import { addressText, addressType, uncompressedColumn } from './mariadb-types.ts';
import {
  MAX_TEMPORAL_TEXT,
  oldTemporalBytes,
  putDate,
  putDatetime2,
  putOldTemporal,
  putTime2,
  putTimestamp2,
  putYear,
} from './temporal.ts';

const BINARY_COLLATION = 63;
const MAX_INTEGER_TEXT = 20;

/** Writes the text of the value of `len` bytes at `off`, which is neither NULL nor absent. @throws HOLT_VALUE_INVALID */
export function writeValueText(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
): void {
  if (column.carrier === 'text') {
    sink.copy(buf, off, off + len);
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
    case TYPE.newDecimal:
      writeDecimal(sink, column, buf, off, len);
      return;
    case TYPE.float:
      sink.latin1(floatText(readFloat(column, buf, off, len)));
      return;
    case TYPE.double:
      sink.latin1(doubleText(readDouble(column, buf, off, len)));
      return;
    case TYPE.year:
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
    case TYPE.time2:
    case TYPE.datetime2:
    case TYPE.timestamp2:
      writeTemporal(sink, column, buf, off, len);
      return;
    case TYPE.json:
      writeJson(sink, buf, off, len);
      return;
    case TYPE.string: {
      const address = addressType(column);
      if (address !== null) {
        sink.latin1(addressText(address, buf, off, len));
        return;
      }
      sink.copy(buf, off, off + len);
      writeZeros(sink, binaryPadding(column, len));
      return;
    }
    case TYPE.varcharCompressed:
    case TYPE.blobCompressed:
      sink.copy(uncompressedColumn(buf, off, len));
      return;
    case TYPE.varchar:
    case TYPE.varString:
    case TYPE.tinyBlob:
    case TYPE.mediumBlob:
    case TYPE.longBlob:
    case TYPE.blob:
    case TYPE.geometry:
    case TYPE.vector:
      sink.copy(buf, off, off + len);
      return;
    default:
      throw invalidValue(column, `type ${column.type}`);
  }
}

/** Zero bytes that the log has cut from the end of a BINARY(n). */
export function binaryPadding(column: ColumnShape, len: number): number {
  const cut =
    column.type === TYPE.string &&
    column.carrier === 'binlog' &&
    len < column.meta &&
    (column.collation === BINARY_COLLATION || addressType(column) !== null);
  return cut ? column.meta - len : 0;
}

export function writeZeros(sink: ByteSink, count: number): void {
  if (count === 0) return;
  const out = sink.reserve(count);
  out.fill(0, sink.length, sink.length + count);
  sink.advance(count);
}

/** Integers, BIT, ENUM and SET as decimal digits. */
export function writeInteger(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
): void {
  const out = sink.reserve(MAX_INTEGER_TEXT);
  const at = sink.length;
  let to: number;
  switch (column.type) {
    case TYPE.long:
      expectBytes(column, len, 4);
      to = column.unsigned
        ? putUint32(out, at, buf.readUInt32LE(off))
        : putInt32(out, at, buf.readInt32LE(off));
      break;
    case TYPE.longlong: {
      expectBytes(column, len, 8);
      const low = buf.readUInt32LE(off);
      const high = buf.readUInt32LE(off + 4);
      to = column.unsigned ? putUint64(out, at, high, low) : putInt64(out, at, high, low);
      break;
    }
    case TYPE.tiny:
      expectBytes(column, len, 1);
      to = column.unsigned ? putUint32(out, at, buf.readUInt8(off)) : putInt32(out, at, buf.readInt8(off));
      break;
    case TYPE.short:
      expectBytes(column, len, 2);
      to = column.unsigned
        ? putUint32(out, at, buf.readUInt16LE(off))
        : putInt32(out, at, buf.readInt16LE(off));
      break;
    case TYPE.int24:
      expectBytes(column, len, 3);
      to = column.unsigned
        ? putUint32(out, at, buf.readUIntLE(off, 3))
        : putInt32(out, at, buf.readIntLE(off, 3));
      break;
    case TYPE.bit: {
      let low = 0;
      let high = 0;
      checkBytes(column, len, 1, 8);
      for (let i = 0; i < len; i++) {
        const byte = buf[off + i] as number;
        if (i < len - 4) high = high * 256 + byte;
        else low = low * 256 + byte;
      }
      to = putUint64(out, at, high, low);
      break;
    }
    default: {
      // ENUM and SET: little-endian, as many bytes as the members need.
      let low = 0;
      let high = 0;
      checkBytes(column, len, 1, 8);
      for (let i = len - 1; i >= 0; i--) {
        const byte = buf[off + i] as number;
        if (i >= 4) high = high * 256 + byte;
        else low = low * 256 + byte;
      }
      to = putUint64(out, at, high, low);
    }
  }
  sink.advance(to - at);
}

export function writeDecimal(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
): void {
  const precision = column.meta >> 8;
  const scale = column.meta & 0xff;
  expectBytes(column, len, decimalBytes(precision, scale));
  const out = sink.reserve(MAX_DECIMAL_TEXT);
  sink.advance(putDecimal(out, sink.length, buf, off, precision, scale) - sink.length);
}

export function readFloat(column: ColumnShape, buf: Buffer, off: number, len: number): number {
  expectBytes(column, len, 4);
  return finite(column, buf.readFloatLE(off));
}

export function readDouble(column: ColumnShape, buf: Buffer, off: number, len: number): number {
  expectBytes(column, len, 8);
  return finite(column, buf.readDoubleLE(off));
}

/** Dates and times without quotes, and YEAR. */
export function writeTemporal(
  sink: ByteSink,
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
): void {
  const out = sink.reserve(MAX_TEMPORAL_TEXT);
  const at = sink.length;
  const digits = column.meta;
  let to: number;
  switch (column.type) {
    case TYPE.datetime2:
      expectBytes(column, len, 5 + ((digits + 1) >> 1));
      to = putDatetime2(out, at, buf, off, digits);
      break;
    case TYPE.timestamp2:
      expectBytes(column, len, 4 + ((digits + 1) >> 1));
      to = putTimestamp2(out, at, buf, off, digits);
      break;
    case TYPE.time2:
      expectBytes(column, len, 3 + ((digits + 1) >> 1));
      to = putTime2(out, at, buf, off, digits);
      break;
    case TYPE.date:
    case TYPE.newDate:
      expectBytes(column, len, 3);
      to = putDate(out, at, buf, off);
      break;
    case TYPE.year:
      expectBytes(column, len, 1);
      to = putYear(out, at, buf, off);
      break;
    default:
      expectBytes(column, len, oldTemporalBytes(column));
      to = putOldTemporal(out, at, buf, off, column);
  }
  sink.advance(to - at);
}

function writeJson(sink: ByteSink, buf: Buffer, off: number, len: number): void {
  const reader = new JsonReader(buf, off, len);
  writeJsonText(sink, reader, reader.root());
}

function finite(column: ColumnShape, value: number): number {
  if (!Number.isFinite(value)) throw invalidValue(column, `${value}`);
  return value;
}

function expectBytes(column: ColumnShape, len: number, expected: number): void {
  if (len !== expected) throw invalidValue(column, `${len} bytes where ${expected} are due`);
}

function checkBytes(column: ColumnShape, len: number, least: number, most: number): void {
  if (len < least || len > most) throw invalidValue(column, `${len} bytes`);
}

/** `why` must not hold the value itself: errors go into logs. */
export function invalidValue(column: ColumnShape, why: string): HoltError {
  return new HoltError('HOLT_VALUE_INVALID', `a value of column ${column.name} has no valid form: ${why}`, {
    facts: { column: column.name, columnType: column.type },
  });
}
