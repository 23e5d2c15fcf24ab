/**
 * Rows for the ledger: a JSON object of target column → text, null, or {"hex": …} for what is no UTF-8.
 */
import { isUtf8 } from 'node:buffer';
import { NULL_LENGTH } from '../../../canal/value/row-scanner.ts';
import { writeValueText } from '../../../canal/value/value-text.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { quoteName } from '../../../lib/sql-name.ts';
import { targetFamily } from './column-fit.ts';
import type { RowImage } from './fold.ts';
import type { TablePlan } from './table-plan.ts';
import type { TargetColumn } from './target-table.ts';

/** The values by which the change looks for its row: of its key, else of every column that the image has. */
export function keyJson(plan: TablePlan, image: RowImage, payload: Buffer): string {
  const columns = plan.identity.length > 0 ? plan.identity : plan.columns;
  const sink = new ByteSink();
  const row: Record<string, unknown> = {};
  for (const { index, source, target } of columns) {
    const length = image.lengths[index] as number;
    if (length === NULL_LENGTH) row[target.name] = null;
    if (length < 0) continue;
    sink.reset();
    writeValueText(sink, source, payload, image.offsets[index] as number, length);
    row[target.name] = shown(target, sink.take());
  }
  return JSON.stringify(row);
}

/** What to select so that `foundJson` can show the row: every column of the target. */
export function foundColumns(plan: TablePlan): string {
  return plan.target.columns.map(expressionOf).join(',');
}

export function foundJson(plan: TablePlan, values: readonly (Buffer | null)[]): string {
  const row: Record<string, unknown> = {};
  for (const [i, column] of plan.target.columns.entries()) {
    const value = values[i] ?? null;
    row[column.name] = value === null ? null : shown(column, value);
  }
  return JSON.stringify(row);
}

function expressionOf(column: TargetColumn): string {
  const quoted = quoteName(column.name);
  switch (targetFamily(column)) {
    case 'text':
      return `CONVERT(${quoted} USING utf8mb4)`;
    case 'bit':
    case 'enum':
    case 'set':
      return `${quoted}+0`;
    case 'float':
      // As a double: the text of a FLOAT has not all its digits. A sum would lose the sign of zero.
      return `${quoted}*1e0`;
    default:
      return quoted;
  }
}

function shown(column: TargetColumn, value: Buffer): unknown {
  const family = targetFamily(column);
  const opaque = family === 'bytes' || family === 'geometry' || family === 'vector';
  return opaque || !isUtf8(value) ? { hex: value.toString('hex') } : value.toString('utf8');
}
