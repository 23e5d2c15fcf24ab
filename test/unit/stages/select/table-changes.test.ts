import { describe, expect, it } from 'vitest';
import type { TableFacts } from '../../../../canal/schema/table-facts.ts';
import { tableChanges } from '../../../../stages/select/table-changes.ts';
import { statementOf } from './item-script.ts';

const MYSQL = { flavour: 'mysql', version: 90_701 } as const;
const column = (name: string, declared: string, nullable: boolean | null = true, collation = 0) => ({
  name,
  declared,
  nullable,
  octetLength: null,
  collation,
});
const FACTS: TableFacts = {
  columns: [
    column('id', 'int', false),
    column('a', 'int'),
    column('b', 'varchar(10)', true, 45),
    column('c', 'blob', true, 63),
  ],
  primaryKey: ['id'],
  uniqueKeys: [{ name: 'u', columns: ['a', 'b'], partial: false }],
  type: 'BASE TABLE',
  collation: 255,
};

/** Columns after a statement, `name declared[!]` with ! for NOT NULL; null where they are not known. */
function after(sql: string, facts: TableFacts = FACTS): string[] | null {
  const changes = tableChanges(statementOf(sql), MYSQL);
  if (changes === null) return null;
  let now: TableFacts | null = facts;
  for (const change of changes) {
    if (change.kind === 'alter') now = now === null ? null : change.alter(now);
    else if (change.kind === 'unknown') return null;
  }
  return now?.columns.map((one) => `${one.name} ${one.declared}${one.nullable === false ? '!' : ''}`) ?? null;
}
const SAME = ['id int!', 'a int', 'b varchar(10)', 'c blob'];

