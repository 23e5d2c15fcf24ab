/**
 * Foreign keys: what a server cascades is absent from the log of MariaDB and of MySQL before 9.6, and in the log of later
 * ones, whose events say that checks are off. Either way the target must end as the source did.
 */
import {
  column,
  EQUAL,
  type ForeignKeyDef,
  insert,
  int,
  type KeyCase,
  nullable,
  nullableInt,
  type Op,
  remove,
  sql,
  type TableDef,
  update,
} from './key-case.ts';

const parent: TableDef = { name: 'parent', columns: [int('id'), nullableInt('v')], primary: ['id'] };

function child(
  rules: Omit<ForeignKeyDef, 'columns' | 'table' | 'references'>,
  name = 'child',
  up = 'parent',
): TableDef {
  return {
    name,
    columns: [int('id'), nullableInt('up'), nullableInt('v')],
    primary: ['id'],
    foreignKeys: [{ columns: ['up'], table: up, references: ['id'], ...rules }],
  };
}

const parents = (...ids: readonly number[]) => insert('parent', ...ids.map((id) => ({ id, v: 0 })));
const children = (...links: readonly (readonly [number, number | null])[]) =>
  insert('child', ...links.map(([id, up]) => ({ id, up, v: 0 })));

const START: readonly Op[] = [parents(1, 2, 3), children([11, 1], [12, 1], [21, 2], [31, 3], [40, null])];

const NAME = 'VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci';
const named: TableDef = { name: 'parent', columns: [column('id', NAME), nullableInt('v')], primary: ['id'] };

function ofName(onUpdate: ForeignKeyDef['onUpdate'], name = 'child', up = 'parent'): TableDef {
  return {
    name,
    columns: [int('id'), nullable('up', NAME)],
    primary: ['id'],
    foreignKeys: [{ columns: ['up'], table: up, references: ['id'], ...(onUpdate && { onUpdate }) }],
  };
}

const NAMES: readonly Op[] = [
  insert('parent', { id: 'a', v: 0 }, { id: 'b', v: 0 }, { id: 'c', v: 0 }),
  insert(
    'child',
    { id: 11, up: 'a' },
    { id: 12, up: 'a' },
    { id: 21, up: 'b' },
    { id: 22, up: 'B' },
    { id: 40, up: null },
  ),
];

