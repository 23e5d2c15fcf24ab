import { describe, expect, it } from 'vitest';
import { ROW_FLAG } from '../../../../../model/rows.ts';
import type { TableShape } from '../../../../../model/table-shape.ts';
import { batchStatements } from '../../../../../stages/load/apply/batch-statements.ts';
import { planTable } from '../../../../../stages/load/apply/table-plan.ts';
import type { TargetTable, TargetTraits } from '../../../../../stages/load/apply/target-table.ts';
import {
  type Change,
  insert,
  int,
  MARIADB,
  MYSQL,
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
  readonly target?: (shape: TableShape) => Partial<TargetTable>;
  readonly maxStatementBytes?: number;
  readonly compare?: boolean;
  /** Other tables of the payload, in order of appearance after the first. */
  readonly others?: readonly TableShape[];
}

async function built(shape: TableShape, changes: readonly Change[], options: Options = {}) {
  const shapes = [shape, ...(options.others ?? [])];
  const result = await batchStatements({
    payload: payloadOf(shape, changes),
    routes: shapes.map((one, table) => routeOf(one, table)),
    traits: options.traits ?? MARIADB,
    plan: async (one, route) => planTable(one, route, targetOf(one, options.target?.(one))),
    maxStatementBytes: options.maxStatementBytes ?? 1024 * 1024,
    compare: options.compare ?? false,
    signal: new AbortController().signal,
  });
  return { ...result, sql: result.statements.map(({ sql }) => sql.toString('utf8')) };
}

const table = shapeOf([int('id'), int('a'), varchar('b')], [0]);
const GUARD =
  'IF(`dst`.`t`.`id`=VALUES(`id`) OR (SELECT NULL UNION ALL SELECT NULL),`dst`.`t`.`id`,`dst`.`t`.`id`)';

