import type { CanalReader } from '../../../canal/canal.ts';
import { BinlogEngine, type EngineOptions } from '../../../canal/engine.ts';
import { compileRowScanner, type RowScanner } from '../../../canal/value/row-scanner.ts';
import { writeValueText } from '../../../canal/value/value-text.ts';
import { literalSecret } from '../../../conf/secret.ts';
import { waitFor } from '../../../lib/abort.ts';
import { defined } from '../../../lib/assert.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import { dataSourceId, siteId } from '../../../model/ids.ts';
import type { Position } from '../../../model/position.ts';
import { bitmapHas } from '../../../model/rows.ts';
import type { SourceItem, SourceRows } from '../../../model/source-item.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { tableChangesOf } from '../../../stages/select/table-changes.ts';
import type { Database } from '../../support/database.ts';

export type RowsItem = Extract<SourceItem, { kind: 'rows' }>;

export function sourceOf(
  db: Pick<Database, 'host' | 'port' | 'user' | 'password'>,
  change: Partial<DataSourceConfig> = {},
): DataSourceConfig {
  return {
    name: dataSourceId('east-db'),
    site: siteId('east'),
    host: db.host,
    port: db.port,
    user: db.user,
    password: literalSecret(db.password),
    tls: { mode: 'disabled', ca: null, cert: null, key: null },
    serverId: 777_000,
    connectTimeoutMs: 10_000,
    ...change,
  };
}

/** An engine as a node has it, that ends with its block. */
export async function engineOn(
  db: Database,
  options: Partial<EngineOptions> = {},
): Promise<{ readonly engine: BinlogEngine } & AsyncDisposable> {
  const engine = await BinlogEngine.open(
    { source: sourceOf(db), changes: tableChangesOf, ...options },
    AbortSignal.timeout(30_000),
  );
  const running = engine.run();
  return {
    engine,
    [Symbol.asyncDispose]: async () => {
      await engine.stop();
      await running;
    },
  };
}

export const inSchema =
  (schema: string) =>
  (candidate: string): boolean =>
    candidate === schema;

/** Everything up to the transaction that writes `marker` into `<schema>.marker`. */
export async function readUntilMarker(
  reader: CanalReader,
  marker: number,
  onItem: (item: SourceItem) => void | Promise<void> = () => {},
): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  const signal = AbortSignal.timeout(120_000);
  for (;;) {
    const item = await reader.next(signal);
    reader.ack();
    await onItem(item);
    items.push(item);
    if (item.kind === 'rows' && item.rows.some((rows) => isMarker(rows, marker))) return items;
  }
}

export async function writeMarker(db: Database, schema: string, marker: number): Promise<void> {
  await db.query(`CREATE TABLE IF NOT EXISTS \`${schema}\`.marker (id INT PRIMARY KEY)`);
  await db.query(`INSERT INTO \`${schema}\`.marker VALUES (${marker})`);
}

function isMarker(rows: SourceRows, marker: number): boolean {
  return rows.shape.table === 'marker' && rowsOf(rows).some(({ after }) => after?.[0] === String(marker));
}

const scanners = new Map<TableShape, RowScanner>();

export interface DecodedRow {
  readonly before: readonly (string | null)[] | null;
  readonly after: readonly (string | null)[] | null;
}

/** Values as text, null for NULL and for what the image does not have. */
export function rowsOf(rows: SourceRows): readonly DecodedRow[] {
  const { shape, data } = rows;
  const scanner = scanners.get(shape) ?? compileRowScanner(shape);
  scanners.set(shape, scanner);
  const sink = new ByteSink();
  let at = 0;
  const image = (present: Uint8Array): (string | null)[] => {
    at = scanner.scan(data, at, data.length, present);
    return shape.columns.map((column, index) => {
      const length = defined(scanner.lengths[index], 'length');
      if (length < 0 || !bitmapHas(present, index)) return null;
      sink.reset();
      writeValueText(sink, column, data, defined(scanner.offsets[index], 'offset'), length);
      return sink.view().toString('utf8');
    });
  };
  return Array.from({ length: rows.rows }, () => ({
    before: rows.before === null ? null : image(rows.before),
    after: rows.after === null ? null : image(rows.after),
  }));
}

/** Tables kept in step with a log by applying its full row images; keyed by their first column. */
export class MirrorTables {
  readonly #tables = new Map<string, Map<string, readonly (string | null)[]>>();

