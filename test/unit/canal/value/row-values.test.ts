import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRowValues } from '../../../../canal/value/row-values.ts';
import { LogRows } from '../../../../model/log-rows.ts';
import type { SourceRows } from '../../../../model/source-item.ts';
import type { ColumnShape, TableShape } from '../../../../model/table-shape.ts';

const column = (name: string, type: number, more: Partial<ColumnShape> = {}): ColumnShape => ({
  name,
  type,
  meta: 0,
  nullable: true,
  unsigned: false,
  collation: 255,
  carrier: 'binlog',
  declared: null,
  ...more,
});

/** More columns than are written out in the code. */
const shape: TableShape = {
  schema: 's',
  table: 't',
  columns: [
    column('tiny', 1),
    column('utiny', 1, { unsigned: true }),
    column('small', 2),
    column('usmall', 2, { unsigned: true }),
    column('int', 3),
    column('uint', 3, { unsigned: true }),
    column('big', 8),
    column('text', 15, { meta: 200 }),
    column('bytes', 15, { meta: 200, collation: 63 }),
    column('double', 5),
  ],
  key: [],
  hasPrimaryKey: false,
};

const ALL = Buffer.from([0xff, 0x03]);

function image(nulls: number, big: bigint, text: string): Buffer {
  const numbers = Buffer.alloc(1 + 1 + 2 + 2 + 4 + 4 + 8);
  numbers.writeInt8(-5, 0);
  numbers.writeUInt8(250, 1);
  numbers.writeInt16LE(-300, 2);
  numbers.writeUInt16LE(65_000, 4);
  numbers.writeInt32LE(-70_000, 6);
  numbers.writeUInt32LE(4_000_000_000, 10);
  numbers.writeBigInt64LE(big, 14);
  const utf8 = Buffer.from(text);
  const double = Buffer.alloc(8);
  double.writeDoubleLE(0.5);
  const rest = (nulls & 0x200) === 0 ? double : Buffer.alloc(0);
  return Buffer.concat([
    Buffer.from([nulls & 0xff, nulls >> 8]),
    numbers,
    Buffer.from([utf8.length]),
    utf8,
    Buffer.from([2, 0xff, 0x00]),
    rest,
  ]);
}

/** The bytes of each column of an image without NULLs. */
function cellsOf(bytes: Buffer): readonly Buffer[] {
  const cells: Buffer[] = [];
  let at = 2;
  for (const size of [1, 1, 2, 2, 4, 4, 8, -1, -1, 8]) {
    const length = size < 0 ? 1 + bytes.readUInt8(at) : size;
    cells.push(bytes.subarray(at, at + length));
    at += length;
  }
  return cells;
}

const expected = (big: number | string, text: string, double: number | null) => ({
  tiny: -5,
  utiny: 250,
  small: -300,
  usmall: 65_000,
  int: -70_000,
  uint: 4_000_000_000,
  big,
  text,
  bytes: Buffer.from([0xff, 0x00]),
  double,
});

const FORM = { shape, op: 'update', flags: 1, before: ALL, after: ALL, rows: 1 } as const;

describe('rows as objects', () => {
  it('have the values that the log has, of both images of an update', () => {
    const data = Buffer.concat([image(0, 7n, 'plain'), image(0x200, 2n ** 60n, 'Grüße, 世界')]);
    const rows: SourceRows = { ...FORM, data };
    expect(compileRowValues(shape).read(rows)).toEqual([
      expected(7, 'plain', 0.5),
      expected('1152921504606846976', 'Grüße, 世界', null),
    ]);
  });

  it('are the same wherever the images lie, and end where those end', () => {
    const data = Buffer.concat([image(0, 7n, 'a'), image(0, 8n, 'b')]);
    const memory = Buffer.concat([Buffer.alloc(9, 0xee), data, Buffer.alloc(9, 0xee)]);
    const values = compileRowValues(shape);
    const parts = { ...FORM, rawBefore: undefined, memory, from: 9 };
    const within = new LogRows({ ...parts, to: 9 + data.length });
    expect(values.read(within)).toEqual(values.read({ ...FORM, data }));
    expect(within.data).toEqual(data);
    const cut = new LogRows({ ...parts, to: 9 + data.length - 1 });
    expect(() => values.read(cut)).toThrowError(expect.objectContaining({ code: 'HOLT_ROW_CORRUPT' }));
  });

  it('are the same when they have become many, and code was made for them', () => {
    const one = (nulls: number, big: bigint, text: string) => image(nulls, big, text);
    const present = (bits: readonly boolean[]) =>
      Buffer.from(
        [0, 8].map((from) => bits.slice(from, from + 8).reduce((sum, bit, i) => sum | (Number(bit) << i), 0)),
      );
    const form = fc.record({
      bits: fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
      nulls: fc.nat(0x3ff),
      big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      text: fc.string({ unit: 'binary', maxLength: 30 }),
      cut: fc.nat(10),
    });
    fc.assert(
      fc.property(form, form, ({ bits, nulls, big, text, cut }, second) => {
        // Columns that are not there, and values that are NULL, have no bytes.
        const cells = cellsOf(one(0, big, text));
        const there = cells.filter((_, column) => bits[column]);
        const nullBits = there.map((_, place) => ((nulls >> place) & 1) === 1);
        const bytes = Buffer.concat([
          Buffer.from(present(nullBits)).subarray(0, (there.length + 7) >> 3),
          ...there.filter((_, place) => !nullBits[place]),
        ]);
        const after = present(bits);
        const data = Buffer.concat([one(0, second.big, second.text), bytes]);
        const rows: SourceRows = { ...FORM, after, data };
        const values = compileRowValues(shape);
        const slowly = values.read(rows);
        for (let i = 0; i < 300; i++) values.read(rows);
        expect(values.read(rows)).toEqual(slowly);
        const short: SourceRows = { ...rows, data: data.subarray(0, data.length - cut) };
        if (cut > 0 && bytes.length >= cut) expect(() => values.read(short)).toThrow(/cannot be read/);
      }),
      { numRuns: 40 },
    );
  });

  it('have no names in the code that is made', () => {
    const names = ['`);process.exit(1);//', "'];throw 1;[('", 'constructor', '\u2028', 'n0'];
    const odd: TableShape = { ...shape, columns: names.map((name) => column(name, 1)) };
    const all = Buffer.from([0x1f]);
    const rows: SourceRows = {
      ...FORM,
      op: 'insert',
      shape: odd,
      before: null,
      after: all,
      data: Buffer.from([0, 1, 2, 3, 4, 5]),
    };
    const values = compileRowValues(odd);
    for (let i = 0; i < 600; i++) values.read(rows);
    expect(values.read(rows)).toEqual([Object.fromEntries(names.map((name, i) => [name, i + 1]))]);
  });

  it('refuse rows whose images are not whole', () => {
    const rows: SourceRows = { ...FORM, flags: 0x8000, data: Buffer.alloc(0) };
    expect(() => compileRowValues(shape).read(rows)).toThrow(/partial JSON/);
  });
});
