import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { charsetOf } from '../../../../canal/value/charset.ts';
import { writeQuoted } from '../../../../canal/value/quoted.ts';
import { writeKeyLiteral, writeLiteral } from '../../../../canal/value/value-literal.ts';
import { ByteSink } from '../../../../lib/byte-sink.ts';
import { HoltError } from '../../../../lib/errors.ts';
import type { ColumnShape } from '../../../../model/table-shape.ts';
import { jsonBytes } from '../../../support/json-bytes.ts';
import { columnShape } from '../../../support/row-bytes.ts';

type Write = typeof writeLiteral;

function literal(
  column: ColumnShape,
  value: Buffer,
  write: Write = writeLiteral,
  nativeJson?: boolean,
): string {
  const sink = new ByteSink(64);
  const buf = Buffer.concat([Buffer.from("'\\"), value, Buffer.from("'")]);
  if (nativeJson === undefined) write(sink, column, buf, 2, value.length);
  else write(sink, column, buf, 2, value.length, { nativeJson });
  return sink.take().toString('latin1');
}

const hex = (digits: string) => Buffer.from(digits, 'hex');

describe('writeQuoted', () => {
  it('is undone by reading as the server reads, for short and long values', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 1000, maxLength: 5000 }),
      fc.array(fc.constantFrom(39, 92, 0, 65), { maxLength: 3000 }).map((list) => Uint8Array.from(list)),
    );
    fc.assert(
      fc.property(bytes, fc.nat(3), (value, padding) => {
        const sink = new ByteSink(64);
        writeQuoted(sink, Buffer.from(value), 0, value.length, padding);
        expect(unquoted(sink.view())).toEqual(Buffer.concat([value, Buffer.alloc(padding)]));
      }),
    );
  });
});

/** What a lexer makes of a quoted literal that has no escapes but of the quote and the backslash. */
function unquoted(text: Buffer): Buffer {
  expect(text[0]).toBe(39);
  const bytes: number[] = [];
  let i = 1;
  for (; text[i] !== 39; i++) {
    if (text[i] === 92) i += 1;
    bytes.push(text[i] ?? -1);
  }
  expect(i).toBe(text.length - 1);
  return Buffer.from(bytes);
}

