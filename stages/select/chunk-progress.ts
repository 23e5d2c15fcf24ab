/** How far a transaction is done that is cut into several, counted in rows of the log. */
import { compileRowScanner } from '../../canal/value/row-scanner.ts';
import { HoltError } from '../../lib/errors.ts';
import type { OpenChunk } from '../../model/chunk-position.ts';
import { ROW_FLAG } from '../../model/rows.ts';
import type { SourceRows } from '../../model/source-item.ts';
import { gtidText, type RowsItem } from './formed-batch.ts';

export class ChunkProgress {
  #open: OpenChunk | null;

  constructor(open: OpenChunk | null) {
    this.#open = open;
  }

  /** The transaction of which a beginning is done, or pending, and the rest is not. */
  get open(): OpenChunk | null {
    return this.#open;
  }

  /** Without the rows that are done already, where the position is inside this transaction. */
  restOf(item: RowsItem): RowsItem {
    const done = this.#doneOf(gtidText(item));
    if (done === 0) return item;
    return { ...item, rows: item.rows.flatMap((rows) => rowsBehind(rows, done)) };
  }

  /** All rows of the part. Read again from its first row, a transaction comes to what is done only after a while. */
  done(item: RowsItem): void {
    const transaction = gtidText(item);
    this.#open = { transaction, rawRows: Math.max(this.#doneOf(transaction), rawRowsOf(item)) };
  }

  /** The transaction has ended. @throws HOLT_POSITION_CHUNK when it had fewer rows than are done */
  end(item: RowsItem): void {
    const open = this.#open;
    if (open === null || open.transaction !== gtidText(item)) return;
    if (rawRowsOf(item) < open.rawRows)
      throw new HoltError(
        'HOLT_POSITION_CHUNK',
        `the position says that ${open.rawRows} rows of ${open.transaction} are done, and it has ${rawRowsOf(item)} at this source`,
        { disposition: 'pause', facts: { transaction: open.transaction, rows: rawRowsOf(item) } },
      );
    this.#open = null;
  }

  #doneOf(transaction: string): number {
    return this.#open?.transaction === transaction ? this.#open.rawRows : 0;
  }
}

function rawRowsOf(item: RowsItem): number {
  if (item.rawRows === undefined) throw uncounted(gtidText(item));
  return item.rawRows;
}

/** Those of the rows that stand behind the first `done` of their transaction. */
function rowsBehind(rows: SourceRows, done: number): readonly SourceRows[] {
  const { rawBefore } = rows;
  if (rawBefore === undefined) throw uncounted(`${rows.shape.schema}.${rows.shape.table}`);
  if (rawBefore >= done) return [rows];
  const left = rawBefore + rows.rows - done;
  if (left <= 0) return [];
  const scanner = compileRowScanner(rows.shape);
  const partial = (rows.flags & ROW_FLAG.partialJson) !== 0;
  const { data, before, after } = rows;
  let at = 0;
  for (let skipped = rawBefore; skipped < done; skipped++) {
    if (before !== null) at = scanner.skip(data, at, data.length, before);
    if (after !== null) at = scanner.skip(data, at, data.length, after, partial);
  }
  return [{ ...rows, rows: left, rawBefore: done, data: data.subarray(at) }];
}

/** A defect of ours: Select asks for the count whenever it may need it. */
function uncounted(of: string): HoltError {
  return new HoltError('HOLT_INTERNAL', `rows of ${of} were not counted`, { disposition: 'pause' });
}
