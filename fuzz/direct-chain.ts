/**
 * The stages in one process, without a scheduler: the real engine reads the source, and what it gives goes through Select's former,
 * Extract, Transform and Load's applier, in batches cut as the case says. So a case takes a fraction of a second, and runs
 * the same way every time.
 */
import { join } from 'node:path';
import type { CanalReader } from '../canal/canal.ts';
import { BinlogEngine } from '../canal/engine.ts';
import { loadConfig } from '../conf/load.ts';
import { literalSecret } from '../conf/secret.ts';
import type { DataSourceConfig, PipelineConfig } from '../model/config.ts';
import { dataSourceId, siteId } from '../model/ids.ts';
import type { Position } from '../model/position.ts';
import type { SourceItem } from '../model/source-item.ts';
import { Extractor } from '../stages/extract/extract.ts';
import { type AppliedBatch, SqlBatchApplier } from '../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../stages/load/apply/target-schema.ts';
import { setStatement, statementTime } from '../stages/load/ddl/statement-session.ts';
import { classify } from '../stages/load/target/error-classes.ts';
import { connectTarget } from '../stages/load/target/mysql2-connection.ts';
import type { TargetConnection, TargetSession } from '../stages/load/target/target-connection.ts';
import { BatchFormer } from '../stages/select/batch-former.ts';
import type { FormedBatch } from '../stages/select/formed-batch.ts';
import { TableFilter } from '../stages/select/table-filter.ts';
import type { TransformedBatch } from '../stages/stage.ts';
import { Transformer } from '../stages/transform/transform.ts';
import { headerOf } from '../test/support/batch-header.ts';
import type { Database } from '../test/support/database.ts';
import { repositoryRoot } from '../test/support/inventory.ts';
import type { ApplySpec, FuzzCase } from './case.ts';
import { type Applied, type Chain, FuzzerError } from './chain.ts';
import { LaneApply } from './lane-apply.ts';
import { MARKER_TABLE, openSession, SCHEMA_PREFIX } from './sides.ts';
import { StallWatch, SteppingConnection } from './stall-watch.ts';

/** Parts are small, so that a few large values make a transaction that comes in several. */
const PART_BYTES = 128 * 1024;
/** Nothing read and no statement answered for so long: it hangs. */
const STALL_MS = 60_000;

function dataSourceOf(db: Database, site: 'east' | 'west', serverId: number): DataSourceConfig {
  return {
    name: dataSourceId(`${site}-db`),
    site: siteId(site),
    host: db.host,
    port: db.port,
    user: db.user,
    password: literalSecret(db.password),
    tls: { mode: 'disabled', ca: null, cert: null, key: null },
    serverId,
    connectTimeoutMs: 10_000,
  };
}

/** Reads on behind the last marker; opened once for many cases. */
export class DirectChain implements Chain, AsyncDisposable {
  readonly readsCreate = false;
  readonly #engine: BinlogEngine;
  readonly #running: Promise<void>;
  readonly #target: Database;
  #reader: CanalReader | null = null;
  #session: TargetSession | null = null;
  #looks: TargetSession | null = null;
  #lanes: TargetSession[] = [];

  private constructor(engine: BinlogEngine, target: Database) {
    this.#engine = engine;
    this.#running = engine.run();
    this.#target = target;
  }

  static async open(source: Database, target: Database): Promise<DirectChain> {
    const engine = await BinlogEngine.open(
      {
        source: dataSourceOf(source, 'east', 990_000),
        limits: { partBytes: PART_BYTES },
        lingerMs: 60_000,
      },
      AbortSignal.timeout(30_000),
    );
    return new DirectChain(engine, target);
  }

