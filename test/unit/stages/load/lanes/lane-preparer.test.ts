import { describe, expect, it } from 'vitest';
import { PayloadWriter } from '../../../../../model/payload.ts';
import type { PositionText } from '../../../../../model/position.ts';
import type { TableRoute } from '../../../../../model/table-route.ts';
import type { TableShape } from '../../../../../model/table-shape.ts';
import type { TablePlan } from '../../../../../stages/load/apply/table-plan.ts';
import { planTable } from '../../../../../stages/load/apply/table-plan.ts';
import type { TargetTable } from '../../../../../stages/load/apply/target-table.ts';
import { LanePreparer } from '../../../../../stages/load/lanes/lane-preparer.ts';
import type { PreparedBatch } from '../../../../../stages/load/load.ts';
import type { TransformedBatch } from '../../../../../stages/stage.ts';
import { headerOf } from '../../../../support/batch-header.ts';
import { allPresent, imageOf, int, routeOf, shapeOf, targetOf } from '../apply/paper.ts';

const noSignal = new AbortController().signal;
const SHAPES = ['a', 'b'].map((name) => shapeOf([int('id'), int('n')], [0], name));
const ROWS = 24;

/** Inserts into both tables; `header` says what kind of batch it is. */
function batchOf(header: Parameters<typeof headerOf>[0] = {}): TransformedBatch {
  const writer = new PayloadWriter();
  writer.transaction(1, '0-1-1');
  for (let id = 0; id < ROWS; id++) {
    const shape = SHAPES[id % 2] as TableShape;
    const data = imageOf(shape.columns, [id, 0]);
    writer.rawRows(shape, 'insert', 0, 1, null, allPresent(2), data, 0, data.length);
  }
  return {
    header: headerOf({ rows: ROWS, ...header }),
    payload: writer.finish(),
    routes: SHAPES.map((shape, table) => routeOf(shape, table)),
  };
}

function preparer(
  options: {
    readonly minRows?: number;
    readonly target?: (shape: TableShape) => Partial<TargetTable>;
    readonly plan?: (shape: TableShape, route: TableRoute) => Promise<TablePlan>;
    readonly isProcessed?: (shape: TableShape) => boolean;
  } = {},
) {
  const kept = new Map<string, TablePlan>();
  const prepare = async (batch: TransformedBatch): Promise<PreparedBatch> => ({ batch, bytes: 1 });
  const applier = {
    prepare,
    execute: () => Promise.reject(new Error('not here')),
    executeCarefully: () => Promise.reject(new Error('not here')),
  };
  return new LanePreparer({
    lanes: 3,
    minRows: options.minRows ?? 1,
    serial: applier,
    share: applier,
    plan:
      options.plan ??
      (async (shape, route) => {
        const plan =
          kept.get(shape.table) ?? planTable(shape, route, targetOf(shape, options.target?.(shape)));
        kept.set(shape.table, plan);
        return plan;
      }),
    isProcessed: options.isProcessed ?? (() => false),
  });
}

describe('a batch is prepared for lanes', () => {
  it('by the keys of its tables', async () => {
    const { laned, serial } = await preparer().prepare(batchOf(), noSignal);
    expect(serial).toBeNull();
    expect(laned?.shares.map(({ lane }) => lane)).toEqual([1, 2, 3]);
    expect(laned?.shares.reduce((sum, { rows }) => sum + rows, 0)).toBe(ROWS);
  });

  it('with tables that foreign keys join in one lane', async () => {
    const { laned } = await preparer({ target: () => ({ foreignKeyGroup: 4 }) }).prepare(batchOf(), noSignal);
    expect(laned?.shares).toHaveLength(1);
  });

  it('with a table that a processor may change in one lane', async () => {
    const { laned } = await preparer({ isProcessed: ({ table }) => table === 'b' }).prepare(
      batchOf(),
      noSignal,
    );
    expect(laned?.rules.get('src\0b')).toEqual({ kind: 'whole', lane: 1 });
    expect(laned?.rules.get('src\0a')?.kind).toBe('hash');
  });
});

describe('a batch goes in order', () => {
  it.each([
    ['when it is small', { minRows: ROWS + 1 }, {}],
    ['as a part of a large transaction', {}, { lastPart: false }],
    ['as a chunk of one', {}, { end: 'mariadb:0-1-1#0-1-2@7' as PositionText }],
    ['when triggers act on its rows', { target: () => ({ triggers: ['t'] }) }, {}],
  ])('%s', async (_when, options, header) => {
    const { laned, serial } = await preparer(options).prepare(batchOf(header), noSignal);
    expect(laned).toBeNull();
    expect(serial).not.toBeNull();
  });

  it('when its tables become known as joined while they are asked about', async () => {
    // The first table is answered from what was known, the second makes the whole to be read anew.
    let group: number | null = null;
    const plan = async (shape: TableShape, route: TableRoute) => {
      if (shape.table === 'b') group = 1;
      return planTable(shape, route, targetOf(shape, { foreignKeyGroup: group }));
    };
    const { laned } = await preparer({ plan }).prepare(batchOf(), noSignal);
    expect(laned).toBeNull();
  });
});
