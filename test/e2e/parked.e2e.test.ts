/** A backlog older than its table, and a table that cannot be decoded: quarantined while the others go on, then resumed without a gap. */
import { expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { PIPELINE, Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

const GAUGE = `${SCHEMA}.gauge`;

it('a backlog is decoded through the ALTERs in it; what cannot be is held, and applied once after repair, through a kill', async () => {
  await using run = await Replication.create({
    source: 'mariadb',
    target: 'mariadb',
    nodes: { 'east-1': 'east', 'west-1': 'west' },
  });
  const { holt, writer, source, target } = run;
  const [east, west] = [holt.node('east-1'), holt.node('west-1')];
  for (const { db } of [source, target])
    await db.query(`CREATE TABLE ${GAUGE} (id INT PRIMARY KEY, a INT, b INT) ENGINE=InnoDB`);
  await holt.start();
  await run.reigning();
  writer.start();
  await run.flows();
  await waitFor(
    async () =>
      (await target.db.value(`SELECT COUNT(*) FROM holt.table_shape WHERE table_name = 'gauge'`)) === '1',
    { timeoutMs: 60_000, pollMs: 100, what: 'the table to be known at the checkpoint' },
  );
  const gauge = (db: typeof source.db) =>
    db.query(`SELECT * FROM ${GAUGE} ORDER BY id`).then((rows) => JSON.stringify(rows));
  const becomesEqual = () =>
    waitFor(async () => (await gauge(source.db)) === (await gauge(target.db)), {
      timeoutMs: 90_000,
      pollMs: 200,
      what: 'the table to be equal',
    });

  await east.stop();
  await west.stop();
  await source.db.query(`INSERT INTO ${GAUGE} VALUES (1, 1, 2)`);
  await source.db.query(`ALTER TABLE ${GAUGE} RENAME COLUMN a TO b, RENAME COLUMN b TO a`);
  await source.db.query(`INSERT INTO ${GAUGE} VALUES (2, 3, 4)`);
  await source.db.query(`ALTER TABLE ${GAUGE} ADD COLUMN c INT NOT NULL DEFAULT 5 FIRST`);
  await source.db.query(`INSERT INTO ${GAUGE} (id, a, b) VALUES (3, 6, 7)`);
  await holt.start();
  await becomesEqual();

  // Nothing is known of its columns any more where reading begins.
  await east.stop();
  await west.stop();
  await target.db.query(`DELETE FROM holt.table_shape WHERE table_name = 'gauge'`);
  await source.db.query('CREATE DATABASE then_so');
  await source.db.query(`CREATE TABLE then_so.gauge LIKE ${GAUGE}`);
  await source.db.query(`INSERT INTO ${GAUGE} (id, a, b) VALUES (4, 8, 9)`);
  await source.db.query(`ALTER TABLE ${GAUGE} MODIFY a BIGINT`);
  await source.db.query(`UPDATE ${GAUGE} SET a = 10000000000 WHERE id = 4`);
  await east.start();
  await west.start({ failpoints: 'drain:before-commit=kill' });
  const { parked } = await run.until(
    'the table to be parked',
    (status) => status.parked.some(({ heldChanges }) => heldChanges >= 2),
    90_000,
  );
  expect(parked).toMatchObject([
    { table: GAUGE, root: GAUGE, state: 'parked', code: 'HOLT_SCHEMA_MISMATCH', by: 'holt' },
  ]);
  await run.until('the pipeline to be degraded by it', ({ state }) => state === 'degraded');
  await run.flows();
  expect(await east.api.tables(PIPELINE)).toMatchObject([{ table: GAUGE, heldChanges: 2 }]);

  // The schema change was not done either: its table is parked.
  await target.db.query(`ALTER TABLE ${GAUGE} MODIFY a BIGINT`);
  const resumed = await east.api.resumeTable(PIPELINE, GAUGE, { by: 'ada', like: ['then_so.gauge'] });
  expect(resumed).toMatchObject([{ table: GAUGE, state: 'draining' }]);
  await waitFor(() => !west.isRunning, { timeoutMs: 60_000, what: 'the node to be killed while it drains' });
  expect(await target.db.value(`SELECT COUNT(*) FROM ${GAUGE} WHERE id = 4`)).toBe('0');
  await west.start();
  await run.until('nothing to be parked', (status) => status.parked.length === 0, 90_000);
  await becomesEqual();
  await source.db.query(`INSERT INTO ${GAUGE} (id, a, b) VALUES (5, 11, 12)`);
  await becomesEqual();
  expect(await target.db.value('SELECT COUNT(*) FROM holt.held')).toBe('0');
  await run.settle();
});
