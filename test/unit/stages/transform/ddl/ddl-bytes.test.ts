/** What stands in the bytes of a statement beside its names: character sets, quotes, comments, sessions. */
import fc from 'fast-check';
import iconv from 'iconv-lite';
import { describe, expect, it } from 'vitest';
import type { TableRuleConfig } from '../../../../../model/config.ts';
import type { SqlServer } from '../../../../../model/ddl-kind.ts';
import type { SourceStatement } from '../../../../../model/source-item.ts';
import { TableFilter } from '../../../../../stages/select/table-filter.ts';
import type { MappedDdl } from '../../../../../stages/transform/ddl/ddl.ts';
import { mapDdl } from '../../../../../stages/transform/ddl/map-ddl.ts';
import { readDdl } from '../../../../../stages/transform/ddl/read-ddl.ts';
import { TableMapping } from '../../../../../stages/transform/table-mapping.ts';
import { RENAMED } from '../../../../cases/ddl/ddl-case.ts';

const MYSQL: SqlServer = { flavour: 'mysql', version: 80_036 };
const MARIADB: SqlServer = { flavour: 'mariadb', version: 101_106 };
const ANSI_QUOTES = 0x4n;
const NO_BACKSLASH_ESCAPES = 0x10_0000n;
const COLLATION = { latin1: 8, utf8mb4: 45, gbk: 28, sjis: 13, big5: 1, cp850: 4, ascii: 11 } as const;

interface Facts extends Partial<SourceStatement> {
  readonly rules?: readonly TableRuleConfig[];
  readonly source?: SqlServer | null;
  readonly target?: SqlServer | null;
  readonly caseSensitive?: boolean;
  readonly include?: readonly string[];
}

function map(sql: string | Buffer, facts: Facts = {}): MappedDdl | { readonly unreadable: string } {
  const { rules = RENAMED, source = MYSQL, target = source, caseSensitive = true, include, ...rest } = facts;
  const statement: SourceStatement = {
    schema: 'shop',
    sql: Buffer.from(sql),
    threadId: 1,
    nature: 'ddl',
    sqlMode: 0n,
    charset: COLLATION.utf8mb4,
    ...rest,
  };
  const read = readDdl(statement, source);
  if (!read.readable) return { unreadable: read.why };
  if (read.kind === 'none') return { kind: 'nothing', why: read.what };
  const tables = new TableFilter({ include: include ?? ['shop.*'], exclude: [] }, { caseSensitive });
  return mapDdl(read, { tables, mapping: new TableMapping(rules), caseSensitive, source, target });
}

function sqlOf(mapped: ReturnType<typeof map>): Buffer {
  if (!('kind' in mapped) || mapped.kind !== 'sql') throw new Error(JSON.stringify(mapped));
  return mapped.sql;
}

const rule = (table: string, columns: Partial<TableRuleConfig['columns']> = {}): TableRuleConfig => ({
  match: 'shop.t',
  to: { schema: null, table },
  columns: { rename: {}, drop: [], order: null, constant: {}, ...columns },
  where: null,
  processor: null,
});

describe('character sets', () => {
  it.each([
    // The second byte of 誠 in gbk is a backslash, of 繽 a backtick; in sjis of 表 a backslash, of 畔 an apostrophe's neighbour.
    ['gbk', '誠繽'],
    ['sjis', '表ソ'],
    ['big5', '功許'],
  ] as const)('%s: bytes of a character that look like quotes are none', (charset, text) => {
    const sql = (name: string) =>
      iconv.encode(`ALTER TABLE ${name} ADD e INT COMMENT '${text}', ADD \`${text}\` INT`, charset);
    const mapped = sqlOf(map(sql('t'), { charset: COLLATION[charset] }));
    expect(mapped).toEqual(sql('`goods`'));
  });

  it('bytes that are no character stand for themselves in a text, and hide no name', () => {
    const sql = (name: string) =>
      Buffer.concat([
        Buffer.from(`ALTER TABLE ${name} ADD e INT COMMENT '`),
        Buffer.from([0xff, 0xc3]),
        Buffer.from("'"),
      ]);
    expect(sqlOf(map(sql('t')))).toEqual(sql('`goods`'));
    const name = Buffer.concat([Buffer.from('ALTER TABLE '), Buffer.from([0xff]), Buffer.from(' ADD e INT')]);
    expect(map(name)).toEqual({ unreadable: 'a name is not in the character set of the session' });
  });

  it('names are written in the encoding of the statement, or refused', () => {
    const rules = [rule('Güter')];
    expect(sqlOf(map('DROP TABLE t', { rules, charset: COLLATION.latin1 })).toString('latin1')).toBe(
      'DROP TABLE `Güter`',
    );
    expect(sqlOf(map('DROP TABLE t', { rules })).toString()).toBe('DROP TABLE `Güter`');
    expect(map('DROP TABLE t', { rules, charset: COLLATION.gbk })).toMatchObject({
      code: 'HOLT_DDL_UNMAPPABLE',
    });
  });

  it('a name beyond ASCII is found in its encoding', () => {
    const sql = Buffer.from('ALTER TABLE bücher ADD e INT', 'latin1');
    expect(
      sqlOf(
        map(sql, { charset: COLLATION.latin1, rules: [{ ...rule('b'), match: 'shop.bücher' }] }),
      ).toString(),
    ).toBe('ALTER TABLE `b` ADD e INT');
  });
});

