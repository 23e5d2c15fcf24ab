import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ABSENT_LENGTH, compileRowScanner, NULL_LENGTH } from '../../../../canal/value/row-scanner.ts';
import { HoltError } from '../../../../lib/errors.ts';
import {
  bits,
  columnShape,
  type ImageValue,
  imageBytes,
  presentBits,
  tableShape,
} from '../../../support/row-bytes.ts';

/** type, meta, bytes of the value or of its length. */
const KINDS = [
  { type: 1, meta: 0, size: 1 },
  { type: 2, meta: 0, size: 2 },
  { type: 9, meta: 0, size: 3 },
  { type: 3, meta: 0, size: 4 },
  { type: 8, meta: 0, size: 8 },
  { type: 4, meta: 4, size: 4 },
  { type: 5, meta: 8, size: 8 },
  { type: 13, meta: 0, size: 1 },
  { type: 10, meta: 0, size: 3 },
  { type: 11, meta: 0, size: 3 },
  { type: 12, meta: 0, size: 8 },
  { type: 7, meta: 0, size: 4 },
  { type: 17, meta: 3, size: 6 },
  { type: 18, meta: 6, size: 8 },
  { type: 19, meta: 1, size: 4 },
  { type: 246, meta: (20 << 8) | 10, size: 10 },
  { type: 16, meta: (1 << 8) | 5, size: 2 },
  { type: 247, meta: 2, size: 2 },
  { type: 248, meta: 5, size: 5 },
  { type: 254, meta: 120, prefix: 1 },
  { type: 254, meta: 400, prefix: 2 },
  { type: 15, meta: 255, prefix: 1 },
  { type: 15, meta: 256, prefix: 2 },
  { type: 141, meta: 300, prefix: 2 },
  { type: 252, meta: 1, prefix: 1 },
  { type: 252, meta: 2, prefix: 2 },
  { type: 252, meta: 3, prefix: 3 },
  { type: 140, meta: 4, prefix: 4 },
  { type: 245, meta: 4, prefix: 4 },
  { type: 255, meta: 4, prefix: 4 },
  { type: 242, meta: 4, prefix: 4 },
] as const;

const kinds = fc.array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 20 });

interface Case {
  readonly shape: ReturnType<typeof tableShape>;
  readonly rows: readonly ImageValue[][];
  readonly present: Buffer;
}

/** A table, and rows that all have the same columns present. */
const cases: fc.Arbitrary<Case> = kinds.chain((chosen) => {
  const value = (kind: (typeof KINDS)[number]): fc.Arbitrary<ImageValue> => {
    const bytes =
      'size' in kind
        ? fc.uint8Array({ minLength: kind.size, maxLength: kind.size })
        : fc.uint8Array({ maxLength: 60 });
    const prefix = 'prefix' in kind ? kind.prefix : 0;
    return fc.option(
      bytes.map((array) => ({ bytes: Buffer.from(array), prefix })),
      { nil: null },
    );
  };
  return fc
    .record({
      absent: fc.array(fc.boolean(), { minLength: chosen.length, maxLength: chosen.length }),
      rows: fc.array(fc.tuple(...chosen.map(value)), { minLength: 1, maxLength: 6 }),
    })
    .map(({ absent, rows }) => {
      const cut = rows.map((row) => row.map((item, i) => (absent[i] && i > 0 ? undefined : item)));
      return {
        shape: tableShape(chosen.map(({ type, meta }, i) => columnShape(type, meta, { name: `c${i}` }))),
        rows: cut,
        present: presentBits(cut[0] ?? []),
      };
    });
});

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof HoltError) return error.code;
    throw error;
  }
  return 'no error';
};

