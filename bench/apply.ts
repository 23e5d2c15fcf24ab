/**
 * How fast is the apply side alone?
 *
 * A backlog like sysbench's `oltp_write_only`, made in memory from a seed: per transaction an update of an indexed column, one of a
 * text column, a DELETE and an INSERT of the same id, over 8 tables. Measured: `prepare` (fold and statements) by itself,
 * and, given a server, the whole of it: prepare, execute and COMMIT, one batch after the other on one connection.
 *
 *     npx tsx bench/apply.ts [--transactions 50000] [--batch 1000] [--rows 20000] [--uniform] [--seed 1] [--server mariadb|mysql|mysql56]
 */
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { literalSecret } from '../conf/secret.ts';
import type { DataSourceConfig } from '../model/config.ts';
import { dataSourceId, siteId } from '../model/ids.ts';
import { PayloadWriter } from '../model/payload.ts';
import type { TableRoute } from '../model/table-route.ts';
import type { ColumnShape, TableShape } from '../model/table-shape.ts';
import { SqlBatchApplier } from '../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../stages/load/apply/target-schema.ts';
import { connectTarget } from '../stages/load/target/mysql2-connection.ts';
import type { TransformedBatch } from '../stages/stage.ts';
import { headerOf } from '../test/support/batch-header.ts';
import type { Database, DatabaseFlavour } from '../test/support/database.ts';
import { Dice } from '../test/support/dice.ts';
import { startDatabase } from '../test/support/servers.ts';

const TABLES = 8;

const { values } = parseArgs({
  options: {
    transactions: { type: 'string', default: '50000' },
    batch: { type: 'string', default: '1000' },
    rows: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    uniform: { type: 'boolean', default: false },
    server: { type: 'string' },
  },
});
const transactions = Number(values.transactions);
const perBatch = Number(values.batch);
const rows = Number(values.rows);

const column = (name: string, type: number, meta: number, collation: number): ColumnShape => ({
  name,
  type,
  meta,
  nullable: false,
  unsigned: false,
  collation,
  carrier: 'binlog',
  declared: null,
});
const shapes = Array.from(
  { length: TABLES },
  (_, i): TableShape => ({
    schema: 'sbtest',
    table: `sbtest${i + 1}`,
    columns: [
      column('id', 3, 0, 0),
      column('k', 3, 0, 0),
      column('c', 254, 480, 45),
      column('pad', 254, 240, 45),
    ],
    key: [0],
    hasPrimaryKey: true,
  }),
);

/** A row as it is now: one image. CHAR(120) in utf8mb4 has a length of two bytes, CHAR(60) of one. */
function image(dice: Dice, id: number, k: number): Buffer {
  const digits = (length: number) => {
    const out = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) out[i] = i % 12 === 11 ? 0x2d : 0x30 + dice.below(10);
    return out;
  };
  const head = Buffer.alloc(1 + 4 + 4);
  head.writeInt32LE(id, 1);
  head.writeInt32LE(k, 5);
  const c = digits(119);
  const pad = digits(59);
  return Buffer.concat([head, Buffer.from([c.length, 0]), c, Buffer.from([pad.length]), pad]);
}

