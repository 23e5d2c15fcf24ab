import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TYPE } from '../../../../canal/value/column-type.ts';
import type { SourceRows } from '../../../../model/source-item.ts';
import {
  type Condition,
  describeRow,
  KeyMatcher,
  openQuestions,
  settled,
  Verdicts,
  withoutZeros,
} from '../../../../node/trace/key-conditions.ts';
import {
  columnShape,
  type ImageValue,
  imageBytes,
  presentBits,
  tableShape,
} from '../../../support/row-bytes.ts';

const SHAPE = tableShape([
  columnShape(TYPE.long, 0, { name: 'id' }),
  columnShape(TYPE.varchar, 80, { name: 'name', collation: 45 }),
  columnShape(TYPE.string, 4, { name: 'code', collation: 63 }),
]);

const int = (value: number): ImageValue => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return { bytes, prefix: 0 };
};
const text = (value: string): ImageValue => ({ bytes: Buffer.from(value), prefix: 1 });
type Row = readonly ImageValue[];

function update(before: Row, after: Row): SourceRows {
  return {
    shape: SHAPE,
    op: 'update',
    flags: 0,
    before: presentBits(before),
    after: presentBits(after),
    rows: 1,
    data: Buffer.concat([imageBytes(before), imageBytes(after)]),
  };
}
function inserts(...rows: readonly Row[]): SourceRows {
  const [first = []] = rows;
  return {
    shape: SHAPE,
    op: 'insert',
    flags: 0,
    before: null,
    after: presentBits(first),
    rows: rows.length,
    data: Buffer.concat(rows.map((row) => imageBytes(row))),
  };
}

const id = (value: string): Condition => ({ column: 'ID', kind: 'exact', value: Buffer.from(value) });
const name = (value: string): Condition => ({ column: 'name', kind: 'collated', value: Buffer.from(value) });

const find = (rows: SourceRows, conditions: readonly Condition[], verdicts = new Verdicts()) => {
  const matcher = new KeyMatcher(SHAPE, conditions, verdicts);
  return { found: [...matcher.find(rows)], matcher };
};

describe('KeyMatcher', () => {
  test('finds the rows whose values are the ones asked about, each with its own images', () => {
    const rows = inserts([int(1), text('a'), null], [int(2), text('b'), null], [int(1), text('c'), null]);
    const { found } = find(rows, [id('1')]);
    expect(found.map(({ rows: one }) => describeRow(one, ['name']).keyAfter)).toEqual([
      { name: 'a' },
      { name: 'c' },
    ]);
    expect(find(rows, [id('3')]).found).toEqual([]);
  });

  test('a change of the key is one of both keys', () => {
    const rows = update([int(1), text('a'), null], [int(2), text('a'), null]);
    for (const [value, expected] of [
      ['1', { before: true, after: false }],
      ['2', { before: false, after: true }],
    ] as const)
      expect(
        settled(find(rows, [id(value)]).found[0]?.verdict ?? { before: 'no', after: 'no' }, new Verdicts()),
      ).toEqual(expected);
  });

  test('what a partial after image lacks has the value of the before image', () => {
    const { found } = find(update([int(1), text('a'), null], [undefined, text('b'), undefined]), [id('1')]);
    expect(found[0]?.verdict).toEqual({ before: 'yes', after: 'yes' });
    expect(describeRow(found[0]?.rows ?? inserts(), ['id', 'name'])).toEqual({
      keyBefore: { id: '1', name: 'a' },
      keyAfter: { id: '1', name: 'b' },
      columns: ['name'],
    });
  });

  test('images that lack a column asked about are counted', () => {
    const { found, matcher } = find(update([int(1), undefined, undefined], [int(1), undefined, undefined]), [
      name('a'),
    ]);
    expect(found).toEqual([]);
    expect(matcher.blindness.blindRows).toBeGreaterThan(0);
    expect(
      new KeyMatcher(SHAPE, [{ column: 'gone', kind: 'null' }], new Verdicts()).blindness.missingColumns,
    ).toEqual(['gone']);
  });

  test('text that differs is a perhaps until the server has said what it equals', () => {
    const verdicts = new Verdicts();
    const rows = inserts(
      [int(1), text('Zoe'), null],
      [int(2), text('zoë'), null],
      [int(3), text('ann'), null],
    );
    const { found } = find(rows, [name('zoë')], verdicts);
    expect(found.flatMap(({ verdict }) => openQuestions(verdict).map(({ text: one }) => one))).toEqual([
      'Zoe',
      'ann',
    ]);
    verdicts.set('name', 'Zoe', true);
    verdicts.set('name', 'ann', false);
    expect(found.map(({ verdict }) => settled(verdict, verdicts).after)).toEqual([true, true, false]);
    // Asked once, known for all that follow.
    expect(find(rows, [name('zoë')], verdicts).found.length).toBe(2);
  });

  test('NULL is found as NULL only; BINARY without its zero bytes', () => {
    const rows = inserts([int(1), null, { bytes: Buffer.from([0xa1]), prefix: 1 }]);
    expect(find(rows, [{ column: 'name', kind: 'null' }]).found.length).toBe(1);
    expect(find(rows, [name('')]).found.length).toBe(0);
    expect(find(rows, [{ column: 'id', kind: 'null' }]).found.length).toBe(0);
    const padded = { column: 'code', kind: 'padded', value: Buffer.from([0xa1]) } as const;
    expect(find(rows, [padded]).found.length).toBe(1);
  });

  test('an exact key finds exactly the rows that have it, whatever stands between them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 5 }),
        (ids, wanted) => {
          const rows = inserts(...ids.map((one): Row => [int(one), text(`n${one}`), null]));
          expect(find(rows, [id(String(wanted))]).found.length).toBe(
            ids.filter((one) => one === wanted).length,
          );
        },
      ),
    );
  });
});

test('withoutZeros() takes zero bytes from the end only', () => {
  expect(withoutZeros(Buffer.from([0, 1, 0, 0]))).toEqual(Buffer.from([0, 1]));
  expect(withoutZeros(Buffer.alloc(3)).length).toBe(0);
});
