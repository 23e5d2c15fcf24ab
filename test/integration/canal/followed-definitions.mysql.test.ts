/**
 * Definitions that are followed through ALTERs are those that the server gives, as far as rows are decoded and targets judged by them; or
 * they say that they are not known.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SchemaReader } from '../../../canal/schema/schema-reader.ts';
import type { TableFacts } from '../../../canal/schema/table-facts.ts';
import { defined } from '../../../lib/assert.ts';
import type { SourceStatement } from '../../../model/source-item.ts';
import { tableChanges } from '../../../stages/select/table-changes.ts';
import { columnCasesOn } from '../../cases/column-types/column-type-cases.ts';
import type { DatabaseFlavour } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];
const UTF8MB4 = 45;
const UNKNOWN = -1;

interface Column {
  readonly declared: string;
  readonly collation: number;
}

/** Columns whose labels, lengths and digits stand in the way of reading them out of a statement. */
const AWKWARD: readonly string[] = [
  String.raw`ENUM('a\\b', 'c\'d', "e'f", 'g"h', 'i''j', 'k\nl', 'm\%n', 'o\_p', 'q\tr', 's\rt', 'u\Zv', 'w\xy')`,
  "SET('x', ' y', 'ü日本') CHARACTER SET utf8mb4",
  "ENUM('trailing  ', 'no')",
  "ENUM('trailing  ', 'no') CHARACTER SET latin1",
  "ENUM(0x6162, 'c')",
  "ENUM(x'6162', 'c')",
  'FLOAT(7,3)',
  'FLOAT(7,3) UNSIGNED',
  'FLOAT(30)',
  'FLOAT(10)',
  'DOUBLE PRECISION(12, 4)',
  'REAL(12,4) ZEROFILL',
  'DEC(5)',
  'INTEGER(5) ZEROFILL',
  'BOOL',
  'NATIONAL VARCHAR(5)',
  'LONG VARCHAR',
  "ENUM('😀')",
];

for (const flavour of FLAVOURS)
  describeDatabase([flavour], 'definitions followed through ALTERs', (context) => {
    let reader: SchemaReader;
    let end: () => Promise<void>;
    let run: (sql: string) => Promise<void>;
    beforeAll(async () => {
      const connection = await context.db.connect({ schema: context.schema });
      await connection.query("SET SESSION sql_mode = ''");
      run = async (sql) => void (await connection.query(sql));
      end = () => connection.end();
      reader = new SchemaReader({
        query: async (sql) => {
          const [rows] = await connection.query({ sql, rowsAsArray: true });
          return (rows as unknown[][]).map((row) => row.map((one) => (one === null ? null : String(one))));
        },
      });
    });
    afterAll(() => end?.());

    /** What is followed, and what the server says, of the column; the first null where it is not known. */
    async function both(ddl: string): Promise<[followed: Column | null, said: Column]> {
      const { schema } = context;
      await run('DROP TABLE IF EXISTS t');
      await run('CREATE TABLE t (id INT PRIMARY KEY) CHARACTER SET utf8mb4');
      const before = defined((await reader.read(schema, 't')) ?? undefined, 'the table');
      const sql = `ALTER TABLE t ADD COLUMN c ${ddl}`;
      await run(sql);
      const said = columnOf(defined((await reader.read(schema, 't')) ?? undefined, 'the table'));
      const [major = 0, minor = 0] = String(await context.db.value('SELECT VERSION()'))
        .split('.')
        .map(Number);
      const statement: SourceStatement = {
        schema,
        sql: Buffer.from(sql),
        threadId: 1,
        nature: 'ddl',
        sqlMode: 0n,
        charset: UTF8MB4,
      };
      const changes = tableChanges(statement, {
        flavour: flavour === 'mariadb' ? 'mariadb' : 'mysql',
        version: major * 10_000 + minor * 100,
      });
      const [change] = changes ?? [];
      const followed = change?.kind === 'alter' ? change.alter(before) : null;
      const column = followed === null ? null : columnOf(followed);
      if (column?.collation !== UNKNOWN) return [column, said];
      // A character set may make other types of it: then the log's type does not fit, or is told apart by its collation.
      const declared = said.declared.replace(/^binary/, 'char');
      return [
        { ...column, collation: said.collation },
        { ...said, declared },
      ];
    }

    /** False where it is not known. */
    async function same(ddl: string): Promise<boolean> {
      const [followed, said] = await both(ddl);
      expect({ ddl, column: followed ?? said }).toEqual({ ddl, column: said });
      return followed !== null;
    }

    it('have nearly every type, as the server says it', async () => {
      const declarations = new Set(columnCasesOn(flavour).map(({ ddl }) => ddl));
      let known = 0;
      for (const ddl of declarations) if (await same(ddl)) known += 1;
      expect(known / declarations.size).toBeGreaterThan(0.9);
    });

    it.each(AWKWARD)('%s', async (ddl) => void (await same(ddl)));
  });

/** As far as it matters: display widths say nothing of values, and a collation may be unknown. */
function columnOf(facts: TableFacts): Column {
  const { declared, collation } = defined(
    facts.columns.find(({ name }) => name === 'c'),
    'the column',
  );
  return {
    declared: declared
      .replace(/^((?:tiny|small|medium|big)?int|year)\(\d+\)/, '$1')
      .replace(' zerofill', '')
      .replace('geometrycollection', 'geomcollection'),
    collation,
  };
}
