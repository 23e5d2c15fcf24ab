import { describe, expect, it } from 'vitest';
import type { TableMap } from '../../../../canal/event/event.ts';
import { completeShape } from '../../../../canal/schema/complete-shape.ts';
import { fitsDeclared } from '../../../../canal/schema/declared-type.ts';
import type { ColumnFacts, TableFacts } from '../../../../canal/schema/table-facts.ts';
import { tableMap } from '../assembler/event-script.ts';

function column(name: string, declared: string, facts: Partial<ColumnFacts> = {}): ColumnFacts {
  return { name, declared, nullable: true, octetLength: null, collation: 0, ...facts };
}

/** `id INT NOT NULL, name VARCHAR(10) utf8mb4, amount DECIMAL(8,2) UNSIGNED` */
const MAP: TableMap = {
  ...tableMap(1, 'shop', 't', 3),
  types: [3, 15, 246],
  metas: [0, 40, (8 << 8) | 2],
  names: null,
  primaryKey: null,
};
const FACTS: TableFacts = {
  columns: [
    column('id', 'int(11)', { nullable: false }),
    column('name', 'varchar(10)', { octetLength: 40n, collation: 45 }),
    column('amount', 'decimal(8,2) unsigned'),
  ],
  primaryKey: ['id'],
  uniqueKeys: [],
  type: 'BASE TABLE',
};

describe('completeShape without names in the log', () => {
  it('takes names, signedness, collation and key from the table', () => {
    expect(completeShape(MAP, FACTS)).toEqual({
      fault: null,
      shape: {
        schema: 'shop',
        table: 't',
        columns: [
          expect.objectContaining({
            name: 'id',
            type: 3,
            nullable: false,
            unsigned: false,
            declared: 'int(11)',
          }),
          expect.objectContaining({ name: 'name', type: 15, meta: 40, nullable: true, collation: 45 }),
          expect.objectContaining({ name: 'amount', unsigned: true, carrier: 'binlog' }),
        ],
        key: [0],
        hasPrimaryKey: true,
      },
    });
  });

  const [id, name, amount] = FACTS.columns as [ColumnFacts, ColumnFacts, ColumnFacts];
  const altered: readonly [string, readonly ColumnFacts[]][] = [
    ['a column more', [id, name, amount, column('x', 'int')]],
    ['a column less', [id, name]],
    ['another type', [id, column('name', 'text', { collation: 45 }), amount]],
    ['another length', [id, { ...name, declared: 'varchar(20)', octetLength: 80n }, amount]],
    ['another precision', [id, name, column('amount', 'decimal(9,2) unsigned')]],
    ['another nullability', [id, { ...name, nullable: false }, amount]],
    ['other order', [name, id, amount]],
  ];
  it.each(altered)('refuses a table that has %s now, naming both', (_, columns) => {
    const { fault, shape } = completeShape(MAP, { ...FACTS, columns });
    expect(fault).toMatchObject({
      code: 'HOLT_SCHEMA_MISMATCH',
      disposition: 'pause',
      facts: { table: 'shop.t', logged: ['int not null', 'varchar(40 bytes)', 'decimal(8,2)'] },
    });
    expect(fault?.facts.now).toHaveLength(columns.length);
    expect(shape.columns.map((one) => one.type)).toEqual(MAP.types);
  });

  it('refuses other signedness and collation where the log has them', () => {
    const minimal = { ...MAP, unsigned: [false, false, true], collations: [0, 45, 0] };
    expect(completeShape(minimal, FACTS).fault).toBeNull();
    const unsigned = { ...FACTS, columns: [{ ...id, declared: 'int unsigned' }, name, amount] };
    expect(completeShape(minimal, unsigned).fault?.code).toBe('HOLT_SCHEMA_MISMATCH');
    const latin1 = { ...FACTS, columns: [id, { ...name, collation: 8 }, amount] };
    expect(completeShape(minimal, latin1).fault?.code).toBe('HOLT_SCHEMA_MISMATCH');
  });

  it('says when the table is gone', () => {
    expect(completeShape(MAP, null).fault).toMatchObject({ code: 'HOLT_SCHEMA_UNREADABLE' });
  });
});

describe('completeShape with names in the log', () => {
  const FULL: TableMap = {
    ...MAP,
    names: ['key', 'title', 'amount'],
    primaryKey: [0],
    unsigned: [false, false, true],
    collations: [0, 255, 0],
  };

  it('believes the log, whatever the table is now', () => {
    for (const facts of [null, FACTS]) {
      const { shape, fault } = completeShape(FULL, facts);
      expect(fault).toBeNull();
      expect(shape.columns.map((one) => one.name)).toEqual(['key', 'title', 'amount']);
      expect(shape.columns[1]?.collation).toBe(255);
      expect(shape).toMatchObject({ key: [0], hasPrimaryKey: true });
    }
  });

  it('takes declared types only of columns that still fit', () => {
    const { shape } = completeShape(FULL, FACTS);
    expect(shape.columns.map((one) => one.declared)).toEqual([null, null, 'decimal(8,2) unsigned']);
  });
});