describe('statements', () => {
  it('are few: deletes, absence checks, updates and inserts of a table', async () => {
    const { sql, statements, rows } = await built(table, [
      insert(1, 1, 'one'),
      insert(2, null, "o'b\\"),
      remove(3, 3, 'x'),
      remove(4, 4, 'x'),
      update([5, 5, 'x'], [5, 6, 'y']),
      update([6, 5, 'x'], [6, 7, 'z']),
      insert(7, 7, 'x'),
      remove(7, 7, 'x'),
    ]);
    expect(sql).toEqual([
      'DELETE FROM `dst`.`t` WHERE `id` IN (3,4)',
      'DELETE FROM `dst`.`t` WHERE `id` IN (7)',
      `INSERT INTO \`dst\`.\`t\` (\`id\`,\`a\`,\`b\`) VALUES (5,6,'y'),(6,7,'z') ON DUPLICATE KEY UPDATE \`id\`=${GUARD},\`a\`=VALUES(\`a\`),\`b\`=VALUES(\`b\`)`,
      "INSERT INTO `dst`.`t` (`id`,`a`,`b`) VALUES (1,1,'one'),(2,NULL,'o\\'b\\\\')",
    ]);
    expect(statements.map(({ kind, rows: count }) => [kind, count])).toEqual([
      ['delete', 2],
      ['absence', 1],
      ['upsert', 2],
      ['insert', 2],
    ]);
    expect(rows).toBe(8);
  });

  it('speak of the new row by an alias where VALUES() is deprecated', async () => {
    const { sql } = await built(table, [update([5, 5, 'x'], [5, 6, 'y']), update([6, 5, 'x'], [6, 7, 'z'])], {
      traits: MYSQL,
    });
    expect(sql).toEqual([
      "INSERT INTO `dst`.`t` (`id`,`a`,`b`) VALUES (5,6,'y'),(6,7,'z') AS `holt new row` ON DUPLICATE KEY UPDATE `id`=IF(`dst`.`t`.`id`=`holt new row`.`id` OR (SELECT NULL UNION ALL SELECT NULL),`dst`.`t`.`id`,`dst`.`t`.`id`),`a`=`holt new row`.`a`,`b`=`holt new row`.`b`",
    ]);
  });

  it('update a single row by UPDATE, whose count says whether it was there', async () => {
    const { sql, statements } = await built(table, [update([5, 5, 'x'], [5, 6, 'y'])]);
    expect(sql).toEqual(["UPDATE `dst`.`t` SET `a`=6,`b`='y' WHERE `id`=5"]);
    expect(statements[0]?.kind).toBe('update');
  });

  it('set only what a partial image has', async () => {
    const { sql } = await built(table, [
      { op: 'update', before: [5], beforeColumns: [0], after: [0, 6], afterColumns: [1] },
      { op: 'update', before: [6], beforeColumns: [0], after: [0, 0, null], afterColumns: [2] },
    ]);
    expect(sql).toEqual([
      'UPDATE `dst`.`t` SET `a`=6 WHERE `id`=5',
      'UPDATE `dst`.`t` SET `b`=NULL WHERE `id`=6',
    ]);
  });

  it('leave columns to their defaults that an inserted image lacks', async () => {
    const partial = (id: number): Change => ({ op: 'insert', after: [id, 0, 'x'], afterColumns: [0, 2] });
    const { sql } = await built(table, [partial(1), partial(2), insert(3, 3, 'y')]);
    expect(sql).toEqual([
      "INSERT INTO `dst`.`t` (`id`,`b`) VALUES (1,'x'),(2,'x')",
      "INSERT INTO `dst`.`t` (`id`,`a`,`b`) VALUES (3,3,'y')",
    ]);
  });

  it('keep columns as they are that would change by themselves', async () => {
    const { sql } = await built(
      table,
      [{ op: 'update', before: [5], beforeColumns: [0], after: [0, 0, 'n'], afterColumns: [2] }],
      {
        target: (shape) => ({
          columns: targetOf(shape).columns.map((column) => ({ ...column, autoUpdate: column.name === 'a' })),
        }),
      },
    );
    expect(sql).toEqual(["UPDATE `dst`.`t` SET `a`=`a`,`b`='n' WHERE `id`=5"]);
  });

  it('name keys of several columns as tuples, and one by one for servers that would read the whole table', async () => {
    const composite = shapeOf([int('a'), int('b'), int('v')], [0, 1]);
    const changes = [remove(1, 2, 0), remove(3, 4, 0)];
    expect((await built(composite, changes)).sql).toEqual([
      'DELETE FROM `dst`.`t` WHERE (`a`,`b`) IN ((1,2),(3,4))',
    ]);
    expect((await built(composite, changes, { traits: MYSQL56 })).sql).toEqual([
      'DELETE FROM `dst`.`t` WHERE (`a`=1 AND `b`=2) OR (`a`=3 AND `b`=4)',
    ]);
  });

  it('rewrite keys whose equality is not that of bytes, and look for absent ones by their bytes', async () => {
    const folding = shapeOf([varchar('k'), int('v')], [0]);
    const { sql } = await built(folding, [
      update(['a', 1], ['a', 2]),
      update(['b', 1], ['b', 2]),
      insert('c', 1),
      remove('c', 1),
    ]);
    expect(sql).toEqual([
      "DELETE FROM `dst`.`t` WHERE (`k`='c' AND CAST(`k` AS BINARY)='c')",
      "INSERT INTO `dst`.`t` (`k`,`v`) VALUES ('a',2),('b',2) ON DUPLICATE KEY UPDATE `k`=IF(`dst`.`t`.`k`=VALUES(`k`) OR (SELECT NULL UNION ALL SELECT NULL),VALUES(`k`),VALUES(`k`)),`v`=VALUES(`v`)",
    ]);
  });

  it('look for few keys at once in a small table, which the server would else read and lock as a whole', async () => {
    const small = { target: () => ({ rowEstimate: 45 }) };
    const changes = [remove(1, 1, 'x'), remove(2, 1, 'x'), remove(3, 1, 'x')];
    expect((await built(table, changes, small)).sql).toEqual([
      'DELETE FROM `dst`.`t` WHERE `id` IN (1,2)',
      'DELETE FROM `dst`.`t` WHERE `id` IN (3)',
    ]);
    const { statements } = await built(table, changes, { ...small, compare: true });
    expect(statements.map(({ kind, rows }) => [kind, rows])).toEqual([
      ['compare', 2],
      ['compare', 1],
      ['delete', 2],
      ['delete', 1],
    ]);
  });

  it('do not use up numbers of an AUTO_INCREMENT column of the target’s own', async () => {
    const { sql } = await built(table, [update([1, 1, 'x'], [1, 2, 'x']), update([2, 1, 'x'], [2, 2, 'x'])], {
      target: (shape) => ({
        columns: [...targetOf(shape).columns, targetColumn('row_id', { autoIncrement: true })],
      }),
    });
    expect(sql).toEqual(["UPDATE `dst`.`t` SET `a`=2,`b`='x' WHERE `id` IN (1,2)"]);
  });

  it('are cut before they get too long', async () => {
    const changes = Array.from({ length: 100 }, (_, i) => update([i, 0, 'x'], [i, 1, 'y'.repeat(20)]));
    const { statements } = await built(table, changes, { maxStatementBytes: 800 });
    expect(statements.length).toBeGreaterThan(3);
    for (const { sql } of statements) expect(sql.length).toBeLessThanOrEqual(800);
    expect(statements.reduce((sum, { rows }) => sum + rows, 0)).toBe(100);
    const text = statements.map(({ sql }) => sql.toString()).join('\n');
    for (let i = 0; i < 100; i++) expect(text).toMatch(new RegExp(`\\(${i},1,'y{20}'\\)|\`id\`=${i}$`, 'm'));
  });

  it('of a row larger than the target takes are not made: row by row it is told from the others', async () => {
    const { statements, mustBeCareful } = await built(
      table,
      [insert(1, 1, 'x'.repeat(60)), insert(2, 1, 'y')],
      {
        traits: { ...MARIADB, maxAllowedPacket: 150 },
      },
    );
    expect(statements).toEqual([]);
    expect(mustBeCareful).toMatch(
      /a row of dst.t makes a statement of [0-9]+ bytes.*max_allowed_packet is 150/,
    );
  });

  it('are the same every time', async () => {
    const changes = Array.from({ length: 50 }, (_, i) =>
      i % 3 === 0 ? remove(i, 1, 'x') : insert(i, 1, 'x'),
    );
    expect((await built(table, changes)).sql).toEqual((await built(table, changes)).sql);
  });
});

