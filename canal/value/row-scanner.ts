/**
 * Finds the values in raw row images: for each column where it begins and how long it is, without decoding it.
 *
 *     image          := null bits, one per present column · value per present column that is not NULL
 *     partial image  := lenenc value options (bit 0: partial JSON) · [option: a bit per JSON column of the table] · image
 *     value          := by type: fixed size, or a length in 1 to 4 bytes and the bytes
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Rows__event.html and the column of sizes in
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html; partial images: MySQL worklog
 * 2955, https://dev.mysql.com/worklog/task/?id=2955.
 *
 * This is the innermost loop of Holt: one scanner serves all rows of a shape and writes into the same two arrays; a row
 * allocates nothing.
 */
import { HoltError } from '../../lib/errors.ts';
import type { ColumnBitmap } from '../../model/rows.ts';
import { bitmapHas } from '../../model/rows.ts';
import type { ColumnShape, TableShape } from '../../model/table-shape.ts';
import { TYPE } from './column-type.ts';
import { decimalBytes } from './decimal.ts';
import { oldTemporalBytes } from './temporal.ts';

/** In `lengths`: the value is NULL. */
export const NULL_LENGTH = -1;
/** In `lengths`: the image does not have the column. */
export const ABSENT_LENGTH = -2;

/** How a value's length is found: not written (fixed), or in so many bytes before it. */
type Prefix = 0 | 1 | 2 | 3 | 4;

export interface RowScanner {
  /** Where each column's value begins in the buffer last scanned; meaningful where its length is not negative. */
  readonly offsets: Int32Array;
  /** Bytes of each column's value; NULL_LENGTH, ABSENT_LENGTH. */
  readonly lengths: Int32Array;
  /** 1 for columns whose value, in the partial image last scanned, is a run of JSON diffs and no document. */
  readonly partial: Uint8Array;
  /** Where the null bits of the image last scanned are: behind value options and partial bits, if it has them. */
  readonly imageOffset: number;
  /**
   * Scans the image at `offset`, which must end at or before `end`; returns where the next one begins.
   * @throws HOLT_ROW_CORRUPT
   */
  scan(buf: Buffer, offset: number, end: number, present: ColumnBitmap): number;
  /** The same for an after image in the form of PARTIAL_UPDATE_ROWS. */
  scanPartial(buf: Buffer, offset: number, end: number, present: ColumnBitmap): number;
  /** Steps over an image of either form without noting its values. */
  skip(buf: Buffer, offset: number, end: number, present: ColumnBitmap, partialJson?: boolean): number;
  /** How many rows the images in `data`, or from `start` to `end` of it, make: pairs of images where both bitmaps are given. */
  countRows(
    data: Buffer,
    before: ColumnBitmap | null,
    after: ColumnBitmap | null,
    partialJson?: boolean,
    start?: number,
    end?: number,
  ): number;
}

/** What the bitmap of an image leaves of the columns, in the order of the image. */
interface Plan {
  readonly present: ColumnBitmap;
  readonly columns: Int32Array;
  readonly prefixes: Uint8Array;
  readonly sizes: Int32Array;
  readonly nullBytes: number;
}

/** @throws HOLT_EVENT_UNSUPPORTED for a column type whose size is not known. */
export function compileRowScanner(shape: TableShape): RowScanner {
  return new CompiledScanner(shape);
}

class CompiledScanner implements RowScanner {
  readonly offsets: Int32Array;
  readonly lengths: Int32Array;
  readonly partial: Uint8Array;
  #imageOffset = 0;
  readonly #shape: TableShape;
  readonly #prefixes: Uint8Array;
  readonly #sizes: Int32Array;
  /** Column indexes of the JSON columns, which the partial bits count. */
  readonly #jsonColumns: readonly number[];
  /** The bitmap of `lengths` as it stands: absent columns are marked once per change of bitmap, not per row. */
  #marked: Plan | null = null;
  #plan: Plan | null = null;
  #otherPlan: Plan | null = null;
  #partialDirty = false;

