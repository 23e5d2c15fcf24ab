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

  it('refuse rows whose images are not whole', () => {
    const rows: SourceRows = { ...FORM, flags: 0x8000, data: Buffer.alloc(0) };
    expect(() => compileRowValues(shape).read(rows)).toThrow(/partial JSON/);
  });
});
