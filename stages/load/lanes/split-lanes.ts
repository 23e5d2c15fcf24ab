/** A batch's payload divided among lanes, and what of a payload lanes have not done yet. The source's order stays in each piece. */
import { Breather } from '../../../lib/breather.ts';
import { HoltError } from '../../../lib/errors.ts';
import { PayloadReader, PayloadWriter, surveyPayload } from '../../../model/payload.ts';
import type { PositionText } from '../../../model/position.ts';
import { TransactionsBehind } from '../../../model/position-cover.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { TransformedBatch } from '../../stage.ts';
import { type LanePlan, sourceKey } from './lane-plan.ts';
import type { LaneRule } from './lane-rule.ts';
import { RowLanes } from './row-lanes.ts';

/** Rows of a batch, as a batch of their own. */
export interface LaneShare {
  readonly lane: number;
  readonly batch: TransformedBatch;
  readonly rows: number;
}

export type LaneSplit =
  | {
      readonly kind: 'shares';
      readonly shares: readonly LaneShare[];
      /** Where a lane is that has done its share: the start of the batch and the transactions in it. */
      readonly reached: PositionText;
    }
  /** Rows of these tables, by number, change lanes: nothing is divided. */
  | { readonly kind: 'moves'; readonly tables: ReadonlySet<number> }
  /** Numbers of transactions do not rise: after a fault nobody could say which of them a lane has done. */
  | { readonly kind: 'disorder' };

class Piece {
  readonly #batch: TransformedBatch;
  readonly #writer: PayloadWriter;
  /** Numbers in the whole payload of the tables written, in the order of their numbers here. */
  readonly #tables: number[] = [];
  readonly #has: boolean[] = [];
  readonly #eachTransaction: boolean;
  #transaction = -1;

  /** `eachTransaction`: which rows are whose is kept; else all stand behind the first, for those who write nothing of it. */
  constructor(batch: TransformedBatch, eachTransaction: boolean, expectedBytes: number) {
    this.#batch = batch;
    this.#writer = new PayloadWriter(expectedBytes);
    this.#eachTransaction = eachTransaction;
  }

  get rows(): number {
    return this.#writer.rows;
  }

  /** Rows of the record at hand, from `start` to `end`. */
  write(reader: PayloadReader, start: number, end: number, rows: number): void {
    const shape = reader.shapes[reader.table];
    if (shape === undefined) return;
    if (this.#transaction !== reader.transaction && (this.#eachTransaction || this.#transaction < 0)) {
      this.#transaction = reader.transaction;
      this.#writer.transaction(reader.commitUs, reader.gtid);
    }
    if (this.#has[reader.table] !== true) {
      this.#has[reader.table] = true;
      this.#tables.push(reader.table);
    }
    const { op, flags, before, after, bytes } = reader;
    this.#writer.rawRows(shape, op, flags, rows, before, after, bytes, start, end);
  }