/** A value that foreign keys point to gets other bytes and stays equal. MySQL 9.6 and later may leave it as it was (`equal-keys.ts`). */
const EQUAL_KEYS: readonly KeyCase[] = [
  {
    name: 'equal-keys',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE: a parent’s key gets other case, accents or spaces at its end',
    tables: [named, ofName('CASCADE')],
    start: NAMES,
    transactions: [
      [update('parent', { id: 'a' }, { id: 'a ' })],
      [update('parent', { id: 'a' }, { id: 'A', v: 3 })],
      [update('child', { id: 12 }, { up: 'A' }), update('parent', { id: 'a' }, { id: 'á' })],
      [sql("UPDATE parent SET id = CONCAT(id, ' ') WHERE id <> 'b'")],
      [update('parent', { id: 'a' }, { id: 'z' }), update('parent', { id: 'z' }, { id: 'Z' })],
      [remove('child', { id: 22 }), update('parent', { id: 'b' }, { id: 'B' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-of-children',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE to rows of which some have the new bytes already',
    tables: [named, ofName('CASCADE')],
    start: NAMES,
    transactions: [
      [update('child', { id: 11 }, { up: 'A' }), update('parent', { id: 'a' }, { id: 'A', v: 1 })],
      [update('child', { id: 12 }, { up: 'a' })],
      [update('parent', { id: 'a' }, { id: 'a' })],
      [update('parent', { id: 'b' }, { id: 'B' })],
    ],
    // MySQL 9.7 leaves its own parent as it was.
    sources: ['mariadb', 'mysql56'],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-of-grandchildren',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE through a table in the middle to rows that have the new bytes already',
    tables: [
      {
        name: 'parent',
        columns: [int('n'), column('id', NAME), nullableInt('v')],
        primary: ['n', 'id'],
      },
      {
        name: 'middle',
        columns: [
          int('n'),
          column('id', NAME),
          column('at', 'TIMESTAMP(6)', 'DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)'),
        ],
        primary: ['n', 'id'],
        foreignKeys: [
          { columns: ['n', 'id'], table: 'parent', references: ['n', 'id'], onUpdate: 'CASCADE' },
        ],
      },
      {
        name: 'child',
        columns: [
          int('id'),
          nullableInt('n'),
          nullable('up', NAME),
          column('at', 'TIMESTAMP(6)', 'DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)'),
        ],
        primary: ['id'],
        foreignKeys: [
          { columns: ['n', 'up'], table: 'middle', references: ['n', 'id'], onUpdate: 'CASCADE' },
        ],
      },
    ],
    start: [
      insert('parent', { n: 1, id: 'a', v: 0 }, { n: 2, id: 'a', v: 0 }),
      insert('middle', { n: 1, id: 'a', at: '2020-01-01' }, { n: 2, id: 'a', at: '2020-01-01' }),
      insert(
        'child',
        { id: 11, n: 1, up: 'a', at: '2020-01-01' },
        { id: 12, n: 1, up: 'A', at: '2020-01-01' },
        { id: 13, n: 1, up: 'a', at: '2020-01-01' },
        { id: 21, n: 2, up: 'A', at: '2020-01-01' },
      ),
    ],
    transactions: [
      [update('parent', { n: 1 }, { id: 'A' })],
      [update('child', { id: 13 }, { up: 'á' }), update('parent', { n: 1 }, { id: 'á' })],
      [update('parent', { n: 2 }, { id: 'A', v: 7 })],
    ],
    sources: ['mariadb', 'mysql56'],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-with-care',
    shape: 'foreign key',
    title: 'a key becomes an equal one in a batch that goes row by row',
    tables: [named, ofName('CASCADE')],
    start: NAMES,
    targetSetup: ["DELETE FROM parent WHERE id = 'c'"],
    transactions: [
      [
        update('parent', { id: 'c' }, { v: 1 }),
        update('parent', { id: 'a' }, { id: 'A', v: 2 }),
        update('parent', { id: 'a' }, { id: 'z' }),
        update('parent', { id: 'z' }, { id: 'Z' }),
      ],
    ],
    expected: { kind: 'ledger', entries: ['update-missing'], equal: true },
  },
  {
    name: 'equal-keys-three-levels',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE of equal keys through a table in the middle',
    tables: [
      named,
      {
        name: 'middle',
        columns: [column('id', NAME), nullableInt('v')],
        primary: ['id'],
        foreignKeys: [{ columns: ['id'], table: 'parent', references: ['id'], onUpdate: 'CASCADE' }],
      },
      ofName('CASCADE', 'child', 'middle'),
    ],
    start: [
      insert('parent', { id: 'a', v: 0 }, { id: 'b', v: 0 }),
      insert('middle', { id: 'a', v: 0 }, { id: 'b', v: 0 }),
      insert('child', { id: 11, up: 'a' }, { id: 12, up: 'a' }, { id: 21, up: 'b' }),
    ],
    transactions: [
      [update('parent', { id: 'a' }, { id: 'A' })],
      [update('child', { id: 11 }, { up: 'a' }), update('middle', { id: 'a' }, { v: 2 })],
      [update('parent', { id: 'b' }, { id: 'b ' }), update('parent', { id: 'a' }, { id: 'x' })],
      [update('parent', { id: 'x' }, { id: 'X' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-set-null',
    shape: 'foreign key',
    title: 'ON UPDATE SET NULL when the key stays equal',
    tables: [named, ofName('SET NULL')],
    start: NAMES,
    transactions: [
      [update('parent', { id: 'a' }, { id: 'a ' })],
      [update('child', { id: 11 }, { up: 'a' }), update('parent', { id: 'a' }, { id: 'A' })],
      [update('child', { id: 12 }, { up: 'A' }), update('parent', { id: 'b' }, { id: 'B' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-restrict',
    shape: 'foreign key',
    title: 'a key without children becomes an equal one, where changes of others are refused',
    tables: [named, ofName('RESTRICT')],
    start: NAMES,
    transactions: [
      [update('parent', { id: 'c' }, { id: 'C' })],
      [insert('child', { id: 31, up: 'c' })],
      [remove('child', { id: 31 }), update('parent', { id: 'c' }, { id: 'ç' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-composite',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE of a part of a composite key, and of two keys at once of which one stays equal',
    tables: [
      {
        name: 'parent',
        columns: [int('n'), column('id', NAME), nullable('u', NAME), nullableInt('v')],
        primary: ['n', 'id'],
        unique: [{ name: 'u', parts: ['u'] }],
      },
      {
        name: 'child',
        columns: [int('id'), nullableInt('n'), nullable('up', NAME), nullable('u', NAME)],
        primary: ['id'],
        foreignKeys: [
          { columns: ['n', 'up'], table: 'parent', references: ['n', 'id'], onUpdate: 'CASCADE' },
          { columns: ['u'], table: 'parent', references: ['u'], onUpdate: 'CASCADE' },
        ],
      },
    ],
    start: [
      insert('parent', { n: 1, id: 'a', u: 'p', v: 0 }, { n: 2, id: 'a', u: 'q', v: 0 }),
      insert(
        'child',
        { id: 11, n: 1, up: 'a', u: 'p' },
        { id: 12, n: 1, up: 'a', u: 'q' },
        { id: 21, n: 2, up: 'a', u: null },
      ),
    ],
    transactions: [
      [update('parent', { n: 1 }, { id: 'A' })],
      [update('parent', { n: 1 }, { id: 'á', u: 'r' })],
      [update('parent', { n: 2 }, { id: 'b', u: 'Q' })],
      [update('parent', { n: 1 }, { n: 3, id: 'a ' })],
      [update('parent', { n: 3 }, { u: 'R', v: 5 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-no-primary',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE of a nullable unique value that stays equal, in a table without primary key',
    tables: [
      {
        name: 'parent',
        columns: [nullable('id', NAME), nullableInt('v')],
        primary: [],
        unique: [{ name: 'id', parts: ['id'] }],
      },
      ofName('CASCADE'),
    ],
    start: [...NAMES, insert('parent', { id: null, v: 0 }, { id: null, v: 0 })],
    transactions: [
      [update('parent', { id: 'a' }, { id: 'A' })],
      [update('parent', { id: 'a' }, { id: 'á', v: 1 }), update('parent', { id: 'b' }, { v: 2 })],
      [update('parent', { id: null }, { v: 4 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'equal-keys-float',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE: zero becomes its negative',
    tables: [
      { name: 'parent', columns: [column('id', 'DOUBLE'), nullableInt('v')], primary: ['id'] },
      {
        name: 'child',
        columns: [int('id'), nullable('up', 'DOUBLE')],
        primary: ['id'],
        foreignKeys: [{ columns: ['up'], table: 'parent', references: ['id'], onUpdate: 'CASCADE' }],
      },
    ],
    start: [
      insert('parent', { id: 0, v: 0 }, { id: 1, v: 0 }),
      insert('child', { id: 11, up: 0 }, { id: 12, up: 0 }),
    ],
    // MariaDB stores no negative zero.
    targets: ['mysql'],
    transactions: [
      [sql('UPDATE parent SET id = -0e0 WHERE id = 0')],
      [update('parent', { id: 1 }, { id: 2 })],
    ],
    expected: EQUAL,
  },
];

const TWO_TABLES: readonly KeyCase[] = [
  {
    name: 'restrict',
    shape: 'foreign key',
    title: 'parents before children, children before parents',
    tables: [parent, child({})],
    start: START,
    transactions: [
      [parents(4), children([41, 4]), update('child', { id: 11 }, { up: 4 })],
      [update('child', { id: 12 }, { up: null }), remove('parent', { id: 1 })],
      [remove('child', { id: 21 }), remove('parent', { id: 2 }), parents(2), children([21, 2])],
      [parents(1), update('child', { id: 12 }, { up: 1 }), update('parent', { id: 1 }, { v: 5 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'delete-cascade',
    shape: 'foreign key',
    title: 'ON DELETE CASCADE',
    tables: [parent, child({ onDelete: 'CASCADE' })],
    start: START,
    transactions: [
      [remove('parent', { id: 1 })],
      [parents(1), children([11, 1])],
      [remove('parent', { id: 1 }), parents(1)],
      [children([12, 1]), update('child', { id: 12 }, { v: 1 }), remove('parent', { id: 2 })],
      [
        update('child', { id: 31 }, { up: 1 }),
        remove('parent', { id: 3 }),
        update('child', { id: 31 }, { v: 7 }),
      ],
      [remove('parent', { id: 1 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'delete-cascade-alone',
    shape: 'foreign key',
    title: 'ON DELETE CASCADE when the batch has rows of the parent only',
    tables: [parent, child({ onDelete: 'CASCADE' })],
    start: START,
    transactions: [
      [update('parent', { id: 1 }, { v: 1 }), remove('parent', { id: 2 })],
      [parents(2)],
      [remove('parent', { id: 1 })],
      [parents(1, 5), remove('parent', { id: 5 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'update-cascade',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE: a parent’s key changes, is exchanged, and is taken again',
    tables: [parent, child({ onUpdate: 'CASCADE' })],
    start: START,
    transactions: [
      [update('parent', { id: 1 }, { id: 5 })],
      [update('child', { id: 11 }, { v: 1 }), update('parent', { id: 5 }, { id: 6, v: 2 })],
      [
        update('parent', { id: 2 }, { id: 9 }),
        update('parent', { id: 3 }, { id: 2 }),
        update('parent', { id: 9 }, { id: 3 }),
      ],
      [parents(1), update('child', { id: 12 }, { up: 1 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'update-cascade-alone',
    shape: 'foreign key',
    title: 'ON UPDATE CASCADE when the batch has rows of the parent only',
    tables: [parent, child({ onUpdate: 'CASCADE', onDelete: 'SET NULL' })],
    start: START,
    transactions: [
      [update('parent', { id: 1 }, { id: 5 })],
      [update('parent', { id: 2 }, { id: 1 })],
      [update('parent', { id: 5 }, { id: 2 })],
      [remove('parent', { id: 3 }), parents(3)],
    ],
    expected: EQUAL,
  },
  {
    name: 'set-null',
    shape: 'foreign key',
    title: 'ON DELETE SET NULL, ON UPDATE SET NULL',
    tables: [parent, child({ onDelete: 'SET NULL', onUpdate: 'SET NULL' })],
    start: START,
    transactions: [
      [remove('parent', { id: 1 })],
      [update('child', { id: 11 }, { up: 2 }), update('parent', { id: 2 }, { id: 7 })],
      [update('child', { id: 11 }, { up: 7 }), remove('parent', { id: 7 }), parents(7)],
      [update('child', { id: 21 }, { up: 7 }), update('child', { id: 12 }, { v: 3 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'referenced-unique-set-null',
    shape: 'foreign key',
    title: 'a foreign key to a unique column: a value that goes and comes back has cut its children off',
    tables: [
      {
        name: 'parent',
        columns: [int('id'), int('u'), nullableInt('v')],
        primary: ['id'],
        unique: [{ name: 'u', parts: ['u'] }],
      },
      {
        ...child({}),
        foreignKeys: [
          { columns: ['up'], table: 'parent', references: ['u'], onUpdate: 'SET NULL', onDelete: 'CASCADE' },
        ],
      },
    ],
    start: [
      insert('parent', { id: 1, u: 10, v: 0 }, { id: 2, u: 20, v: 0 }, { id: 3, u: 30, v: 0 }),
      children([11, 10], [21, 20], [31, 30]),
    ],
    transactions: [
      [update('parent', { id: 1 }, { u: 15 })],
      [update('parent', { id: 1 }, { u: 10 })],
      [update('parent', { id: 2 }, { u: 25 })],
      [remove('parent', { id: 2 })],
      [update('parent', { id: 3 }, { v: 1 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'referenced-unique-cascade',
    shape: 'foreign key',
    title: 'a foreign key to a unique column whose values are exchanged between rows',
    tables: [
      {
        name: 'parent',
        columns: [int('id'), int('u'), nullableInt('v')],
        primary: ['id'],
        unique: [{ name: 'u', parts: ['u'] }],
      },
      {
        ...child({}),
        foreignKeys: [{ columns: ['up'], table: 'parent', references: ['u'], onUpdate: 'CASCADE' }],
      },
    ],
    start: [insert('parent', { id: 1, u: 10, v: 0 }, { id: 2, u: 20, v: 0 }), children([11, 10], [21, 20])],
    transactions: [
      [update('parent', { id: 1 }, { u: 99 }), update('parent', { id: 2 }, { u: 10 })],
      [update('parent', { id: 1 }, { u: 20 })],
      [update('child', { id: 11 }, { v: 1 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'replace-parent',
    shape: 'foreign key',
    title: 'REPLACE of a parent: its children go',
    tables: [parent, child({ onDelete: 'CASCADE' })],
    start: START,
    transactions: [
      [sql('REPLACE INTO parent VALUES (1, 7)')],
      [children([13, 1]), sql('REPLACE INTO parent VALUES (2, 8), (8, 8)')],
      [sql('INSERT INTO parent VALUES (3, 1) ON DUPLICATE KEY UPDATE v = 9')],
    ],
    expected: EQUAL,
  },
  {
    name: 'composite-foreign-key',
    shape: 'foreign key',
    title: 'of two columns',
    tables: [
      { name: 'parent', columns: [int('a'), int('b'), nullableInt('v')], primary: ['a', 'b'] },
      {
        name: 'child',
        columns: [int('id'), nullableInt('pa'), nullableInt('pb')],
        primary: ['id'],
        foreignKeys: [
          {
            columns: ['pa', 'pb'],
            table: 'parent',
            references: ['a', 'b'],
            onDelete: 'CASCADE',
            onUpdate: 'CASCADE',
          },
        ],
      },
    ],
    start: [
      insert('parent', { a: 1, b: 1, v: 0 }, { a: 1, b: 2, v: 0 }),
      insert('child', { id: 1, pa: 1, pb: 1 }, { id: 2, pa: 1, pb: 2 }, { id: 3, pa: 1, pb: null }),
    ],
    transactions: [
      [update('parent', { a: 1, b: 1 }, { b: 3 }), update('parent', { a: 1, b: 2 }, { a: 2 })],
      [update('child', { id: 3 }, { pa: 2, pb: 2 })],
      [remove('parent', { a: 1 })],
      [insert('parent', { a: 1, b: 3, v: 1 }), insert('child', { id: 1, pa: 1, pb: 3 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'text-foreign-key',
    shape: 'foreign key',
    title: 'of text: a key that changes only in case takes its children along',
    tables: [
      {
        name: 'parent',
        columns: [
          column('id', 'VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci'),
          nullableInt('v'),
        ],
        primary: ['id'],
      },
      {
        name: 'child',
        columns: [int('id'), nullable('up', 'VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci')],
        primary: ['id'],
        foreignKeys: [
          { columns: ['up'], table: 'parent', references: ['id'], onDelete: 'CASCADE', onUpdate: 'CASCADE' },
        ],
      },
    ],
    start: [
      insert('parent', { id: 'one', v: 0 }, { id: 'two', v: 0 }),
      insert('child', { id: 1, up: 'One' }, { id: 2, up: 'two' }, { id: 3, up: 'TWO' }),
    ],
    transactions: [
      [update('parent', { id: 'one' }, { v: 1 })],
      [update('parent', { id: 'two' }, { id: 'TWO' })],
      [update('child', { id: 1 }, { up: 'tWo' })],
      [update('parent', { id: 'two' }, { id: 'three' })],
      [remove('parent', { id: 'ONE' })],
    ],
    expected: EQUAL,
  },
  {
    name: 'checks-off',
    shape: 'foreign key',
    title: 'checks off at the source: orphans, and nothing cascades',
    tables: [parent, child({ onDelete: 'CASCADE', onUpdate: 'CASCADE' })],
    session: ['SET SESSION foreign_key_checks = 0'],
    start: START,
    transactions: [
      [children([51, 5])],
      [remove('parent', { id: 1 }), update('parent', { id: 2 }, { id: 9 })],
      [update('child', { id: 11 }, { v: 1 }), parents(1)],
      [remove('child', { id: 51 }), parents(5)],
    ],
    expected: EQUAL,
  },
  {
    name: 'checks-on-and-off',
    shape: 'foreign key',
    title: 'checks on for some changes and off for others, in one batch',
    tables: [parent, child({ onDelete: 'CASCADE', onUpdate: 'CASCADE' })],
    start: START,
    transactions: [
      [sql('SET SESSION foreign_key_checks = 0'), remove('parent', { id: 1 })],
      [sql('SET SESSION foreign_key_checks = 1'), remove('parent', { id: 2 })],
      [update('child', { id: 11 }, { v: 1 }), sql('SET SESSION foreign_key_checks = 0'), children([61, 6])],
      [sql('SET SESSION foreign_key_checks = 1'), parents(1), update('parent', { id: 1 }, { id: 4 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'checks-on-and-off-alone',
    shape: 'foreign key',
    title: 'the same with rows of the parent only',
    tables: [parent, child({ onDelete: 'CASCADE', onUpdate: 'CASCADE' })],
    start: START,
    transactions: [
      [sql('SET SESSION foreign_key_checks = 0'), update('parent', { id: 1 }, { id: 7 })],
      [sql('SET SESSION foreign_key_checks = 1'), update('parent', { id: 2 }, { id: 8 })],
      [sql('SET SESSION foreign_key_checks = 0'), remove('parent', { id: 3 })],
      [sql('SET SESSION foreign_key_checks = 1'), parents(1)],
      [update('parent', { id: 1 }, { id: 5 })],
    ],
    expected: EQUAL,
  },
];

const CHAINS: readonly KeyCase[] = [
  {
    name: 'three-generations',
    shape: 'foreign key',
    title: 'a chain of three tables, the middle one without changes of its own',
    tables: [
      parent,
      child({ onDelete: 'CASCADE', onUpdate: 'CASCADE' }),
      child({ onDelete: 'CASCADE' }, 'grandchild', 'child'),
    ],
    start: [...START, insert('grandchild', { id: 111, up: 11, v: 0 }, { id: 211, up: 21, v: 0 })],
    transactions: [
      [update('grandchild', { id: 111 }, { v: 1 }), remove('parent', { id: 1 })],
      [insert('grandchild', { id: 311, up: 31, v: 0 }), update('parent', { id: 3 }, { id: 9 })],
      [parents(1), insert('grandchild', { id: 111, up: 21, v: 2 })],
      [remove('parent', { id: 2 }), insert('grandchild', { id: 211, up: 31, v: 3 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'two-parents',
    shape: 'foreign key',
    title: 'a child of two parents with different rules',
    tables: [
      parent,
      { ...parent, name: 'other' },
      {
        name: 'child',
        columns: [int('id'), nullableInt('up'), nullableInt('o')],
        primary: ['id'],
        foreignKeys: [
          { columns: ['up'], table: 'parent', references: ['id'], onDelete: 'CASCADE' },
          { columns: ['o'], table: 'other', references: ['id'], onDelete: 'SET NULL', onUpdate: 'CASCADE' },
        ],
      },
    ],
    start: [
      parents(1, 2),
      insert('other', { id: 1, v: 0 }, { id: 2, v: 0 }),
      insert('child', { id: 1, up: 1, o: 1 }, { id: 2, up: 2, o: 1 }, { id: 3, up: 2, o: 2 }),
    ],
    transactions: [
      [update('other', { id: 1 }, { id: 5 }), remove('parent', { id: 1 })],
      [remove('other', { id: 5 }), update('child', { id: 2 }, { o: 2 })],
      [remove('parent', { id: 2 }), parents(2), insert('child', { id: 3, up: 2, o: null })],
    ],
    expected: EQUAL,
  },
  {
    name: 'self-cascade',
    shape: 'foreign key',
    title: 'a tree in one table whose branches go with their stem',
    tables: [child({ onDelete: 'CASCADE' }, 'child', 'child')],
    start: [children([1, null]), children([2, 1]), children([3, 2]), children([4, 1]), children([5, null])],
    transactions: [
      [remove('child', { id: 2 })],
      [children([3, 4]), children([6, 3])],
      [update('child', { id: 3 }, { up: 5 }), remove('child', { id: 1 })],
      [children([1, null]), update('child', { id: 5 }, { up: 1 })],
      [remove('child', { id: 3 }), update('child', { id: 1 }, { v: 1 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'self-set-null',
    shape: 'foreign key',
    title: 'a tree in one table whose branches come loose',
    tables: [child({ onDelete: 'SET NULL' }, 'child', 'child')],
    start: [children([1, null]), children([2, 1]), children([3, 2]), children([4, 1])],
    transactions: [
      [remove('child', { id: 2 })],
      [update('child', { id: 3 }, { up: 4 }), children([2, 3])],
      [remove('child', { id: 1 }), children([1, 2])],
      [update('child', { id: 4 }, { up: 1 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'self-restrict',
    shape: 'foreign key',
    title: 'a tree in one table that is taken down from its leaves',
    tables: [child({}, 'child', 'child')],
    start: [children([1, null]), children([2, 1]), children([3, 2]), children([4, 3])],
    transactions: [
      [remove('child', { id: 4 }), remove('child', { id: 3 })],
      [children([3, 1]), update('child', { id: 2 }, { up: 3 })],
      [sql('DELETE FROM child ORDER BY (id = 1), (id = 3), id')],
      [children([9, null], [8, 9], [7, 8]), children([1, 7])],
    ],
    expected: EQUAL,
  },
  {
    name: 'cycle',
    shape: 'foreign key',
    title: 'two tables that refer to each other',
    tables: [
      { name: 'a', columns: [int('id'), nullableInt('b'), nullableInt('v')], primary: ['id'] },
      {
        name: 'b',
        columns: [int('id'), nullableInt('a'), nullableInt('v')],
        primary: ['id'],
        foreignKeys: [{ columns: ['a'], table: 'a', references: ['id'], onDelete: 'CASCADE' }],
      },
    ],
    setup: ['ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id) ON DELETE SET NULL'],
    start: [
      insert('a', { id: 1, b: null, v: 0 }, { id: 2, b: null, v: 0 }, { id: 3, b: null, v: 0 }),
      insert('b', { id: 1, a: 1, v: 0 }, { id: 2, a: 2, v: 0 }, { id: 3, a: 3, v: 0 }),
      sql('UPDATE a SET b = 4 - id'),
    ],
    transactions: [
      [update('a', { id: 2 }, { v: 1 }), remove('a', { id: 1 })],
      [insert('a', { id: 1, b: 2, v: 2 }), insert('b', { id: 1, a: 1, v: 2 })],
      [update('a', { id: 3 }, { b: 1 }), remove('b', { id: 1 })],
      [remove('a', { id: 3 }), update('a', { id: 2 }, { b: null })],
    ],
    expected: EQUAL,
  },
  {
    name: 'cycle-of-cascades',
    shape: 'foreign key',
    title:
      'a cycle of cascades: one row takes all with it (MySQL 9.6 and later, as target of another server, leaves the rows of the table where it began)',
    tables: [
      { name: 'a', columns: [int('id'), nullableInt('b')], primary: ['id'] },
      {
        name: 'b',
        columns: [int('id'), nullableInt('a')],
        primary: ['id'],
        foreignKeys: [{ columns: ['a'], table: 'a', references: ['id'], onDelete: 'CASCADE' }],
      },
    ],
    setup: ['ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id) ON DELETE CASCADE'],
    start: [
      insert('a', { id: 1, b: null }, { id: 2, b: null }),
      insert('b', { id: 1, a: 1 }, { id: 2, a: 2 }),
      sql('UPDATE a SET b = 3 - id'),
      insert('a', { id: 3, b: null }, { id: 4, b: null }),
    ],
    transactions: [
      [remove('a', { id: 3 }), remove('a', { id: 1 })],
      [insert('a', { id: 1, b: null }), insert('b', { id: 1, a: 1 }), update('a', { id: 4 }, { b: 1 })],
      [remove('a', { id: 1 })],
      [sql('INSERT IGNORE INTO a VALUES (4, NULL)')],
    ],
    expected: ({ source, target }) =>
      target === 'mysql' && source !== 'mysql'
        ? { kind: 'ledger', entries: ['insert-present'], equal: false }
        : EQUAL,
  },
];

export const FOREIGN_KEYS: readonly KeyCase[] = [...EQUAL_KEYS, ...TWO_TABLES, ...CHAINS];
