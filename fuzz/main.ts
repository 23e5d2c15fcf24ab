/**
 * Generated tests: `npm run fuzz -- [options]`
 *
 *     --seconds N       how long, in all (60); shared among the pairs
 *     --seed N          1
 *     --pair A-B        one pair of servers; default: all of them, one after the other
 *     --case N          that case alone
 *     --nodes           real nodes over ZooKeeper in place of the stages in one process; schema changes are replicated
 *     --mode parallel   rows go over lanes, some of which die in between
 *     --no-keep         what fails is not shrunk into test/regressions/fuzz/
 *     --faults          the faults planted on purpose, each to be found within a minute; --only TEXT in its name
 *     --bytes           the byte fuzzer of all decoders
 *
 * The exit code is 1 if both sides differed, and, in a run of 30 minutes or more, if something was never tried.
 */
import { parseArgs } from 'node:util';
import { byteRun, byteWorker } from './byte-run.ts';
import { PAIR_NAMES, type PairName } from './case.ts';
import { DirectChain } from './direct-chain.ts';
import { faultRun } from './fault-run.ts';
import { fuzzRun } from './fuzz-run.ts';
import { NodeChain } from './node-chain.ts';
import { Sides, type SidesEndpoints } from './sides.ts';

/** From so long on, a run must have tried everything. */
const WHOLE_RUN_SECONDS = 1800;

const LANES = 3;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function pairsOf(text: string | undefined): readonly PairName[] {
  if (text === undefined) return PAIR_NAMES;
  const pair = PAIR_NAMES.find((name) => name === text);
  if (pair === undefined) throw new Error(`--pair: one of ${PAIR_NAMES.join(', ')}`);
  return [pair];
}

const { values } = parseArgs({
  allowNegative: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    pair: { type: 'string' },
    case: { type: 'string' },
    nodes: { type: 'boolean', default: false },
    mode: { type: 'string', default: 'prefix' },
    keep: { type: 'boolean', default: true },
    'max-failures': { type: 'string', default: '5' },
    faults: { type: 'boolean', default: false },
    only: { type: 'string' },
    bytes: { type: 'boolean', default: false },
    // For processes that this one starts.
    fault: { type: 'string' },
    endpoints: { type: 'string' },
    'bytes-from': { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);

async function pairs(): Promise<void> {
  const names = pairsOf(values.pair);
  const only = values.case === undefined ? null : Number(values.case);
  let failures = 0;
  const zeros: string[] = [];
  for (const pair of names) {
    await using sides =
      values.endpoints === undefined
        ? await Sides.start(pair)
        : Sides.at(JSON.parse(values.endpoints) as SidesEndpoints);
    await using chain = values.nodes
      ? await NodeChain.open(
          sides,
          values.mode === 'parallel' ? { apply: { mode: 'parallel', lanes: LANES, minRows: 1 } } : {},
        )
      : await DirectChain.open(sides.source, sides.target);
    const end = performance.now() + (seconds * 1000) / names.length;
    const { coverage, found } = await fuzzRun({
      sides,
      chain,
      pair,
      seed,
      from: only ?? 0,
      mayGoOn: (cases) => (only === null ? performance.now() < end : cases < 1),
      say,
      lanes: values.mode === 'parallel' ? LANES : 0,
      keep: values.keep,
      maxFailures: Number(values['max-failures']),
    });
    if (values.fault === undefined) say(coverage.report());
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

async function faults(): Promise<void> {
  const results = await faultRun({ seed, seconds, only: values.only ?? null, say });
  const missed = results.filter((one) => one.seconds === null);
  say(`${results.length - missed.length} of ${results.length} planted faults found within ${seconds} s`);
  if (missed.length > 0 || results.length === 0) process.exitCode = 1;
}

if (values['bytes-from'] !== undefined)
  byteWorker({ seed, seconds, from: Number(values['bytes-from']), say });
else if (values.bytes) process.exitCode = (await byteRun({ seed, seconds, say })) ? 0 : 1;
else if (values.faults) await faults();
else await pairs();
