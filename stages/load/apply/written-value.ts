import { writeKeyLiteral, writeLiteral } from '../../../canal/value/value-literal.ts';
import type { ByteSink } from '../../../lib/byte-sink.ts';
import { DivergenceSignal } from '../load.ts';
import { isFilledUp } from './foreign-bytes.ts';
import type { WrittenColumn } from './table-plan.ts';
import { checkTextRoom } from './text-room.ts';

/** The value as it is stored into its target column. Throws HOLT_TARGET_VALUE_REFUSED (retry) where the target would not keep it. */
export function writeValue(
  sink: ByteSink,
  column: WrittenColumn,
  payload: Buffer,
  offset: number,
  length: number,
): void {
  refuseFilledUp(column, length);
  if (column.room !== null) checkTextRoom(column.room, column.source, column.target, payload, offset, length);
  if (column.introducer !== '') sink.latin1(column.introducer);
  writeLiteral(sink, column.source, payload, offset, length, column.literal);
}

/** The value as it is compared with its target column. */
export function writeKeyValue(
  sink: ByteSink,
  column: WrittenColumn,
  payload: Buffer,
  offset: number,
  length: number,
): void {
  refuseFilledUp(column, length);
  if (column.keyPrefix !== '') sink.latin1(column.keyPrefix);
  writeKeyLiteral(sink, column.source, payload, offset, length, column.literal);
  if (column.keySuffix !== '') sink.latin1(column.keySuffix);
}

/** Row by row such values go to the ledger. */
function refuseFilledUp(column: WrittenColumn, length: number): void {
  if (isFilledUp(column, length))
    throw new DivergenceSignal(`a value of ${column.target.name} has half a character`);
}
