/**
 * The plain way most tools apply, as a peer: one statement a row change in the order of the log, 100 to a packet, one connection. The
 * decoder is Holt's own, and a target transaction holds as many rows as a batch of Holt's, so that what differs is the apply side.
 * There is no checkpoint, guard or coordination in its time.
 */
import mysql, { type Connection } from 'mysql2';
import { BinlogEngine } from '../canal/engine.ts';
import { compileRowScanner, NULL_LENGTH, type RowScanner } from '../canal/value/row-scanner.ts';
import { writeLiteral } from '../canal/value/value-literal.ts';
import { literalSecret } from '../conf/secret.ts';
import { Breather } from '../lib/breather.ts';
import { ByteSink } from '../lib/byte-sink.ts';
import { quoteName } from '../lib/sql-name.ts';
import { dataSourceId, siteId } from '../model/ids.ts';
import type { ColumnBitmap } from '../model/rows.ts';
import type { SourceItem, SourceRows } from '../model/source-item.ts';
import type { TableShape } from '../model/table-shape.ts';
import type { DatabaseServer } from '../test/support/database-server.ts';
import { type Backlog, SCHEMA } from './backlog.ts';
import type { Timing } from './measurement.ts';
import { timed } from './timed.ts';

const STATEMENTS_A_PACKET = 100;
const PACKET_BYTES = 8 * 1024 * 1024;
/** `batch.maxRows` as it ships. */
export const ROWS_A_COMMIT = 20_000;

export const STATEMENT_A_ROW = 'statement a row';

export async function statementARow(backlog: Backlog, limitMs: number | undefined): Promise<Timing> {
  const { source } = backlog;
  await using target = await backlog.target();
  const engine = await BinlogEngine.open(
    {
      source: {
        name: dataSourceId('east-db'),
        site: siteId('east'),
        host: source.db.host,
        port: source.db.port,
        user: source.db.user,
        password: literalSecret(source.db.password),
        tls: { mode: 'disabled', ca: null, cert: null, key: null },
        serverId: 880_000,
        connectTimeoutMs: 10_000,
      },
    },
    AbortSignal.timeout(30_000),
  );
  const running = engine.run();
  const connection = await connect(target);
  const start = await engine.resolveStart({
    kind: 'gtid',
    set: `${backlog.options.flavour}:${backlog.start}`.replace(/^[^:]+:/, ''),
  });
  const over = new AbortController();
  let failure: string | null = null;
  let work: Promise<void> = Promise.resolve();
  const cpuBefore = process.cpuUsage();
  try {
    const timing = await timed({
      name: STATEMENT_A_ROW,
      backlog,
      target,
      cpu: () => {
        const { user, system } = process.cpuUsage(cpuBefore);
        return (user + system) / 1e6;
      },
      seq: null,
      ...(limitMs === undefined ? {} : { limitMs }),
      go: async () => {
        const reader = await engine.openReader({
          name: 'bench',
          start,
          wants: (schema) => schema === SCHEMA,
        });
        const writer = new RowByRow(connection);
        work = (async () => {
          const breather = new Breather();
          for (;;) {
            const next = reader.next(over.signal);
            // What comes is committed in full size; at the end of the log the target must not wait for more.
            if (!reader.hasNext && (await Promise.race([next, quiet()])) === null) await writer.commit();
            await writer.take(await next);
            reader.ack();
            if (breather.due()) await breather.breathe();
          }
        })().catch((error: unknown) => {
          if (!over.signal.aborted) failure = String(error);
        });
      },
      trouble: async () => failure,
    });
    over.abort();
    await work;
    await backlog.mustBeEqual(target);
    return timing;
  } finally {
    over.abort();
    await engine.stop();
    await running;
    connection.destroy();
  }
}

const QUIET_MS = 20;

function quiet(): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), QUIET_MS));
}

class RowByRow {
  readonly #connection: Connection;
  readonly #sink = new ByteSink(PACKET_BYTES);
  readonly #tables = new Map<TableShape, TableWriter>();
  #statements = 0;
  #rows = 0;
  /** The packet on its way: the next one is written meanwhile. */
  #sending: Promise<void> = Promise.resolve();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async take(item: SourceItem): Promise<void> {
    if (item.kind === 'statement') {
      await this.commit();
      await this.#statement(item.sql);
      return;
    }
    if (item.kind !== 'rows') return;
    for (const rows of item.rows) if (rows.shape.schema === SCHEMA) await this.#write(rows);
    if (item.lastPart && this.#rows >= ROWS_A_COMMIT) await this.commit();
  }

