import { describe, expect, test } from 'vitest';
import { fitsDeclared } from '../../../../canal/schema/declared-type.ts';
import type { ColumnFacts } from '../../../../canal/schema/table-facts.ts';
import { compileRowScanner } from '../../../../canal/value/row-scanner.ts';
import { declaredShape } from '../../../../node/doctor/declared-shape.ts';

const DECLARED = [
  'tinyint(1)',
  'smallint(6)',
  'mediumint(9) unsigned',
  'int(11)',
  'int',
  'bigint(20) unsigned zerofill',
  'float',
  'double',
  'decimal(10,2)',
  'decimal(65,30)',
  'year(4)',
  'date',
  'time',
  'time(6)',
  'datetime',
  'datetime(3)',
  'timestamp',
  'timestamp(6)',
  'char(10)',
  'binary(16)',
  'varchar(255)',
  'varbinary(3000)',
  'tinytext',
  'text',
  'mediumblob',
  'longtext',
  'json',
  "enum('a','b')",
  "set('a','b')",
  'bit(1)',
  'bit(17)',
  'uuid',
  'inet6',
  'inet4',
  'geometry',
  'point',
  'geomcollection',
  'xmltype',
] as const;

function column(declared: string, facts: Partial<ColumnFacts> = {}): ColumnFacts {
  const octets = /^(?:var)?(?:char|binary)\((\d+)\)/.exec(declared)?.[1];
  return {
    name: 'c',
    declared,
    nullable: false,
    octetLength: octets === undefined ? null : BigInt(octets),
    collation: 45,
    ...facts,
  };
}

describe('declaredShape()', () => {
  test.each(DECLARED)('%s stands in the log as the check of table maps expects it', (declared) => {
    const facts = column(declared);
    const shape = declaredShape('s', 't', { columns: [facts], primaryKey: [], uniqueKeys: [] });
    const [made] = shape.columns;
    expect(made).toBeDefined();
    expect(fitsDeclared(facts, made?.type ?? -1, made?.meta ?? -1)).toBe(true);
    expect(made?.unsigned).toBe(/unsigned/.test(declared));
    expect(() => compileRowScanner(shape)).not.toThrow();
  });

  test('the key is the primary key in its order, else a unique key without NULL', () => {
    const columns = [
      column('int', { name: 'a' }),
      column('int', { name: 'b' }),
      column('int', { name: 'n', nullable: true }),
    ];
    const uniqueKeys = [
      { name: 'with_null', columns: ['n'], partial: false },
      { name: 'part', columns: ['a'], partial: true },
      { name: 'whole', columns: ['b'], partial: false },
    ];
    const shapeOf = (primaryKey: readonly string[], unique = uniqueKeys) =>
      declaredShape('s', 't', { columns, primaryKey, uniqueKeys: unique });
    expect(shapeOf(['b', 'a'])).toMatchObject({ key: [1, 0], hasPrimaryKey: true });
    expect(shapeOf([])).toMatchObject({ key: [1], hasPrimaryKey: false });
    expect(shapeOf([], [])).toMatchObject({ key: [], hasPrimaryKey: false });
  });
});
