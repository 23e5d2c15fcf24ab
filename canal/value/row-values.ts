/**
 * Rows as JavaScript objects, a property per column: what programs that look at every value want. A row costs its object and its
 * values, nothing else: for tables of which many come, code is generated (`row-values-program.ts`).
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
import { type ColumnBitmap, ROW_FLAG } from '../../model/rows.ts';
import type { SourceRows } from '../../model/source-item.ts';
import type { ColumnShape, TableShape } from '../../model/table-shape.ts';
import { charsetOf } from './charset.ts';
import { TYPE } from './column-type.ts';
import { decodeValue } from './decode.ts';
import { compileRowScanner, type RowScanner } from './row-scanner.ts';
import { type ReadImages, rowProgram, WAY, type Way } from './row-values-program.ts';

export type RowValue = null | number | string | Buffer;
export type RowImage = Readonly<Record<string, RowValue>>;

/** What `toString` comes to, without its questions: they cost a fifth of the whole for a short text. */
interface SliceableBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
}

/** Images of a form that are read without a program: one is worth its making for what comes often. */
const PLAIN_IMAGES = 500;

/** For one pair of bitmaps, which are the same objects event after event. */
interface Form {
  readonly before: ColumnBitmap | null;
  readonly after: ColumnBitmap | null;
  images: number;
  program: ReadImages | null;
}

/** A table has one for each of insert, update and delete; more under MINIMAL images, where columns come and go. */
const MAX_FORMS = 8;

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
  readonly #ways: readonly Way[];
  readonly #scanner: RowScanner;
  readonly #forms: Form[] = [];

  constructor(shape: TableShape) {
    this.#columns = shape.columns;
    this.#names = shape.columns.map((column) => column.name);
    this.#ways = shape.columns.map(wayOf);
    this.#scanner = compileRowScanner(shape);
  }

  read(rows: SourceRows): readonly RowImage[] {
    assert((rows.flags & ROW_FLAG.partialJson) === 0, 'images with partial JSON are no rows by themselves');
    const { before, after } = rows;
    const inLog = rows instanceof LogRows;
    const data = inLog ? rows.memory : rows.data;
    const end = inLog ? rows.to : data.length;
    const from = inLog ? rows.from : 0;
    const form = this.#formOf(before, after);
    if (form.program !== null) return form.program(data, from, end, rows.rows);
    const images = this.#readPlain(rows, data, from, end);
    form.images += images.length;
    if (form.images >= PLAIN_IMAGES) form.program = this.#program(before, after);
    return images;
  }

  #formOf(before: ColumnBitmap | null, after: ColumnBitmap | null): Form {
    const forms = this.#forms;
    for (let i = 0; i < forms.length; i++) {
      const form = forms[i] as Form;
      if (form.before === before && form.after === after) return form;
    }
    const made: Form = { before, after, images: 0, program: null };
    if (forms.length >= MAX_FORMS) forms.shift();
    forms.push(made);
    return made;
  }

  #program(before: ColumnBitmap | null, after: ColumnBitmap | null): ReadImages | null {
    return rowProgram({
      columns: this.#columns,
      ways: this.#ways,
      before,
      after,
      other: (bytes, column, at, length) => this.#other(bytes, column, at, length),
      // What is wrong, the scanner says.
      fail: (bytes, at, end, present) => {
        this.#scanner.scan(bytes, at, end, present);
        throw new Error(`an image at ${at} that can be read and cannot`);
      },
    });
  }

  #readPlain(rows: SourceRows, data: Buffer, from: number, end: number): readonly RowImage[] {
    const { before, after } = rows;
    const images: RowImage[] = [];
    let at = from;
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

  #image(bytes: Buffer): RowImage {
    const image: Record<string, RowValue> = {};
    const { offsets, lengths } = this.#scanner;
    for (let column = 0; column < this.#names.length; column++) {
      const length = lengths[column] as number;
      const at = offsets[column] as number;
      image[this.#names[column] as string] = length < 0 ? null : this.#value(bytes, column, at, length);
    }
    return image;
  }

  #other(bytes: Buffer, column: number, at: number, length: number): RowValue {
    const value = decodeValue(this.#columns[column] as ColumnShape, bytes, at, length) ?? null;
    return typeof value === 'bigint' ? numberOrDigits(value) : value;
  }

  #value(bytes: Buffer, column: number, at: number, length: number): RowValue {
    switch (this.#ways[column]) {
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
      default:
        return this.#other(bytes, column, at, length);
    }
  }
}

function wayOf(column: ColumnShape): Way {
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
