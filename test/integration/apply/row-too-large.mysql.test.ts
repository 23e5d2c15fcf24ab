import { expect, it } from 'vitest';
import { siteId } from '../../../model/ids.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { TargetHarness } from './target-harness.ts';

const MIB = 1024 * 1024;
const BIG = 1_500_000;

for (const flavour of ['mariadb', 'mysql'] as const)
  for (const detect of [false, true])
    describeWithOwn(
      [flavour],
      `rows larger than the target takes (${flavour}, detecting conflicts: ${detect})`,
      () => {
        it('go to the ledger with their images, and the others arrive', async () => {
          await using server = await startDatabase(flavour);
          const { db } = server;
          const [source, target] = [await db.freshSchema('source'), await db.freshSchema('target')];
          for (const schema of [source, target]) {
            await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v LONGBLOB) ENGINE=InnoDB`);
            await db.query(`CREATE TABLE \`${schema}\`.keyless (v LONGBLOB) ENGINE=InnoDB`);
          }
          const at = (table: string) => `\`${source}\`.${table}`;
          const big = (byte: number) => `REPEAT(CHAR(${byte} USING binary), ${BIG})`;
          await db.query(`INSERT INTO ${at('t')} VALUES (1, 'a'), (2, ${big(200)}), (3, 'c'), (4, 'd')`);
          await db.query(`UPDATE ${at('t')} SET v = ${big(201)} WHERE id = 3`);
          await db.query(`UPDATE ${at('t')} SET v = 'z' WHERE id = 4`);
          await db.query(`INSERT INTO ${at('keyless')} VALUES ('k'), (${big(202)})`);
          await db.query(`DELETE FROM ${at('t')} WHERE id = 2`);
          const transactions = await loggedTransactions(server, source);
          await db.query(`SET GLOBAL max_allowed_packet = ${MIB}`);
          await using harness = await TargetHarness.on(db, { conflict: { detect, winner: siteId('east') } });
          for (const one of transactions) await harness.apply(batchOf([one], target));

          const rows = await db.query(`SELECT id, CAST(v AS CHAR) AS v FROM \`${target}\`.t ORDER BY id`);
          expect(rows).toEqual([
            { id: 1, v: 'a' },
            { id: 3, v: 'c' },
            { id: 4, v: 'z' },
          ]);
          expect(await db.query(`SELECT CAST(v AS CHAR) AS v FROM \`${target}\`.keyless`)).toEqual([
            { v: 'k' },
          ]);
          expect(harness.ledger.map(({ kind, decision, op }) => [kind, decision, op])).toEqual([
            ['row-too-large', 'target', 'insert'],
            ['row-too-large', 'target', 'update'],
            ['row-too-large', 'target', 'insert'],
            // What is not there cannot be compared either: the row that was deleted was too large to be asked for.
            detect ? ['row-too-large', 'target', 'delete'] : ['delete-missing', 'source', 'delete'],
          ]);
          expect(harness.ledger.every(({ data }) => data.length >= BIG || data.includes('c'))).toBe(true);
          expect(harness.ledger[0]?.why).toContain('HOLT_TARGET_ROW_TOO_LARGE');
          expect(
            harness.divergences.every((why) => /makes a statement of [0-9]+ bytes|DELETE|row/.test(why)),
          ).toBe(true);
        });
      },
    );
