import { describe, expect, test } from 'vitest';
import { columnsOf, parseRowExpression } from '../../../model/row-expression.ts';

describe('parseRowExpression()', () => {
  test('binds AND tighter than OR and NOT tighter than both', () => {
    expect(parseRowExpression("not a = 1 and b is null or `c d` like 'x%'")).toEqual({
      kind: 'or',
      parts: [
        {
          kind: 'and',
          parts: [
            {
              kind: 'not',
              part: { kind: 'compare', column: 'a', op: '=', literal: { kind: 'number', text: '1' } },
            },
            { kind: 'is-null', column: 'b' },
          ],
        },
        { kind: 'like', column: 'c d', pattern: 'x%' },
      ],
    });
  });

  test('keeps numbers as their digits, text with doubled quotes, bytes as hex', () => {
    expect(parseRowExpression("a in (18446744073709551615, 'it''s', x'00Ff')")).toEqual({
      kind: 'in',
      column: 'a',
      literals: [
        { kind: 'number', text: '18446744073709551615' },
        { kind: 'text', text: "it's" },
        { kind: 'bytes', hex: '00ff' },
      ],
    });
  });

  test.each([
    ['', 'a column name is missing at character 1'],
    ['a', 'a comparison, IN, LIKE or IS NULL is expected at character 2'],
    ['a = ', "a number, 'text' or x'bytes' is expected at character 5"],
    ['a = 1 b', '"b" does not belong here at character 7'],
    ['a = 1; drop', '";" is not understood at character 6'],
    ["a = x'0'", 'an odd number of hex digits at character 5'],
    ['(a = 1', '")" is missing at character 7'],
    ['a is 1', 'NULL expected after IS at character 6'],
  ])('refuses %j', (text, message) => {
    expect(() => parseRowExpression(text)).toThrow(message);
  });

  test('refuses nesting beyond 100 instead of exhausting the stack', () => {
    expect(() => parseRowExpression(`${'('.repeat(5000)}a = 1`)).toThrow('nested more than 100 deep');
    expect(() => parseRowExpression(`${'not '.repeat(5000)}a = 1`)).toThrow('nested more than 100 deep');
  });
});

test('columnsOf() names every column once', () => {
  expect([...columnsOf(parseRowExpression("a = 1 or (b like 'x' and not a in (1))"))]).toEqual(['a', 'b']);
});
