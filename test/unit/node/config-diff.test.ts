import { expect, test } from 'vitest';
import { configDiff } from '../../../node/config-diff.ts';

test.each<[string, unknown, unknown, readonly [string, string | null, string | null][]]>([
  ['the same, in another order', { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }, []],
  ['a value', { batch: { window: 6 } }, { batch: { window: 8 } }, [['batch.window', '6', '8']]],
  ['what is only there', { a: 1 }, { a: 1, b: null }, [['b', null, 'null']]],
  ['what is gone', { a: { x: 1 } }, {}, [['a', '{"x":1}', null]]],
  [
    'a list of texts, as a whole',
    { tables: { include: ['a.*'] } },
    { tables: { include: ['a.*', 'b.*'] } },
    [['tables.include', '["a.*"]', '["a.*","b.*"]']],
  ],
  [
    'a list of rules, one by one',
    { rules: [{ match: 'a.t', where: null }, { match: 'a.u' }] },
    { rules: [{ match: 'a.t', where: 'x = 1' }] },
    [
      ['rules.0.where', 'null', '"x = 1"'],
      ['rules.1', '{"match":"a.u"}', null],
    ],
  ],
  [
    'a list that becomes something else',
    { a: [{ b: 1 }] },
    { a: { 0: { b: 1 } } },
    [['a', '[{"b":1}]', '{"0":{"b":1}}']],
  ],
])('finds %s', (_what, before, after, expected) => {
  expect(configDiff(before, after).map((one) => [one.path, one.before, one.after])).toEqual(expected);
});