describe('literals', () => {
  it.each([
    ['INT', columnShape(3), hex('00000080'), '-2147483648'],
    ['DECIMAL', columnShape(246, (14 << 8) | 4), hex('7ef204c72dfb2d'), '-1234567890.1234'],
    ['FLOAT, with the digits of its double', columnShape(4, 4), hex('cdcccc3d'), '0.10000000149011612e0'],
    ['the largest FLOAT', columnShape(4, 4), hex('ffff7f7f'), '3.4028234663852886e+38'],
    ['DOUBLE', columnShape(5, 8), hex('9a9999999999b93f'), '0.1e0'],
    ['DOUBLE, negative zero', columnShape(5, 8), hex('0000000000000080'), '-0e0'],
    ['YEAR', columnShape(13), hex('00'), '0000'],
    ['DATE', columnShape(10), hex('000000'), "'0000-00-00'"],
    ['TIME(1)', columnShape(19, 1), hex('7fffffce'), "'-00:00:00.5'"],
    ['BIT', columnShape(16, 5), hex('1f'), '31'],
    ['ENUM', columnShape(247, 1), hex('02'), '2'],
    ['SET of 64', columnShape(248, 8), hex('ffffffffffffffff'), '18446744073709551615'],
    ['CHAR', columnShape(254, 9), Buffer.from("a'b\\c"), "'a\\'b\\\\c'"],
    ['BINARY, filled up', columnShape(254, 3, { collation: 63 }), hex('61'), "'a\0\0'"],
    ['UUID, as bytes', columnShape(254, 16, { declared: 'uuid' }), hex('61'), `'a${'\0'.repeat(15)}'`],
    ['VARCHAR', columnShape(15, 9), hex('00'), "'\0'"],
    ['GEOMETRY', columnShape(255, 4), hex('27'), "'\\''"],
    ['JSON', columnShape(245, 4), jsonBytes({ a: "'" }), `_utf8mb4'{"a": "\\'"}'`],
  ])('of %s', (_, column, value, expected) => {
    expect(literal(column, value)).toBe(expected);
  });

  it('for comparisons differ for a SET of 64 members and for native JSON', () => {
    expect(literal(columnShape(248, 8), hex('ffffffffffffffff'), writeKeyLiteral)).toBe('-1');
    expect(literal(columnShape(245, 4), jsonBytes([1]), writeKeyLiteral)).toBe("CAST(_utf8mb4'[1]' AS JSON)");
    expect(literal(columnShape(245, 4), jsonBytes([1]), writeKeyLiteral, false)).toBe("_utf8mb4'[1]'");
    expect(literal(columnShape(3), hex('01000000'), writeKeyLiteral)).toBe('1');
  });

  it.each([
    ['INT', columnShape(3), hex('fbffffff'), "'-5'"],
    ['DECIMAL', columnShape(246, (14 << 8) | 4), hex('7ef204c72dfb2d'), "'-1234567890.1234'"],
    ['YEAR', columnShape(13), hex('00'), "'0000'"],
    ['BIT', columnShape(16, 5), hex('1f'), "'31'"],
    ['DATE', columnShape(10), hex('000000'), "'0000-00-00'"],
    ['UUID', columnShape(254, 16, { declared: 'uuid' }), hex('61'), "'61000000-0000-0000-0000-000000000000'"],
    ['INET4', columnShape(254, 4, { declared: 'inet4' }), hex('01'), "'1.0.0.0'"],
    ['VARCHAR', columnShape(15, 9), Buffer.from("'"), "'\\''"],
    ['INT in text form', columnShape(3, 0, { carrier: 'text' }), Buffer.from('-5'), "'-5'"],
    [
      'UUID in text form',
      columnShape(254, 16, { declared: 'uuid', carrier: 'text' }),
      Buffer.from('6ccd780c-baba-1026-9564-5b8c656024db'),
      "'6ccd780c-baba-1026-9564-5b8c656024db'",
    ],
  ])('for a column of characters are quoted text: %s', (_, column, value, expected) => {
    const sink = new ByteSink(64);
    writeLiteral(sink, column, value, 0, value.length, { nativeJson: false, text: true });
    expect(sink.take().toString('latin1')).toBe(expected);
  });

  it('name the character set for a native JSON column, which takes no bytes without one', () => {
    expect(literal(columnShape(252, 4, { collation: 46 }), Buffer.from('[]'), writeLiteral, true)).toBe(
      "_utf8mb4'[]'",
    );
    expect(literal(columnShape(252, 4, { collation: 8 }), Buffer.from('[]'), writeLiteral, true)).toBe(
      "_latin1'[]'",
    );
  });

  it.each([
    ['INT', columnShape(3), '-12', '-12'],
    ['DECIMAL', columnShape(246, (5 << 8) | 2), '-1.50', '-1.50'],
    ['FLOAT', columnShape(4, 4), '0.1', '0.10000000149011612e0'],
    ['DOUBLE', columnShape(5, 8), '1e+30', '1e+30'],
    ['DATETIME', columnShape(18, 0), '2020-01-02 03:04:05', "'2020-01-02 03:04:05'"],
    ['JSON', columnShape(245, 4), '["\'"]', `_utf8mb4'["\\'"]'`],
    ['VARCHAR', columnShape(15, 9), "it's", "'it\\'s'"],
    [
      'UUID',
      columnShape(254, 16, { declared: 'uuid' }),
      '6ccd780c-baba-1026-9564-5b8c656024db',
      "_latin1'6ccd780c-baba-1026-9564-5b8c656024db'",
    ],
  ])('of values in text form: %s', (_, column, value, expected) => {
    expect(literal({ ...column, carrier: 'text' }, Buffer.from(value))).toBe(expected);
  });

  it('of values in text form let nothing but numbers through unquoted', () => {
    const hostile = [
      '1;DROP TABLE t',
      '1 OR 1=1',
      '',
      '-',
      '0x10',
      '1e5',
      "'",
      'NULL',
      '1\n',
      '1.5.',
      '--1',
      `${'9'.repeat(500)}`,
    ];
    for (const type of [1, 2, 3, 8, 9, 13, 16, 246, 247, 248])
      for (const text of hostile)
        expect(() =>
          literal(columnShape(type, (5 << 8) | 2, { carrier: 'text' }), Buffer.from(text)),
        ).toThrow(HoltError);
    for (const type of [4, 5])
      for (const text of [...hostile, 'NaN', 'Infinity', 'e5'].filter((t) => t !== '1e5'))
        expect(() => literal(columnShape(type, 8, { carrier: 'text' }), Buffer.from(text))).toThrow(
          HoltError,
        );
    for (const type of [7, 10, 11, 12, 17, 18, 19])
      for (const text of ["2020-01-01' OR '1", 'now()', '', '\\'])
        expect(() => literal(columnShape(type, 0, { carrier: 'text' }), Buffer.from(text))).toThrow(
          HoltError,
        );
  });
});

describe('charsetOf', () => {
  it('knows the collations of all servers', () => {
    expect([8, 28, 33, 45, 46, 63, 224, 255, 2304, 13, 54].map(charsetOf)).toEqual([
      'latin1',
      'gbk',
      'utf8mb3',
      'utf8mb4',
      'utf8mb4',
      'binary',
      'utf8mb4',
      'utf8mb4',
      'utf8mb4',
      'sjis',
      'utf16',
    ]);
    expect(charsetOf(0)).toBeNull();
    expect(charsetOf(9999)).toBeNull();
  });
});
