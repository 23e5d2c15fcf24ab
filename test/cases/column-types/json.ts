import { AWKWARD_TEXTS, chanceDouble, quotedLiteral } from './chance-values.ts';
import {
  between,
  type CaseServer,
  type Chance,
  type ColumnCase,
  type ColumnTypeCase,
  type ColumnTypeFamily,
  type TableCase,
} from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'JSON';
const HAVE_JSON: readonly CaseServer[] = ['mysql', 'mariadb'];

const DOCUMENTS = [
  'null',
  'true',
  'false',
  '0',
  '-1',
  '1',
  '32767',
  '-32768',
  '32768',
  '65535',
  '65536',
  '2147483647',
  '-2147483648',
  '4294967295',
  '4294967296',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '18446744073709551615',
  '0.1',
  '123456789.125',
  '""',
  '"a"',
  '"ü😀"',
  '"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f"',
  '[]',
  '{}',
  '[[]]',
  '[{}]',
  '{"a":{}}',
  '{"":1}',
  '{"b":1,"a":2,"aa":3,"c":[1,"x",null,true,1.5]}',
  `"${'x'.repeat(127)}"`,
  `"${'x'.repeat(128)}"`,
  `${'['.repeat(30)}1${']'.repeat(30)}`,
];
/** Numbers that the two families print in another way. */
const NUMBERS = [
  '18446744073709551616',
  '1.0',
  '-0.0',
  '1e100',
  '1e-7',
  '1e15',
  '5e-324',
  '[1.50, 100000e-3]',
];
const LONG = [
  `"${'y'.repeat(20_000)}"`,
  `[${Array.from({ length: 300 }, (_, i) => i * 1000).join(',')}]`,
  `{${Array.from({ length: 200 }, (_, i) => `"key${i}":"${'v'.repeat(400)}"`).join(',')}}`,
  `[${Array.from({ length: 40 }, (_, i) => `${i * 1_000_000}`).join(',')},"${'z'.repeat(70_000)}"]`,
];
/** Values that JSON's own syntax cannot tell from others. */
const PECULIAR = [
  "JSON_ARRAY(CAST('1.50' AS DECIMAL(10,2)))",
  "JSON_ARRAY(CAST('-99999999999999999999.123456789' AS DECIMAL(65,30)))",
  'CAST(CAST(1.25 AS DECIMAL(5,3)) AS JSON)',
  "JSON_OBJECT('d', CAST('2020-01-02' AS DATE), 't', CAST('-03:04:05.5' AS TIME(6)), 'dt', CAST('2020-01-02 03:04:05.678901' AS DATETIME(6)), 'z', CAST('838:59:59' AS TIME))",
  "CAST(CAST('2020-01-02 03:04:05' AS DATETIME) AS JSON)",
  'CAST(CAST(1 AS UNSIGNED) AS JSON)',
  'JSON_ARRAY(CAST(65535 AS UNSIGNED), CAST(70000 AS UNSIGNED), CAST(5000000000 AS UNSIGNED), CAST(18446744073709551615 AS UNSIGNED))',
  "JSON_ARRAY(_binary 'a\\'b\\\\c', X'00ff', JSON_OBJECT('k\\'ey', CAST(X'00' AS BINARY)))",
  "JSON_ARRAY(REPEAT('x',10), CAST(REPEAT('y',200) AS BINARY))",
  "JSON_OBJECT('plain', CAST('{\"a\": [1, 2.5, null]}' AS JSON), 'odd', CAST(7 AS UNSIGNED))",
  "JSON_ARRAY('ü\\'\\\\', TRUE, NULL, 1e0, CAST(3.0 AS DECIMAL(2,1)))",
];