  constructor(shape: TableShape) {
    const columns = shape.columns;
    this.#shape = shape;
    this.offsets = new Int32Array(columns.length);
    this.lengths = new Int32Array(columns.length).fill(ABSENT_LENGTH);
    this.partial = new Uint8Array(columns.length);
    this.#prefixes = Uint8Array.from(columns, lengthPrefix);
    this.#sizes = Int32Array.from(columns, fixedSize);
    this.#jsonColumns = columns.flatMap((column, index) =>
      column.type === TYPE.json && column.carrier === 'binlog' ? [index] : [],
    );
  }

  get imageOffset(): number {
    return this.#imageOffset;
  }

  scan(buf: Buffer, offset: number, end: number, present: ColumnBitmap): number {
    if (this.#partialDirty) this.#clearPartial();
    return this.#scanImage(buf, offset, end, this.#planFor(present));
  }

  scanPartial(buf: Buffer, offset: number, end: number, present: ColumnBitmap): number {
    this.#clearPartial();
    const image = this.#readPartialHead(buf, offset, end, true);
    return this.#scanImage(buf, image, end, this.#planFor(present));
  }

  skip(buf: Buffer, offset: number, end: number, present: ColumnBitmap, partialJson = false): number {
    const image = partialJson ? this.#readPartialHead(buf, offset, end, false) : offset;
    return this.#skipImage(buf, image, end, this.#planFor(present));
  }

  countRows(
    data: Buffer,
    before: ColumnBitmap | null,
    after: ColumnBitmap | null,
    partialJson = false,
    from = 0,
    end = data.length,
  ): number {
    // A row without a single column present has no bytes: servers write such rows (MINIMAL image, all defaults) one an event.
    if (end === from) return 1;
    let rows = 0;
    let at = from;
    while (at < end) {
      const start = at;
      if (before !== null) at = this.#skipImage(data, at, end, this.#planFor(before));
      if (after !== null) {
        if (partialJson) at = this.#readPartialHead(data, at, end, false);
        at = this.#skipImage(data, at, end, this.#planFor(after));
      }
      if (at === start) throw this.#corrupt('rows without a byte', at, end);
      rows += 1;
    }
    return rows;
  }

  #scanImage(buf: Buffer, offset: number, end: number, plan: Plan): number {
    if (this.#marked !== plan) this.#mark(plan);
    const { columns, prefixes, sizes } = plan;
    const offsets = this.offsets;
    const lengths = this.lengths;
    const count = columns.length;
    this.#imageOffset = offset;
    let at = offset + plan.nullBytes;
    if (at > end) throw this.#corrupt('the null bits are cut off', offset, end);
    for (let i = 0; i < count; i++) {
      const column = columns[i] as number;
      if (((buf[offset + (i >> 3)] as number) & (1 << (i & 7))) !== 0) {
        lengths[column] = NULL_LENGTH;
        continue;
      }
      let length = sizes[i] as number;
      switch (prefixes[i]) {
        case 0:
          break;
        case 1:
          length = (buf[at] as number) | 0;
          at += 1;
          break;
        case 2:
          length = (buf[at] as number) | ((buf[at + 1] as number) << 8);
          at += 2;
          break;
        case 3:
          length = (buf[at] as number) | ((buf[at + 1] as number) << 8) | ((buf[at + 2] as number) << 16);
          at += 3;
          break;
        default:
          length =
            ((buf[at] as number) |
              ((buf[at + 1] as number) << 8) |
              ((buf[at + 2] as number) << 16) |
              ((buf[at + 3] as number) << 24)) >>>
            0;
          at += 4;
      }
      offsets[column] = at;
      lengths[column] = length;
      at += length;
      if (at > end) throw this.#corrupt(this.#columnCutOff(column), offset, end);
    }
    return at;
  }

  #skipImage(buf: Buffer, offset: number, end: number, plan: Plan): number {
    const { columns, prefixes, sizes } = plan;
    const count = columns.length;
    let at = offset + plan.nullBytes;
    if (at > end) throw this.#corrupt('the null bits are cut off', offset, end);
    for (let i = 0; i < count; i++) {
      if (((buf[offset + (i >> 3)] as number) & (1 << (i & 7))) !== 0) continue;
      switch (prefixes[i]) {
        case 0:
          at += sizes[i] as number;
          break;
        case 1:
          at += 1 + ((buf[at] as number) | 0);
          break;
        case 2:
          at += 2 + ((buf[at] as number) | ((buf[at + 1] as number) << 8));
          break;
        case 3:
          at += 3 + ((buf[at] as number) | ((buf[at + 1] as number) << 8) | ((buf[at + 2] as number) << 16));
          break;
        default:
          at +=
            4 +
            (((buf[at] as number) |
              ((buf[at + 1] as number) << 8) |
              ((buf[at + 2] as number) << 16) |
              ((buf[at + 3] as number) << 24)) >>>
              0);
      }
      if (at > end) throw this.#corrupt(this.#columnCutOff(columns[i] as number), offset, end);
    }
    return at;
  }

  /** Reads what stands before a partial image; `note` fills `partial`. Returns where the image begins. */
  #readPartialHead(buf: Buffer, offset: number, end: number, note: boolean): number {
    const options = offset < end ? (buf[offset] as number) : -1;
    if (options === 0) return offset + 1;
    const json = this.#jsonColumns;
    const bits = offset + 1;
    const image = bits + ((json.length + 7) >> 3);
    if (options !== 1 || image > end) throw this.#corrupt(`value options ${options}`, offset, end);
    if (note) {
      for (let i = 0; i < json.length; i++)
        if (((buf[bits + (i >> 3)] as number) & (1 << (i & 7))) !== 0) this.partial[json[i] as number] = 1;
      this.#partialDirty = true;
    }
    return image;
  }

  #clearPartial(): void {
    if (this.#partialDirty) this.partial.fill(0);
    this.#partialDirty = false;
  }

  #mark(plan: Plan): void {
    this.lengths.fill(ABSENT_LENGTH);
    this.#marked = plan;
  }

  /** Two plans are kept: an update alternates between its two bitmaps. Events bring bitmaps of their own, mostly equal. */
  #planFor(present: ColumnBitmap): Plan {
    const plan = this.#plan;
    if (plan !== null && (plan.present === present || equalBits(plan.present, present))) return plan;
    const other = this.#otherPlan;
    this.#otherPlan = plan;
    this.#plan =
      other !== null && (other.present === present || equalBits(other.present, present))
        ? other
        : this.#makePlan(present);
    return this.#plan;
  }

  #makePlan(present: ColumnBitmap): Plan {
    const columns = Int32Array.from(
      this.#shape.columns.flatMap((_, index) => (bitmapHas(present, index) ? [index] : [])),
    );
    return {
      present: Uint8Array.from(present),
      columns,
      prefixes: Uint8Array.from(columns, (column) => this.#prefixes[column] ?? 0),
      sizes: Int32Array.from(columns, (column) => this.#sizes[column] ?? 0),
      nullBytes: (columns.length + 7) >> 3,
    };
  }

  #columnCutOff(column: number): string {
    return `the value of column ${this.#shape.columns[column]?.name ?? column} is cut off`;
  }

  #corrupt(why: string, offset: number, end: number): HoltError {
    const { schema, table } = this.#shape;
    return new HoltError('HOLT_ROW_CORRUPT', `a row of ${schema}.${table} cannot be read: ${why}`, {
      facts: { schema, table, imageAt: offset, imagesEnd: end },
    });
  }
}

