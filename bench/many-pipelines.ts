/** A node at each site with many pipelines between one source and one target, a table each; nothing changes. */
import { waitFor } from '../lib/abort.ts';
import type { DatabaseServer } from '../test/support/database-server.ts';
import { HoltInstallation } from '../test/support/holt-installation.ts';
import { startDatabase } from '../test/support/servers.ts';
import type { ZookeeperServer } from '../test/support/zookeeper-server.ts';
import { SCHEMA } from './backlog.ts';
import { type BenchFlavour, benchSettings, type Flush, startBenchZookeeper } from './bench-servers.ts';
import { type HoltOptions, LAYOUTS, nodeOptionsOf } from './holt-run.ts';

export interface ManyPipelines extends AsyncDisposable {
  readonly source: DatabaseServer;
  readonly target: DatabaseServer;
  readonly zookeeper: ZookeeperServer;
  readonly installation: HoltInstallation;
}

export async function startManyPipelines(parts: {
  readonly count: number;
  readonly server: BenchFlavour;
  readonly flush: Flush;
  readonly options: HoltOptions;
}): Promise<ManyPipelines> {
  const { count, server, flush, options } = parts;
  const stack = new AsyncStack();
  try {
    const settings = { ...benchSettings(server, flush), max_connections: 2_000 };
    const source = await stack.use(startDatabase(server, { settings }));
    const target = await stack.use(startDatabase(server, { settings }));
    const zookeeper = await stack.use(startBenchZookeeper());
    const tables = Array.from({ length: count }, (_, i) => `t${i + 1}`);
    for (const { db } of [source, target]) {
      await db.query(`CREATE DATABASE ${SCHEMA} CHARACTER SET utf8mb4`);
      for (const table of tables)
        await db.query(`CREATE TABLE ${SCHEMA}.${table} (id INT NOT NULL PRIMARY KEY, v INT) ENGINE=InnoDB`);
    }
    const installation = await stack.use(
      HoltInstallation.create({
        databases: { east: source.db.endpoint, west: target.db.endpoint },
        zookeeper: zookeeper.connectString,
        sessionTimeout: '10s',
        nodes: LAYOUTS['node-per-site'].nodes,
        logLevel: options.logLevel,
        pipelines: null,
        // A channel each: pipelines of one channel that go the same way would be two paths for the same changes.
        channels: Object.fromEntries(
          tables.map((table) => [
            `c-${table}`,
            {
              pipelines: {
                [`p-${table}`]: {
                  source: 'east-db',
                  target: 'west-db',
                  start: 'now',
                  tables: [`${SCHEMA}.${table}`],
                },
              },
            },
          ]),
        ),
      }),
    );
    await installation.start(undefined, { nodeOptions: nodeOptionsOf(options) });
    await allIdle(installation, count);
    // Each has carried a change before it rests.
    for (const table of tables) await source.db.query(`INSERT INTO ${SCHEMA}.${table} VALUES (1, 1)`);
    await waitFor(
      async () => {
        const union = tables
          .map((table) => `SELECT COUNT(*) AS n FROM ${SCHEMA}.${table}`)
          .join(' UNION ALL ');
        return (await target.db.value(`SELECT SUM(n) FROM (${union}) AS all_of_them`)) === String(count);
      },
      { timeoutMs: 300_000, pollMs: 500, what: 'a row of every pipeline to arrive' },
    );
    await allIdle(installation, count);
    return {
      source,
      target,
      zookeeper,
      installation,
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    };
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

async function allIdle(installation: HoltInstallation, count: number): Promise<void> {
  const [node] = installation.nodes.values();
  await waitFor(
    async () => {
      const views = await node?.api.pipelines().catch(() => []);
      return views?.length === count && views.every(({ state }) => state === 'idle');
    },
    { timeoutMs: 300_000, pollMs: 1_000, what: `${count} pipelines to be idle` },
  );
}

class AsyncStack implements AsyncDisposable {
  readonly #held: AsyncDisposable[] = [];

  async use<T extends AsyncDisposable>(made: Promise<T>): Promise<T> {
    const one = await made;
    this.#held.push(one);
    return one;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#held.splice(0).reverse()) await one[Symbol.asyncDispose]();
  }
}
