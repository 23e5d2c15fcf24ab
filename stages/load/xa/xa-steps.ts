/**
 * What a batch with XA transactions asks of Load, in the order of the log: rows to write, bodies to hold, outcomes. Each run of rows, and each
 * body, becomes a payload of its own.
 */
import { Breather } from '../../../lib/breather.ts';
import { HoltError } from '../../../lib/errors.ts';
import { PayloadReader, PayloadWriter } from '../../../model/payload.ts';
import type { XaOutcome } from '../../../model/source-item.ts';

export type XaStep =
  | { readonly kind: 'rows'; readonly payload: Buffer }
  /** Rows of a prepared transaction, or a part of them; the first part replaces whatever is held under the id. */
  | {
      readonly kind: 'hold';
      readonly xid: string;
      readonly first: boolean;
      /** Commit time of the PREPARE, µs since 1970. */
      readonly commitUs: number;
      readonly payload: Buffer;
    }
  | { readonly kind: XaOutcome; readonly xid: string };

/** @throws HOLT_PAYLOAD_CORRUPT, or the signal's reason */
export async function xaSteps(payload: Buffer, signal: AbortSignal): Promise<readonly XaStep[]> {
  const steps: XaStep[] = [];
  const reader = new PayloadReader(payload);
  const writer = new PayloadWriter();
  const breather = new Breather();
  let body: { readonly xid: string; readonly first: boolean; readonly commitUs: number } | null = null;
  const finish = () => {
    // An empty body is held, too: it says that the PREPARE was read.
    if (body !== null) steps.push({ kind: 'hold', ...body, payload: writer.finish() });
    else if (writer.rows > 0) steps.push({ kind: 'rows', payload: writer.finish() });
    writer.reset();
    body = null;
  };
  for (let record = reader.next(); record !== null; record = reader.next()) {
    switch (record) {
      case 'table':
      // Of the batch, and written with it.
      case 'definition':
        break;
      case 'transaction':
        if (body !== null) finish();
        writer.transaction(reader.commitUs, reader.gtid);
        break;
      case 'rows': {
        const shape = reader.shapes[reader.table];
        if (shape === undefined) break;
        const { op, flags, rows, before, after, dataStart, dataEnd } = reader;
        writer.rawRows(shape, op, flags, rows, before, after, payload, dataStart, dataEnd);
        break;
      }
      case 'xa-body':
        finish();
        body = { xid: reader.xid, first: reader.xaFirst, commitUs: reader.commitUs };
        writer.transaction(reader.commitUs, reader.gtid);
        break;
      case 'xa-outcome':
        finish();
        steps.push({ kind: reader.xaOutcome, xid: reader.xid });
        break;
      case 'statement':
        throw new HoltError(
          'HOLT_PAYLOAD_CORRUPT',
          'a schema change stands in a batch with XA transactions',
          {
            disposition: 'rewind',
          },
        );
      default:
        record satisfies never;
    }
    if (breather.due()) {
      await breather.breathe();
      signal.throwIfAborted();
    }
  }
  finish();
  return steps;
}
