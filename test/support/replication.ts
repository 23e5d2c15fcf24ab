/** A whole replication under a live writer: what the end-to-end tests set up, disturb, and compare at the end. */
import { expect } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import type { PipelineStatusView } from '../../node/operations.ts';
import { compareSchemas } from './compare-schemas.ts';
import type { DatabaseFlavour } from './database.ts';
import type { DatabaseServer, DatabaseServerOptions } from './database-server.ts';
import { HoltInstallation } from './holt-installation.ts';
import { startDatabase, startZookeeper } from './servers.ts';
import { BalanceReader, createShop, SCHEMA, ShopWriter, TABLES } from './shop.ts';
import { TcpProxy } from './tcp-proxy.ts';
import type { ZookeeperServer } from './zookeeper-server.ts';

export interface ReplicationOptions {
  readonly source: DatabaseFlavour;
  readonly target: DatabaseFlavour;
  readonly sourceSettings?: DatabaseServerOptions['settings'];
  readonly targetSettings?: DatabaseServerOptions['settings'];
  /** Clocks of the servers, in the words of libfaketime. */
  readonly sourceClock?: string;
  readonly targetClock?: string;
  readonly nodes?: Readonly<Record<string, string>>;
  /** Transactions a second. */
  readonly rate?: number;
  readonly pipeline?: object;
  readonly nodeSpec?: object;
  /** By node. */
  readonly nodeSpecs?: Readonly<Record<string, object>>;
  /** Further pipelines of the channel, whole. */
  readonly morePipelines?: Readonly<Record<string, object>>;
  readonly winner?: string;
  /** Nodes that reach ZooKeeper over a link that can fail. */
  readonly linked?: readonly string[];
}

export const PIPELINE = 'east-west';
const FOUR_NODES = { 'east-1': 'east', 'east-2': 'east', 'west-1': 'west', 'west-2': 'west' } as const;

export class Replication implements AsyncDisposable {
  readonly source: DatabaseServer;
  readonly target: DatabaseServer;
  readonly zookeeper: ZookeeperServer;
  readonly holt: HoltInstallation;
  /** By node: its way to ZooKeeper, where that is a link that can fail. */
  readonly links: ReadonlyMap<string, TcpProxy>;
  readonly writer: ShopWriter;
  readonly reader: BalanceReader;

  private constructor(
    parts: Pick<Replication, 'source' | 'target' | 'zookeeper' | 'holt' | 'links'>,
    rate: number,
  ) {
    this.source = parts.source;
    this.target = parts.target;
    this.zookeeper = parts.zookeeper;
    this.holt = parts.holt;
    this.links = parts.links;
    this.writer = new ShopWriter({ db: parts.source.db, site: 'east', index: 0, count: 1, rate });
    this.reader = new BalanceReader(parts.target.db, { sites: 1 });
  }

  /** Servers, tables at both ends, configuration; no node runs yet. */
  static async create(options: ReplicationOptions): Promise<Replication> {
    const source = await startDatabase(options.source, {
      ...(options.sourceSettings === undefined ? {} : { settings: options.sourceSettings }),
      ...(options.sourceClock === undefined ? {} : { clock: options.sourceClock }),
    });
    const target = await startDatabase(options.target, {
      ...(options.targetSettings === undefined ? {} : { settings: options.targetSettings }),
      ...(options.targetClock === undefined ? {} : { clock: options.targetClock }),
    });
    const zookeeper = await startZookeeper();
    const links = new Map<string, TcpProxy>();
    for (const node of options.linked ?? [])
      links.set(node, await TcpProxy.start({ target: { host: '127.0.0.1', port: zookeeper.port } }));
    await createShop(source.db, { sites: ['east'] });
    await createShop(target.db, { sites: ['east'] });
    const holt = await HoltInstallation.create({
      databases: { east: source.db.endpoint, west: target.db.endpoint },
      zookeeper: `127.0.0.1:${zookeeper.port}`,
      nodes: options.nodes ?? FOUR_NODES,
      pipelines: {
        [PIPELINE]: {
          source: 'east-db',
          target: 'west-db',
          start: 'now',
          tables: [`${SCHEMA}.*`],
          ...options.pipeline,
        },
        ...options.morePipelines,
      },
      ...(options.winner === undefined ? {} : { winner: options.winner }),
      seenFrom: Object.fromEntries(
        [...links].map(([node, { port }]) => [node, { zookeeper: `127.0.0.1:${port}` }]),
      ),
      ...(options.nodeSpec === undefined ? {} : { nodeSpec: options.nodeSpec }),
      ...(options.nodeSpecs === undefined ? {} : { nodeSpecs: options.nodeSpecs }),
    });
    return new Replication({ source, target, zookeeper, holt, links }, options.rate ?? 100);
  }

