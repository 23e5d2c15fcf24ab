/**
 * One pipeline in this process, without nodes: a real log through the engine, Select's former and Load onto a real target. What
 * decides when a batch is cut, when a reign ends and where reading goes on is the test.
 */
import type { EngineOptions } from '../../../canal/engine.ts';
import { HoltError } from '../../../lib/errors.ts';
import { splitChunk } from '../../../model/chunk-position.ts';
import type { PipelineConfig } from '../../../model/config.ts';
import { channelId, dataSourceId, nodeId, siteId } from '../../../model/ids.ts';
import type { Position } from '../../../model/position.ts';
import type { SourceItem, TableDefinition } from '../../../model/source-item.ts';
import { SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import { TargetLedger } from '../../../stages/load/ledger.ts';
import type { BatchApplier } from '../../../stages/load/load.ts';
import { TargetLoadRun } from '../../../stages/load/load-run.ts';
import { XaApplier } from '../../../stages/load/xa/xa-applier.ts';
import { BatchFormer } from '../../../stages/select/batch-former.ts';
import type { FormedBatch } from '../../../stages/select/formed-batch.ts';
import { TableFilter } from '../../../stages/select/table-filter.ts';
import { TableMapping } from '../../../stages/transform/table-mapping.ts';
import { Transformer } from '../../../stages/transform/transform.ts';
import type { Database } from '../../support/database.ts';
import { engineOn, positionNow } from '../canal/engine-fixture.ts';
import { noSignal, Pipeline, type RaisedReign } from '../load/load-fixture.ts';
import { dataSourceOf, Sessions } from '../load/target-fixture.ts';

/** As a node has it. */
const ENGINE: Partial<EngineOptions> = {
  lingerMs: 0,
};

export interface CarrierOptions {
  /** Where changes are made. */
  readonly source: Database;
  readonly target: Database;
  readonly sourceSchema: string;
  readonly targetSchema: string;
  /** Select: transactions beyond it come in parts. */
  readonly partBytes?: number;
  readonly largeTransactions?: PipelineConfig['largeTransactions'];
  /** Whether the batch is cut before an item that would still fit. */
  readonly cutBefore?: (item: SourceItem) => boolean;
}

export class Carrier {
  readonly #options: CarrierOptions;
  readonly #config: PipelineConfig;
  readonly pipeline: Pipeline;
  readonly #start: Position;
  readonly #definitions: readonly TableDefinition[];
  #marker = 0;
  #stoppedBy: HoltError | null = null;

  private constructor(
    options: CarrierOptions,
    pipeline: Pipeline,
    start: Position,
    definitions: readonly TableDefinition[],
  ) {
    this.#options = options;
    this.pipeline = pipeline;
    this.#start = start;
    this.#definitions = definitions;
    this.#config = configOf(options, pipeline);
  }

  /** Begins where the source's log ends now. */
  static async open(options: CarrierOptions): Promise<Carrier> {
    await using host = await engineOn(options.source, ENGINE);
    for (const [db, schema] of [
      [options.source, options.sourceSchema],
      [options.target, options.targetSchema],
    ] as const)
      await db.query(`CREATE TABLE \`${schema}\`.marker (id INT PRIMARY KEY)`);
    const start = await positionNow(host.engine);
    const pipeline = await Pipeline.on({ db: options.target, schema: options.targetSchema });
    const reader = await host.engine.openReader({
      name: 'start',
      start,
      wants: (schema) => schema === options.sourceSchema,
    });
    // What a pipeline that follows the source knows: its tables as they are where it begins.
    const definitions = (await reader.definitionsAtStart?.()) ?? [];
    await reader.close();
    return new Carrier(options, pipeline, start, definitions);
  }

  /** What the last `carry` ended with, if it did not come to the end. */
  get stoppedBy(): HoltError | null {
    return this.#stoppedBy;
  }

  /** Where the checkpoint stands. */
  position(): Promise<string> {
    return this.pipeline.positionNow();
  }

  /**
   * One reign: carries everything that the source has now. A fresh engine, former and run each time, as after a restart of the node.
   * `dies` after so many batches: what is open is lost, and nobody hears of it.
   * @returns the code with which the pipeline stopped, `died`, or null when it came to the end.
   */
  async carry(
    life: { readonly batches?: number; readonly partBytes?: number } = {},
  ): Promise<string | 'died' | null> {
    const { source, sourceSchema, cutBefore = () => false } = this.#options;
    const partBytes = life.partBytes ?? this.#options.partBytes ?? 1_000_000;
    this.#marker += 1;
    await source.query(`INSERT INTO \`${sourceSchema}\`.marker VALUES (${this.#marker})`);
    const reign = await this.pipeline.reign(
      this.pipeline.raiser({ startPosition: async () => this.#start, sourceIdentity: async () => 'source' }),
    );
    await using host = await engineOn(source, { ...ENGINE, limits: { partBytes } });
    const tables = new TableFilter(this.#config.tables, { caseSensitive: true });
    const { base, chunk } = splitChunk(reign.position);
    const chunked = this.#config.largeTransactions === 'chunked';
    const reader = await host.engine.openReader({
      name: 'p',
      start: base,
      countsRows: chunked || chunk !== null,
      definitions: this.#definitions,
      readFrom: host.engine.source.identity,
      wants: (schema, table) => tables.matches(schema, table),
    });
    const former = new BatchFormer({
      start: reign.position,
      site: siteId('east'),
      origins: [siteId('east')],
      tables,
      limits: this.#config.batch,
      chunked,
      cluster: 'test',
    });
    await using load = await Loading.begin(this.#options.target, this.#config, this.pipeline, reign);
    const signal = AbortSignal.timeout(120_000);
    try {
      for (;;) {
        if (load.batches >= (life.batches ?? Number.POSITIVE_INFINITY)) return 'died';
        const item = await reader.next(signal);
        if (former.hasPending && cutBefore(item)) await load.batch(former.cut());
        while (former.take(item) === 'cut-first') await load.batch(former.cut());
        reader.ack();
        if (former.isFull) await load.batch(former.cut());
        if (isMarker(item, this.#marker)) break;
      }
      await load.batch(former.cut());
      return null;
    } catch (error) {
      // What was read before arrives first.
      await load.batch(former.cut());
      if (!(error instanceof HoltError)) throw error;
      this.#stoppedBy = error;
      return error.code;
    }
  }

  async held(): Promise<number> {
    const { target } = this.#options;
    return Number(
      await target.value('SELECT COUNT(*) FROM holt.held WHERE pipeline = ?', [this.pipeline.name]),
    );
  }
}

class Loading implements AsyncDisposable {
  readonly #sessions: Sessions;
  readonly #applier: BatchApplier;
  readonly #run: TargetLoadRun;
  readonly #transformer: Transformer;
  readonly #pipeline: Pipeline;
  readonly #reign: RaisedReign;
  #seq: bigint;
  #isOver = false;
  /** Handed to Load so far, parts among them. */
  batches = 0;

  private constructor(parts: {
    readonly sessions: Sessions;
    readonly applier: BatchApplier;
    readonly run: TargetLoadRun;
    readonly config: PipelineConfig;
    readonly pipeline: Pipeline;
    readonly reign: RaisedReign;
  }) {
    this.#sessions = parts.sessions;
    this.#applier = parts.applier;
    this.#run = parts.run;
    this.#transformer = new Transformer({ pipeline: parts.config });
    this.#pipeline = parts.pipeline;
    this.#reign = parts.reign;
    this.#seq = parts.reign.seq;
  }

  static async begin(
    target: Database,
    config: PipelineConfig,
    pipeline: Pipeline,
    reign: RaisedReign,
  ): Promise<Loading> {
    const sessions = new Sessions();
    const endpoint = dataSourceOf(target);
    const looks = await sessions.to(endpoint);
    const mapping = new TableMapping(config.rules);
    const applier = new XaApplier({
      inner: new SqlBatchApplier({
        schema: new TargetSchema({ query: (sql) => looks.rows(sql) }),
        ledger: new TargetLedger(),
        conflict: config.conflict,
        sourceSite: config.sourceSite,
      }),
      route: (shape, table) => mapping.route(shape, table),
    });
    const run = new TargetLoadRun({
      pipeline: pipeline.name,
      node: nodeId('node-w'),
      target: endpoint,
      applier,
    });
    const taken = await run.take(reign.tenure, reign.epoch, noSignal);
    if (taken !== null) throw new Error(`not taken: ${taken.kind}`);
    return new Loading({ sessions, applier, run, config, pipeline, reign });
  }

  async batch(formed: FormedBatch | null): Promise<void> {
    if (formed === null || this.#isOver) return;
    this.batches += 1;
    if (formed.part === 0) this.#seq += 1n;
    const { start, end, part, lastPart, origin, rows, transactions, firstCommitUs, lastCommitUs } = formed;
    const header = this.#pipeline.header(this.#reign, Number(this.#seq), {
      ...{ start, end: end.text, part, lastPart, origin, rows, transactions, firstCommitUs, lastCommitUs },
      endFile: end.at?.file ?? '',
      endOffset: end.at?.offset ?? 0,
      lastEventTimestamp: end.lastEvent?.timestamp ?? 0,
      lastEventCrc32: end.lastEvent?.crc32 ?? null,
      ...(end.lastEvent?.length === undefined ? {} : { lastEventLength: end.lastEvent.length }),
    });
    const batch = this.#transformer.transform({ header, payload: formed.payload }, 0);
    const prepared = await this.#applier.prepare(batch, noSignal);
    const isWhole = part === 0 && lastPart;
    try {
      const outcome = isWhole
        ? await this.#run.load(prepared, noSignal)
        : await this.#run.loadPart(prepared, noSignal);
      if (outcome !== null && outcome.kind !== 'applied') throw new Error(`Load answers ${outcome.kind}`);
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run.close();
    await this.#sessions[Symbol.asyncDispose]();
  }
}

function isMarker(item: SourceItem, marker: number): boolean {
  return (
    item.kind === 'rows' &&
    item.rows.some(
      ({ shape, data, op }) =>
        shape.table === 'marker' && op === 'insert' && data.readInt32LE(data.length - 4) === marker,
    )
  );
}

function configOf(options: CarrierOptions, pipeline: Pipeline): PipelineConfig {
  const { sourceSchema, targetSchema, partBytes = 1_000_000 } = options;
  return {
    name: pipeline.name,
    channel: channelId('c'),
    source: dataSourceId('east-db'),
    target: dataSourceId('west-db'),
    sourceSite: siteId('east'),
    targetSite: siteId('west'),
    origins: [siteId('east')],
    start: null,
    onTableError: 'stop',
    tables: { include: [`${sourceSchema}.*`], exclude: [] },
    rules: [
      {
        match: `${sourceSchema}.*`,
        to: { schema: targetSchema, table: null },
        columns: { rename: {}, drop: [], order: null, constant: {} },
        where: null,
        processor: null,
      },
    ],
    batch: { maxRows: 1000, maxBytes: 16_000_000, partBytes, window: 3 },
    conflict: { detect: false, winner: siteId('east') },
    pipe: { kind: 'node' },
    largeTransactions: options.largeTransactions ?? 'whole',
    ddl: { default: 'stop', kinds: {} },
  };
}

/** Rows of a table as text, in key order. */
export async function rowsIn(db: Database, schema: string, table: string): Promise<string[]> {
  const rows = await db.query(`SELECT * FROM \`${schema}\`.\`${table}\` ORDER BY 1`);
  return rows.map((row) =>
    Object.values(row)
      .map((value) => (Buffer.isBuffer(value) ? `0x${value.toString('hex')}` : String(value)))
      .join(','),
  );
}
