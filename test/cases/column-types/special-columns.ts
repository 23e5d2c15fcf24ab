import {
  between,
  type ColumnCase,
  type ColumnTypeCase,
  type ColumnTypeFamily,
  EVERYWHERE,
  type TableCase,
} from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'Generated, invisible and compressed columns';

const compressed = (
  [
    ['varchar_compressed', 'varchar(2000)', 'varchar(2000)'],
    ['text_compressed', 'text', 'text'],
    ['blob_compressed', 'blob', 'blob'],
    ['varbinary_compressed', 'varbinary(90)', 'varbinary(90)'],
  ] as const
).map(
  ([id, type, plain]): ColumnCase => ({
    kind: 'column',
    id,
    title: 'COMPRESSED columns of MariaDB',
    family: FAMILY,
    on: ['mariadb'],
    ddl: `${type} compressed`,
    values: ["''", "'a'", "REPEAT('a',90)", "REPEAT('\\'',90)"],
    random: (chance) => `REPEAT('${chance.pick(['ab', 'xyz', '\\\\'])}',${chance.int(0, 30)})`,
    pairs: between(['mariadb'], ['mysql56', 'mysql'], {
      kind: 'exact',
      ddl: plain,
      why: 'MySQL has no COMPRESSED columns: the same bytes go into a plain column',
    }),
  }),
);

const MAKE_ROWS = [
  'INSERT INTO {t} (id, a) VALUES (1, 5), (2, -7), (3, NULL)',
  'UPDATE {t} SET a = a * 2 WHERE id < 3',
  'UPDATE {t} SET id = 9 WHERE id = 2',
  'DELETE FROM {t} WHERE id = 3',
];

const tables: readonly TableCase[] = [
  {
    kind: 'table',
    id: 'generated_columns',
    title: 'Generated columns, virtual and stored',
    family: FAMILY,
    on: ['mysql', 'mariadb'],
    columns: {
      mysql:
        'id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s VARCHAR(20) AS (CONCAT(a, "x")) STORED, KEY (v)',
      mariadb:
        'id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s VARCHAR(20) AS (CONCAT(a, "x")) STORED, KEY (v)',
      mysql56: 'id INT PRIMARY KEY, a INT, v INT, s VARCHAR(20)',
    },
    writes: MAKE_ROWS,
    pairs: between(['mysql', 'mariadb'], ['mysql56'], {
      kind: 'exact',
      why: 'MySQL 5.6 has no generated columns: plain columns take the values that the log has',
    }),
  },
  {
    kind: 'table',
    id: 'invisible',
    title: 'INVISIBLE columns',
    family: FAMILY,
    on: ['mysql', 'mariadb'],
    columns: {
      mysql: 'id INT PRIMARY KEY, a INT, hidden VARCHAR(10) DEFAULT "d" INVISIBLE',
      mariadb: 'id INT PRIMARY KEY, a INT, hidden VARCHAR(10) INVISIBLE DEFAULT "d"',
      mysql56: 'id INT PRIMARY KEY, a INT, hidden VARCHAR(10) DEFAULT "d"',
    },
    writes: [...MAKE_ROWS, "INSERT INTO {t} (id, a, hidden) VALUES (20, 1, 'seen')"],
    pairs: between(['mysql', 'mariadb'], ['mysql56'], {
      kind: 'exact',
      why: 'MySQL 5.6 has no INVISIBLE: the column is visible there',
    }),
  },
  {
    kind: 'table',
    id: 'gipk',
    title: 'Generated invisible primary keys (sql_generate_invisible_primary_key)',
    family: FAMILY,
    on: ['mysql'],
    columns: {
      mysql: 'a INT, b VARCHAR(10)',
      mariadb:
        'my_row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY, a INT, b VARCHAR(10)',
      mysql56: 'my_row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(10)',
    },
    session: { mysql: ['SET SESSION sql_generate_invisible_primary_key = ON'] },
    writes: [
      "INSERT INTO {t} (a, b) VALUES (1, 'x'), (1, 'x'), (2, 'y')",
      "UPDATE {t} SET b = 'z' WHERE a = 1 ORDER BY my_row_id LIMIT 1",
      'DELETE FROM {t} WHERE a = 2',
    ],
    pairs: between(['mysql'], ['mysql56', 'mariadb'], {
      kind: 'exact',
      why: 'the key is the column my_row_id, declared by hand at the target',
    }),
  },
  {
    kind: 'table',
    id: 'auto_update',
    title: 'Columns that fill themselves: DEFAULT and ON UPDATE CURRENT_TIMESTAMP, AUTO_INCREMENT',
    family: FAMILY,
    on: EVERYWHERE,
    columns:
      'id INT AUTO_INCREMENT PRIMARY KEY, a INT, at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), made DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3)',
    writes: [
      'INSERT INTO {t} (a) VALUES (1), (2), (3)',
      'UPDATE {t} SET a = 5 WHERE id = 2',
      "UPDATE {t} SET a = 6, at = '2001-01-01 00:00:00.000001' WHERE id = 1",
      'DELETE FROM {t} WHERE a = 3',
    ],
  },
];

export const SPECIAL_COLUMN_CASES: readonly ColumnTypeCase[] = [...compressed, ...tables];
