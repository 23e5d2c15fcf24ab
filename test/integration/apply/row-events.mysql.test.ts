import { afterAll, beforeAll, expect, it } from 'vitest';
import { siteId } from '../../../model/ids.ts';
import { SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import { StaleSignal } from '../../../stages/load/load.ts';
import { classify } from '../../../stages/load/target/error-classes.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import type { TargetConnection } from '../../../stages/load/target/target-connection.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { dataSourceOf } from '../load/target-fixture.ts';
import { batchOf, type LoggedTransaction, loggedTransactions } from './logged-transactions.ts';
import { hexRows, TargetHarness } from './target-harness.ts';

const TABLE = `CREATE TABLE t (
  id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(40) NOT NULL, b VARCHAR(40), c DECIMAL(20,5), d DATETIME(3),
  e ENUM('x','y'), f BLOB, g BIT(13), h DOUBLE) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`;
const ROWS = 40;
const signal = new AbortController().signal;

for (const flavour of ['mariadb', 'mysql'] as const)
  describeWithOwn([flavour], `rows as events of the binlog (${flavour})`, () => {
    let server: DatabaseServer;
    let from = '';
    let to = '';
    beforeAll(async () => {
      server = await startDatabase(flavour);
    });
    afterAll(() => server?.dispose());

    /** Inserts, then changes of all rows, then some deletes; a batch each. */
    const written = async (): Promise<readonly (readonly LoggedTransaction[])[]> => {
      from = await server.db.freshSchema('src');
      to = await server.db.freshSchema('dst');
      const connection = await server.db.connect({ schema: from });
      await connection.query(TABLE);
      await server.db.query(`CREATE TABLE \`${to}\`.t LIKE \`${from}\`.t`);
      const values = Array.from(
        { length: ROWS },
        (_, i) =>
          `(${i + 1}, 'a${i}', NULL, ${i}.125, '2026-11-21 10:00:00.${i}', 'y', 0x00ff27, ${i}, -${i}e0)`,
      );
      await connection.query(`INSERT INTO t VALUES ${values.join(',')}`);
      await connection.query(`UPDATE t SET a = CONCAT(a, '☃'), b = 'b', e = IF(id = 3, NULL, 'x')`);
      await connection.query('DELETE FROM t WHERE id % 3 = 0');
      await connection.end();
      const [inserts = [], updates = [], deletes = []] = await loggedTransactions(server, from);
      return [[inserts], [updates], [deletes]];
    };
    const same = async (schema = to) =>
      expect(await hexRows(server.db, schema, 't')).toEqual(await hexRows(server.db, from, 't'));

    it('leave the target as the source is, and its own log as if it had written them', async () => {
      const batches = await written();
      await using harness = await TargetHarness.on(server.db, { rowEvents: true });
      const kinds = [];
      for (const batch of batches) {
        const result = await harness.apply(batchOf(batch, to));
        kinds.push([result.inserted, result.updated, result.deleted]);
      }
      expect(kinds).toEqual([
        [ROWS, 0, 0],
        [0, ROWS, 0],
        [0, 0, 13],
      ]);
      expect(harness.eventStatements).toBe(3);
      expect(harness.divergences).toEqual([]);
      await same();
      // Somebody who reads the target's log sees whole rows before and after, though only keys were given.
      const chained = await loggedTransactions(server, to);
      expect(chained.flat().map(({ op, rows }) => `${op} ${rows}`)).toEqual([
        `insert ${ROWS}`,
        `update ${ROWS}`,
        'delete 13',
      ]);
      const further = await server.db.freshSchema('further');
      await server.db.query(`CREATE TABLE \`${further}\`.t LIKE \`${to}\`.t`);
      await using next = await TargetHarness.on(server.db, {
        conflict: { detect: true, winner: siteId('east') },
      });
      for (const transaction of chained) await next.apply(batchOf([transaction], further));
      expect(next.divergences).toEqual([]);
      await same(further);
      // The next number of AUTO_INCREMENT has moved with the rows.
      const [next1] = await server.db.query(
        `SELECT AUTO_INCREMENT AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${to}' AND TABLE_NAME = 't'`,
      );
      if (flavour === 'mariadb') expect(Number(next1?.n)).toBe(ROWS + 1);
    });

    it('stop at rows that are missing, or there already', async () => {
      const [inserts = [], updates = [], deletes = []] = await written();
      await using harness = await TargetHarness.on(server.db, { rowEvents: true });
      await server.db.query(`INSERT INTO \`${to}\`.t (id, a) VALUES (7, 'here already')`);
      await harness.apply(batchOf(inserts, to));
      expect(harness.divergences).toHaveLength(1);
      await server.db.query(`DELETE FROM \`${to}\`.t WHERE id = 8`);
      await harness.apply(batchOf(updates, to));
      expect(harness.divergences).toHaveLength(2);
      await server.db.query(`DELETE FROM \`${to}\`.t WHERE id = 9`);
      await harness.apply(batchOf(deletes, to));
      expect(harness.divergences).toHaveLength(3);
      expect(harness.ledger.length).toBe(3);
      await same();
    });

    it('hold off whoever would alter the table until they are committed', async () => {
      const [inserts = []] = await written();
      await using harness = await TargetHarness.on(server.db, { rowEvents: true });
      const prepared = await harness.applier.prepare(batchOf(inserts, to), signal);
      expect(prepared.usesRowEvents).toBe(true);
      await harness.session.execute('START TRANSACTION');
      await harness.applier.execute(prepared, harness.session, signal);
      const other = await server.db.connect({ schema: to });
      await other.query('SET SESSION lock_wait_timeout = 1');
      await expect(other.query('ALTER TABLE t DROP COLUMN h')).rejects.toMatchObject({ errno: 1205 });
      await other.end();
      await harness.session.execute('COMMIT');
      expect(await server.db.value(`SELECT COUNT(*) FROM \`${to}\`.t`)).toBe(String(ROWS));
    });

    it('are not kept where the table was altered after they were prepared', async () => {
      const [inserts = []] = await written();
      await using harness = await TargetHarness.on(server.db, { rowEvents: true });
      const prepared = await harness.applier.prepare(batchOf(inserts, to), signal);
      // The server itself would put the values of the one column into the other.
      await server.db.query(
        `ALTER TABLE \`${to}\`.t CHANGE a b2 VARCHAR(40) NOT NULL, CHANGE b a VARCHAR(40)`,
      );
      await harness.session.execute('START TRANSACTION');
      const failed = await harness.applier
        .execute(prepared, harness.session, signal)
        .then(() => null)
        .catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(StaleSignal);
      expect(classify(failed)).toBe('stale');
      await harness.session.execute('ROLLBACK');
      await server.db.query(
        `ALTER TABLE \`${to}\`.t CHANGE a b VARCHAR(40), CHANGE b2 a VARCHAR(40) NOT NULL`,
      );
      await harness.apply(batchOf(inserts, to));
    });

    it('go as statements where the session is to another server than they were made for', async () => {
      const [inserts = []] = await written();
      await using harness = await TargetHarness.on(server.db, { rowEvents: true });
      const prepared = await harness.applier.prepare(batchOf(inserts, to), signal);
      const sent: string[] = [];
      const { session } = harness;
      const other: TargetConnection = {
        threadId: session.threadId,
        usable: true,
        rowEventsAs: (session.rowEventsAs ?? 0) + 1,
        execute: (sql) => {
          sent.push(sql.toString('latin1', 0, 6));
          return session.execute(sql);
        },
        rows: (sql) => session.rows(sql),
        close: () => session.close(),
        destroy: () => session.destroy(),
      };
      expect(prepared.usesRowEvents).toBe(true);
      await session.execute('START TRANSACTION');
      await harness.applier.execute(prepared, other, signal);
      await session.execute('COMMIT');
      expect(sent).toContain('INSERT');
      expect(sent).not.toContain('BINLOG');
    });

    it('go as statements for an account without the right, and with it', async () => {
      const [inserts = [], updates = []] = await written();
      await server.db.query(`CREATE USER 'plain-${flavour}'@'%' IDENTIFIED BY 'holt'`);
      await server.db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO 'plain-${flavour}'@'%'`);
      const config = { ...dataSourceOf(server.db), user: `plain-${flavour}` };
      const open = () => connectTarget(config, { session: { rowEvents: true } });
      const without = await open();
      expect(without.rowEventsAs).toBeNull();
      const looks = await connectTarget(dataSourceOf(server.db));
      const applier = new SqlBatchApplier({
        schema: new TargetSchema({ query: (sql) => looks.rows(sql), definitions: true }),
        ledger: { append: () => Promise.reject(new Error('nothing goes to the ledger')) },
        conflict: { detect: false, winner: siteId('east') },
        sourceSite: siteId('east'),
        eventsFromRows: 1,
      });
      const prepared = await applier.prepare(batchOf(inserts, to), signal);
      expect(prepared.usesRowEvents).toBe(true);
      await without.execute('START TRANSACTION');
      expect((await applier.execute(prepared, without, signal)).inserted).toBe(ROWS);
      await without.execute('COMMIT');
      expect((await applier.prepare(batchOf(updates, to), signal)).usesRowEvents).toBe(false);
      await without.close();
      await server.db.query(
        `GRANT ${flavour === 'mariadb' ? 'BINLOG REPLAY' : 'REPLICATION_APPLIER'} ON *.* TO 'plain-${flavour}'@'%'`,
      );
      const withRight = await open();
      expect(withRight.rowEventsAs).toBe(withRight.server.serverId);
      await withRight.close();
      await looks.close();
    });

    it('are not taken from a table whose checks and foreign keys the server would pass over', async () => {
      await written();
      const statements = [
        'CREATE TABLE checked (id INT PRIMARY KEY, v INT CHECK (v < 10))',
        'CREATE TABLE parent (id INT PRIMARY KEY)',
        'CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))',
        'CREATE TABLE computed (id INT PRIMARY KEY, v INT, w INT AS (v + 1) STORED)',
        'CREATE TABLE keyless (id INT, v INT)',
      ];
      for (const schema of [from, to]) {
        const connection = await server.db.connect({ schema });
        for (const statement of statements) await connection.query(statement);
        await connection.end();
      }
      const connection = await server.db.connect({ schema: from });
      for (const table of ['checked', 'parent', 'child', 'computed', 'keyless'])
        await connection.query(`INSERT INTO ${table} (id) VALUES (1), (2)`);
      await connection.end();
      const logged = (await loggedTransactions(server, from)).filter(([rows]) => rows?.shape.table !== 't');
      expect(logged).toHaveLength(5);
      await using harness = await TargetHarness.on(server.db, { rowEvents: true });
      for (const transaction of logged) {
        const before = harness.eventStatements;
        await harness.apply(batchOf([transaction], to));
        // MySQL does look at CHECKs.
        const taken = flavour === 'mysql' && transaction[0]?.shape.table === 'checked';
        expect(harness.eventStatements - before, transaction[0]?.shape.table).toBe(taken ? 1 : 0);
      }
    });

    if (flavour === 'mariadb')
      it('go as statements while the server is set to pass over missing rows', async () => {
        const [inserts = [], updates = []] = await written();
        await using harness = await TargetHarness.on(server.db, { rowEvents: true });
        await harness.apply(batchOf(inserts, to));
        await server.db.query(`DELETE FROM \`${to}\`.t WHERE id = 5`);
        await server.db.query("SET GLOBAL slave_exec_mode = 'IDEMPOTENT'");
        try {
          const prepared = await harness.applier.prepare(batchOf(updates, to), signal);
          await harness.session.execute('START TRANSACTION');
          await expect(harness.applier.execute(prepared, harness.session, signal)).rejects.toBeInstanceOf(
            StaleSignal,
          );
          await harness.session.execute('ROLLBACK');
          await harness.apply(batchOf(updates, to));
          expect(harness.divergences).toHaveLength(1);
        } finally {
          await server.db.query("SET GLOBAL slave_exec_mode = 'STRICT'");
        }
      });
  });
