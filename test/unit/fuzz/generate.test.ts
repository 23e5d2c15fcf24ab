import { expect, it } from 'vitest';
import { PAIR_NAMES, statementSql } from '../../../fuzz/case.ts';
import { Coverage } from '../../../fuzz/coverage.ts';
import { generateCase } from '../../../fuzz/generate.ts';
import { shrinkCase, withoutColumn } from '../../../fuzz/shrink.ts';

it.each(PAIR_NAMES)('a case is a function of seed, index and pair alone (%s)', (pair) => {
  for (const index of [0, 7, 19]) {
    const one = generateCase({ seed: 5, index, pair });
    expect(JSON.stringify(generateCase({ seed: 5, index, pair }))).toBe(JSON.stringify(one));
    expect(JSON.stringify(generateCase({ seed: 6, index, pair }))).not.toBe(JSON.stringify(one));
    // It survives being written to a file.
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
  }
});

it('a failing case shrinks to what it fails by', async () => {
  const failing = generateCase({ seed: 3, index: 6, pair: 'mariadb-mariadb' });
  const guilty = (one: typeof failing): boolean =>
    one.steps.some(
      (step) =>
        step.kind === 'transaction' &&
        step.statements.some((statement) => /DELETE FROM/.test(statementSql(statement))),
    );
  expect(guilty(failing)).toBe(true);
  const small = await shrinkCase(failing, { fails: async (one) => guilty(one), attempts: 2_000 });
  expect(guilty(small)).toBe(true);
  expect(small.tables).toHaveLength(1);
  expect(small.steps).toHaveLength(1);
  expect(small.steps.flatMap((step) => (step.kind === 'transaction' ? step.statements : []))).toHaveLength(1);
  expect(small.tables[0]?.columns).toHaveLength(1);
  expect(small.tables[0]?.keys).toEqual([]);
});

it('what needs a column goes with it', () => {
  const one = generateCase({ seed: 1, index: 6, pair: 'mariadb-mariadb' });
  const table = one.tables[0];
  if (table === undefined) throw new Error('no table');
  for (const { name } of table.columns) {
    const smaller = withoutColumn(one, table.name, name);
    expect(JSON.stringify(smaller?.tables)).not.toContain(`\`${name}\``);
  }
});

it.each(PAIR_NAMES)('types, key shapes and operations take turns, so that none is left out (%s)', (pair) => {
  const coverage = new Coverage(pair);
  for (let index = 0; index < 400; index++) {
    const one = generateCase({ seed: 1, index, pair });
    const done = one.steps.flatMap((step) =>
      step.kind === 'transaction'
        ? step.statements.flatMap((statement) => (statement.kind === 'plain' ? [] : [statement]))
        : [],
    );
    const applied = { batches: 0, rows: 0, careful: 0, inParts: 0, ledger: [], ordered: new Map() };
    coverage.take(one, { failure: null, applied, done, refused: new Map() });
  }
  expect(coverage.zeros()).toEqual([]);
});
