import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchHeader } from '../../../../../model/batch.ts';
import { PayloadReader, PayloadWriter } from '../../../../../model/payload.ts';
import type { PositionText } from '../../../../../model/position.ts';
import { coveredBy, covers } from '../../../../../model/position-cover.ts';
import type { RowOp } from '../../../../../model/rows.ts';
import type { LanePlan } from '../../../../../stages/load/lanes/lane-plan.ts';
import { sourceKey } from '../../../../../stages/load/lanes/lane-plan.ts';
import type { LaneRule } from '../../../../../stages/load/lanes/lane-rule.ts';
import { restOf, splitLanes } from '../../../../../stages/load/lanes/split-lanes.ts';
import type { TransformedBatch } from '../../../../../stages/stage.ts';
import { headerOf } from '../../../../support/batch-header.ts';
import { allPresent, imageOf, int, presentOnly, routeOf, shapeOf } from '../apply/paper.ts';

const noSignal = new AbortController().signal;
/** Two tables by key, one that stays together. A row is (id, n), n counts the changes of the history. */
const SHAPES = ['a', 'b', 'whole'].map((name) => shapeOf([int('id'), int('n')], [0], name));
const RULES: readonly LaneRule[] = [
  { kind: 'hash', columns: ['id'] },
  { kind: 'hash', columns: ['id'] },
  { kind: 'whole', lane: 2 },
];
const LANES = 3;

interface Step {
  readonly table: number;
  readonly op: RowOp;
  readonly ids: readonly number[];
}
type History = readonly (readonly Step[])[];

const gtid = (place: number) => `0-1-${place}`;
const position = (place: number) => (place === 0 ? 'mariadb:' : `mariadb:${gtid(place)}`) as PositionText;

/** Transactions `from` + 1 to `to` of the history, each change with its number. */
function batchOf(
  history: History,
  from: number,
  to: number,
  change: Partial<BatchHeader> = {},
): TransformedBatch {
  const writer = new PayloadWriter();
  const tables: number[] = [];
  const all = allPresent(2);
  let n = history
    .slice(0, from)
    .reduce((sum, steps) => sum + steps.reduce((s, { ids }) => s + ids.length, 0), 0);
  for (const [index, steps] of history.slice(from, to).entries()) {
    writer.transaction(1, gtid(from + index + 1));
    for (const { table, op, ids } of steps) {
      const shape = SHAPES[table];
      if (shape === undefined) continue;
      if (!tables.includes(table)) tables.push(table);
      const images = ids.flatMap((id) => {
        n += 1;
        const image = imageOf(shape.columns, [id, n]);
        // The number of an update stands in its after image.
        return op === 'update' ? [imageOf(shape.columns, [id, 0]), image] : [image];
      });
      const data = Buffer.concat(images);
      const [before, after] = [op === 'insert' ? null : all, op === 'delete' ? null : all];
      writer.rawRows(shape, op, 0, ids.length, before, after, data, 0, data.length);
    }
  }
  return {
    header: headerOf({ start: position(from), end: position(to), ...change }),
    payload: writer.finish(),
    routes: tables.map((table, number) => routeOf(SHAPES[table] ?? shapeOf([], []), number)),
  };
}

interface Seen {
  readonly key: string;
  readonly n: number;
}

/** Every change of a payload, in order. */
function changesOf({ payload, routes }: TransformedBatch): Seen[] {
  const seen: Seen[] = [];
  const reader = new PayloadReader(payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'table')
      expect(routes.find((one) => one.table === reader.table)?.name).toBe(reader.shapes[reader.table]?.table);
    if (record !== 'rows') continue;
    const size = reader.op === 'update' ? 18 : 9;
    expect(reader.dataEnd - reader.dataStart).toBe(reader.rows * size);
    for (let at = reader.dataStart; at < reader.dataEnd; at += size) {
      const image = at + size - 9;
      const id = reader.bytes.readInt32LE(image + 1);
      seen.push({
        key: `${reader.shapes[reader.table]?.table}/${id}`,
        n: reader.bytes.readInt32LE(image + 5),
      });
    }
  }
  return seen;
}

