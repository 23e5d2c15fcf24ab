import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BatchTable,
  decideParking,
  type Relation,
} from '../../../../../stages/load/parked/decide-parking.ts';
import type { ParkedTable, TableName } from '../../../../../stages/load/parked/parked.ts';

const at = (table: string): TableName => ({ schema: 's', table });
const to = (table: string): TableName => ({ schema: 't', table });
const key = (child: string, parent: string): Relation => ({ child: to(child), parent: to(parent) });
const table = (
  name: string,
  number: number,
  change: Partial<Omit<BatchTable, 'releases'>> & { releases?: boolean } = {},
): BatchTable => ({
  table: number,
  source: at(name),
  target: to(name),
  reason: null,
  ...change,
  releases: () => change.releases ?? false,
});
const parked = (name: string, root = name): ParkedTable => ({
  name: at(name),
  target: to(name),
  root: at(root),
  state: 'parked',
  code: 'HOLT_TABLE_PARKED_BY_HAND',
  why: '',
  by: 'ada',
  parkedAt: '',
});
const heldOf = (
  tables: readonly BatchTable[],
  rows: readonly ParkedTable[],
  keys: readonly Relation[] = [],
) => Object.fromEntries([...decideParking(tables, rows, keys).held].map(([n, root]) => [n, root.table]));

describe('decideParking()', () => {
  it('holds what is parked, and nothing else', () => {
    expect(heldOf([table('a', 0), table('b', 1)], [parked('b')])).toEqual({ 1: 'b' });
    expect(decideParking([table('a', 0), table('b', 1)], [parked('b')], []).park).toEqual([]);
  });

  it('parks a table for its own reason, under itself', () => {
    const reason = { code: 'HOLT_SCHEMA_MISMATCH', why: 'altered since' };
    expect(decideParking([table('a', 3, { reason })], [], [])).toEqual({
      held: new Map([[3, at('a')]]),
      park: [{ name: at('a'), target: to('a'), root: at('a'), by: 'holt', ...reason }],
      join: [],
    });
    // One that is parked already keeps its root and its reason.
    expect(decideParking([table('a', 3, { reason })], [parked('a', 'r'), parked('r')], [])).toMatchObject({
      park: [],
    });
  });

  it.each<[string, BatchTable[], ParkedTable[], Relation[], Record<number, string>]>([
    [
      'a child waits for its parent',
      [table('item', 0)],
      [parked('order')],
      [key('item', 'order')],
      { 0: 'order' },
    ],
    [
      'through a table that is not in the batch',
      [table('c', 0)],
      [parked('a')],
      [key('c', 'b'), key('b', 'a')],
      { 0: 'a' },
    ],
    [
      'a parent goes on while nothing of it goes away',
      [table('order', 0)],
      [parked('item')],
      [key('item', 'order')],
      {},
    ],
    [
      'a parent waits when rows of it go away',
      [table('order', 0, { releases: true })],
      [parked('item')],
      [key('item', 'order')],
      { 0: 'item' },
    ],
    [
      'a sister of a child goes on',
      [table('note', 0, { releases: true })],
      [parked('item')],
      [key('item', 'order'), key('note', 'order')],
      {},
    ],
    [
      'a parent that waits takes its other children along',
      [table('note', 0), table('order', 1, { releases: true })],
      [parked('item')],
      [key('item', 'order'), key('note', 'order')],
      { 0: 'item', 1: 'item' },
    ],
    [
      'names differ in case at the target',
      [table('Item', 0)],
      [parked('order')],
      [{ child: to('ITEM'), parent: to('ORDER') }],
      { 0: 'order' },
    ],
    ['a table that refers to itself', [table('a', 0)], [parked('a')], [key('a', 'a')], { 0: 'a' }],
    [
      'a cycle',
      [table('a', 0), table('b', 1)],
      [parked('a')],
      [key('a', 'b'), key('b', 'a')],
      { 0: 'a', 1: 'a' },
    ],
  ])('%s', (_what, tables, rows, keys, expected) => {
    expect(heldOf(tables, rows, keys)).toEqual(expected);
  });

  it('says which table another one waits for', () => {
    const { park } = decideParking([table('item', 0)], [parked('order')], [key('item', 'order')]);
    expect(park).toMatchObject([
      { name: at('item'), target: to('item'), root: at('order'), code: 'HOLT_TABLE_PARKED_WITH' },
    ]);
    expect(park[0]?.why).toContain('s.order');
  });

  it('joins two groups when a batch connects them', () => {
    const decision = decideParking(
      [table('order', 0, { releases: true })],
      [parked('item'), parked('note')],
      [key('item', 'order'), key('note', 'order')],
    );
    expect(decision.join).toEqual([{ from: at('item'), to: at('note') }]);
    expect(decision.park).toMatchObject([{ name: at('order'), root: at('note') }]);
    expect([...decision.held]).toEqual([[0, at('note')]]);
  });

  it('never applies a table with a parked ancestor, and holds related tables under one root', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const name = fc.constantFrom(...names);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, name), { maxLength: 6 }),
        fc.uniqueArray(name, { maxLength: 3 }),
        fc.uniqueArray(name, { minLength: 1 }),
        fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
        (pairs, parkedNames, inBatch, releasing) => {
          const keys = pairs.map(([child, parent]) => key(child, parent));
          const tables = inBatch.map((one, i) => table(one, i, { releases: releasing[i] ?? false }));
          const decision = decideParking(
            tables,
            parkedNames.map((one) => parked(one)),
            keys,
          );
          const roots = new Map(parkedNames.map((one) => [one, one]));
          for (const one of decision.park) roots.set(one.name.table, one.root.table);
          for (const { from, to: into } of decision.join)
            for (const [one, root] of roots) if (root === from.table) roots.set(one, into.table);
          for (const { table: number, source } of tables) {
            const root = roots.get(source.table);
            expect(decision.held.get(number)?.table).toBe(root);
            for (const { child, parent } of keys) {
              if (child.table === source.table && child.table !== parent.table && roots.has(parent.table))
                expect(root).toBe(roots.get(parent.table));
            }
          }
        },
      ),
    );
  });
});
