/**
 * How fast is a backlog caught up, by Holt and by the server's own replica?
 *
 *     npm run bench -- catchup [--server mariadb|mysql] [--workload skewed|uniform] [--quick] [--repeat N] [--no-save]
 *                              [--layout per-site|one-node] [--no-peer] [--batch JSON] [--profile DIR] [--log-level L] [--keep-logs DIR]
 *                              [--node-options OPTIONS]
 *
 * The backlog of `backlog.ts`, then each in turn on a fresh copy of the data as it was before: the server's own replica, one
 * thread or worker and several, timed from the start of its SQL threads with the relay log fetched already; Holt with all four
 * stages over a real ZooKeeper, timed from `resume` of a paused pipeline whose nodes are up (raise, dump and all lie in the
 * time), first by nodes just started and then by the same nodes once more on a target reset. Each ends when the backlog's last row can be read at the target, and counts only when all tables are equal.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { waitFor } from '../lib/abort.ts';
import { compareSchemas } from '../test/support/compare-schemas.ts';
import type { Database } from '../test/support/database.ts';
import type { DatabaseServer, Settings } from '../test/support/database-server.ts';
import { HoltInstallation } from '../test/support/holt-installation.ts';
import { startZookeeper } from '../test/support/servers.ts';
import { Backlog, type BenchFlavour, benchSettings, cpuSeconds, END_TABLE, SCHEMA } from './backlog.ts';
import {
  type Measurement,
  machineLine,
  median,
  resultLine,
  rounded,
  type Timing,
  writeResults,
} from './measurement.ts';

const WORKLOADS = {
  skewed: { distribution: 'special', tableRows: 20_000, quickRows: 5_000 },
  uniform: { distribution: 'uniform', tableRows: 100_000, quickRows: 20_000 },
} as const;
type Workload = keyof typeof WORKLOADS;

const LAYOUTS = {
  'per-site': { nodes: { 'east-1': 'east', 'west-1': 'west' }, nodeSpec: {} },
  'one-node': { nodes: { 'node-1': 'east' }, nodeSpec: { serves: ['east', 'west'] } },
} as const;
type Layout = keyof typeof LAYOUTS;

const TABLES = 8;
const TIMEOUT_MS = 600_000;
/** Sharp enough for times of seconds; the question costs the target a few hundredths of a core. */
const POLL_MS = 4;

interface Options {
  readonly server: BenchFlavour;
  readonly workload: Workload;
  readonly quick: boolean;
  readonly repeat: number;
  readonly save: boolean;
  readonly layouts: readonly Layout[];
  readonly peer: boolean;
  readonly batch: object | null;
  readonly profile: string | null;
  readonly logLevel: string;
  readonly keepLogs: string | null;
  /** NODE_OPTIONS of the nodes. */
  readonly nodeOptions: string;
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      server: { type: 'string', default: 'mariadb' },
      workload: { type: 'string', default: 'skewed' },
      quick: { type: 'boolean', default: false },
      repeat: { type: 'string', default: '1' },
      'no-save': { type: 'boolean', default: false },
      layout: { type: 'string' },
      'no-peer': { type: 'boolean', default: false },
      batch: { type: 'string' },
      profile: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
      'keep-logs': { type: 'string' },
      'node-options': { type: 'string', default: '' },
    },
  });
  const { server, workload, layout } = values;
  if (server !== 'mariadb' && server !== 'mysql') throw new Error('--server is mariadb or mysql');
  if (workload !== 'skewed' && workload !== 'uniform') throw new Error('--workload is skewed or uniform');
  if (layout !== undefined && layout !== 'per-site' && layout !== 'one-node')
    throw new Error('--layout is per-site or one-node');
  return {
    server,
    workload,
    quick: values.quick,
    repeat: Math.max(1, Number(values.repeat)),
    save: !values['no-save'] && !values.quick && !values['no-peer'] && layout === undefined,
    layouts: layout === undefined ? ['per-site', 'one-node'] : [layout],
    peer: !values['no-peer'],
    batch: values.batch === undefined ? null : (JSON.parse(values.batch) as object),
    profile: values.profile ?? null,
    logLevel: values['log-level'],
    keepLogs: values['keep-logs'] ?? null,
    nodeOptions: values['node-options'],
  };
}