describe('sessions', () => {
  it('double quotes are names under ANSI_QUOTES and texts else', () => {
    expect(sqlOf(map('ALTER TABLE "t" ADD "e" INT', { sqlMode: ANSI_QUOTES })).toString()).toBe(
      'ALTER TABLE `goods` ADD "e" INT',
    );
    expect(map('ALTER TABLE "t" ADD "e" INT')).toHaveProperty('unreadable');
    expect(sqlOf(map('ALTER TABLE t ADD e INT COMMENT "t"', { sqlMode: 0n })).toString()).toBe(
      'ALTER TABLE `goods` ADD e INT COMMENT "t"',
    );
  });

  it('a backslash ends no text under NO_BACKSLASH_ESCAPES', () => {
    const sql = "ALTER TABLE t COMMENT 'a\\', RENAME TO u -- '";
    expect(sqlOf(map(sql)).toString()).toBe("ALTER TABLE `goods` COMMENT 'a\\', RENAME TO u -- '");
    expect(map(sql, { sqlMode: NO_BACKSLASH_ESCAPES })).toMatchObject({
      tables: [{ use: 'changed' }, { use: 'renamed-to', source: { table: 'u' } }],
    });
    // Where nobody knows the session, a statement that reads in two ways is not guessed at.
    expect(map(sql, { sqlMode: null })).toHaveProperty('unreadable');
    expect(map("ALTER TABLE t ADD e INT COMMENT 'a\\\\b'", { sqlMode: null })).toHaveProperty('kind', 'sql');
  });

  it('names are compared as the source compares them', () => {
    expect(map('DROP TABLE T', { include: ['shop.t'] })).toMatchObject({ kind: 'nothing' });
    const folded = map('DROP TABLE Shop.T', { include: ['shop.t'], caseSensitive: false });
    expect(sqlOf(folded).toString()).toBe('DROP TABLE `store`.`goods`');
  });

  it('a parent without schema is in the schema of its child', () => {
    const sql = 'ALTER TABLE shop.child ADD FOREIGN KEY (p) REFERENCES parent (id)';
    expect(sqlOf(map(sql, { schema: 'crm' })).toString()).toBe(
      'ALTER TABLE `arch``ive`.`kid` ADD FOREIGN KEY (p) REFERENCES `store`.`parent` (id)',
    );
  });
});