function makeBacklog(dice: Dice): { readonly batches: TransformedBatch[]; readonly tables: Buffer[][] } {
  const tables = shapes.map(() =>
    Array.from({ length: rows }, (_, i) => image(dice, i + 1, 1 + dice.below(rows))),
  );
  const first = tables.map((table) => [...table]);
  const full = Uint8Array.of(0x0f);
  const batches: TransformedBatch[] = [];
  const writer = new PayloadWriter(8 * 1024 * 1024);
  // sysbench's default: most accesses go to a small part of the ids.
  const pick = () =>
    values.uniform || dice.chance(0.25)
      ? dice.below(rows)
      : Math.floor((rows * (0.495 + 0.01 * ((dice.next() + dice.next()) / 2))) % rows);
  for (let done = 0; done < transactions; done++) {
    writer.transaction(1_700_000_000_000_000 + done, '');
    const put = (op: 'update' | 'delete' | 'insert', number: number, data: Buffer) => {
      const shape = shapes[number] as TableShape;
      const before = op === 'insert' ? null : full;
      const after = op === 'delete' ? null : full;
      writer.rawRows(shape, op, 1, 1, before, after, data, 0, data.length);
    };
    for (const part of ['k', 'c', 'replace'] as const) {
      const number = dice.below(TABLES);
      const table = tables[number] as Buffer[];
      const id = pick();
      const old = table[id] as Buffer;
      const k = old.readInt32LE(5);
      const fresh = image(dice, id + 1, part === 'k' ? k + 1 : part === 'c' ? k : 1 + dice.below(rows));
      if (part === 'k') old.copy(fresh, 9, 9);
      table[id] = fresh;
      if (part === 'replace') {
        put('delete', number, old);
        put('insert', number, fresh);
      } else put('update', number, Buffer.concat([old, fresh]));
    }
    if ((done + 1) % perBatch === 0 || done + 1 === transactions) {
      const header = headerOf({ rows: writer.rows, transactions: writer.transactions });
      const payload = writer.finish();
      batches.push({ header, payload, routes: routesOf(payload) });
      writer.reset();
    }
  }
  return { batches, tables: first };
}

function routesOf(payload: Buffer): TableRoute[] {
  const order = [...payload.toString('latin1').matchAll(/"table":"(sbtest\d)"/g)].map(([, name]) => name);
  return order.map((name, table) => ({
    table,
    schema: 'sbtest',
    name: name ?? '',
    columns: ['id', 'k', 'c', 'pad'].map((one, index) => ({ kind: 'column', name: one, index })),
  }));
}

function perSecond(count: number, ms: number): string {
  return Math.round((count / ms) * 1000).toLocaleString('en');
}

const CREATE =
  'id INT NOT NULL AUTO_INCREMENT, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL DEFAULT "", pad CHAR(60) NOT NULL DEFAULT "", PRIMARY KEY (id), KEY k (k)';

/** What a target without a server says of its tables. */
function paperSchema(): TargetSchema {
  const text = (...fields: (string | null)[]) =>
    fields.map((field) => (field === null ? null : Buffer.from(field)));
  return new TargetSchema({
    query: async (sql) => {
      const hex = [...sql.matchAll(/X'([0-9a-f]*)'/g)].map(([, one]) =>
        Buffer.from(one ?? '', 'hex').toString(),
      );
      const table = hex[1] ?? '';
      if (sql.includes('VERSION()')) return [text('10.11.0-MariaDB', '16777216')];
      if (sql.includes('information_schema.TABLES'))
        return [text('sbtest', table, 'BASE TABLE', 'InnoDB', '20000')];
      if (sql.includes('.COLUMNS'))
        return (
          [
            ['id', 'int', null],
            ['k', 'int', null],
            ['c', 'char', 'utf8mb4'],
            ['pad', 'char', 'utf8mb4'],
          ] as const
        ).map(([name, type, charset]) =>
          text('sbtest', table, name, type, type, 'NO', null, '', charset, charset, null, null),
        );
      if (sql.includes('.STATISTICS')) return [text('sbtest', table, 'PRIMARY', 'id', null, '')];
      return [];
    },
  });
}

const dataSourceOf = (db: Database): DataSourceConfig => ({
  name: dataSourceId('west-db'),
  site: siteId('west'),
  host: db.host,
  port: db.port,
  user: db.user,
  password: literalSecret(db.password),
  tls: { mode: 'disabled', ca: null, cert: null, key: null },
  serverId: 4711,
  connectTimeoutMs: 10_000,
});

const applierOf = (schema: TargetSchema) =>
  new SqlBatchApplier({
    schema,
    ledger: {
      append: async () => {
        throw new Error('nothing diverges here');
      },
    },
    conflict: { detect: false, winner: siteId('east') },
    sourceSite: siteId('east'),
  });

