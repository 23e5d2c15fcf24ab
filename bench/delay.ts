/** How long from commit at the source to commit at the target, at a fixed rate of single-row transactions (open loop). */
import { fileURLToPath } from 'node:url';
import zookeeper from 'node-zookeeper-client';
import { waitFor } from '../lib/abort.ts';
import type { DatabaseServer } from '../test/support/database-server.ts';
import type { HoltInstallation } from '../test/support/holt-installation.ts';
import { SCHEMA } from './backlog.ts';
import { BinlogFollower } from './binlog-follower.ts';
import { median, percentile } from './measurement.ts';
import type { Say } from './recorder.ts';
import { sysbench } from './sysbench.ts';

export const DELAY_TABLE = 'delay';
const SCRIPT = fileURLToPath(new URL('./single-row.lua', import.meta.url));
/** Below this share of its rate a run is void. */
const LEAST_RATE = 0.98;
const DRAIN_MS = 120_000;

export interface DelayRun {
  readonly source: DatabaseServer;
  readonly target: DatabaseServer;
  readonly installation: HoltInstallation;
  /** host:port of ZooKeeper, where writes are timed. */
  readonly zookeeper: string;
  readonly tps: number;
  readonly seconds: number;
  readonly say: Say;
}

export interface Delays {
  readonly tps: number;
  /** Transactions a second that the source committed. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** 99th percentile of the first and of the last quarter of the run. */
  readonly firstP99Ms: number;
  readonly lastP99Ms: number;
  /** Second → 50th and 99th percentile of what the source committed in it. */
  readonly p50BySecond: readonly (readonly [number, number])[];
  readonly p99BySecond: readonly (readonly [number, number])[];
  /** Medians of what the nodes reported of their last batch, ms. */
  readonly stages: Readonly<Record<string, number>>;
  readonly zookeeperWriteMs: number;
}

/** The source did not keep the rate: there is no figure, and other rates may still have theirs. */
export class VoidRun extends Error {
  override readonly name = 'VoidRun';
}

export function isVoid(error: unknown): VoidRun {
  if (error instanceof VoidRun) return error;
  throw error;
}

export async function createDelayTable(server: DatabaseServer): Promise<void> {
  await server.db.query(
    `CREATE DATABASE IF NOT EXISTS ${SCHEMA} CHARACTER SET utf8mb4;
     CREATE TABLE ${SCHEMA}.${DELAY_TABLE} (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, c VARCHAR(60) NOT NULL) ENGINE=InnoDB`,
  );
}

