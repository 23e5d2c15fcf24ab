import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { HoltInstallation } from '../support/holt-installation.ts';
import { replayLastInsert } from '../support/replay-events.ts';
import { startDatabase, startZookeeper } from '../support/servers.ts';

const PIPELINE = 'east-west';

describe('bytes that are no text of their character set', () => {
  it('are stored exactly where the target takes them, else the row is in the ledger, and never changed', async () => {
    await using source = await startDatabase('mariadb');
    await using target = await startDatabase('mysql');
    await using zookeeper = await startZookeeper();
    for (const { db } of [source, target]) {
      await db.query('CREATE DATABASE app CHARACTER SET utf8mb4');
      await db.query(
        'CREATE TABLE app.t (id INT PRIMARY KEY, v VARCHAR(20), g VARCHAR(20) CHARACTER SET gbk, l VARCHAR(20) CHARACTER SET latin1)',
      );
    }
    await using holt = await HoltInstallation.create({
      databases: { east: source.db.endpoint, west: target.db.endpoint },
      zookeeper: `127.0.0.1:${zookeeper.port}`,
      nodes: { 'east-1': 'east', 'west-1': 'west' },
      pipelines: { [PIPELINE]: { source: 'east-db', target: 'west-db', start: 'now', tables: ['app.*'] } },
    });
    await holt.start();
    await waitFor(async () => ['idle', 'running'].includes((await holt.status(PIPELINE))?.state ?? ''), {
      timeoutMs: 60_000,
      pollMs: 100,
      what: 'the pipeline to run',
    });
    const strange = async (id: number, columns: string, from: string, to: Buffer): Promise<void> => {
      await source.db.query(`INSERT INTO app.t (id, ${columns}) VALUES (${id}, '${from}')`);
      await source.db.query(`DELETE FROM app.t WHERE id = ${id}`);
      await replayLastInsert(source, Buffer.from(from), to);
    };
    await strange(1, 'l', 'latin-1', Buffer.from('\x81\x8d\x8f\x90\x9d\0\xff', 'latin1'));
    await strange(2, 'v', 'utf8mb4', Buffer.from('a\xff\xc0\x80\xedz\xa0', 'latin1'));
    await strange(3, 'g', 'gbk-gbk', Buffer.from('gbk-gb\x81', 'latin1'));
    await source.db.query("INSERT INTO app.t VALUES (4, 'after', 'after', 'after')");
    const rows = async (db: typeof target.db) =>
      (await db.query('SELECT id, HEX(v) AS v, HEX(g) AS g, HEX(l) AS l FROM app.t ORDER BY id')).map((row) =>
        Object.values(row).join(' '),
      );
    const arrived = (id: number) =>
      waitFor(async () => (await target.db.value(`SELECT COUNT(*) FROM app.t WHERE id = ${id}`)) === '1', {
        timeoutMs: 60_000,
        pollMs: 100,
        what: `row ${id} to arrive`,
      });
    await arrived(4);
    const there = await rows(source.db);
    expect(there).toHaveLength(4);
    expect(await rows(target.db)).toEqual([there[0], there[3]]);
    const ledger = await target.db.query('SELECT kind, decision, why FROM holt.ledger ORDER BY id');
    expect(ledger).toHaveLength(2);
    for (const entry of ledger) {
      expect(String(entry.kind)).toBe('foreign-bytes');
      expect(String(entry.decision)).toBe('target');
      expect(String(entry.why)).toMatch(/^HOLT_ROW_FOREIGN_BYTES: /);
    }

    // Corrected at the source, the row comes over.
    await source.db.query("UPDATE app.t SET v = 'good' WHERE id = 2");
    await arrived(2);
    const corrected = await rows(source.db);
    expect(await rows(target.db)).toEqual([corrected[0], corrected[1], corrected[3]]);

    // Where the target's column takes any bytes, the entry can be replayed.
    const { api } = holt.node('west-1');
    const id = await target.db.value("SELECT MAX(id) FROM holt.ledger WHERE kind = 'foreign-bytes'");
    await expect(api.replay(PIPELINE, String(id))).rejects.toThrow(/foreign-bytes/);
    await target.db.query('ALTER TABLE app.t MODIFY g VARBINARY(20)');
    await waitFor(
      () =>
        api.replay(PIPELINE, String(id)).then(
          () => true,
          () => false,
        ),
      { timeoutMs: 150_000, pollMs: 500, what: 'the entry to be replayed' },
    );
    expect(await rows(target.db)).toEqual(await rows(source.db));
  });
});