describe('compileRowScanner', () => {
  it('finds every value of every image, whatever columns are present', () => {
    fc.assert(
      fc.property(cases, ({ shape, rows, present }) => {
        const scanner = compileRowScanner(shape);
        const data = Buffer.concat(rows.map(imageBytes));
        let at = 0;
        for (const row of rows) {
          at = scanner.scan(data, at, data.length, present);
          row.forEach((value, i) => {
            const length = scanner.lengths[i] ?? 0;
            const offset = scanner.offsets[i] ?? 0;
            if (value === undefined) expect(length).toBe(ABSENT_LENGTH);
            else if (value === null) expect(length).toBe(NULL_LENGTH);
            else expect(data.subarray(offset, offset + length)).toEqual(value.bytes);
          });
        }
        expect(at).toBe(data.length);
        expect(scanner.countRows(data, null, present)).toBe(rows.length);
      }),
    );
  });

  it('keeps the images of an update apart, which alternate between two bitmaps', () => {
    fc.assert(
      fc.property(cases, ({ shape, rows, present }) => {
        const scanner = compileRowScanner(shape);
        const keyOnly = shape.columns.map((_, i) => i === 0);
        const data = Buffer.concat(
          rows.flatMap((row) => [
            imageBytes(row.map((value, i) => (keyOnly[i] ? value : undefined))),
            imageBytes(row),
          ]),
        );
        expect(scanner.countRows(data, bits(keyOnly), present)).toBe(rows.length);
        let at = 0;
        for (const row of rows) {
          at = scanner.scan(data, at, data.length, bits(keyOnly));
          row.forEach((_, i) => {
            if (i > 0) expect(scanner.lengths[i]).toBe(ABSENT_LENGTH);
          });
          at = scanner.scan(data, at, data.length, present);
        }
      }),
    );
  });

  it('refuses images that end in mid-value, and never reads beyond the end', () => {
    fc.assert(
      fc.property(cases, fc.nat(), ({ shape, rows, present }, cut) => {
        const data = Buffer.concat(rows.map(imageBytes));
        const end = cut % data.length;
        const scanner = compileRowScanner(shape);
        let at = 0;
        let code = '';
        try {
          while (at < end) at = scanner.scan(data, at, end, present);
        } catch (error) {
          code = error instanceof HoltError ? error.code : String(error);
        }
        expect(code === '' ? at : end).toBe(end);
        expect(['', 'HOLT_ROW_CORRUPT']).toContain(code);
      }),
    );
  });

  it('reads columns in text form by their own length', () => {
    const shape = tableShape([columnShape(3, 0, { carrier: 'text' }), columnShape(3)]);
    const scanner = compileRowScanner(shape);
    const image = Buffer.concat([
      Buffer.from([0, 5, 0, 0, 0]),
      Buffer.from('12345'),
      Buffer.from([10, 0, 0, 0]),
    ]);
    expect(scanner.scan(image, 0, image.length, bits([true, true]))).toBe(image.length);
    expect([...scanner.lengths]).toEqual([5, 4]);
    expect(scanner.offsets[0]).toBe(5);
  });

  it('reads the images of partial updates, and which columns hold diffs', () => {
    const shape = tableShape([columnShape(3), columnShape(245, 4), columnShape(2), columnShape(245, 4)]);
    const scanner = compileRowScanner(shape);
    const value = (bytes: string, prefix = 4) => ({ bytes: Buffer.from(bytes), prefix });
    const before = [{ bytes: Buffer.alloc(4, 1), prefix: 0 }, undefined, undefined, undefined];
    const after = [undefined, value('diffs'), { bytes: Buffer.alloc(2), prefix: 0 }, value('document')];
    const data = Buffer.concat([
      imageBytes(before),
      Buffer.from([1, 0b01]),
      imageBytes(after),
      imageBytes(before),
      Buffer.from([0]),
      imageBytes(after),
    ]);
    expect(scanner.countRows(data, presentBits(before), presentBits(after), true)).toBe(2);
    let at = scanner.scan(data, 0, data.length, presentBits(before));
    at = scanner.scanPartial(data, at, data.length, presentBits(after));
    expect([...scanner.partial]).toEqual([0, 1, 0, 0]);
    expect(data.toString('latin1', scanner.offsets[1], (scanner.offsets[1] ?? 0) + 5)).toBe('diffs');
    expect(data[scanner.imageOffset - 2]).toBe(1);
    at = scanner.scan(data, at, data.length, presentBits(before));
    expect([...scanner.partial]).toEqual([0, 0, 0, 0]);
    at = scanner.scanPartial(data, at, data.length, presentBits(after));
    expect([...scanner.partial]).toEqual([0, 0, 0, 0]);
    expect(at).toBe(data.length);
    expect(codeOf(() => scanner.scanPartial(Buffer.from([2, 0, 0]), 0, 3, presentBits(after)))).toBe(
      'HOLT_ROW_CORRUPT',
    );
    expect(codeOf(() => scanner.scanPartial(Buffer.from([1]), 0, 1, presentBits(after)))).toBe(
      'HOLT_ROW_CORRUPT',
    );
  });

  it('takes an event without bytes for one row without columns, and more of those for damage', () => {
    const scanner = compileRowScanner(tableShape([columnShape(3)]));
    expect(scanner.countRows(Buffer.alloc(0), null, bits([false]))).toBe(1);
    expect(codeOf(() => scanner.countRows(Buffer.alloc(1), null, bits([false])))).toBe('HOLT_ROW_CORRUPT');
  });

  it.each([
    [252, 0],
    [252, 5],
    [247, 3],
    [248, 9],
    [18, 7],
    [246, (5 << 8) | 6],
    [246, (66 << 8) | 0],
    [99, 0],
  ])('refuses type %i with metadata %i, whose size nobody knows', (type, meta) => {
    expect(codeOf(() => compileRowScanner(tableShape([columnShape(type, meta)])))).toBe(
      'HOLT_EVENT_UNSUPPORTED',
    );
  });
});
