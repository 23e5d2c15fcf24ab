/**
 * Rows are decoded with the columns that their table had when they were written, also when the backlog is older than the table is today: by
 * the log's own names, or by the definition at the place where reading begins and the statements since. Where neither is
 * sure they are not guessed.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TableDefinition } from '../../../model/source-item.ts';
import type { Database } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { engineOn, inSchema, positionNow, readUntilMarker, rowsOf, writeMarker } from './engine-fixture.ts';

const CREATE = `CREATE TABLE %.t (
  id INT UNSIGNED PRIMARY KEY, a INT, b INT, c VARCHAR(20) CHARACTER SET latin1, e ENUM('x', 'y'), n DECIMAL(8,2) NOT NULL
) CHARACTER SET utf8mb4`;

/** A statement, then a row written after it, with the columns in order: `name=value`. */
const STEPS: readonly (readonly [ddl: string | null, insert: string, row: string])[] = [
  [null, "(4000000000, 1, 2, 'e', 'y', 1.5)", 'id=4000000000 a=1 b=2 c=e e=2 n=1.50'],
  // Same types in the same places: nothing but the names changes.
  [
    'ALTER TABLE %.t RENAME COLUMN a TO b, RENAME COLUMN b TO a',
    "(2, 3, 4, 'c', 'x', 2)",
    'id=2 b=3 a=4 c=c e=1 n=2.00',
  ],
  ['ALTER TABLE %.t MODIFY a INT FIRST', "(5, 3, 6, 'c', 'x', 3)", 'a=5 id=3 b=6 c=c e=1 n=3.00'],
  [
    'ALTER TABLE %.t ADD COLUMN d BIGINT UNSIGNED AFTER id, ADD KEY k (b), COMMENT = "more, and"',
    "(7, 4, 18446744073709551615, 8, 'c', 'y', 4)",
    'a=7 id=4 d=18446744073709551615 b=8 c=c e=2 n=4.00',
  ],
  [
    "ALTER TABLE %.t DROP COLUMN b, CHANGE COLUMN e f ENUM('z', 'x', 'y') NOT NULL DEFAULT 'z'",
    "(7, 5, 9, 'c', 'z', 5)",
    'a=7 id=5 d=9 c=c f=1 n=5.00',
  ],
  [
    'ALTER TABLE %.t MODIFY COLUMN n DECIMAL(12,4), ADD COLUMN g VARCHAR(10), ADD COLUMN h VARBINARY(4) DEFAULT NULL',
    "(7, 6, 9, 'c', 'z', 6, 'ü', x'ff')",
    'a=7 id=6 d=9 c=c f=1 n=6.0000 g=ü h=0xff',
  ],
  [
    'RENAME TABLE %.t TO %.old, %.old TO %.t',
    "(7, 7, 9, 'c', 'z', 7, 'g', NULL)",
    'a=7 id=7 d=9 c=c f=1 n=7.0000 g=g h=NULL',
  ],
  [
    'CREATE INDEX i ON %.t (c)',
    "(7, 8, 9, 'c', 'z', 8, 'g', NULL)",
    'a=7 id=8 d=9 c=c f=1 n=8.0000 g=g h=NULL',
  ],
  [
    'ALTER TABLE %.t DROP PRIMARY KEY, ADD PRIMARY KEY (id, a)',
    "(7, 9, 9, 'c', 'z', 9, 'g', NULL)",
    'a=7 id=9 d=9 c=c f=1 n=9.0000 g=g h=NULL',
  ],
];

