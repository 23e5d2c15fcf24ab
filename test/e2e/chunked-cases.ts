import { expect, it } from 'vitest';
import { waitFor, withDeadline } from '../../lib/abort.ts';
import { compareSchemas } from '../support/compare-schemas.ts';
import type { HoltNode } from '../support/holt-installation.ts';
import { PIPELINE, Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

const ROWS = 20_000;

/** Kills a node at each failpoint in the midst of one large transaction that is cut into several. */
export function killsInChunks(kills: readonly (readonly [failpoint: string, site: 'east' | 'west'])[]): void {
  it(`kill -9 in the midst of one (${kills.map(([failpoint]) => failpoint)}) leaves no gap and no repeat, and its parts are seen`, async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      nodes: { 'east-1': 'east', 'west-1': 'west' },
      pipeline: { large_transactions: 'chunked', batch: { partBytes: '128KiB' } },
    });
    const { holt, source, target } = run;
    // Without a key: whatever is applied twice stands there twice.
    for (const { db } of [source, target])
      await db.query(`CREATE TABLE ${SCHEMA}.pile (n INT NOT NULL, filler VARCHAR(100) NOT NULL)`);
    await holt.start();
    await run.reigning();
    const rowsNow = async () => Number(await target.db.value(`SELECT COUNT(*) FROM ${SCHEMA}.pile`));
    const restart = async (node: HoltNode, failpoints?: string) => {
      if (node.isRunning) await node.stop();
      await node.start(failpoints === undefined ? {} : { failpoints });
    };
    const kill = async ([failpoint, site]: readonly [string, string]) => {
      const node = holt.node(`${site}-1`);
      await withDeadline(node.process.ended, 60_000, `the node to be killed at ${failpoint}`);
      return node;
    };
    const [first] = kills;
    if (first !== undefined) await restart(holt.node(`${first[1]}-1`), `${first[0]}=kill@4`);
    const session = await source.db.connect({ schema: SCHEMA });
    await session.beginTransaction();
    for (let from = 0; from < ROWS; from += 500) {
      const values = Array.from({ length: 500 }, (_, i) => `(${from + i}, REPEAT('x', 100))`);
      await session.query(`INSERT INTO pile VALUES ${values}`);
    }
    await session.commit();
    await session.end();
    const seen = new Set<number>();
    for (const [index, one] of kills.entries()) {
      const node = await kill(one);
      seen.add(await rowsNow());
      const next = kills[index + 1];
      if (next === undefined) await node.start();
      else {
        await restart(holt.node(`${next[1]}-1`), `${next[0]}=kill@4`);
        if (!node.isRunning) await node.start();
      }
    }
    // Parts of it were there.
    expect([...seen].some((rows) => rows > 0 && rows < ROWS)).toBe(true);
    expect(holt.node('east-1').logText()).toContain('select:transaction:chunked');
    await waitFor(async () => (await rowsNow()) >= ROWS, {
      timeoutMs: 120_000,
      pollMs: 100,
      what: 'all rows to arrive',
    });
    await run.until(
      'the pipeline to be idle',
      ({ state, lagMs }) => state === 'idle' && lagMs === 0,
      120_000,
    );
    expect((await compareSchemas(source.db, target.db, SCHEMA, ['pile'])).differences).toEqual([]);
    const position = await target.db.value(
      `SELECT CAST(position AS CHAR) FROM holt.checkpoint WHERE pipeline = '${PIPELINE}' AND lane = 0`,
    );
    expect(position).not.toContain('#');
    expect(await target.db.value('SELECT COUNT(*) FROM holt.ledger')).toBe('0');
  });
}
