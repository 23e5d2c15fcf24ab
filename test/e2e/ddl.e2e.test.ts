import { describe, expect, it } from 'vitest';
import { PIPELINE, Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

describe('DDL', () => {
  it('on a replicated table pauses the pipeline there with the statement; elsewhere it is ignored', async () => {
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
});
