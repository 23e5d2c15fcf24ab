/**
 * Real nodes between the two sides: processes over ZooKeeper, one at each site. Batches are cut as time has it, so that a case need
 * not run the same way twice; in return everything is there, the replication of schema changes too.
 */
import { waitFor } from '../lib/abort.ts';
import { HoltInstallation } from '../test/support/holt-installation.ts';
import { startZookeeper } from '../test/support/servers.ts';
import type { ZookeeperServer } from '../test/support/zookeeper-server.ts';
import { quoted } from './case.ts';
import type { Applied, Chain } from './chain.ts';
import { MARKER_TABLE, SCHEMA_PREFIX, type Sides } from './sides.ts';

const PIPELINE = 'fuzz';
const READY_MS = 120_000;
const FOLLOW_MS = 120_000;

/** The target did not come level; the message says what the nodes say. */
class NotCarried extends Error {
  override readonly name = 'NotCarried';
}

interface Running {
  readonly zookeeper: ZookeeperServer;
  readonly holt: HoltInstallation;
}

export class NodeChain implements Chain, AsyncDisposable {
  readonly readsCreate = true;
  readonly #sides: Sides;
  /** Of the pipeline, beside what it carries. */
  readonly #spec: object;
  #running: Running | null = null;
  #ledgered = 0n;

  private constructor(sides: Sides, spec: object) {
    this.#sides = sides;
    this.#spec = spec;
  }

  static async open(sides: Sides, spec: object = {}): Promise<NodeChain> {
    const chain = new NodeChain(sides, spec);
    await chain.begin();
    return chain;
  }

  async begin(): Promise<void> {
    if (this.#running !== null) return;
    const { source, target } = this.#sides;
    const zookeeper = await startZookeeper();
    try {
      const holt = await HoltInstallation.create({
        databases: { east: source.endpoint, west: target.endpoint },
        zookeeper: zookeeper.connectString,
        sessionTimeout: '10s',
        nodes: { 'east-1': 'east', 'west-1': 'west' },
        pipelines: {
          [PIPELINE]: {
            source: 'east-db',
            target: 'west-db',
            start: 'now',
            tables: [`${SCHEMA_PREFIX}*.*`],
            // The tables are at the target already.
            ddl: { 'create-table': 'ignore' },
            ...this.#spec,
          },
        },
      });
      this.#running = { zookeeper, holt };
      await holt.start();
      await waitFor(
        async () => {
          const status = await holt.status(PIPELINE);
          return status?.state === 'idle' || status?.state === 'running';
        },
        { timeoutMs: READY_MS, pollMs: 100, what: 'the pipeline to run' },
      );
    } catch (error) {
      if (this.#running === null) await zookeeper.dispose();
      await this.reset();
      throw error;
    }
  }

  /** The log says how the tables were made, and what became of them: however late it is read. */
  waitsForSchema(): boolean {
    return false;
  }

  /** They are replicated. */
  async alter(): Promise<void> {}

  async follow(schema: string, _one: unknown, applied: Applied): Promise<void> {
    const { source, target } = this.#sides;
    const markers = `SELECT COUNT(*) FROM ${quoted(schema)}.${MARKER_TABLE}`;
    const due = await source.value(markers);
    try {
      await waitFor(async () => (await target.value(markers)) === due && !(await this.#isInPart()), {
        timeoutMs: FOLLOW_MS,
        pollMs: 20,
        what: 'the marker',
      });
    } catch (error) {
      const status = await this.#running?.holt.status(PIPELINE).catch(() => null);
      throw new NotCarried(`the target is behind after ${FOLLOW_MS} ms: ${JSON.stringify(status)}`, {
        cause: error,
      });
    }
    const parked = await target.query(
      "SELECT CONCAT(table_name, ': ', code, ': ', why) AS what FROM holt.parked WHERE pipeline = ? AND table_schema = ?",
      [PIPELINE, schema],
    );
    if (parked.length > 0) throw new NotCarried(parked.map(({ what }) => String(what)).join('\n'));
    applied.batches += 1;
    const entries = await target.query(
      `SELECT id, kind, target_table FROM holt.ledger WHERE id > ${this.#ledgered} ORDER BY id`,
    );
    for (const { id, kind, target_table } of entries) {
      this.#ledgered = BigInt(String(id));
      applied.ledger.push(`${String(kind)} ${String(target_table)}`);
    }
  }

  /** Lanes are beyond what the stream's row says: the marker may be there before what was done before it. */
  async #isInPart(): Promise<boolean> {
    const place = (of: string) => `(${of}.position_file, ${of}.position_offset)`;
    const ahead = await this.#sides.target.value(
      'SELECT COUNT(*) FROM holt.checkpoint l JOIN holt.checkpoint s ON s.pipeline = l.pipeline AND s.lane = 0 ' +
        `WHERE l.pipeline = '${PIPELINE}' AND l.lane BETWEEN 1 AND 999 AND ${place('l')} > ${place('s')}`,
    );
    return ahead !== '0';
  }

  async reset(): Promise<void> {
    const running = this.#running;
    this.#running = null;
    this.#ledgered = 0n;
    if (running === null) return;
    await running.holt[Symbol.asyncDispose]();
    await running.zookeeper.dispose();
    for (const db of [this.#sides.source, this.#sides.target])
      await db.query('DROP DATABASE IF EXISTS holt').catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reset();
  }
}
