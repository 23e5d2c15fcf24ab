import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { siteId } from '../../../model/ids.ts';
import type { LedgerKind } from '../../../stages/load/ledger-contract.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { hexRows, TargetHarness } from './target-harness.ts';

const TABLES = [
  't (id INT PRIMARY KEY, a INT, b VARCHAR(20) CHARACTER SET utf8mb4) ENGINE=InnoDB',
  'u (id INT PRIMARY KEY, u INT NOT NULL, v INT, UNIQUE KEY u (u)) ENGINE=InnoDB',
  'keyless (a INT, b VARCHAR(20)) ENGINE=InnoDB',
  'parent (id INT PRIMARY KEY, v INT) ENGINE=InnoDB',
  'child (id INT PRIMARY KEY, parent_id INT, KEY (parent_id), CONSTRAINT c FOREIGN KEY (parent_id) REFERENCES parent (id)) ENGINE=InnoDB',
];

interface Case {
  readonly title: string;
  /** At both sides, before. */
  readonly both?: readonly string[];
  /** At the target, behind Holt's back. */
  readonly target: readonly string[];
  /** At the source, in one transaction: the batch. */
  readonly source: readonly string[];
  readonly ledger: readonly {
    readonly kind: LedgerKind;
    readonly decision?: 'source' | 'target';
    readonly found?: unknown;
  }[];
  /** Table whose rows must then be the source's; else `rows`. */
  readonly equal?: string;
  readonly rows?: Readonly<Record<string, readonly string[]>>;
}

