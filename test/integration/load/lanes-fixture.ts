/**
 * A source that exists on paper, and its target with parallel lanes: transaction k inserts row k of a table with a key, changes and deletes
 * rows of it that came before, writes k into a table without a key, where a repeat shows, and hands a value of a unique key
 * on from row to row, where the order shows.
 */
import type { BatchHeader } from '../../../model/batch.ts';
import { nodeId } from '../../../model/ids.ts';
import { PayloadWriter } from '../../../model/payload.ts';
import type { Position, PositionText } from '../../../model/position.ts';
import type { RowOp } from '../../../model/rows.ts';
import type { ColumnShape, TableShape } from '../../../model/table-shape.ts';
import type { AppliedBatch } from '../../../stages/load/apply/batch-applier.ts';
import { SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import { LanePreparer } from '../../../stages/load/lanes/lane-preparer.ts';
import { LanedLoadRun, type LanedLoadRunOptions } from '../../../stages/load/lanes/laned-load-run.ts';
import { UnparkedApplier } from '../../../stages/load/lanes/unparked-applier.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../../../stages/load/load.ts';
import type { RaiserOptions, TargetRaiser } from '../../../stages/load/target/raise.ts';
import type { TargetConnection } from '../../../stages/load/target/target-connection.ts';
import type { TransformedBatch } from '../../../stages/stage.ts';
import type { Database } from '../../support/database.ts';
import { at as fixtureAt, noSignal, Pipeline, type RaisedReign } from './load-fixture.ts';

export const GTID_SOURCE = '00000000-0000-0000-0000-000000000001';

/** Behind so many transactions. */
const at = (place: number): Position =>
  place === 0 ? { ...fixtureAt(0), text: 'mysql:' as PositionText } : fixtureAt(place);

const int = (name: string): ColumnShape => ({
  name,
  type: 3,
  meta: 0,
  nullable: false,
  unsigned: false,
  collation: 0,
  carrier: 'binlog',
  declared: 'int',
});

type Run = LanedLoadRun<AppliedBatch, AppliedBatch>;
type RunOptions = LanedLoadRunOptions<AppliedBatch, AppliedBatch>;

/** Lets a test wait or throw before a share or a batch is written. */
export class HookedApplier implements BatchApplier<AppliedBatch> {
  before: (prepared: AppliedBatch, careful: boolean) => Promise<void> | void = () => {};
  readonly inner: SqlBatchApplier;

  constructor(inner: SqlBatchApplier) {
    this.inner = inner;
  }

  prepare(batch: TransformedBatch, signal: AbortSignal): Promise<AppliedBatch> {
    return this.inner.prepare(batch, signal);
  }

  async execute(
    prepared: AppliedBatch,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    await this.before(prepared, false);
    return this.inner.execute(prepared, connection, signal);
  }

  async executeCarefully(
    prepared: AppliedBatch,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    await this.before(prepared, true);
    return this.inner.executeCarefully(prepared, connection, signal);
  }
}

export class LanedPipeline {
  readonly pipeline: Pipeline;
  readonly db: Database;
  readonly #schema: string;
  readonly #shapes: readonly TableShape[];
  /** Kinds of changes that the careful path wrote into the ledger. */
  readonly ledgered: string[] = [];

  private constructor(pipeline: Pipeline, schema: string) {
    this.pipeline = pipeline;
    this.db = pipeline.db;
    this.#schema = schema;
    this.#shapes = ['keyed', 'keyless', 'unique'].map((kind, index) => ({
      schema,
      table: `${pipeline.name}-${kind}`,
      columns: [int('id'), int('v')],
      key: index === 1 ? [] : [0],
      hasPrimaryKey: index !== 1,
    }));
  }

  static async on(context: { readonly db: Database; readonly schema: string }): Promise<LanedPipeline> {
    const laned = new LanedPipeline(await Pipeline.on(context), context.schema);
    const columns = 'id INT NOT NULL, v INT NOT NULL';
    await context.db.query(`CREATE TABLE ${laned.table(0)} (${columns}, PRIMARY KEY (id)) ENGINE=InnoDB`);
    await context.db.query(`CREATE TABLE ${laned.table(1)} (${columns}) ENGINE=InnoDB`);
    await context.db.query(
      `CREATE TABLE ${laned.table(2)} (${columns}, PRIMARY KEY (id), UNIQUE (v)) ENGINE=InnoDB`,
    );
    return laned;
  }

  /** 0: with a key; 1: without; 2: with a further unique key. */
  table(kind: number): string {
    return `\`${this.#schema}\`.\`${this.#shapes[kind]?.table}\``;
  }

  raiser(lanes: number, change: Partial<RaiserOptions> = {}): TargetRaiser {
    return this.pipeline.raiser({ lanes: () => lanes, startPosition: async () => at(0), ...change });
  }

  reign(lanes: number, change: Partial<RaiserOptions> = {}): Promise<RaisedReign> {
    return this.pipeline.reign(this.raiser(lanes, change));
  }

  /** A node's half of Load: what prepares batches, and a run. */
  node(
    lanes: number,
    change: Partial<RunOptions> = {},
  ): {
    readonly run: Run;
    readonly prepare: (batch: TransformedBatch) => Promise<PreparedBatch>;
    readonly shares: HookedApplier;
    readonly serial: HookedApplier;
  } {
    const schema = new TargetSchema({
      query: (sql) =>
        this.db.connect().then(async (connection) => {
          try {
            const [rows] = await connection.query({ sql, rowsAsArray: true });
            return (rows as unknown[][]).map((row) =>
              row.map((value) => (value === null ? null : Buffer.from(String(value)))),
            );
          } finally {
            await connection.end();
          }
        }),
    });
    const make = () =>
      new HookedApplier(
        new SqlBatchApplier({
          schema,
          ledger: {
            append: async (_connection, _batch, entry) => {
              this.ledgered.push(`${entry.kind} ${entry.route.name}`);
            },
          },
          conflict: { detect: false, winner: 'east' as never },
          sourceSite: 'east' as never,
        }),
      );
    const [serial, shares] = [make(), make()];
    const shareApplier = new UnparkedApplier({ pipeline: this.pipeline.name, inner: shares });
    const preparer = new LanePreparer({
      lanes,
      minRows: 1,
      serial,
      share: shareApplier,
      plan: (shape, route) => shares.inner.plan(shape, route),
      isProcessed: () => false,
    });
    const run: Run = new LanedLoadRun({
      pipeline: this.pipeline.name,
      node: nodeId('node-w'),
      target: this.pipeline.config,
      applier: serial,
      shareApplier,
      lanes,
      ...change,
    });
    return { run, shares, serial, prepare: (batch) => preparer.prepare(batch, noSignal) };
  }

  /** A node that has taken Load. */
  async taken(reign: RaisedReign, lanes: number, change: Partial<RunOptions> = {}) {
    const node = this.node(lanes, change);
    const outcome = await node.run.take(reign.tenure, reign.epoch, noSignal);
    if (outcome !== null) throw new Error(`not taken: ${outcome.kind}`);
    return node;
  }

  /** Transactions `from` + 1 to `to`. */
  batch(
    reign: RaisedReign,
    seq: number | bigint,
    from: number,
    to: number,
    change: Partial<BatchHeader> = {},
  ): TransformedBatch {
    const writer = new PayloadWriter();
    let rows = 0;
    const write = (
      kind: number,
      op: RowOp,
      before: readonly number[] | null,
      after: readonly number[] | null,
    ) => {
      const shape = this.#shapes[kind];
      if (shape === undefined) return;
      const all = Uint8Array.of(3);
      const data = Buffer.concat([before, after].flatMap((row) => (row === null ? [] : [image(row)])));
      rows += 1;
      writer.rawRows(
        shape,
        op,
        0,
        1,
        before === null ? null : all,
        after === null ? null : all,
        data,
        0,
        data.length,
      );
    };
    for (let k = from + 1; k <= to; k++) {
      writer.transaction(1000 + k, `${GTID_SOURCE}:${k}`);
      write(0, 'insert', null, [k, 0]);
      if (k > 3) write(0, 'update', [k - 3, 0], [k - 3, k]);
      if (k > 6) write(0, 'delete', [k - 6, k - 3], null);
      write(1, 'insert', null, [k, 0]);
      if (k > 1) write(2, 'delete', [k - 1, 7], null);
      write(2, 'insert', null, [k, 7]);
    }
    const [start, end] = [at(from), at(to)];
    return {
      header: this.pipeline.header(reign, Number(seq), {
        rows,
        transactions: to - from,
        start: start.text,
        end: end.text,
        endFile: end.at?.file ?? '',
        endOffset: end.at?.offset ?? 0,
        ...change,
      }),
      payload: writer.finish(),
      routes: this.#shapes.map((shape, table) => ({
        table,
        schema: shape.schema,
        name: shape.table,
        columns: shape.columns.map(({ name }, index) => ({ kind: 'column' as const, name, index })),
      })),
    };
  }

  /** What the tables have, and what they have when everything up to `place` is done once. */
  async tables(): Promise<{ keyed: number[][]; keyless: number[]; unique: number[][] }> {
    const rows = async (kind: number) =>
      (
        await this.db.query<{ id: number; v: number }>(`SELECT id, v FROM ${this.table(kind)} ORDER BY id`)
      ).map(({ id, v }) => [id, v]);
    return { keyed: await rows(0), keyless: (await rows(1)).map(([id]) => id ?? 0), unique: await rows(2) };
  }

  expected(place: number): { keyed: number[][]; keyless: number[]; unique: number[][] } {
    const all = Array.from({ length: place }, (_, i) => i + 1);
    return {
      keyed: all.filter((id) => id > place - 6).map((id) => [id, id > place - 3 ? 0 : id + 3]),
      keyless: all,
      unique: place === 0 ? [] : [[place, 7]],
    };
  }

  /** Of the lanes' rows: lane, seq and the number of transactions that the position has. */
  async lanes(): Promise<number[][]> {
    const rows = await this.db.query<{ lane: number; seq: number; position: Buffer }>(
      'SELECT lane, seq, position FROM holt.checkpoint WHERE pipeline = ? AND lane < 1000 ORDER BY lane',
      [this.pipeline.name],
    );
    return rows.map(({ lane, seq, position }) => [
      Number(lane),
      Number(seq),
      position.toString() === 'mysql:' ? 0 : Number(position.toString().split(/[-:]/).at(-1)),
    ]);
  }

  /** Where the stream's row is. */
  async place(): Promise<number> {
    return Number((await this.pipeline.positionNow()).split(/[-:]/).at(-1));
  }
}

function image(row: readonly number[]): Buffer {
  const bytes = Buffer.alloc(1 + 4 * row.length);
  for (const [i, value] of row.entries()) bytes.writeInt32LE(value, 1 + 4 * i);
  return bytes;
}

export function placeOf({ position }: { readonly position: Position }): number {
  return Number(position.text.split(/[-:]/).at(-1));
}
