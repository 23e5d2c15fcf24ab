import { randomBytes } from 'node:crypto';
import { systemClock } from '../../../lib/clock.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import { nodeId, type PipelineId, pipelineId, siteId, type Tenure } from '../../../model/ids.ts';
import type { Position, PositionText } from '../../../model/position.ts';
import {
  type ApplyResult,
  type BatchApplier,
  DivergenceSignal,
  type PreparedBatch,
} from '../../../stages/load/load.ts';
import { type LoadRunOptions, type LoadState, TargetLoadRun } from '../../../stages/load/load-run.ts';
import {
  type RaiseRequest,
  type RaiseResult,
  type RaiserOptions,
  TargetRaiser,
} from '../../../stages/load/target/raise.ts';
import type { TargetConnection } from '../../../stages/load/target/target-connection.ts';
import type { LoadOutcome } from '../../../stages/stage.ts';
import type { Database } from '../../support/database.ts';
import { dataSourceOf, migrated } from './target-fixture.ts';

/** Statements as they are: enough to show what commits together and what does not. */
export interface SqlBatch extends PreparedBatch {
  readonly sql: readonly string[];
  /** Statements of the careful path. */
  readonly careful: readonly string[];
}

export class SqlApplier implements BatchApplier<SqlBatch> {
  /** Every statement that was sent, in order. */
  readonly sent: string[] = [];
  /** Called before each statement; may wait, or throw. */
  before: (sql: string) => Promise<void> | void = () => {};

  prepare(): Promise<SqlBatch> {
    throw new Error('not prepared again in this test');
  }

  execute(prepared: SqlBatch, connection: TargetConnection): Promise<ApplyResult> {
    return this.#run(prepared.sql, connection, false);
  }

  executeCarefully(prepared: SqlBatch, connection: TargetConnection): Promise<ApplyResult> {
    return this.#run(prepared.careful, connection, true);
  }

  async #run(sql: readonly string[], connection: TargetConnection, careful: boolean): Promise<ApplyResult> {
    let rows = 0;
    for (const statement of sql) {
      await this.before(statement);
      this.sent.push(statement);
      const { affectedRows } = await connection.execute(statement);
      if (!careful && affectedRows === 0) throw new DivergenceSignal('no row');
      rows += affectedRows;
    }
    return { rows, inserted: 0, updated: rows, deleted: 0, statements: sql.length, ledgered: 0, careful };
  }
}

export const noSignal = new AbortController().signal;

export function at(n: number): Position {
  return {
    text: `mysql:00000000-0000-0000-0000-000000000001:1-${n}` as PositionText,
    at: { file: 'binlog.000001', offset: 1000 + n },
    lastEvent: { timestamp: 1_700_000_000 + n, crc32: 7 },
  };
}

export interface RaisedReign {
  readonly epoch: number;
  readonly tenure: Tenure;
  readonly seq: bigint;
  readonly position: Position;
}

/** One pipeline with a table of its own at a server under test. */
export class Pipeline {
  readonly name: PipelineId;
  readonly db: Database;
  readonly config: DataSourceConfig;
  /** `schema`.`table` of rows (id, v). */
  readonly table: string;
  /** What `/epoch` would hold. */
  treeEpoch = 0;
  readonly states: LoadState[] = [];

  private constructor(db: Database, name: PipelineId, table: string) {
    this.name = name;
    this.db = db;
    this.config = dataSourceOf(db);
    this.table = table;
  }

  /** One that another process made. */
  static existing(db: Database, made: { readonly name: string; readonly table: string }): Pipeline {
    return new Pipeline(db, pipelineId(made.name), made.table);
  }

  static async on(context: { readonly db: Database; readonly schema: string }): Promise<Pipeline> {
    const name = pipelineId(`p-${randomBytes(5).toString('hex')}`);
    const pipeline = new Pipeline(context.db, name, `\`${context.schema}\`.\`${name}\``);
    await migrated(pipeline.config);
    await context.db.query(
      `CREATE TABLE ${pipeline.table} (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB`,
    );
    await context.db.query(`INSERT INTO ${pipeline.table} VALUES (1, 0), (2, 0)`);
    return pipeline;
  }

  raiser(change: Partial<RaiserOptions> = {}): TargetRaiser {
    return new TargetRaiser({
      cluster: 'test',
      pipeline: this.name,
      node: 'node-a',
      target: this.config,
      origin: 'east',
      sourceIdentity: async () => 'source-1',
      startPosition: async () => at(0),
      hasRunAtSource: async () => false,
      markRunAtSource: async () => {},
      ...change,
    });
  }

