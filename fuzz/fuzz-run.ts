/** Cases of one pair, one after the other, until the time is over; what fails is shrunk and kept. */
import type { FuzzCase, PairName } from './case.ts';
import type { Chain } from './chain.ts';
import { FuzzerError } from './chain.ts';
import { Coverage } from './coverage.ts';
import { generateCase } from './generate.ts';
import { keepRegression } from './regressions.ts';
import { type Failure, runCase } from './run-case.ts';
import { shrinkCase } from './shrink.ts';
import type { Sides } from './sides.ts';

export interface FuzzRunOptions {
  readonly sides: Sides;
  readonly chain: Chain;
  readonly pair: PairName;
  readonly seed: number;
  /** The first case's number. */
  readonly from: number;
  readonly mayGoOn: (cases: number) => boolean;
  readonly say: (text: string) => void;
  /** Failing cases are shrunk and kept; else they are only told. */
  readonly keep: boolean;
  /** Rows go over so many lanes (apply mode `parallel`); 0: over one connection. */
  readonly lanes: number;
  /** Most failures before the run gives up. */
  readonly maxFailures: number;
}

export interface Found {
  readonly failure: Failure;
  readonly case: FuzzCase;
}

export interface FuzzRunResult {
  readonly coverage: Coverage;
  readonly found: readonly Found[];
}

const SHRINK_ATTEMPTS = 400;

export async function fuzzRun(options: FuzzRunOptions): Promise<FuzzRunResult> {
  const { sides, chain, pair, seed, from, say } = options;
  const coverage = new Coverage(pair);
  const found: Found[] = [];
  const start = performance.now();
  for (let index = from; options.mayGoOn(index - from) && found.length < options.maxFailures; index++) {
    const generated = generateCase({ seed, index, pair });
    const one: FuzzCase =
      options.lanes === 0 ? generated : { ...generated, apply: { ...generated.apply, lanes: options.lanes } };
    let failure: Failure | null;
    try {
      const result = await runCase(sides, chain, one);
      coverage.take(one, result);
      failure = result.failure;
    } catch (error) {
      throw new FuzzerError(`case ${index} of seed ${seed} on ${pair} cannot be run`, { cause: error });
    }
    if (failure === null) continue;
    await chain.reset();
    say(`case ${index} of seed ${seed} on ${pair} fails: ${failure.kind}: ${failure.detail.slice(0, 1500)}`);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    say(`found after ${seconds} s: ${failure.kind} in case ${index}`);
    found.push(options.keep ? await shrunk(options, one, failure) : { failure, case: one });
  }
  return { coverage, found };
}

async function shrunk(options: FuzzRunOptions, one: FuzzCase, failure: Failure): Promise<Found> {
  const { sides, chain, say } = options;
  let last = failure;
  const small = await shrinkCase(one, {
    attempts: SHRINK_ATTEMPTS,
    fails: async (candidate) => {
      const result = await runCase(sides, chain, candidate).catch(() => null);
      if (result?.failure == null) return false;
      await chain.reset();
      if (result.failure.kind !== failure.kind) return false;
      last = result.failure;
      return true;
    },
  });
  const path = keepRegression({ found: last, case: small });
  say(`shrunk to ${path}: ${last.kind}: ${last.detail.slice(0, 1500)}`);
  return { failure: last, case: small };
}
