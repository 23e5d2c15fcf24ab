/**
 * One side of `decode`, a process of its own: reads the log once and again over a dump connection of its own each time, and prints what it
 * took as a line of JSON. The task is the only argument.
 */
import { createHash, type Hash } from 'node:crypto';
import ZongJi from '@vlasky/zongji';
import { BinlogEngine } from '../canal/engine.ts';
import { compileRowValues, type RowValues } from '../canal/value/row-values.ts';
import { literalSecret } from '../conf/secret.ts';
import { dataSourceId, siteId } from '../model/ids.ts';
import type { PositionText } from '../model/position.ts';
import type { SourceRows } from '../model/source-item.ts';
import type { TableShape } from '../model/table-shape.ts';
import { tableChangesOf } from '../stages/select/table-changes.ts';

export interface DecodeTask {
  readonly side: 'holt' | 'zongji';
  /** `raw`: transactions as the pipeline takes them, rows as they stand in the log. */
  readonly mode: 'values' | 'raw';
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly schema: string;
  /** The table whose rows, `ends` of them, end the parts of the backlog; they are counted nowhere else. */
  readonly endTable: string;
  readonly ends: number;
  /** GTID set before the backlog; and the file that it begins. */
  readonly start: string;
  readonly file: string;
  /** The first pass is cold; passes go on until those after it have taken so long together. */
  readonly warmSeconds: number;
  /** And at least so many of them. */
  readonly warmPasses: number;
  readonly digest: boolean;
}

export interface DecodePass {
  readonly rows: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Sum of numbers and of lengths of texts: every value was looked at. 0 where none was made. */
  readonly sum: number;
}

export interface DecodeReport {
  readonly passes: readonly DecodePass[];
  readonly digest: string | null;
}

/** sysbench's columns. */
interface Row {
  readonly id: number;
  readonly k: number;
  readonly c: string;
  readonly pad: string;
}

/** What both sides do with a row change: look at every value, once. */
class Taster {
  rows = 0;
  sum = 0;
  readonly #hash: Hash | null;
  #startMs = 0;
  #startCpu = process.cpuUsage();

  constructor(digest: boolean) {
    this.#hash = digest ? createHash('sha256') : null;
  }

  /** From the first row to the last: connecting is no part of it. */
  begin(): void {
    this.#startMs = performance.now();
    this.#startCpu = process.cpuUsage();
  }

  change(before: Row | null, after: Row | null): void {
    this.rows += 1;
    if (before !== null) this.#taste(before);
    if (after !== null) this.#taste(after);
  }

  raw(rows: number): void {
    this.rows += rows;
  }

  end(): DecodePass {
    const cpu = process.cpuUsage(this.#startCpu);
    return {
      rows: this.rows,
      seconds: (performance.now() - this.#startMs) / 1000,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      sum: this.sum,
    };
  }

  get digest(): string | null {
    return this.#hash?.digest('hex') ?? null;
  }

  #taste(row: Row): void {
    this.sum += row.id + row.k + row.c.length + row.pad.length;
    this.#hash?.update(JSON.stringify(row));
  }
}

async function holt(task: DecodeTask, open: BinlogEngine, taster: Taster): Promise<DecodePass> {
  const signal = AbortSignal.timeout(600_000);
  const reader = await open.openReader({
    name: 'decode',
    start: { text: task.start as PositionText, at: null, lastEvent: null },
    wants: (schema) => schema === task.schema,
  });
  const valuesOf = new Map<TableShape, RowValues>();
  const take = (rows: SourceRows): void => {
    if (task.mode === 'raw') {
      taster.raw(rows.rows);
      return;
    }
    let values = valuesOf.get(rows.shape);
    if (values === undefined) {
      values = compileRowValues(rows.shape);
      valuesOf.set(rows.shape, values);
    }
    const images = values.read(rows) as unknown as readonly Row[];
    if (rows.op === 'update')
      for (let at = 0; at + 1 < images.length; at += 2)
        taster.change(images[at] as Row, images[at + 1] as Row);
    else
      for (let at = 0; at < images.length; at++)
        taster.change(
          rows.op === 'insert' ? null : (images[at] as Row),
          rows.op === 'insert' ? (images[at] as Row) : null,
        );
  };
  try {
    let begun = false;
    let ends = 0;
    for (;;) {
      const item = reader.take() ?? (await reader.next(signal));
      if (item.kind === 'rows') {
        if (!begun) taster.begin();
        begun = true;
        for (const rows of item.rows) {
          if (rows.shape.table !== task.endTable) take(rows);
          else if (++ends === task.ends) return taster.end();
        }
      }
      reader.ack();
    }
  } finally {
    await reader.close();
  }
}

async function openEngine(task: DecodeTask): Promise<BinlogEngine> {
  return await BinlogEngine.open(
    {
      source: {
        name: dataSourceId('bench'),
        site: siteId('bench'),
        host: '127.0.0.1',
        port: task.port,
        user: task.user,
        password: literalSecret(task.password),
        tls: { mode: 'disabled', ca: null, cert: null, key: null },
        serverId: 70_000,
        connectTimeoutMs: 10_000,
      },
      changes: tableChangesOf,
    },
    AbortSignal.timeout(30_000),
  );
}

interface ZongjiRows {
  getTypeName(): string;
  readonly rows: readonly (Row & { readonly before: Row; readonly after: Row })[];
  readonly tableId: number;
  readonly tableMap: Readonly<Record<number, { readonly tableName: string }>>;
}

async function zongji(task: DecodeTask, taster: Taster): Promise<DecodePass> {
  const reader = new ZongJi({ host: '127.0.0.1', port: task.port, user: task.user, password: task.password });
  try {
    return await new Promise<DecodePass>((resolve, reject) => {
      let begun = false;
      let ends = 0;
      reader.on('error', reject);
      reader.on('binlog', (given: unknown) => {
        const event = given as ZongjiRows;
        const type = event.getTypeName();
        if (type !== 'WriteRows' && type !== 'UpdateRows' && type !== 'DeleteRows') return;
        if (!begun) taster.begin();
        begun = true;
        if (event.tableMap[event.tableId]?.tableName === task.endTable) {
          if (++ends === task.ends) resolve(taster.end());
        } else if (type === 'UpdateRows') for (const row of event.rows) taster.change(row.before, row.after);
        else if (type === 'WriteRows') for (const row of event.rows) taster.change(null, row);
        else for (const row of event.rows) taster.change(row, null);
      });
      reader.start({
        serverId: 70_001,
        filename: task.file,
        position: 4,
        includeEvents: ['rotate', 'tablemap', 'writerows', 'updaterows', 'deleterows'],
      });
    });
  } finally {
    reader.stop();
  }
}

const task = JSON.parse(process.argv[2] ?? '{}') as DecodeTask;
const engine = task.side === 'holt' ? await openEngine(task) : null;
const once = async (digest: boolean): Promise<{ pass: DecodePass; digest: string | null }> => {
  const taster = new Taster(digest);
  const pass = engine === null ? await zongji(task, taster) : await holt(task, engine, taster);
  return { pass, digest: taster.digest };
};
const passes: DecodePass[] = [(await once(false)).pass];
for (
  let warm = 0;
  warm < task.warmSeconds || passes.length <= task.warmPasses;
  warm += passes.at(-1)?.seconds ?? 0
)
  passes.push((await once(false)).pass);
const digest = task.digest ? (await once(true)).digest : null;
await engine?.stop();
process.stdout.write(`${JSON.stringify({ passes, digest } satisfies DecodeReport)}\n`, () => process.exit(0));