  /** Begins at the end of the source's log, or goes on where the last case ended. */
  async begin(): Promise<void> {
    this.#reader ??= await this.#engine.openReader({
      name: 'fuzz',
      start: await this.#engine.currentPosition(),
      wants: (schema) => schema.startsWith(SCHEMA_PREFIX),
    });
  }

  async follow(schema: string, one: FuzzCase, applied: Applied): Promise<void> {
    const reader = this.#reader;
    if (reader === null) throw new Error('the chain was not begun');
    using watch = new StallWatch(STALL_MS);
    const { signal } = watch;
    const run = new CaseRun({
      schema,
      start: reader.position,
      spec: one.apply,
      applied,
      session: new SteppingConnection(await this.#sessionOf(), watch),
      looks: await this.#looksOf(),
      lanes: await this.#lanesOf(one.apply.lanes ?? 0),
    });
    try {
      for (;;) {
        const item = await reader.next(signal);
        reader.ack();
        watch.step();
        if (endsAt(item, schema)) break;
        await run.take(item, signal);
      }
      await run.finish(signal);
    } catch (error) {
      // Whatever is left of this case must not come with the next one.
      await this.reset();
      throw error;
    }
  }

  /** Rows know nothing of the statement's place. */
  waitsForSchema(): boolean {
    return true;
  }

  /** The statement itself goes to the target, with the time and zone that it has in the log. */
  async alter(schema: string, sql: string): Promise<void> {
    const reader = this.#reader;
    if (reader === null) throw new Error('the chain was not begun');
    const signal = AbortSignal.timeout(STALL_MS);
    let item: SourceItem;
    do {
      item = await reader.next(signal);
      reader.ack();
    } while (item.kind !== 'statement' || item.schema !== schema);
    const { session = {} } = item;
    const begun = statementTime(session);
    if (begun === null) throw new FuzzerError(`the log has no time of ${sql}`);
    const target = await openSession(this.#target, schema, [
      'SET SESSION foreign_key_checks = 0',
      setStatement([
        ['timestamp', begun],
        ...(session.timeZone === undefined ? [] : [['time_zone', session.timeZone] as const]),
      ]),
    ]);
    try {
      await target.query(sql);
    } catch (error) {
      throw new FuzzerError(`the target refuses ${sql}`, { cause: error });
    } finally {
      await target.end();
    }
  }

  async reset(): Promise<void> {
    await this.#reader?.close().catch(() => {});
    this.#reader = null;
    await this.#session?.close().catch(() => {});
    await this.#looks?.close().catch(() => {});
    await Promise.all(this.#lanes.map((one) => one.close().catch(() => {})));
    this.#session = null;
    this.#looks = null;
    this.#lanes = [];
  }

  async #lanesOf(count: number): Promise<readonly TargetSession[]> {
    while (this.#lanes.length < count)
      this.#lanes.push(
        await connectTarget(dataSourceOf(this.#target, 'west', 990_100), { session: { rowEvents: true } }),
      );
    return this.#lanes.slice(0, count);
  }

  async #sessionOf(): Promise<TargetSession> {
    this.#session ??= await connectTarget(dataSourceOf(this.#target, 'west', 990_100), {
      session: { rowEvents: true },
    });
    return this.#session;
  }

  async #looksOf(): Promise<TargetSession> {
    this.#looks ??= await connectTarget(dataSourceOf(this.#target, 'west', 990_100));
    return this.#looks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reset();
    await this.#engine.stop();
    await this.#running;
  }
}

function endsAt(item: SourceItem, schema: string): boolean {
  return (
    item.kind === 'rows' &&
    item.rows.some(({ shape }) => shape.schema === schema && shape.table === MARKER_TABLE)
  );
}

class CaseRun {
  readonly #former: BatchFormer;
  readonly #extractor: Promise<Extractor>;
  readonly #transformer: Transformer;
  readonly #applier: SqlBatchApplier;
  readonly #session: TargetConnection;
  readonly #applied: Applied;
  readonly #batches: readonly number[];
  #batch = 0;
  #pending = 0;
  #isOpen = false;
  readonly #lanes: LaneApply | null;

