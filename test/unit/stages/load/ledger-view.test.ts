import { describe, expect, it } from 'vitest';
import { PayloadWriter } from '../../../../model/payload.ts';
import type { RowOp } from '../../../../model/rows.ts';
import type { ColumnShape, TableShape } from '../../../../model/table-shape.ts';
import { imagesOf } from '../../../../stages/load/ledger-view.ts';

const column = (name: string, change: Partial<ColumnShape>): ColumnShape => ({
  name,
  type: 3,
  meta: 0,
  nullable: true,
  unsigned: false,
  collation: 0,
  carrier: 'binlog',
  declared: null,
  ...change,
});

const shape: TableShape = {
  schema: 'shop',
  table: 'orders',
  columns: [
    column('id', {}),
    column('name', { type: 15, meta: 40, collation: 45 }),
    column('raw', { type: 252, meta: 1, collation: 63 }),
  ],
  key: [0],
  hasPrimaryKey: true,
};

function change(op: RowOp, before: number | null, after: number | null, data: Buffer): Buffer {
  const writer = new PayloadWriter();
  writer.transaction(1, 'g');
  const bitmap = (bits: number | null) => (bits === null ? null : Buffer.from([bits]));
  writer.rawRows(shape, op, 0, 1, bitmap(before), bitmap(after), data, 0, data.length);
  return writer.finish();
}

const id = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

describe('imagesOf()', () => {
  it('shows both images of an update, each with the columns it has', () => {
    const data = Buffer.concat([
      // id, name, raw: raw is NULL
      Buffer.from([0b100]),
      id(7),
      Buffer.from([3]),
      Buffer.from('Ada'),
      // name, raw
      Buffer.from([0b00]),
      Buffer.from([4]),
      Buffer.from('Zoë'),
      Buffer.from([2, 0xff, 0x00]),
    ]);
    expect(
      imagesOf({
        change: change('update', 0b111, 0b110, data),
        found: '{"id":"7","raw":{"hex":"ff"},"name":null}',
      }),
    ).toEqual({
      before: { id: '7', name: 'Ada', raw: null },
      after: { name: 'Zoë', raw: '0xff00' },
      found: { id: '7', raw: '0xff', name: null },
    });
  });

  it('shows the one image of an insert and of a delete', () => {
    const data = Buffer.concat([Buffer.from([0b110]), id(-1)]);
    const row = { id: '-1', name: null, raw: null };
    expect(imagesOf({ change: change('insert', null, 0b111, data), found: null })).toEqual({
      before: null,
      after: row,
      found: null,
    });
    expect(imagesOf({ change: change('delete', 0b111, null, data), found: null })).toEqual({
      before: row,
      after: null,
      found: null,
    });
  });
});
