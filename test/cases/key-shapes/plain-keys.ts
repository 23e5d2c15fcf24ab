/** Keys by what they are made of: composite, numbers, bytes, times; prefix and functional indexes; none at all. */
import {
  type CellValue,
  type ColumnDef,
  column,
  EQUAL,
  expression,
  insert,
  int,
  type KeyCase,
  type KeyShape,
  nullable,
  nullableInt,
  remove,
  sql,
  type TableDef,
  update,
} from './key-case.ts';

/** Values of a key: the first ones are there at the start, the others come. All differ to the server. */
interface Values {
  readonly name: string;
  readonly shape: KeyShape;
  readonly title: string;
  readonly type: string;
  readonly extra?: string;
  readonly values: readonly [CellValue, CellValue, CellValue, CellValue, ...CellValue[]];
  readonly rest?: Partial<KeyCase>;
}

/** All digits of the four bytes: only that is equal to a FLOAT. */
function float(value: number): CellValue {
  const text = String(Math.fround(value));
  return expression(text.includes('e') ? text : `${text}e0`);
}

/** The life of rows under one key column: inserted, changed, renamed, exchanged, deleted, and back again. */
function lifeOf({ name, shape, title, type, extra, values, rest }: Values): KeyCase {
  const [a, b, c, free, ...others] = values;
  const table: TableDef = {
    name: 't',
    columns: [column('k', type, extra), nullableInt('v')],
    primary: ['k'],
  };
  return {
    name,
    shape,
    title,
    tables: [table],
    start: [insert('t', { k: a, v: 1 }, { k: b, v: 2 }, { k: c, v: 3 })],
    transactions: [
      [update('t', { k: a }, { v: 10 }), update('t', { k: b }, { v: 20 })],
      ...others.map((k, i) => [insert('t', { k, v: i })]),
      [
        update('t', { k: a }, { k: free }),
        update('t', { k: b }, { k: a }),
        update('t', { k: free }, { k: b }),
      ],
      [remove('t', { k: c })],
      [insert('t', { k: c, v: 4 }), update('t', { k: c }, { v: 5 })],
      [remove('t', { k: a }), insert('t', { k: free, v: 6 })],
      ...others.map((k, i) => [update('t', { k }, { v: 100 + i })]),
      [insert('t', { k: a, v: 7 }), remove('t', { k: a })],
      ...others.slice(0, 1).map((k) => [remove('t', { k })]),
    ],
    expected: EQUAL,
    ...rest,
  };
}

