import { describe, expect, it } from 'vitest';
import type { TableShape } from '../../../../../model/table-shape.ts';
import { planTable } from '../../../../../stages/load/apply/table-plan.ts';
import type { TargetTable } from '../../../../../stages/load/apply/target-table.ts';
import {
  LANE_HASH_SEED,
  laneChoice,
  laneHash,
  laneOfHash,
} from '../../../../../stages/load/lanes/lane-rule.ts';
import { int, planOf, routeOf, shapeOf, targetColumn, targetOf, unique, varchar } from '../apply/paper.ts';

const text = (collation: string) =>
  targetColumn('b', {
    dataType: 'varchar',
    columnType: 'varchar(20)',
    charset: 'utf8mb4',
    collation,
    scale: null,
  });

const byId = shapeOf([int('id'), varchar('b')], [0]);
const byText = shapeOf([int('id'), varchar('b')], [1]);
const byBoth = shapeOf([int('id'), varchar('b')], [1, 0]);
const keyless = shapeOf([int('id'), varchar('b')], []);
const TOGETHER = { kind: 'together', name: 'dst\0t' };

describe('which lanes a table may use', () => {
  it.each<[string, TableShape, Partial<TargetTable>, unknown]>([
    ['its integer key decides', byId, {}, { kind: 'hash', columns: ['id'] }],
    ['a key of text that ignores case says nothing', byText, {}, TOGETHER],
    ['of a mixed key only the integer counts', byBoth, {}, { kind: 'hash', columns: ['id'] }],
    [
      'text that is compared by its bytes counts',
      byText,
      { columns: [targetColumn('id'), text('utf8mb4_bin')] },
      { kind: 'hash', columns: ['b'] },
    ],
    ['no key', keyless, {}, TOGETHER],
    [
      'a further unique key',
      byId,
      { uniqueKeys: [unique('PRIMARY', ['id']), unique('b', ['b'], { nullable: true })] },
      TOGETHER,
    ],
    ['a foreign key', byId, { foreignKeyGroup: 7 }, { kind: 'together', name: '\x007' }],
  ])('%s', (_what, shape, change, expected) => {
    expect(laneChoice(planOf(shape, change))).toEqual(expected);
  });

  it('triggers at the target want the order of the source', () => {
    const plan = planTable(
      byId,
      { ...routeOf(byId), triggers: 'allow' },
      targetOf(byId, { triggers: ['t'] }),
    );
    expect(laneChoice(plan)).toBeNull();
  });

  it('numbers that the target gives want it, too', () => {
    const target = targetOf(byId, {
      columns: [targetColumn('id'), text('utf8mb4_bin'), targetColumn('n', { autoIncrement: true })],
    });
    expect(laneChoice(planTable(byId, routeOf(byId), target))).toEqual(TOGETHER);
  });
});

describe('the hash', () => {
  const hash = (bytes: Buffer, isText = false) => laneHash(LANE_HASH_SEED, bytes, 0, bytes.length, isText);

  it('is what stands in holt.lane_plan of version 1: another one is another version', () => {
    const lanes = [1, 2, 3, 4, 1000, 1_000_000].map((id) => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(id);
      return laneOfHash(hash(bytes), 4);
    });
    expect(lanes).toEqual([3, 2, 4, 2, 1, 1]);
    expect(laneOfHash(hash(Buffer.from('holt'), true), 7)).toBe(6);
  });

  it('leaves out what text may end in, and nothing of numbers', () => {
    expect(hash(Buffer.from('ab  '), true)).toBe(hash(Buffer.from('ab'), true));
    expect(hash(Buffer.from('ab\0'), true)).toBe(hash(Buffer.from('ab'), true));
    expect(hash(Buffer.from([1, 0, 0, 0]))).not.toBe(hash(Buffer.from([1])));
  });

  it('spreads numbers that follow each other', () => {
    const counts = [0, 0, 0, 0];
    for (let id = 0; id < 10_000; id++) {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(id);
      const lane = laneOfHash(hash(bytes), 4);
      counts[lane - 1] = (counts[lane - 1] ?? 0) + 1;
    }
    for (const count of counts) expect(count).toBeGreaterThan(2_200);
  });
});