describe('comments that only some servers execute', () => {
  const sql = 'ALTER TABLE t ADD e INT /*!80023 INVISIBLE */';

  it('are refused where the target would read them otherwise than the source', () => {
    expect(map(sql, { source: MYSQL, target: MYSQL })).toMatchObject({ kind: 'sql' });
    expect(map(sql, { source: MYSQL, target: MARIADB })).toMatchObject({ code: 'HOLT_DDL_TARGET_LACKS' });
    expect(map(sql, { source: { flavour: 'mysql', version: 50_651 }, target: MYSQL })).toMatchObject({
      code: 'HOLT_DDL_TARGET_LACKS',
      why: expect.stringContaining('would execute'),
    });
    expect(
      map('ALTER TABLE t ADD e INT /*M! COMPRESSED */', { source: MARIADB, target: MYSQL }),
    ).toMatchObject({
      code: 'HOLT_DDL_TARGET_LACKS',
    });
    expect(
      map('ALTER TABLE t ADD e INT /*!50600 COMMENT "x" */', { source: MARIADB, target: MYSQL }),
    ).toMatchObject({
      kind: 'sql',
    });
  });

  it('hide nothing that the source executed', () => {
    expect(sqlOf(map('DROP TABLE u /*!80000 , t */')).toString()).toBe('DROP TABLE u /*!80000 , `goods` */');
    expect(sqlOf(map('DROP TABLE u /*!80000 , t */', { source: MARIADB })).toString()).toBe(
      'DROP TABLE u /*!80000 , t */',
    );
    expect(map('DROP TABLE u /*!80000 , t */', { source: null })).toHaveProperty('unreadable');
  });

  it('are not cut in two', () => {
    const rules = [rule('t', { drop: ['d'] })];
    expect(
      sqlOf(map('ALTER TABLE t ADD c INT, ADD d INT /*!50600 COMMENT "x" */', { rules })).toString(),
    ).toBe('ALTER TABLE t ADD c INT');
    expect(map('ALTER TABLE t ADD c INT /*!50600 , ADD d INT , */ ADD f INT', { rules })).toMatchObject({
      code: 'HOLT_DDL_UNMAPPABLE',
    });
    expect(map('ALTER TABLE t ADD d /*!50600 INT, ADD e */ INT', { rules })).toMatchObject({
      code: 'HOLT_DDL_UNMAPPABLE',
    });
  });

  it('may hold comments where they are passed over', () => {
    expect(sqlOf(map('ALTER TABLE /*!99999 /* inner */ u */ t ADD e INT')).toString()).toBe(
      'ALTER TABLE /*!99999 /* inner */ u */ `goods` ADD e INT',
    );
  });
});

describe('from one kind of server to the other', () => {
  it.each([
    ['ALTER TABLE t ADD e VARCHAR(5) COLLATE utf8mb4_0900_ai_ci', MYSQL, MARIADB, '0900'],
    ['ALTER TABLE t ADD KEY ((a + 1))', MYSQL, MARIADB, 'functional key part'],
    ['ALTER TABLE t ALTER INDEX k INVISIBLE', MYSQL, MARIADB, 'invisible index'],
    ['CREATE TABLE n (a INT) WITH SYSTEM VERSIONING', MARIADB, MYSQL, 'system versioning'],
    ['CREATE SEQUENCE s', MARIADB, MYSQL, 'a sequence'],
    ['CREATE TABLE n (a UUID)', MARIADB, MYSQL, 'UUID'],
    ['CREATE TABLE n (a INT, CHECK (a > 0))', MYSQL, { flavour: 'mysql', version: 50_651 } as const, 'CHECK'],
  ])('%s is refused', (sql, source, target, why) => {
    expect(map(sql, { source, target })).toMatchObject({
      code: 'HOLT_DDL_TARGET_LACKS',
      why: expect.stringContaining(why),
    });
  });
});

describe('what the grammar does not understand and the library does', () => {
  const sql = 'ALTER TABLE t ALTER COLUMN c SET DATA TYPE BIGINT';

  it('goes to a target of the same kind, and to no other', () => {
    expect(sqlOf(map(sql)).toString()).toBe('ALTER TABLE `goods` ALTER COLUMN c SET DATA TYPE BIGINT');
    expect(map(sql, { target: MARIADB })).toMatchObject({ code: 'HOLT_DDL_TARGET_LACKS' });
  });

  it('is refused where a rule would have to know its columns', () => {
    expect(map(sql, { rules: [rule('t', { rename: { c: 'd' } })] })).toMatchObject({
      code: 'HOLT_DDL_UNMAPPABLE',
    });
  });
});

describe('a long statement', () => {
  it('is read whole, or refused', () => {
    const list = Array.from({ length: 5000 }, (_, i) => `\`u${i}\``);
    const mapped = map(`DROP TABLE ${list.join(',')}, t`);
    expect(sqlOf(mapped).toString()).toBe(`DROP TABLE ${list.join(',')}, \`goods\``);
    const text = 'x'.repeat(900_000);
    expect(sqlOf(map(`ALTER TABLE t COMMENT '${text}'`)).toString()).toBe(
      `ALTER TABLE \`goods\` COMMENT '${text}'`,
    );
    expect(map(`ALTER TABLE t COMMENT '${text}${text}'`)).toHaveProperty('unreadable');
    const deep = `${'('.repeat(5000)}a${')'.repeat(5000)}`;
    expect(map(`ALTER TABLE t ADD CHECK ${deep}`)).toMatchObject({ kind: 'sql' });
  });
});

