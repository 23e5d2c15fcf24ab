import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { PIPELINE, Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

describe('table rules', () => {
  it('carry filtered rows under other names, and verify knows', async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      nodes: { 'east-1': 'east', 'west-1': 'west' },
      pipeline: {
        tables: {
          include: [`${SCHEMA}.*`],
          exclude: [`${SCHEMA}.notes`, `${SCHEMA}.journal`, `${SCHEMA}.acc*`, `${SCHEMA}.order_items`],
        },
        rules: [
          {
            match: `${SCHEMA}.orders`,
            to: { schema: 'shop_eu', table: 'big_orders' },
            columns: { rename: { total: 'amount' }, drop: ['weight'], constant: { came_from: 'east' } },
            where: "status in (1, 2) and total >= 500 and site = 'east'",
          },
        ],
      },
    });
    const { holt, writer, source, target } = run;
    await target.db.query('CREATE DATABASE shop_eu');
    await target.db.query(
      `CREATE TABLE shop_eu.big_orders (came_from VARCHAR(8) NOT NULL, id BIGINT UNSIGNED PRIMARY KEY, customer BIGINT UNSIGNED NOT NULL, status ENUM('new','paid','sent','gone') NOT NULL, amount DECIMAL(10,2) NOT NULL, placed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), site VARCHAR(8) NOT NULL)`,
    );
    await holt.start();
    await run.reigning();
    writer.start();
    await waitFor(() => writer.transactions > 800, { timeoutMs: 120_000, what: 'a good many transactions' });
    await writer.stop();
    await run.until('the pipeline to drain', (status) => status.state === 'idle' && status.lagMs === 0);
    const rows = (name: string, where: string) =>
      `SELECT COUNT(*), SUM(CRC32(CONCAT_WS('|', id, customer, status + 0, ${name}, placed, site))) FROM ${where}`;
    const expected = await source.db.query(
      rows('total', `${SCHEMA}.orders WHERE status IN ('new', 'paid') AND total >= 500`),
    );
    await waitFor(
      async () =>
        JSON.stringify(await target.db.query(rows('amount', 'shop_eu.big_orders'))).replaceAll(
          'amount',
          'total',
        ) === JSON.stringify(expected),
      {
        timeoutMs: 30_000,
        pollMs: 200,
        what: 'the filtered orders to be equal',
      },
    );
    expect(Number(Object.values(expected[0] ?? {})[0])).toBeGreaterThan(10);
    expect(
      await target.db.value(
        `SELECT COUNT(DISTINCT came_from) FROM shop_eu.big_orders WHERE came_from = 'east'`,
      ),
    ).toBe('1');
    expect(await target.db.value(`SELECT COUNT(*) FROM ${SCHEMA}.orders`)).toBe('0');
    const { api } = holt.node('west-1');
    const { id } = await api.startVerify(PIPELINE);
    const check = await waitFor(
      async () => {
        const report = await api.verify(PIPELINE, id);
        return report.state === 'running' ? null : report;
      },
      { timeoutMs: 60_000, pollMs: 100, what: 'verify to end' },
    );
    expect(check).toMatchObject({ state: 'equal' });
    await target.db.query('UPDATE shop_eu.big_orders SET amount = amount + 1 ORDER BY id LIMIT 1');
    const second = await api.startVerify(PIPELINE);
    const different = await waitFor(
      async () => {
        const report = await api.verify(PIPELINE, second.id);
        return report.state === 'running' ? null : report;
      },
      { timeoutMs: 60_000, pollMs: 100, what: 'verify to end' },
    );
    expect(different).toMatchObject({
      state: 'different',
      differencesTotal: 1,
      differences: [{ table: 'shop_eu.big_orders', kind: 'different', columns: ['amount'] }],
    });
  });
});
