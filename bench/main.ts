/** npm run bench -- NAME OPTIONS, where NAME is one of these, `all`, or `report` (writes docs/performance.md). */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.ts';
import { catchup } from './catchup.ts';
import { decode } from './decode.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { memory } from './memory.ts';
import { report } from './report.ts';
import { wan } from './wan.ts';
import { workloads } from './workloads.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  decode,
  catchup,
  latency,
  wan,
  ...workloads,
  memory,
  idle,
};

/** The longest that a run of `all` may take. */
const LIMIT_MS = 60 * 60_000;

const [name = '', ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench !== undefined) await bench.run(args);
else if (name === 'all') await all(args);
else if (name === 'report') report();
else {
  const questions = Object.entries(BENCHES).map(([one, { question }]) => `  ${one.padEnd(12)}${question}\n`);
  process.stderr.write(`usage: npm run bench -- NAME [options]\n${questions.join('')}  all, report\n`);
  process.exitCode = 2;
}

/** Every benchmark's plan, a process each: what one leaves in memory must not weigh on the next. */
async function all(more: readonly string[]): Promise<void> {
  const program = fileURLToPath(new URL('../scripts/bench.mjs', import.meta.url));
  for (const [one, { plan }] of Object.entries(BENCHES))
    for (const words of plan) {
      process.stdout.write(`\n── ${one} ${words.join(' ')}\n`);
      const child = spawn(process.execPath, [program, one, ...words, ...more], {
        stdio: 'inherit',
        timeout: LIMIT_MS,
      });
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
      if (code === 0) continue;
      process.stderr.write(`bench: ${one} ${words.join(' ')} ended with ${code}\n`);
      process.exitCode = 1;
    }
}
