/**
 * Rows as JavaScript objects, a property per column: what programs that look at every value want. Compiled once per shape; a row
 * costs its object and its values, nothing else.
 *
 * | type | value |
 * |---|---|
 * | NULL, and columns that the image does not have | null |
 * | integers, YEAR, ENUM (number of the member) | number; a string of digits beyond 2^53 |
 * | FLOAT, DOUBLE | number |
 * | CHAR, VARCHAR, TEXT in utf8 and ascii | string |
 * | everything else | as `decodeValue` gives it; a bigint as number or string, as above |
 */
import { assert } from '../../lib/assert.ts';
import { LogRows } from '../../model/log-rows.ts';
import { ROW_FLAG } from '../../model/rows.ts';
import type { SourceRows } from '../../model/source-item.ts';
import type { ColumnShape, TableShape } from '../../model/table-shape.ts';
import { charsetOf } from './charset.ts';
import { TYPE } from './column-type.ts';
import { decodeValue } from './decode.ts';
import { compileRowScanner, type RowScanner } from './row-scanner.ts';

export type RowValue = null | number | string | Buffer;
export type RowImage = Readonly<Record<string, RowValue>>;

/** What `toString` comes to, without its questions: they cost a fifth of the whole for a short text. */
interface SliceableBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
}

/** How a column's bytes are read; what has no way of its own goes through `decodeValue`. */
const WAY = { other: 0, int32: 1, uint32: 2, text: 3, int8: 4, uint8: 5, int16: 6, uint16: 7 } as const;

export interface RowValues {
  /** The images of a rows event in its order: of an update, each before image is followed by its after image. @throws HOLT_ROW_CORRUPT, HOLT_VALUE_INVALID */
  read(rows: SourceRows): readonly RowImage[];
}

/** @throws HOLT_EVENT_UNSUPPORTED for a column type whose size is not known. */
export function compileRowValues(shape: TableShape): RowValues {
  return new CompiledValues(shape);
}

class CompiledValues implements RowValues {
  readonly #columns: readonly ColumnShape[];
  readonly #names: readonly string[];
  readonly #ways: Uint8Array;
  readonly #scanner: RowScanner;

  constructor(shape: TableShape) {
    this.#columns = shape.columns;
    this.#names = shape.columns.map((column) => column.name);
    this.#ways = Uint8Array.from(shape.columns, wayOf);
    this.#scanner = compileRowScanner(shape);
  }

  read(rows: SourceRows): readonly RowImage[] {
    assert((rows.flags & ROW_FLAG.partialJson) === 0, 'images with partial JSON are no rows by themselves');
    const { before, after } = rows;
    const images: RowImage[] = [];
    const inLog = rows instanceof LogRows;
    const data = inLog ? rows.memory : rows.data;
    const end = inLog ? rows.to : data.length;
    let at = inLog ? rows.from : 0;
    for (let index = 0; index < rows.rows; index++) {
      if (before !== null) {
        at = this.#scanner.scan(data, at, end, before);
        images.push(this.#image(data));
      }
      if (after !== null) {
        at = this.#scanner.scan(data, at, end, after);
        images.push(this.#image(data));
      }
    }
    return images;
  }

  /** Written out for the first columns: a place of the code that always sets the same property is several times as fast (measured). */
  #image(bytes: Buffer): RowImage {
    const image: Record<string, RowValue> = {};
    const names = this.#names;
    const count = names.length;
    if (count > 0) image[names[0] as string] = this.#valueOf(bytes, 0);
    if (count > 1) image[names[1] as string] = this.#valueOf(bytes, 1);
    if (count > 2) image[names[2] as string] = this.#valueOf(bytes, 2);
    if (count > 3) image[names[3] as string] = this.#valueOf(bytes, 3);
    if (count > 4) image[names[4] as string] = this.#valueOf(bytes, 4);
    if (count > 5) image[names[5] as string] = this.#valueOf(bytes, 5);
    if (count > 6) image[names[6] as string] = this.#valueOf(bytes, 6);
    if (count > 7) image[names[7] as string] = this.#valueOf(bytes, 7);
    for (let i = 8; i < count; i++) image[names[i] as string] = this.#valueOf(bytes, i);
    return image;
  }

  #valueOf(bytes: Buffer, column: number): RowValue {
    const length = this.#scanner.lengths[column] as number;
    if (length < 0) return null;
    return this.#value(
      bytes,
      column,
      this.#ways[column] as number,
      this.#scanner.offsets[column] as number,
      length,
    );
  }

  #value(bytes: Buffer, column: number, way: number, at: number, length: number): RowValue {
    switch (way) {
      case WAY.int32:
        return (
          (bytes[at] as number) |
          ((bytes[at + 1] as number) << 8) |
          ((bytes[at + 2] as number) << 16) |
          ((bytes[at + 3] as number) << 24)
        );
      case WAY.uint32:
        return (
          ((bytes[at] as number) |
            ((bytes[at + 1] as number) << 8) |
            ((bytes[at + 2] as number) << 16) |
            ((bytes[at + 3] as number) << 24)) >>>
          0
        );
      case WAY.text:
        return (bytes as SliceableBuffer).utf8Slice(at, at + length);
      case WAY.int8:
        return ((bytes[at] as number) << 24) >> 24;
      case WAY.uint8:
        return bytes[at] as number;
      case WAY.int16:
        return (((bytes[at] as number) | ((bytes[at + 1] as number) << 8)) << 16) >> 16;
      case WAY.uint16:
        return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
      default: {
        const value = decodeValue(this.#columns[column] as ColumnShape, bytes, at, length) ?? null;
        return typeof value === 'bigint' ? numberOrDigits(value) : value;
      }
    }
  }
}

function wayOf(column: ColumnShape): number {
  if (column.carrier === 'text') return WAY.other;
  switch (column.type) {
    case TYPE.tiny:
      return column.unsigned ? WAY.uint8 : WAY.int8;
    case TYPE.short:
      return column.unsigned ? WAY.uint16 : WAY.int16;
    case TYPE.long:
      return column.unsigned ? WAY.uint32 : WAY.int32;
    case TYPE.string:
    case TYPE.varchar:
    case TYPE.varString:
    case TYPE.tinyBlob:
    case TYPE.mediumBlob:
    case TYPE.longBlob:
    case TYPE.blob:
      return isPlainText(column) ? WAY.text : WAY.other;
    default:
      return WAY.other;
  }
}

function isPlainText(column: ColumnShape): boolean {
  const charset = charsetOf(column.collation);
  return charset === 'utf8mb4' || charset === 'utf8mb3' || charset === 'ascii';
}

function numberOrDigits(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}