describe('tableChanges()', () => {
  it.each<[string, string[] | null]>([
    ['ALTER TABLE t ADD COLUMN d BIGINT UNSIGNED NOT NULL DEFAULT 5', [...SAME, 'd bigint unsigned!']],
    ['ALTER TABLE t ADD d INT FIRST, ADD e INT AFTER d', ['d int', 'e int', ...SAME]],
    ['alter table t add (d int, e decimal(5,1) default (1 + (2)))', [...SAME, 'd int', 'e decimal(5,1)']],
    ['ALTER TABLE t ADD d INT GENERATED ALWAYS AS (a + 1) STORED, ADD KEY k (d)', [...SAME, 'd int']],
    [
      "ALTER TABLE t ADD d ENUM('x', 'y''z') COMMENT 'a, b' AFTER id",
      ['id int!', "d enum('x','y''z')", ...SAME.slice(1)],
    ],
    // As INFORMATION_SCHEMA writes them: targets are judged by it.
    [
      String.raw`ALTER TABLE t ADD d SET('a\\b', 'c\'d', "e'f", 'g\nh', 'i\tj', 'k\%l', 'm\xn')`,
      [...SAME, `d set('a\\\\b','c''d','e''f','g\\nh','i\tj','k\\\\%l','mxn')`],
    ],
    [
      'ALTER TABLE t ADD d FLOAT(7,3), ADD e DOUBLE(9, 2) UNSIGNED',
      [...SAME, 'd float(7,3)', 'e double(9,2) unsigned'],
    ],
    ['ALTER TABLE t ADD d FLOAT(7), ADD e FLOAT(25)', [...SAME, 'd float', 'e double']],
    // Spaces at the end go or stay by the character set; other forms are not read.
    ["ALTER TABLE t ADD d ENUM('a ')", null],
    ["ALTER TABLE t ADD d ENUM(0x61, 'b')", null],
    ['ALTER TABLE t DROP a, DROP COLUMN c', ['id int!', 'b varchar(10)']],
    ['ALTER TABLE t MODIFY a BIGINT NOT NULL', ['id int!', 'a bigint!', 'b varchar(10)', 'c blob']],
    ['ALTER TABLE t MODIFY COLUMN c BLOB FIRST', ['c blob', 'id int!', 'a int', 'b varchar(10)']],
    ['ALTER TABLE t CHANGE a z SMALLINT AFTER b', ['id int!', 'b varchar(10)', 'z smallint', 'c blob']],
    [
      'ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a',
      ['id int!', 'b int', 'a varchar(10)', 'c blob'],
    ],
    ['ALTER TABLE t CHANGE a b INT, CHANGE b a VARCHAR(10)', ['id int!', 'b int', 'a varchar(10)', 'c blob']],
    ['ALTER TABLE t MODIFY id INT', SAME],
    ['ALTER TABLE `s`.`t` ADD INDEX (a), DROP INDEX u, ALTER COLUMN a SET DEFAULT 3, ENGINE = InnoDB', SAME],
    [
      'ALTER TABLE t COMMENT = "ADD COLUMN x INT, RENAME TO y", ROW_FORMAT=DYNAMIC, ALGORITHM = INPLACE, LOCK NONE',
      SAME,
    ],
    [
      'ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE, ADD CHECK (a > 0)',
      SAME,
    ],
    ['ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4', SAME],
    ['ALTER TABLE t ADD PRIMARY KEY (id, a)', ['id int!', 'a int!', 'b varchar(10)', 'c blob']],
    ['TRUNCATE TABLE t', SAME],
    ['CREATE INDEX i ON t (a)', SAME],
    ['CREATE UNIQUE INDEX i ON t (a)', SAME],
    ['GRANT SELECT ON t TO u', SAME],
    ['CREATE VIEW v AS SELECT * FROM t', SAME],
    ['ALTER TABLE t DROP a, ADD a BIGINT', ['id int!', 'b varchar(10)', 'c blob', 'a bigint']],
    // Which column is meant is not decided.
    ['ALTER TABLE t RENAME COLUMN a TO z, ADD a INT', null],
    ['ALTER TABLE t ADD d INT AFTER nowhere', null],
    ['ALTER TABLE t RENAME COLUMN nowhere TO z', null],
    ['ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4', null],
    ['ALTER TABLE t ADD d SOMETHING(3)', null],
    ['ALTER TABLE t FROBNICATE', null],
  ])('%s', (sql, expected) => {
    expect(after(sql)).toEqual(expected);
  });

  it('gives new text the collation of its table, and none where it has a character set of its own', () => {
    const [change] =
      tableChanges(statementOf('ALTER TABLE t ADD d TEXT, ADD e CHAR(3) CHARACTER SET latin1'), MYSQL) ?? [];
    const facts = change?.kind === 'alter' ? change.alter(FACTS) : null;
    expect(facts?.columns.slice(-2).map(({ collation }) => collation)).toEqual([255, -1]);
  });

  const made = (sql: string, server: Parameters<typeof tableChanges>[1] = MYSQL): TableFacts | null => {
    const [change] = tableChanges(statementOf(sql), server) ?? [];
    return change?.kind === 'create' ? change.facts : null;
  };

  it('reads what a table is made of', () => {
    const facts = made(
      `CREATE TABLE t (
         CONSTRAINT p PRIMARY KEY (id, a),
         id INT UNSIGNED AUTO_INCREMENT COMMENT 'x, y)',
         a VARCHAR(10) CHARACTER SET latin1 NOT NULL UNIQUE,
         b TEXT COLLATE utf8mb4_bin, c CHAR(3), d ENUM('x', 'y'), e JSON, f BLOB DEFAULT (CONCAT('(', 'x')),
         UNIQUE KEY u (c, a(3)), KEY k (b(10)), FULLTEXT (b), CHECK (a > 0), FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE
       ) ENGINE=InnoDB AUTO_INCREMENT 5 DEFAULT CHARSET=gbk COMMENT='AS SELECT' PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (5))`,
    );
    expect(facts?.columns).toMatchObject([
      { name: 'id', declared: 'int unsigned', nullable: false },
      { name: 'a', declared: 'varchar(10)', nullable: false, collation: -1, charset: 'latin1' },
      { name: 'b', declared: 'text', nullable: null, collation: -1, charset: 'utf8mb4' },
      { name: 'c', declared: 'char(3)', collation: -1, charset: 'gbk' },
      { name: 'd', declared: "enum('x','y')" },
      { name: 'e', declared: 'json', collation: 0 },
      { name: 'f', declared: 'blob', collation: 63 },
    ]);
    expect(facts?.primaryKey).toEqual(['id', 'a']);
    expect(facts?.uniqueKeys).toEqual([
      { name: 'a', columns: ['a'], partial: false },
      { name: 'u', columns: ['c', 'a'], partial: true },
    ]);
    expect(facts?.charset).toBe('gbk');
  });

  it.each([
    'CREATE TABLE t (a INT) AS SELECT 1 AS b',
    'CREATE TABLE t (a INT) SELECT 1 AS b',
    'CREATE TABLE t AS SELECT 1 AS b',
    'CREATE TABLE t (a INT) VALUES ROW(1)',
    'CREATE TABLE t (a INT) START TRANSACTION',
    'CREATE TABLE t (a INT) WITH SYSTEM VERSIONING',
    'CREATE TABLE t (a INT, PERIOD FOR SYSTEM_TIME (x, y))',
    'CREATE TABLE t (a INT REFERENCES p (id))',
    'CREATE TABLE t (a SOMETHING)',
    "CREATE TABLE t (a ENUM('x '))",
  ])('does not guess what %s makes', (sql) => {
    expect(made(sql)).toBeNull();
    expect(tableChanges(statementOf(sql), MYSQL)).toEqual([
      { kind: 'unknown', name: { schema: 'shop', table: 't' } },
    ]);
  });

  it('does not take the former character set for that of columns after another one', () => {
    const altered = (sql: string) => {
      const [change] = tableChanges(statementOf(sql), MYSQL) ?? [];
      return change?.kind === 'alter' ? change.alter(FACTS) : null;
    };
    expect(altered('ALTER TABLE t DEFAULT CHARACTER SET latin1')).toMatchObject({ charset: 'latin1' });
    expect(altered('ALTER TABLE t COLLATE = utf8mb4_bin')?.collation).toBeUndefined();
    expect(altered('ALTER TABLE t ADD d TEXT, DEFAULT CHARSET latin1')).toBeNull();
  });

  it('follows keys', () => {
    const [change] =
      tableChanges(
        statementOf(
          'ALTER TABLE t DROP PRIMARY KEY, DROP COLUMN b, ADD UNIQUE KEY w (c(5)), RENAME COLUMN a TO z',
        ),
        MYSQL,
      ) ?? [];
    const facts = change?.kind === 'alter' ? change.alter(FACTS) : null;
    expect(facts?.primaryKey).toEqual([]);
    expect(facts?.uniqueKeys).toEqual([
      { name: 'u', columns: ['z'], partial: false },
      { name: 'w', columns: ['c'], partial: true },
    ]);
  });

  it.each<[string, readonly object[] | null]>([
    [
      'RENAME TABLE t TO old, s.n TO `t`',
      [
        { kind: 'rename', name: { schema: 'shop', table: 't' }, to: { schema: 'shop', table: 'old' } },
        { kind: 'rename', name: { schema: 's', table: 'n' }, to: { schema: 'shop', table: 't' } },
      ],
    ],
    ['ALTER TABLE t RENAME TO s.u', [{ kind: 'rename', to: { schema: 's', table: 'u' } }]],
    [
      'ALTER TABLE t ADD d INT, RENAME u',
      [{ kind: 'alter' }, { kind: 'rename', to: { schema: 'shop', table: 'u' } }],
    ],
    ['DROP TABLE IF EXISTS t, s.u', [{ kind: 'drop' }, { kind: 'drop', name: { schema: 's', table: 'u' } }]],
    ['DROP DATABASE s', [{ kind: 'drop-schema', schema: 's' }]],
    ['CREATE TABLE t LIKE s.u', [{ kind: 'create-like', like: { schema: 's', table: 'u' } }]],
    ['CREATE TABLE IF NOT EXISTS t (LIKE u)', [{ kind: 'create-like' }]],
    ['CREATE TABLE t (id INT PRIMARY KEY)', [{ kind: 'create', name: { schema: 'shop', table: 't' } }]],
    ['CREATE OR REPLACE TABLE s.t (id INT)', [{ kind: 'create', name: { schema: 's', table: 't' } }]],
    // It may be there already, as another one.
    ['CREATE TABLE IF NOT EXISTS t (id INT)', [{ kind: 'unknown', name: { schema: 'shop', table: 't' } }]],
    ['DROP TEMPORARY TABLE t', []],
  ])('%s', (sql, expected) => {
    const changes = tableChanges(statementOf(sql), MYSQL);
    expect(changes).toHaveLength(expected?.length ?? 0);
    expect(changes).toMatchObject(expected ?? []);
  });
});
