import { afterAll, beforeAll, expect, it } from 'vitest';
import { charsetOf } from '../../../canal/value/charset.ts';
import type { SourceItem } from '../../../model/source-item.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { columnSamples } from '../../support/column-samples.ts';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { engineOn, inSchema, positionNow, readUntilMarker, writeMarker } from './engine-fixture.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];

/** Names that the server gives, for a log that does not have them. */
for (const flavour of FLAVOURS)
  describeWithOwn([flavour], `shapes by lookup on ${flavour}`, () => {
    let server: DatabaseServer;
    let db: Database;
    beforeAll(async () => {
      server = await startDatabase(flavour);
      db = server.db;
    });
    afterAll(async () => {
      await server?.dispose();
    });

    /** The shapes of the tables into which `work` writes; a table that does not fit fails the reading. */
    async function shapesOf(work: (schema: string) => Promise<void>): Promise<Map<string, TableShape>> {
      const schema = await db.freshSchema('shape');
      await using host = await engineOn(db);
      const start = await positionNow(host.engine);
      await work(schema);
      await writeMarker(db, schema, 1);
      const reader = await host.engine.openReader({ name: 'p', start, wants: inSchema(schema) });
      const shapes = new Map<string, TableShape>();
      await readUntilMarker(reader, 1, (item: SourceItem) => {
        if (item.kind === 'rows') for (const rows of item.rows) shapes.set(rows.shape.table, rows.shape);
      });
      return shapes;
    }

    it('fit for every type that the server has', async () => {
      const samples = columnSamples({ flavour, rows: 1 }).filter(({ on }) => on.includes(flavour));
      expect(samples.length).toBeGreaterThan(20);
      const shapes = await shapesOf(async (schema) => {
        for (const [index, { ddl, values }] of samples.entries()) {
          const table = `\`${schema}\`.t${index}`;
          await db.query(
            `SET SESSION sql_mode = ''; CREATE TABLE ${table} (id INT PRIMARY KEY, v ${ddl}); INSERT INTO ${table} VALUES (1, ${values[0] ?? 'NULL'})`,
          );
        }
      });
      for (const [index, { name }] of samples.entries())
        expect([name, shapes.get(`t${index}`)?.columns.map((column) => column.name)]).toEqual([
          name,
          ['id', 'v'],
        ]);
    });

    it('have the key, names in any spelling, and character sets', async () => {
      const shapes = await shapesOf(async (schema) => {
        await db.query(
          `CREATE TABLE \`${schema}\`.\`we'ird \\\\ "näme\` (\`a b\` INT, \`c'd\` VARCHAR(10) CHARACTER SET latin1 COLLATE latin1_german2_ci NOT NULL, PRIMARY KEY (\`c'd\`, \`a b\`));
           INSERT INTO \`${schema}\`.\`we'ird \\\\ "näme\` VALUES (1, 'x');
           CREATE TABLE \`${schema}\`.u (a INT, b INT NOT NULL, c INT NOT NULL, UNIQUE (a), UNIQUE two (c, b));
           INSERT INTO \`${schema}\`.u VALUES (1, 2, 3)`,
        );
      });
      const odd = shapes.get(`we'ird \\\\ "näme`);
      expect(odd?.columns.map((column) => column.name)).toEqual(['a b', "c'd"]);
      expect(odd).toMatchObject({ key: [1, 0], hasPrimaryKey: true });
      expect(charsetOf(odd?.columns[1]?.collation ?? 0)).toBe('latin1');
      expect(shapes.get('u')).toMatchObject({ key: [2, 1], hasPrimaryKey: false });
    });

    if (flavour !== 'mysql56')
      it('count generated columns', async () => {
        const shapes = await shapesOf(async (schema) => {
          await db.query(
            `CREATE TABLE \`${schema}\`.g (id INT PRIMARY KEY, s INT AS (id + 1) STORED, v INT AS (id + 2) VIRTUAL, last INT);
             INSERT INTO \`${schema}\`.g (id, last) VALUES (1, 2)`,
          );
        });
        expect(shapes.get('g')?.columns.map((column) => column.name)).toEqual(['id', 's', 'v', 'last']);
      });

    if (flavour === 'mariadb')
      it('take what MariaDB adds: versions, hashes of long keys, compression, invisible columns, sequences', async () => {
        const shapes = await shapesOf(async (schema) => {
          for (const sql of [
            `CREATE TABLE \`${schema}\`.versioned (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING`,
            `INSERT INTO \`${schema}\`.versioned VALUES (1, 2)`,
            `UPDATE \`${schema}\`.versioned SET v = 3`,
            `CREATE TABLE \`${schema}\`.hashed (id INT, long_text TEXT UNIQUE)`,
            `INSERT INTO \`${schema}\`.hashed VALUES (1, REPEAT('x', 5000))`,
            `CREATE TABLE \`${schema}\`.packed (id INT PRIMARY KEY, t TEXT COMPRESSED, v VARCHAR(500) COMPRESSED)`,
            `INSERT INTO \`${schema}\`.packed VALUES (1, REPEAT('x', 5000), REPEAT('y', 400))`,
            `CREATE TABLE \`${schema}\`.hiding (id INT PRIMARY KEY, h INT INVISIBLE DEFAULT 4)`,
            `INSERT INTO \`${schema}\`.hiding (id) VALUES (1)`,
            `CREATE SEQUENCE \`${schema}\`.numbers`,
            `SELECT NEXTVAL(\`${schema}\`.numbers)`,
          ])
            await db.query(sql);
        });
        const names = (table: string) => shapes.get(table)?.columns.map((column) => column.name);
        const hidden = (table: string) =>
          shapes.get(table)?.columns.flatMap((column) => (column.hidden === true ? [column.name] : []));
        expect(names('versioned')).toEqual(['id', 'v', 'row_start', 'row_end']);
        expect(hidden('versioned')).toEqual(['row_start', 'row_end']);
        expect(names('hashed')).toEqual(['id', 'long_text', 'DB_ROW_HASH_1']);
        expect(hidden('hashed')).toEqual(['DB_ROW_HASH_1']);
        expect(names('packed')).toEqual(['id', 't', 'v']);
        expect(names('hiding')).toEqual(['id', 'h']);
      });
  });
