import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { HoltError } from '../../lib/errors.ts';
import type { DatabaseServer } from '../support/database-server.ts';
import { startDatabase } from '../support/servers.ts';
import { SoleNode } from '../support/sole-node.ts';

const PIPELINE = 'east-west';
const LONG_MS = 120_000;

describe('holt wait', () => {
  let east: DatabaseServer;
  let west: DatabaseServer;
  let holt: SoleNode;

  beforeAll(async () => {
    [east, west] = await Promise.all([startDatabase('mariadb'), startDatabase('mariadb')]);
    for (const { db } of [east, west]) {
      await db.query('CREATE DATABASE shop');
      await db.query('CREATE DATABASE other');
      await db.query('CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(40))');
      await db.query('CREATE TABLE other.notes (id INT PRIMARY KEY)');
    }
    holt = await SoleNode.start({
      databases: { east: east.db.endpoint, west: west.db.endpoint },
      pipelines: {
        [PIPELINE]: { source: 'east-db', target: 'west-db', start: 'now', tables: ['shop.*'] },
      },
    });
    await holt.idle();
  });
  afterEach(() => {
    delete process.env.HOLT_FAILPOINTS;
  });
  afterAll(async () => {
    await holt?.[Symbol.asyncDispose]();
    await east?.[Symbol.asyncDispose]();
    await west?.[Symbol.asyncDispose]();
  });

  it('answers when the row is at the target: read your own writes, again and again', async () => {
    for (let id = 1; id <= 20; id++) {
      await east.db.query(`INSERT INTO shop.items VALUES (${id}, 'a')`);
      await holt.api.wait(PIPELINE, { gtid: null, timeoutMs: LONG_MS });
      expect(await west.db.value(`SELECT COUNT(*) FROM shop.items WHERE id = ${id}`)).toBe('1');
    }
  });

  it("takes the session's own GTID, and a log that ends in what is not carried", async () => {
    const connection = await east.db.connect();
    try {
      await connection.query("INSERT INTO shop.items VALUES (100, 'own')");
      const [rows] = await connection.query('SELECT @@last_gtid AS gtid');
      const [{ gtid }] = rows as unknown as [{ readonly gtid: string }];
      const arrived = await holt.api.wait(PIPELINE, { gtid, timeoutMs: LONG_MS });
      expect(arrived.waitedFor).toBe(`mariadb:${gtid}`);
      expect(await west.db.value('SELECT COUNT(*) FROM shop.items WHERE id = 100')).toBe('1');
    } finally {
      await connection.end();
    }
    await east.db.query('INSERT INTO other.notes VALUES (1)');
    const { by } = await holt.api.wait(PIPELINE, { gtid: null, timeoutMs: LONG_MS });
    expect(by).toBe('reading');
  });

  it('says on timeout where it stands and which stage holds it', async () => {
    process.env.HOLT_FAILPOINTS = 'load:before=error@*';
    await east.db.query("INSERT INTO shop.items VALUES (200, 'held up')");
    const failed = await waitFor(
      async () => {
        const error: unknown = await holt.api
          .wait(PIPELINE, { gtid: null, timeoutMs: 300 })
          .catch((thrown: unknown) => thrown);
        // Until the batch has come to Load.
        return error instanceof HoltError && /load .*holds the oldest change/.test(error.message)
          ? error
          : null;
      },
      { timeoutMs: LONG_MS, pollMs: 50, what: 'the wait to end at Load' },
    );
    expect(failed.code).toBe('HOLT_WAIT_TIMEOUT');
    const answer = await fetch(`${holt.url}/api/v1/pipelines/${PIPELINE}/wait?timeoutMs=0`, {
      headers: { authorization: `Bearer ${holt.token}` },
    });
    expect(answer.status).toBe(504);
    expect(await answer.json()).toMatchObject({ code: 'HOLT_WAIT_TIMEOUT', standing: { stage: 'load' } });
    delete process.env.HOLT_FAILPOINTS;
    await holt.api.wait(PIPELINE, { gtid: null, timeoutMs: LONG_MS });
    expect(await west.db.value('SELECT COUNT(*) FROM shop.items WHERE id = 200')).toBe('1');
  });

  it('refuses what is no position of this source', async () => {
    const wait = holt.api.wait(PIPELINE, {
      gtid: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1',
      timeoutMs: 1_000,
    });
    await expect(wait).rejects.toMatchObject({ code: 'HOLT_POSITION_INVALID' });
  });
});
