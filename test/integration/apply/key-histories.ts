/** Random histories over few keys: unique values that move, rows that come and go, parents whose children follow. */
import fc from 'fast-check';
import {
  EQUAL,
  insert,
  int,
  type KeyCase,
  nullableInt,
  type Op,
  sql,
  type TableDef,
} from '../../cases/key-shapes/key-case.ts';

const unique: TableDef = {
  name: 't',
  columns: [int('id'), nullableInt('u'), nullableInt('v')],
  primary: ['id'],
  unique: [{ name: 'u', parts: ['u'] }],
};
const parent: TableDef = {
  name: 'parent',
  columns: [int('id'), int('u'), nullableInt('v')],
  primary: ['id'],
  unique: [{ name: 'u', parts: ['u'] }],
};

type Rule = 'CASCADE' | 'SET NULL' | 'RESTRICT';
const child = (references: 'id' | 'u', onDelete: Rule, onUpdate: Rule): TableDef => ({
  name: 'child',
  columns: [int('id'), nullableInt('up'), nullableInt('v')],
  primary: ['id'],
  foreignKeys: [{ columns: ['up'], table: 'parent', references: [references], onDelete, onUpdate }],
});

/** Whatever the source refuses it passes over: the log has what was done. */
const key = fc.integer({ min: 1, max: 4 });
const value = fc.integer({ min: 1, max: 5 });
const maybe = fc.option(value, { nil: null }).map((one) => one ?? 'NULL');

const uniqueOp: fc.Arbitrary<Op> = fc.oneof(
  fc.tuple(key, maybe, value).map(([id, u, v]) => sql(`INSERT IGNORE INTO t VALUES (${id}, ${u}, ${v})`)),
  fc.tuple(key, value, value).map(([id, u, v]) => sql(`REPLACE INTO t VALUES (${id}, ${u}, ${v})`)),
  fc.tuple(key, maybe).map(([id, u]) => sql(`UPDATE IGNORE t SET u = ${u} WHERE id = ${id}`)),
  fc.tuple(key, key).map(([id, to]) => sql(`UPDATE IGNORE t SET id = ${to} WHERE id = ${id}`)),
  fc.tuple(key, value).map(([id, v]) => sql(`UPDATE t SET v = ${v} WHERE id = ${id}`)),
  key.map((id) => sql(`DELETE FROM t WHERE id = ${id}`)),
  fc.constant(sql('UPDATE IGNORE t SET u = -u')),
  fc.constant(sql('UPDATE IGNORE t SET u = u + 1 ORDER BY u DESC')),
);

const familyOp: fc.Arbitrary<Op> = fc.oneof(
  fc.tuple(key, value).map(([id, u]) => sql(`INSERT IGNORE INTO parent VALUES (${id}, ${u}, 0)`)),
  fc.tuple(key, value).map(([id, u]) => sql(`UPDATE IGNORE parent SET u = ${u} WHERE id = ${id}`)),
  fc.tuple(key, key).map(([id, to]) => sql(`UPDATE IGNORE parent SET id = ${to} WHERE id = ${id}`)),
  fc.tuple(key, value).map(([id, v]) => sql(`UPDATE parent SET v = ${v} WHERE id = ${id}`)),
  key.map((id) => sql(`DELETE IGNORE FROM parent WHERE id = ${id}`)),
  fc.tuple(key, maybe).map(([id, up]) => sql(`INSERT IGNORE INTO child VALUES (${id}, ${up}, 0)`)),
  fc.tuple(key, maybe).map(([id, up]) => sql(`UPDATE IGNORE child SET up = ${up} WHERE id = ${id}`)),
  fc.tuple(key, value).map(([id, v]) => sql(`UPDATE child SET v = ${v} WHERE id = ${id}`)),
  key.map((id) => sql(`DELETE FROM child WHERE id = ${id}`)),
);

const transactions = (op: fc.Arbitrary<Op>) =>
  fc.array(fc.array(op, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 8 });

const COMMON = { session: ["SET SESSION sql_mode = ''"], expected: EQUAL } as const;

/** Rows of one table with a further unique key. */
export const uniqueHistory: fc.Arbitrary<KeyCase> = transactions(uniqueOp).map((done) => ({
  ...COMMON,
  name: 'random',
  shape: 'unique values that move',
  title: 'at random',
  tables: [unique],
  start: [insert('t', { id: 1, u: 1, v: 0 }, { id: 2, u: 2, v: 0 }, { id: 3, u: null, v: 0 })],
  transactions: done,
}));

const rule = fc.constantFrom<Rule>('CASCADE', 'SET NULL', 'RESTRICT');

/** Rows of a parent and its children, by the parent's key or by another unique column. */
export const familyHistory: fc.Arbitrary<KeyCase> = fc
  .tuple(fc.constantFrom('id' as const, 'u' as const), rule, rule, transactions(familyOp))
  .map(([references, onDelete, onUpdate, done]) => ({
    ...COMMON,
    name: 'random',
    shape: 'foreign key',
    title: 'at random',
    tables: [parent, child(references, onDelete, onUpdate)],
    start: [
      insert('parent', { id: 1, u: 1, v: 0 }, { id: 2, u: 2, v: 0 }, { id: 3, u: 3, v: 0 }),
      insert('child', { id: 1, up: 1, v: 0 }, { id: 2, up: 1, v: 0 }, { id: 3, up: 2, v: 0 }),
    ],
    transactions: done,
  }));

export const keyHistory: fc.Arbitrary<KeyCase> = fc.oneof(uniqueHistory, familyHistory);