const ONE_WAY: readonly Case[] = [
  {
    title: 'a row that is missing on UPDATE is made',
    both: ["INSERT INTO t VALUES (1,1,'x'),(2,2,'y'),(3,3,'z')"],
    target: ['DELETE FROM t WHERE id = 2'],
    source: ['UPDATE t SET a = a + 10'],
    ledger: [{ kind: 'update-missing', decision: 'source', found: null }],
    equal: 't',
  },
  {
    title: 'a single row that is missing on UPDATE is made',
    both: ["INSERT INTO t VALUES (2,2,'y')"],
    target: ['DELETE FROM t WHERE id = 2'],
    source: ['UPDATE t SET a = a + 10'],
    ledger: [{ kind: 'update-missing', decision: 'source', found: null }],
    equal: 't',
  },
  {
    title: 'a row that is there on INSERT becomes the source’s, and what stood there is kept',
    target: ["INSERT INTO t VALUES (5,99,'before')"],
    source: ["INSERT INTO t VALUES (4,4,'d'),(5,5,'e'),(6,6,'f')"],
    ledger: [{ kind: 'insert-present', decision: 'source', found: { id: '5', a: '99', b: 'before' } }],
    equal: 't',
  },
  {
    title: 'a row that is missing on DELETE is written down',
    both: ["INSERT INTO t VALUES (1,1,'x'),(2,2,'y')"],
    target: ['DELETE FROM t WHERE id = 2'],
    source: ['DELETE FROM t'],
    ledger: [{ kind: 'delete-missing', decision: 'source', found: null }],
    equal: 't',
  },
  {
    title: 'a row too many and one too few in one batch do not cancel out',
    both: ["INSERT INTO t VALUES (1,1,'x'),(2,2,'y')"],
    target: ['DELETE FROM t WHERE id = 2', "INSERT INTO t VALUES (3,0,'here already')"],
    source: ['UPDATE t SET a = 7', "INSERT INTO t VALUES (3,3,'z')"],
    ledger: [{ kind: 'update-missing' }, { kind: 'insert-present' }],
    equal: 't',
  },
  {
    title: 'a row that comes and goes within the batch, and is there at the target, goes',
    target: ["INSERT INTO t VALUES (9,0,'stray')"],
    source: ["INSERT INTO t VALUES (8,8,'h'),(9,9,'i')", 'DELETE FROM t WHERE id = 9'],
    ledger: [{ kind: 'insert-present', found: { id: '9', a: '0', b: 'stray' } }],
    equal: 't',
  },
  {
    title: 'an update never changes another row through a second unique key',
    both: ['INSERT INTO u VALUES (1,10,0),(2,20,0),(3,30,0)'],
    target: ['DELETE FROM u WHERE id = 2', 'INSERT INTO u VALUES (7,20,77)'],
    source: ['UPDATE u SET v = v + 1'],
    ledger: [
      { kind: 'update-missing', decision: 'source', found: null },
      { kind: 'unique-taken', decision: 'source', found: { id: '7', u: '20', v: '77' } },
    ],
    equal: 'u',
  },
  {
    title: 'a row that holds a unique value of an inserted one gives way',
    target: ['INSERT INTO u VALUES (7,20,77)'],
    source: ['INSERT INTO u VALUES (1,10,0),(2,20,0)'],
    ledger: [{ kind: 'unique-taken', decision: 'source', found: { id: '7', u: '20', v: '77' } }],
    equal: 'u',
  },
  {
    title: 'a row at the key that an updated one takes gives way',
    both: ['INSERT INTO u VALUES (1,10,0)'],
    target: ['INSERT INTO u VALUES (5,50,55)'],
    source: ['UPDATE u SET id = 5, u = 11'],
    ledger: [{ kind: 'unique-taken', decision: 'source', found: { id: '5', u: '50', v: '55' } }],
    equal: 'u',
  },
  {
    title:
      'in a table without key, a row that is missing on UPDATE is made, and one missing on DELETE written down',
    both: ["INSERT INTO keyless VALUES (1,'x'),(1,'x'),(2,'y')"],
    target: ['DELETE FROM keyless WHERE a = 1 LIMIT 1', 'DELETE FROM keyless WHERE a = 2'],
    source: ["UPDATE keyless SET b = 'changed' WHERE a = 1", 'DELETE FROM keyless WHERE a = 2'],
    ledger: [{ kind: 'update-missing' }, { kind: 'delete-missing' }],
    equal: 'keyless',
  },
  {
    title: 'a row whose parent is missing is written all the same',
    both: ['INSERT INTO parent VALUES (1,1)'],
    target: ['DELETE FROM parent'],
    source: ['INSERT INTO child VALUES (1,1)'],
    ledger: [{ kind: 'parent-missing', decision: 'source' }],
    equal: 'child',
  },
  {
    title: 'a row that others of the target’s own point to stays',
    both: ['INSERT INTO parent VALUES (1,1),(2,2)'],
    target: ['INSERT INTO child VALUES (8,1)'],
    source: ['DELETE FROM parent'],
    ledger: [{ kind: 'children-left', decision: 'target' }],
    rows: { parent: ['31|31'] },
  },
];

