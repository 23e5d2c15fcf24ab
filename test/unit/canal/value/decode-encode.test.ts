import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DecodedValue, decodeValue } from '../../../../canal/value/decode.ts';
import { encodeTextValue } from '../../../../canal/value/encode.ts';
import { ABSENT_LENGTH, NULL_LENGTH } from '../../../../canal/value/row-scanner.ts';
import { HoltError } from '../../../../lib/errors.ts';
import type { ColumnShape } from '../../../../model/table-shape.ts';
import { jsonBytes } from '../../../support/json-bytes.ts';
import { columnShape } from '../../../support/row-bytes.ts';

const decode = (column: ColumnShape, value: Buffer | string): DecodedValue | undefined => {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'hex') : value;
  return decodeValue(column, bytes, 0, bytes.length);
};
const encode = (column: ColumnShape, value: unknown): string | null =>
  encodeTextValue(column, value)?.toString('utf8') ?? null;
const refused = (column: ColumnShape, value: unknown): boolean => {
  try {
    encodeTextValue(column, value);
    return false;
  } catch (error) {
    return error instanceof HoltError && error.code === 'HOLT_VALUE_INVALID';
  }
};

const DECIMAL = columnShape(246, (10 << 8) | 2);
const UNSIGNED = { unsigned: true };

describe('decodeValue', () => {
  it.each([
    [columnShape(8, 0, UNSIGNED), 'ffffffffffffffff', 18446744073709551615n],
    [columnShape(1), 'ff', -1n],
    [columnShape(13), '78', 2020n],
    [columnShape(247, 1), '02', 2n],
    [columnShape(16, 5), '1f', 31n],
    [columnShape(4, 4), 'cdcccc3d', Math.fround(0.1)],
    [columnShape(5, 8), '9a9999999999b93f', 0.1],
    [columnShape(246, (14 << 8) | 4), '810dfb38d204d2', '1234567890.1234'],
    [columnShape(10), '000000', '0000-00-00'],
    [columnShape(245, 4), jsonBytes({ a: 'ü' }), '{"a": "ü"}'],
    [columnShape(15, 9), '00ff', Buffer.from([0, 255])],
    [columnShape(254, 3, { collation: 63 }), '61', Buffer.from('a\0\0')],
    [columnShape(140, 2), '0061', Buffer.from('a')],
    [columnShape(254, 4, { declared: 'inet4' }), '01', '1.0.0.0'],
    [columnShape(3, 0, { carrier: 'text' }), Buffer.from('-5'), -5n],
    [columnShape(5, 0, { carrier: 'text' }), Buffer.from('1e+30'), 1e30],
    [columnShape(15, 9, { carrier: 'text' }), Buffer.from('x'), Buffer.from('x')],
  ])('gives %o of %s as %o', (column, value, expected) => {
    expect(decode(column, value)).toEqual(expected);
  });

  it('tells NULL from absent', () => {
    expect(decodeValue(columnShape(3), Buffer.alloc(0), 0, NULL_LENGTH)).toBeNull();
    expect(decodeValue(columnShape(3), Buffer.alloc(0), 0, ABSENT_LENGTH)).toBeUndefined();
  });
});

