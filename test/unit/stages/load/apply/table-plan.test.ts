import { describe, expect, it } from 'vitest';
import type { TableRoute } from '../../../../../model/table-route.ts';
import { planTable } from '../../../../../stages/load/apply/table-plan.ts';
import type { TargetTable } from '../../../../../stages/load/apply/target-table.ts';
import { int, planOf, routeOf, shapeOf, targetColumn, targetOf, unique, varchar } from './paper.ts';

const shape = shapeOf([int('id'), int('a'), varchar('b')], [0]);
const names = (columns: readonly { readonly quoted: string }[]) => columns.map(({ quoted }) => quoted);

describe('the key by which rows are found', () => {
  it('is the primary key of the target', () => {
    const plan = planOf(shape, {
      uniqueKeys: [unique('PRIMARY', ['id']), unique('u', ['a'], { nullable: true })],
    });
    expect(names(plan.identity)).toEqual(['`id`']);
    expect(plan.secondaryKeys).toEqual([{ name: 'u', number: 1, indexes: [1] }]);
  });

  it('is a key within the source’s own where there is one, since partial images have no other columns', () => {
    const plan = planOf(shape, { uniqueKeys: [unique('PRIMARY', ['a']), unique('u', ['id'])] });
    expect(names(plan.identity)).toEqual(['`id`']);
    expect(plan.secondaryKeys).toEqual([{ name: 'PRIMARY', number: 0, indexes: [1] }]);
  });

  it('is none that may be NULL, has a prefix, an expression, or a column that is not written', () => {
    const plan = planOf(shape, {
      columns: [...targetOf(shape).columns, targetColumn('other')],
      uniqueKeys: [
        unique('PRIMARY', ['other']),
        unique('n', ['a'], { nullable: true }),
        unique('p', ['b'], { prefix: true }),
        unique('x', [null]),
      ],
    });
    expect(plan.identity).toEqual([]);
    expect(plan.secondaryKeys.map(({ name, indexes }) => [name, indexes])).toEqual([
      ['PRIMARY', null],
      ['n', [1]],
      ['p', null],
      ['x', null],
    ]);
  });

  it('may have constant parts', () => {
    const route: TableRoute = {
      ...routeOf(shape),
      columns: [...routeOf(shape).columns, { kind: 'constant', name: 'site', text: "e'" }],
    };
    const target = targetOf(shape, {
      columns: [...targetOf(shape).columns, targetColumn('site')],
      uniqueKeys: [unique('PRIMARY', ['site', 'id'])],
    });
    const plan = planTable(shape, route, target);
    expect(names(plan.identity)).toEqual(['`id`']);
    expect(plan.identityConstants.map(({ literal }) => literal)).toEqual(["_utf8mb4 X'6527'"]);
  });
});

describe('a table is refused', () => {
  const cases: readonly (readonly [string, string, Partial<TargetTable>])[] = [
    ['HOLT_TARGET_ENGINE', 'that is not transactional', { engine: 'MyISAM' }],
    ['HOLT_TARGET_ENGINE', 'that is a view', { engine: 'VIEW' }],
    ['HOLT_TARGET_TRIGGER', 'that has triggers', { triggers: ['t1'] }],
    ['HOLT_TARGET_COLUMN_MISSING', 'that lacks a column', { columns: targetOf(shape).columns.slice(0, 2) }],
    [
      'HOLT_TARGET_COLUMN_UNFILLED',
      'that has a column nobody fills',
      { columns: [...targetOf(shape).columns, targetColumn('c', { nullable: false, hasDefault: false })] },
    ],
    [
      'HOLT_TARGET_COLUMN_TYPE',
      'that has another type',
      {
        columns: [
          targetColumn('id'),
          targetColumn('a', { dataType: 'date', columnType: 'date' }),
          targetColumn('b'),
        ],
      },
    ],
  ];
  it.each(cases)('%s: %s', (code, _, change) => {
    expect(() => planOf(shape, change)).toThrow(expect.objectContaining({ code, disposition: 'retry' }));
  });
});

it('columns that the target computes are not written', () => {
  const [id, a, b] = targetOf(shape).columns;
  const plan = planOf(shape, {
    columns: [id, { ...a, generated: true }, b] as TargetTable['columns'],
    uniqueKeys: [unique('PRIMARY', ['id']), unique('a', ['a'])],
  });
  expect(names(plan.columns)).toEqual(['`id`', '`b`']);
  expect(plan.hasOtherColumns).toBe(false);
  expect(plan.secondaryKeys).toEqual([{ name: 'a', number: 1, indexes: null }]);
});

it('text in another character set says which, and is compared in the target’s', () => {
  const latin = shapeOf([{ ...varchar('k'), collation: 8 }], [0]);
  const [column] = planOf(latin).columns;
  expect(column).toMatchObject({
    introducer: '_latin1',
    keyPrefix: 'CONVERT(_latin1',
    keySuffix: ' USING utf8mb4) COLLATE utf8mb4_general_ci',
  });
  const ascii = shapeOf([{ ...varchar('k'), collation: 11 }], [0]);
  expect(planOf(ascii).columns[0]?.introducer).toBe('');
});