describe('the key', () => {
  const unique = (name: string, columns: string[], partial = false) => ({ name, columns, partial });

  it('is the smallest unique key without NULL where there is no primary key', () => {
    const map = { ...MAP, nullable: Uint8Array.of(0b100) };
    const columns = FACTS.columns.map((one, index) => ({ ...one, nullable: index === 2 }));
    const facts = (keys: TableFacts['uniqueKeys']): TableFacts => ({
      columns,
      primaryKey: [],
      uniqueKeys: keys,
    });
    const keyOf = (keys: TableFacts['uniqueKeys']) => completeShape(map, facts(keys)).shape;
    expect(keyOf([unique('b', ['id', 'name']), unique('c', ['name'])])).toMatchObject({
      key: [1],
      hasPrimaryKey: false,
    });
    expect(keyOf([unique('a', ['name'], true), unique('b', ['amount'])]).key).toEqual([]);
    expect(keyOf([unique('z', ['name', 'id'])]).key).toEqual([1, 0]);
  });

  it('keeps the order of a composite primary key', () => {
    expect(completeShape(MAP, { ...FACTS, primaryKey: ['name', 'id'] }).shape.key).toEqual([1, 0]);
  });
});

describe('columns that MariaDB logs and does not show', () => {
  const one = column('id', 'int', { nullable: false });
  const logged = (types: number[], metas: number[], nullable: number): TableMap => ({
    ...tableMap(1, 'shop', 't', types.length),
    types,
    metas,
    nullable: Uint8Array.of(nullable),
    names: null,
    primaryKey: null,
  });
  const hidden = (map: TableMap, facts: Partial<TableFacts>) => {
    const { shape, fault } = completeShape(map, {
      columns: [one],
      primaryKey: ['id'],
      uniqueKeys: [],
      ...facts,
    });
    return fault?.code ?? shape.columns.filter((found) => found.hidden).map((found) => found.name);
  };
  const hash = { name: 'u', columns: ['long'], partial: true, isHash: true };

  it('are the period of a versioned table, of timestamps or of transactions', () => {
    const type = 'SYSTEM VERSIONED';
    expect(hidden(logged([3, 17, 17], [0, 6, 6], 0), { type })).toEqual(['row_start', 'row_end']);
    expect(hidden(logged([3, 8, 8], [0, 0, 0], 0), { type })).toEqual(['row_start', 'row_end']);
    expect(hidden(logged([3, 17, 17], [0, 6, 6], 0), {})).toBe('HOLT_SCHEMA_MISMATCH');
  });

  it('are a hash for each long unique key, also in a versioned table whose period is declared', () => {
    expect(hidden(logged([3, 8], [0, 0], 2), { uniqueKeys: [hash] })).toEqual(['DB_ROW_HASH_1']);
    expect(hidden(logged([3, 8], [0, 0], 2), { uniqueKeys: [hash], type: 'SYSTEM VERSIONED' })).toEqual([
      'DB_ROW_HASH_1',
    ]);
    expect(hidden(logged([3, 8], [0, 0], 2), {})).toBe('HOLT_SCHEMA_MISMATCH');
  });

  it('are known by name where the log has names', () => {
    const map = { ...logged([3, 8], [0, 0], 2), names: ['id', 'DB_ROW_HASH_1'], primaryKey: [0] };
    expect(hidden(map, {})).toEqual(['DB_ROW_HASH_1']);
    expect(hidden(map, { columns: [one, column('DB_ROW_HASH_1', 'bigint')] })).toEqual([]);
  });
});

describe('Holt’s own tables', () => {
  it('may have grown at the end since', () => {
    const map = { ...MAP, schema: 'holt', table: 'checkpoint' };
    const grown = { ...FACTS, columns: [...FACTS.columns, column('later', 'int')] };
    expect(completeShape(map, grown).fault).toBeNull();
    expect(completeShape(map, null).fault).toBeNull();
  });
});

describe('fitsDeclared', () => {
  const cases: readonly [string, number, number, boolean][] = [
    ['tinyint(1)', 1, 0, true],
    ['bigint(20) unsigned', 8, 0, true],
    ['int', 8, 0, false],
    ['float', 4, 4, true],
    ['double', 5, 8, true],
    ['decimal(65,30)', 246, (65 << 8) | 30, true],
    ['decimal(65,30)', 246, (64 << 8) | 30, false],
    ['datetime(6)', 18, 6, true],
    ['datetime(3)', 18, 6, false],
    ['datetime', 12, 0, true],
    ['timestamp(2)', 17, 2, true],
    ['time', 19, 0, true],
    ['date', 10, 0, true],
    ['year(4)', 13, 0, true],
    ['text', 252, 2, true],
    ['mediumtext', 252, 2, false],
    ['longblob', 252, 4, true],
    ['json', 245, 4, true],
    ['longtext', 245, 4, false],
    ["enum('a','b')", 247, 1, true],
    ["set('a')", 248, 1, true],
    ['bit(1)', 16, 1, true],
    ['bit(10)', 16, (1 << 8) | 2, true],
    ['bit(64)', 16, 8 << 8, true],
    ['uuid', 254, 16, true],
    ['inet4', 254, 4, true],
    ['point', 255, 4, true],
    ['vector(3)', 242, 4, true],
    ['xmltype', 252, 4, true],
  ];
  it.each(cases)('%s as type %i with metadata %i: %s', (declared, type, meta, expected) => {
    expect(fitsDeclared(column('c', declared), type, meta)).toBe(expected);
  });

  it('compares lengths in bytes', () => {
    const char = column('c', 'char(5)', { octetLength: 20n });
    expect(fitsDeclared(char, 254, 20)).toBe(true);
    expect(fitsDeclared(char, 254, 15)).toBe(false);
  });
});