  apply(item: SourceItem): void {
    if (item.kind !== 'rows') return;
    for (const rows of item.rows) {
      const table = this.#tables.get(rows.shape.table) ?? new Map();
      this.#tables.set(rows.shape.table, table);
      for (const { before, after } of rowsOf(rows)) {
        const from = before?.[0] ?? null;
        const to = after?.[0] ?? null;
        if (from !== null) {
          // An image that does not fit what is here was applied twice, or one before it was left out.
          const found = table.get(from);
          if (JSON.stringify(found) !== JSON.stringify(before))
            throw new Error(
              `${rows.shape.table} ${from}: ${JSON.stringify(found)} is not ${JSON.stringify(before)}`,
            );
          table.delete(from);
        } else if (to !== null && table.has(to))
          throw new Error(`${rows.shape.table} ${to} is there already`);
        if (to !== null) table.set(to, after);
      }
    }
  }

  rows(table: string): (readonly (string | null)[])[] {
    return [...(this.#tables.get(table)?.values() ?? [])].sort((a, b) => Number(a[0]) - Number(b[0]));
  }
}

export async function tableRows(db: Database, schema: string, table: string): Promise<(string | null)[][]> {
  const rows = await db.query(`SELECT * FROM \`${schema}\`.\`${table}\` ORDER BY 1`);
  return rows.map((row) => Object.values(row).map((value) => (value === null ? null : String(value))));
}

/** Threads of the server that send the log to someone. */
export async function dumpThreads(db: Database): Promise<number> {
  const rows = await db.query('SHOW PROCESSLIST');
  return rows.filter((row) => String(row.Command).startsWith('Binlog Dump')).length;
}

export async function killDumps(db: Database): Promise<void> {
  const rows = await db.query('SHOW PROCESSLIST');
  for (const row of rows)
    if (String(row.Command).startsWith('Binlog Dump')) await db.query(`KILL ${row.Id}`).catch(() => {});
}

export function positionNow(engine: BinlogEngine): Promise<Position> {
  return engine.resolveStart({ kind: 'now' });
}

/** A writer of mixed transactions over three tables, until stopped; deterministic by its seed but for timing. */
export class LiveWriter {
  readonly #db: Database;
  readonly #schema: string;
  #random: number;
  #stopping = false;
  #running: Promise<void> = Promise.resolve();
  transactions = 0;

  constructor(db: Database, schema: string, seed = 1) {
    this.#db = db;
    this.#schema = schema;
    this.#random = seed;
  }

  async createTables(): Promise<void> {
    for (const table of ['a', 'b', 'c'])
      await this.#db.query(
        `CREATE TABLE \`${this.#schema}\`.${table} (id INT PRIMARY KEY, n BIGINT NOT NULL, t VARCHAR(60)) ENGINE=InnoDB`,
      );
  }

  start(): void {
    this.#running = this.#loop();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async wrote(transactions: number): Promise<void> {
    const end = this.transactions + transactions;
    await waitFor(() => this.transactions >= end, {
      timeoutMs: 60_000,
      what: `${transactions} transactions`,
    });
  }

  async #loop(): Promise<void> {
    const connection = await this.#db.connect({ schema: this.#schema });
    try {
      while (!this.#stopping) {
        await connection.beginTransaction();
        const changes = 1 + this.#next(8);
        for (let i = 0; i < changes; i++) await connection.query(this.#change());
        if (this.#next(10) === 0) await connection.rollback();
        else await connection.commit();
        this.transactions += 1;
      }
    } finally {
      await connection.end();
    }
  }

  #change(): string {
    const table = ['a', 'b', 'c'][this.#next(3)] ?? 'a';
    const id = this.#next(200);
    switch (this.#next(4)) {
      case 0:
        return `DELETE FROM ${table} WHERE id = ${id}`;
      case 1:
        return `UPDATE ${table} SET n = n + ${this.#next(1000)} WHERE id BETWEEN ${id} AND ${id + this.#next(20)}`;
      default:
        return `INSERT INTO ${table} VALUES (${id}, ${this.#next(1_000_000)}, '${'x'.repeat(this.#next(50))}') ON DUPLICATE KEY UPDATE n = ${this.#next(1000)}, t = NULL`;
    }
  }

  #next(below: number): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (this.#random >>> 8) % below;
  }
}
