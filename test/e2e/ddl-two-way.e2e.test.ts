import { expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import type { Database } from '../support/database.ts';
import { HoltInstallation } from '../support/holt-installation.ts';
import { startDatabase, startZookeeper } from '../support/servers.ts';

const PIPELINES = ['east-west', 'west-east'] as const;

/** Statements of one kind in a server's log, by the server's own account. */
async function inLog(db: Database, words: string): Promise<number> {
  let found = 0;
  for (const { Log_name: file } of await db.query<{ Log_name: string }>('SHOW BINARY LOGS')) {
    const events = await db.query<{ Event_type: string; Info: string }>(`SHOW BINLOG EVENTS IN '${file}'`);
    found += events.filter(({ Event_type, Info }) => Event_type === 'Query' && Info.includes(words)).length;
  }
  return found;
}

it('a schema change made at either site of a two-way channel arrives at the other, and does not come back', async () => {
  await using east = await startDatabase('mariadb');
  await using west = await startDatabase('mysql');
  await using zookeeper = await startZookeeper();
  for (const { db } of [east, west]) {
    await db.query('CREATE DATABASE shop CHARACTER SET utf8mb4');
    await db.query('CREATE TABLE shop.a (id INT PRIMARY KEY, v INT NULL)');
    await db.query('CREATE TABLE shop.b (id INT PRIMARY KEY, v INT NULL)');
  }
  await using holt = await HoltInstallation.create({
    databases: { east: east.db.endpoint, west: west.db.endpoint },
    zookeeper: `127.0.0.1:${zookeeper.port}`,
    nodes: { 'east-1': 'east', 'west-1': 'west' },
    winner: 'east',
    pipelines: {
      'east-west': { source: 'east-db', target: 'west-db', start: 'now', tables: ['shop.*'] },
      'west-east': { source: 'west-db', target: 'east-db', start: 'now', tables: ['shop.*'] },
    },
  });
  await holt.start();
  const states = async () => Promise.all(PIPELINES.map(async (name) => (await holt.status(name))?.state));
  await waitFor(async () => (await states()).every((state) => state === 'idle'), {
    timeoutMs: 60_000,
    what: 'both pipelines to run',
  });
  const arrives = (db: Database, sql: string, value: string) =>
    expect
      .poll(() => db.value(sql).catch((error: unknown) => String(error)), { timeout: 60_000, interval: 100 })
      .toBe(value);
  const column = (name: string) =>
    `SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND COLUMN_NAME = '${name}'`;

  await east.db.query('ALTER TABLE shop.a ADD COLUMN from_east INT NULL');
  await arrives(west.db, column('from_east'), '1');
  await west.db.query('ALTER TABLE shop.b ADD COLUMN from_west INT NULL');
  await arrives(east.db, column('from_west'), '1');
  // Done twice, these would not fail.
  await east.db.query('INSERT INTO shop.a (id) VALUES (1)');
  await arrives(west.db, 'SELECT COUNT(*) FROM shop.a', '1');
  await east.db.query('TRUNCATE TABLE shop.a');
  await arrives(west.db, 'SELECT COUNT(*) FROM shop.a', '0');
  await west.db.query('ALTER TABLE shop.b ADD INDEX (v)');
  // Behind everything, in both directions.
  await east.db.query('INSERT INTO shop.a (id, v, from_east) VALUES (2, 2, 2)');
  await west.db.query('INSERT INTO shop.b (id, v, from_west) VALUES (3, 3, 3)');
  await arrives(west.db, 'SELECT COUNT(*) FROM shop.a WHERE from_east = 2', '1');
  await arrives(east.db, 'SELECT COUNT(*) FROM shop.b WHERE from_west = 3', '1');
  await east.db.query('INSERT INTO shop.b (id) VALUES (4)');
  await arrives(west.db, 'SELECT COUNT(*) FROM shop.b WHERE id = 4', '1');

  for (const { db } of [east, west]) {
    expect(await inLog(db, 'ADD COLUMN from_east')).toBe(1);
    expect(await inLog(db, 'ADD COLUMN from_west')).toBe(1);
    expect(await inLog(db, 'TRUNCATE TABLE')).toBe(1);
    expect(await inLog(db, 'ADD INDEX (v)')).toBe(1);
    expect(await db.value("SELECT COUNT(*) FROM holt.ddl WHERE state <> 'done'")).toBe('0');
  }
});
