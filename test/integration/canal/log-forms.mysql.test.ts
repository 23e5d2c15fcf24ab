import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CanalReader } from '../../../canal/canal.ts';
import type { SourceItem } from '../../../model/source-item.ts';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { engineOn, inSchema, positionNow, readUntilMarker, rowsOf, writeMarker } from './engine-fixture.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];

/** The changed rows of the items, one line each, and statements in angle brackets. */
function story(items: readonly SourceItem[]): string[] {
  return items
    .flatMap((item): string[] => {
      if (item.kind === 'interrupted') return ['interrupted'];
      if (item.kind === 'statement') return [`<${item.nature}: ${item.sql.toString().slice(0, 80)}>`];
      if (item.kind === 'xa-outcome') return [`<xa ${item.outcome}: ${item.xid}>`];
      const statements = item.statements.map((one) => `[${one.nature}: ${one.sql.toString().slice(0, 60)}]`);
      const rows = item.rows.flatMap((one) =>
        rowsOf(one).map(
          ({ before, after }) =>
            `${one.op} ${one.shape.table} ${[before, after].filter(Boolean).join(' -> ')}`,
        ),
      );
      const xa = item.xa === undefined ? [] : [`[xa ${item.xa.phase}: ${item.xa.xid}]`];
      return [...xa, ...statements, ...rows];
    })
    .filter((line) => !/marker/.test(line));
}