describe('in the source’s order, runs of rows still share statements', () => {
  const secondary = (): Partial<TargetTable> => ({
    uniqueKeys: [unique('PRIMARY', ['id']), unique('a', ['a'], { nullable: true })],
  });

  it('when unique values move between rows', async () => {
    const changes = [
      update([1, 10, 'x'], [1, 30, 'x']),
      update([2, 20, 'x'], [2, 10, 'x']),
      update([1, 30, 'x'], [1, 20, 'x']),
      insert(3, 31, 'x'),
      insert(4, 40, 'x'),
    ];
    const { sql, ordered } = await built(table, changes, { target: secondary });
    expect([...ordered]).toEqual([['dst.t', 'a value of a unique key goes from one row to another']]);
    expect(sql).toEqual([
      `INSERT INTO \`dst\`.\`t\` (\`id\`,\`a\`,\`b\`) VALUES (1,30,'x'),(2,10,'x'),(1,20,'x') ON DUPLICATE KEY UPDATE \`id\`=${GUARD},\`a\`=VALUES(\`a\`),\`b\`=VALUES(\`b\`)`,
      "INSERT INTO `dst`.`t` (`id`,`a`,`b`) VALUES (3,31,'x'),(4,40,'x')",
    ]);
  });

  it('but not when each keeps its own, or takes one that nobody had', async () => {
    const { ordered } = await built(
      table,
      [
        update([1, 10, 'x'], [1, 10, 'y']),
        update([2, 20, 'x'], [2, 21, 'x']),
        update([3, 30, 'x'], [3, 31, 'x']),
      ],
      { target: secondary },
    );
    expect(ordered.size).toBe(0);
  });

  it('when partial images hide which values move', async () => {
    const hidden = (id: number, a: number): Change => ({
      op: 'update',
      before: [id],
      beforeColumns: [0],
      after: [0, a],
      afterColumns: [1],
    });
    expect((await built(table, [hidden(1, 5), hidden(2, 6)], { target: secondary })).ordered.size).toBe(1);
    expect((await built(table, [hidden(1, 5)], { target: secondary })).ordered.size).toBe(0);
  });

  it('without a key, one row at a time, by all its bytes', async () => {
    const keyless = shapeOf([int('a'), varchar('b')], []);
    const { sql } = await built(keyless, [
      insert(1, 'x'),
      insert(1, 'x'),
      update([1, 'x'], [2, null]),
      remove(2, null),
    ]);
    expect(sql).toEqual([
      "INSERT INTO `dst`.`t` (`a`,`b`) VALUES (1,'x'),(1,'x')",
      "UPDATE `dst`.`t` SET `a`=2,`b`=NULL WHERE `a`=1 AND `b`='x' AND CAST(`b` AS BINARY)='x' LIMIT 1",
      'DELETE FROM `dst`.`t` WHERE `a`=2 AND `b` IS NULL LIMIT 1',
    ]);
  });
});