describe('encodeTextValue', () => {
  it.each([
    [columnShape(3), 12, '12'],
    [columnShape(3), -12n, '-12'],
    [columnShape(3), '7', '7'],
    [columnShape(1), true, '1'],
    [columnShape(8, 0, UNSIGNED), 18446744073709551615n, '18446744073709551615'],
    [columnShape(13), 0, '0000'],
    [columnShape(13), 2024, '2024'],
    [columnShape(16, (1 << 8) | 5), 8191, '8191'],
    [DECIMAL, '1.5', '1.50'],
    [DECIMAL, '-0001.50000', '-1.50'],
    [DECIMAL, '-0', '0.00'],
    [DECIMAL, 7, '7.00'],
    [DECIMAL, '.5', '0.50'],
    [columnShape(4, 4), 0.1, '0.1'],
    [columnShape(5, 8), '1e300', '1e+300'],
    [columnShape(5, 8), -0, '-0'],
    [columnShape(10), '2024-02-30', '2024-02-30'],
    [columnShape(18, 3), '2024-01-02T03:04:05', '2024-01-02 03:04:05.000'],
    [columnShape(18, 3), '2024-01-02 03:04:05.120000', '2024-01-02 03:04:05.120'],
    [columnShape(17, 0), '0000-00-00 00:00:00', '0000-00-00 00:00:00'],
    [columnShape(19, 6), '-838:59:59.5', '-838:59:59.500000'],
    [columnShape(19, 0), '012:00:00', '12:00:00'],
    [columnShape(245, 4), '{"a":1}', '{"a":1}'],
    [columnShape(15, 40, { collation: 45 }), 'ü', 'ü'],
    [
      columnShape(254, 16, { declared: 'uuid' }),
      '6ccd780c-baba-1026-9564-5b8c656024db',
      '6ccd780c-baba-1026-9564-5b8c656024db',
    ],
  ])('for %o takes %o as %s', (column, value, expected) => {
    expect(encode(column, value)).toBe(expected);
  });

  it('encodes strings in the sets it knows, and asks for a Buffer in others', () => {
    expect(encodeTextValue(columnShape(15, 40, { collation: 54 }), 'a€')).toEqual(
      Buffer.from('006120ac', 'hex'),
    );
    expect(encodeTextValue(columnShape(15, 40, { collation: 60 }), '😀')).toEqual(
      Buffer.from('0001f600', 'hex'),
    );
    expect(encodeTextValue(columnShape(15, 40, { collation: 28 }), 'abc')).toEqual(Buffer.from('abc'));
    expect(refused(columnShape(15, 40, { collation: 28 }), '誠')).toBe(true);
    expect(encodeTextValue(columnShape(15, 40, { collation: 28 }), Buffer.from('d55c', 'hex'))).toEqual(
      Buffer.from('d55c', 'hex'),
    );
  });

  it.each([
    [columnShape(3), 1.5],
    [columnShape(3), 2 ** 60],
    [columnShape(3), 2147483648],
    [columnShape(3), 'abc'],
    [columnShape(3), undefined],
    [columnShape(3), new Date(0)],
    [columnShape(1, 0, UNSIGNED), -1],
    [columnShape(13), 1900],
    [columnShape(16, 5), 32],
    [columnShape(247, 1), 256],
    [DECIMAL, '123456789.00'],
    [DECIMAL, '1.005'],
    [DECIMAL, 1.5],
    [DECIMAL, '.'],
    [DECIMAL, ''],
    [columnShape(4, 4), 1e39],
    [columnShape(5, 8), Number.NaN],
    [columnShape(5, 8), '0x10'],
    [columnShape(10), '2024-13-01'],
    [columnShape(10), '2024-1-1'],
    [columnShape(18, 0), '2024-01-02 03:04:05.5'],
    [columnShape(18, 0), '2024-01-02 24:00:00'],
    [columnShape(19, 0), '839:00:00'],
    [columnShape(245, 4), '{a:1}'],
    [columnShape(245, 4), { a: 1 }],
    [columnShape(15, 2), 'abc'],
    [columnShape(15, 2), 5],
    [columnShape(252, 1), Buffer.alloc(256)],
    [columnShape(254, 16, { declared: 'uuid' }), "' OR 1"],
  ])('for %o refuses %o', (column, value) => {
    expect(refused(column, value)).toBe(true);
  });

  it('undoes decodeValue', () => {
    const cases: readonly [ColumnShape, number][] = [
      [columnShape(1), 1],
      [columnShape(2, 0, UNSIGNED), 2],
      [columnShape(9), 3],
      [columnShape(3, 0, UNSIGNED), 4],
      [columnShape(8), 8],
      [columnShape(16, (2 << 8) | 0), 2],
      [columnShape(248, 8), 8],
      [columnShape(4, 4), 4],
      [columnShape(5, 8), 8],
    ];
    for (const [column, bytes] of cases)
      fc.assert(
        fc.property(fc.uint8Array({ minLength: bytes, maxLength: bytes }), (array) => {
          const raw = Buffer.from(array);
          if (column.type === 4 && !Number.isFinite(raw.readFloatLE())) return;
          if (column.type === 5 && !Number.isFinite(raw.readDoubleLE())) return;
          const value = decode(column, raw);
          const text = encodeTextValue(column, value);
          expect(text).not.toBeNull();
          expect(decode({ ...column, carrier: 'text' }, text ?? '')).toEqual(value);
        }),
      );
    expect(encodeTextValue(columnShape(3), null)).toBeNull();
  });
});
