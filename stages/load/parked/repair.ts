/**
 * Held rows of a table that could not be decoded, once somebody has said what its columns were: their stand-in shape is replaced. The
 * rows' own bytes stay as they came.
 */
import { readsAlike, repairedShape } from '../../../canal/schema/definition.ts';
import type { TableFacts } from '../../../canal/schema/table-facts.ts';
import { compileRowScanner } from '../../../canal/value/row-scanner.ts';
import { Breather } from '../../../lib/breather.ts';
import { HoltError } from '../../../lib/errors.ts';
import { PayloadReader, PayloadWriter, surveyPayload } from '../../../model/payload.ts';
import { ROW_FLAG } from '../../../model/rows.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { type TableName, tableText } from './parked.ts';

/** @throws HoltError HOLT_TABLE_UNREPAIRED where no definition of the table fits the rows, or two do that read them differently. */
export async function repairPayload(
  payload: Buffer,
  definitionsOf: (name: TableName) => readonly TableFacts[],
  signal: AbortSignal,
): Promise<Buffer> {
  const { shapes } = surveyPayload(payload);
  if (!shapes.some(({ fault }) => fault !== undefined)) return payload;
  const good = shapes.map((shape) =>
    shape.fault === undefined
      ? shape
      : repaired(shape, definitionsOf({ schema: shape.schema, table: shape.table })),
  );
  const reader = new PayloadReader(payload);
  const writer = new PayloadWriter(payload.length + 4096);
  const breather = new Breather();
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'transaction') writer.transaction(reader.commitUs, reader.gtid);
    const shape = good[reader.table];
    if (record === 'rows' && shape !== undefined)
      writer.rawRows(
        shape,
        reader.op,
        reader.flags,
        shapes[reader.table]?.fault?.uncounted === true ? counted(reader, shape) : reader.rows,
        reader.before,
        reader.after,
        payload,
        reader.dataStart,
        reader.dataEnd,
      );
    if (breather.due()) {
      await breather.breathe();
      signal.throwIfAborted();
    }
  }
  return writer.finish();
}

function counted(reader: PayloadReader, shape: TableShape): number {
  const data = reader.bytes.subarray(reader.dataStart, reader.dataEnd);
  const partial = (reader.flags & ROW_FLAG.partialJson) !== 0;
  return compileRowScanner(shape).countRows(data, reader.before, reader.after, partial);
}

function repaired(faulty: TableShape, definitions: readonly TableFacts[]): TableShape {
  const fitting = definitions.flatMap((facts) => repairedShape(faulty, facts) ?? []);
  const [first] = fitting;
  if (first !== undefined && fitting.every((one) => readsAlike(one, first))) return first;
  const name = tableText(faulty);
  throw new HoltError(
    'HOLT_TABLE_UNREPAIRED',
    first === undefined
      ? `nobody has said what the columns of held rows of ${name} were: ${faulty.fault?.why ?? ''}`
      : `held rows of ${name} fit several definitions that read them differently`,
    {
      disposition: 'pause',
      remedy: `Make a table at the source with the columns that ${name} had then, in their order, and name it: holt table resume <pipeline> ${name} --like <schema.table>.`,
      facts: { table: name },
    },
  );
}
