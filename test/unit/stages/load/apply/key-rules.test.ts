/** The rules without which folding, or a shared statement, would leave the target otherwise than the source. */
import { describe, expect, it } from 'vitest';
import { ROW_FLAG } from '../../../../../model/rows.ts';
import type { TableRoute } from '../../../../../model/table-route.ts';
import type { TableShape } from '../../../../../model/table-shape.ts';
import { batchStatements } from '../../../../../stages/load/apply/batch-statements.ts';
import { planTable } from '../../../../../stages/load/apply/table-plan.ts';
import type { TargetTable, TargetTraits } from '../../../../../stages/load/apply/target-table.ts';
import {
  type Change,
  insert,
  int,
  MARIADB,
  MYSQL56,
  payloadOf,
  remove,
  routeOf,
  shapeOf,
  targetColumn,
  targetOf,
  unique,
  update,
  varchar,
} from './paper.ts';

interface Options {
  readonly traits?: TargetTraits;
  readonly target?: Partial<TargetTable>;
  readonly others?: readonly TableShape[];
  readonly route?: (shape: TableShape) => Partial<TableRoute>;
  readonly order?: string;
}

async function built(shape: TableShape, changes: readonly Change[], options: Options = {}) {
  const shapes = [shape, ...(options.others ?? [])];
  const result = await batchStatements({
    payload: payloadOf(shape, changes),
    routes: shapes.map((one, table) => ({ ...routeOf(one, table), ...options.route?.(one) })),
    traits: options.traits ?? MARIADB,
    plan: async (one, route) =>
      planTable(one, route, targetOf({ ...one, table: route.name }, options.target)),
    maxStatementBytes: 1024 * 1024,
    compare: false,
    order: options.order ?? null,
    signal: new AbortController().signal,
  });
  return { ...result, sql: result.statements.map(({ sql }) => sql.toString('utf8')) };
}

const table = shapeOf([int('id'), int('a'), varchar('b')], [0]);

describe('tables that become one', () => {
  it('are told apart by the constant part of their key: a row of one is not that of the other', async () => {
    const [t1, t2] = [shapeOf([int('id'), int('v')], [0], 't1'), shapeOf([int('id'), int('v')], [0], 't2')];
    const { sql, ordered } = await built(
      t1,
      [
        { ...insert(1, 10), shape: t1 },
        { ...remove(1, 20), shape: t2 },
      ],
      {
        others: [t2],
        target: {
          columns: [targetColumn('shard'), targetColumn('id'), targetColumn('v')],
          uniqueKeys: [unique('PRIMARY', ['shard', 'id'])],
        },
        route: (shape) => ({
          name: 't',
          columns: [
            { kind: 'column', name: 'id', index: 0 },
            { kind: 'column', name: 'v', index: 1 },
            { kind: 'constant', name: 'shard', text: shape.table },
          ],
        }),
      },
    );
    expect(ordered.size).toBe(0);
    expect(sql).toEqual([
      "DELETE FROM `dst`.`t` WHERE `id` IN (1) AND `shard`=_utf8mb4 X'7432'",
      "INSERT INTO `dst`.`t` (`id`,`v`,`shard`) VALUES (1,10,_utf8mb4 X'7431')",
    ]);
  });

  it('are not folded together where different columns make up their keys', async () => {
    const t1 = shapeOf([int('x'), int('y')], [0], 't1');
    const t2 = shapeOf([int('x'), int('y')], [1], 't2');
    const { ordered } = await built(
      t1,
      [
        { ...insert(1, 2), shape: t1 },
        { ...remove(2, 1), shape: t2 },
      ],
      {
        others: [t2],
        target: {
          columns: [targetColumn('x', { nullable: false }), targetColumn('y', { nullable: false })],
          uniqueKeys: [unique('PRIMARY', ['x']), unique('y', ['y'])],
        },
        route: () => ({ name: 't' }),
      },
    );
    expect([...ordered.values()]).toEqual(['the key comes in two forms']);
  });
});

