/**
 * Key-shape cases on real servers: the source runs a case's transactions, and its log goes through the canal engine, the
 * batch former, Transform and Load, into a fresh schema of the target for each way of cutting it into batches.
 */
import type { Connection } from 'mysql2/promise';
import { literalSecret } from '../../../conf/secret.ts';
import { HoltError } from '../../../lib/errors.ts';
import type { DataSourceConfig, PipelineConfig, TableRuleConfig } from '../../../model/config.ts';
import { channelId, dataSourceId, nodeId, pipelineId, siteId } from '../../../model/ids.ts';
import type { Position } from '../../../model/position.ts';
import type { SourceItem } from '../../../model/source-item.ts';
import { type AppliedBatch, SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import { TargetLedger } from '../../../stages/load/ledger.ts';
import type { LedgerEntry, LedgerWriter } from '../../../stages/load/ledger-contract.ts';
import { TargetLoadRun } from '../../../stages/load/load-run.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import { TargetLinkError, type TargetSession } from '../../../stages/load/target/target-connection.ts';
import { BatchFormer } from '../../../stages/select/batch-former.ts';
import type { FormedBatch } from '../../../stages/select/formed-batch.ts';
import { TableFilter } from '../../../stages/select/table-filter.ts';
import { Transformer } from '../../../stages/transform/transform.ts';
import type { Cut, KeyCase, Pair, RowImage } from '../../cases/key-shapes/key-case.ts';
import { createTable, statement } from '../../cases/key-shapes/statements.ts';
import type { Database } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { engineOn, positionNow, readUntilMarker, writeMarker } from '../canal/engine-fixture.ts';
import { Pipeline, type RaisedReign } from '../load/load-fixture.ts';
import { dataSourceOf } from '../load/target-fixture.ts';

export type RowsItem = Extract<SourceItem, { kind: 'rows' }>;

/** What the source did in one case, as its log has it. */
export interface LoggedCase {
  readonly one: KeyCase;
  readonly schema: string;
  /** The transactions that changed rows. */
  readonly items: readonly RowsItem[];
  readonly start: Position;
  /** Why the source did not do what the case says; null when it did. */
  readonly failure: Error | null;
}

/** What became of it at the target. */
export interface AppliedCase {
  readonly schema: string;
  readonly ledger: readonly string[];
  /** Why batches went row by row. */
  readonly careful: readonly string[];
  /** Per table written in order: why. */
  readonly ordered: ReadonlyMap<string, string>;
  readonly statements: number;
  /** The code by which the case was refused, else null. */
  readonly refused: string | null;
}

let markers = 0;

/** Few enough that each has plenty of time on a machine under load. */
const CASES_A_READING = 20;

/** A session for looking at the schema; the server may end one that is idle for long. */
class Looks {
  readonly #config: DataSourceConfig;
  #session: TargetSession | null = null;

  constructor(config: DataSourceConfig) {
    this.#config = config;
  }

  async rows(sql: string) {
    this.#session ??= await connectTarget(this.#config);
    try {
      return await this.#session.rows(sql);
    } catch (error) {
      if (!(error instanceof TargetLinkError)) throw error;
      await this.#session.close();
      this.#session = await connectTarget(this.#config);
      return this.#session.rows(sql);
    }
  }

  async close(): Promise<void> {
    await this.#session?.close();
  }
}

export class KeyCaseRun implements AsyncDisposable {
  readonly pair: Pair;
  readonly source: DatabaseServer;
  readonly target: DatabaseServer;
  readonly #looks: Looks;
  readonly #run: TargetLoadRun<AppliedBatch>;
  readonly #applier: SqlBatchApplier;
  readonly #schema: TargetSchema;
  readonly #pipeline: Pipeline;
  readonly #reign: RaisedReign;
  readonly #ledger: LedgerEntry[];
  readonly #diverged: readonly string[];
  readonly #trouble: { stop: ((error: HoltError) => void) | null };
  #seq = 0;

  private constructor(parts: {
    pair: Pair;
    source: DatabaseServer;
    target: DatabaseServer;
    looks: Looks;
    run: TargetLoadRun<AppliedBatch>;
    applier: SqlBatchApplier;
    schema: TargetSchema;
    pipeline: Pipeline;
    reign: RaisedReign;
    ledger: LedgerEntry[];
    diverged: readonly string[];
    trouble: { stop: ((error: HoltError) => void) | null };
  }) {
    this.pair = parts.pair;
    this.source = parts.source;
    this.target = parts.target;
    this.#looks = parts.looks;
    this.#run = parts.run;
    this.#applier = parts.applier;
    this.#schema = parts.schema;
    this.#pipeline = parts.pipeline;
    this.#reign = parts.reign;
    this.#ledger = parts.ledger;
    this.#diverged = parts.diverged;
    this.#trouble = parts.trouble;
  }

  /** Starts the servers; a pair of one flavour is one server with two schemas. `rowEvents`: rows go as events wherever they may. */
  static async on(pair: Pair, rowEvents = false): Promise<KeyCaseRun> {
    const source = await startDatabase(pair.source);
    const target = pair.source === pair.target ? source : await startDatabase(pair.target);
    const pipeline = await Pipeline.on({ db: target.db, schema: await target.db.freshSchema('run') });
    const config = dataSourceOf(target.db);
    const looks = new Looks(config);
    const schema = new TargetSchema({
      definitions: rowEvents,
      query: async (sql) => {
        const rows = await looks.rows(sql);
        // Few rows here: as if there were many, so that many go into one statement.
        if (!sql.includes('TABLE_ROWS')) return rows;
        return rows.map((row) => [...row.slice(0, 4), Buffer.from('1000000')]);
      },
    });
    const entries: LedgerEntry[] = [];
    const diverged: string[] = [];
    const real = new TargetLedger();
    const ledger: LedgerWriter = {
      append: async (connection, batch, entry) => {
        entries.push({ ...entry, data: Buffer.from(entry.data) });
        await real.append(connection, batch, entry);
      },
    };
    const applier = new SqlBatchApplier({
      schema,
      ledger,
      conflict: { detect: false, winner: siteId('east') },
      sourceSite: siteId('east'),
      eventsFromRows: rowEvents ? 1 : Number.POSITIVE_INFINITY,
    });
    const reign = await pipeline.reign();
    const trouble: { stop: ((error: HoltError) => void) | null } = { stop: null };
    const run = new TargetLoadRun<AppliedBatch>({
      pipeline: pipeline.name,
      node: nodeId('node-w'),
      target: config,
      applier: {
        prepare: (batch, signal) => applier.prepare(batch, signal),
        execute: (prepared, connection, signal) =>
          applier.execute(prepared, connection, signal).catch((error: unknown) => {
            diverged.push(String(error));
            throw error;
          }),
        executeCarefully: (prepared, connection, signal) =>
          applier.executeCarefully(prepared, connection, signal),
      },
      onState: (state) => {
        if (state.kind === 'blocked') trouble.stop?.(state.error);
      },
    });
    const outcome = await run.take(reign.tenure, reign.epoch, AbortSignal.timeout(60_000));
    if (outcome !== null) throw new Error(`Load not taken: ${outcome.kind}`);
    const parts = {
      pair,
      source,
      target,
      looks,
      run,
      applier,
      schema,
      pipeline,
      reign,
      ledger: entries,
      diverged,
      trouble,
    };
    return new KeyCaseRun(parts);
  }

  /** Runs the cases at the source, and gives what it logged of each. */
  async logged(cases: readonly KeyCase[], image: RowImage | string): Promise<readonly LoggedCase[]> {
    const logged: LoggedCase[] = [];
    for (let at = 0; at < cases.length; at += CASES_A_READING)
      logged.push(...(await this.#someLogged(cases.slice(at, at + CASES_A_READING), image)));
    return logged;
  }

  async #someLogged(cases: readonly KeyCase[], image: RowImage | string): Promise<readonly LoggedCase[]> {
    const { db } = this.source;
    const schemas = new Map<string, { one: KeyCase; items: RowsItem[]; failure: Error | null }>();
    const failed = (error: Error) => error;
    for (const one of cases) {
      const schema = await db.freshSchema('src');
      const failure = await this.#build(this.source, schema, one, false).then(() => null, failed);
      schemas.set(schema, { one, items: [], failure });
    }
    // The tables were made unlogged: they must be there when the engine first looks.
    await using host = await engineOn(db, {
      source: { ...sourceConfig(db), serverId: 600_000 + markers },
    });
    const start = await positionNow(host.engine);
    for (const [schema, of] of schemas)
      of.failure ??= await runTransactions(db, schema, of.one, image).then(() => null, failed);
    const marks = await db.freshSchema('mark');
    markers += 1;
    await writeMarker(db, marks, markers);
    const reader = await host.engine.openReader({
      name: 'cases',
      start,
      wants: (schema) => schemas.has(schema) || schema === marks,
    });
    for (const item of await readUntilMarker(reader, markers)) {
      if (item.kind === 'interrupted') throw new Error('the log was interrupted');
      if (item.kind !== 'rows') continue;
      const schema = item.rows[0]?.shape.schema ?? '';
      schemas.get(schema)?.items.push(item);
    }
    return [...schemas].map(([schema, of]) => ({ ...of, schema, start }));
  }

  /** Applies a case to a fresh schema. */
  async apply(logged: LoggedCase, cut: Cut): Promise<AppliedCase> {
    const schema = await this.target.db.freshSchema('dst');
    await this.#build(this.target, schema, logged.one, true);
    // The graph of foreign keys is kept for minutes, and these tables are new.
    if (hasForeignKeys(logged.one)) this.#schema.invalidate();
    const config = pipelineOf(logged, schema);
    const transformer = new Transformer({ pipeline: config });
    const before = this.#ledger.length;
    const ordered = new Map<string, string>();
    const diverged = this.#diverged.length;
    let statements = 0;
    let refused: string | null = null;
    for (const batch of formed(logged, config, cut)) {
      const seq = this.#seq + 1;
      const header = this.#pipeline.header(this.#reign, seq, {
        rows: batch.rows,
        transactions: batch.transactions,
      });
      const transformed = transformer.transform({ header, payload: batch.payload }, 0);
      const given = new AbortController();
      const signal = AbortSignal.any([given.signal, AbortSignal.timeout(60_000)]);
      this.#trouble.stop = (error) => given.abort(error);
      try {
        const prepared = await this.#applier.prepare(transformed, signal);
        for (const [table, why] of prepared.ordered) ordered.set(table.split('.').at(-1) ?? '', why);
        const outcome = await this.#run.load(prepared, signal);
        if (outcome.kind !== 'applied') throw new Error(`not applied: ${JSON.stringify(outcome)}`);
        this.#seq = seq;
        statements += outcome.stats.statements;
      } catch (error) {
        const why = given.signal.aborted ? given.signal.reason : error;
        if (!(why instanceof HoltError)) throw why;
        refused = why.code;
        break;
      } finally {
        this.#trouble.stop = null;
      }
    }
    const ledger = this.#ledger.slice(before).map(({ kind }) => kind);
    return { schema, ledger, careful: this.#diverged.slice(diverged), ordered, statements, refused };
  }

  /** A name for every difference between the tables of both sides, byte for byte. */
  async differences(logged: LoggedCase, applied: AppliedCase): Promise<readonly string[]> {
    const { one } = logged;
    const names =
      one.compare === undefined
        ? (await this.source.db.query(`SHOW TABLES IN \`${logged.schema}\``)).map((row) =>
            String(Object.values(row)[0]),
          )
        : Object.keys(one.compare);
    const found: string[] = [];
    for (const name of names) {
      const columns = one.compare?.[name] ?? (await columnsOf(this.source.db, logged.schema, name));
      const [there, here] = await Promise.all([
        textRows(this.source.db, logged.schema, name, columns),
        textRows(this.target.db, applied.schema, name, columns),
      ]);
      const [surplus, missing] = [without(here, there), without(there, here)];
      if (surplus.length + missing.length > 0)
        found.push(`${name}: source only ${JSON.stringify(missing)}, target only ${JSON.stringify(surplus)}`);
    }
    return found;
  }

  /** Tables and first rows, unlogged. */
  async #build(server: DatabaseServer, schema: string, one: KeyCase, isTarget: boolean): Promise<void> {
    const connection = await server.db.connect({ schema, multipleStatements: true });
    try {
      const tables = isTarget ? (one.targetTables ?? one.tables) : one.tables;
      const statements = [
        'SET SESSION sql_log_bin = 0',
        ...(one.session ?? []),
        ...tables.map((table) => createTable(table, server.flavour)),
        ...(one.setup ?? []),
        ...(one.start ?? []).map(statement),
        ...(isTarget ? (one.targetSetup ?? []) : []),
      ];
      await all(connection, statements);
    } finally {
      await connection.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run.close();
    await this.#looks.close();
    await this.source.dispose();
    if (this.target !== this.source) await this.target.dispose();
  }
}

function hasForeignKeys({ tables, setup = [], targetSetup = [] }: KeyCase): boolean {
  return (
    tables.some(({ foreignKeys = [] }) => foreignKeys.length > 0) ||
    [...setup, ...targetSetup].some((text) => text.includes('FOREIGN KEY'))
  );
}

async function runTransactions(db: Database, schema: string, one: KeyCase, image: string): Promise<void> {
  const connection = await db.connect({ schema, multipleStatements: true });
  try {
    await all(connection, [`SET SESSION binlog_row_image = '${image}'`, ...(one.session ?? [])]);
    for (const ops of one.transactions)
      await all(connection, ['START TRANSACTION', ...ops.map(statement), 'COMMIT']);
  } finally {
    await connection.end();
  }
}

/** Statements in one packet: round trips are what these tests would spend their time on. */
async function all(connection: Connection, statements: readonly string[]): Promise<void> {
  const text = statements.join(';\n');
  await connection.query(text).catch((error: Error) => {
    throw new Error(`${error.message} in\n${text}`);
  });
}

/** The case's transactions through the batch former. */
function formed(logged: LoggedCase, config: PipelineConfig, cut: Cut): readonly FormedBatch[] {
  const former = new BatchFormer({
    start: logged.start,
    site: siteId('east'),
    origins: [siteId('east')],
    tables: new TableFilter({ include: [`${logged.schema}.*`], exclude: [] }, { caseSensitive: true }),
    limits: { ...config.batch, maxRows: cut === 'a batch a transaction' ? 1 : 1_000_000 },
    cluster: 'test',
  });
  const batches: FormedBatch[] = [];
  const end = () => {
    const batch = former.cut();
    if (batch !== null) batches.push(batch);
  };
  for (const [i, item] of logged.items.entries()) {
    if (typeof cut === 'object' && cut.after === i) end();
    while (former.take(item) === 'cut-first') end();
  }
  end();
  return batches;
}

function pipelineOf(logged: LoggedCase, schema: string): PipelineConfig {
  const rule: TableRuleConfig = {
    match: `${logged.schema}.*`,
    to: { schema, table: null },
    columns: { rename: {}, drop: [], order: null, constant: {} },
    where: null,
    processor: null,
    ...(logged.one.rule?.triggers === undefined ? {} : { triggers: logged.one.rule.triggers }),
  };
  return {
    name: pipelineId('cases'),
    channel: channelId('c'),
    source: dataSourceId('east-db'),
    target: dataSourceId('west-db'),
    sourceSite: siteId('east'),
    targetSite: siteId('west'),
    origins: [siteId('east')],
    start: null,
    tables: { include: [`${logged.schema}.*`], exclude: [] },
    rules: [rule],
    batch: { maxRows: 1_000_000, maxBytes: 64_000_000, partBytes: 64_000_000, window: 1 },
    conflict: { detect: false, winner: siteId('east') },
    pipe: { kind: 'node' },
    ddl: { default: 'stop', kinds: {} },
    onTableError: 'stop',
    largeTransactions: 'whole',
  };
}

function sourceConfig(db: Database) {
  return {
    name: dataSourceId('east-db'),
    site: siteId('east'),
    host: db.host,
    port: db.port,
    user: db.user,
    password: literalSecret(db.password),
    tls: { mode: 'disabled' as const, ca: null, cert: null, key: null },
    connectTimeoutMs: 10_000,
  };
}

export async function columnsOf(db: Database, schema: string, table: string): Promise<readonly string[]> {
  const columns = await db.query(`SHOW COLUMNS FROM \`${table}\` FROM \`${schema}\``);
  return columns.map(({ Field, Type }) => {
    const column = `\`${String(Field)}\``;
    const type = String(Type);
    // HEX of a number would round it, and the text of a FLOAT has not all its digits.
    if (/^(?:float|double)/.test(type))
      return `CONCAT(${column} + 0e0, IF(${column} = 0, HEX(CONCAT(${column})), ''))`;
    return /^(?:var)?(?:char|binary)|text|blob|^bit/.test(type) ? column : `CAST(${column} AS CHAR)`;
  });
}

/** The rows as HEX of the given expressions, ordered: code that shares nothing with Holt. */
export async function textRows(
  db: Database,
  schema: string,
  table: string,
  expressions: readonly string[],
): Promise<readonly string[]> {
  const parts = expressions.map((one) => `IFNULL(HEX(${one}), '~')`).join(', ');
  const rows = await db.query(
    `SELECT CONCAT_WS('|', ${parts}) AS row_text FROM \`${schema}\`.\`${table}\` ORDER BY 1`,
  );
  return rows.map((row) => String(row.row_text));
}

/** What is in `rows` more often than in `others`. */
function without(rows: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const one of others) left.set(one, (left.get(one) ?? 0) + 1);
  return rows.filter((one) => {
    const count = left.get(one) ?? 0;
    left.set(one, count - 1);
    return count <= 0;
  });
}
