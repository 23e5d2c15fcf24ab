/**
 * Definitions that are followed through CREATE and ALTER are those that the server gives, as far as rows are decoded and targets judged by them; or
 * they say that they are not known.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SchemaReader } from '../../../canal/schema/schema-reader.ts';
import type { TableFacts } from '../../../canal/schema/table-facts.ts';
import { charsetOf } from '../../../canal/value/charset.ts';
import { defined } from '../../../lib/assert.ts';
import type { SourceStatement } from '../../../model/source-item.ts';
import { tableChanges } from '../../../stages/select/table-changes.ts';
import { columnCasesOn } from '../../cases/column-types/column-type-cases.ts';
import type { DatabaseFlavour } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];
const UTF8MB4 = 45;
const UNKNOWN = -1;

const HOWS = ['ALTER', 'CREATE'] as const;
type How = (typeof HOWS)[number];

const BARE = 'CREATE TABLE t (id INT PRIMARY KEY';
const OPTIONS = ' CHARACTER SET utf8mb4';

interface Column {
  readonly declared: string;
  /** Null where it is not known, or does not apply. */
  readonly charset: string | null;
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
  describeDatabase([flavour], 'definitions followed through CREATE and ALTER', (context) => {
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

    /** What a statement makes of the table, by the server and by following it; the latter null where it is not known. */
    async function madeBy(sql: string, how: How): Promise<{ said: TableFacts; followed: TableFacts | null }> {
      const { schema } = context;
      const now = async () => defined((await reader.read(schema, 't')) ?? undefined, 'the table');
      await run('DROP TABLE IF EXISTS t');
      if (how === 'ALTER') await run(`${BARE})${OPTIONS}`);
      const before = how === 'ALTER' ? await now() : null;
      await run(sql);
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
      let followed: TableFacts | null = null;
      if (change?.kind === 'alter' && before !== null) followed = change.alter(before);
      if (change?.kind === 'create') followed = change.facts;
      return { said: await now(), followed };
    }

    /** How many of the columns are known; the others are asked about. */
    async function known(ddls: readonly string[], how: How): Promise<number> {
      const columns = ddls.map((ddl, i) => `c${i} ${ddl}`);
      const sql =
        how === 'ALTER'
          ? `ALTER TABLE t ${columns.map((one) => `ADD COLUMN ${one}`).join(', ')}`
          : `${[BARE, ...columns].join(', ')})${OPTIONS}`;
      const made = await madeBy(sql, how).catch((error: unknown) => {
        // All of them may be too wide for one row.
        if (ddls.length === 1) throw error;
        return null;
      });
      if (made === null || (made.followed === null && ddls.length > 1)) {
        let sum = 0;
        for (const ddl of ddls) sum += await known([ddl], how);
        return sum;
      }
      const { said, followed } = made;
      if (followed === null) return 0;
      for (const [i, ddl] of ddls.entries()) {
        const [theirs, ours] = [columnOf(said, `c${i}`), columnOf(followed, `c${i}`)];
        // A character set may make other types of it: they are told by the collation.
        const declared = ours.declared.startsWith('char')
          ? theirs.declared.replace(/^binary/, 'char')
          : theirs.declared;
        const charset = ours.charset === null ? null : theirs.charset;
        expect({ ddl, how, ...ours }).toEqual({ ddl, how, declared, charset });
      }
      return ddls.length;
    }

    it('have nearly every type, as the server says it', async () => {
      const ddls = [...new Set(columnCasesOn(flavour).map(({ ddl }) => ddl))];
      for (const how of HOWS) {
        let count = 0;
        for (let at = 0; at < ddls.length; at += 12) count += await known(ddls.slice(at, at + 12), how);
        expect(count / ddls.length).toBeGreaterThan(0.9);
      }
    }, 120_000);

    it.each(AWKWARD)(
      '%s',
      async (ddl) => {
        expect(await known([ddl], 'CREATE')).toBe(await known([ddl], 'ALTER'));
      },
      60_000,
    );
  });

/** As far as it matters: display widths say nothing of values, and a collation may be unknown. */
function columnOf(facts: TableFacts, name: string): Column {
  const {
    declared,
    collation,
    charset = null,
  } = defined(
    facts.columns.find((one) => one.name === name),
    'the column',
  );
  return {
    declared: declared
      .replace(/^((?:tiny|small|medium|big)?int|year)\(\d+\)/, '$1')
      .replace(' zerofill', '')
      .replace('geometrycollection', 'geomcollection'),
    charset: collation === UNKNOWN ? charset : charsetOf(collation),
  };
}
