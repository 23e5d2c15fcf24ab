import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Pair, ROW_IMAGES } from '../../cases/key-shapes/key-case.ts';
import { statement } from '../../cases/key-shapes/statements.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { KeyCaseRun } from './key-case-run.ts';
import { keyHistory } from './key-histories.ts';

const HISTORIES = Number(process.env.HOLT_TEST_HISTORIES ?? 20);
const SEED = Number(process.env.HOLT_TEST_SEED ?? 20_261_121);
const SAME: readonly Pair[] = [
  { source: 'mariadb', target: 'mariadb' },
  { source: 'mysql', target: 'mysql' },
];

/** The oracle is the source itself, which did everything statement by statement. */
for (const pair of SAME)
  describeWithOwn([pair.source], `random histories over few keys (${pair.source})`, () => {
    let run: KeyCaseRun;
    beforeAll(async () => {
      run = await KeyCaseRun.on(pair, true);
    });
    afterAll(() => run?.[Symbol.asyncDispose]());

    for (const image of ROW_IMAGES.filter((one) => one !== 'NOBLOB'))
      it(`leave the target like the source as one batch, with ${image} images`, async () => {
        const histories = fc.sample(keyHistory, { numRuns: HISTORIES, seed: SEED });
        for (const logged of await run.logged(histories, image)) {
          expect(logged.failure).toBeNull();
          const applied = await run.apply(logged, 'one batch');
          const done = logged.one.transactions.map((ops) => ops.map(statement));
          const differences = await run.differences(logged, applied);
          expect({ done, refused: applied.refused, ledger: applied.ledger, differences }).toEqual({
            done,
            refused: null,
            ledger: [],
            differences: [],
          });
        }
      }, 300_000);
  });