  definitions(): void {
    for (const one of surveyPayload(this.#batch.payload).definitions) this.#writer.definition(one);
  }

  finish(): TransformedBatch {
    const routes = this.#tables.flatMap((old, table): TableRoute[] => {
      const route = this.#batch.routes.find((one) => one.table === old);
      return route === undefined ? [] : [{ ...route, table }];
    });
    return { ...this.#batch, payload: this.#writer.finish(), routes };
  }
}

/** `rules`: by table number of the payload, of every table. @throws HOLT_PAYLOAD_CORRUPT, HOLT_ROW_CORRUPT, the signal's reason */
export async function splitLanes(
  batch: TransformedBatch,
  rules: readonly LaneRule[],
  lanes: number,
  signal: AbortSignal,
): Promise<LaneSplit> {
  const { payload, header } = batch;
  const rowLanes = surveyPayload(payload).shapes.map((shape, table) => {
    const rule = rules[table];
    if (rule === undefined) throw new HoltError('HOLT_LOAD_DEFECT', `table ${table} has no rule for lanes`);
    return new RowLanes(shape, rule, lanes);
  });
  // Somewhat more than an even share: growing means copying.
  const expected = Math.ceil((payload.length / lanes) * 1.1) + 4096;
  const pieces = Array.from({ length: lanes }, () => new Piece(batch, false, expected));
  const behind = new TransactionsBehind(header.start);
  const moves = new Set<number>();
  const breather = new Breather();
  const reader = new PayloadReader(payload);
  const onRun = (lane: number, start: number, end: number, rows: number) =>
    pieces[lane - 1]?.write(reader, start, end, rows);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'transaction' && !behind.add(reader.gtid)) return { kind: 'disorder' };
    if (record !== 'rows' || moves.has(reader.table)) continue;
    if (rowLanes[reader.table]?.runs(reader, onRun) !== true) moves.add(reader.table);
    if (breather.due()) {
      await breather.breathe();
      signal.throwIfAborted();
    }
  }
  if (moves.size > 0) return { kind: 'moves', tables: moves };
  return {
    kind: 'shares',
    shares: pieces.flatMap((piece, index) =>
      piece.rows === 0 ? [] : [{ lane: index + 1, rows: piece.rows, batch: piece.finish() }],
    ),
    reached: behind.reached(header.end),
  };
}

/** By lane: whether it has done the transaction. */
export type LanesDone = ReadonlyMap<number, (transaction: string) => boolean>;

/**
 * What lanes have not done of a batch: its rows but for those that `plan` gave to a lane that has done their transaction.
 * Definitions stay. Once numbers of transactions do not rise, nothing more is taken for done: lanes are only given what rises.
 * @throws HOLT_LANES_UNCLEAR where it cannot be told what a lane has done
 */
export async function restOf(
  batch: TransformedBatch,
  plan: LanePlan,
  done: LanesDone,
  signal: AbortSignal,
): Promise<TransformedBatch> {
  const { payload, header } = batch;
  const piece = new Piece(batch, true, payload.length);
  const behind = new TransactionsBehind(header.start);
  const rowLanes = surveyPayload(payload).shapes.map((shape) => {
    const rule = plan.rules.get(sourceKey(shape));
    return rule === undefined ? null : new RowLanes(shape, rule, plan.lanes);
  });
  const breather = new Breather();
  const reader = new PayloadReader(payload);
  /** Lanes that have done the transaction at hand. */
  const past = new Set<number>();
  let rises = true;
  const onRun = (lane: number, start: number, end: number, rows: number) => {
    if (!past.has(lane)) piece.write(reader, start, end, rows);
  };
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'transaction') {
      const { gtid } = reader;
      rises &&= behind.add(gtid);
      past.clear();
      if (rises) for (const [lane, has] of done) if (has(gtid)) past.add(lane);
    }
    if (record !== 'rows') continue;
    const lanes = rowLanes[reader.table] ?? null;
    if (past.size === 0 || lanes === null) piece.write(reader, reader.dataStart, reader.dataEnd, reader.rows);
    else if (!lanes.runs(reader, onRun)) throw unclear(batch, reader);
    if (breather.due()) {
      await breather.breathe();
      signal.throwIfAborted();
    }
  }
  piece.definitions();
  return piece.finish();
}

/** A payload without rows, with the definitions of another. */
export function definitionsOnly(payload: Buffer): Buffer {
  const writer = new PayloadWriter(1024);
  for (const one of surveyPayload(payload).definitions) writer.definition(one);
  return writer.finish();
}

function unclear({ header }: TransformedBatch, reader: PayloadReader): HoltError {
  const { schema = '', table = '' } = reader.shapes[reader.table] ?? {};
  return new HoltError(
    'HOLT_LANES_UNCLEAR',
    `${header.pipeline}: lanes have done parts of ${reader.gtid}, and rows of ${schema}.${table} do not say any more which`,
    {
      disposition: 'pause',
      facts: {
        pipeline: header.pipeline,
        batch: header.seq,
        transaction: reader.gtid,
        table: `${schema}.${table}`,
      },
    },
  );
}