function chanceJson(chance: Chance, depth: number): unknown {
  const kind = chance.int(0, depth > 0 ? 8 : 6);
  switch (kind) {
    case 0:
      return null;
    case 1:
      return chance.int(0, 1) === 1;
    case 2:
      return chance.int(-70_000, 70_000);
    case 3:
      return chance.int(-(2 ** 40), 2 ** 40);
    case 4:
      return chanceDouble(chance);
    case 5:
    case 6:
      return chance.pick(AWKWARD_TEXTS) + chance.digits(chance.int(0, 5));
    case 7:
      return Array.from({ length: chance.int(0, 5) }, () => chanceJson(chance, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: chance.int(0, 5) }, () => [
          chance.pick(AWKWARD_TEXTS) + chance.digits(2),
          chanceJson(chance, depth - 1),
        ]),
      );
  }
}

const TEXT_AT_TARGET = {
  kind: 'canonical',
  form: 'json',
  ddl: 'longtext character set utf8mb4',
  why: "MySQL 5.6 has no JSON: the document's text goes into LONGTEXT",
} as const;

const columns: readonly ColumnCase[] = [
  {
    kind: 'column',
    id: 'json',
    title: 'JSON',
    family: FAMILY,
    on: HAVE_JSON,
    ddl: 'json',
    values: DOCUMENTS.map(quotedLiteral),
    random: (chance) => quotedLiteral(JSON.stringify(chanceJson(chance, 3))),
    pairs: {
      ...between(HAVE_JSON, ['mysql56'], TEXT_AT_TARGET),
      'mysql>mariadb': {
        kind: 'canonical',
        form: 'json',
        why: "MariaDB's JSON is LONGTEXT: the document arrives as MySQL prints it",
      },
      'mariadb>mysql': {
        kind: 'canonical',
        form: 'json',
        why: "MariaDB's JSON is text: MySQL stores the document, with its members in its own order",
      },
    },
  },
  {
    kind: 'column',
    id: 'json_numbers',
    title: 'JSON numbers beyond 64 bits and with exponents',
    family: FAMILY,
    on: HAVE_JSON,
    ddl: 'json',
    values: NUMBERS.map(quotedLiteral),
    random: (chance) => quotedLiteral(String(chanceDouble(chance))),
    pairs: {
      ...between(HAVE_JSON, ['mysql56'], TEXT_AT_TARGET),
      'mysql>mariadb': {
        kind: 'canonical',
        form: 'json',
        why: "MariaDB's JSON is LONGTEXT: numbers arrive as MySQL prints them",
      },
      'mariadb>mysql': {
        kind: 'canonical',
        form: 'json',
        why: "MySQL's JSON holds such numbers as doubles: the number's value counts, not how it was written",
      },
    },
  },
  {
    kind: 'column',
    id: 'json_long',
    title: 'JSON',
    family: FAMILY,
    on: HAVE_JSON,
    ddl: 'json',
    large: true,
    values: LONG.map(quotedLiteral),
    random: (chance) => quotedLiteral(JSON.stringify('z'.repeat(chance.int(100, 2000)))),
    pairs: {
      ...between(HAVE_JSON, ['mysql56'], TEXT_AT_TARGET),
      ...between(['mysql'], ['mariadb'], {
        kind: 'canonical',
        form: 'json',
        why: "MariaDB's JSON is LONGTEXT",
      }),
      ...between(['mariadb'], ['mysql'], { kind: 'canonical', form: 'json', why: "MariaDB's JSON is text" }),
    },
  },
  {
    kind: 'column',
    id: 'json_peculiar',
    title: 'JSON with decimals, dates, unsigned integers and binary strings inside',
    family: FAMILY,
    on: ['mysql'],
    ddl: 'json',
    values: PECULIAR,
    random: (chance) =>
      `JSON_ARRAY(CAST(${chance.int(-99, 99)}.${chance.digits(3)} AS DECIMAL(10,3)), ${chance.int(0, 9)})`,
    pairs: {
      'mysql>mysql56': TEXT_AT_TARGET,
      'mysql>mariadb': {
        kind: 'canonical',
        form: 'json',
        why: "MariaDB's JSON is LONGTEXT: such values arrive as the text that MySQL prints for them",
      },
    },
  },
];

