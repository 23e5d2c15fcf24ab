import { SchemaReader } from '../../../canal/schema/schema-reader.ts';
import type { TableFacts } from '../../../canal/schema/table-facts.ts';
import { systemClock } from '../../../lib/clock.ts';
import { HoltError } from '../../../lib/errors.ts';
import { nodeId, siteId } from '../../../model/ids.ts';
import { surveyPayload } from '../../../model/payload.ts';
import type { SourceRows } from '../../../model/source-item.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import { TargetLedger } from '../../../stages/load/ledger.ts';
import { TargetLoadRun } from '../../../stages/load/load-run.ts';
import { type DrainOptions, type DrainOutcome, drainGroup } from '../../../stages/load/parked/drain.ts';
import type { TableName } from '../../../stages/load/parked/parked.ts';
import { ParkingApplier } from '../../../stages/load/parked/parking-applier.ts';
import { TargetRelations } from '../../../stages/load/parked/relations.ts';
import { repairPayload } from '../../../stages/load/parked/repair.ts';
import {
  type ParkedGroup,
  parkedGroups,
  parkTable,
  resumeTable,
} from '../../../stages/load/parked/table-commands.ts';
import type { TargetSession } from '../../../stages/load/target/target-connection.ts';
import type { LoadOutcome, TransformedBatch } from '../../../stages/stage.ts';
import { TableMapping } from '../../../stages/transform/table-mapping.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { batchOf, type LoggedTransaction, loggedTransactions } from '../apply/logged-transactions.ts';
import { noSignal, Pipeline, type RaisedReign } from './load-fixture.ts';
import { dataSourceOf, Sessions } from './target-fixture.ts';

type Inner = Awaited<ReturnType<SqlBatchApplier['prepare']>>;
type Applier = ParkingApplier<Inner>;

/** A source and a target schema on one server, and a run of Load between them whose applier holds parked tables back. */
export class ParkingBench implements AsyncDisposable {
  readonly source: string;
  readonly target: string;
  readonly pipeline: Pipeline;
  readonly session: TargetSession;
  /** What Load was blocked by, newest last. */
  readonly blockedBy: string[] = [];
  readonly #server: DatabaseServer;
  readonly #sessions: Sessions;
  readonly #reign: RaisedReign;
  #run: TargetLoadRun<Awaited<ReturnType<Applier['prepare']>>> | null = null;
  #applier: Applier | null = null;
  #seq = 0;
  #known = 0;

  private constructor(
    server: DatabaseServer,
    sessions: Sessions,
    session: TargetSession,
    names: { readonly source: string; readonly target: string },
    pipeline: Pipeline,
    reign: RaisedReign,
  ) {
    this.#server = server;
    this.#sessions = sessions;
    this.session = session;
    this.source = names.source;
    this.target = names.target;
    this.pipeline = pipeline;
    this.#reign = reign;
  }

  /** `tables`: CREATE TABLE statements in which `%` stands for the schema. */
  static async on(server: DatabaseServer, tables: readonly string[]): Promise<ParkingBench> {
    const { db } = server;
    const [source, target] = [await db.freshSchema('source'), await db.freshSchema('target')];
    for (const schema of [source, target])
      for (const table of tables) await db.query(table.replaceAll('%', `\`${schema}\``));
    const pipeline = await Pipeline.on({ db, schema: target });
    const sessions = new Sessions();
    const session = await sessions.to(dataSourceOf(db));
    const bench = new ParkingBench(
      server,
      sessions,
      session,
      { source, target },
      pipeline,
      await pipeline.reign(),
    );
    bench.#known = (await loggedTransactions(server, source)).length;
    return bench;
  }

  name(table: string): TableName {
    return { schema: this.source, table };
  }

