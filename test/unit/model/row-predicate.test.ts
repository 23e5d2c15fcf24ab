import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRowExpression } from '../../../model/row-expression.ts';
import {
  compareDecimals,
  compilePredicate,
  type PredicateColumn,
  parseDecimal,
} from '../../../model/row-predicate.ts';

const columns: readonly PredicateColumn[] = [
  { name: 'n', kind: 'number' },
  { name: 't', kind: 'utf8' },
  { name: 'l', kind: 'latin1' },
  { name: 'b', kind: 'bytes' },
];

function passes(
  where: string,
  row: { n?: string | null; t?: string | null; l?: Buffer; b?: Buffer },
): boolean {
  const values = [row.n ?? null, row.t ?? null, row.l ?? null, row.b ?? null];
  return compilePredicate(
    parseRowExpression(where),
    columns,
    's.t',
  )((index) => {
    const value = values[index] ?? null;
    return typeof value === 'string' ? Buffer.from(value) : value;
  });
}

describe('compilePredicate()', () => {
  test.each([
    ['n = 18446744073709551615', { n: '18446744073709551615' }, true],
    ['n = 18446744073709551615', { n: '18446744073709551614' }, false],
    ['n = 1.50', { n: '1.5' }, true],
    ['n < -1', { n: '-1.000000000000000000000000000001' }, true],
    ['n >= 100', { n: '1e2' }, true],
    ["n in (1, 2, '3')", { n: '3' }, true],
    ['n != 1', { n: null }, false],
    ['not n = 1', { n: null }, false],
    ['n is null or n = 1', { n: null }, true],
    ['not (n = 1 and t is not null)', { n: null, t: null }, true],
    ["t = 'Grüße'", { t: 'Grüße' }, true],
    ["t = 'A'", { t: 'a' }, false],
    ["t like 'Gr_ße%'", { t: 'Grüßen\nSie' }, true],
    ["t like '100\\%'", { t: '100%' }, true],
    ["t like '100\\%'", { t: '100x' }, false],
    ["t like '(a|b).'", { t: '(a|b).' }, true],
    ["t not like 'a%'", { t: null }, false],
    ["l = 'ü'", { l: Buffer.from([0xfc]) }, true],
    ["b = x'00ff'", { b: Buffer.from([0, 255]) }, true],
    ["b > x'00'", { b: Buffer.from([0, 0]) }, true],
  ])('%s on %j is %s', (where, row, expected) => {
    expect(passes(where, row)).toBe(expected);
  });

  test.each(['missing = 1', "n = x'00'", "n like 'a'", "n = 'abc'"])('%s does not fit the table', (where) => {
    expect(() => passes(where, {})).toThrow(expect.objectContaining({ code: 'HOLT_ROW_FILTER_COLUMN' }));
  });
});

test('decimals compare as their values do', () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.bigInt(), fc.nat(40), (a, b, scale) => {
      const text = (value: bigint) => {
        const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
        const at = digits.length - scale;
        return `${value < 0n ? '-' : ''}${digits.slice(0, at)}.${digits.slice(at)}`;
      };
      const left = parseDecimal(text(a));
      const right = parseDecimal(text(b));
      expect(left === null || right === null ? null : compareDecimals(left, right)).toBe(
        a < b ? -1 : a > b ? 1 : 0,
      );
    }),
  );
});
