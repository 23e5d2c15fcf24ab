import { deflateRawSync, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { writeValueText } from '../../../../canal/value/value-text.ts';
import { ByteSink } from '../../../../lib/byte-sink.ts';
import { HoltError } from '../../../../lib/errors.ts';
import type { ColumnShape } from '../../../../model/table-shape.ts';
import { columnShape } from '../../../support/row-bytes.ts';

function textOf(column: ColumnShape, hex: string | Buffer): string {
  const value = typeof hex === 'string' ? Buffer.from(hex.replaceAll(' ', ''), 'hex') : hex;
  // In the middle of other bytes, as in a payload.
  const buf = Buffer.concat([Buffer.from('ffaa', 'hex'), value, Buffer.from('aaff', 'hex')]);
  const sink = new ByteSink(64);
  sink.latin1('>');
  writeValueText(sink, column, buf, 2, value.length);
  return sink.take().toString('latin1').slice(1);
}

const of = (type: number, meta = 0, more: Partial<ColumnShape> = {}) => columnShape(type, meta, more);

describe('the canonical text', () => {
  it.each([
    ['TINYINT', of(1), 'ff', '-1'],
    ['TINYINT UNSIGNED', of(1, 0, { unsigned: true }), 'ff', '255'],
    ['SMALLINT', of(2), '0080', '-32768'],
    ['SMALLINT UNSIGNED', of(2, 0, { unsigned: true }), 'ffff', '65535'],
    ['MEDIUMINT', of(9), '000080', '-8388608'],
    ['MEDIUMINT UNSIGNED', of(9, 0, { unsigned: true }), 'ffffff', '16777215'],
    ['INT', of(3), '00000080', '-2147483648'],
    ['INT UNSIGNED', of(3, 0, { unsigned: true }), 'ffffffff', '4294967295'],
    ['BIGINT', of(8), '0000000000000080', '-9223372036854775808'],
    ['BIGINT UNSIGNED', of(8, 0, { unsigned: true }), 'ffffffffffffffff', '18446744073709551615'],
    ['DECIMAL(14,4)', of(246, (14 << 8) | 4), '810dfb38d204d2', '1234567890.1234'],
    ['DECIMAL(14,4), negative', of(246, (14 << 8) | 4), '7ef204c72dfb2d', '-1234567890.1234'],
    ['FLOAT', of(4, 4), 'cdcccc3d', '0.1'],
    ['FLOAT, negative zero', of(4, 4), '00000080', '-0'],
    ['DOUBLE', of(5, 8), '9a9999999999b93f', '0.1'],
    ['YEAR', of(13), '78', '2020'],
    ['YEAR, zero', of(13), '00', '0000'],
    ['DATE', of(10), '5dc80f', '2020-02-29'],
    ['DATE, zero', of(10), '000000', '0000-00-00'],
    ['DATETIME', of(18), '99a5441840', '2020-01-02 01:33:00'],
    ['DATETIME(6), zero', of(18, 6), '8000000000000000', '0000-00-00 00:00:00.000000'],
    ['TIMESTAMP', of(17), '00000001', '1970-01-01 00:00:01'],
    ['TIMESTAMP, the last', of(17), '7fffffff', '2038-01-19 03:14:07'],
    ['TIMESTAMP, the last of MariaDB 11.5', of(17), 'ffffffff', '2106-02-07 06:28:15'],
    ['TIMESTAMP(3), zero', of(17, 3), '000000000000', '0000-00-00 00:00:00.000'],
    ['TIMESTAMP on a leap day', of(17, 1), '38bc5d7f 63', '2000-02-29 23:59:59.9'],
    ['TIME', of(19), '800000', '00:00:00'],
    ['TIME, most', of(19), 'b46efb', '838:59:59'],
    ['TIME, least', of(19), '4b9105', '-838:59:59'],
    ['TIME(1)', of(19, 1), '7fffff ce', '-00:00:00.5'],
    ['TIME(2)', of(19, 2), '7fffff ff', '-00:00:00.01'],
    ['TIME(4)', of(19, 4), '7fffff d8f1', '-00:00:00.9999'],
    ['TIME(6)', of(19, 6), '7ffffe f0bdc1', '-00:00:01.999999'],
    ['TIME of before 5.6', of(11), 'c01dfe', '-12:34:56'],
    ['DATETIME of before 5.6', of(12), '45ece7335f120000', '2020-01-02 03:04:05'],
    ['TIMESTAMP of before 5.6', of(7), 'a55d0d5e', '2020-01-02 03:04:05'],
    ['TIME(1), packed', of(11, 0, { declared: 'time(1)' }), '01d3c9c7', '12:34:56.7'],
    ['TIME(6), packed', of(11, 0, { declared: 'time(6)' }), '000000000001', '-838:59:59.999999'],
    [
      'DATETIME(3), packed',
      of(12, 0, { declared: 'datetime(3)' }),
      '0042090a66c32e',
      '2020-01-02 03:04:05.678',
    ],
    [
      'DATETIME(6), packed',
      of(12, 0, { declared: 'datetime(6)' }),
      '0101f350a16a6f35',
      '2020-01-02 03:04:05.678901',
    ],
    ['TIMESTAMP(2), packed', of(7, 0, { declared: 'timestamp(2)' }), '5e0d5da543', '2020-01-02 03:04:05.67'],
    [
      'TIMESTAMP(6), packed',
      of(7, 0, { declared: 'timestamp(6)' }),
      '5e0d5da50a5bf5',
      '2020-01-02 03:04:05.678901',
    ],
    ['BIT(13)', of(16, (1 << 8) | 5), '1fff', '8191'],
    ['BIT(64)', of(16, 8 << 8), 'ffffffffffffffff', '18446744073709551615'],
    ['ENUM', of(247, 2), '2c01', '300'],
    ['SET', of(248, 8), '0000000000000080', '9223372036854775808'],
    ['CHAR', of(254, 20), '616220', 'ab '],
    ['BINARY, filled up', of(254, 4, { collation: 63 }), '6100', 'a\0\0\0'],
    ['VARBINARY', of(15, 4, { collation: 63 }), '6100', 'a\0'],
    ['BLOB', of(252, 2, { collation: 63 }), '00ff', '\0\xff'],
    ['GEOMETRY', of(255, 4), '00ff', '\0\xff'],
    ['VECTOR', of(242, 4), '0000803f', '\0\0\x80?'],
    ['text form', of(3, 0, { carrier: 'text' }), Buffer.from('12345'), '12345'],
    [
      'UUID',
      of(254, 16, { declared: 'uuid' }),
      '0188d6e100007000 80',
      '0188d6e1-0000-7000-8000-000000000000',
    ],
    ['INET4', of(254, 4, { declared: 'inet4' }), '010203', '1.2.3.0'],
    ['INET6', of(254, 16, { declared: 'inet6' }), '20010db8', '2001:db8::'],
    ['INET6, none', of(254, 16, { declared: 'inet6' }), '', '::'],
    ['INET6, one', of(254, 16, { declared: 'inet6' }), '00000000000000000000000000000001', '::1'],
    [
      'INET6, mapped',
      of(254, 16, { declared: 'inet6' }),
      '00000000000000000000ffff01020304',
      '::ffff:1.2.3.4',
    ],
    ['COMPRESSED, plain', of(141, 101), '00 616263', 'abc'],
    ['COMPRESSED, empty', of(140, 2), '', ''],
  ])('of %s', (_, column, value, expected) => {
    expect(textOf(column, value)).toBe(expected);
  });

  it('of COMPRESSED columns is the text before', () => {
    const plain = Buffer.from('abc'.repeat(100));
    const head = (flag: number) => Buffer.from([0x82 | flag, plain.length >> 8, plain.length & 255]);
    expect(textOf(of(140, 2), Buffer.concat([head(8), deflateRawSync(plain)]))).toBe(plain.toString());
    expect(textOf(of(141, 1001), Buffer.concat([head(0), deflateSync(plain)]))).toBe(plain.toString());
  });

  it.each([
    ['an integer of another size', of(3), '00'],
    ['a decimal of another size', of(246, (10 << 8) | 4), '80'],
    ['a FLOAT that is no number', of(4, 4), '0000c07f'],
    ['an infinite DOUBLE', of(5, 8), '000000000000f07f'],
    ['a DATE of another size', of(10), '0000'],
    ['an empty BIT', of(16, 1), ''],
    ['a SET of nine bytes', of(248, 8), '000000000000000000'],
    ['an unknown type', of(99), '00'],
    ['a COMPRESSED value of unknown form', of(140, 2), '9100'],
    ['a COMPRESSED value that does not unpack', of(140, 2), '8a 0010 ffff'],
    [
      'a COMPRESSED value of another length',
      of(140, 2),
      Buffer.concat([Buffer.from([0x89, 9]), deflateRawSync(Buffer.from('abc'))]),
    ],
  ])('is refused for %s, without showing the value', (_, column, value) => {
    try {
      textOf(column, value);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(HoltError);
      expect((error as HoltError).code).toBe('HOLT_VALUE_INVALID');
    }
  });
});