  status(): Promise<PipelineStatusView | null> {
    return this.holt.status(PIPELINE);
  }

  /** Until the pipeline runs, before anything is written. */
  async reigning(timeoutMs = 60_000): Promise<void> {
    await this.until(
      'the pipeline to run',
      (status) => status.state === 'idle' || status.state === 'running',
      timeoutMs,
    );
  }

  async until(
    what: string,
    holds: (status: PipelineStatusView) => boolean,
    timeoutMs = 60_000,
  ): Promise<PipelineStatusView> {
    let last: PipelineStatusView | null = null;
    try {
      return await waitFor(
        async () => {
          last = (await this.status()) ?? last;
          return last !== null && holds(last) ? last : null;
        },
        { timeoutMs, pollMs: 50, what },
      );
    } catch (error) {
      throw new Error(`${what}: not within ${timeoutMs} ms; last seen ${JSON.stringify(last)}`, {
        cause: error,
      });
    }
  }

  /** Until something more has been applied than now. */
  async flows(timeoutMs = 120_000): Promise<void> {
    const before = await this.appliedSeq();
    await waitFor(async () => (await this.appliedSeq()) > before + 1n, {
      timeoutMs,
      pollMs: 50,
      what: 'rows to flow',
    });
  }

  /** Seq in the target's checkpoint: the truth, whatever nodes say. */
  async appliedSeq(): Promise<bigint> {
    const seq = await this.target.db
      .value(`SELECT seq FROM holt.checkpoint WHERE pipeline = '${PIPELINE}' AND lane = 0`)
      .catch(() => null);
    return BigInt(seq ?? 0);
  }

  /** Stops the writer, waits until everything has arrived, and compares: equal tables, an empty ledger, no wrong sum seen. */
  async settle(timeoutMs = 120_000): Promise<void> {
    await this.writer.stop();
    await this.until(
      'the pipeline to drain',
      (status) => status.state === 'idle' && status.lagMs === 0,
      timeoutMs,
    );
    // Idle is said of what was read: the comparison itself says whether that was all.
    await waitFor(async () => (await this.#differences()).length === 0, {
      timeoutMs: 20_000,
      pollMs: 500,
      what: 'both sites to be equal',
    }).catch(() => {});
    expect(await this.#differences()).toEqual([]);
    await this.reader.stop();
    expect(this.reader.wrong).toEqual([]);
    expect(await this.target.db.value('SELECT COUNT(*) FROM holt.ledger')).toBe('0');
    expect(this.writer.rows).toBeGreaterThan(0);
  }

  async #differences(): Promise<readonly string[]> {
    return (await compareSchemas(this.source.db, this.target.db, SCHEMA, TABLES)).differences;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.writer.stop().catch(() => {});
    await this.reader.stop().catch(() => {});
    await this.holt[Symbol.asyncDispose]();
    for (const link of this.links.values()) await link[Symbol.asyncDispose]();
    await Promise.allSettled([this.zookeeper.dispose(), this.source.dispose(), this.target.dispose()]);
  }
}