/** @throws VoidRun when the source did not keep the rate, Error when the tables are not equal in the end. */
export async function measureDelay(options: DelayRun): Promise<Delays> {
  const { source, target, tps, seconds, say } = options;
  const most = Math.ceil(tps * seconds * 1.2) + 1_000;
  const base = Number(
    (await source.db.value(`SELECT COALESCE(MAX(id), 0) FROM ${SCHEMA}.${DELAY_TABLE}`)) ?? 0,
  );
  const committed = new Float64Array(most);
  const arrived = new Float64Array(most);
  let [sent, got] = [0, 0];
  await using atSource = await BinlogFollower.open({
    db: source.db,
    serverId: 870_001,
    table: DELAY_TABLE,
    onRow: (id, atMs) => {
      committed[id - base] = atMs;
      sent += 1;
    },
  });
  await using atTarget = await BinlogFollower.open({
    db: target.db,
    serverId: 870_002,
    table: DELAY_TABLE,
    onRow: (id, atMs) => {
      arrived[id - base] = atMs;
      got += 1;
    },
  });
  const over = new AbortController();
  const beside = Promise.all([
    timedWrites(options.zookeeper, over.signal),
    stageTimes(options.installation, over.signal),
  ]);
  say(`${tps} transactions/s for ${seconds} s`);
  await sysbench(source, SCRIPT, [
    `--rate=${tps}`,
    `--threads=${tps >= 5_000 ? 16 : 4}`,
    `--time=${seconds}`,
    '--events=0',
    '--rand-seed=1',
    'run',
  ]);
  await waitFor(
    () => {
      atSource.check();
      atTarget.check();
      return got >= sent && sent > 0;
    },
    { timeoutMs: DRAIN_MS, pollMs: 50, what: `${tps} transactions/s to arrive` },
  );
  over.abort();
  const [writes, stages] = await beside;
  await mustBeEqual(source, target);

  const last = Math.max(...lastOf(committed));
  const first = committed.find((at) => at > 0) ?? 0;
  const delays: [second: number, delay: number][] = [];
  for (let i = 0; i < most; i++) {
    const at = committed[i] as number;
    if (at > 0) delays.push([(at - first) / 1000, Math.max(0, (arrived[i] as number) - at)]);
  }
  const took = (last - first) / 1000;
  const rate = delays.length / Math.max(took, seconds * 0.5);
  if (rate < LEAST_RATE * tps)
    throw new VoidRun(
      `void: the source committed ${rate.toFixed(0)} transactions/s of ${tps}; this machine has no room for the rate`,
    );
  const sorted = (of: readonly (readonly [number, number])[]) =>
    Float64Array.from(of, ([, delay]) => delay).sort();
  const all = sorted(delays);
  const seconds_ = Math.floor(took);
  const bySecond = Array.from({ length: seconds_ }, (): [number, number][] => []);
  for (const one of delays) bySecond[Math.floor(one[0])]?.push(one);
  const curve = (share: number) =>
    bySecond.map((of, second): [number, number] => [second, percentile(sorted(of), share)]);
  return {
    tps,
    rate,
    p50Ms: percentile(all, 0.5),
    p99Ms: percentile(all, 0.99),
    maxMs: percentile(all, 1),
    firstP99Ms: percentile(sorted(delays.filter(([at]) => at < took / 4)), 0.99),
    lastP99Ms: percentile(sorted(delays.filter(([at]) => at >= (took * 3) / 4)), 0.99),
    p50BySecond: curve(0.5),
    p99BySecond: curve(0.99),
    stages,
    zookeeperWriteMs: median(writes),
  };
}

/** The last commits may stand in another order than their ids. */
function lastOf(values: Float64Array): number[] {
  const found: number[] = [0];
  for (let i = values.length - 1; i >= 0 && found.length < 100; i--)
    if ((values[i] as number) > 0) found.push(values[i] as number);
  return found;
}

async function mustBeEqual(source: DatabaseServer, target: DatabaseServer): Promise<void> {
  const [one, other] = await Promise.all(
    [source, target].map(async ({ db }) => {
      const [row] = await db.query(`CHECKSUM TABLE ${SCHEMA}.${DELAY_TABLE} EXTENDED`);
      return String(row?.Checksum);
    }),
  );
  if (one !== other) throw new Error('not equal: the tables differ');
}

/** A write every 100 ms until the signal aborts; how long each took, ms. */
async function timedWrites(connectString: string, signal: AbortSignal): Promise<readonly number[]> {
  const client = zookeeper.createClient(connectString, { sessionTimeout: 10_000 });
  await new Promise<void>((resolve) => {
    client.once('connected', resolve);
    client.connect();
  });
  const call = (work: (done: (error: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => {
      work((error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
  const path = '/bench';
  await call((done) => client.create(path, Buffer.alloc(200), (error) => done(error as Error | null))).catch(
    () => {},
  );
  const times: number[] = [];
  while (!signal.aborted) {
    const startMs = performance.now();
    await call((done) => client.setData(path, Buffer.alloc(200), (error) => done(error as Error | null)));
    times.push(performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  client.close();
  return times;
}

/** What the nodes say, twice a second, of the time their stages took for the last batch; medians, ms. */
async function stageTimes(
  installation: HoltInstallation,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const found = new Map<string, number[]>();
  while (!signal.aborted) {
    for (const node of installation.nodes.values()) {
      const text = await fetch(`${node.apiUrl}/metrics`, {
        headers: { authorization: `Bearer ${installation.token}` },
        signal: AbortSignal.timeout(2_000),
      })
        .then((answer) => answer.text())
        .catch(() => '');
      for (const [, labels = '', value] of text.matchAll(
        /^holt_stage_last_batch_seconds\{([^}]*)\} (\S+)$/gm,
      )) {
        const stage = /stage="([^"]+)"/.exec(labels)?.[1] ?? '';
        found.set(stage, [...(found.get(stage) ?? []), Number(value) * 1000]);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return Object.fromEntries([...found].map(([stage, times]) => [stage, median(times)]));
}