describe('tables that foreign keys join', () => {
  const parent = shapeOf([int('id'), int('v')], [0], 'parent');
  const child = shapeOf([int('id'), int('up')], [0], 'child');
  const joined = (shape: TableShape): Partial<TargetTable> => ({
    foreignKeyGroup: 0,
    referenced: shape.table === 'parent',
  });
  const of = (shape: TableShape, change: Change, flags = 0): Change => ({ ...change, shape, flags });

  it('are written together in the source’s order', async () => {
    const { sql } = await built(
      parent,
      [
        of(parent, insert(1, 0)),
        of(child, insert(10, 1)),
        of(child, insert(11, 1)),
        of(child, remove(10, 1)),
        of(parent, insert(2, 0)),
        of(child, update([11, 1], [11, 2])),
        of(parent, remove(1, 0)),
      ],
      { others: [child], target: joined },
    );
    expect(sql).toEqual([
      'INSERT INTO `dst`.`parent` (`id`,`v`) VALUES (1,0)',
      'INSERT INTO `dst`.`child` (`id`,`up`) VALUES (10,1),(11,1)',
      'DELETE FROM `dst`.`child` WHERE `id` IN (10)',
      'INSERT INTO `dst`.`parent` (`id`,`v`) VALUES (2,0)',
      'UPDATE `dst`.`child` SET `up`=2 WHERE `id`=11',
      'DELETE FROM `dst`.`parent` WHERE `id` IN (1)',
    ]);
  });

  it('are folded, with checks off, where every event says that nothing is checked', async () => {
    const off = ROW_FLAG.noForeignKeyChecks;
    const { sql, statements } = await built(
      child,
      [
        of(child, insert(10, 1), off),
        of(parent, insert(1, 0), off),
        of(child, update([10, 1], [10, 2]), off),
        of(parent, update([1, 0], [1, 5]), off),
      ],
      { others: [parent], target: joined },
    );
    expect(sql).toEqual([
      'INSERT INTO `dst`.`child` (`id`,`up`) VALUES (10,2)',
      'INSERT INTO `dst`.`parent` (`id`,`v`) VALUES (1,5)',
    ]);
    expect(statements.map(({ checksOff }) => checksOff)).toEqual([1, 1]);
  });

  it('have checks off for just the events that ask for it', async () => {
    const { statements } = await built(
      child,
      [
        of(child, insert(10, 1), ROW_FLAG.noForeignKeyChecks),
        of(child, insert(11, 1)),
        of(parent, insert(1, 0)),
      ],
      { others: [parent], target: joined },
    );
    expect(statements.map(({ checksOff, rows }) => [checksOff, rows])).toEqual([
      [1, 1],
      [0, 1],
      [0, 1],
    ]);
  });

  describe('and a value that they point to gets other bytes', () => {
    const named = shapeOf([varchar('id'), int('v')], [0], 'parent');
    const path = [
      {
        child: { schema: 'dst', name: 'child' },
        columns: ['up'],
        parent: { schema: 'dst', name: 'parent' },
        parentColumns: ['id'],
        autoUpdateColumns: ['at'],
      },
    ];
    const target = (): Partial<TargetTable> => ({
      foreignKeyGroup: 0,
      referenced: true,
      referencedColumns: ['id'],
      updateCascades: [path],
    });
    const renamed = update(['a', 0], ['A', 1]);
    const plain = "UPDATE `dst`.`parent` SET `id`='A',`v`=1 WHERE `id`='a'";
    const logged = ROW_FLAG.cascadesLogged;

    it('get it without checks where it stays equal, when the log has what was cascaded', async () => {
      const { sql, statements } = await built(named, [of(named, renamed, logged)], { traits: MYSQL, target });
      expect(sql).toEqual(["UPDATE `dst`.`parent` SET `id`='A' WHERE `id`='A' AND `id`='a'", plain]);
      expect(statements.map(({ kind, checksOff }) => [kind, checksOff])).toEqual([
        ['aside', 1],
        ['update', 0],
      ]);
    });

    it('have the bytes before it in all rows that it cascades to, when the log has not', async () => {
      const { sql, statements } = await built(named, [of(named, renamed)], { traits: MYSQL, target });
      expect(sql).toEqual([
        "UPDATE `dst`.`child` t1 JOIN (SELECT `id` FROM `dst`.`parent` WHERE `id`='A' AND `id`='a') t0 ON t1.`up`=t0.`id` SET t1.`up`=t0.`id`,t1.`at`=t1.`at`",
        plain,
      ]);
      expect(statements.map(({ checksOff }) => checksOff)).toEqual([1, 0]);
    });

    it('are updated as ever by servers whose engine sees to foreign keys, and where nothing is checked', async () => {
      for (const traits of [MARIADB, MYSQL56])
        expect((await built(named, [of(named, renamed, logged)], { traits, target })).sql).toEqual([plain]);
      const off = logged | ROW_FLAG.noForeignKeyChecks;
      const { sql } = await built(named, [of(named, renamed, off)], { traits: MYSQL, target });
      expect(sql).toEqual([plain]);
    });

    it('are updated as ever when the bytes are the same, or numbers', async () => {
      const same = await built(named, [of(named, update(['a', 0], ['a', 1]), logged)], {
        traits: MYSQL,
        target,
      });
      expect(same.sql).toHaveLength(1);
      const { sql } = await built(parent, [of(parent, update([1, 0], [2, 0]), logged)], {
        traits: MYSQL,
        target,
      });
      expect(sql).toEqual(['UPDATE `dst`.`parent` SET `id`=2,`v`=0 WHERE `id`=1']);
    });
  });

  it('fold by themselves when no other of them is in the batch', async () => {
    const { ordered } = await built(child, [of(child, insert(10, 1)), of(child, update([10, 1], [10, 2]))], {
      target: joined,
    });
    expect(ordered.size).toBe(0);
  });

  it('are deleted from row by row where a table refers to itself', async () => {
    const tree = shapeOf([int('id'), int('up')], [0], 'tree');
    const { sql } = await built(tree, [remove(3, 2), remove(2, 1), insert(8, null), insert(9, 8)], {
      target: () => ({ foreignKeyGroup: 0, referenced: true, selfReferencing: true }),
    });
    expect(sql).toEqual([
      'DELETE FROM `dst`.`tree` WHERE `id` IN (3)',
      'DELETE FROM `dst`.`tree` WHERE `id` IN (2)',
      'INSERT INTO `dst`.`tree` (`id`,`up`) VALUES (8,NULL),(9,8)',
    ]);
  });
});

describe('before images', () => {
  it('are counted under lock, as the row was before the batch', async () => {
    const { sql, statements } = await built(
      table,
      [
        update([1, 1, 'x'], [1, 2, 'x']),
        update([1, 2, 'x'], [1, 3, 'x']),
        remove(2, null, 'y'),
        insert(3, 3, 'z'),
      ],
      { compare: true },
    );
    expect(sql[0]).toBe(
      "SELECT COUNT(*) FROM `dst`.`t` WHERE (`id`=1 AND `a`=1 AND `b`='x' AND CAST(`b` AS BINARY)='x') OR (`id`=2 AND `a` IS NULL AND `b`='y' AND CAST(`b` AS BINARY)='y') FOR UPDATE",
    );
    expect(statements.map(({ kind, rows }) => [kind, rows])).toEqual([
      ['compare', 2],
      ['delete', 1],
      ['update', 1],
      ['insert', 1],
    ]);
  });

  it('of rows that cannot be folded ask for the careful way', async () => {
    const { mustBeCareful } = await built(table, [insert(1, 1, 'x'), insert(1, 2, 'x')], { compare: true });
    expect(mustBeCareful).toBe('dst.t: a row is inserted that is there');
  });
});
