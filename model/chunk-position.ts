/**
 * A position inside a transaction, for pipelines that cut large ones into several (`large_transactions: chunked`):
 *
 *     <position before the transaction>#<its GTID, or file:offset of its first event>@<raw rows done>
 *
 * Raw rows are those of the log, before any filter, so that a changed filter or another size of parts moves nothing. With the last
 * rows the transaction joins the position as any other, and nothing stands behind the `#` any more.
 */
import { HoltError } from '../lib/errors.ts';
import type { Position, PositionText } from './position.ts';

export interface OpenChunk {
  /** Names the transaction: its GTID as its server writes it, else `file:offset`. */
  readonly transaction: string;
  /** Rows of the log that are done, from its first one. */
  readonly rawRows: number;
}

const FORM = /^(.*)#([^#@]+)@([1-9][0-9]{0,14})$/s;

/** Takes a position apart; most have no chunk. */
export function splitChunk(position: Position): {
  readonly base: Position;
  readonly chunk: OpenChunk | null;
} {
  const [, base, transaction, rows] = FORM.exec(position.text) ?? [];
  if (base === undefined || transaction === undefined) return { base: position, chunk: null };
  return {
    base: { ...position, text: base as PositionText },
    chunk: { transaction, rawRows: Number(rows) },
  };
}

/** The position inside the transaction that follows `base`. */
export function withChunk(base: Position, chunk: OpenChunk | null): Position {
  if (chunk === null) return base;
  const { transaction, rawRows } = chunk;
  const text = `${base.text}#${transaction}@${rawRows}`;
  if (!FORM.test(text))
    throw new HoltError('HOLT_POSITION_INVALID', `${JSON.stringify(text)} is no position in a transaction`);
  return { ...base, text: text as PositionText };
}