for (const flavour of FLAVOURS)
  describeWithOwn([flavour], `what ${flavour} logs`, () => {
    let server: DatabaseServer;
    let db: Database;
    /** With GTIDs, MySQL refuses transactions over tables of both kinds. */
    const mixes = flavour !== 'mysql';
    beforeAll(async () => {
      server = await startDatabase(flavour);
      db = server.db;
    });
    afterAll(async () => {
      await server?.dispose();
    });

    /** What is read of what `work` does in a fresh schema with tables `t` (InnoDB) and `m` (MyISAM). */
    async function readOf(
      work: (connection: Connection, schema: string) => Promise<void>,
      wants?: (table: string) => boolean,
    ): Promise<SourceItem[]> {
      const schema = await db.freshSchema('form');
      await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=InnoDB`);
      await db.query(`CREATE TABLE \`${schema}\`.m (id INT PRIMARY KEY) ENGINE=MyISAM`);
      await db.query(`CREATE TABLE \`${schema}\`.marker (id INT PRIMARY KEY)`);
      await using host = await engineOn(db, { lingerMs: 0 });
      const start = await positionNow(host.engine);
      const connection = await db.connect({ schema });
      try {
        await work(connection, schema);
      } finally {
        await connection.end();
      }
      await writeMarker(db, schema, 1);
      const reader: CanalReader = await host.engine.openReader({
        name: 'p',
        start,
        wants: (s, t) => s === schema && (wants?.(t) ?? true),
      });
      const items = await readUntilMarker(reader, 1);
      // The way there is covered without a gap: reading from the last position gives the next marker and nothing else.
      await writeMarker(db, schema, 2);
      const next = await host.engine.openReader({
        name: 'q',
        start: reader.position,
        readFrom: host.engine.source.identity,
        wants: inSchema(schema),
      });
      expect(story((await readUntilMarker(next, 2)).filter((item) => item.kind === 'rows'))).toEqual([]);
      return items;
    }

    const run =
      (...statements: string[]) =>
      async (connection: Connection) => {
        for (const sql of statements) await connection.query(sql);
      };

    it('single rows, several tables, updates of keys, and a rolled back transaction', async () => {
      const items = await readOf(
        run(
          "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
          'START TRANSACTION',
          "UPDATE t SET id = id + 10, v = 'c'",
          ...(mixes ? ['INSERT INTO m VALUES (5)'] : []),
          'DELETE FROM t WHERE id = 11',
          'COMMIT',
          'START TRANSACTION',
          "INSERT INTO t VALUES (99, 'never')",
          'ROLLBACK',
        ),
      );
      // A change of a table without transactions is logged at once, before the transaction around it.
      expect(story(items)).toEqual([
        'insert t 1,a',
        'insert t 2,b',
        ...(mixes ? ['insert m 5'] : []),
        'update t 1,a -> 11,c',
        'update t 2,b -> 12,c',
        'delete t 11,c',
      ]);
    });

    it('savepoints', async () => {
      const items = await readOf(
        run(
          'START TRANSACTION',
          "INSERT INTO t VALUES (1, 'a')",
          'SAVEPOINT `one two`',
          "INSERT INTO t VALUES (2, 'b')",
          ...(mixes ? ['INSERT INTO m VALUES (7)'] : []),
          'ROLLBACK TO SAVEPOINT `one two`',
          "INSERT INTO t VALUES (3, 'c')",
          'RELEASE SAVEPOINT `one two`',
          'COMMIT',
        ),
      );
      expect(story(items)).toEqual([...(mixes ? ['insert m 7'] : []), 'insert t 1,a', 'insert t 3,c']);
    });

    it('a rollback to a savepoint that the log keeps', async () => {
      // Temporary tables cannot be rolled back: with one of them made on the way the log keeps what was undone, and says so.
      const items = await readOf(
        run(
          'START TRANSACTION',
          "INSERT INTO t VALUES (1, 'a')",
          'SAVEPOINT s',
          "INSERT INTO t VALUES (2, 'b')",
          'CREATE TEMPORARY TABLE tmp (id INT) ENGINE=InnoDB',
          'ROLLBACK TO SAVEPOINT s',
          "INSERT INTO t VALUES (3, 'c')",
          'DROP TEMPORARY TABLE tmp',
          'COMMIT',
        ),
      );
      expect(story(items).filter((line) => line.startsWith('insert'))).toEqual([
        'insert t 1,a',
        'insert t 3,c',
      ]);
    });

    it('DDL of every kind, and CREATE TABLE … SELECT', async () => {
      const items = await readOf(
        run(
          'ALTER TABLE t ADD COLUMN extra INT',
          "INSERT INTO t VALUES (1, 'a', 4)",
          'CREATE TABLE copy AS SELECT * FROM t',
          'TRUNCATE TABLE t',
          'CREATE TEMPORARY TABLE tmp (id INT)',
          'INSERT INTO tmp VALUES (1)',
          'RENAME TABLE m TO m2',
          'DROP TABLE m2',
        ),
        // Its columns are what they were only at the end.
        (table) => table !== 't' || flavour !== 'mysql56',
      );
      const lines = story(items).map((line) => line.replace(/\s+/g, ' '));
      expect(lines.filter((line) => line.startsWith('<ddl: '))).toEqual(
        expect.arrayContaining([
          '<ddl: ALTER TABLE t ADD COLUMN extra INT>',
          expect.stringMatching(/^<ddl: TRUNCATE TABLE t/),
          expect.stringMatching(/^<ddl: RENAME TABLE m TO m2/),
          expect.stringMatching(/^<ddl: DROP TABLE `m2`/),
        ]),
      );
      expect(lines.some((line) => /ddl: CREATE TABLE `copy`/.test(line))).toBe(true);
      expect(lines).toContain('insert copy 1,a,4');
    });

    it('changes in statement form, with their context, LOAD DATA among them', async () => {
      if (flavour === 'mysql' && !(await db.value("SHOW VARIABLES LIKE 'binlog_format'"))) return;
      const items = await readOf(async (connection) => {
        await connection.query("SET SESSION binlog_format = 'STATEMENT'");
        await connection.query("INSERT INTO t VALUES (1, 'a')");
        await connection.query("SET @v = 'user variable'");
        await connection.query('INSERT INTO t VALUES (2, @v)');
        await connection.query('UPDATE t SET v = RAND() WHERE id = 2');
      });
      expect(story(items)).toEqual([
        "[dml: INSERT INTO t VALUES (1, 'a')]",
        '[dml: INSERT INTO t VALUES (2, @v)]',
        '[dml: UPDATE t SET v = RAND() WHERE id = 2]',
      ]);
    });

    it('two-phase XA, and one-phase', async () => {
      const items = await readOf(
        run(
          "XA START 'x1', 'b'",
          "INSERT INTO t VALUES (1, 'a')",
          "XA END 'x1', 'b'",
          "XA PREPARE 'x1', 'b'",
          "XA COMMIT 'x1', 'b'",
          "XA START 'x2'",
          "INSERT INTO t VALUES (2, 'b')",
          "XA END 'x2'",
          "XA COMMIT 'x2' ONE PHASE",
        ),
      );
      const twoPhase =
        flavour === 'mysql56'
          ? ['insert t 1,a']
          : ["[xa prepared: x'7831',x'62',1]", 'insert t 1,a', "<xa commit: x'7831',x'62',1>"];
      expect(story(items)).toEqual([...twoPhase, 'insert t 2,b']);
    });

    if (flavour === 'mariadb') {
      it('two-phase ALTER, which counts once', async () => {
        const items = await readOf(
          run('SET SESSION binlog_alter_two_phase = 1', 'ALTER TABLE t ADD COLUMN extra INT, ALGORITHM=COPY'),
        );
        expect(story(items)).toEqual(['<ddl: ALTER TABLE t ADD COLUMN extra INT, ALGORITHM=COPY>']);
        // START, COMMIT and the marker.
        expect(items.filter((item) => item.kind === 'rows')).toHaveLength(2);
      });

      it('compressed events', async () => {
        await db.query('SET GLOBAL log_bin_compress = 1, GLOBAL log_bin_compress_min_len = 10');
        try {
          const value = 'x'.repeat(20);
          const items = await readOf(async (connection) => {
            await connection.query(
              `INSERT INTO t VALUES ${Array.from({ length: 40 }, (_, i) => `(${i}, '${value}')`)}`,
            );
            await connection.query(`UPDATE t SET v = '${'y'.repeat(20)}' WHERE id < 20`);
            await connection.query('DELETE FROM t');
            await connection.query(`ALTER TABLE t COMMENT '${'z'.repeat(500)}'`);
          });
          expect(story(items)).toHaveLength(40 + 20 + 40 + 1);
        } finally {
          await db.query('SET GLOBAL log_bin_compress = 0');
        }
      });

      it('LOAD DATA in statement form', async () => {
        const items = await readOf(async (connection, schema) => {
          const file = `${server.dir}/${schema}.txt`;
          await connection.query(`SELECT 1, 'a' INTO OUTFILE '${file}'`);
          await connection.query("SET SESSION binlog_format = 'STATEMENT'");
          await connection.query(`LOAD DATA INFILE '${file}' INTO TABLE t`);
        });
        expect(story(items)).toEqual([expect.stringMatching(/^\[load-data: LOAD DATA INFILE/)]);
      });
    }

    if (flavour === 'mysql') {
      it('compressed transactions, tagged GTIDs, and empty ones', async () => {
        const items = await readOf(
          run(
            'SET SESSION binlog_transaction_compression = ON',
            `INSERT INTO t VALUES ${Array.from({ length: 50 }, (_, i) => `(${i}, 'xxxxxxxxxxxxxxxxxxxx')`)}`,
            'SET SESSION binlog_transaction_compression = OFF',
            "SET SESSION gtid_next = 'AUTOMATIC:blue'",
            'DELETE FROM t WHERE id = 7',
            "SET SESSION gtid_next = 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:5'",
            'BEGIN',
            'COMMIT',
            "SET SESSION gtid_next = 'AUTOMATIC'",
            'DELETE FROM t WHERE id = 8',
          ),
        );
        expect(story(items)).toHaveLength(50 + 1 + 1);
        const gtids = items.map((item) => (item.kind === 'interrupted' ? null : item.gtid));
        expect(gtids).toContainEqual(expect.objectContaining({ tag: 'blue', number: 1n }));
        expect(gtids).toContainEqual(expect.objectContaining({ number: 5n }));
        for (const item of items) if (item.kind !== 'interrupted') expect(item.commitIsExact).toBe(true);
      });

      it('the generated primary key, invisible and generated columns', async () => {
        const items = await readOf(
          run(
            'SET SESSION sql_generate_invisible_primary_key = ON',
            'CREATE TABLE g (a INT, hidden INT INVISIBLE, s INT AS (a + 1) STORED, v INT AS (a + 2) VIRTUAL, INDEX ((a * 2)))',
            'INSERT INTO g (a, hidden) VALUES (1, 2)',
          ),
        );
        const [rows] = items.flatMap((item) => (item.kind === 'rows' ? item.rows : []));
        expect(rows?.shape.columns.map((column) => column.name).slice(0, 3)).toEqual([
          'my_row_id',
          'a',
          'hidden',
        ]);
        expect(rows?.shape).toMatchObject({ key: [0], hasPrimaryKey: true });
      });
    }
  });
