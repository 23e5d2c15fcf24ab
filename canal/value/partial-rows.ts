/**
 * Images of PARTIAL_UPDATE_ROWS made into those of an ordinary update: every JSON diff is applied to the document of the
 * before image. What follows then need not know of partial JSON.
 */
import { ByteSink } from '../../lib/byte-sink.ts';
import { bitmapHas, type ColumnBitmap } from '../../model/rows.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { applyJsonDiffs } from './json-diff.ts';
import { NULL_LENGTH, type RowScanner } from './row-scanner.ts';

/** Two scanners of the shape: one holds the before image while the other reads the after image. */
export interface PartialRowScanners {
  readonly before: RowScanner;
  readonly after: RowScanner;
}

/**
 * `data` with full documents in place of diffs. Null where a diff's document before is not in the image
 * (binlog_row_image=MINIMAL): such diffs can only be applied by the target, see `writeJsonDiffExpression`.
 * @throws HOLT_ROW_CORRUPT, HOLT_JSON_DIFF_INVALID, HOLT_VALUE_INVALID
 */
export function completePartialRows(
  shape: TableShape,
  scanners: PartialRowScanners,
  data: Buffer,
  before: ColumnBitmap,
  after: ColumnBitmap,
): Buffer | null {
  const sink = new ByteSink(data.length * 2);
  const { before: old, after: fresh } = scanners;
  const present = shape.columns.flatMap((_, i) => (bitmapHas(after, i) ? [i] : []));
  for (let at = 0; at < data.length; ) {
    const beforeEnd = old.scan(data, at, data.length, before);
    const afterEnd = fresh.scanPartial(data, beforeEnd, data.length, after);
    sink.copy(data, at, beforeEnd);
    // Null bits and values stand as they are; only the values of partial columns change their size.
    let copied = fresh.imageOffset;
    for (const column of present) {
      if (fresh.partial[column] !== 1) continue;
      const length = fresh.lengths[column] as number;
      if (length === NULL_LENGTH) continue;
      const oldLength = old.lengths[column] as number;
      if (oldLength < 0) return null;
      const oldOffset = old.offsets[column] as number;
      const offset = fresh.offsets[column] as number;
      const document = applyJsonDiffs(
        data.subarray(oldOffset, oldOffset + oldLength),
        data.subarray(offset, offset + length),
      );
      const meta = shape.columns[column]?.meta ?? 4;
      sink.copy(data, copied, offset - meta);
      const out = sink.reserve(meta);
      out.writeUIntLE(document.length, sink.length, meta);
      sink.advance(meta);
      sink.copy(document);
      copied = offset + length;
    }
    sink.copy(data, copied, afterEnd);
    at = afterEnd;
  }
  return sink.take();
}