  /** Begins anew, as another node would; `onError` as in the configuration. */
  async take(onError: 'park' | 'stop' = 'stop'): Promise<void> {
    await this.#run?.close();
    const looks = await this.#sessions.to(this.pipeline.config);
    const relations = new TargetRelations({ query: (sql) => looks.rows(sql) });
    this.#applier = new ParkingApplier({
      pipeline: this.pipeline.name,
      inner: this.#inner(looks),
      relations: () => relations.all(),
      onError,
      patienceMs: 100,
    });
    this.#run = new TargetLoadRun({
      pipeline: this.pipeline.name,
      node: nodeId('node-w'),
      target: this.pipeline.config,
      applier: this.#applier,
      lockWaitTimeoutS: 2,
      onState: (state) => {
        if (state.kind === 'blocked') this.blockedBy.push(state.error.code);
      },
    });
    const refused = await this.#run.take(this.#reign.tenure, this.#reign.epoch, noSignal);
    if (refused !== null) throw new Error(`not taken: ${refused.kind}`);
  }

  #inner(looks: TargetSession): SqlBatchApplier {
    return new SqlBatchApplier({
      schema: new TargetSchema({ query: (sql) => looks.rows(sql), maxAgeMs: 0 }),
      ledger: new TargetLedger(),
      conflict: { detect: false, winner: siteId('east') },
      sourceSite: siteId('east'),
    });
  }

  /** What was changed at the source since the last call. */
  async changes(): Promise<LoggedTransaction[]> {
    const all = await loggedTransactions(this.#server, this.source);
    const fresh = all.slice(this.#known);
    this.#known = all.length;
    return fresh;
  }

  /** Statements at the source, each a transaction, go through Load in one batch. `shapeOf` may spoil what was decoded. */
  async carry(
    statements: readonly string[],
    shapeOf: (shape: TableShape) => TableShape = (shape) => shape,
    signal: AbortSignal = noSignal,
  ): Promise<LoadOutcome> {
    for (const statement of statements)
      await this.#server.db.query(statement.replaceAll('%', `\`${this.source}\``));
    const prepared = await this.#prepared(await this.changes(), shapeOf, signal);
    const outcome = await this.#started.load(prepared, signal);
    if (outcome.kind === 'applied') this.#seq += 1;
    return outcome;
  }

  /** Without awaiting what the source does: a batch of those transactions. */
  async #prepared(
    transactions: readonly LoggedTransaction[],
    shapeOf: (shape: TableShape) => TableShape,
    signal: AbortSignal,
  ) {
    const shapes = new Map<TableShape, TableShape>();
    const spoiled = transactions.map((rows) =>
      rows.map((one): SourceRows => {
        const shape = shapes.get(one.shape) ?? shapeOf(one.shape);
        shapes.set(one.shape, shape);
        return { ...one, shape };
      }),
    );
    const batch = batchOf(spoiled, this.target);
    const header = this.pipeline.header(this.#reign, this.#seq + 1, { rows: batch.header.rows });
    if (this.#applier === null) throw new Error('take first');
    // As Load's worker does: what may pass is waited for.
    for (;;) {
      try {
        return await this.#applier.prepare({ ...batch, header }, signal);
      } catch (error) {
        if (!(error instanceof HoltError) || error.disposition !== 'retry') throw error;
        this.blockedBy.push(error.code);
        await systemClock.sleep(50, signal);
      }
    }
  }

  get #started() {
    if (this.#run === null) throw new Error('take first');
    return this.#run;
  }

  async park(table: string, why = 'by test'): Promise<void> {
    await parkTable(this.session, this.pipeline.name, {
      name: this.name(table),
      target: { schema: this.target, table },
      why,
      by: 'ada',
    });
  }

  groups(): Promise<readonly ParkedGroup[]> {
    return parkedGroups(this.session, this.pipeline.name);
  }

  /** Which tables are parked, as `table<root`. */
  async parked(): Promise<string[]> {
    return (await this.groups()).flatMap(({ tables }) =>
      tables.map(({ name, root }) => `${name.table}<${root.table}`),
    );
  }

  resume(table: string): Promise<ParkedGroup> {
    return resumeTable(this.session, this.pipeline.name, this.name(table));
  }

  /** `definitions`: what the columns of tables were, for rows that could not be decoded. */
  async drain(
    root: string,
    change: Partial<DrainOptions<Inner>> & { readonly definitions?: readonly TableFacts[] } = {},
  ): Promise<DrainOutcome> {
    const looks = await this.#sessions.to(this.pipeline.config);
    const mapping = new TableMapping([]);
    const { definitions = [], ...rest } = change;
    return drainGroup<Inner>({
      pipeline: this.pipeline.name,
      root: this.name(root),
      node: nodeId('node-w'),
      target: this.pipeline.config,
      applier: this.#inner(looks),
      transform: async ({ header, payload: held }, signal): Promise<TransformedBatch> => {
        const payload = await repairPayload(held, () => definitions, signal);
        return {
          header,
          payload,
          routes: surveyPayload(payload).shapes.map((shape, table) => ({
            ...mapping.route(shape, table),
            schema: this.target,
          })),
        };
      },
      signal: noSignal,
      ...rest,
    });
  }

  /** What the source says of a table of its own now. */
  async facts(table: string): Promise<TableFacts> {
    const reader = new SchemaReader({
      query: async (sql) => {
        const rows = await this.#server.db.query(sql);
        return rows.map((row) => Object.values(row).map((value) => (value === null ? null : String(value))));
      },
    });
    const facts = await reader.read(this.source, table);
    if (facts === null) throw new Error(`no table ${table}`);
    return facts;
  }

  /** Rows of a table at both sides. */
  async rows(table: string): Promise<{ readonly source: unknown[]; readonly target: unknown[] }> {
    const of = (schema: string) => this.#server.db.query(`SELECT * FROM \`${schema}\`.${table} ORDER BY 1`);
    return { source: await of(this.source), target: await of(this.target) };
  }

  async drainerIsThere(): Promise<boolean> {
    const count = await this.#server.db.value(
      "SELECT COUNT(*) FROM holt.writer WHERE pipeline = ? AND role = 'drain'",
      [this.pipeline.name],
    );
    return count !== '0';
  }

  async heldPieces(): Promise<number> {
    return Number(
      await this.#server.db.value('SELECT COUNT(*) FROM holt.held WHERE pipeline = ?', [this.pipeline.name]),
    );
  }

  /** At the target. */
  async query(sql: string): Promise<void> {
    await this.#server.db.query(sql.replaceAll('%', `\`${this.target}\``));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run?.close();
    await this.#sessions[Symbol.asyncDispose]();
  }
}