for (const flavour of ['mariadb', 'mysql'] as const)
  for (const metadata of flavour === 'mariadb'
    ? (['NO_LOG', 'MINIMAL', 'FULL'] as const)
    : (['MINIMAL', 'FULL'] as const))
    describeWithOwn(
      [flavour],
      `a backlog older than the table (${flavour}, binlog_row_metadata=${metadata})`,
      () => {
        let server: DatabaseServer;
        let db: Database;
        beforeAll(async () => {
          server = await startDatabase(flavour, { settings: { binlog_row_metadata: metadata } });
          db = server.db;
        });
        afterAll(() => server?.dispose());

        const engine = () =>
          engineOn(db, {
            lingerMs: 0,
          });
        const at = async () => {
          await using host = await engine();
          return await positionNow(host.engine);
        };
        /** Each row of `t`, its columns by name; `?` in front where nobody can say what they are. */
        const rowsFrom = async (
          schema: string,
          start: Awaited<ReturnType<typeof at>>,
          definitions: readonly TableDefinition[],
        ) => {
          await using host = await engine();
          const reader = await host.engine.openReader({
            name: 'p',
            start,
            wants: inSchema(schema),
            definitions,
          });
          const items = await readUntilMarker(reader, 1);
          const news = items.flatMap((item) => (item.kind === 'interrupted' ? [] : (item.definitions ?? [])));
          const rows = items
            .flatMap((item) => (item.kind === 'rows' ? item.rows : []))
            .filter(({ shape }) => shape.table === 't')
            .flatMap((one) =>
              rowsOf(one).map(({ after }) => {
                if (one.shape.fault !== undefined) return `? ${one.shape.fault.code}`;
                return one.shape.columns
                  .map(({ name, collation }, i) => {
                    const value = after?.[i] ?? 'NULL';
                    return `${name}=${collation === 63 && name === 'h' && value !== 'NULL' ? '0xff' : value}`;
                  })
                  .join(' ');
              }),
            );
          return { rows, news };
        };
        const run = (schema: string, sql: string) => db.query(sql.replaceAll('%', `\`${schema}\``));

        it('is decoded through every ALTER, from the definition at its beginning', async () => {
          const schema = await db.freshSchema('history');
          await run(schema, CREATE);
          const start = await at();
          let definitions: readonly TableDefinition[];
          {
            await using host = await engine();
            const reader = await host.engine.openReader({ name: 'p', start, wants: inSchema(schema) });
            definitions = (await reader.definitionsAtStart?.()) ?? [];
          }
          expect(definitions.map(({ table }) => table)).toEqual(['t']);
          for (const [ddl, insert] of STEPS) {
            if (ddl !== null) await run(schema, ddl);
            await run(schema, `INSERT INTO %.t VALUES ${insert}`);
          }
          await writeMarker(db, schema, 1);
          const { rows, news } = await rowsFrom(schema, start, definitions);
          expect(rows).toEqual(STEPS.map(([, , row]) => row));
          // What came of it is what the server says now, as far as decoding needs it.
          const last = news.findLast(({ table }) => table === 't')?.definition ?? '';
          const names = (text: string) =>
            (JSON.parse(text) as { columns: { name: string }[] }).columns.map(({ name }) => name);
          expect(names(last)).toEqual(['a', 'id', 'd', 'c', 'f', 'n', 'g', 'h']);
        });

        it('is decoded from where the table was made in it', async () => {
          const schema = await db.freshSchema('made');
          const start = await at();
          await run(schema, CREATE);
          for (const [ddl, insert] of STEPS) {
            if (ddl !== null) await run(schema, ddl);
            await run(schema, `INSERT INTO %.t VALUES ${insert}`);
          }
          await writeMarker(db, schema, 1);
          const { rows } = await rowsFrom(schema, start, []);
          expect(rows).toEqual(STEPS.map(([, , row]) => row));
        });

        it('is not guessed where nothing is known of its beginning', async () => {
          const schema = await db.freshSchema('unknown');
          await run(schema, CREATE);
          const start = await at();
          await run(schema, "INSERT INTO %.t VALUES (1, 1, 2, 'c', 'y', 1)");
          await run(schema, 'ALTER TABLE %.t RENAME COLUMN a TO b, RENAME COLUMN b TO a');
          await run(schema, "INSERT INTO %.t VALUES (2, 3, 4, 'c', 'x', 2)");
          await run(schema, "UPDATE %.t SET c = 'd' WHERE id = 2");
          await writeMarker(db, schema, 1);
          const { rows } = await rowsFrom(schema, start, []);
          // What is written after the last change of the table is what the table is now.
          const known = ['id=2 b=3 a=4 c=c e=1 n=2.00', 'id=2 b=3 a=4 c=d e=1 n=2.00'];
          expect(rows).toEqual(
            metadata === 'FULL'
              ? ['id=1 a=1 b=2 c=c e=2 n=1.00', ...known]
              : ['? HOLT_SCHEMA_MISMATCH', ...known],
          );
        });

        it('is not guessed where another table has taken its name', async () => {
          const schema = await db.freshSchema('swapped');
          await run(schema, CREATE);
          await run(schema, CREATE.replace('%.t', '%.u').replace('a INT, b INT', 'b INT, a INT'));
          // Until the tables are older than the log by more than the seconds in which their times are kept.
          const until = Date.now() + 2_500;
          while (Date.now() < until) await new Promise((done) => setTimeout(done, 100));
          const start = await at();
          await run(schema, "INSERT INTO %.t VALUES (1, 1, 2, 'c', 'y', 1)");
          await run(schema, 'RENAME TABLE %.t TO %.v, %.u TO %.t');
          await run(schema, "INSERT INTO %.t VALUES (2, 3, 4, 'c', 'x', 2)");
          await writeMarker(db, schema, 1);
          const { rows } = await rowsFrom(schema, start, []);
          expect(rows).toEqual([
            metadata === 'FULL' ? 'id=1 a=1 b=2 c=c e=2 n=1.00' : '? HOLT_SCHEMA_MISMATCH',
            'id=2 b=3 a=4 c=c e=1 n=2.00',
          ]);
        });

        it('is what the tables are now where nothing has changed them', async () => {
          const schema = await db.freshSchema('same');
          await run(schema, CREATE);
          await run(schema, CREATE.replace('%.t', '%.u'));
          const start = await at();
          await run(schema, "INSERT INTO %.t VALUES (1, 1, 2, 'c', 'y', 1)");
          await run(schema, 'ALTER TABLE %.u ADD COLUMN t INT');
          await run(schema, 'TRUNCATE TABLE %.t');
          await run(schema, "INSERT INTO %.t VALUES (2, 3, 4, 'c', 'x', 2)");
          await writeMarker(db, schema, 1);
          const { rows } = await rowsFrom(schema, start, []);
          expect(rows).toEqual(['id=1 a=1 b=2 c=c e=2 n=1.00', 'id=2 a=3 b=4 c=c e=1 n=2.00']);
        });
      },
    );
