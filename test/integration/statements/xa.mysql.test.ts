import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { Carrier, type CarrierOptions, rowsIn } from './carrier.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];

for (const flavour of FLAVOURS)
  describeWithOwn([flavour], `XA from ${flavour}`, () => {
    let server: DatabaseServer;
    let db: Database;
    beforeAll(async () => {
      server = await startDatabase(flavour);
      db = server.db;
    });
    afterAll(async () => {
      await server?.dispose();
    });

    /** Two schemas with table `t`, a pipeline between them, and a session in the first. */
    async function setUp(change: Partial<CarrierOptions> = {}) {
      const [sourceSchema, targetSchema] = [await db.freshSchema('source'), await db.freshSchema('target')];
      for (const schema of [sourceSchema, targetSchema])
        await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v LONGBLOB) ENGINE=InnoDB`);
      const session = await db.connect({ schema: sourceSchema });
      const options = { source: db, target: db, sourceSchema, targetSchema, ...change };
      const equal = async () =>
        expect(await rowsIn(db, targetSchema, 't')).toEqual(await rowsIn(db, sourceSchema, 't'));
      const open = () => Carrier.open(options);
      return { session, open, equal, sourceSchema, targetSchema };
    }

    const run = async (session: Connection, ...statements: readonly string[]) => {
      for (const statement of statements) await session.query(statement);
    };
    const prepare = (session: Connection, xid: string, ...work: readonly string[]) =>
      run(session, `XA START ${xid}`, ...work, `XA END ${xid}`, `XA PREPARE ${xid}`);

    it.each([true, false])(
      'takes effect at XA COMMIT, in the order of commits, and never at XA ROLLBACK (every transaction a batch: %s)',
      async (everyOne) => {
        const { session, open, equal, sourceSchema } = await setUp({ cutBefore: () => everyOne });
        const carrier = await open();
        await prepare(session, "'a', 'b', 7", "INSERT INTO t VALUES (1, 'a'), (2, 'a')");
        await db.query(`INSERT INTO \`${sourceSchema}\`.t VALUES (3, 'between')`);
        await run(session, "XA COMMIT 'a', 'b', 7", "UPDATE t SET v = CONCAT(v, '+') WHERE id < 3");
        await prepare(session, "'a', 'b', 7", 'DELETE FROM t WHERE id = 1', "INSERT INTO t VALUES (4, 'x')");
        await run(session, "XA ROLLBACK 'a', 'b', 7");
        await prepare(session, "X'ff00'", 'UPDATE t SET id = 5 WHERE id = 3');
        await run(session, "XA COMMIT X'ff00'");
        expect(await carrier.carry()).toBeNull();
        await equal();
        expect(await carrier.held()).toBe(0);
        await session.end();
      },
    );

    it('in one phase is a transaction as any other, also when it comes in parts', async () => {
      const { session, open, equal } = await setUp({ partBytes: 50_000 });
      const carrier = await open();
      await run(session, "XA START 'one'", "INSERT INTO t VALUES (1, 'a')", "XA END 'one'");
      await run(session, "XA COMMIT 'one' ONE PHASE", "XA START 'two'");
      for (let id = 2; id < 20; id++)
        await session.query(`INSERT INTO t VALUES (${id}, REPEAT(${id % 10}, 20000))`);
      await run(session, "XA END 'two'", "XA COMMIT 'two' ONE PHASE");
      expect(await carrier.carry()).toBeNull();
      await equal();
      expect(await carrier.held()).toBe(0);
      await session.end();
    });

    it('on tables that are not replicated concerns nobody', async () => {
      const { session, open, equal } = await setUp();
      const other = await db.freshSchema('other');
      await db.query(`CREATE TABLE \`${other}\`.x (id INT PRIMARY KEY) ENGINE=InnoDB`);
      const carrier = await open();
      await prepare(session, "'o'", `INSERT INTO \`${other}\`.x VALUES (1)`);
      expect(await carrier.carry()).toBeNull();
      await session.query("XA COMMIT 'o'");
      expect(await carrier.carry()).toBeNull();
      await equal();
      expect(await carrier.held()).toBe(0);
      await session.end();
    });

    // Before 5.7 the log has nothing of an XA transaction until its XA COMMIT, and then it is one as any other.
    if (flavour === 'mysql56') return;

    it('is held between two reigns, in parts and pieces, and shows nothing at the target before', async () => {
      const { session, open, equal, targetSchema } = await setUp({ partBytes: 300_000 });
      const carrier = await open();
      await session.query("INSERT INTO t VALUES (1, 'a'), (100, 'b')");
      const work = Array.from(
        { length: 20 },
        (_, i) => `INSERT INTO t VALUES (${i + 2}, REPEAT('${i}', 100000))`,
      );
      await prepare(
        session,
        "'large'",
        ...work,
        "UPDATE t SET v = 'z' WHERE id = 1",
        'DELETE FROM t WHERE id = 100',
      );
      expect(await carrier.carry()).toBeNull();
      expect(await rowsIn(db, targetSchema, 't')).toEqual(['1,0x61', '100,0x62']);
      expect(await carrier.held()).toBeGreaterThan(7);
      expect(await carrier.carry()).toBeNull();
      await session.query("XA COMMIT 'large'");
      expect(await carrier.carry()).toBeNull();
      await equal();
      expect(await carrier.held()).toBe(0);
      await session.end();
    });

    it('is held through a restart of the source, which has it prepared still', async () => {
      const { session, open, equal, sourceSchema } = await setUp();
      const carrier = await open();
      await prepare(session, "'kept'", "INSERT INTO t VALUES (1, 'kept')");
      const other = await db.connect({ schema: sourceSchema });
      await prepare(other, "'dropped'", "INSERT INTO t VALUES (2, 'dropped')");
      expect(await carrier.carry()).toBeNull();
      expect(await carrier.held()).toBe(2);
      await Promise.all([session.end(), other.end()]);
      await server.restart();
      expect(await carrier.carry()).toBeNull();
      await run(await db.connect(), "XA COMMIT 'kept'", "XA ROLLBACK 'dropped'");
      expect(await carrier.carry()).toBeNull();
      await equal();
      expect(await carrier.held()).toBe(0);
    });

    it('meets a target that differs as any transaction does: made true, and in the ledger', async () => {
      const { session, open, equal, targetSchema } = await setUp();
      const carrier = await open();
      await session.query("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
      await prepare(session, "'d'", "UPDATE t SET v = 'c' WHERE id = 2");
      expect(await carrier.carry()).toBeNull();
      await db.query(`DELETE FROM \`${targetSchema}\`.t WHERE id = 2`);
      await session.query("XA COMMIT 'd'");
      expect(await carrier.carry()).toBeNull();
      await equal();
      const kinds = await db.query('SELECT CAST(kind AS CHAR) AS kind FROM holt.ledger WHERE pipeline = ?', [
        carrier.pipeline.name,
      ]);
      expect(kinds).toEqual([{ kind: 'update-missing' }]);
      await session.end();
    });

    it('begun before the pipeline stops it at XA COMMIT, with what came before applied and the way on named', async () => {
      const { session, open, sourceSchema, targetSchema } = await setUp();
      await prepare(session, "'early'", "INSERT INTO t VALUES (1, 'early')");
      const carrier = await open();
      await db.query(`INSERT INTO \`${sourceSchema}\`.t VALUES (2, 'before')`);
      await session.query("XA COMMIT 'early'");
      await db.query(`INSERT INTO \`${sourceSchema}\`.t VALUES (3, 'after')`);
      expect(await carrier.carry()).toBe('HOLT_XA_BODY_MISSING');
      expect(await rowsIn(db, targetSchema, 't')).toEqual([`2,0x${Buffer.from('before').toString('hex')}`]);
      expect(carrier.stoppedBy?.remedy).toContain(String(carrier.stoppedBy?.facts.behind));
      await session.end();
    });

    it('rolled back without having been held is no trouble', async () => {
      const { session, open, equal } = await setUp();
      await prepare(session, "'early'", "INSERT INTO t VALUES (1, 'early')");
      const carrier = await open();
      await run(session, "XA ROLLBACK 'early'", "INSERT INTO t VALUES (2, 'after')");
      expect(await carrier.carry()).toBeNull();
      await equal();
      await session.end();
    });
  });
