import type { ColumnBitmap, RowOp } from './rows.ts';
import type { SourceRows } from './source-item.ts';
import type { TableShape } from './table-shape.ts';

/** Rows as they lie among others in memory: a view of their images is made only for who asks. */
export class LogRows implements SourceRows {
  readonly shape: TableShape;
  readonly op: RowOp;
  readonly flags: number;
  readonly before: ColumnBitmap | null;
  readonly after: ColumnBitmap | null;
  readonly rows: number;
  readonly rawBefore?: number | undefined;
  /** What the images lie in, from `from` to `to`. */
  readonly memory: Buffer;
  readonly from: number;
  readonly to: number;

  constructor(parts: Omit<LogRows, 'data'>) {
    this.shape = parts.shape;
    this.op = parts.op;
    this.flags = parts.flags;
    this.before = parts.before;
    this.after = parts.after;
    this.rows = parts.rows;
    this.rawBefore = parts.rawBefore;
    this.memory = parts.memory;
    this.from = parts.from;
    this.to = parts.to;
  }

  get data(): Buffer {
    return this.memory.subarray(this.from, this.to);
  }
}
