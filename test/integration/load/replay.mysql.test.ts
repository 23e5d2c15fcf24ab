import { expect, it } from 'vitest';
import { type NodeId, nodeId, siteId } from '../../../model/ids.ts';
import { SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import {
  type ListLedgerOptions,
  listLedger,
  readLedgerEntry,
  TargetLedger,
} from '../../../stages/load/ledger.ts';
import { closeLedgerEntry } from '../../../stages/load/ledger-close.ts';
import type { LedgerWriter } from '../../../stages/load/ledger-contract.ts';
import { imagesOf } from '../../../stages/load/ledger-view.ts';
import { TargetLoadRun } from '../../../stages/load/load-run.ts';
import { ReplayLedger, replayLedgerEntry } from '../../../stages/load/replay.ts';
import type { TargetSession } from '../../../stages/load/target/target-connection.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from '../apply/logged-transactions.ts';
import { noSignal, Pipeline } from './load-fixture.ts';
import { dataSourceOf, Sessions } from './target-fixture.ts';

const EAST = siteId('east');
const WEST = siteId('west');

function applier(looks: TargetSession, ledger: LedgerWriter, winner: typeof EAST): SqlBatchApplier {
  return new SqlBatchApplier({
    schema: new TargetSchema({ query: (sql) => looks.rows(sql) }),
    ledger,
    conflict: { detect: true, winner },
    sourceSite: EAST,
  });
}

for (const flavour of ['mariadb', 'mysql'] as const)
  describeWithOwn([flavour], `changes that the target's site has won (${flavour})`, () => {
    it('are in the ledger with their images, and a replay makes each true, once', async () => {
      await using server = await startDatabase(flavour);
      const { db } = server;
      await using sessions = new Sessions();
      const [source, target] = [await db.freshSchema('source'), await db.freshSchema('target')];
      for (const schema of [source, target]) {
        await db.query(
          `CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v VARCHAR(20), b VARBINARY(4)) ENGINE=InnoDB`,
        );
        await db.query(
          `INSERT INTO \`${schema}\`.t VALUES (1, 'one', x'00ff'), (2, 'two', NULL), (3, 'three', NULL)`,
        );
      }
      const known = (await loggedTransactions(server, source)).length;
      await db.query(`UPDATE \`${source}\`.t SET v = 'eins' WHERE id = 1`);
      await db.query(`DELETE FROM \`${source}\`.t WHERE id = 2`);
      await db.query(`INSERT INTO \`${source}\`.t VALUES (4, 'vier', x'27')`);
      await db.query(`UPDATE \`${source}\`.t SET v = 'drei' WHERE id = 3`);
      // Changed at the target meanwhile: all but row 3.
      await db.query(`UPDATE \`${target}\`.t SET v = 'un' WHERE id = 1`);
      await db.query(`UPDATE \`${target}\`.t SET v = 'deux' WHERE id = 2`);
      await db.query(`INSERT INTO \`${target}\`.t VALUES (4, 'quatre', NULL)`);

      const changes = (await loggedTransactions(server, source)).slice(known);
      const pipeline = await Pipeline.on({ db, schema: target });
      const config = dataSourceOf(db);
      const looks = await sessions.to(config);
      const reign = await pipeline.reign();
      const node: NodeId = nodeId('node-w');
      const loading = applier(looks, new TargetLedger(), WEST);
      const run = new TargetLoadRun({ pipeline: pipeline.name, node, target: config, applier: loading });
      expect(await run.take(reign.tenure, reign.epoch, noSignal)).toBe(null);
      const batch = batchOf(changes, target);
      const prepared = await loading.prepare({ ...batch, header: pipeline.header(reign, 1) }, noSignal);
      expect(await run.load(prepared, noSignal)).toMatchObject({
        kind: 'applied',
        stats: { careful: true, ledgered: 3 },
      });
      await run.close();
      const rows = async () =>
        (await db.query(`SELECT id, v FROM \`${target}\`.t ORDER BY id`)).map(({ id, v }) => `${id} ${v}`);
      expect(await rows()).toEqual(['1 un', '2 deux', '3 drei', '4 quatre']);

      const session = await sessions.to(config);
      const entries = [...(await listLedger(session, { pipeline: pipeline.name, limit: 10 }))].reverse();
      expect(entries.map(({ kind, decision, state }) => [kind, decision, state])).toEqual([
        ['update-differs', 'target', 'open'],
        ['delete-differs', 'target', 'open'],
        ['insert-present', 'target', 'open'],
      ]);
      const first = await readLedgerEntry(session, { pipeline: pipeline.name, id: entries[0]?.id ?? 0n });
      expect(imagesOf(first)).toEqual({
        before: { id: '1', v: 'one', b: '0x00ff' },
        after: { id: '1', v: 'eins', b: '0x00ff' },
        found: { id: '1', v: 'un', b: '0x00ff' },
      });

      const ledger = new ReplayLedger();
      const replaying = applier(looks, ledger, EAST);
      const replay = (id: bigint) =>
        replayLedgerEntry({
          pipeline: pipeline.name,
          id,
          by: 'ada',
          node,
          target: config,
          applier: replaying,
          ledger,
          signal: noSignal,
        });
      // Closed by hand it stays as it is, with its images, and may still be replayed.
      const [, second] = entries;
      const closing = { pipeline: pipeline.name, id: second?.id ?? 0n, by: 'eve' };
      expect(await closeLedgerEntry(session, closing)).toMatchObject({ state: 'closed', replayedBy: 'eve' });
      await expect(closeLedgerEntry(session, closing)).rejects.toMatchObject({
        code: 'HOLT_LEDGER_REPLAYED',
        message: expect.stringContaining('closed by eve'),
      });
      await expect(closeLedgerEntry(session, { ...closing, pipeline: 'other' })).rejects.toMatchObject({
        code: 'HOLT_LEDGER_MISSING',
      });
      expect(await rows()).toEqual(['1 un', '2 deux', '3 drei', '4 quatre']);
      const listed = async (filter: Pick<ListLedgerOptions, 'state' | 'kind' | 'table'>) =>
        (await listLedger(session, { pipeline: pipeline.name, limit: 10, ...filter })).map(
          ({ kind }) => kind,
        );
      expect(await listed({ state: 'open' })).toEqual(['insert-present', 'update-differs']);
      expect(await listed({ state: 'closed' })).toEqual(['delete-differs']);
      expect(await listed({ kind: 'update-differs' })).toEqual(['update-differs']);
      expect(await listed({ table: { schema: target, table: 't' } })).toHaveLength(3);
      expect(await listed({ table: { schema: target, table: 'other' } })).toEqual([]);

      for (const entry of entries) expect(await replay(entry.id)).toMatchObject({ state: 'replayed' });
      expect(await rows()).toEqual(['1 eins', '3 drei', '4 vier']);
      await expect(replay(entries[0]?.id ?? 0n)).rejects.toMatchObject({ code: 'HOLT_LEDGER_REPLAYED' });
      expect(await listLedger(session, { pipeline: pipeline.name, limit: 10 })).toHaveLength(3);
      expect(await pipeline.seq()).toBe(1);
    });
  });
