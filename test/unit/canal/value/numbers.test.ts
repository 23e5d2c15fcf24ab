import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalBytes, putDecimal } from '../../../../canal/value/decimal.ts';
import {
  putInt32,
  putInt64,
  putPadded,
  putUint32,
  putUint53,
  putUint64,
} from '../../../../canal/value/digits.ts';
import { doubleText, floatText, jsonDoubleText } from '../../../../canal/value/float.ts';

const out = Buffer.alloc(100);
const text = (end: number): string => out.toString('latin1', 0, end);

describe('digits', () => {
  it('of 32 bits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (n) => {
        expect(text(putUint32(out, 0, n))).toBe(String(n));
        expect(text(putInt32(out, 0, n | 0))).toBe(String(n | 0));
        expect(text(putPadded(out, 0, n % 1_000_000_000, 9))).toBe(
          String(n % 1_000_000_000).padStart(9, '0'),
        );
      }),
    );
    for (let power = 1; power < 1e10; power *= 10)
      for (const n of [power - 1, power, power + 1]) expect(text(putUint32(out, 0, n))).toBe(String(n));
  });

  it('of 53 and 64 bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (n) => {
        const high = Number(n >> 32n);
        const low = Number(n & 0xffff_ffffn);
        expect(text(putUint64(out, 0, high, low))).toBe(String(n));
        expect(text(putInt64(out, 0, high, low))).toBe(String(BigInt.asIntN(64, n)));
        const safe = Number(n >> 11n);
        expect(text(putUint53(out, 0, safe))).toBe(String(safe));
      }),
    );
    for (let power = 1n; power < 1n << 64n; power *= 10n)
      for (const n of [power - 1n, power, power + 1n])
        expect(text(putUint64(out, 0, Number(n >> 32n), Number(n & 0xffff_ffffn)))).toBe(String(n));
    for (const n of [(1n << 63n) - 1n, -(1n << 63n), -1n, 0n, -(1n << 32n)]) {
      const bits = BigInt.asUintN(64, n);
      expect(text(putInt64(out, 0, Number(bits >> 32n), Number(bits & 0xffff_ffffn)))).toBe(String(n));
    }
  });
});

/** DECIMAL as a server stores it, from its digits. */
function storedDecimal(negative: boolean, whole: string, fraction: string): Buffer {
  const groups: Buffer[] = [];
  const BYTES = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
  const push = (digits: string) => {
    const bytes = Buffer.alloc(BYTES[digits.length] ?? 0);
    if (bytes.length > 0) bytes.writeUIntBE(Number(digits), 0, bytes.length);
    groups.push(bytes);
  };
  const lead = whole.length % 9;
  if (lead > 0) push(whole.slice(0, lead));
  for (let i = lead; i < whole.length; i += 9) push(whole.slice(i, i + 9));
  for (let i = 0; i < fraction.length; i += 9) push(fraction.slice(i, i + 9));
  const bytes = Buffer.concat(groups);
  bytes.writeUInt8(bytes.readUInt8(0) ^ 0x80, 0);
  if (negative) for (let i = 0; i < bytes.length; i++) bytes.writeUInt8(bytes.readUInt8(i) ^ 0xff, i);
  return bytes;
}

describe('DECIMAL', () => {
  it('gives all digits of the scale and none too many before the point', () => {
    const digits = (length: number) =>
      fc
        .array(fc.constantFrom(...'0000123456789'), { minLength: length, maxLength: length })
        .map((d) => d.join(''));
    const cases = fc
      .tuple(fc.integer({ min: 0, max: 65 }), fc.integer({ min: 0, max: 38 }))
      .filter(([whole, scale]) => whole + scale >= 1 && whole + scale <= 65)
      .chain(([whole, scale]) => fc.tuple(fc.boolean(), digits(whole), digits(scale)));
    fc.assert(
      fc.property(cases, ([negative, whole, fraction]) => {
        const stored = storedDecimal(negative, whole, fraction);
        const precision = whole.length + fraction.length;
        expect(stored.length).toBe(decimalBytes(precision, fraction.length));
        const expected = `${negative ? '-' : ''}${whole.replace(/^0+/, '') || '0'}${fraction === '' ? '' : `.${fraction}`}`;
        expect(text(putDecimal(out, 0, stored, 0, precision, fraction.length))).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });
});

describe('floating point', () => {
  it('texts read back to the same bits', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        expect(Object.is(Number(doubleText(value)), value)).toBe(true);
        expect(Object.is(Number(jsonDoubleText(value)), value)).toBe(true);
        expect(jsonDoubleText(value)).toMatch(/[.e]/);
      }),
    );
    fc.assert(
      fc.property(fc.float({ noDefaultInfinity: true, noNaN: true }), (value) => {
        expect(Object.is(Math.fround(Number(floatText(value))), value)).toBe(true);
        expect(floatText(value).length).toBeLessThanOrEqual(doubleText(value).length);
      }),
    );
  });

  it('texts are the short ones', () => {
    expect(
      [0.1, 1.1, 3.4028234663852886e38, 16777216, -0, 1e-45].map((v) => floatText(Math.fround(v))),
    ).toEqual(['0.1', '1.1', '3.4028235e+38', '16777216', '-0', '1e-45']);
  });

  it('texts inside JSON are those of MySQL', () => {
    const pairs: [number, string][] = [
      [1, '1.0'],
      [100000, '100000.0'],
      [1e14, '100000000000000.0'],
      [1e15, '1e15'],
      [123456789012345680, '1.2345678901234568e17'],
      [0.00001, '0.00001'],
      [1e-15, '0.000000000000001'],
      [1e-16, '1e-16'],
      [1.5e300, '1.5e300'],
      [-0, '-0.0'],
      [-2.5, '-2.5'],
      [5e-324, '5e-324'],
    ];
    for (const [value, expected] of pairs) expect(jsonDoubleText(value)).toBe(expected);
  });
});