const rulesOf = (batch: TransformedBatch): LaneRule[] => {
  const rules: LaneRule[] = [];
  const reader = new PayloadReader(batch.payload);
  while (reader.next() !== null);
  for (const shape of reader.shapes)
    rules.push(RULES[SHAPES.findIndex(({ table }) => table === shape.table)] ?? (RULES[0] as LaneRule));
  return rules;
};

const PLAN: LanePlan = {
  lanes: LANES,
  rules: new Map(SHAPES.map((shape, table) => [sourceKey(shape), RULES[table] as LaneRule])),
};

async function split(batch: TransformedBatch) {
  const result = await splitLanes(batch, rulesOf(batch), LANES, noSignal);
  if (result.kind !== 'shares') throw new Error(result.kind);
  return result;
}

const step: fc.Arbitrary<Step> = fc.record({
  table: fc.integer({ min: 0, max: 2 }),
  op: fc.constantFrom<RowOp>('insert', 'update', 'delete'),
  ids: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }),
});
const history = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 12 });

const perKey = (seen: readonly Seen[]) => {
  const keys = new Map<string, number[]>();
  for (const { key, n } of seen) keys.set(key, [...(keys.get(key) ?? []), n]);
  return keys;
};

describe('a batch divided among lanes', () => {
  it('has every change in one share, changes of equal keys in the same and in their order', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (transactions) => {
        const batch = batchOf(transactions, 0, transactions.length);
        const { shares, reached } = await split(batch);
        expect(reached).toBe(batch.header.end);
        const lanesOfKey = new Map<string, Set<number>>();
        for (const { lane, batch: own, rows } of shares) {
          const seen = changesOf(own);
          expect(seen.length).toBe(rows);
          for (const { key } of seen) lanesOfKey.set(key, (lanesOfKey.get(key) ?? new Set()).add(lane));
        }
        for (const lanes of lanesOfKey.values()) expect(lanes.size).toBe(1);
        expect(perKey(shares.flatMap(({ batch: own }) => changesOf(own)))).toEqual(perKey(changesOf(batch)));
        for (const [key, lanes] of lanesOfKey) if (key.startsWith('whole/')) expect([...lanes]).toEqual([2]);
      }),
    );
  });

  it('leaves of a batch just what lanes have not done', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.subarray([1, 2, 3]), async (transactions, done) => {
        const batch = batchOf(transactions, 0, transactions.length);
        const { shares } = await split(batch);
        const rest = await restOf(batch, PLAN, new Map(done.map((lane) => [lane, () => true])), noSignal);
        const committed = shares
          .filter(({ lane }) => done.includes(lane))
          .flatMap((one) => changesOf(one.batch));
        expect(perKey([...committed, ...changesOf(rest)])).toEqual(perKey(changesOf(batch)));
      }),
    );
  });

  it('is done once after a fault, wherever lanes stood and however batches are cut then', async () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.nat(),
        fc.nat(),
        fc.subarray([1, 2, 3]),
        cuts,
        async (transactions, a, b, done, sizes) => {
          const from = a % transactions.length;
          const to = from + 1 + (b % (transactions.length - from));
          const { shares, reached } = await split(batchOf(transactions, from, to));
          const applied = shares
            .filter(({ lane }) => done.includes(lane))
            .flatMap((one) => changesOf(one.batch));
          // Some lanes have committed, the stream's row has not moved: reading begins there again.
          let ahead = done.length > 0;
          for (let at = from, i = 0; at < transactions.length; i++) {
            const end = Math.min(transactions.length, at + (sizes[i % sizes.length] ?? 1));
            const batch = batchOf(transactions, at, end);
            const has = coveredBy(reached);
            const rest = ahead
              ? await restOf(batch, PLAN, new Map(done.map((lane) => [lane, has])), noSignal)
              : batch;
            applied.push(...changesOf(rest));
            if (covers(batch.header.end, reached)) ahead = false;
            at = end;
          }
          expect(perKey(applied)).toEqual(
            perKey(changesOf(batchOf(transactions, from, transactions.length))),
          );
        },
      ),
    );
  });

  it('is not divided while a key goes from one lane to another, or is not in the image', async () => {
    const [shape] = SHAPES;
    if (shape === undefined) return;
    const payload = (before: readonly number[], after: readonly number[], columns?: readonly number[]) => {
      const writer = new PayloadWriter();
      writer.transaction(1, gtid(1));
      const bitmap = columns === undefined ? allPresent(2) : presentOnly(2, columns);
      const image = (row: readonly number[]) =>
        imageOf(
          (columns ?? [0, 1]).map((i) => shape.columns[i] ?? int('?')),
          (columns ?? [0, 1]).map((i) => row[i] ?? null),
        );
      const data = Buffer.concat([image(before), image(after)]);
      writer.rawRows(shape, 'update', 0, 1, bitmap, bitmap, data, 0, data.length);
      return writer.finish();
    };
    const kinds = new Set<string>();
    for (let id = 2; id < 40; id++) {
      const batch = { header: headerOf(), payload: payload([1, 0], [id, 0]), routes: [routeOf(shape)] };
      kinds.add((await splitLanes(batch, [RULES[0] as LaneRule], LANES, noSignal)).kind);
    }
    expect([...kinds].sort()).toEqual(['moves', 'shares']);
    const partial = { header: headerOf(), payload: payload([1, 0], [1, 1], [1]), routes: [routeOf(shape)] };
    expect(await splitLanes(partial, [RULES[0] as LaneRule], LANES, noSignal)).toEqual({
      kind: 'moves',
      tables: new Set([0]),
    });
  });

  it('is not divided where numbers of transactions do not rise', async () => {
    const batch = batchOf([[{ table: 0, op: 'insert', ids: [1] }]], 0, 1, { start: position(1) });
    expect(await splitLanes(batch, rulesOf(batch), LANES, noSignal)).toEqual({ kind: 'disorder' });
  });

  it('takes nothing for done behind a number that does not rise', async () => {
    const one: Step = { table: 0, op: 'insert', ids: [1] };
    const writer = new PayloadWriter();
    for (const [n, id] of [
      [1, 1],
      [2, 2],
      [2, 3],
    ] as const) {
      writer.transaction(1, gtid(n));
      const data = imageOf(SHAPES[0]?.columns ?? [], [id, id]);
      writer.rawRows(SHAPES[0] ?? shapeOf([], []), one.op, 0, 1, null, allPresent(2), data, 0, data.length);
    }
    const batch = {
      header: headerOf({ start: position(0) }),
      payload: writer.finish(),
      routes: [routeOf(SHAPES[0] ?? shapeOf([], []))],
    };
    const has = coveredBy(position(2));
    const rest = await restOf(batch, PLAN, new Map([1, 2, 3].map((lane) => [lane, has])), noSignal);
    expect(changesOf(rest)).toEqual([{ key: 'a/3', n: 3 }]);
  });

  it('cannot be told apart any more where a key of then has no lane now', async () => {
    const batch = batchOf([[{ table: 0, op: 'insert', ids: [1] }]], 0, 1);
    const plan: LanePlan = {
      lanes: LANES,
      rules: new Map([
        [sourceKey(SHAPES[0] ?? { schema: '', table: '' }), { kind: 'hash', columns: ['gone'] }],
      ]),
    };
    await expect(restOf(batch, plan, new Map([[1, () => true]]), noSignal)).rejects.toMatchObject({
      code: 'HOLT_LANES_UNCLEAR',
    });
  });
});
