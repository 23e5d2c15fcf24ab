import { afterAll, beforeAll, expect, it } from 'vitest';
import { siteId } from '../../../model/ids.ts';
import type { RouteColumn, TableRoute } from '../../../model/table-route.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { TargetHarness } from './target-harness.ts';

interface Sides {
  readonly source: readonly string[];
  readonly target: readonly string[];
  /** At the source, each statement a transaction of its own; all of them one batch. */
  readonly run: readonly string[];
  readonly session?: readonly string[];
  readonly route?: (shape: TableShape) => Partial<TableRoute>;
  readonly detect?: boolean;
  /** A batch per transaction. */
  readonly oneByOne?: boolean;
}

const own = (shape: TableShape): RouteColumn[] =>
  shape.columns.map((column, index) => ({ kind: 'column', name: column.name, index }));

for (const flavour of ['mariadb', 'mysql', 'mysql56'] as const)
  describeWithOwn([flavour], `tables that are not the same at both sides (${flavour})`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await startDatabase(flavour);
    });
    afterAll(() => server?.dispose());

    async function applied(sides: Sides) {
      const { db } = server;
      const [from, to] = [await db.freshSchema('src'), await db.freshSchema('dst')];
      for (const [schema, tables] of [
        [from, sides.source],
        [to, sides.target],
      ] as const) {
        const connection = await db.connect({ schema });
        for (const table of tables) await connection.query(table);
        await connection.end();
      }
      const before = (await loggedTransactions(server, from)).length;
      const connection = await db.connect({ schema: from });
      for (const statement of [...(sides.session ?? []), ...sides.run]) await connection.query(statement);
      await connection.end();
      const transactions = (await loggedTransactions(server, from)).slice(before);
      const harness = await TargetHarness.on(db, {
        conflict: { detect: sides.detect ?? false, winner: siteId('east') },
      });
      for (const some of sides.oneByOne === true ? transactions.map((one) => [one]) : [transactions])
        await harness.apply(batchOf(some, to, sides.route));
      await harness[Symbol.asyncDispose]();
      expect(harness.ledger).toEqual([]);
      expect(harness.divergences).toEqual([]);
      return { rows: (sql: string) => db.query(sql.replaceAll('TARGET', `\`${to}\``)), harness };
    }

    for (const detect of [false, true])
      for (const oneByOne of [false, true])
        it(`text in another character set is converted${detect ? ' and compared' : ''}${oneByOne ? ', one by one' : ''}`, async () => {
          const { rows } = await applied({
            source: [
              'CREATE TABLE t (k VARCHAR(10) CHARACTER SET latin1 PRIMARY KEY, v VARCHAR(10) CHARACTER SET latin1)',
            ],
            target: [
              'CREATE TABLE t (k VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci PRIMARY KEY, v VARCHAR(10) CHARACTER SET utf8mb4)',
            ],
            session: ['SET NAMES utf8'],
            run: [
              "INSERT INTO t VALUES ('é', 'ä'), ('x', 'ö'), ('y', ''), ('w', 'z')",
              "UPDATE t SET v = 'üß'",
              "DELETE FROM t WHERE k IN ('x', 'w')",
              "UPDATE t SET k = 'ö' WHERE k = 'y'",
            ],
            detect,
            oneByOne,
          });
          expect(await rows('SELECT HEX(k) AS k, HEX(v) AS v FROM TARGET.t ORDER BY 1')).toEqual([
            { k: 'C3A9', v: 'C3BCC39F' },
            { k: 'C3B6', v: 'C3BCC39F' },
          ]);
        });

    it('two tables go into one, told apart by a constant part of the key', async () => {
      const { rows } = await applied({
        source: [
          'CREATE TABLE t1 (id INT PRIMARY KEY, v INT)',
          'CREATE TABLE t2 (id INT PRIMARY KEY, v INT)',
        ],
        target: ['CREATE TABLE t (shard VARCHAR(4) NOT NULL, id INT, v INT, PRIMARY KEY (shard, id))'],
        run: [
          'INSERT INTO t1 VALUES (1,1),(2,2),(3,3)',
          'INSERT INTO t2 VALUES (1,10),(2,20),(3,30)',
          'UPDATE t1 SET v = v + 1 WHERE id = 1',
          'DELETE FROM t2 WHERE id < 3',
          'UPDATE t2 SET id = 9',
        ],
        route: (shape) => ({
          name: 't',
          columns: [...own(shape), { kind: 'constant', name: 'shard', text: shape.table }],
        }),
        oneByOne: true,
      });
      expect(await rows('SELECT shard, id, v FROM TARGET.t ORDER BY 1, 2')).toEqual([
        { shard: 't1', id: 1, v: 2 },
        { shard: 't1', id: 2, v: 2 },
        { shard: 't1', id: 3, v: 3 },
        { shard: 't2', id: 9, v: 30 },
      ]);
    });

    it('two tables go into one in one batch', async () => {
      const { rows } = await applied({
        source: [
          'CREATE TABLE t1 (id INT PRIMARY KEY, v INT)',
          'CREATE TABLE t2 (id INT PRIMARY KEY, v INT)',
        ],
        target: ['CREATE TABLE t (id INT PRIMARY KEY, v INT)'],
        run: [
          'INSERT INTO t1 VALUES (1,1),(3,3)',
          'INSERT INTO t2 VALUES (2,2),(4,4)',
          'UPDATE t1 SET v = 10 WHERE id = 1',
          'DELETE FROM t2 WHERE id = 4',
        ],
        route: () => ({ name: 't' }),
      });
      expect(await rows('SELECT * FROM TARGET.t ORDER BY 1')).toEqual([
        { id: 1, v: 10 },
        { id: 2, v: 2 },
        { id: 3, v: 3 },
      ]);
    });

    it('columns of the target’s own keep their values while the row stays the same row', async () => {
      const sides: Sides = {
        source: ['CREATE TABLE t (id INT PRIMARY KEY, v INT)'],
        target: ["CREATE TABLE t (own VARCHAR(9) NOT NULL DEFAULT 'new', v INT, id INT PRIMARY KEY)"],
        run: ['INSERT INTO t VALUES (1,1),(2,2)'],
      };
      const { rows, harness } = await applied({
        ...sides,
        run: [
          ...sides.run,
          'UPDATE t SET id = 3 WHERE id = 2',
          'DELETE FROM t WHERE id = 1',
          'INSERT INTO t VALUES (1,5)',
        ],
      });
      expect([...harness.ordered.values()]).toEqual(['a key changes, and the row must stay the same row']);
      expect(await rows('SELECT id, v, own FROM TARGET.t ORDER BY 1')).toEqual([
        { id: 1, v: 5, own: 'new' },
        { id: 3, v: 2, own: 'new' },
      ]);
    });

    it('a column that changes by itself at the target only is left as the source has it', async () => {
      const { rows } = await applied({
        source: ['CREATE TABLE t (id INT PRIMARY KEY, v INT, at DATETIME NULL)'],
        target: ['CREATE TABLE t (id INT PRIMARY KEY, v INT, at DATETIME NULL ON UPDATE CURRENT_TIMESTAMP)'],
        session: ["SET SESSION binlog_row_image = 'MINIMAL'"],
        run: ["INSERT INTO t VALUES (1,1,'2020-01-01 00:00:00')", 'UPDATE t SET v = 2'],
        oneByOne: true,
      });
      expect(await rows('SELECT v, at FROM TARGET.t')).toEqual([{ v: 2, at: '2020-01-01 00:00:00' }]);
    });

    it('a table that is all key, and columns under other names', async () => {
      const { rows } = await applied({
        source: ['CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))'],
        target: ['CREATE TABLE t (x INT, `y ``z` INT, PRIMARY KEY (`y ``z`, x))'],
        run: [
          'INSERT INTO t VALUES (1,1),(1,2),(2,1)',
          'UPDATE t SET b = b + 5 WHERE a = 1',
          'DELETE FROM t WHERE a = 2',
        ],
        route: () => ({
          columns: [
            { kind: 'column', name: 'x', index: 0 },
            { kind: 'column', name: 'y `z', index: 1 },
          ],
        }),
        oneByOne: true,
      });
      expect(await rows('SELECT x, `y ``z` AS y FROM TARGET.t ORDER BY 1, 2')).toEqual([
        { x: 1, y: 6 },
        { x: 1, y: 7 },
      ]);
    });

    if (flavour !== 'mysql56')
      it('columns that the target computes are left to it', async () => {
        const table =
          'CREATE TABLE t (id INT PRIMARY KEY, v INT, twice INT AS (v * 2) VIRTUAL, kept INT AS (v + 1) STORED, UNIQUE KEY (kept))';
        const { rows } = await applied({
          source: [table],
          target: [table],
          run: [
            'INSERT INTO t (id, v) VALUES (1,1),(2,5)',
            'UPDATE t SET v = v + 1',
            'DELETE FROM t WHERE id = 2',
          ],
          oneByOne: true,
        });
        expect(await rows('SELECT * FROM TARGET.t')).toEqual([{ id: 1, v: 2, twice: 4, kept: 3 }]);
      });

    if (flavour === 'mysql')
      for (const image of ['FULL', 'MINIMAL'])
        for (const oneByOne of [false, true])
          it(`JSON that changes in part arrives whole, with ${image} images${oneByOne ? ', one by one' : ''}`, async () => {
            const { rows } = await applied({
              source: ['CREATE TABLE t (id INT PRIMARY KEY, v INT, j JSON)'],
              target: ['CREATE TABLE t (id INT PRIMARY KEY, v INT, j JSON)'],
              session: [
                "SET SESSION binlog_row_value_options = 'PARTIAL_JSON'",
                `SET SESSION binlog_row_image = '${image}'`,
              ],
              run: [
                `INSERT INTO t VALUES (1, 1, JSON_OBJECT('a', 1, 'list', JSON_ARRAY(1,2,3), 'long', REPEAT('x', 300))), (2, 2, '{"a": "text", "long": "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"}')`,
                "UPDATE t SET j = JSON_SET(j, '$.a', 2), v = 3",
                "UPDATE t SET j = JSON_REMOVE(j, '$.list[1]') WHERE id = 1",
                "UPDATE t SET j = JSON_REPLACE(j, '$.long', 'z')",
              ],
              oneByOne,
            });
            const [first, second] = await rows('SELECT j, v FROM TARGET.t ORDER BY id');
            expect(first).toMatchObject({ v: 3, j: { a: 2, list: [1, 3], long: 'z' } });
            expect(second).toMatchObject({ v: 3, j: { a: 2, long: 'z' } });
          });

    it.each([
      ['HOLT_TARGET_TABLE_MISSING', [], {}],
      ['HOLT_TARGET_COLUMN_MISSING', ['CREATE TABLE t (id INT PRIMARY KEY)'], {}],
      ['HOLT_TARGET_COLUMN_UNFILLED', ['CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT NOT NULL)'], {}],
      ['HOLT_TARGET_COLUMN_TYPE', ['CREATE TABLE t (id INT PRIMARY KEY, v DATE)'], {}],
      ['HOLT_TARGET_ENGINE', ['CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE=MyISAM'], {}],
      [
        'HOLT_TARGET_TRIGGER',
        [
          'CREATE TABLE t (id INT PRIMARY KEY, v INT)',
          'CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 0',
        ],
        {},
      ],
    ])('%s is refused, and goes on once the table is right', async (code, tables) => {
      const { db } = server;
      const [from, to] = [await db.freshSchema('src'), await db.freshSchema('dst')];
      const connection = await db.connect({ schema: to });
      for (const table of tables) await connection.query(table);
      await db.query(`CREATE TABLE \`${from}\`.t (id INT PRIMARY KEY, v INT)`);
      await db.query(`INSERT INTO \`${from}\`.t VALUES (1, 2)`);
      const batch = batchOf(await loggedTransactions(server, from), to);
      await using harness = await TargetHarness.on(db);
      await expect(harness.apply(batch)).rejects.toMatchObject({ code, disposition: 'retry' });
      await connection.query('DROP TABLE IF EXISTS t');
      await connection.query('CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB');
      await connection.end();
      expect((await harness.apply(batch)).inserted).toBe(1);
    });
  });
