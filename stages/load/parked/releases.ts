/** Whether a batch takes away what foreign keys may point to in one of its tables. */
import { ABSENT_LENGTH, compileRowScanner } from '../../../canal/value/row-scanner.ts';
import { PayloadReader } from '../../../model/payload.ts';
import { ROW_FLAG } from '../../../model/rows.ts';

/**
 * True when it deletes a row of table number `table`, or changes one of `columns` (indexes in the source's shape; null: any may be
 * meant).
 */
export function releases(payload: Buffer, table: number, columns: readonly number[] | null): boolean {
  const reader = new PayloadReader(payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record !== 'rows' || reader.table !== table) continue;
    if (reader.op === 'delete') return true;
    if (reader.op === 'update' && (columns === null || changes(reader, columns))) return true;
  }
  return false;
}

function changes(reader: PayloadReader, columns: readonly number[]): boolean {
  const { before, after, bytes, dataEnd } = reader;
  const shape = reader.shapes[reader.table];
  if (shape === undefined || before === null || after === null) return true;
  const scanner = compileRowScanner(shape);
  const partial = (reader.flags & ROW_FLAG.partialJson) !== 0;
  const first = new Map<number, Buffer | number>();
  let at = reader.dataStart;
  for (let left = reader.rows; left > 0; left--) {
    at = scanner.scan(bytes, at, dataEnd, before);
    for (const column of columns) first.set(column, byteValue(column));
    at = partial ? scanner.scanPartial(bytes, at, dataEnd, after) : scanner.scan(bytes, at, dataEnd, after);
    for (const column of columns) {
      const [old, now] = [first.get(column), byteValue(column)];
      // A column that the after image lacks has not changed.
      if (now === ABSENT_LENGTH || old === now) continue;
      if (typeof old === 'object' && typeof now === 'object' && old.equals(now)) continue;
      return true;
    }
  }
  return false;

  function byteValue(column: number): Buffer | number {
    const length = scanner.lengths[column] ?? ABSENT_LENGTH;
    const offset = scanner.offsets[column] ?? 0;
    return length < 0 ? length : bytes.subarray(offset, offset + length);
  }
}
