import { describe, expect, it } from 'vitest';
import type { Database } from '../support/database.ts';
import { PIPELINE, Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

describe('DDL', () => {
  it('on a replicated table pauses a pipeline that is to stop there, with the statement; elsewhere it is ignored', async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      nodes: { 'east-1': 'east', 'west-1': 'west' },
      pipeline: { ddl: 'stop' },
    });
    const { holt, writer, source, target } = run;
    await holt.start();
    await run.reigning();
    writer.start();
    await run.flows();
    await source.db.query('CREATE DATABASE other');
    await source.db.query('CREATE TABLE other.t (id INT)');
    await run.flows();
    await writer.stop();
    const statement = `ALTER TABLE ${SCHEMA}.notes ADD COLUMN extra INT NULL`;
    await source.db.query(statement);
    await source.db.query(
      `INSERT INTO ${SCHEMA}.notes (id, body, site, extra) VALUES (1, 'after', 'east', 7)`,
    );
    const failed = await run.until('the pipeline to pause', (status) => status.state === 'failed');
    expect(failed).toMatchObject({
      code: 'HOLT_DDL_ON_REPLICATED_TABLE',
      reason: expect.stringContaining(statement),
    });
    // The message says how to go on.
    const position = /set the position to (\S+), and resume/.exec(failed.reason ?? '')?.[1] ?? '';
    await target.db.query(statement);
    const { api } = holt.node('east-1');
    await api.setPosition(PIPELINE, position, 'ALTER done by hand');
    await api.setDesired(PIPELINE, { desired: 'running', by: 'test', why: '' });
    await run.until(
      'the pipeline to go on',
      (status) => status.state === 'idle' || status.state === 'running',
    );
    await expect
      .poll(() => target.db.value(`SELECT extra FROM ${SCHEMA}.notes WHERE id = 1`), {
        timeout: 30_000,
        interval: 100,
      })
      .toBe('7');
    await run.settle();
  });

  it('is done at the target in its place, once, in the middle of a live stream', async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      nodes: { 'east-1': 'east', 'west-1': 'west' },
    });
    const { holt, writer, source, target } = run;
    await holt.start();
    await run.reigning();
    writer.start();
    await run.flows();
    for (const statement of SCRIPT) {
      await source.db.query(statement);
      await run.flows();
    }
    await run.settle();
    for (const table of ['notes', 'made', 'swap_b', 'counted'])
      expect(await tableOf(target.db, table)).toBe(await tableOf(source.db, table));
    const states = await target.db.query<{ state: string; n: string }>(
      'SELECT CAST(state AS CHAR) AS state, COUNT(*) AS n FROM holt.ddl GROUP BY state',
    );
    expect(states.map((one) => ({ state: one.state, n: Number(one.n) }))).toEqual([
      { state: 'done', n: SCRIPT.filter((one) => !one.startsWith('INSERT')).length },
    ]);
  });
});

/** Each kind once: the last index has no name, the swap and the new table of an old name leave no trace in any shape. */
const SCRIPT = [
  `ALTER TABLE ${SCHEMA}.notes ADD COLUMN extra INT NULL, COMMENT 'it''s new'`,
  `INSERT INTO ${SCHEMA}.notes (id, body, site, extra) VALUES (1, 'after', 'east', 7)`,
  `ALTER TABLE ${SCHEMA}.notes ADD COLUMN at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), ADD COLUMN day DATETIME(1) DEFAULT CURRENT_TIMESTAMP(1)`,
  `CREATE TABLE ${SCHEMA}.made (id INT PRIMARY KEY, body VARCHAR(20)) DEFAULT CHARSET latin1`,
  `INSERT INTO ${SCHEMA}.made VALUES (1, 'x'), (2, 'y')`,
  `CREATE TABLE ${SCHEMA}.swap_a (id INT PRIMARY KEY)`,
  `INSERT INTO ${SCHEMA}.swap_a VALUES (7)`,
  `CREATE TABLE ${SCHEMA}.swap_b (id INT PRIMARY KEY)`,
  `RENAME TABLE ${SCHEMA}.swap_a TO ${SCHEMA}.swap_c, ${SCHEMA}.swap_b TO ${SCHEMA}.swap_a, ${SCHEMA}.swap_c TO ${SCHEMA}.swap_b`,
  `ALTER TABLE ${SCHEMA}.made ADD INDEX (body)`,
  `TRUNCATE TABLE ${SCHEMA}.swap_b`,
  `INSERT INTO ${SCHEMA}.swap_b VALUES (8)`,
  `DROP TABLE ${SCHEMA}.swap_a`,
  `CREATE TABLE ${SCHEMA}.counted AS SELECT id, body FROM ${SCHEMA}.made`,
] as const;

async function tableOf(db: Database, table: string): Promise<string> {
  const [row] = await db.query<Record<string, string>>(`SHOW CREATE TABLE ${SCHEMA}.${table}`);
  const rows = await db.query(`SELECT * FROM ${SCHEMA}.${table}`);
  return `${Object.values(row ?? {})[1]} ${JSON.stringify(rows)}`;
}
