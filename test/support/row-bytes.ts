import type { ColumnShape, TableShape } from '../../model/table-shape.ts';

/** Row images built by hand, from shapes built by hand. */

export function columnShape(type: number, meta = 0, more: Partial<ColumnShape> = {}): ColumnShape {
  return {
    name: 'c',
    type,
    meta,
    nullable: true,
    unsigned: false,
    collation: 0,
    carrier: 'binlog',
    declared: null,
    ...more,
  };
}

export function tableShape(columns: readonly ColumnShape[]): TableShape {
  return { schema: 's', table: 't', columns, key: [0], hasPrimaryKey: true };
}

/** A value as it stands in an image: null, absent (undefined), or its bytes with how many bytes of length before them. */
export type ImageValue = null | undefined | { readonly bytes: Buffer; readonly prefix: number };

export function presentBits(values: readonly ImageValue[]): Buffer {
  return bits(values.map((value) => value !== undefined));
}

/** Null bits and values of the columns that are present. */
export function imageBytes(values: readonly ImageValue[]): Buffer {
  const present = values.filter((value): value is Exclude<ImageValue, undefined> => value !== undefined);
  const parts = present.flatMap((value) => {
    if (value === null) return [];
    const length = Buffer.alloc(value.prefix);
    if (value.prefix > 0) length.writeUIntLE(value.bytes.length, 0, value.prefix);
    return [length, value.bytes];
  });
  return Buffer.concat([bits(present.map((value) => value === null)), ...parts]);
}

export function bits(flags: readonly boolean[]): Buffer {
  const bytes = Buffer.alloc((flags.length + 7) >> 3);
  flags.forEach((flag, i) => {
    if (flag) bytes.writeUInt8(bytes.readUInt8(i >> 3) | (1 << (i & 7)), i >> 3);
  });
  return bytes;
}
