/**
 * Generated tests: `npm run fuzz -- [options]`
 *
 *     --seconds N       how long, in all (60); shared among the pairs
 *     --seed N          1
 *     --pair A-B        one pair of servers; default: all of them, one after the other
 *     --case N          that case alone
 *     --keep            shrinks what fails into test/regressions/fuzz/ (default; --no-keep leaves it)
 *
 * The exit code is 1 if both sides differed, and, in a run of 30 minutes or more, if something was never tried.
 */
import { parseArgs } from 'node:util';
import { PAIR_NAMES, type PairName } from './case.ts';
import type { Chain } from './chain.ts';
import { DirectChain } from './direct-chain.ts';
import { fuzzRun } from './fuzz-run.ts';
import { Sides } from './sides.ts';

/** From so long on, a run must have tried everything. */
const WHOLE_RUN_SECONDS = 1800;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function pairOf(text: string | undefined): readonly PairName[] {
  if (text === undefined) return PAIR_NAMES;
  const pair = PAIR_NAMES.find((name) => name === text);
  if (pair === undefined) throw new Error(`--pair: one of ${PAIR_NAMES.join(', ')}`);
  return [pair];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      pair: { type: 'string' },
      case: { type: 'string' },
      keep: { type: 'boolean', default: true },
      'max-failures': { type: 'string', default: '5' },
    },
  });
  const seconds = Number(values.seconds);
  const pairs = pairOf(values.pair);
  const share = (seconds * 1000) / pairs.length;
  let failures = 0;
  const zeros: string[] = [];
  for (const pair of pairs) {
    await using sides = await Sides.start(pair);
    await using chain = await DirectChain.open(sides.source, sides.target);
    const end = performance.now() + share;
    const only = values.case === undefined ? null : Number(values.case);
    const { coverage, found } = await fuzzRun({
      sides,
      chain: chain satisfies Chain,
      pair,
      seed: Number(values.seed),
      from: only ?? 0,
      mayGoOn: (cases) => (only === null ? performance.now() < end : cases < 1),
      say,
      keep: values.keep,
      maxFailures: Number(values['max-failures']),
    });
    say(coverage.report());
    failures += found.length;
    zeros.push(...coverage.zeros().map((cell) => `${pair}: ${cell}`));
  }
  say(`${failures} differences; ${zeros.length} combinations never tried`);
  if (failures > 0) process.exitCode = 1;
  if (seconds >= WHOLE_RUN_SECONDS && zeros.length > 0) {
    say(`never tried:\n  ${zeros.join('\n  ')}`);
    process.exitCode = 1;
  }
}

await main();