describe('values that foreign keys point to', () => {
  const target: Partial<TargetTable> = {
    foreignKeyGroup: 0,
    referenced: true,
    referencedColumns: ['a'],
    uniqueKeys: [unique('PRIMARY', ['id']), unique('a', ['a'])],
  };

  it('change in order: what was cascaded on the way is not undone when a value comes back', async () => {
    const { sql, ordered } = await built(
      table,
      [update([1, 10, 'x'], [1, 15, 'x']), update([1, 15, 'x'], [1, 10, 'x'])],
      { target },
    );
    expect([...ordered.values()]).toEqual(['a value changes that foreign keys point to']);
    expect(sql).toHaveLength(1);
    expect(sql[0]).toMatch(/VALUES \(1,15,'x'\),\(1,10,'x'\) ON DUPLICATE KEY UPDATE/);
  });

  it('and those that stay are folded', async () => {
    const changes = [update([1, 10, 'x'], [1, 10, 'y']), update([1, 10, 'y'], [1, 10, 'z'])];
    expect((await built(table, changes, { target })).ordered.size).toBe(0);
  });
});

describe('checks that some events ask to be off', () => {
  it('are on for the others, also without another table of the batch', async () => {
    const { statements, ordered } = await built(
      table,
      [{ ...insert(1, 1, 'x'), flags: ROW_FLAG.noForeignKeyChecks }, insert(2, 2, 'y')],
      { target: { foreignKeyGroup: 0 } },
    );
    expect([...ordered.values()]).toEqual(['checks are off for some of its changes only']);
    expect(statements.map(({ checksOff }) => checksOff)).toEqual([1, 0]);
  });

  it('do not matter to a table without foreign keys', async () => {
    const changes = [{ ...insert(1, 1, 'x'), flags: ROW_FLAG.noForeignKeyChecks }, insert(2, 2, 'y')];
    expect((await built(table, changes)).ordered.size).toBe(0);
  });
});

describe('triggers that a rule allows', () => {
  it('see every change, in the source’s order, each by its own kind of statement', async () => {
    const { sql, ordered } = await built(
      table,
      [
        update([1, 1, 'x'], [1, 2, 'x']),
        update([1, 2, 'x'], [1, 3, 'x']),
        remove(2, 2, 'y'),
        remove(3, 3, 'y'),
        insert(4, 4, 'z'),
      ],
      { target: { triggers: ['tr'] }, route: () => ({ triggers: 'allow' }) },
    );
    expect([...ordered.values()]).toEqual(['triggers see every change']);
    expect(sql).toEqual([
      "UPDATE `dst`.`t` SET `a`=2,`b`='x' WHERE `id`=1",
      "UPDATE `dst`.`t` SET `a`=3,`b`='x' WHERE `id`=1",
      'DELETE FROM `dst`.`t` WHERE `id` IN (2)',
      'DELETE FROM `dst`.`t` WHERE `id` IN (3)',
      "INSERT INTO `dst`.`t` (`id`,`a`,`b`) VALUES (4,4,'z')",
    ]);
  });

  it('are refused without it', async () => {
    await expect(built(table, [insert(1, 1, 'x')], { target: { triggers: ['tr'] } })).rejects.toMatchObject({
      code: 'HOLT_TARGET_TRIGGER',
    });
  });
});

