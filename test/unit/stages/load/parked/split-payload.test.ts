import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PayloadReader, PayloadWriter } from '../../../../../model/payload.ts';
import type { TableShape } from '../../../../../model/table-shape.ts';
import { releases } from '../../../../../stages/load/parked/releases.ts';
import { splitBatch } from '../../../../../stages/load/parked/split-payload.ts';
import { headerOf } from '../../../../support/batch-header.ts';
import { columnShape, imageBytes, presentBits } from '../../../../support/row-bytes.ts';

const noSignal = new AbortController().signal;
const shapes = ['a', 'b', 'c'].map(
  (table): TableShape => ({ schema: 's', table, columns: [], key: [], hasPrimaryKey: false }),
);
const root = (table: string) => ({ schema: 's', table });

interface Row {
  readonly table: number;
  readonly value: number;
}

function written(transactions: readonly (readonly Row[])[]): {
  payload: Buffer;
  numbers: Map<string, number>;
} {
  const writer = new PayloadWriter();
  const numbers = new Map<string, number>();
  for (const [i, rows] of transactions.entries()) {
    writer.transaction(1000 + i, `0-1-${i}`);
    for (const { table, value } of rows) {
      const shape = shapes[table];
      if (shape === undefined) throw new Error('no shape');
      if (!numbers.has(shape.table)) numbers.set(shape.table, numbers.size);
      const data = Buffer.from([value]);
      writer.rawRows(shape, 'insert', 0, 1, null, Buffer.from([1]), data, 0, 1);
    }
  }
  return { payload: writer.finish(), numbers };
}

/** Table, value and transaction of each row, in order. */
function read(payload: Buffer): string[] {
  const rows: string[] = [];
  const reader = new PayloadReader(payload);
  for (let record = reader.next(); record !== null; record = reader.next())
    if (record === 'rows')
      rows.push(
        `${reader.shapes[reader.table]?.table}${reader.bytes[reader.dataStart]}@${reader.gtid}/${reader.commitUs}`,
      );
  return rows;
}

describe('splitBatch()', () => {
  it('loses no row, keeps the order in each share, and numbers routes by what is left', async () => {
    const transactions = fc.array(
      fc.array(fc.record({ table: fc.nat({ max: 2 }), value: fc.nat({ max: 255 }) }), { maxLength: 5 }),
      { maxLength: 5 },
    );
    const roots = fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(null, 'x', 'y')));
    await fc.assert(
      fc.asyncProperty(transactions, roots, async (given, rootOf) => {
        const { payload, numbers } = written(given);
        const held = new Map(
          [...numbers].flatMap(([table, number]) => {
            const name = rootOf['abc'.indexOf(table)];
            return name == null ? [] : [[number, root(name)] as const];
          }),
        );
        const routes = [...numbers].map(([name, table]) => ({ table, schema: 't', name, columns: [] }));
        const batch = { header: headerOf(), payload, routes };
        const split = await splitBatch(batch, held, noSignal);
        const all = read(payload);
        const heldIn = (name: string | null) =>
          all.filter((row) => (rootOf['abc'.indexOf(row[0] ?? '')] ?? null) === name);
        expect(split.rest === null ? [] : read(split.rest.payload)).toEqual(heldIn(null));
        for (const name of ['x', 'y']) {
          const share = split.held.find((one) => one.root.table === name);
          expect(share === undefined ? [] : read(share.payload)).toEqual(heldIn(name));
          expect(share?.changes ?? 0).toBe(heldIn(name).length);
        }
        if (split.rest !== null) {
          const reader = new PayloadReader(split.rest.payload);
          while (reader.next() !== null);
          expect(split.rest.routes.map(({ table, name }) => [table, name])).toEqual(
            held.size === 0
              ? routes.map(({ table, name }) => [table, name])
              : reader.shapes.map((shape, number) => [number, shape.table]),
          );
        }
      }),
    );
  });
});

describe('releases()', () => {
  const shape: TableShape = {
    schema: 's',
    table: 'order',
    columns: [columnShape(3, 0, { name: 'id' }), columnShape(3, 0, { name: 'v' })],
    key: [0],
    hasPrimaryKey: true,
  };
  const int = (n: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(n);
    return { bytes, prefix: 0 };
  };
  const update = (before: [number, number], after: [number | undefined, number]): Buffer => {
    const images = [before, after].map((image) => image.map((one) => (one === undefined ? one : int(one))));
    const [old = [], now = []] = images;
    const data = Buffer.concat([imageBytes(old), imageBytes(now)]);
    const writer = new PayloadWriter();
    writer.transaction(1, 'g');
    writer.rawRows(shape, 'update', 0, 1, presentBits(old), presentBits(now), data, 0, data.length);
    return writer.finish();
  };

  it('is about deletes, and updates of what keys point to', () => {
    expect(releases(update([1, 5], [1, 6]), 0, [0])).toBe(false);
    expect(releases(update([1, 5], [2, 5]), 0, [0])).toBe(true);
    expect(releases(update([1, 5], [undefined, 6]), 0, [0])).toBe(false);
    expect(releases(update([1, 5], [1, 6]), 0, [1])).toBe(true);
    expect(releases(update([1, 5], [1, 6]), 0, null)).toBe(true);
    expect(releases(update([1, 5], [2, 5]), 1, [0])).toBe(false);
    const writer = new PayloadWriter();
    writer.transaction(1, 'g');
    writer.rawRows(shape, 'delete', 0, 1, Buffer.from([3]), null, Buffer.from([0]), 0, 1);
    expect(releases(writer.finish(), 0, [])).toBe(true);
  });
});
