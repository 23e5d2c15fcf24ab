import { expect, it } from 'vitest';
import { CHECKPOINT_COLUMN, HEARTBEAT_COLUMN } from '../../../model/holt-tables.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import { installedVersion, migrate } from '../../../stages/load/target/schema/migrate.ts';
import { MIGRATIONS, type Migration } from '../../../stages/load/target/schema/migrations.ts';
import { forgetRun, hasRun, markHasRun } from '../../../stages/load/target/schema/run-row.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { withServer } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { dataSourceOf, Sessions } from './target-fixture.ts';

const NEXT: Migration = {
  version: 1000,
  what: 'a later one',
  statements: ['CREATE TABLE IF NOT EXISTS holt.later (id INT PRIMARY KEY) ENGINE=InnoDB'],
};

for (const flavour of DATABASE_FLAVOURS)
  describeWithOwn([flavour], `the holt schema (${flavour})`, () => {
    it('is made by many at once, grows from version to version, and survives being cut off', async () => {
      await withServer(flavour, {}, async ({ db }) => {
        await using sessions = new Sessions();
        const config = dataSourceOf(db);
        const several = await Promise.all([1, 2, 3, 4].map(() => sessions.to(config)));
        const results = await Promise.all(several.map((connection) => migrate({ connection, by: 'test' })));
        const newest = MIGRATIONS.at(-1)?.version;
        expect(results.map(({ to }) => to)).toEqual([newest, newest, newest, newest]);
        expect(await db.value('SELECT COUNT(*) FROM holt.migration')).toBe(String(MIGRATIONS.length));

        const [engines] = await db.query<{ engines: string }>(
          "SELECT GROUP_CONCAT(DISTINCT engine) AS engines FROM information_schema.tables WHERE table_schema = 'holt'",
        );
        expect(engines?.engines).toBe('InnoDB');

        const [connection] = several;
        if (connection === undefined) throw new Error('no connection');
        // A run that ended between the statements and the version row.
        await connection.execute('CREATE TABLE holt.later (id INT PRIMARY KEY) ENGINE=InnoDB');
        const migrations = [...MIGRATIONS, NEXT];
        expect(await migrate({ connection, by: 'test', migrations })).toEqual({ from: newest, to: 1000 });
        expect(await migrate({ connection, by: 'test', migrations })).toEqual({ from: 1000, to: 1000 });
        await expect(migrate({ connection, by: 'test' })).rejects.toMatchObject({
          code: 'HOLT_SCHEMA_NEWER',
        });
      });
    });

    it('keeps the columns that others read by number in their places', async () => {
      await withServer(flavour, {}, async ({ db }) => {
        await using sessions = new Sessions();
        const connection = await sessions.to(dataSourceOf(db));
        await migrate({ connection, by: 'test' });
        const columns = async (table: string) =>
          (
            await db.query<{ name: string }>(
              "SELECT column_name AS name FROM information_schema.columns WHERE table_schema = 'holt' AND table_name = ? ORDER BY ordinal_position",
              [table],
            )
          ).map(({ name }) => name);
        const checkpoint = await columns('checkpoint');
        expect([
          checkpoint[CHECKPOINT_COLUMN.pipeline],
          checkpoint[CHECKPOINT_COLUMN.lane],
          checkpoint[CHECKPOINT_COLUMN.seq],
          checkpoint[CHECKPOINT_COLUMN.origin],
        ]).toEqual(['pipeline', 'lane', 'seq', 'origin']);
        const heartbeat = await columns('heartbeat');
        expect([
          heartbeat[HEARTBEAT_COLUMN.cluster],
          heartbeat[HEARTBEAT_COLUMN.site],
          heartbeat[HEARTBEAT_COLUMN.beat],
          heartbeat[HEARTBEAT_COLUMN.atUs],
        ]).toEqual(['cluster', 'site', 'beat', 'at_us']);

        const run = { cluster: 'c', pipeline: 'p' };
        expect(await hasRun(connection, run)).toBe(false);
        await markHasRun(connection, run);
        await markHasRun(connection, run);
        expect(await hasRun(connection, run)).toBe(true);
        await forgetRun(connection, run);
        expect(await hasRun(connection, run)).toBe(false);
      });
    });

    it('is only read by an account that may not create, and names the grant where it is missing', async () => {
      await withServer(flavour, {}, async ({ db }) => {
        await db.query("CREATE USER 'plain'@'%' IDENTIFIED BY 'plain'");
        const config = dataSourceOf({ ...db.endpoint, user: 'plain', password: 'plain' });
        const poor = await connectTarget(config);
        // 1142: the table's existence is not told to whom it does not concern.
        await expect(migrate({ connection: poor, by: 'test' })).rejects.toMatchObject({ errno: 1142 });
        await poor.close();
        await using sessions = new Sessions();
        const owner = await sessions.to(dataSourceOf(db));
        await migrate({ connection: owner, by: 'test' });
        await db.query("GRANT SELECT, INSERT, UPDATE, DELETE ON holt.* TO 'plain'@'%'");
        const plain = await sessions.to(config);
        expect(await migrate({ connection: plain, by: 'test' })).toEqual({
          from: await installedVersion(owner),
          to: MIGRATIONS.at(-1)?.version,
        });
        await expect(
          migrate({ connection: plain, by: 'test', migrations: [...MIGRATIONS, NEXT] }),
        ).rejects.toMatchObject({ code: 'HOLT_SCHEMA_FAILED' });
      });
    });
  });