describe('partial updates', () => {
  const partial = (
    id: number,
    after: readonly (number | string | null)[],
    columns: readonly number[],
  ): Change => ({
    op: 'update',
    before: [id],
    beforeColumns: [0],
    after: [0, ...after],
    afterColumns: columns,
  });
  const FAIL = '(SELECT 1 UNION ALL SELECT 2)';
  const FAIL_AS_TEXT = '(SELECT NULL UNION ALL SELECT NULL)';

  it('of the same columns are one statement, which says how many rows it must find', async () => {
    const { sql, statements } = await built(table, [
      partial(1, [10], [1]),
      partial(2, [null], [1]),
      partial(3, [0, 'x'], [2]),
      partial(4, [40], [1]),
      partial(5, [0, 'x'], [2]),
    ]);
    expect(sql).toEqual([
      `UPDATE \`dst\`.\`t\` SET \`a\`=CASE \`id\` WHEN 1 THEN 10 WHEN 2 THEN NULL WHEN 4 THEN 40 ELSE ${FAIL} END WHERE \`id\` IN (1,2,4)`,
      "UPDATE `dst`.`t` SET `b`='x' WHERE `id` IN (3,5)",
    ]);
    expect(statements.map(({ kind, rows }) => [kind, rows])).toEqual([
      ['update', 3],
      ['update', 2],
    ]);
  });

  it('of full before images and after images without what stayed, as MariaDB’s FULL_NODUP has them, too', async () => {
    const nodup = (id: number, a: number, changed: number): Change => ({
      op: 'update',
      before: [id, a, 'x'],
      after: [0, changed],
      afterColumns: [1],
    });
    const { sql, ordered } = await built(table, [nodup(1, 1, 5), nodup(1, 5, 6), nodup(2, 2, 7)]);
    expect(ordered.size).toBe(0);
    expect(sql).toEqual([
      `UPDATE \`dst\`.\`t\` SET \`a\`=CASE \`id\` WHEN 1 THEN 6 WHEN 2 THEN 7 ELSE ${FAIL} END WHERE \`id\` IN (1,2)`,
    ]);
  });

  it('after images without what stayed keep the row’s key and its unique values', async () => {
    const moved: Change = { op: 'update', before: [1, 10, 'x'], after: [9], afterColumns: [0] };
    const { sql, ordered } = await built(table, [moved]);
    expect([...ordered.values()]).toEqual(['a key changes, and the row must stay the same row']);
    expect(sql).toEqual(['UPDATE `dst`.`t` SET `id`=9 WHERE `id`=1']);
  });

  it('are found by keys of several columns, one by one for servers that would read the whole table', async () => {
    const composite = shapeOf([int('a'), int('b'), int('v')], [0, 1]);
    const of = (a: number, b: number, v: number): Change => ({
      op: 'update',
      before: [a, b],
      beforeColumns: [0, 1],
      after: [0, 0, v],
      afterColumns: [2],
    });
    const changes = [of(1, 2, 3), of(4, 5, 6)];
    const cases = `CASE WHEN \`a\`=1 AND \`b\`=2 THEN 3 WHEN \`a\`=4 AND \`b\`=5 THEN 6 ELSE ${FAIL} END`;
    expect((await built(composite, changes)).sql).toEqual([
      `UPDATE \`dst\`.\`t\` SET \`v\`=${cases} WHERE (\`a\`,\`b\`) IN ((1,2),(4,5))`,
    ]);
    expect((await built(composite, changes, { traits: MYSQL56 })).sql).toEqual([
      `UPDATE \`dst\`.\`t\` SET \`v\`=${cases} WHERE (\`a\`=1 AND \`b\`=2) OR (\`a\`=4 AND \`b\`=5)`,
    ]);
  });

  it('in order share a statement only where they set nothing unique, and each row once', async () => {
    const changes = [partial(1, [0, 'x'], [2]), partial(2, [0, 'y'], [2]), partial(1, [0, 'z'], [2])];
    const target = { uniqueKeys: [unique('PRIMARY', ['id']), unique('a', ['a'], { nullable: true })] };
    expect((await built(table, changes, { target, order: 'by test' })).sql).toEqual([
      `UPDATE \`dst\`.\`t\` SET \`b\`=CASE \`id\` WHEN 1 THEN 'x' WHEN 2 THEN 'y' ELSE ${FAIL_AS_TEXT} END WHERE \`id\` IN (1,2)`,
      "UPDATE `dst`.`t` SET `b`='z' WHERE `id`=1",
    ]);
    const moving = [partial(1, [10], [1]), partial(2, [20], [1])];
    expect((await built(table, moving, { target, order: 'by test' })).sql).toEqual([
      'UPDATE `dst`.`t` SET `a`=10 WHERE `id`=1',
      'UPDATE `dst`.`t` SET `a`=20 WHERE `id`=2',
    ]);
  });

  it('of many rows are cut', async () => {
    const changes = Array.from({ length: 150 }, (_, i) => partial(i, [i * 2], [1]));
    const { statements } = await built(table, changes);
    expect(statements.map(({ rows }) => rows)).toEqual([64, 64, 22]);
  });
});
