/**
 * A row filter on raw rows: only the columns it names are decoded, what passes is copied as it came.
 *
 * The filter divides the table in two; the target has the part that passes. So an update that leaves the part is a
 * delete there, one that enters it is an insert, and one within it stays an update.
 */
import {
  ABSENT_LENGTH,
  compileRowScanner,
  NULL_LENGTH,
  type RowScanner,
} from '../../canal/value/row-scanner.ts';
import { writeValueText } from '../../canal/value/value-text.ts';
import { ByteSink } from '../../lib/byte-sink.ts';
import { HoltError } from '../../lib/errors.ts';
import type { PayloadReader, PayloadWriter } from '../../model/payload.ts';
import type { RowExpression } from '../../model/row-expression.ts';
import { columnsOf } from '../../model/row-expression.ts';
import { compilePredicate, type ValueAt } from '../../model/row-predicate.ts';
import { bitmapIsFull, ROW_FLAG } from '../../model/rows.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { comparisonKind } from './column-kind.ts';

/** Rewrites the rows record a reader stands at. */
export interface RowsRewriter {
  rewrite(reader: PayloadReader, writer: PayloadWriter): void;
}

export class RowFilter implements RowsRewriter {
  readonly #shape: TableShape;
  readonly #table: string;
  readonly #passes: (value: ValueAt) => boolean;
  readonly #before: RowScanner;
  readonly #after: RowScanner;
  readonly #scratch = new ByteSink(256);
  #bytes: Buffer = Buffer.alloc(0);
  /** Whose values `#value` reads: the after image falls back to the before image for columns it does not log. */
  #image: 'before' | 'after' = 'before';
  #hasBefore = false;
  readonly #value: ValueAt = (index) => this.#valueAt(index);

  constructor(shape: TableShape, expression: RowExpression) {
    this.#shape = shape;
    this.#table = `${shape.schema}.${shape.table}`;
    const named = new Set([...columnsOf(expression)].map((name) => name.toLowerCase()));
    const columns = shape.columns.map((column) => ({
      name: column.name,
      kind: named.has(column.name.toLowerCase()) ? comparisonKind(column, this.#table) : ('bytes' as const),
    }));
    this.#passes = compilePredicate(expression, columns, this.#table);
    this.#before = compileRowScanner(shape);
    this.#after = compileRowScanner(shape);
  }

  rewrite(reader: PayloadReader, writer: PayloadWriter): void {
    const { bytes, before, after, flags, dataEnd } = reader;
    this.#bytes = bytes;
    this.#hasBefore = before !== null;
    const partial = (flags & ROW_FLAG.partialJson) !== 0;
    const plainFlags = flags & ~ROW_FLAG.partialJson;
    // Rows that go on unchanged, next to each other, go as one record.
    let runStart = -1;
    let runEnd = -1;
    let runRows = 0;
    const flush = () => {
      if (runRows > 0)
        writer.rawRows(this.#shape, reader.op, flags, runRows, before, after, bytes, runStart, runEnd);
      runRows = 0;
    };
    const keep = (start: number, end: number) => {
      if (runRows > 0 && runEnd === start) runEnd = end;
      else {
        flush();
        runStart = start;
        runEnd = end;
      }
      runRows += 1;
    };
    let at = reader.dataStart;
    for (let row = 0; row < reader.rows; row++) {
      const start = at;
      let middle = at;
      let was = false;
      let is = false;
      if (before !== null) {
        middle = at = this.#before.scan(bytes, at, dataEnd, before);
        this.#image = 'before';
        was = this.#passes(this.#value);
      }
      if (after !== null) {
        at = partial
          ? this.#after.scanPartial(bytes, at, dataEnd, after)
          : this.#after.scan(bytes, at, dataEnd, after);
        this.#image = 'after';
        is = this.#passes(this.#value);
      }
      if (reader.op !== 'update') {
        if (was || is) keep(start, at);
      } else if (was && is) {
        keep(start, at);
      } else if (was) {
        flush();
        writer.rawRows(this.#shape, 'delete', plainFlags, 1, before, null, bytes, start, middle);
      } else if (is) {
        flush();
        if (partial || after === null || !bitmapIsFull(after, this.#shape.columns.length))
          throw this.#imageLacks('all columns');
        writer.rawRows(this.#shape, 'insert', plainFlags, 1, null, after, bytes, middle, at);
      }
    }
    flush();
  }

  #valueAt(index: number): Buffer | null {
    let scanner = this.#image === 'before' ? this.#before : this.#after;
    if (this.#image === 'after' && this.#hasBefore && scanner.lengths[index] === ABSENT_LENGTH)
      scanner = this.#before;
    const length = scanner.lengths[index] ?? ABSENT_LENGTH;
    if (length === NULL_LENGTH) return null;
    const column = this.#shape.columns[index];
    if (length === ABSENT_LENGTH || column === undefined || scanner.partial[index] === 1)
      throw this.#imageLacks(column?.name ?? `column ${index}`);
    this.#scratch.reset();
    writeValueText(this.#scratch, column, this.#bytes, scanner.offsets[index] ?? 0, length);
    return this.#scratch.view();
  }

  #imageLacks(what: string): HoltError {
    return new HoltError(
      'HOLT_ROW_FILTER_IMAGE',
      `the row filter on ${this.#table} needs ${what}, which the row image in the log lacks`,
      {
        disposition: 'pause',
        remedy:
          'Set binlog_row_image=FULL at the source (and binlog_row_value_options to empty), or take the filter away.',
        facts: { table: this.#table },
      },
    );
  }
}
