import { expect, test } from 'vitest';
import { KINDS, kindWords } from '../../../../console/pages/ledger-kinds.ts';
import { LEDGER_KINDS } from '../../../../stages/load/ledger-contract.ts';

test('every kind of ledger entry has words, and no other', () => {
  expect([...KINDS].sort()).toEqual([...LEDGER_KINDS].sort());
});

test('a kind of another version is shown by its own word', () => {
  expect(kindWords('row-eaten')).toMatchObject({ title: 'row-eaten' });
});