for (const flavour of ['mariadb', 'mysql', 'mysql56'] as const)
  describeWithOwn([flavour], `divergence (${flavour})`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await startDatabase(flavour);
    });
    afterAll(() => server?.dispose());

    /** Both schemas with their tables, the source's transactions logged. */
    async function sides(one: Pick<Case, 'both' | 'target' | 'source'>, image = 'FULL') {
      const { db } = server;
      const [from, to] = [await db.freshSchema('src'), await db.freshSchema('dst')];
      for (const schema of [from, to]) {
        const connection = await db.connect({ schema });
        for (const table of TABLES) await connection.query(`CREATE TABLE ${table}`);
        for (const statement of one.both ?? []) await connection.query(statement);
        await connection.end();
      }
      const before = (await loggedTransactions(server, from)).length;
      const source = await db.connect({ schema: from });
      await source.query(`SET SESSION binlog_row_image = '${image}'`);
      await source.query('START TRANSACTION');
      for (const statement of one.source) await source.query(statement);
      await source.query('COMMIT');
      await source.end();
      const target = await db.connect({ schema: to });
      await target.query('SET SESSION foreign_key_checks = 0');
      for (const statement of one.target) await target.query(statement);
      await target.end();
      const batch = batchOf((await loggedTransactions(server, from)).slice(before), to);
      return { from, to, batch };
    }

    describe('one way', () => {
      for (const one of ONE_WAY)
        it(one.title, async () => {
          const { from, to, batch } = await sides(one);
          await using harness = await TargetHarness.on(server.db);
          const result = await harness.apply(batch);
          expect(harness.divergences).toHaveLength(1);
          expect(result).toMatchObject({ careful: true, ledgered: one.ledger.length });
          expect(harness.ledger).toHaveLength(one.ledger.length);
          for (const [i, expected] of one.ledger.entries()) {
            const { kind, decision, found } = expected;
            const entry = harness.ledger[i];
            expect(entry?.kind).toBe(kind);
            if (decision !== undefined) expect(entry?.decision).toBe(decision);
            if (found !== undefined)
              expect(entry?.found == null ? null : JSON.parse(entry.found)).toEqual(found);
          }
          if (one.equal !== undefined)
            expect(await hexRows(server.db, to, one.equal)).toEqual(
              await hexRows(server.db, from, one.equal),
            );
          for (const [table, rows] of Object.entries(one.rows ?? {}))
            expect(await hexRows(server.db, to, table)).toEqual(rows);
        });

      it('a row that is missing and known in part only is left to the ledger', async () => {
        const { to, batch } = await sides(
          {
            both: ["INSERT INTO t VALUES (1,1,'x')"],
            target: ['DELETE FROM t'],
            source: ['UPDATE t SET a = 2'],
          },
          'MINIMAL',
        );
        await using harness = await TargetHarness.on(server.db);
        await harness.apply(batch);
        expect(harness.ledger).toMatchObject([{ kind: 'update-missing', decision: 'target', op: 'update' }]);
        expect(await hexRows(server.db, to, 't')).toEqual([]);
      });

      it('a row that only differs is not looked at, and gets what the source wrote', async () => {
        const { from, to, batch } = await sides({
          both: ["INSERT INTO t VALUES (1,1,'x')"],
          target: ["UPDATE t SET b = 'other'"],
          source: ['UPDATE t SET a = 2'],
        });
        await using harness = await TargetHarness.on(server.db);
        await harness.apply(batch);
        expect(harness.divergences).toEqual([]);
        expect(await hexRows(server.db, to, 't')).toEqual(await hexRows(server.db, from, 't'));
      });

      it('a value that the target cannot take stops it by a code, and nothing is cut to fit', async () => {
        const { to, batch } = await sides({
          target: ['ALTER TABLE t MODIFY b VARCHAR(3) CHARACTER SET utf8mb4'],
          source: ["INSERT INTO t VALUES (1,1,'abc'),(2,2,'abcd')"],
        });
        await using harness = await TargetHarness.on(server.db);
        const prepared = await harness.applier.prepare(batch, new AbortController().signal);
        await harness.session.execute('START TRANSACTION');
        await expect(
          harness.applier.executeCarefully(prepared, harness.session, new AbortController().signal),
        ).rejects.toMatchObject({ code: 'HOLT_TARGET_VALUE_REFUSED' });
        await harness.session.execute('ROLLBACK');
        expect(await hexRows(server.db, to, 't')).toEqual([]);
      });
    });

    it.each([false, true])('waits for no row that it does not touch (compared: %s)', async (detect) => {
      const rows = Array.from({ length: 40 }, (_, i) => `(${i},1,'x')`).join(',');
      const { from, to, batch } = await sides({
        both: [`INSERT INTO t VALUES ${rows}`],
        target: [],
        source: ['DELETE FROM t WHERE id < 30', 'UPDATE t SET a = 2 WHERE id < 35'],
      });
      await server.db.query(`ANALYZE TABLE \`${to}\`.t`);
      const stranger = await server.db.connect({ schema: to });
      await stranger.query('START TRANSACTION');
      await stranger.query('UPDATE t SET a = 1, b = b WHERE id = 39');
      await using harness = await TargetHarness.on(server.db, {
        conflict: { detect, winner: siteId('east') },
        trueEstimates: true,
      });
      await harness.session.execute('SET SESSION innodb_lock_wait_timeout = 1');
      expect((await harness.apply(batch)).deleted).toBe(30);
      await stranger.query('ROLLBACK');
      await stranger.end();
      expect(await hexRows(server.db, to, 't')).toEqual(await hexRows(server.db, from, 't'));
    });

    describe('two ways', () => {
      const both = ["INSERT INTO t VALUES (1,1,'x'),(2,2,'y'),(3,3,'z')"];
      const detecting = (winner: 'east' | 'west') =>
        TargetHarness.on(server.db, { conflict: { detect: true, winner: siteId(winner) } });

      it('rows that are as before go the fast way', async () => {
        const { from, to, batch } = await sides({
          both,
          target: [],
          source: ['UPDATE t SET a = 9', 'DELETE FROM t WHERE id = 3'],
        });
        await using harness = await detecting('east');
        const result = await harness.apply(batch);
        expect(result.careful).toBe(false);
        expect(harness.ledger).toEqual([]);
        expect(await hexRows(server.db, to, 't')).toEqual(await hexRows(server.db, from, 't'));
      });

      it.each([
        ['case', "UPDATE t SET b = 'X' WHERE id = 1"],
        ['trailing space', "UPDATE t SET b = 'x ' WHERE id = 1"],
        ['NULL', 'UPDATE t SET b = NULL WHERE id = 1'],
      ])('a row that differs in %s only is seen', async (_, change) => {
        const { batch } = await sides({ both, target: [change], source: ['UPDATE t SET a = 9'] });
        await using harness = await detecting('east');
        await harness.apply(batch);
        expect(harness.ledger).toMatchObject([
          { kind: 'update-differs', decision: 'source', rowKey: '{"id":"1"}' },
        ]);
      });

      it('the site named as winner keeps its row: the source', async () => {
        const { from, to, batch } = await sides({
          both,
          target: ["UPDATE t SET b = 'west' WHERE id = 1", 'UPDATE t SET a = 0 WHERE id = 3'],
          source: [
            'UPDATE t SET a = 9 WHERE id < 3',
            'DELETE FROM t WHERE id = 3',
            "INSERT INTO t VALUES (4,4,'d')",
          ],
        });
        await using harness = await detecting('east');
        await harness.apply(batch);
        expect(harness.ledger).toMatchObject([
          { kind: 'update-differs', decision: 'source', found: '{"id":"1","a":"1","b":"west"}' },
          { kind: 'delete-differs', decision: 'source' },
        ]);
        expect(await hexRows(server.db, to, 't')).toEqual(await hexRows(server.db, from, 't'));
      });

      it('the site named as winner keeps its row: the target', async () => {
        const { to, batch } = await sides({
          both,
          target: [
            "UPDATE t SET b = 'west' WHERE id = 1",
            'UPDATE t SET a = 0 WHERE id = 3',
            "INSERT INTO t VALUES (4,40,'west')",
            'DELETE FROM t WHERE id = 2',
          ],
          source: [
            'UPDATE t SET a = 9 WHERE id < 3',
            'DELETE FROM t WHERE id = 3',
            "INSERT INTO t VALUES (4,4,'d'),(5,5,'e')",
          ],
        });
        await using harness = await detecting('west');
        await harness.apply(batch);
        expect(harness.ledger.map(({ kind, decision }) => [kind, decision])).toEqual([
          ['update-differs', 'target'],
          ['update-missing', 'target'],
          ['delete-differs', 'target'],
          ['insert-present', 'target'],
        ]);
        const rows = await server.db.query(`SELECT * FROM \`${to}\`.t ORDER BY id`);
        expect(rows).toEqual([
          { id: 1, a: 1, b: 'west' },
          { id: 3, a: 0, b: 'z' },
          { id: 4, a: 40, b: 'west' },
          { id: 5, a: 5, b: 'e' },
        ]);
      });
    });
  });
