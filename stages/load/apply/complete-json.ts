import { completePartialRows } from '../../../canal/value/partial-rows.ts';
import { compileRowScanner } from '../../../canal/value/row-scanner.ts';
import { Breather } from '../../../lib/breather.ts';
import { PayloadReader, PayloadWriter, surveyPayload } from '../../../model/payload.ts';
import { ROW_FLAG } from '../../../model/rows.ts';

/**
 * The payload with whole JSON documents in place of diffs, wherever the before image has the document; such rows then
 * fold like any others. Diffs of documents that only the target has stay as they are. The same buffer when there are none.
 */
export async function completeJson(payload: Buffer, signal: AbortSignal): Promise<Buffer> {
  if ((surveyPayload(payload).flags & ROW_FLAG.partialJson) === 0) return payload;
  const breather = new Breather();
  const writer = new PayloadWriter(payload.length * 2);
  const reader = new PayloadReader(payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (breather.due()) {
      await breather.breathe();
      signal.throwIfAborted();
    }
    if (record === 'transaction') writer.transaction(reader.commitUs, reader.gtid);
    if (record !== 'rows') continue;
    const shape = reader.shapes[reader.table];
    if (shape === undefined) continue;
    const { op, flags, rows, before, after, dataStart, dataEnd } = reader;
    const whole =
      (flags & ROW_FLAG.partialJson) === 0 || before === null || after === null
        ? null
        : completePartialRows(
            shape,
            { before: compileRowScanner(shape), after: compileRowScanner(shape) },
            payload.subarray(dataStart, dataEnd),
            before,
            after,
          );
    if (whole === null) writer.rawRows(shape, op, flags, rows, before, after, payload, dataStart, dataEnd);
    else
      writer.rawRows(shape, op, flags & ~ROW_FLAG.partialJson, rows, before, after, whole, 0, whole.length);
  }
  return writer.finish();
}
