import { expect, it } from 'vitest';
import { waitFor, withDeadline } from '../../lib/abort.ts';
import type { Database } from '../support/database.ts';
import { Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

const ER_XAER_NOTA = 1397;

/** Prepares XA transactions and decides some of them later, from other sessions. Undecided ones stay prepared. */
class XaWriter {
  readonly #db: Database;
  readonly #prepared: string[] = [];
  #next = 0;
  #stopped = false;
  #over: Promise<void> = Promise.resolve();

  constructor(db: Database) {
    this.#db = db;
  }

  get decided(): number {
    return this.#next - this.#prepared.length;
  }

  start(): void {
    this.#over = this.#run();
    this.#over.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.prepare();
      if (this.#prepared.length > 3) await this.decide();
    }
  }

  /** In a session of its own, which ends: a prepared transaction stays. */
  async prepare(): Promise<void> {
    const id = this.#next++;
    const xid = `'xa ${id}', '', 42`;
    const session = await this.#db.connect({ schema: SCHEMA });
    try {
      await session.query(`XA START ${xid}`);
      await session.query(
        `INSERT INTO notes (id, body, site) VALUES (${1_000_000 + id}, REPEAT('x', 2000), 'east')`,
      );
      await session.query(`INSERT INTO journal VALUES (NOW(6), 'xa ${id}', 'east')`);
      await session.query(`XA END ${xid}`);
      await session.query(`XA PREPARE ${xid}`);
      this.#prepared.push(xid);
    } finally {
      await session.end();
    }
  }

  /** The oldest: three of four commit. The server may still be about to let the session go that prepared it. */
  async decide(): Promise<void> {
    const [xid] = this.#prepared;
    if (xid === undefined) return;
    const outcome = this.decided % 4 === 3 ? 'ROLLBACK' : 'COMMIT';
    await waitFor(
      () =>
        this.#db.query(`XA ${outcome} ${xid}`).then(
          () => true,
          (error: { errno?: number }) => {
            if (error.errno === ER_XAER_NOTA) return false;
            throw error;
          },
        ),
      { timeoutMs: 30_000, pollMs: 20, what: `the outcome of ${xid}` },
    );
    this.#prepared.shift();
  }

  async decideAll(): Promise<void> {
    while (this.#prepared.length > 0) await this.decide();
  }
}

/** Kills a node at each failpoint while XA transactions are prepared and decided, then restarts the source with some prepared. */
export function killsUnderXa(kills: readonly (readonly [failpoint: string, site: 'east' | 'west'])[]): void {
  it(`prepared transactions come through kills (${kills.map(([failpoint]) => failpoint)}) and a restart of the source`, async () => {
    await using run = await Replication.create({ source: 'mariadb', target: 'mariadb' });
    const { holt, source, target } = run;
    const xa = new XaWriter(source.db);
    await holt.start();
    await run.reigning();
    xa.start();
    await run.flows();
    for (const [failpoint, site] of kills) {
      const victim = holt.node(`${site}-1`);
      const other = holt.node(`${site}-2`);
      if (other.isRunning) await other.stop();
      if (victim.isRunning) await victim.stop();
      await victim.start({ failpoints: `${failpoint}=kill@4` });
      const end = await withDeadline(victim.process.ended, 60_000, `the node to be killed at ${failpoint}`);
      expect(end.signal).toBe('SIGKILL');
      await Promise.all([victim.start(), other.start()]);
      await run.flows();
    }
    await xa.stop();
    await source.restart();
    await xa.prepare();
    expect((await source.db.query('XA RECOVER')).length).toBeGreaterThan(1);
    await xa.decideAll();
    run.writer.start();
    await run.flows();
    await run.settle();
    expect(await target.db.value('SELECT COUNT(*) FROM holt.held')).toBe('0');
    expect(xa.decided).toBeGreaterThan(10);
  });
}