const started = performance.now();

function say(text: string): void {
  const at = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${at} s  ${text}\n`);
}

export async function catchup(args: readonly string[]): Promise<void> {
  const options = optionsOf(args);
  const { server, workload } = options;
  const loadBefore = loadavg()[0] ?? 0;
  const { distribution, tableRows, quickRows } = WORKLOADS[workload];
  say(`${server}, ${workload}${options.quick ? ', quick: figures of a backlog this small say little' : ''}`);
  await using backlog = await Backlog.make(
    {
      flavour: server,
      transactions: options.quick ? 5_000 : 50_000,
      tables: TABLES,
      tableRows: options.quick ? quickRows : tableRows,
      distribution,
    },
    say,
  );
  say(`${backlog.rows} row changes, ${(backlog.binlogBytes / 1e6).toFixed(0)} MB of binlog`);

  const timings: Timing[] = [];
  const add = (timing: Timing) => {
    timings.push(timing);
    say(
      `${timing.name}: ${timing.rows_per_s} rows/s (${timing.seconds} s; CPU s: target ${timing.targetCpuSeconds}, source ${timing.sourceCpuSeconds}, nodes ${timing.nodesCpuSeconds ?? '–'}; load ${timing.load}), equal`,
    );
  };
  for (let round = 1; round <= options.repeat; round++) {
    if (options.peer) for (const threads of PEERS[server]) add(await ownReplica(backlog, threads));
    for (const layout of options.layouts)
      for (const timing of await holt(backlog, layout, `${layout}-${round}`, options)) add(timing);
  }

  const medianOf = (name: string) =>
    median(timings.filter((one) => one.name === name).map((one) => one.rows_per_s));
  const peer = options.peer
    ? PEERS[server]
        .map((threads) => ({ name: peerName(server, threads), rows: medianOf(peerName(server, threads)) }))
        .reduce((best, one) => (one.rows > best.rows ? one : best))
    : { name: 'none', rows: 0 };
  const modes = options.layouts.flatMap((layout) => WARMTHS.map((warmth) => ({ layout, warmth })));
  const results = modes.map(({ layout, warmth }): Measurement => {
    const rows = medianOf(holtName(layout, warmth));
    return {
      bench: 'catchup',
      workload: options.quick ? `${workload}-quick` : workload,
      server,
      layout,
      mode: `prefix, ${warmth}`,
      rows_per_s: Math.round(rows),
      peer: peer.name,
      peer_rows_per_s: Math.round(peer.rows),
      ratio: peer.rows === 0 ? 0 : rounded(rows / peer.rows, 2),
    };
  });
  if (options.save) {
    const file = writeResults(`catchup-${server}-${workload}`, {
      machine: machineLine(loadBefore),
      versions: { [server]: backlog.source.version },
      settings: Object.fromEntries(
        Object.entries(benchSettings(server)).map(([name, value]) => [name, String(value)]),
      ),
      backlog: {
        transactions: backlog.options.transactions,
        rows: backlog.rows,
        binlogBytes: backlog.binlogBytes,
        tables: TABLES,
        tableRows: backlog.options.tableRows,
        distribution,
      },
      timings,
      results,
    });
    say(`written: ${file}`);
  }
  for (const result of results) process.stdout.write(resultLine(result));
}

/** `started`: nodes whose code is still being compiled. `warm`: the same nodes after that backlog. */
const WARMTHS = ['started', 'warm'] as const;
type Warmth = (typeof WARMTHS)[number];

const holtName = (layout: Layout, warmth: Warmth) => `holt ${layout}, ${warmth}`;

async function holt(
  backlog: Backlog,
  layout: Layout,
  /** Unlike every other of this run: the source remembers which pipelines have run. */
  pipeline: string,
  options: Options,
): Promise<readonly Timing[]> {
  const { source } = backlog;
  await using target = await backlog.target();
  await using zookeeper = await startZookeeper();
  await using installation = await HoltInstallation.create({
    databases: { east: source.db.endpoint, west: target.db.endpoint },
    zookeeper: zookeeper.connectString,
    nodes: LAYOUTS[layout].nodes,
    nodeSpec: LAYOUTS[layout].nodeSpec,
    logLevel: options.logLevel,
    pipelines: {
      [pipeline]: {
        source: 'east-db',
        target: 'west-db',
        start: 'now',
        tables: [`${SCHEMA}.*`],
        ...(options.batch === null ? {} : { batch: options.batch }),
      },
    },
  });
  if (options.profile !== null) {
    mkdirSync(options.profile, { recursive: true });
    process.env.HOLT_BENCH_PROFILE = options.profile;
  }
  const profiler =
    options.profile === null ? '' : `--import=${new URL('./profile-node.mjs', import.meta.url).href}`;
  await installation.start(undefined, { nodeOptions: `${options.nodeOptions} ${profiler}`.trim() });
  const [node] = installation.nodes.values();
  if (node === undefined) throw new Error('no node');
  const reaches = (...states: string[]) =>
    waitFor(async () => states.includes((await installation.status(pipeline))?.state ?? ''), {
      timeoutMs: 60_000,
      pollMs: 50,
      what: `the pipeline to be ${states.join(' or ')}`,
    });
  const seq = `(SELECT seq FROM holt.checkpoint WHERE pipeline = '${pipeline}' AND lane = 0)`;
  const pids = [...installation.nodes.values()].map((one) => one.process.pid);
  const timings: Timing[] = [];
  for (const warmth of WARMTHS) {
    await reaches('idle', 'running');
    await node.api.setDesired(pipeline, { desired: 'paused', by: 'bench', why: 'before the measurement' });
    await reaches('paused');
    if (warmth === 'warm') await backlog.reset(target);
    await node.api.setPosition(pipeline, `${backlog.options.flavour}:${backlog.start}`, 'the backlog begins');
    timings.push(
      await timed({
        name: holtName(layout, warmth),
        backlog,
        target,
        pids,
        seq,
        go: () => node.api.setDesired(pipeline, { desired: 'running', by: 'bench', why: 'the measurement' }),
        trouble: async () => {
          const status = await installation.status(pipeline);
          return status?.state === 'paused' && status.code !== null
            ? `${status.code}: ${status.reason}`
            : null;
        },
      }),
    );
    await mustBeEqual(backlog, target);
    const ledger = await target.db.value('SELECT COUNT(*) FROM holt.ledger');
    if (ledger !== '0') throw new Error(`${ledger} entries in the ledger`);
  }
  await Promise.all([...installation.nodes.values()].map((one) => one.stop()));
  if (options.keepLogs !== null) {
    mkdirSync(options.keepLogs, { recursive: true });
    for (const one of installation.nodes.values())
      writeFileSync(join(options.keepLogs, `${pipeline}-${one.name}.log`), one.logText());
  }
  return timings;
}

/** Threads or workers of the server's own replica; the better one counts. */
const PEERS = { mariadb: [0, 4], mysql: [1, 4] } as const;

const peerName = (server: BenchFlavour, threads: number) =>
  `${server} replica, ${threads} ${server === 'mariadb' ? 'threads' : threads === 1 ? 'worker' : 'workers'}`;

async function ownReplica(backlog: Backlog, threads: number): Promise<Timing> {
  const { source, options } = backlog;
  const { host, port, user, password } = source.db;
  const settings: Settings =
    options.flavour === 'mariadb'
      ? { slave_parallel_threads: threads, slave_parallel_mode: 'optimistic', relay_log: 'relay' }
      : { replica_parallel_workers: threads, relay_log: 'relay', skip_replica_start: true };
  await using target = await backlog.target(settings);
  const words =
    options.flavour === 'mariadb'
      ? {
          change: `CHANGE MASTER TO MASTER_HOST='${host}', MASTER_PORT=${port}, MASTER_USER='${user}', MASTER_PASSWORD='${password}', MASTER_USE_GTID=slave_pos`,
          fetch: 'START SLAVE IO_THREAD',
          apply: 'START SLAVE SQL_THREAD',
          status: 'SHOW SLAVE STATUS',
          stop: 'STOP SLAVE',
          file: 'Master_Log_File',
          offset: 'Read_Master_Log_Pos',
        }
      : {
          change: `CHANGE REPLICATION SOURCE TO SOURCE_HOST='${host}', SOURCE_PORT=${port}, SOURCE_USER='${user}', SOURCE_PASSWORD='${password}', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1`,
          fetch: 'START REPLICA IO_THREAD',
          apply: 'START REPLICA SQL_THREAD',
          status: 'SHOW REPLICA STATUS',
          stop: 'STOP REPLICA',
          file: 'Source_Log_File',
          offset: 'Read_Source_Log_Pos',
        };
  if (options.flavour === 'mariadb') await target.db.query(`SET GLOBAL gtid_slave_pos = '${backlog.start}'`);
  await target.db.query(words.change);
  await target.db.query(words.fetch);
  const last = (await source.db.query('SHOW BINARY LOGS')).at(-1);
  await waitFor(
    async () => {
      const [row] = await target.db.query(words.status);
      return row?.[words.file] === last?.Log_name && Number(row?.[words.offset]) >= Number(last?.File_size);
    },
    { timeoutMs: TIMEOUT_MS, pollMs: 50, what: 'the relay log to be fetched' },
  );
  const timing = await timed({
    name: peerName(options.flavour, threads),
    backlog,
    target,
    pids: null,
    seq: null,
    go: async () => {
      await target.db.query(words.apply);
    },
    trouble: async () => {
      const [row] = await target.db.query(words.status);
      const error = row?.Last_SQL_Error;
      return typeof error === 'string' && error !== '' ? error : null;
    },
  });
  await target.db.query(words.stop);
  await mustBeEqual(backlog, target);
  return timing;
}

interface Timed {
  readonly name: string;
  readonly backlog: Backlog;
  readonly target: DatabaseServer;
  /** Holt's nodes. */
  readonly pids: readonly number[] | null;
  /** SQL for the checkpoint's seq. */
  readonly seq: string | null;
  readonly go: () => Promise<void>;
  /** Why the end will never come. */
  readonly trouble: () => Promise<string | null>;
}

async function timed({ name, backlog, target, pids, seq, go, trouble }: Timed): Promise<Timing> {
  const connection = await target.db.connect();
  const probe = async () => {
    const [rows] = await connection.query(
      `SELECT (SELECT COUNT(*) FROM ${SCHEMA}.${END_TABLE}) AS done, ${seq ?? '0'} AS seq`,
    );
    const [row] = rows as { done: unknown; seq: unknown }[];
    return { done: Number(row?.done) > 0, seq: Number(row?.seq ?? 0) };
  };
  const nodesCpu = () => (pids ?? []).reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const seqBefore = (await probe()).seq;
  const before = {
    target: cpuSeconds(target.pid),
    source: cpuSeconds(backlog.source.pid),
    nodes: nodesCpu(),
  };
  const startMs = performance.now();
  let firstMs: number | null = null;
  let looked = startMs;
  await go();
  for (;;) {
    const { done, seq: now } = await probe();
    if (firstMs === null && now !== seqBefore) firstMs = performance.now() - startMs;
    if (done) break;
    if (performance.now() - looked > 2_000) {
      looked = performance.now();
      const why = await trouble();
      if (why !== null) throw new Error(`${name}: ${why}`);
      if (looked - startMs > TIMEOUT_MS) throw new Error(`${name}: not done in ${TIMEOUT_MS} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const seconds = (performance.now() - startMs) / 1000;
  const after = (await probe()).seq;
  await connection.end();
  return {
    name,
    seconds: rounded(seconds, 3),
    rows_per_s: Math.round(backlog.rows / seconds),
    firstCommitSeconds: firstMs === null ? null : rounded(firstMs / 1000, 3),
    batches: seq === null ? null : after - seqBefore,
    targetCpuSeconds: rounded(cpuSeconds(target.pid) - before.target, 2),
    sourceCpuSeconds: rounded(cpuSeconds(backlog.source.pid) - before.source, 2),
    nodesCpuSeconds: pids === null ? null : rounded(nodesCpu() - before.nodes, 2),
    load: rounded(loadavg()[0] ?? 0, 1),
  };
}

async function mustBeEqual(backlog: Backlog, target: { readonly db: Database }): Promise<void> {
  const { differences, rows } = await compareSchemas(backlog.source.db, target.db, SCHEMA, backlog.tables);
  if (differences.length > 0) throw new Error(`not equal: ${differences.join('; ')}`);
  const expected = backlog.options.tables * backlog.options.tableRows + 1;
  if (rows !== expected) throw new Error(`${rows} rows were compared, and there should be ${expected}`);
}
