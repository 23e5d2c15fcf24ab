import { expect, it } from 'vitest';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { at, kindOf, noSignal, Pipeline } from './load-fixture.ts';
import { dataSourceOf, migrated } from './target-fixture.ts';

/** Makes `to` what a replica of `from` would be that has come so far: the pipeline's rows and table. */
async function copy(
  pipeline: Pipeline,
  schema: string,
  from: DatabaseServer,
  to: DatabaseServer,
): Promise<void> {
  await migrated(dataSourceOf(to.db));
  await to.db.query(`CREATE DATABASE \`${schema}\``);
  await to.db.query(`CREATE TABLE ${pipeline.table} (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB`);
  for (const [table, where] of [
    ['holt.checkpoint', `WHERE pipeline = '${pipeline.name}'`],
    ['holt.writer', `WHERE pipeline = '${pipeline.name}'`],
    [pipeline.table, ''],
  ] as const) {
    const rows = await from.db.query(`SELECT * FROM ${table} ${where}`);
    for (const row of rows) await to.db.query(`INSERT INTO ${table} SET ?`, [row]);
  }
}

for (const flavour of ['mariadb', 'mysql'] as const)
  describeWithOwn([flavour], `a target that fails over (${flavour})`, () => {
    it('to a replica lacking the last batches is read on from there: no gap, no repeat', async () => {
      await using first = await startDatabase(flavour);
      await using second = await startDatabase(flavour);
      const schema = await first.db.freshSchema('failover');
      const pipeline = await Pipeline.on({ db: first.db, schema });
      let current = first;
      // One name, behind which the primary changes.
      const connect: typeof connectTarget = (_, options) => connectTarget(dataSourceOf(current.db), options);
      const raiser = pipeline.raiser({ connect });
      const reign = await pipeline.reign(raiser);
      const { run } = await pipeline.taken(reign, { connect });
      await run.load(pipeline.batch(reign, 1), noSignal);
      await copy(pipeline, schema, first, second);
      await run.load(pipeline.batch(reign, 2), noSignal);
      await run.load(pipeline.batch(reign, 3), noSignal);
      expect(await pipeline.values()).toEqual([3, 0]);

      current = second;
      await first.stop();
      // Another server than the one raised: whatever its rows say, the reign has to begin anew.
      expect(kindOf(await run.load(pipeline.batch(reign, 4), noSignal))).toBe('rewind');
      await run.close();
      const again = await raiser.raise(
        {
          takeOver: false,
          seenEpoch: reign.epoch,
          ownTenure: reign.tenure,
          treeEpoch: reign.epoch,
          hasRun: true,
        },
        noSignal,
      );
      expect(again).toMatchObject({ kind: 'raised', epoch: 2, seq: 1n, position: { text: at(1).text } });
      if (again.kind !== 'raised') return;
      const next = await pipeline.taken(again, { connect });
      for (const seq of [2, 3, 4])
        expect(kindOf(await next.run.load(pipeline.batch(again, seq), noSignal))).toBe('applied');
      expect(
        (await second.db.query(`SELECT v FROM ${pipeline.table} ORDER BY id`)).map(({ v }) => v),
      ).toEqual([4, 0]);
      await next.run.close();
    });

    it('to a copy from before the last raise is raised above it', async () => {
      await using first = await startDatabase(flavour);
      await using second = await startDatabase(flavour);
      const schema = await first.db.freshSchema('failover');
      const pipeline = await Pipeline.on({ db: first.db, schema });
      let current = first;
      const connect: typeof connectTarget = (_, options) => connectTarget(dataSourceOf(current.db), options);
      const old = await pipeline.reign(pipeline.raiser({ connect }));
      const late = await pipeline.taken(old, { connect });
      await late.run.load(pipeline.batch(old, 1), noSignal);
      await copy(pipeline, schema, first, second);
      const raiser = pipeline.raiser({ connect });
      const reign = await pipeline.reign(raiser);
      const { run } = await pipeline.taken(reign, { connect });
      await run.load(pipeline.batch(reign, 2), noSignal);
      current = second;
      await first.stop();
      // On the copy the old reign seems to rule: the loader of the new one asks for a rewind...
      expect(kindOf(await run.load(pipeline.batch(reign, 3), noSignal))).toBe('rewind');
      // ...and the old one's finds that the server is not the one it was raised on.
      expect(kindOf(await late.run.load(pipeline.batch(old, 2), noSignal))).toBe('rewind');
      const again = await raiser.raise(
        {
          takeOver: false,
          seenEpoch: reign.epoch,
          ownTenure: reign.tenure,
          treeEpoch: reign.epoch,
          hasRun: true,
        },
        noSignal,
      );
      expect(again).toMatchObject({ kind: 'raised', epoch: 3, seq: 1n });
      await run.close();
      await late.run.close();
    });
  });