const alike: readonly TableCase[] = [
  {
    kind: 'table',
    id: 'json_alike',
    title: 'JSON documents that are equal to the server and not the same, in a table without key',
    family: FAMILY,
    on: ['mysql'],
    columns: {
      mysql: 'n INT, j JSON',
      mariadb: 'n INT, j LONGTEXT CHARACTER SET utf8mb4',
      mysql56: 'n INT, j LONGTEXT CHARACTER SET utf8mb4',
    },
    writes: [
      `INSERT INTO {t} VALUES (1, '1'), (1, '1.0'), (1, '{"a": [1]}'), (1, '{"a": [1.0]}'), (1, '-0.0'), (1, '0.0')`,
      "INSERT INTO {t} VALUES (1, CAST(CAST(1 AS UNSIGNED) AS JSON)), (1, CAST(CAST('1.0' AS DECIMAL(3,1)) AS JSON))",
      `UPDATE {t} SET n = 2 WHERE JSON_TYPE(j) = 'OBJECT' AND CAST(j AS CHAR) = '{"a": [1.0]}'`,
      "DELETE FROM {t} WHERE CAST(j AS CHAR) = '1.0' AND JSON_TYPE(j) = 'DOUBLE'",
      "DELETE FROM {t} WHERE CAST(j AS CHAR) = '-0.0'",
    ],
    pairs: between(['mysql'], ['mariadb', 'mysql56'], {
      kind: 'canonical',
      form: 'json',
      why: 'the column is LONGTEXT, with the text that MySQL prints',
    }),
  },
];

const partial: readonly TableCase[] = [
  {
    kind: 'table',
    id: 'json_partial',
    title: 'JSON with partial updates in the log (binlog_row_value_options=PARTIAL_JSON)',
    family: FAMILY,
    on: ['mysql'],
    columns: {
      mysql: 'id INT PRIMARY KEY, j JSON, k JSON, n INT',
      mariadb: 'id INT PRIMARY KEY, j LONGTEXT, k LONGTEXT, n INT',
      mysql56: 'id INT PRIMARY KEY, j LONGTEXT, k LONGTEXT, n INT',
    },
    session: { mysql: ["SET SESSION binlog_row_value_options = 'PARTIAL_JSON'"] },
    writes: [
      `INSERT INTO {t} VALUES (1, '{"a": 1, "list": [1, 2, 3], "pad": "${'p'.repeat(200)}"}', '[]', 0), (2, '{"a": {"b": [true]}, "pad": "${'q'.repeat(200)}"}', '{"x": 1}', 0)`,
      "UPDATE {t} SET j = JSON_SET(j, '$.a', 'new', '$.list[1]', 18446744073709551615) WHERE id = 1",
      "UPDATE {t} SET j = JSON_REMOVE(j, '$.list[0]'), k = JSON_SET(k, '$[0]', CAST(1.50 AS DECIMAL(5,2))) WHERE id = 1",
      "UPDATE {t} SET j = JSON_REPLACE(j, '$.a.b', NULL), n = n + 1 WHERE id = 2",
      'UPDATE {t} SET n = n + 1',
      'DELETE FROM {t} WHERE id = 2',
    ],
    pairs: {
      'mysql>mariadb': {
        kind: 'canonical',
        form: 'json',
        why: 'with whole row images; with MINIMAL ones Holt refuses by HOLT_TARGET_JSON_PARTIAL: the log then has no document to put the change into',
      },
      'mysql>mysql56': {
        kind: 'canonical',
        form: 'json',
        why: 'with whole row images; with MINIMAL ones Holt refuses by HOLT_TARGET_JSON_PARTIAL: the log then has no document to put the change into',
      },
    },
  },
];

export const JSON_CASES: readonly ColumnTypeCase[] = [...columns, ...alike, ...partial];
