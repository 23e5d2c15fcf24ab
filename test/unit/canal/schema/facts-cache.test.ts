import { describe, expect, it } from 'vitest';
import type { Doubt } from '../../../../canal/schema/certainty.ts';
import { FactsCache, type NamedFacts } from '../../../../canal/schema/facts-cache.ts';
import type { TableChange } from '../../../../canal/schema/table-changes.ts';
import type { TableFacts } from '../../../../canal/schema/table-facts.ts';
import { statementOf } from '../../stages/select/item-script.ts';

const facts = (name: string): TableFacts => ({
  columns: [{ name, declared: 'int', nullable: false, octetLength: null, collation: 0 }],
  primaryKey: [],
  uniqueKeys: [],
  type: 'BASE TABLE',
});

/** A source whose tables have one column each, named by the test. */
function source(tables: Record<string, string>) {
  const asked: string[] = [];
  return {
    asked,
    tables,
    read: async (schema: string, table: string) => {
      asked.push(`${schema}.${table}`);
      const name = tables[`${schema}.${table}`];
      return name === undefined ? null : facts(name);
    },
    readAll: async (wants: (schema: string, table: string) => boolean): Promise<NamedFacts[]> =>
      Object.entries(tables).flatMap(([key, name]) => {
        const [schema = '', table = ''] = key.split('.');
        return wants(schema, table) ? [{ schema, table, facts: facts(name) }] : [];
      }),
  };
}

const columnOf = async (cache: FactsCache, schema: string, table: string): Promise<string | undefined> =>
  (await cache.get(schema, table))?.columns[0]?.name;

describe('FactsCache', () => {
  it('keeps what it saw when reading began, whatever the table becomes', async () => {
    const one = source({ 'shop.t': 'before' });
    const cache = new FactsCache({ source: one });
    cache.lookAhead(() => true);
    await cache.get('shop', 'x');
    one.tables['shop.t'] = 'after';
    expect(await columnOf(cache, 'shop', 't')).toBe('before');
    expect(one.asked).toEqual(['shop.x']);
  });

  it('looks again once a statement that may name the table has passed', async () => {
    const one = source({ 'shop.orders': 'before', 'shop.other': 'before', 'shop.bücher': 'before' });
    const cache = new FactsCache({ source: one });
    cache.lookAhead(() => true);
    await cache.get('shop', 'orders');
    for (const key of Object.keys(one.tables)) one.tables[key] = 'after';
    expect(cache.passed(statementOf('ALTER TABLE `Orders` ADD c INT')).map(({ table }) => table)).toEqual([
      'orders',
      // In what encoding its name would come is not known.
      'bücher',
    ]);
    expect(await columnOf(cache, 'shop', 'orders')).toBe('after');
    expect(await columnOf(cache, 'shop', 'bücher')).toBe('after');
    expect(await columnOf(cache, 'shop', 'other')).toBe('before');
  });

  it('throws away an answer that was asked for before a statement passed', async () => {
    const one = source({ 'shop.t': 'before' });
    let answer: () => void = () => {};
    const readAll = one.readAll;
    let first = true;
    const slow = {
      ...one,
      readAll: async (wants: (schema: string, table: string) => boolean) => {
        const found = await readAll(wants);
        if (first) {
          first = false;
          await new Promise<void>((resolve) => {
            answer = resolve;
          });
        }
        return found;
      },
    };
    const cache = new FactsCache({ source: slow });
    cache.lookAhead(() => true);
    await new Promise((resolve) => setImmediate(resolve));
    one.tables['shop.t'] = 'after';
    cache.passed(statementOf('ALTER TABLE t ADD c INT'));
    answer();
    expect(await columnOf(cache, 'shop', 't')).toBe('after');
  });

  it('asks table by table where it could not look ahead', async () => {
    const one = source({ 'shop.t': 'now' });
    const cache = new FactsCache({
      source: { ...one, readAll: () => Promise.reject(new Error('no')) },
    });
    cache.lookAhead(() => true);
    expect(await columnOf(cache, 'shop', 't')).toBe('now');
  });

  it('follows statements that are understood, from what it was given on', async () => {
    const one = source({ 'shop.t': 'now', 'shop.u': 'now' });
    const add = (name: string) => (facts: TableFacts) => ({
      ...facts,
      columns: [...facts.columns, { name, declared: 'int', nullable: true, octetLength: null, collation: 0 }],
    });
    let changes: readonly TableChange[] | null = [];
    const cache = new FactsCache({
      source: one,
      changes: () => changes,
      given: [{ schema: 'shop', table: 't', facts: facts('then') }],
    });
    const columns = async (table: string) =>
      (await cache.get('shop', table))?.columns.map(({ name }) => name) ?? null;
    const name = (table: string) => ({ schema: 'shop', table });
    expect(await columns('t')).toEqual(['then']);
    changes = [{ kind: 'alter', name: name('T'), alter: add('c') }];
    expect(cache.passed(statementOf('…'))).toMatchObject([{ table: 't', facts: { columns: [{}, {}] } }]);
    expect(await columns('t')).toEqual(['then', 'c']);
    changes = [
      { kind: 'rename', name: name('t'), to: name('v') },
      { kind: 'create-like', name: name('w'), like: name('v') },
    ];
    cache.passed(statementOf('…'));
    expect(await columns('v')).toEqual(['then', 'c']);
    expect(await columns('w')).toEqual(['then', 'c']);
    // What takes the name, and what nobody understands, is asked about.
    expect(await columns('t')).toEqual(['now']);
    changes = [{ kind: 'alter', name: name('v'), alter: () => null }];
    expect(cache.passed(statementOf('…'))).toEqual([{ ...name('v'), facts: null }]);
    expect(await columns('v')).toBe(null);
    changes = [{ kind: 'drop-schema', schema: 'shop' }];
    expect(cache.passed(statementOf('…')).map(({ table }) => table)).toContain('w');
  });

  it('follows no definition that may not have been true where reading is', async () => {
    let doubt: Doubt | null = 'too-far';
    const cache = new FactsCache({
      source: source({ 'shop.t': 'now' }),
      certainty: {
        judge: { doubt: async () => doubt },
        end: async () => ({ file: 'bin.000001', offset: 100 }),
      },
      changes: () => [{ kind: 'alter', name: { schema: 'shop', table: 't' }, alter: (one) => one }],
    });
    const place = { file: 'bin.000001', offset: 10, timestamp: 1 };
    expect(await cache.know('shop', 't', place)).toMatchObject({ doubt: 'too-far' });
    expect(cache.passed(statementOf('…'))).toMatchObject([{ facts: null }]);
    doubt = null;
    expect(await cache.know('shop', 't', place)).toMatchObject({ doubt: null });
    doubt = 'changed';
    // Once sure, it stays so until a statement changes it, and can be followed.
    expect(await cache.know('shop', 't', place)).toMatchObject({ doubt: null });
    expect(cache.passed(statementOf('…'))).toMatchObject([{ facts: { columns: [{ name: 'now' }] } }]);
  });
});
