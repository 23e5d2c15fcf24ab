/**
 * Values for code that looks into rows: row filters and user processors. Everything else passes rows on raw.
 *
 * | type | value |
 * |---|---|
 * | NULL | null |
 * | integers, YEAR, BIT, ENUM (number of the member), SET (bit mask) | bigint |
 * | FLOAT, DOUBLE | number |
 * | DECIMAL, dates and times | string: the canonical text of `value-text.ts` |
 * | JSON; MariaDB's UUID, INET4, INET6 | string |
 * | CHAR, VARCHAR, TEXT, BINARY, VARBINARY, BLOB, GEOMETRY, VECTOR | Buffer: the bytes, in the column's character set |
 */
import { ByteSink } from '../../lib/byte-sink.ts';
import type { ColumnShape } from '../../model/table-shape.ts';
import { TYPE } from './column-type.ts';
import { addressType, uncompressedColumn } from './mariadb-types.ts';
import { ABSENT_LENGTH, NULL_LENGTH } from './row-scanner.ts';
import { binaryPadding, readDouble, readFloat, writeValueText } from './value-text.ts';

export type DecodedValue = null | bigint | number | string | Buffer;

/** How a column's values are given out. */
export type ValueKind = 'integer' | 'number' | 'text' | 'bytes';

export function valueKind(column: ColumnShape): ValueKind {
  switch (column.type) {
    case TYPE.tiny:
    case TYPE.short:
    case TYPE.int24:
    case TYPE.long:
    case TYPE.longlong:
    case TYPE.year:
    case TYPE.bit:
    case TYPE.enum:
    case TYPE.set:
      return 'integer';
    case TYPE.float:
    case TYPE.double:
      return 'number';
    case TYPE.newDecimal:
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
    case TYPE.time2:
    case TYPE.datetime2:
    case TYPE.timestamp2:
    case TYPE.json:
      return 'text';
    default:
      return addressType(column) === null ? 'bytes' : 'text';
  }
}

/**
 * The value at `off`, with `len` as a row scanner gives it: NULL_LENGTH is null, ABSENT_LENGTH undefined. Bytes are a
 * view into `buf` where they stand there as they are.
 * @throws HOLT_VALUE_INVALID
 */
export function decodeValue(
  column: ColumnShape,
  buf: Buffer,
  off: number,
  len: number,
): DecodedValue | undefined {
  if (len === NULL_LENGTH) return null;
  if (len === ABSENT_LENGTH) return undefined;
  const kind = valueKind(column);
  switch (kind) {
    case 'integer':
      return BigInt(textOf(column, buf, off, len));
    case 'number':
      if (column.carrier === 'text') {
        const number = Number(textOf(column, buf, off, len));
        return column.type === TYPE.float ? Math.fround(number) : number;
      }
      return column.type === TYPE.float
        ? readFloat(column, buf, off, len)
        : readDouble(column, buf, off, len);
    case 'text':
      return textOf(column, buf, off, len);
    case 'bytes':
      return bytesOf(column, buf, off, len);
    default:
      return kind satisfies never;
  }
}

function textOf(column: ColumnShape, buf: Buffer, off: number, len: number): string {
  const sink = new ByteSink(64);
  writeValueText(sink, column, buf, off, len);
  return sink.view().toString('utf8');
}

function bytesOf(column: ColumnShape, buf: Buffer, off: number, len: number): Buffer {
  if (column.carrier === 'text') return buf.subarray(off, off + len);
  if (column.type === TYPE.varcharCompressed || column.type === TYPE.blobCompressed)
    return uncompressedColumn(buf, off, len);
  const padding = binaryPadding(column, len);
  const bytes = buf.subarray(off, off + len);
  return padding === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(padding)]);
}