/** CPU time of a process so far, in ms: what a statement costs the server, whatever else this machine does. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const signal = new AbortController().signal;
const { batches, tables } = makeBacklog(new Dice(Number(values.seed)));
const changes = batches.reduce((sum, batch) => sum + batch.header.rows, 0);
const bytes = batches.reduce((sum, batch) => sum + batch.payload.length, 0);
process.stdout.write(
  `${transactions} transactions, ${changes} row changes, ${(bytes / 1e6).toFixed(0)} MB, ${perBatch} a batch, ${values.uniform ? 'uniform' : 'skewed'}, node ${process.version}\n`,
);

{
  const applier = applierOf(paperSchema());
  for (const batch of batches.slice(0, 5)) await applier.prepare(batch, signal);
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const start = performance.now();
  let statements = 0;
  let sqlBytes = 0;
  let net = 0;
  for (const batch of batches) {
    const prepared = await applier.prepare(batch, signal);
    statements += prepared.statements.length;
    sqlBytes += prepared.bytes - batch.payload.length;
    net += prepared.statements.reduce((sum, one) => sum + one.rows, 0);
  }
  const ms = performance.now() - start;
  process.stdout.write(
    `prepare: ${perSecond(changes, ms)} changes/s, ${perSecond(net, ms)} net rows/s; ${statements} statements, ${net} net rows, ${(sqlBytes / 1e6).toFixed(0)} MB; event loop p99 ${(loop.percentile(99) / 1e6).toFixed(0)} ms, most ${(loop.max / 1e6).toFixed(0)} ms\n`,
  );
}

if (values.server !== undefined) {
  const flavour = values.server as DatabaseFlavour;
  await using server = await startDatabase(flavour, {
    settings: { innodb_buffer_pool_size: '1G', innodb_flush_log_at_trx_commit: '1', sync_binlog: '1' },
  });
  await server.db.query('CREATE DATABASE sbtest CHARACTER SET utf8mb4');
  for (const [i, table] of tables.entries()) {
    await server.db.query(`CREATE TABLE sbtest.sbtest${i + 1} (${CREATE}) ENGINE=InnoDB`);
    for (let at = 0; at < table.length; at += 1000)
      await server.db.query(
        `INSERT INTO sbtest.sbtest${i + 1} VALUES ${table
          .slice(at, at + 1000)
          .map(
            (one) =>
              `(${one.readInt32LE(1)},${one.readInt32LE(5)},'${one.toString('latin1', 11, 130)}','${one.toString('latin1', 131)}')`,
          )
          .join(',')}`,
      );
  }
  const session = await connectTarget(dataSourceOf(server.db));
  const looks = await connectTarget(dataSourceOf(server.db));
  const applier = applierOf(new TargetSchema({ query: (sql) => looks.rows(sql) }));
  await session.execute('CREATE TABLE sbtest.cp (id INT PRIMARY KEY, seq INT) ENGINE=InnoDB');
  await session.execute('INSERT INTO sbtest.cp VALUES (1,0)');
  const cpuBefore = cpuMs(server.pid);
  const start = performance.now();
  let [prepareMs, executeMs, commitMs] = [0, 0, 0];
  let next = applier.prepare(batches[0] as TransformedBatch, signal);
  for (let i = 0; i < batches.length; i++) {
    let mark = performance.now();
    const prepared = await next;
    prepareMs += performance.now() - mark;
    mark = performance.now();
    await session.execute('START TRANSACTION');
    await session.execute('UPDATE sbtest.cp SET seq = seq + 1 WHERE id = 1');
    const executing = applier.execute(prepared, session, signal);
    const following = batches[i + 1];
    if (following !== undefined) next = applier.prepare(following, signal);
    await executing;
    executeMs += performance.now() - mark;
    mark = performance.now();
    await session.execute('COMMIT');
    commitMs += performance.now() - mark;
  }
  const ms = performance.now() - start;
  process.stdout.write(
    `${flavour}: ${perSecond(changes, ms)} changes/s; waiting for prepare ${prepareMs.toFixed(0)} ms, execute ${executeMs.toFixed(0)} ms, commit ${commitMs.toFixed(0)} ms, server CPU ${cpuMs(server.pid) - cpuBefore} ms\n`,
  );
  await session.close();
  await looks.close();
}