describe('a mapped statement', () => {
  const names = fc.constantFrom('t', '`t`', 'shop.t', '`shop` . `t`', '`shop`.t');
  const noise = fc.constantFrom(' ', '\n', '\t', ' /* t */ ', ' # t\n', ' -- t\n', ' /*!50600 */ ');
  const specs = fc.constantFrom(
    "ADD e INT COMMENT 't, shop.t'",
    'DROP KEY t',
    'ADD KEY t (a)',
    "MODIFY b VARCHAR(9) DEFAULT '`t`'",
    'RENAME COLUMN c TO t',
    'ADD CONSTRAINT t CHECK (a > 0)',
    'COMMENT = "t"',
    'ADD t INT',
  );

  it('is the original but for the names that are mapped', () => {
    fc.assert(
      fc.property(
        names,
        noise,
        noise,
        fc.array(specs, { minLength: 1, maxLength: 4 }),
        (name, a, b, list) => {
          const text = (table: string) => `ALTER${a}TABLE${b}${table}${a}${list.join(`${b},${a}`)}${b}`;
          const expected = name.includes('.')
            ? text(name.replace(/`?shop`?/, '`store`').replace(/(\. ?)`?t`?$/, '$1`goods`'))
            : text('`goods`');
          expect(sqlOf(map(text(name))).toString()).toBe(expected);
          expect(sqlOf(map(text(name), { rules: [] })).toString()).toBe(text(name));
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('CHARACTER SET utf8mb4 without COLLATE', () => {
  const OLD: SqlServer = { flavour: 'mysql', version: 50_651 };
  const general = { session: { defaultCollationForUtf8mb4: 45 } };
  const alone = [
    'CREATE TABLE t (a VARCHAR(9) CHARACTER SET utf8mb4)',
    'CREATE TABLE t (a INT) DEFAULT CHARSET=utf8mb4',
    'CREATE TABLE t (a VARCHAR(9) CHARSET utf8mb4, b VARCHAR(9) COLLATE utf8mb4_bin) CHARSET latin1',
    'ALTER TABLE t ADD b TEXT CHARACTER SET utf8mb4, ADD c TEXT COLLATE utf8mb4_bin',
    'ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4',
    'ALTER TABLE t DEFAULT CHARACTER SET = utf8mb4',
    'CREATE DATABASE shop CHARACTER SET utf8mb4',
  ];
  const collated = [
    'CREATE TABLE t (a VARCHAR(9) CHARACTER SET utf8mb4 NOT NULL COLLATE utf8mb4_bin) CHARSET=utf8mb4 COLLATE=utf8mb4_bin',
    'CREATE TABLE t (a INT) COLLATE=utf8mb4_bin, CHARSET=utf8mb4',
    'ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    'CREATE TABLE t (a VARCHAR(9) CHARACTER SET latin1)',
  ];

  it.each(alone)('is refused for a target at which it means another collation: %s', (sql) => {
    expect(map(sql, { source: MYSQL, target: MARIADB, rules: [] })).toMatchObject({
      code: 'HOLT_DDL_TARGET_LACKS',
      why: expect.stringContaining('utf8mb4_0900_ai_ci at the source, and utf8mb4_general_ci at the target'),
    });
    // What it means there is what it means here, or the session can say so.
    for (const pair of [
      { source: MYSQL, target: MARIADB, ...general },
      { source: MYSQL, target: MYSQL },
      { source: MARIADB, target: MYSQL },
      { source: OLD, target: MYSQL },
      { source: OLD, target: MARIADB },
      { source: MARIADB, target: OLD },
    ])
      expect(map(sql, { ...pair, rules: [] })).toMatchObject({ kind: 'sql' });
    expect(
      map(sql, { source: { flavour: 'mariadb', version: 110_800 }, target: MYSQL, rules: [] }),
    ).toHaveProperty('code', 'HOLT_DDL_TARGET_LACKS');
  });

  it.each(collated)('is no matter where a collation is named: %s', (sql) => {
    expect(map(sql, { source: MYSQL, target: MARIADB, rules: [] })).toMatchObject({ kind: 'sql' });
  });
});
