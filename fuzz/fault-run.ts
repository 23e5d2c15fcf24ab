/** Is the fuzzer strong enough? Each fault planted on purpose is to be found within a minute. */
import { PAIRS, type PairName } from './case.ts';
import { childRun } from './child-run.ts';
import { PLANTED_FAULTS, type PlantedFault } from './planted-faults.ts';
import { Sides } from './sides.ts';

export interface FaultResult {
  readonly fault: PlantedFault;
  /** From the first case on; null where it was not found. */
  readonly seconds: number | null;
  readonly detail: string;
}

export interface FaultRunOptions {
  readonly seed: number;
  /** How long each fault may stay unfound. */
  readonly seconds: number;
  /** Part of a fault's name; all of them by default. */
  readonly only: string | null;
  readonly say: (text: string) => void;
}

const START_MS = 120_000;

export async function faultRun(options: FaultRunOptions): Promise<readonly FaultResult[]> {
  const results: FaultResult[] = [];
  const wanted = PLANTED_FAULTS.filter(({ name }) => options.only === null || name.includes(options.only));
  for (const pair of Object.keys(PAIRS) as PairName[]) {
    const faults = wanted.filter((fault) => fault.pair === pair);
    if (faults.length === 0) continue;
    await using sides = await Sides.start(pair);
    for (const fault of faults) {
      const result = await findFault(fault, sides, options);
      results.push(result);
      const time = result.seconds === null ? 'NOT FOUND' : `${result.seconds.toFixed(1)} s`;
      options.say(`${time.padStart(10)}  ${fault.area.padEnd(9)} ${fault.name.padEnd(74)} ${result.detail}`);
    }
  }
  return results;
}

async function findFault(fault: PlantedFault, sides: Sides, options: FaultRunOptions): Promise<FaultResult> {
  const { output } = await childRun(
    [
      ...['--fault', fault.name, '--pair', fault.pair, '--endpoints', JSON.stringify(sides.endpoints)],
      ...[
        '--seconds',
        String(options.seconds),
        '--seed',
        String(options.seed),
        '--max-failures',
        '1',
        '--no-keep',
      ],
    ],
    START_MS + options.seconds * 1000,
  );
  const found = /^found after ([0-9.]+) s: (.*)$/m.exec(output);
  if (found !== null) return { fault, seconds: Number(found[1]), detail: (found[2] ?? '').slice(0, 60) };
  return { fault, seconds: null, detail: output.trim().split('\n').at(-1)?.slice(0, 200) ?? '' };
}
