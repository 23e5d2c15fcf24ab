import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressOf,
  isWhole,
  questionOf,
  requestOf,
  type TraceQuestion,
  valuesOf,
} from '../../../../console/pages/trace-link.ts';

const partsOf = (address: string) => {
  const { search, hash } = new URL(address, 'http://127.0.0.1');
  return questionOf(search, hash);
};

describe('the address of a trace', () => {
  test('gives the question back, whatever the values hold', () => {
    fc.assert(
      fc.property(
        fc.record({
          pipeline: fc.string({ minLength: 1 }),
          table: fc.string({ minLength: 1 }),
          by: fc.constantFrom<TraceQuestion['by']>('key', 'where'),
          values: fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }),
          lastMs: fc.integer({ min: 1, max: 10_000 }).map((seconds) => seconds * 1000),
        }),
        (question) => {
          expect(partsOf(addressOf(question))).toEqual(question);
        },
      ),
    );
  });

  test('keeps values behind the #, which goes to no server', () => {
    const address = addressOf({
      pipeline: 'p',
      table: 's.t',
      by: 'key',
      values: ['secret'],
      lastMs: 3_600_000,
    });
    expect(address).toBe('/trace?pipeline=p&table=s.t#key=secret');
    expect(addressOf({ pipeline: '', table: '', by: 'key', values: [], lastMs: 3_600_000 })).toBe('/trace');
  });

  test('a question without table, pipeline or value is not asked', () => {
    expect(isWhole(partsOf('/trace'))).toBe(false);
    expect(isWhole(partsOf('/trace?pipeline=p&table=t#key=1'))).toBe(false);
    expect(isWhole(partsOf('/trace?pipeline=p&table=s.t#key=1'))).toBe(true);
  });
});

test('requestOf() gives key or columns, where one without a value is NULL', () => {
  const question = { pipeline: 'p', table: 's.t', lastMs: 1_000 };
  expect(requestOf({ ...question, by: 'key', values: ['1', 'a=b'] })).toEqual({
    table: 's.t',
    key: ['1', 'a=b'],
    lastMs: 1_000,
  });
  expect(requestOf({ ...question, by: 'where', values: ['a=b=c', 'n', 'e='] })).toEqual({
    table: 's.t',
    where: { a: 'b=c', n: null, e: '' },
    lastMs: 1_000,
  });
});

test('valuesOf() takes one a line', () => {
  expect(valuesOf('4711\r\n3\n')).toEqual(['4711', '3']);
  expect(valuesOf('')).toEqual([]);
});
