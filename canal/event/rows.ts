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
export class RowsEvent {
  readonly kind = 'rows';
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

  constructor(parts: Omit<RowsEvent, 'kind' | 'data'>) {
    this.header = parts.header;
    this.op = parts.op;
    this.tableId = parts.tableId;
    this.flags = parts.flags;
    this.columnCount = parts.columnCount;
    this.before = parts.before;
    this.after = parts.after;
    this.partialJson = parts.partialJson;
    this.memory = parts.memory;
    this.from = parts.from;
    this.to = parts.to;
  }

  get data(): Buffer {
    return this.memory.subarray(this.from, this.to);
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
  return new RowsEvent({
    header,
    op: form.op,
    tableId,
    flags,
    columnCount,
    before: form.op === 'insert' ? null : first,
    after: form.op === 'insert' ? first : second,
    partialJson: form.partialJson,
    memory,
    from,
    to,
  });
}
