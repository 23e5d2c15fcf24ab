import { expect, test } from 'vitest';
import { scopeOf, scopeText } from '../../../../console/pages/scope.ts';

test.each<[string, readonly string[] | null]>([
  ['', null],
  [' , ', null],
  ['orders-*', ['orders-*']],
  ['orders-*, billing-?\n x', ['orders-*', 'billing-?', 'x']],
])('%j names pipelines', (text, scope) => {
  expect(scopeOf(text)).toEqual(scope);
  expect(scopeOf(scopeText(scope))).toEqual(scope);
});
