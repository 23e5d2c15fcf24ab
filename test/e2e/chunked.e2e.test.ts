import { describe, expect, it } from 'vitest';
import { waitFor, withDeadline } from '../../lib/abort.ts';
import { compareSchemas } from '../support/compare-schemas.ts';
import { PIPELINE, Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

const ROWS = 20_000;

describe('G1 exactly once, with large transactions in chunks', () => {
  it('kill -9 of Load and of Select in the midst of one leaves no gap and no repeat, and its parts are seen', async () => {
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
    const [selector, loader] = [holt.node('east-1'), holt.node('west-1')];
    await loader.stop();
    await loader.start({ failpoints: 'load:before-commit=kill@4' });
    const session = await source.db.connect({ schema: SCHEMA });
    await session.beginTransaction();
    for (let from = 0; from < ROWS; from += 500) {
      const values = Array.from({ length: 500 }, (_, i) => `(${from + i}, REPEAT('x', 100))`);
      await session.query(`INSERT INTO pile VALUES ${values}`);
    }
    await session.commit();
    await session.end();
    await withDeadline(loader.process.ended, 60_000, 'Load to be killed');
    const rowsNow = async () => Number(await target.db.value(`SELECT COUNT(*) FROM ${SCHEMA}.pile`));
    const first = await rowsNow();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThan(ROWS);
    await loader.start({ failpoints: 'load:after-commit=kill@4' });
    await withDeadline(loader.process.ended, 60_000, 'Load to be killed again');
    expect(await rowsNow()).toBeGreaterThan(first);
    await selector.kill();
    await Promise.all([selector.start({ failpoints: 'select:after-publish=kill@4' }), loader.start()]);
    await withDeadline(selector.process.ended, 60_000, 'Select to be killed');
    expect(selector.logText()).toContain('select:transaction:chunked');
    await selector.start();
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
});
