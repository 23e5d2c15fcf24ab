import { describe, expect, it } from 'vitest';
import { FactsCache } from '../../../../canal/schema/facts-cache.ts';
import { SchemaBook } from '../../../../canal/schema/schema-book.ts';
import type { TableFacts } from '../../../../canal/schema/table-facts.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { tableMap } from '../assembler/event-script.ts';

const FACTS: TableFacts = { columns: [], primaryKey: [], uniqueKeys: [], type: 'BASE TABLE' };

function book(
  options: {
    wanted?: (table: string) => boolean;
    facts?: () => TableFacts | null;
    nowMs?: () => number;
  } = {},
) {
  const asked: string[] = [];
  const one = new SchemaBook({
    wants: (_, table) => (options.wanted ?? (() => true))(table),
    clock: { ...systemClock, monotonicMs: options.nowMs ?? (() => 0) },
    facts: new FactsCache({
      source: {
        read: (schema, table) => {
          asked.push(`${schema}.${table}`);
          return Promise.resolve((options.facts ?? (() => FACTS))());
        },
        readAll: () => Promise.resolve([]),
      },
    }),
  });
  return { one, asked };
}

describe('SchemaBook', () => {
  it('has one shape object for a table and version, whatever its table id', async () => {
    const { one, asked } = book();
    const map = tableMap(1, 'shop', 't');
    expect(one.find(map)).toBeUndefined();
    await one.resolve(map);
    const shape = one.find(map);
    expect(shape?.table).toBe('t');
    expect(one.find(tableMap(9, 'shop', 't'))).toBe(shape);
    await one.resolve(tableMap(9, 'shop', 't'));
    expect(asked).toEqual(['shop.t']);
  });

  it('has another shape for another version, also under the same table id, and the first one again after it', async () => {
    const { one } = book();
    const [two, three] = [tableMap(1, 'shop', 't', 2), tableMap(1, 'shop', 't', 3)];
    await one.resolve(two);
    await one.resolve(three);
    expect(one.find(two)?.columns).toHaveLength(2);
    expect(one.find(three)?.columns).toHaveLength(3);
    expect(one.find(two)).toBe(one.find(two));
  });

  it('never asks about tables nobody wants, until somebody does', async () => {
    let wanted = false;
    const { one, asked } = book({ wanted: () => wanted });
    const map = tableMap(1, 'shop', 't');
    expect(one.find(map)).toBeNull();
    wanted = true;
    expect(one.find(map)).toBeNull();
    const before = one.wantsVersion;
    expect(one.admit((_, table) => table === 'u')).toBe(before);
    expect(one.find(map)).toBeNull();
    expect(one.admit((_, table) => table === 't')).toBe(before + 1);
    expect(one.find(map)).toBeUndefined();
    await one.resolve(map);
    expect(asked).toEqual(['shop.t']);
  });

  it('passes Holt’s checkpoint and heartbeat to everybody, its other tables to nobody', () => {
    const { one } = book({ wanted: () => false });
    expect(one.find(tableMap(1, 'holt', 'checkpoint'))).toBeUndefined();
    expect(one.find(tableMap(2, 'holt', 'heartbeat'))).toBeUndefined();
    expect(one.find(tableMap(3, 'holt', 'ledger'))).toBeNull();
  });

  it('gives a table that does not fit a shape with a fault, and looks again when somebody new reads', async () => {
    let facts: TableFacts | null = null;
    const { one, asked } = book({ facts: () => facts });
    const map = { ...tableMap(1, 'shop', 't', 1), names: null, primaryKey: null };
    await one.resolve(map);
    const broken = one.find(map);
    expect(broken?.fault).toMatchObject({ code: 'HOLT_SCHEMA_UNREADABLE' });
    facts = {
      ...FACTS,
      columns: [{ name: 'id', declared: 'int', nullable: false, octetLength: null, collation: 0 }],
    };
    one.admit(() => false);
    await one.resolve(map);
    const mended = one.find(map);
    expect(mended).toMatchObject({ columns: [{ name: 'id' }] });
    expect(mended?.fault).toBeUndefined();
    expect(asked.length).toBeGreaterThan(1);
  });

  it('looks again at what does not fit after a while, and has a shape all the while', async () => {
    let facts: TableFacts | null = null;
    let nowMs = 0;
    const { one, asked } = book({ facts: () => facts, nowMs: () => nowMs });
    const map = { ...tableMap(1, 'shop', 't', 1), names: null, primaryKey: null };
    await one.resolve(map);
    const broken = one.find(map);
    nowMs = 4_999;
    expect(one.mustResolve(map)).toBe(false);
    nowMs = 5_000;
    expect(one.mustResolve(map)).toBe(true);
    expect(one.find(map)).toBe(broken);
    await one.resolve(map);
    expect(one.find(map)).toBe(broken);
    expect(one.mustResolve(map)).toBe(false);
    facts = {
      ...FACTS,
      columns: [{ name: 'id', declared: 'int', nullable: false, octetLength: null, collation: 0 }],
    };
    nowMs = 10_000;
    const before = asked.length;
    await one.resolve(map);
    expect(one.find(map)?.fault).toBeUndefined();
    nowMs = 100_000;
    expect(one.mustResolve(map)).toBe(false);
    expect(asked.length).toBeGreaterThan(before);
  });

  it('asks again about a table once a statement that names it has passed, and not before', async () => {
    let facts: TableFacts = {
      ...FACTS,
      columns: [{ name: 'id', declared: 'int', nullable: false, octetLength: null, collation: 0 }],
    };
    const { one } = book({ facts: () => facts });
    const map = { ...tableMap(1, 'shop', 't1', 1), names: null, primaryKey: null };
    const nameOf = async (): Promise<string | undefined> => {
      await one.resolve(map);
      return one.find(map)?.columns[0]?.name;
    };
    const statement = (sql: string) => ({
      schema: 'shop',
      sql: Buffer.from(sql),
      threadId: 1,
      nature: 'ddl' as const,
      sqlMode: null,
      charset: null,
    });
    expect(await nameOf()).toBe('id');
    facts = { ...FACTS, columns: facts.columns.map((column) => ({ ...column, name: 'key' })) };
    one.passed(statement('ALTER TABLE other ADD c INT'));
    expect(await nameOf()).toBe('id');
    one.passed(statement('ALTER TABLE `T1` RENAME COLUMN id TO `key`'));
    expect(one.find(map)).toBeUndefined();
    expect(await nameOf()).toBe('key');
  });
});
