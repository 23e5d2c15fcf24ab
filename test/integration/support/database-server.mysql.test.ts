import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { startDatabase, withServer } from '../../support/servers.ts';
import { describeDatabase, describeWithOwn } from '../../support/shared-servers.ts';

const VERSIONS = { mariadb: /^1[01]\.\d+/, mysql: /^(8\.4|9)\./, mysql56: /^5\.6\./ };

describeDatabase(DATABASE_FLAVOURS, 'a shared database', (context) => {
  it('answers with the version its flavour promises', async () => {
    expect(await context.db.value('SELECT VERSION()')).toMatch(VERSIONS[context.flavour]);
  });

  it('has a schema that is empty, and keeps values exact in both directions', async () => {
    const { db, schema } = context;
    expect(
      await db.query('SELECT * FROM information_schema.tables WHERE table_schema = ?', [schema]),
    ).toEqual([]);
    await db.query(
      `CREATE TABLE \`${schema}\`.t (id BIGINT UNSIGNED PRIMARY KEY, b VARBINARY(4), d DECIMAL(30,10))`,
    );
    await db.query(
      `INSERT INTO \`${schema}\`.t VALUES (18446744073709551615, x'00ff27', 12345678901234567890.5)`,
    );
    expect(await db.query(`SELECT * FROM \`${schema}\`.t`)).toEqual([
      { id: '18446744073709551615', b: Buffer.from([0, 0xff, 0x27]), d: '12345678901234567890.5000000000' },
    ]);
  });

  it('gives the rows of the last of several statements, and none where it has none', async () => {
    expect(await context.db.query('SELECT 1 AS one; SELECT 2 AS two')).toEqual([{ two: 2 }]);
    expect(await context.db.query('SET @a = 1; SET @b = 2')).toEqual([]);
    expect(await context.db.query('SET @a = 1')).toEqual([]);
    expect(await context.db.query('SELECT 1 AS one FROM DUAL WHERE 1 = 0')).toEqual([]);
  });
});

for (const flavour of DATABASE_FLAVOURS)
  describeWithOwn([flavour], `a ${flavour} server of one's own`, () => {
    it('logs rows, with settings as asked, into files that can be read', async () => {
      await withServer(
        flavour,
        { settings: { binlog_row_image: 'MINIMAL' }, serverId: 4711 },
        async (server) => {
          expect(
            await server.db.query(
              'SELECT @@log_bin b, @@binlog_format f, @@binlog_row_image i, @@server_id s',
            ),
          ).toEqual([{ b: 1, f: 'ROW', i: 'MINIMAL', s: 4711 }]);
          const [first] = await server.binlogFiles();
          expect(readFileSync(first ?? '').subarray(0, 4)).toEqual(Buffer.from([0xfe, 0x62, 0x69, 0x6e]));
        },
      );
    });

    it('keeps its data over a clean restart with other settings and over kill -9, on the same port', async () => {
      await using server = await startDatabase(flavour);
      const { port } = server;
      const schema = await server.db.freshSchema();
      await server.db.query(
        `CREATE TABLE ${schema}.t (id INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO ${schema}.t VALUES (1)`,
      );
      await server.restartWith({ max_connections: 77 });
      expect(await server.db.value('SELECT @@max_connections')).toBe('77');
      await server.db.query(`INSERT INTO ${schema}.t VALUES (2)`);
      await server.kill();
      expect(server.isRunning).toBe(false);
      await expect(server.db.value('SELECT 1')).rejects.toThrow();
      await server.start();
      expect(server.port).toBe(port);
      expect(await server.db.value(`SELECT COUNT(*) FROM ${schema}.t`)).toBe('2');
    });

    it('says nothing while frozen and goes on when thawed', async () => {
      await using server = await startDatabase(flavour);
      expect(await server.db.value('SELECT 1')).toBe('1');
      await server.freeze();
      const answer = server.db.value('SELECT 2');
      const first = await Promise.race([
        answer,
        new Promise((resolve) => setTimeout(resolve, 300, 'silence')),
      ]);
      expect(first).toBe('silence');
      server.thaw();
      expect(await answer).toBe('2');
    });

    it('leaves neither process nor folder', async () => {
      const server = await startDatabase(flavour);
      const { dir, pid } = server;
      await server.dispose();
      expect(existsSync(dir)).toBe(false);
      expect(existsSync(`/proc/${pid}`)).toBe(false);
    });
  });
