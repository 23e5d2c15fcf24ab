import { afterAll, beforeAll, expect, it } from 'vitest';
import { siteId } from '../../../model/ids.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { TargetHarness } from './target-harness.ts';

describeWithOwn(['mysql', 'mariadb'], "MySQL's documents where a target holds them as text", () => {
  let mysql: DatabaseServer;
  let mariadb: DatabaseServer;
  beforeAll(async () => {
    mysql = await startDatabase('mysql');
    mariadb = await startDatabase('mariadb');
  });
  afterAll(async () => {
    await mysql?.dispose();
    await mariadb?.dispose();
  });

  it('are the same before image in whatever text they were written there, and no other', async () => {
    const [from, to] = [await mysql.db.freshSchema('src'), await mariadb.db.freshSchema('dst')];
    for (const [server, schema] of [
      [mysql, from],
      [mariadb, to],
    ] as const)
      await server.db.query(`CREATE TABLE ${schema}.t (id INT PRIMARY KEY, j JSON, n INT)`);
    await mysql.db.query(
      `INSERT INTO ${from}.t VALUES (1, '{"b":1,"a":[true,"é"]}', 0), (2, '{"a":1}', 0), (3, '[]', 0)`,
    );
    await mysql.db.query(`UPDATE ${from}.t SET n = 1, j = JSON_SET(j, '$.c', 5) WHERE id < 3`);
    await mysql.db.query(`DELETE FROM ${from}.t WHERE id = 3`);
    // As if these rows had been made here, by an application that writes JSON in its own way; the second is another document.
    await mariadb.db.query(
      `INSERT INTO ${to}.t VALUES (1, '{"b":1,"a":[ true , "é"]}', 0), (2, '{"a":2}', 0), (3, '[ ]', 0)`,
    );
    const [, ...changes] = await loggedTransactions(mysql, from);
    await using harness = await TargetHarness.on(mariadb.db, {
      conflict: { detect: true, winner: siteId('east') },
    });
    for (const change of changes) await harness.apply(batchOf([change], to));
    expect(harness.ledger.map(({ kind, rowKey }) => [kind, rowKey])).toEqual([
      ['update-differs', '{"id":"2"}'],
    ]);
    const rows = await mariadb.db.query(`SELECT id, n FROM ${to}.t ORDER BY id`);
    expect(rows).toEqual([
      { id: 1, n: 1 },
      { id: 2, n: 1 },
    ]);
  });
});