const KEYS_OF_EVERY_KIND: readonly KeyCase[] = [
  lifeOf({
    name: 'int',
    shape: 'primary key',
    title: 'one INT column',
    type: 'INT',
    values: [-1, 0, 1, 2147483647, -2147483648],
  }),
  lifeOf({
    name: 'bigint-unsigned',
    shape: 'primary key',
    title: 'BIGINT UNSIGNED beyond 2^63',
    type: 'BIGINT UNSIGNED',
    values: [
      expression('18446744073709551615'),
      expression('9223372036854775808'),
      expression('9007199254740993'),
      0,
      expression('9007199254740992'),
    ],
  }),
  lifeOf({
    name: 'decimal',
    shape: 'number key',
    title: 'DECIMAL of 38 digits',
    type: 'DECIMAL(38,10)',
    values: [
      expression('1234567890123456789012345678.0000000001'),
      expression('-0.0000000001'),
      0,
      expression('1234567890123456789012345678.0000000002'),
      expression('0.1'),
    ],
  }),
  lifeOf({
    name: 'float',
    shape: 'number key',
    title: 'FLOAT: found by the exact value of its four bytes',
    type: 'FLOAT',
    values: [float(0.1), float(-1.5e30), 0, float(16777216), float(3.4028234e38)],
  }),
  lifeOf({
    name: 'double',
    shape: 'number key',
    title: 'DOUBLE with values that differ in the last bit',
    type: 'DOUBLE',
    values: [
      expression('0.1e0'),
      expression('0.30000000000000004e0'),
      expression('0.3e0'),
      expression('1.7976931348623157e308'),
      expression('5e-324'),
    ],
  }),
  {
    name: 'negative-zero',
    shape: 'number key',
    title: '0.0 and −0.0 are one key and two runs of bytes',
    tables: [{ name: 't', columns: [column('k', 'DOUBLE'), nullableInt('v')], primary: ['k'] }],
    start: [insert('t', { k: expression('0e0'), v: 1 }, { k: 1, v: 1 })],
    transactions: [
      [update('t', { k: 0 }, { v: 2 })],
      [remove('t', { k: 0 }), insert('t', { k: expression('-0e0'), v: 3 })],
      [update('t', { k: 0 }, { v: 4 }), update('t', { k: 1 }, { v: 4 })],
      [remove('t', { k: 0 }), insert('t', { k: expression('0e0'), v: 5 })],
      [remove('t', { k: 0 }), insert('t', { k: expression('-0e0'), v: 6 }), remove('t', { k: 0 })],
      [insert('t', { k: expression('0e0'), v: 7 })],
    ],
    mayBeCareful: true,
    expected: EQUAL,
  },
  lifeOf({
    name: 'bit',
    shape: 'number key',
    title: 'BIT(64)',
    type: 'BIT(64)',
    values: [
      expression("b'0'"),
      expression('9223372036854775808'),
      expression('18446744073709551615'),
      expression("b'1'"),
      expression("b'1010'"),
    ],
  }),
  lifeOf({
    name: 'enum',
    shape: 'string key',
    title: 'ENUM, by its number',
    type: "ENUM('b','a','C','d','it''s')",
    values: ['b', 'a', 'C', 'd', "it's"],
  }),
  lifeOf({
    name: 'set',
    shape: 'string key',
    title: 'SET, by its bits',
    type: "SET('x','y','z')",
    values: ['x', 'x,z', '', 'y', 'x,y,z'],
  }),
  lifeOf({
    name: 'year',
    shape: 'time key',
    title: 'YEAR with 0000',
    type: 'YEAR',
    values: [expression('0'), 1970, 2155, 2000, 1901],
  }),
  lifeOf({
    name: 'date',
    shape: 'time key',
    title: 'DATE with zero and partial dates',
    type: 'DATE',
    values: ['0000-00-00', '2024-02-00', '9999-12-31', '2024-02-29', '1000-01-01'],
    rest: { session: ["SET SESSION sql_mode = 'ALLOW_INVALID_DATES'"] },
  }),
  lifeOf({
    name: 'datetime',
    shape: 'time key',
    title: 'DATETIME(6)',
    type: 'DATETIME(6)',
    values: [
      '2024-02-29 23:59:59.999999',
      '2024-02-29 23:59:59.999998',
      '1000-01-01 00:00:00',
      '2024-03-01 00:00:00',
      '9999-12-31 23:59:59.000001',
    ],
  }),
  lifeOf({
    name: 'timestamp',
    shape: 'time key',
    title: 'TIMESTAMP(3) in an hour that clocks go through twice',
    type: 'TIMESTAMP(3)',
    // Without one, MySQL 5.6 lets the first TIMESTAMP of a table change by itself.
    extra: "DEFAULT '2000-01-01 00:00:00'",
    values: [
      '2024-10-27 00:30:00.001',
      '2024-10-27 01:30:00.001',
      '1970-01-01 00:00:01.000',
      '2024-10-27 02:30:00.001',
      '2037-12-31 23:59:59.999',
    ],
    rest: { session: ["SET SESSION time_zone = '+00:00', sql_mode = ''"] },
  }),
  lifeOf({
    name: 'time',
    shape: 'time key',
    title: 'TIME(6), negative too',
    type: 'TIME(6)',
    values: ['-838:59:59.000000', '00:00:00.000001', '-00:00:00.000001', '838:59:59', '12:00:00'],
  }),
  lifeOf({
    name: 'varbinary',
    shape: 'binary key',
    title: 'VARBINARY: trailing zeros and spaces count',
    type: 'VARBINARY(16)',
    values: [
      expression("x'61'"),
      expression("x'6100'"),
      expression("x'6120'"),
      expression("x'275c00ff'"),
      expression("x''"),
      expression("x'41'"),
    ],
  }),
  lifeOf({
    name: 'binary',
    shape: 'binary key',
    title: 'BINARY(8), padded with zeros',
    type: 'BINARY(8)',
    values: [
      expression("x'0000000000000000'"),
      expression("x'2020202020202020'"),
      expression("x'6100000000000000'"),
      expression("x'275c00ff00000020'"),
      expression("x'ffffffffffffffff'"),
    ],
  }),
  lifeOf({
    name: 'uuid',
    shape: 'binary key',
    title: 'UUID',
    type: 'UUID',
    values: [
      '00000000-0000-0000-0000-000000000000',
      '123e4567-e89b-12d3-a456-426655440000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '00112233-4455-6677-8899-aabbccddeeff',
      '123e4567-e89b-12d3-a456-426655440001',
    ],
    rest: { sources: ['mariadb'], targets: ['mariadb'] },
  }),
  lifeOf({
    name: 'inet6',
    shape: 'binary key',
    title: 'INET6',
    type: 'INET6',
    values: ['::', '2001:db8::ff00:42:8329', '::ffff:1.2.3.4', 'fe80::1', '::1'],
    rest: { sources: ['mariadb'], targets: ['mariadb'] },
  }),
  {
    name: 'generated-invisible',
    shape: 'primary key',
    title: 'the invisible primary key that MySQL generates',
    tables: [],
    setup: [
      'SET SESSION sql_generate_invisible_primary_key = ON',
      'CREATE TABLE t (a INT, v INT) ENGINE=InnoDB',
    ],
    start: [sql('INSERT INTO t (a, v) VALUES (1, 1), (1, 1), (2, 2)')],
    transactions: [
      [sql('UPDATE t SET v = v + 1 WHERE a = 1')],
      [sql('INSERT INTO t (a, v) VALUES (1, 2)')],
      [sql('DELETE FROM t WHERE a = 1 LIMIT 1')],
      [sql('UPDATE t SET a = 3 WHERE v = 2 ORDER BY my_row_id DESC LIMIT 1')],
    ],
    sources: ['mysql'],
    targets: ['mysql'],
    expected: EQUAL,
  },
];

