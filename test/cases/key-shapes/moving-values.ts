/** Keys that change, and unique values that go from row to row: within a transaction, a batch, and from batch to batch. */
import {
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

const plain: TableDef = {
  name: 't',
  columns: [int('id'), nullableInt('v'), nullable('big', 'TEXT')],
  primary: ['id'],
};

const rows = (...ids: readonly number[]) =>
  insert('t', ...ids.map((id) => ({ id, v: id * 10, big: `text ${id}` })));

const KEY_CHANGES: readonly KeyCase[] = [
  {
    name: 'key-moves-on',
    shape: 'key changes',
    title: 'a row goes through several keys',
    tables: [plain],
    start: [rows(1, 2)],
    transactions: [
      [update('t', { id: 1 }, { id: 3 })],
      [update('t', { id: 3 }, { v: 31 })],
      [update('t', { id: 3 }, { id: 4, v: 32 }), update('t', { id: 4 }, { id: 5 })],
      [update('t', { id: 5 }, { id: 1 }), update('t', { id: 1 }, { big: 'changed' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'key-swap',
    shape: 'key changes',
    title: 'two rows exchange their keys',
    tables: [plain],
    start: [rows(1, 2, 3)],
    transactions: [
      [
        update('t', { id: 1 }, { id: 9 }),
        update('t', { id: 2 }, { id: 1 }),
        update('t', { id: 9 }, { id: 2 }),
      ],
      [update('t', { id: 1 }, { v: 11 })],
      [update('t', { id: 2 }, { id: 8 })],
      [update('t', { id: 1 }, { id: 2 })],
      [update('t', { id: 8 }, { id: 1 }), update('t', { id: 3 }, { v: 33 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'key-rotation',
    shape: 'key changes',
    title: 'every key is one higher, then one lower, in one statement',
    tables: [plain],
    start: [rows(1, 2, 3, 4, 5)],
    transactions: [
      [sql('UPDATE t SET id = id + 1 ORDER BY id DESC')],
      [sql('UPDATE t SET id = id - 1, v = v + 1 ORDER BY id')],
      [sql('UPDATE t SET id = id + 100'), sql('UPDATE t SET id = 106 - id')],
    ],
    expected: EQUAL,
  },
  {
    name: 'key-reused',
    shape: 'key changes',
    title: 'keys that are given up and taken by new rows',
    tables: [plain],
    start: [rows(1, 2, 3)],
    transactions: [
      [remove('t', { id: 1 }), rows(1)],
      [update('t', { id: 2 }, { id: 7 }), insert('t', { id: 2, v: null, big: null })],
      [remove('t', { id: 7 }), update('t', { id: 2 }, { id: 7 }), rows(2)],
      [sql("REPLACE INTO t VALUES (1, 5, 'replaced'), (9, 9, 'new')")],
      [sql('INSERT INTO t VALUES (1, 0, NULL), (10, 0, NULL) ON DUPLICATE KEY UPDATE id = id + 10, v = 77')],
    ],
    expected: EQUAL,
  },
];

const unique: TableDef = {
  name: 't',
  columns: [int('id'), int('u'), nullableInt('w'), nullableInt('v')],
  primary: ['id'],
  unique: [
    { name: 'u', parts: ['u'] },
    { name: 'w', parts: ['w'] },
  ],
};
const numbered = (...ids: readonly number[]) =>
  insert('t', ...ids.map((id) => ({ id, u: id * 10, w: id * 100, v: 0 })));
const take = (id: number, u: number) => update('t', { id }, { u });

const MOVES: readonly KeyCase[] = [
  {
    name: 'unique-move',
    shape: 'unique values that move',
    title: 'a row takes the value that another has given up, in the next transaction',
    tables: [unique],
    start: [numbered(1, 2, 3)],
    transactions: [
      [update('t', { id: 2 }, { v: 1 }), update('t', { id: 1 }, { v: 1 })],
      [take(1, 11)],
      [take(2, 10)],
      [take(3, 20)],
      [take(1, 30)],
    ],
    expected: EQUAL,
  },
  {
    name: 'unique-swap',
    shape: 'unique values that move',
    title: 'two rows exchange their values within one transaction',
    tables: [unique],
    start: [numbered(1, 2)],
    transactions: [
      [take(1, 99), take(2, 10), take(1, 20)],
      [update('t', { id: 1 }, { v: 1 })],
      [
        update('t', { id: 1 }, { w: null }),
        update('t', { id: 2 }, { w: 100 }),
        update('t', { id: 1 }, { w: 200 }),
      ],
    ],
    expected: EQUAL,
  },
  {
    name: 'unique-rotation',
    shape: 'unique values that move',
    title: 'values go round among four rows, over transactions and batches',
    tables: [unique],
    start: [numbered(1, 2, 3, 4)],
    transactions: [
      [take(1, 99), take(2, 10), take(3, 20), take(4, 30), take(1, 40)],
      [take(1, 99)],
      [take(4, 40), take(3, 30), take(2, 20)],
      [take(1, 10)],
      [sql('UPDATE t SET u = u + 10 ORDER BY u DESC'), sql('UPDATE t SET w = w - 100 ORDER BY w')],
      [sql('UPDATE t SET u = u + 10 ORDER BY u DESC')],
      [sql('UPDATE t SET u = u - 10 ORDER BY u')],
    ],
    expected: EQUAL,
  },
  {
    name: 'unique-from-deleted',
    shape: 'unique values that move',
    title: 'a row takes the value of one that is deleted; a new row takes one that was given up',
    tables: [unique],
    start: [numbered(1, 2, 3)],
    transactions: [
      [remove('t', { id: 2 }), take(1, 20)],
      [insert('t', { id: 4, u: 10, w: 200, v: 1 })],
      [take(3, 31), insert('t', { id: 5, u: 30, w: null, v: 1 }), remove('t', { id: 5 }), take(4, 30)],
      [insert('t', { id: 2, u: 10, w: null, v: 2 }), update('t', { id: 2 }, { w: 500 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'unique-with-key',
    shape: 'unique values that move',
    title: 'key and unique value change together',
    tables: [unique],
    start: [numbered(1, 2, 3)],
    transactions: [
      [
        update('t', { id: 1 }, { id: 4, u: 99 }),
        update('t', { id: 2 }, { id: 1, u: 10 }),
        update('t', { id: 4 }, { id: 2, u: 20 }),
      ],
      [update('t', { id: 3 }, { id: 5 }), insert('t', { id: 3, u: 31, w: 301, v: 0 })],
      [
        update('t', { id: 3 }, { u: 98 }),
        update('t', { id: 5 }, { u: 31 }),
        update('t', { id: 3 }, { u: 30 }),
      ],
    ],
    expected: EQUAL,
  },
  {
    name: 'unique-replace',
    shape: 'unique values that move',
    title: 'REPLACE and INSERT … ON DUPLICATE KEY UPDATE that collide with two rows',
    tables: [unique],
    start: [numbered(1, 2, 3, 4)],
    transactions: [
      [sql('REPLACE INTO t VALUES (1, 20, 300, 5)')],
      [sql('INSERT INTO t VALUES (9, 20, 900, 1) ON DUPLICATE KEY UPDATE u = 21')],
      [sql('REPLACE INTO t VALUES (2, 20, 200, 6), (3, 21, 300, 7)')],
    ],
    expected: EQUAL,
  },
  {
    name: 'unique-at-target-only',
    shape: 'unique values that move',
    title: 'a unique key that only the target has: moving values are found all the same',
    tables: [{ ...unique, unique: [] }],
    targetTables: [unique],
    start: [numbered(1, 2)],
    transactions: [[take(1, 99), take(2, 10)], [take(1, 20)], [insert('t', { id: 3, u: 30, w: null, v: 0 })]],
    expected: EQUAL,
  },
  {
    name: 'unique-many-rows',
    shape: 'unique values that move',
    title: 'three hundred rows whose values go round',
    tables: [unique],
    start: [numbered(...Array.from({ length: 300 }, (_, i) => i + 1))],
    transactions: [
      [sql('UPDATE t SET u = -u'), sql('UPDATE t SET u = IF(u = -3000, 10, 10 - u)')],
      [sql('UPDATE t SET v = id')],
      [sql('UPDATE t SET u = -u'), sql('UPDATE t SET u = IF(u = -10, 3000, -u - 10)')],
    ],
    expected: EQUAL,
  },
];

export const MOVING_VALUES: readonly KeyCase[] = [...KEY_CHANGES, ...MOVES];
