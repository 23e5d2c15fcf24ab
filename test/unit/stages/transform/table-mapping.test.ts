import { describe, expect, test } from 'vitest';
import type { TableRuleConfig } from '../../../../model/config.ts';
import type { TableShape } from '../../../../model/table-shape.ts';
import { TableMapping } from '../../../../stages/transform/table-mapping.ts';

const shape: TableShape = {
  schema: 'shop',
  table: 'orders',
  columns: ['id', 'region', 'note'].map((name) => ({
    name,
    type: 3,
    meta: 0,
    nullable: false,
    unsigned: false,
    collation: 0,
    carrier: 'binlog',
    declared: null,
  })),
  key: [0],
  hasPrimaryKey: true,
};

function rule(
  columns: Partial<TableRuleConfig['columns']>,
  to: TableRuleConfig['to'] = { schema: null, table: null },
  match = 'shop.*',
): TableRuleConfig {
  return {
    match,
    to,
    columns: { rename: {}, drop: [], order: null, constant: {}, ...columns },
    where: null,
    processor: null,
  };
}

describe('TableMapping', () => {
  test('never writes what only a server can make', () => {
    const hiding: TableShape = {
      ...shape,
      columns: shape.columns.map((column, index) =>
        index === 2 ? { ...column, hidden: true as const } : column,
      ),
    };
    for (const rules of [[], [rule({ rename: { id: 'key' } })]])
      expect(
        new TableMapping(rules)
          .route(hiding, 0)
          .columns.map((column) => column.kind === 'column' && column.index),
      ).toEqual([0, 1]);
  });

  test('leaves a table that no rule matches as it is', () => {
    expect(new TableMapping([rule({ drop: ['id'] }, undefined, 'other.*')]).route(shape, 3)).toEqual({
      table: 3,
      schema: 'shop',
      name: 'orders',
      columns: [
        { kind: 'column', name: 'id', index: 0 },
        { kind: 'column', name: 'region', index: 1 },
        { kind: 'column', name: 'note', index: 2 },
      ],
    });
  });

  test('renames, drops, reorders and adds constants; the first matching rule counts', () => {
    const mapping = new TableMapping([
      rule(
        {
          rename: { id: 'order_id' },
          drop: ['note'],
          order: ['came_from', 'order_id'],
          constant: { came_from: 'east' },
        },
        { schema: 'eu', table: null },
      ),
      rule({ drop: ['region'] }),
    ]);
    expect(mapping.route(shape, 0)).toEqual({
      table: 0,
      schema: 'eu',
      name: 'orders',
      columns: [
        { kind: 'constant', name: 'came_from', text: 'east' },
        { kind: 'column', name: 'order_id', index: 0 },
        { kind: 'column', name: 'region', index: 1 },
      ],
    });
  });

  test('a constant takes the place of the column of that name', () => {
    expect(new TableMapping([rule({ constant: { note: null } })]).route(shape, 0).columns).toEqual([
      { kind: 'column', name: 'id', index: 0 },
      { kind: 'column', name: 'region', index: 1 },
      { kind: 'constant', name: 'note', text: null },
    ]);
  });

  test.each([[{ rename: { nope: 'x' } }], [{ drop: ['nope'] }], [{ order: ['nope'] }]])(
    'a column that is not there pauses: %j',
    (columns) => {
      expect(() => new TableMapping([rule(columns)]).route(shape, 0)).toThrow(
        expect.objectContaining({ code: 'HOLT_MAPPING_COLUMN_MISSING', disposition: 'pause' }),
      );
    },
  );
});
