import { expect, it } from 'vitest';
import { nodeId, siteId } from '../../../model/ids.ts';
import { SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import { listLedger, TargetLedger } from '../../../stages/load/ledger.ts';
import { TargetLoadRun } from '../../../stages/load/load-run.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { noSignal, Pipeline } from '../load/load-fixture.ts';
import { dataSourceOf, Sessions } from '../load/target-fixture.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { hexRows } from './target-harness.ts';

for (const flavour of ['mariadb', 'mysql'] as const)
  describeWithOwn([flavour], `a transaction in parts (${flavour})`, () => {
    it('is applied part by part in one transaction, a part that meets a divergence row by row', async () => {
      await using server = await startDatabase(flavour);
      const { db } = server;
      await using sessions = new Sessions();
      const [source, target] = [await db.freshSchema('source'), await db.freshSchema('target')];
      for (const schema of [source, target]) {
        await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB`);
        await db.query(`INSERT INTO \`${schema}\`.t VALUES (1,0),(2,0),(3,0)`);
      }
      const known = (await loggedTransactions(server, source)).length;
      await db.query(`UPDATE \`${source}\`.t SET v = v + 1 WHERE id < 3`);
      await db.query(`UPDATE \`${source}\`.t SET v = v + 1 WHERE id > 1`);
      await db.query(`INSERT INTO \`${source}\`.t VALUES (4,4),(5,5)`);
      // The second part does not find this row.
      await db.query(`DELETE FROM \`${target}\`.t WHERE id = 3`);

      const changes = (await loggedTransactions(server, source)).slice(known);
      const pipeline = await Pipeline.on({ db, schema: target });
      const config = dataSourceOf(db);
      const [looks, reader] = [await sessions.to(config), await sessions.to(config)];
      const reign = await pipeline.reign();
      const applier = new SqlBatchApplier({
        schema: new TargetSchema({ query: (sql) => looks.rows(sql) }),
        ledger: new TargetLedger(),
        conflict: { detect: false, winner: siteId('east') },
        sourceSite: siteId('east'),
      });
      const run = new TargetLoadRun({
        pipeline: pipeline.name,
        node: nodeId('node-w'),
        target: config,
        applier,
      });
      expect(await run.take(reign.tenure, reign.epoch, noSignal)).toBeNull();

      const seen: number[] = [];
      for (const [part, change] of changes.entries()) {
        const { header } = pipeline.batch(reign, reign.seq + 1n).batch;
        const batch = batchOf([change], target);
        const prepared = await applier.prepare(
          {
            ...batch,
            header: { ...header, part, lastPart: part === changes.length - 1, rows: batch.header.rows },
          },
          noSignal,
        );
        const outcome = await run.loadPart(prepared, noSignal);
        expect(outcome?.kind ?? 'open').toBe(part === changes.length - 1 ? 'applied' : 'open');
        const [row] = await reader.rows(`SELECT SUM(v) FROM \`${target}\`.t`);
        seen.push(Number(row?.[0]?.toString()));
      }
      await run.close();
      // A reader sees nothing of it, then all.
      expect(seen).toEqual([0, 0, 1 + 2 + 1 + 4 + 5]);
      expect(await hexRows(db, target, 't')).toEqual(await hexRows(db, source, 't'));
      const ledger = await listLedger(reader, { pipeline: pipeline.name, limit: 10 });
      expect(ledger).toMatchObject([{ kind: 'update-missing', decision: 'source' }]);
    });
  });
