import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { Carrier, rowsIn } from './carrier.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];

for (const flavour of FLAVOURS)
  describeWithOwn([flavour], `large transactions in chunks, from ${flavour}`, () => {
    let server: DatabaseServer;
    let db: Database;
    beforeAll(async () => {
      server = await startDatabase(flavour);
      db = server.db;
    });
    afterAll(async () => {
      await server?.dispose();
    });

    /** Rows with a table without a key, where a repeat shows, and of a schema that is not replicated. */
    async function largeTransaction(session: Connection, schemas: { source: string; other: string }) {
      const { source, other } = schemas;
      await session.beginTransaction();
      for (let i = 0; i < 40; i++) {
        const values = Array.from({ length: 25 }, (_, n) => `(${i * 25 + n}, REPEAT('${i % 10}', 200))`);
        await session.query(`INSERT INTO \`${source}\`.t VALUES ${values}`);
        await session.query(`INSERT INTO \`${other}\`.x VALUES ${values.slice(0, 7 + (i % 5))}`);
        await session.query(`INSERT INTO \`${source}\`.log VALUES (${i}), (${i})`);
        if (i % 3 === 0) await session.query(`UPDATE \`${source}\`.t SET v = 'u' WHERE id % 50 = ${i}`);
      }
      await session.query(`DELETE FROM \`${source}\`.t WHERE id % 3 = 1`);
      await session.commit();
    }

    it('a node that dies again and again, with other sizes of parts, leaves no gap and no repeat', async () => {
      const [source, target, other] = [
        await db.freshSchema('source'),
        await db.freshSchema('target'),
        await db.freshSchema('other'),
      ];
      for (const schema of [source, target]) {
        await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v TEXT) ENGINE=InnoDB`);
        await db.query(`CREATE TABLE \`${schema}\`.log (i INT) ENGINE=InnoDB`);
      }
      await db.query(`CREATE TABLE \`${other}\`.x (id INT PRIMARY KEY, v TEXT) ENGINE=InnoDB`);
      const carrier = await Carrier.open({
        ...{ source: db, target: db, sourceSchema: source, targetSchema: target },
        largeTransactions: 'chunked',
      });
      const session = await db.connect();
      await session.query(`INSERT INTO \`${source}\`.t VALUES (5000, 'before')`);
      await largeTransaction(session, { source, other });
      await session.query(`INSERT INTO \`${source}\`.t VALUES (5001, 'after')`);
      const positions: string[] = [];
      for (const partBytes of [20_000, 35_000, 15_000, 50_000, 20_000]) {
        expect(await carrier.carry({ batches: 2, partBytes })).toBe('died');
        positions.push(await carrier.position());
      }
      // Each is inside the transaction, and further on than the one before.
      const done = positions.map((position) => Number(/#[^#]+@([0-9]+)$/.exec(position)?.[1]));
      expect(done.every((rows, i) => rows > (done[i - 1] ?? 0))).toBe(true);
      expect(Number(await db.value(`SELECT COUNT(*) FROM \`${target}\`.log`))).toBeGreaterThan(0);
      expect(await carrier.carry({ partBytes: 25_000 })).toBeNull();
      for (const table of ['t', 'log'])
        expect(await rowsIn(db, target, table)).toEqual(await rowsIn(db, source, table));
      expect(await carrier.position()).not.toContain('#');
      expect(
        await db.value('SELECT COUNT(*) FROM holt.ledger WHERE pipeline = ?', [carrier.pipeline.name]),
      ).toBe('0');
      await session.end();
    });

    it('XA is not cut: nothing of it shows before its COMMIT, and all of it after', async () => {
      const [source, target] = [await db.freshSchema('source'), await db.freshSchema('target')];
      for (const schema of [source, target])
        await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v TEXT) ENGINE=InnoDB`);
      const carrier = await Carrier.open({
        ...{ source: db, target: db, sourceSchema: source, targetSchema: target },
        largeTransactions: 'chunked',
        partBytes: 20_000,
      });
      const session = await db.connect({ schema: source });
      await session.query("XA START 'c'");
      for (let i = 0; i < 20; i++) await session.query(`INSERT INTO t VALUES (${i}, REPEAT('x', 5000))`);
      await session.query("XA END 'c'");
      await session.query("XA PREPARE 'c'");
      expect(await carrier.carry()).toBeNull();
      expect(await rowsIn(db, target, 't')).toEqual([]);
      await session.query("XA COMMIT 'c'");
      expect(await carrier.carry()).toBeNull();
      expect(await rowsIn(db, target, 't')).toEqual(await rowsIn(db, source, 't'));
      await session.end();
    });
  });
