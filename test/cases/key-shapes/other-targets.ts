/** Targets that are not as the source: triggers, AUTO_INCREMENT, more, fewer, narrower and reordered columns. */
import {
  column,
  EQUAL,
  insert,
  int,
  type KeyCase,
  nullable,
  nullableInt,
  remove,
  sql,
  type TableDef,
  update,
} from './key-case.ts';

const table: TableDef = {
  name: 't',
  columns: [int('id'), nullableInt('v'), nullable('b', 'VARCHAR(20) CHARACTER SET utf8mb4')],
  primary: ['id'],
};
const rows = (...ids: readonly number[]) => insert('t', ...ids.map((id) => ({ id, v: id, b: `b${id}` })));
const USUAL: KeyCase['transactions'] = [
  [rows(4), update('t', { id: 1 }, { v: 10 })],
  [update('t', { id: 2 }, { id: 5 }), remove('t', { id: 3 })],
  [rows(3), update('t', { id: 5 }, { b: null }), update('t', { id: 1 }, { v: 11, b: 'x' })],
  [remove('t', { id: 1 }), insert('t', { id: 1, v: 12, b: 'again' })],
];

const TRIGGERS: readonly KeyCase[] = [
  {
    name: 'trigger-refused',
    shape: 'trigger at the target',
    title: 'refused: it would act a second time',
    tables: [table],
    targetSetup: ['CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 0'],
    start: [],
    transactions: [[rows(1)]],
    expected: { kind: 'refused', code: 'HOLT_TARGET_TRIGGER' },
  },
  {
    name: 'trigger-allowed',
    shape: 'trigger at the target',
    title: 'allowed by a rule: it acts once for each change, as it would for a client’s',
    tables: [table],
    setup: [
      'CREATE TABLE audit (n INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(10), id INT, v INT) ENGINE=InnoDB',
    ],
    targetSetup: [
      "CREATE TRIGGER tr_i AFTER INSERT ON t FOR EACH ROW INSERT INTO audit (what, id, v) VALUES ('insert', NEW.id, NEW.v)",
      "CREATE TRIGGER tr_u AFTER UPDATE ON t FOR EACH ROW INSERT INTO audit (what, id, v) VALUES ('update', NEW.id, NEW.v)",
      "CREATE TRIGGER tr_d AFTER DELETE ON t FOR EACH ROW INSERT INTO audit (what, id, v) VALUES ('delete', OLD.id, OLD.v)",
    ],
    rule: { triggers: 'allow' },
    start: [],
    transactions: [
      [rows(1, 2)],
      [update('t', { id: 1 }, { v: 10 }), update('t', { id: 2 }, { v: 20 })],
      [update('t', { id: 1 }, { v: 11 }), remove('t', { id: 2 })],
    ],
    compare: { t: ['id', 'v', 'b'] },
    expected: EQUAL,
  },
];

