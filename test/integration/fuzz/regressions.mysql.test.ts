import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FuzzCase, PAIR_NAMES, PAIRS } from '../../../fuzz/case.ts';
import { DirectChain } from '../../../fuzz/direct-chain.ts';
import { generateCase } from '../../../fuzz/generate.ts';
import { regressions } from '../../../fuzz/regressions.ts';
import { runCase } from '../../../fuzz/run-case.ts';
import { Sides } from '../../../fuzz/sides.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';

/** Of each pair, beside what once failed; more with `npm run fuzz`. */
const FRESH_CASES = 4;
const SEED = 20_261_121;

for (const pair of PAIR_NAMES)
  describeWithOwn([...new Set(PAIRS[pair])], `generated cases on ${pair}`, () => {
    let sides: Sides;
    let chain: DirectChain;
    beforeAll(async () => {
      sides = await Sides.start(pair);
      chain = await DirectChain.open(sides.source, sides.target);
    });
    afterAll(async () => {
      await chain?.[Symbol.asyncDispose]();
      await sides?.[Symbol.asyncDispose]();
    });

    const leavesBothSidesEqual = async (one: FuzzCase): Promise<void> => {
      const { failure } = await runCase(sides, chain, one);
      if (failure !== null) await chain.reset();
      expect(failure).toBeNull();
    };

    for (const { name, regression } of regressions())
      if (regression.case.pair === pair)
        it(`${name} does not come back`, () => leavesBothSidesEqual(regression.case));

    for (let index = 0; index < FRESH_CASES; index++)
      it(`case ${index} of seed ${SEED} leaves both sides equal`, () =>
        leavesBothSidesEqual(generateCase({ seed: SEED, index, pair })));
  });
