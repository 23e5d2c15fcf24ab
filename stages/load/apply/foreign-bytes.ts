import { charsetOf } from '../../../canal/value/charset.ts';
import { TYPE } from '../../../canal/value/column-type.ts';
import { isWellFormed } from '../../../canal/value/well-formed.ts';
import { sourceFamily } from './column-fit.ts';
import type { RowImage } from './fold.ts';
import type { TablePlan, WrittenColumn } from './table-plan.ts';

/**
 * Values that a source can hold and a server does not take in a statement: bytes that are no text of their column's
 * character set, and the error value of an ENUM. Neither may be changed to what the server would take.
 */

/** True where a column that goes into characters has bytes that are no text of its own character set. */
export function hasForeignBytes(plan: TablePlan, image: RowImage, payload: Buffer): boolean {
  return plan.columns.some(({ index, source, target }) => {
    const length = image.lengths[index] as number;
    if (length <= 0 || target.charset === null || sourceFamily(source) !== 'text') return false;
    const charset = charsetOf(source.collation);
    return charset !== null && !isWellFormed(charset, payload, image.offsets[index] as number, length);
  });
}

/**
 * True where the server would fill up a value to whole characters instead of refusing it: such bytes must not reach a
 * statement, neither to be stored nor to be compared.
 */
export function isFilledUp(column: WrittenColumn, length: number): boolean {
  return column.wholeCharacters > 1 && length > 0 && length % column.wholeCharacters !== 0;
}

export function hasFilledUp(columns: readonly WrittenColumn[], image: RowImage): boolean {
  return columns.some((column) => isFilledUp(column, image.lengths[column.index] as number));
}

/** How many ENUM columns of the image have the error value 0, which strict sessions refuse. */
export function countErrorLabels(plan: TablePlan, image: RowImage, payload: Buffer): number {
  let count = 0;
  for (const { index, source } of plan.columns) {
    const length = image.lengths[index] as number;
    if (source.type !== TYPE.enum || length <= 0) continue;
    const at = image.offsets[index] as number;
    const isZero =
      source.carrier === 'text'
        ? /^0+$/.test(payload.toString('latin1', at, at + length))
        : payload.subarray(at, at + length).every((byte) => byte === 0);
    if (isZero) count += 1;
  }
  return count;
}