const NUMBERS: readonly KeyCase[] = [
  {
    name: 'auto-increment-zero',
    shape: 'AUTO_INCREMENT',
    title: 'the value 0 stays 0',
    tables: [{ ...table, columns: [int('id', 'AUTO_INCREMENT'), ...table.columns.slice(1)] }],
    session: ["SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"],
    start: [rows(7)],
    transactions: [
      [rows(0)],
      [update('t', { id: 0 }, { v: 5 }), update('t', { id: 7 }, { v: 5 })],
      [remove('t', { id: 0 }), insert('t', { id: 0, v: 6, b: null })],
      [sql('INSERT INTO t (id, v) VALUES (NULL, 1), (NULL, 2)')],
      [update('t', { id: 0 }, { id: 100 }), update('t', { id: 7 }, { id: 0 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'auto-increment-generated',
    shape: 'AUTO_INCREMENT',
    title: 'numbers that the source gave, in any order',
    tables: [{ ...table, columns: [int('id', 'AUTO_INCREMENT'), ...table.columns.slice(1)] }],
    start: [],
    transactions: [
      [sql('INSERT INTO t (v) VALUES (1), (2), (3)')],
      [sql('DELETE FROM t WHERE v = 3'), sql('INSERT INTO t (v) VALUES (4)')],
      [sql('INSERT INTO t (id, v) VALUES (1000, 5)'), sql('INSERT INTO t (v) VALUES (6)')],
      [sql('UPDATE t SET id = id + 1 ORDER BY id DESC')],
    ],
    expected: EQUAL,
  },
  {
    name: 'auto-increment-at-target',
    shape: 'AUTO_INCREMENT',
    title: 'a number of the target’s own: updates use none up',
    tables: [{ ...table, unique: [] }],
    targetTables: [
      {
        name: 't',
        columns: [column('row_id', 'INT', 'AUTO_INCREMENT'), ...table.columns],
        primary: ['row_id'],
        unique: [{ name: 'id', parts: ['id'] }],
      },
    ],
    start: [rows(1, 2, 3)],
    transactions: USUAL,
    compare: { t: ['id', 'v', 'b'] },
    expected: EQUAL,
  },
];

const COLUMNS: readonly KeyCase[] = [
  {
    name: 'more-columns',
    shape: 'other columns at the target',
    title: 'more, with defaults: a row that stays the same row keeps them',
    tables: [table],
    targetTables: [
      {
        ...table,
        columns: [
          column('own', 'VARCHAR(10) CHARACTER SET utf8mb4', "DEFAULT 'new'"),
          ...table.columns,
          nullable('also', 'INT'),
        ],
      },
    ],
    start: [rows(1, 2, 3)],
    transactions: USUAL,
    compare: { t: ['id', 'v', 'b'] },
    expected: EQUAL,
  },
  {
    name: 'more-columns-unfilled',
    shape: 'other columns at the target',
    title: 'more, one of them NOT NULL without default: refused',
    tables: [table],
    targetTables: [{ ...table, columns: [...table.columns, int('own')] }],
    transactions: [[rows(1)]],
    expected: { kind: 'refused', code: 'HOLT_TARGET_COLUMN_UNFILLED' },
  },
  {
    name: 'fewer-columns',
    shape: 'other columns at the target',
    title: 'fewer: refused, unless a rule drops the column',
    tables: [table],
    targetTables: [{ ...table, columns: table.columns.slice(0, 2) }],
    transactions: [[rows(1)]],
    expected: { kind: 'refused', code: 'HOLT_TARGET_COLUMN_MISSING' },
  },
  {
    name: 'reordered-columns',
    shape: 'other columns at the target',
    title: 'in another order: found by name',
    tables: [table],
    targetTables: [{ ...table, columns: [...table.columns].reverse() }],
    start: [rows(1, 2, 3)],
    transactions: USUAL,
    compare: { t: ['id', 'v', 'b'] },
    expected: EQUAL,
  },
  {
    name: 'wider-columns',
    shape: 'other columns at the target',
    title: 'wider',
    tables: [table],
    targetTables: [
      {
        ...table,
        columns: [
          column('id', 'BIGINT'),
          nullable('v', 'DECIMAL(20,0)'),
          nullable('b', 'TEXT CHARACTER SET utf8mb4'),
        ],
      },
    ],
    start: [rows(1, 2, 3)],
    transactions: USUAL,
    expected: EQUAL,
  },
  {
    name: 'narrower-columns-that-fit',
    shape: 'other columns at the target',
    title: 'narrower, while the values fit',
    tables: [table],
    targetTables: [
      {
        ...table,
        columns: [
          column('id', 'SMALLINT'),
          nullable('v', 'TINYINT'),
          nullable('b', 'VARCHAR(5) CHARACTER SET utf8mb4'),
        ],
      },
    ],
    start: [rows(1, 2, 3)],
    transactions: USUAL,
    expected: EQUAL,
  },
  {
    name: 'narrower-number',
    shape: 'other columns at the target',
    title: 'a number that does not fit: refused, nothing is cut',
    tables: [table],
    targetTables: [{ ...table, columns: [int('id'), nullable('v', 'TINYINT'), ...table.columns.slice(2)] }],
    transactions: [[insert('t', { id: 1, v: 200, b: null })]],
    expected: { kind: 'refused', code: 'HOLT_TARGET_VALUE_REFUSED' },
  },
  {
    name: 'narrower-text',
    shape: 'other columns at the target',
    title: 'a text that does not fit: refused, nothing is cut',
    tables: [table],
    targetTables: [
      {
        ...table,
        columns: [...table.columns.slice(0, 2), nullable('b', 'VARCHAR(3) CHARACTER SET utf8mb4')],
      },
    ],
    transactions: [[insert('t', { id: 1, v: 1, b: 'abcd' })]],
    expected: { kind: 'refused', code: 'HOLT_TARGET_VALUE_REFUSED' },
  },
  {
    name: 'narrower-text-spaces',
    shape: 'other columns at the target',
    title:
      'a text whose trailing spaces do not fit: refused, though a server would cut them off without a word',
    tables: [table],
    targetTables: [
      {
        ...table,
        columns: [...table.columns.slice(0, 2), nullable('b', 'VARCHAR(3) CHARACTER SET utf8mb4')],
      },
    ],
    transactions: [[insert('t', { id: 1, v: 1, b: 'äb   ' })]],
    expected: { kind: 'refused', code: 'HOLT_TARGET_VALUE_REFUSED' },
  },
  {
    name: 'char-at-target',
    shape: 'other columns at the target',
    title: 'CHAR for VARCHAR: refused, it would lose trailing spaces',
    tables: [table],
    targetTables: [
      { ...table, columns: [...table.columns.slice(0, 2), nullable('b', 'CHAR(20) CHARACTER SET utf8mb4')] },
    ],
    transactions: [[insert('t', { id: 1, v: 1, b: 'a ' })]],
    expected: { kind: 'refused', code: 'HOLT_TARGET_COLUMN_TYPE' },
  },
];

export const OTHER_TARGETS: readonly KeyCase[] = [...TRIGGERS, ...NUMBERS, ...COLUMNS];
