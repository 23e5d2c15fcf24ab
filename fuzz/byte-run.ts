/** The byte fuzzer in a process that another one watches: a decoder that does not come back takes only that process with it. */
import { writeSync } from 'node:fs';
import { byteFuzz } from './byte-fuzz.ts';
import { childRun } from './child-run.ts';

/** Nothing is heard from a worker for so long: the input at hand never ends. */
const HANG_MS = 60_000;

interface ByteOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly say: (text: string) => void;
}

/** True where nothing was found. */
export async function byteRun({ seed, seconds, say }: ByteOptions): Promise<boolean> {
  const end = performance.now() + seconds * 1000;
  let from = 0;
  let clean = true;
  while (performance.now() < end) {
    const left = Math.max(1, Math.ceil((end - performance.now()) / 1000));
    const args = ['--bytes-from', String(from), '--seconds', String(left), '--seed', String(seed)];
    const { output, code, hung } = await childRun(args, HANG_MS);
    const last = Number([...output.matchAll(/^input (\d+)$/gm)].at(-1)?.[1] ?? from);
    say(output.replace(/^input \d+\n/gm, '').trimEnd());
    if (code === 0) return clean;
    clean = false;
    if (hung || code === null) say(`seed ${seed}: an input from ${last} on hangs or kills its reader`);
    from = last + STEP;
  }
  return clean;
}

const STEP = 200;

export function byteWorker(options: ByteOptions & { readonly from: number }): void {
  const { seed, from, say } = options;
  const end = performance.now() + options.seconds * 1000;
  const { inputs, byTarget, findings, slowestMs } = byteFuzz({
    seed,
    from,
    mayGoOn: () => performance.now() < end,
    // Written at once: what stands in a buffer would die with the process.
    onInput: (index) => {
      if (index % STEP === 0) writeSync(1, `input ${index}\n`);
    },
  });
  for (const [target, { inputs: count, refused }] of byTarget)
    say(`${target}: ${count} inputs, ${refused} refused with a code`);
  for (const { index, target, problem } of findings)
    say(`finding at input ${index} of seed ${seed}, ${target}: ${problem}`);
  say(`${inputs} inputs, ${findings.length} findings, the slowest took ${Math.round(slowestMs)} ms`);
  if (findings.length > 0) process.exitCode = 1;
}
