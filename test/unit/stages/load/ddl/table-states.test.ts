import { describe, expect, it } from 'vitest';
import type { TableState } from '../../../../../stages/load/ddl/ddl.ts';
import { compareTableStates } from '../../../../../stages/load/ddl/table-states.ts';

const table = (change: Partial<TableState> = {}): TableState => ({
  schema: 'shop',
  table: 'a',
  exists: true,
  ids: ['shop/a:7'],
  definition: 'abc',
  ...change,
});

describe('what stands under the names of a schema change', () => {
  it.each<readonly [string, TableState, TableState, string]>([
    ['nothing was done', table(), table(), 'same'],
    ['TRUNCATE, a rebuild, a swap', table(), table({ ids: ['shop/a:8'] }), 'changed'],
    ['an index, a column', table(), table({ definition: 'abd' }), 'changed'],
    ['gone', table(), table({ exists: false, ids: [], definition: '' }), 'changed'],
    ['never there', table({ exists: false, ids: [] }), table({ exists: false, ids: [] }), 'same'],
    ['a table whose engine has no ids', table({ ids: [] }), table({ ids: [] }), 'unknown'],
    ['a database', table({ table: null, ids: [] }), table({ table: null, ids: [] }), 'same'],
  ])('%s', (_, before, now, expected) => {
    expect(compareTableStates([before], [now])).toBe(expected);
  });

  it('says nothing where nothing was looked at', () => {
    expect(compareTableStates([], [])).toBe('unknown');
  });
});
