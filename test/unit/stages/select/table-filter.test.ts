import { describe, expect, it } from 'vitest';
import { TableFilter } from '../../../../stages/select/table-filter.ts';

function filter(include: string[], exclude: string[] = [], caseSensitive = true): TableFilter {
  return new TableFilter({ include, exclude }, { caseSensitive });
}

describe('TableFilter', () => {
  const cases: readonly [string[], string[], string, string, boolean][] = [
    [['shop.*'], [], 'shop', 'orders', true],
    [['shop.*'], [], 'shop2', 'orders', false],
    [['shop.*'], ['shop.tmp_*'], 'shop', 'tmp_1', false],
    [['shop.*'], ['shop.tmp_*'], 'shop', 'orders', true],
    [['s?op.o*s'], [], 'ship', 'orders', false],
    [['s?op.o*s'], [], 'stop', 'orders', true],
    [['*.*'], [], 'anything', 'x', true],
    [['*.*'], [], 'mysql', 'user', false],
    [['*.*'], [], 'sys', 'x', false],
    [['mysql.help'], [], 'mysql', 'help', true],
    [['*.*', 'holt.*', 'holt.checkpoint'], [], 'holt', 'checkpoint', false],
    [['`my.db`.`a*b`'], [], 'my.db', 'a*b', true],
    [['`my.db`.`a*b`'], [], 'my.db', 'aXb', false],
    [['`we``ird`.t'], [], 'we`ird', 't', true],
    [['Shop.T'], [], 'shop', 't', false],
    [[], [], 'shop', 't', false],
  ];
  it.each(cases)('%j without %j on %s.%s is %s', (include, exclude, schema, table, expected) => {
    expect(filter(include, exclude).matches(schema, table)).toBe(expected);
  });

  it('does not regard case where the source does not', () => {
    const one = filter(['Shop.*'], ['SHOP.Old'], false);
    expect(one.matches('shop', 'orders')).toBe(true);
    expect(one.matches('SHOP', 'OLD')).toBe(false);
    expect(filter(['Holt.*'], [], false).matches('HOLT', 'checkpoint')).toBe(false);
  });

  it('knows which schemas could have a replicated table', () => {
    const one = filter(['shop.*', 'crm.customers'], ['shop.*', 'crm.x']);
    expect(one.mayMatchSchema('crm')).toBe(true);
    expect(one.mayMatchSchema('shop')).toBe(false);
    expect(one.mayMatchSchema('other')).toBe(false);
    expect(filter(['*.*']).mayMatchSchema('holt')).toBe(false);
  });

  it.each(['shop', 'a.b.c', '.t', 's.', '`open.t', ''])('refuses the pattern %j', (pattern) => {
    expect(() => filter([pattern])).toThrow(expect.objectContaining({ code: 'HOLT_TABLE_PATTERN_INVALID' }));
  });
});