  /** As a mainstem that has just taken the lock. */
  async takeOver(raiser = this.raiser(), change: Partial<RaiseRequest> = {}): Promise<RaiseResult> {
    const seenEpoch = await raiser.readEpoch(noSignal);
    const result = await raiser.raise(
      {
        takeOver: true,
        seenEpoch,
        ownTenure: null,
        treeEpoch: this.treeEpoch,
        hasRun: this.treeEpoch > 0,
        ...change,
      },
      noSignal,
    );
    if (result.kind === 'raised') this.treeEpoch = result.epoch;
    return result;
  }

  /** A reign that must come about. */
  async reign(raiser = this.raiser()): Promise<RaisedReign> {
    const result = await this.takeOver(raiser);
    if (result.kind !== 'raised') throw new Error(`not raised: ${JSON.stringify(result)}`);
    return result;
  }

  run(change: Partial<LoadRunOptions<SqlBatch>> = {}): {
    readonly run: TargetLoadRun<SqlBatch>;
    readonly applier: SqlApplier;
  } {
    const applier = new SqlApplier();
    const run = new TargetLoadRun<SqlBatch>({
      pipeline: this.name,
      node: nodeId('node-w'),
      target: this.config,
      applier,
      onState: (state) => this.states.push(state),
      ...change,
    });
    return { run, applier };
  }

  async taken(reign: RaisedReign, change: Partial<LoadRunOptions<SqlBatch>> = {}) {
    const made = this.run(change);
    const outcome = await made.run.take(reign.tenure, reign.epoch, noSignal);
    if (outcome !== null) throw new Error(`not taken: ${outcome.kind}`);
    return made;
  }

  /** A batch that adds 1 to a row: a repeat and a gap both show. */
  batch(
    reign: RaisedReign,
    seq: number | bigint,
    change: Partial<SqlBatch> & { readonly header?: Partial<BatchHeader> } = {},
  ): SqlBatch {
    const { header, ...rest } = change;
    const sql = rest.sql ?? [this.increment(1)];
    return {
      bytes: 100,
      careful: rest.careful ?? sql,
      sql,
      batch: { header: this.header(reign, Number(seq), header), payload: Buffer.alloc(0), routes: [] },
    };
  }

  increment(id: number): string {
    return `UPDATE ${this.table} SET v = v + 1 WHERE id = ${id}`;
  }

  header(reign: RaisedReign, seq: number, change: Partial<BatchHeader> = {}): BatchHeader {
    const end = at(seq);
    return {
      version: 1,
      pipeline: this.name,
      epoch: reign.epoch,
      tenure: reign.tenure,
      seq: String(seq),
      part: 0,
      lastPart: true,
      configVersion: 0,
      origin: siteId('east'),
      start: at(seq - 1).text,
      end: end.text,
      endFile: end.at?.file ?? '',
      endOffset: end.at?.offset ?? 0,
      lastEventTimestamp: end.lastEvent?.timestamp ?? 0,
      lastEventCrc32: 7,
      source: 'source-1',
      transactions: 1,
      rows: 1,
      firstCommitUs: 1,
      lastCommitUs: 1000 + seq,
      selectedMs: systemClock.nowMs(),
      extractedMs: null,
      transformedMs: null,
      payload: {
        kind: 'node',
        node: nodeId('node-a'),
        site: siteId('east'),
        address: '',
        sha256: '0'.repeat(64),
        bytes: 0,
      },
      hint: null,
      ...change,
    };
  }

  /** v of the rows 1 and 2. */
  async values(): Promise<number[]> {
    return (await this.db.query<{ v: number }>(`SELECT v FROM ${this.table} ORDER BY id`)).map(({ v }) => v);
  }

  async seq(): Promise<number> {
    return Number(
      await this.db.value('SELECT seq FROM holt.checkpoint WHERE pipeline = ? AND lane = 0', [this.name]),
    );
  }

  async positionNow(): Promise<string> {
    return String(
      await this.db.value(
        'SELECT CAST(position AS CHAR) FROM holt.checkpoint WHERE pipeline = ? AND lane = 0',
        [this.name],
      ),
    );
  }
}

export function kindOf(outcome: LoadOutcome | null): string {
  return outcome === null ? 'null' : outcome.kind;
}