  async commit(): Promise<void> {
    if (this.#rows === 0) return;
    this.#add('COMMIT;');
    this.#rows = 0;
    await this.#send();
    await this.#sending;
  }

  async #write(rows: SourceRows): Promise<void> {
    let table = this.#tables.get(rows.shape);
    if (table === undefined) {
      table = new TableWriter(rows.shape);
      this.#tables.set(rows.shape, table);
    }
    for (let at = 0; at < rows.data.length; ) {
      if (this.#rows === 0) this.#add('START TRANSACTION;');
      at = table.write(this.#sink, rows, at);
      this.#statements += 1;
      this.#rows += 1;
      if (this.#statements >= STATEMENTS_A_PACKET || this.#sink.length >= PACKET_BYTES) await this.#send();
    }
  }

  #add(sql: string): void {
    this.#sink.latin1(sql);
    this.#statements += 1;
  }

  async #send(): Promise<void> {
    if (this.#statements === 0) return;
    const text = this.#sink.view().toString('latin1');
    this.#sink.reset();
    this.#statements = 0;
    await this.#sending;
    this.#sending = this.#query(text);
    this.#sending.catch(() => {});
  }

  async #statement(sql: Buffer): Promise<void> {
    await this.#sending;
    await this.#query(`USE ${quoteName(SCHEMA)};${sql.toString('latin1')}`);
  }

  #query(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connection.query(text, (error) => (error === null ? resolve() : reject(error)));
    });
  }
}

/** Writes the statements of one table; every table has a key. */
class TableWriter {
  readonly #shape: TableShape;
  readonly #name: string;
  readonly #scanner: RowScanner;
  readonly #columns: readonly string[];
  readonly #key: readonly number[];

  constructor(shape: TableShape) {
    if (shape.key.length === 0) throw new Error(`${shape.table} has no key`);
    this.#shape = shape;
    this.#name = `${quoteName(shape.schema)}.${quoteName(shape.table)}`;
    this.#scanner = compileRowScanner(shape);
    this.#columns = shape.columns.map((column) => quoteName(column.name));
    this.#key = shape.key;
  }

  /** The statement of the row at `at`; gives where the next one begins. */
  write(sink: ByteSink, { op, before, after, data }: SourceRows, at: number): number {
    switch (op) {
      case 'insert': {
        const end = this.#scan(data, at, after);
        sink.latin1(`INSERT INTO ${this.#name} VALUES (`);
        for (let i = 0; i < this.#columns.length; i++) {
          if (i > 0) sink.latin1(',');
          this.#literal(sink, data, i);
        }
        sink.latin1(');');
        return end;
      }
      case 'delete': {
        const end = this.#scan(data, at, before);
        sink.latin1(`DELETE FROM ${this.#name}`);
        this.#where(sink, data);
        sink.latin1(';');
        return end;
      }
      case 'update': {
        const middle = this.#scan(data, at, before);
        const where = new ByteSink(256);
        this.#where(where, data);
        const end = this.#scan(data, middle, after);
        sink.latin1(`UPDATE ${this.#name} SET `);
        for (let i = 0; i < this.#columns.length; i++) {
          if (i > 0) sink.latin1(',');
          sink.latin1(`${this.#columns[i]}=`);
          this.#literal(sink, data, i);
        }
        sink.copy(where.view());
        sink.latin1(';');
        return end;
      }
      default:
        return op satisfies never;
    }
  }

  #scan(data: Buffer, at: number, present: ColumnBitmap | null): number {
    if (present === null) throw new Error('an image is missing');
    return this.#scanner.scan(data, at, data.length, present);
  }

  #where(sink: ByteSink, data: Buffer): void {
    for (const [n, i] of this.#key.entries()) {
      sink.latin1(`${n === 0 ? ' WHERE ' : ' AND '}${this.#columns[i]}=`);
      this.#literal(sink, data, i);
    }
  }

  #literal(sink: ByteSink, data: Buffer, i: number): void {
    const length = this.#scanner.lengths[i] as number;
    const column = this.#shape.columns[i];
    if (length === NULL_LENGTH) sink.latin1('NULL');
    else if (column === undefined || length < 0) throw new Error('a column is missing');
    else writeLiteral(sink, column, data, this.#scanner.offsets[i] as number, length);
  }
}

/** Bytes go through as they are, and statements several at once. */
async function connect(target: DatabaseServer): Promise<Connection> {
  const { host, port, user, password } = target.db;
  const connection = mysql.createConnection({
    host,
    port,
    user,
    password,
    charset: 'BINARY',
    multipleStatements: true,
    queryFormat: (sql: string) => sql,
  });
  await new Promise<void>((resolve, reject) => {
    connection.query(
      "SET NAMES binary; SET time_zone = '+00:00', sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES'",
      (error) => (error === null ? resolve() : reject(error)),
    );
  });
  return connection;
}