  constructor(options: {
    readonly schema: string;
    readonly start: Position;
    readonly spec: ApplySpec;
    readonly applied: Applied;
    readonly session: TargetConnection;
    readonly looks: TargetSession;
    readonly lanes: readonly TargetSession[];
  }) {
    const { schema, spec, applied, session, looks } = options;
    const pipeline = pipelineOf(schema, spec);
    this.#former = new BatchFormer({
      start: options.start,
      site: pipeline.sourceSite,
      origins: pipeline.origins,
      cluster: 'fuzz',
      tables: new TableFilter(pipeline.tables, { caseSensitive: true }),
      limits: pipeline.batch,
    });
    this.#extractor = Extractor.open(pipeline);
    this.#transformer = new Transformer({ pipeline });
    this.#session = session;
    this.#applied = applied;
    this.#batches = spec.batches;
    this.#applier = new SqlBatchApplier({
      schema: new TargetSchema({
        definitions: spec.rowEvents === true,
        query: async (sql) => {
          const rows = await looks.rows(sql);
          // As if there were many rows, so that many keys go into one statement.
          return sql.includes('TABLE_ROWS')
            ? rows.map((row) => [...row.slice(0, 4), Buffer.from('1000000')])
            : rows;
        },
      }),
      ledger: {
        append: async (_connection, _batch, entry) => {
          applied.ledger.push(`${entry.kind} ${entry.route.name}`);
        },
      },
      conflict: pipeline.conflict,
      sourceSite: pipeline.sourceSite,
      maxStatementBytes: spec.maxStatementBytes,
      eventsFromRows: spec.rowEvents === true ? 1 : Number.POSITIVE_INFINITY,
    });
    this.#lanes =
      options.lanes.length === 0 ? null : new LaneApply({ applier: this.#applier, sessions: options.lanes });
  }

  async take(item: SourceItem, signal: AbortSignal): Promise<void> {
    // Schema changes go their own way: `alter`.
    if (item.kind === 'statement' && item.nature === 'ddl') return;
    while (this.#former.take(item) === 'cut-first') await this.#cut(signal);
    if (item.kind === 'rows' && item.lastPart) this.#pending += 1;
    if (this.#pending >= (this.#batches[this.#batch % this.#batches.length] ?? 1)) await this.#cut(signal);
  }

  async finish(signal: AbortSignal): Promise<void> {
    await this.#cut(signal);
  }

  async #cut(signal: AbortSignal): Promise<void> {
    const formed = this.#former.cut();
    this.#pending = 0;
    this.#batch += 1;
    if (formed === null) return;
    const header = headerOf({
      rows: formed.rows,
      transactions: formed.transactions,
      part: formed.part,
      lastPart: formed.lastPart,
      start: formed.start,
      end: formed.end.text,
    });
    const selected = await (await this.#extractor).process({ header, payload: formed.payload }, signal);
    const prepared = await this.#prepared(this.#transformer.transform(selected, 0), signal);
    for (const [table, why] of prepared.ordered) this.#applied.ordered.set(table, why);
    await this.#apply(formed, prepared, signal);
    this.#applied.batches += 1;
    this.#applied.rows += formed.rows;
  }

  async #prepared(batch: TransformedBatch, signal: AbortSignal): Promise<AppliedBatch> {
    if (this.#lanes === null || this.#isOpen) return this.#applier.prepare(batch, signal);
    const { rest, lanes } = await this.#lanes.apply(batch, signal);
    this.#applied.shares = (this.#applied.shares ?? 0) + lanes;
    return rest;
  }

  /** As Load does it: a divergence undoes the batch (of one in parts, the part), and it goes again with care. */
  async #apply(formed: FormedBatch, prepared: AppliedBatch, signal: AbortSignal): Promise<void> {
    const session = this.#session;
    if (formed.part === 0 && !this.#isOpen) {
      await session.execute('START TRANSACTION');
      this.#isOpen = true;
    }
    if (!formed.lastPart) this.#applied.inParts += 1;
    try {
      await session.execute('SAVEPOINT fuzz_part');
      try {
        await this.#applier.execute(prepared, session, signal);
      } catch (error) {
        if (classify(error) !== 'careful') throw error;
        this.#applied.careful += 1;
        await session.execute('ROLLBACK TO SAVEPOINT fuzz_part');
        await this.#applier.executeCarefully(prepared, session, signal);
      }
      if (formed.lastPart) {
        await session.execute('COMMIT');
        this.#isOpen = false;
      }
    } catch (error) {
      this.#isOpen = false;
      await session.execute('ROLLBACK').catch(() => {});
      throw error;
    }
  }
}

/** The example of a one-way pipeline with the case's tables: whatever else a pipeline has, it has by default. */
function pipelineOf(schema: string, spec: ApplySpec): PipelineConfig {
  const { config } = loadConfig(join(repositoryRoot(), 'conf/examples/one-way.yaml'));
  const [example] = config.pipelines;
  if (example === undefined) throw new Error('the example has no pipeline');
  return {
    ...example,
    tables: { include: [`${schema}.*`], exclude: [] },
    rules: [],
    batch: { ...example.batch, maxRows: 10_000, maxBytes: 8_000_000, partBytes: PART_BYTES },
    conflict: { detect: spec.detect, winner: siteId('east') },
  };
}
