/**
 * Row events: what was inserted, updated or deleted, as row images that only the table map makes readable.
 *
 *     u48 table id (u32 where the post-header has 6 bytes) · u16 flags
 *     version 2: u16 extra length, counting itself · extra data
 *     lenenc columns · bitmap of the before image (or the only one) · [update: bitmap of the after image]
 *     row images (rest); MariaDB's compressed forms: packed as in `mariadb-compression.ts`
 *
 * PARTIAL_UPDATE_ROWS has the form of an update of version 2; each of its after images is preceded by
 * lenenc value options · [option 1: a bit per JSON column of the table], see `canal/value/row-scanner.ts`.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Rows__event.html.
 */
import type { ColumnBitmap, RowOp } from '../../model/rows.ts';
import type { BitmapKeeper } from './bitmap-keeper.ts';
import type { ByteReader } from './byte-reader.ts';
import type { EventHeader } from './event.ts';

/** MySQL allows 4096 columns in a table, MariaDB too. */
export const MAX_COLUMNS = 4096;

export interface RowsForm {
  readonly op: RowOp;
  readonly version: 1 | 2;
  readonly partialJson: boolean;
  readonly tableIdBytes: 4 | 6;
  /** Undoes MariaDB's compression; null where the images stand plain. */
  readonly unpack: ((packed: Buffer) => Buffer) | null;
}

/** The images lie in `memory` from `from` to `to`; a view of them is made only for who asks. Bitmaps are no views, and equal ones are one object. */
export interface RowsEvent {
  readonly kind: 'rows';
  readonly header: EventHeader;
  readonly op: RowOp;
  readonly tableId: number;
  /** `ROW_FLAG` bits. */
  readonly flags: number;
  readonly columnCount: number;
  readonly before: ColumnBitmap | null;
  readonly after: ColumnBitmap | null;
  readonly partialJson: boolean;
  readonly memory: Buffer;
  readonly from: number;
  readonly to: number;
  readonly data: Buffer;
}

/** Columns whose number is one byte. */
const MAX_SHORT_LENENC = 250;

/** A rows event that can be read into again: for who is done with one before the next comes. */
export class PassingRows implements RowsEvent {
  readonly kind = 'rows';
  header: EventHeader;
  op: RowOp = 'insert';
  tableId = 0;
  flags = 0;
  columnCount = 0;
  before: ColumnBitmap | null = null;
  after: ColumnBitmap | null = null;
  partialJson = false;
  memory: Buffer;
  from = 0;
  to = 0;

  constructor(header: EventHeader, memory: Buffer) {
    this.header = header;
    this.memory = memory;
  }

  get data(): Buffer {
    return this.memory.subarray(this.from, this.to);
  }

  /**
   * Reads the body from `at` to `end` if it is of the usual form: images that stand plain, few columns, nothing cut short. False where it is
   * not, which `decodeRows` sees to.
   */
  read(
    memory: Buffer,
    at: number,
    end: number,
    header: EventHeader,
    form: RowsForm,
    bitmaps: BitmapKeeper,
  ): boolean {
    if (form.unpack !== null || form.tableIdBytes !== 6 || at + 11 > end) return false;
    let next = at + 8;
    if (form.version === 2) {
      const extraLength = (memory[next] as number) | ((memory[next + 1] as number) << 8);
      next += extraLength;
      if (extraLength < 2 || next >= end) return false;
    }
    const columnCount = memory[next] as number;
    next += 1;
    const bitmapBytes = (columnCount + 7) >> 3;
    const from = next + (form.op === 'update' ? 2 * bitmapBytes : bitmapBytes);
    if (columnCount > MAX_SHORT_LENENC || from > end) return false;
    const first = bitmaps.keepAt(memory, next, bitmapBytes);
    const second = form.op === 'update' ? bitmaps.keepAt(memory, next + bitmapBytes, bitmapBytes) : null;
    const low =
      (memory[at] as number) |
      ((memory[at + 1] as number) << 8) |
      ((memory[at + 2] as number) << 16) |
      ((memory[at + 3] as number) << 24);
    const high = (memory[at + 4] as number) | ((memory[at + 5] as number) << 8);
    this.header = header;
    this.op = form.op;
    this.tableId = high * 0x1_0000_0000 + (low >>> 0);
    this.flags = (memory[at + 6] as number) | ((memory[at + 7] as number) << 8);
    this.columnCount = columnCount;
    this.before = form.op === 'insert' ? null : first;
    this.after = form.op === 'insert' ? first : second;
    this.partialJson = form.partialJson;
    this.memory = memory;
    this.from = from;
    this.to = end;
    return true;
  }
}

export function decodeRows(
  reader: ByteReader,
  header: EventHeader,
  form: RowsForm,
  bitmaps: BitmapKeeper,
): RowsEvent {
  const tableId = form.tableIdBytes === 6 ? reader.u48() : reader.u32();
  const flags = reader.u16();
  if (form.version === 2) {
    const extraLength = reader.u16();
    if (extraLength < 2) reader.fail(`extra data of ${extraLength} bytes`);
    reader.skip(extraLength - 2);
  }
  const columnCount = reader.lenenc();
  if (columnCount > MAX_COLUMNS) reader.fail(`${columnCount} columns`);
  const bitmapBytes = (columnCount + 7) >> 3;
  const first = bitmaps.keep(reader, bitmapBytes);
  const second = form.op === 'update' ? bitmaps.keep(reader, bitmapBytes) : null;
  let memory = reader.memory;
  let from = reader.at;
  let to = reader.end;
  if (form.unpack !== null && from < to) {
    memory = form.unpack(reader.rest());
    from = 0;
    to = memory.length;
  }
  const event = new PassingRows(header, memory);
  event.op = form.op;
  event.tableId = tableId;
  event.flags = flags;
  event.columnCount = columnCount;
  event.before = form.op === 'insert' ? null : first;
  event.after = form.op === 'insert' ? first : second;
  event.partialJson = form.partialJson;
  event.from = from;
  event.to = to;
  return event;
}