const composite = (columns: readonly ColumnDef[], primary: readonly string[]): TableDef => ({
  name: 't',
  columns: [...columns, nullableInt('v')],
  primary,
});

const COMPOSITE: readonly KeyCase[] = [
  {
    name: 'composite',
    shape: 'composite key',
    title: 'columns of several types, in another order than the table’s',
    tables: [
      composite(
        [
          int('a'),
          column('b', 'VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci'),
          column('c', 'DATE'),
        ],
        ['c', 'b', 'a'],
      ),
    ],
    start: [
      insert(
        't',
        { a: 1, b: 'x', c: '2024-01-01', v: 1 },
        { a: 1, b: 'y', c: '2024-01-01', v: 2 },
        { a: 2, b: 'x', c: '2024-01-02', v: 3 },
      ),
    ],
    transactions: [
      [update('t', { a: 1, b: 'x' }, { v: 10 }), update('t', { a: 2 }, { v: 30 })],
      [update('t', { a: 1, b: 'x' }, { b: 'X' }), update('t', { a: 1, b: 'X' }, { v: 11 })],
      [update('t', { a: 1, b: 'y' }, { a: 9 }), insert('t', { a: 1, b: 'y', c: '2024-01-01', v: 4 })],
      [remove('t', { a: 9 }), remove('t', { a: 1, b: 'x' })],
      [insert('t', { a: 1, b: 'x', c: '2024-01-01', v: 5 })],
      [update('t', { a: 2 }, { a: 3 }), update('t', { a: 3 }, { c: '2024-01-03' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'composite-ambiguous',
    shape: 'composite key',
    title: 'parts whose bytes run together the same way are different keys',
    tables: [composite([column('a', 'VARBINARY(10)'), column('b', 'VARBINARY(10)')], ['a', 'b'])],
    start: [insert('t', { a: 'x', b: 'yz', v: 1 }, { a: 'xy', b: 'z', v: 2 })],
    transactions: [
      [update('t', { a: 'x' }, { v: 10 })],
      [remove('t', { a: 'xy' }), insert('t', { a: 'xyz', b: '', v: 3 })],
      [insert('t', { a: '', b: 'xyz', v: 4 }), update('t', { a: 'xyz' }, { v: 5 })],
      [remove('t', { a: '' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'all-key',
    shape: 'composite key',
    title: 'a table that is all key',
    tables: [{ name: 't', columns: [int('a'), int('b')], primary: ['a', 'b'] }],
    start: [insert('t', { a: 1, b: 1 }, { a: 1, b: 2 }, { a: 2, b: 1 })],
    transactions: [
      [sql('UPDATE t SET b = b + 1 WHERE a = 1 ORDER BY b DESC')],
      [sql('UPDATE t SET b = b - 1 WHERE a = 1 ORDER BY b')],
      [remove('t', { a: 2 }), insert('t', { a: 2, b: 1 }, { a: 3, b: 3 })],
      [remove('t', { a: 3 }), update('t', { a: 2 }, { a: 3, b: 3 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'long-key',
    shape: 'composite key',
    title: 'sixteen columns',
    tables: [
      composite(
        Array.from({ length: 16 }, (_, i) => column(`k${i}`, 'SMALLINT')),
        Array.from({ length: 16 }, (_, i) => `k${15 - i}`),
      ),
    ],
    start: [insert('t', wide(0, 1), wide(1, 1))],
    transactions: [
      [update('t', { k3: 1 }, { v: 2 })],
      [update('t', { k3: 0 }, { k15: 7 }), insert('t', wide(0, 3))],
      [remove('t', { k3: 1 }), remove('t', { k15: 7 })],
    ],
    expected: EQUAL,
  },
];

function wide(k: number, v: number): Record<string, number> {
  return { ...Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, k])), v };
}

const INDEXES: readonly KeyCase[] = [
  {
    name: 'prefix-unique',
    shape: 'prefix index',
    title: 'unique by the first three characters: values move between rows',
    tables: [
      {
        name: 't',
        columns: [int('id'), nullable('b', 'VARCHAR(20) CHARACTER SET utf8mb4'), nullableInt('v')],
        primary: ['id'],
        unique: [{ name: 'b', parts: ['b(3)'] }],
      },
    ],
    start: [insert('t', { id: 1, b: 'abc-1', v: 0 }, { id: 2, b: 'xyz-1', v: 0 }, { id: 3, b: null, v: 0 })],
    transactions: [
      [update('t', { id: 2 }, { v: 1 }), update('t', { id: 1 }, { b: 'new-1' })],
      [update('t', { id: 2 }, { b: 'abc-2' })],
      [update('t', { id: 1 }, { b: 'xyz-2' }), update('t', { id: 3 }, { b: 'äöü-1' })],
      [remove('t', { id: 3 }), insert('t', { id: 4, b: 'äöü-2', v: 0 })],
      [update('t', { id: 1 }, { b: 'xyz-3' }), update('t', { id: 4 }, { b: null })],
    ],
    expected: EQUAL,
  },
  {
    name: 'prefix-primary',
    shape: 'prefix index',
    title: 'a primary key of a prefix: rows are found by the whole column',
    tables: [
      {
        name: 't',
        columns: [column('b', 'VARCHAR(40) CHARACTER SET utf8mb4'), nullableInt('v')],
        primary: ['b(3)'],
      },
    ],
    start: [insert('t', { b: 'abc-1', v: 1 }, { b: 'xyz-1', v: 2 })],
    transactions: [
      [update('t', { b: 'abc-1' }, { v: 10 })],
      [update('t', { b: 'abc-1' }, { b: 'abd-1' }), insert('t', { b: 'abc-9', v: 3 })],
      [remove('t', { b: 'xyz-1' }), insert('t', { b: 'xyz-2', v: 4 })],
      [update('t', { b: 'xyz-2' }, { b: 'xyz-3', v: 5 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'prefix-blob-primary',
    shape: 'prefix index',
    title: 'a primary key of a prefix of a BLOB',
    tables: [{ name: 't', columns: [column('b', 'BLOB'), nullableInt('v')], primary: ['b(4)'] }],
    start: [insert('t', { b: expression("x'00010203ff'"), v: 1 }, { b: expression("x'0001020400'"), v: 2 })],
    transactions: [
      [sql("UPDATE t SET v = 10 WHERE b = x'00010203ff'")],
      [sql("UPDATE t SET b = x'00010205' WHERE v = 2"), insert('t', { b: expression("x'00010204'"), v: 3 })],
      [sql("DELETE FROM t WHERE b = x'00010203ff'")],
    ],
    expected: EQUAL,
  },
  {
    name: 'functional-unique',
    shape: 'functional index',
    title: 'unique by an expression: values move between rows',
    tables: [
      {
        name: 't',
        columns: [int('id'), nullable('b', 'VARCHAR(20) CHARACTER SET utf8mb4'), nullableInt('v')],
        primary: ['id'],
        unique: [{ name: 'f', parts: ['(LOWER(`b`))'] }],
      },
    ],
    start: [insert('t', { id: 1, b: 'One', v: 0 }, { id: 2, b: 'Two', v: 0 })],
    transactions: [
      [update('t', { id: 2 }, { v: 1 }), update('t', { id: 1 }, { b: 'Three' })],
      [update('t', { id: 2 }, { b: 'ONE' })],
      [update('t', { id: 1 }, { b: 'two' })],
      [remove('t', { id: 1 }), insert('t', { id: 3, b: 'TWO', v: 1 })],
    ],
    sources: ['mysql'],
    targets: ['mysql'],
    expected: EQUAL,
  },
  {
    name: 'generated-unique',
    shape: 'functional index',
    title: 'unique by a generated column: values move between rows',
    tables: [],
    setup: [
      'CREATE TABLE t (id INT PRIMARY KEY, b INT, g INT AS (b % 100) VIRTUAL, s INT AS (b % 1000) STORED, UNIQUE KEY g (g), UNIQUE KEY s (s)) ENGINE=InnoDB',
    ],
    start: [insert('t', { id: 1, b: 1 }, { id: 2, b: 2 })],
    transactions: [
      [update('t', { id: 2 }, { b: 202 }), update('t', { id: 1 }, { b: 3 })],
      [update('t', { id: 2 }, { b: 101 })],
      [update('t', { id: 1 }, { b: 302 })],
      [remove('t', { id: 1 }), insert('t', { id: 3, b: 402 })],
    ],
    sources: ['mariadb', 'mysql'],
    targets: ['mariadb', 'mysql'],
    expected: EQUAL,
  },
  {
    name: 'long-unique',
    shape: 'prefix index',
    title: 'MariaDB’s unique keys over whole BLOBs, which are hashes',
    tables: [],
    setup: [
      'CREATE TABLE t (id INT PRIMARY KEY, b TEXT CHARACTER SET utf8mb4, v INT, UNIQUE KEY b (b)) ENGINE=InnoDB',
    ],
    start: [insert('t', { id: 1, b: 'one', v: 0 }, { id: 2, b: 'two', v: 0 })],
    transactions: [
      [update('t', { id: 2 }, { v: 1 }), update('t', { id: 1 }, { b: 'three' })],
      [update('t', { id: 2 }, { b: 'ONE' })],
      [update('t', { id: 1 }, { b: 'two' })],
    ],
    sources: ['mariadb'],
    targets: ['mariadb'],
    expected: EQUAL,
  },
];

const keyless: TableDef = {
  name: 't',
  columns: [nullableInt('a'), nullable('b', 'VARCHAR(10) CHARACTER SET utf8mb4'), nullable('f', 'FLOAT')],
  primary: [],
};

const WITHOUT_KEY: readonly KeyCase[] = [
  {
    name: 'keyless',
    shape: 'no key',
    title: 'rows that all differ',
    tables: [keyless],
    start: [insert('t', { a: 1, b: 'x', f: 0.1 }, { a: 2, b: 'X', f: null }, { a: 3, b: null, f: -0.5 })],
    transactions: [
      [update('t', { a: 1 }, { b: 'x ' }), update('t', { a: 2 }, { a: 5 })],
      [update('t', { a: 5 }, { a: 2 }), insert('t', { a: 4, b: '', f: 0 })],
      [remove('t', { a: 3 }), remove('t', { a: 1 })],
      [insert('t', { a: 1, b: 'x', f: 0.1 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'keyless-duplicates',
    shape: 'no key',
    title: 'rows that are the same in every column',
    tables: [keyless],
    start: [
      insert(
        't',
        { a: 1, b: 'x', f: 1 },
        { a: 1, b: 'x', f: 1 },
        { a: 1, b: 'x', f: 1 },
        { a: 1, b: 'X', f: 1 },
      ),
      insert('t', { a: null, b: null, f: null }, { a: null, b: null, f: null }),
    ],
    transactions: [
      [sql('DELETE FROM t WHERE a = 1 LIMIT 1'), sql('DELETE FROM t WHERE a IS NULL LIMIT 1')],
      [sql("UPDATE t SET f = 2 WHERE b = 'x' LIMIT 2")],
      [insert('t', { a: 1, b: 'x', f: 2 }), insert('t', { a: null, b: null, f: null })],
      [sql('UPDATE t SET a = 1, b = NULL WHERE a IS NULL')],
      [sql('DELETE FROM t WHERE f = 2 LIMIT 1')],
    ],
    expected: EQUAL,
  },
  {
    name: 'keyless-at-source',
    shape: 'no key',
    title: 'no key at the source, a primary key at the target',
    tables: [keyless],
    targetTables: [{ ...keyless, columns: [int('a'), ...keyless.columns.slice(1)], primary: ['a'] }],
    start: [insert('t', { a: 1, b: 'x', f: 1 }, { a: 2, b: 'y', f: 2 })],
    transactions: [
      [update('t', { a: 1 }, { b: 'z' }), insert('t', { a: 3, b: null, f: null })],
      [update('t', { a: 2 }, { a: 4 }), remove('t', { a: 1 })],
      [insert('t', { a: 1, b: 'again', f: 1 }), update('t', { a: 3 }, { f: 3 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'keyless-at-target',
    shape: 'no key',
    title: 'a primary key at the source, none at the target',
    tables: [{ ...keyless, columns: [int('a'), ...keyless.columns.slice(1)], primary: ['a'] }],
    targetTables: [keyless],
    start: [insert('t', { a: 1, b: 'x', f: 1 }, { a: 2, b: 'y', f: 2 })],
    transactions: [
      [update('t', { a: 1 }, { b: 'z' }), insert('t', { a: 3, b: null, f: null })],
      [update('t', { a: 2 }, { a: 4 }), remove('t', { a: 1 })],
      [insert('t', { a: 1, b: 'again', f: 1 }), update('t', { a: 3 }, { f: 3 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'nullable-unique-only',
    shape: 'nullable unique key',
    title: 'the only key may be NULL: rows with NULL are told apart by all their columns',
    tables: [
      {
        name: 't',
        columns: [nullableInt('u'), nullableInt('v')],
        primary: [],
        unique: [{ name: 'u', parts: ['u'] }],
      },
    ],
    start: [insert('t', { u: 1, v: 1 }, { u: 2, v: 2 }, { u: null, v: 3 }, { u: null, v: 3 })],
    transactions: [
      [update('t', { u: 1 }, { v: 10 }), sql('UPDATE t SET v = 4 WHERE u IS NULL LIMIT 1')],
      [update('t', { u: 1 }, { u: 3 }), update('t', { u: 2 }, { u: 1 }), update('t', { u: 3 }, { u: 2 })],
      [sql('DELETE FROM t WHERE u IS NULL LIMIT 1'), insert('t', { u: null, v: 5 }, { u: 3, v: 6 })],
      [update('t', { u: 3 }, { u: null }), insert('t', { u: 3, v: 7 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'nullable-unique-beside',
    shape: 'nullable unique key',
    title: 'a unique key that may be NULL beside the primary key; NULL collides with nothing',
    tables: [
      {
        name: 't',
        columns: [int('id'), nullableInt('u'), nullableInt('w')],
        primary: ['id'],
        unique: [{ name: 'uw', parts: ['u', 'w'] }],
      },
    ],
    start: [
      insert(
        't',
        { id: 1, u: 1, w: 1 },
        { id: 2, u: 1, w: null },
        { id: 3, u: 1, w: null },
        { id: 4, u: 2, w: 1 },
      ),
    ],
    transactions: [
      [update('t', { id: 2 }, { w: 2 }), update('t', { id: 1 }, { w: null })],
      [update('t', { id: 4 }, { u: 1 }), update('t', { id: 2 }, { w: null })],
      [update('t', { id: 3 }, { w: 2 }), remove('t', { id: 4 })],
      [
        insert('t', { id: 5, u: 1, w: 1 }),
        update('t', { id: 5 }, { w: null }),
        update('t', { id: 1 }, { w: 1 }),
      ],
    ],
    expected: EQUAL,
  },
  {
    name: 'unique-not-null-only',
    shape: 'primary key',
    title: 'a NOT NULL unique key in place of a primary key',
    tables: [
      {
        name: 't',
        columns: [column('k', 'INT'), column('l', 'INT'), nullableInt('v')],
        primary: [],
        unique: [
          { name: 'b', parts: ['k'] },
          { name: 'a', parts: ['l'] },
        ],
      },
    ],
    start: [insert('t', { k: 1, l: 11, v: 1 }, { k: 2, l: 12, v: 2 })],
    transactions: [
      [update('t', { k: 1 }, { v: 10 })],
      [update('t', { k: 1 }, { k: 3 }), update('t', { k: 2 }, { k: 1 }), update('t', { k: 3 }, { k: 2 })],
      [update('t', { k: 1 }, { l: 13 }), update('t', { k: 2 }, { l: 12 }), update('t', { k: 1 }, { l: 11 })],
      [remove('t', { k: 1 }), insert('t', { k: 1, l: 14, v: 4 }, { k: 4, l: 15, v: 5 })],
      [update('t', { k: 4 }, { v: 6 })],
    ],
    expected: EQUAL,
  },
];

export const PLAIN_KEYS: readonly KeyCase[] = [
  ...KEYS_OF_EVERY_KIND,
  ...COMPOSITE,
  ...INDEXES,
  ...WITHOUT_KEY,
];