function equalBits(a: ColumnBitmap, b: ColumnBitmap): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytes of the length that stands before each value of the column; 0 where all are of one size. */
export function valuePrefixBytes(column: ColumnShape): number {
  return lengthPrefix(column);
}

/** Bytes of each value of a column whose values are all of one size. */
export function fixedValueBytes(column: ColumnShape): number {
  return fixedSize(column);
}

function lengthPrefix(column: ColumnShape): Prefix {
  if (column.carrier === 'text') return 4;
  switch (column.type) {
    case TYPE.string:
    case TYPE.varchar:
    case TYPE.varString:
    case TYPE.varcharCompressed:
      return column.meta > 255 ? 2 : 1;
    case TYPE.tinyBlob:
    case TYPE.mediumBlob:
    case TYPE.longBlob:
    case TYPE.blob:
    case TYPE.blobCompressed:
    case TYPE.json:
    case TYPE.geometry:
    case TYPE.vector:
      if (column.meta < 1 || column.meta > 4) throw unknownSize(column);
      return column.meta as Prefix;
    default:
      return 0;
  }
}

function fixedSize(column: ColumnShape): number {
  if (lengthPrefix(column) !== 0) return 0;
  const { meta } = column;
  switch (column.type) {
    case TYPE.null:
      return 0;
    case TYPE.tiny:
    case TYPE.year:
      return 1;
    case TYPE.short:
      return 2;
    case TYPE.int24:
    case TYPE.date:
    case TYPE.newDate:
      return 3;
    case TYPE.long:
    case TYPE.float:
      return 4;
    case TYPE.longlong:
    case TYPE.double:
      return 8;
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
      return oldTemporalBytes(column);
    case TYPE.timestamp2:
      return 4 + fractionBytes(column);
    case TYPE.datetime2:
      return 5 + fractionBytes(column);
    case TYPE.time2:
      return 3 + fractionBytes(column);
    case TYPE.newDecimal:
      return decimalBytes(meta >> 8, meta & 0xff);
    case TYPE.bit:
      return Math.min((meta >> 8) + ((meta & 0xff) > 0 ? 1 : 0), 8);
    case TYPE.enum:
      if (meta !== 1 && meta !== 2) throw unknownSize(column);
      return meta;
    case TYPE.set:
      if (meta < 1 || meta > 8) throw unknownSize(column);
      return meta;
    default:
      throw unknownSize(column);
  }
}

function fractionBytes(column: ColumnShape): number {
  if (column.meta > 6) throw unknownSize(column);
  return (column.meta + 1) >> 1;
}

function unknownSize(column: ColumnShape): HoltError {
  return new HoltError(
    'HOLT_EVENT_UNSUPPORTED',
    `column ${column.name} has type ${column.type} with metadata ${column.meta}, whose size is not known`,
    { facts: { column: column.name, columnType: column.type, meta: column.meta } },
  );
}
