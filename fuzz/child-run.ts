/** Runs the fuzzer in a process of its own, which can be ended whatever it does. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../test/support/inventory.ts';

export interface ChildResult {
  readonly output: string;
  readonly code: number | null;
  /** True where it was ended because nothing came from it any more. */
  readonly hung: boolean;
}

/** `silenceMs`: how long it may say nothing. */
export function childRun(args: readonly string[], silenceMs: number): Promise<ChildResult> {
  const script = join(repositoryRoot(), 'scripts/fuzz.mjs');
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let hung = false;
  let timer: NodeJS.Timeout | undefined;
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      hung = true;
      child.kill('SIGKILL');
    }, silenceMs);
  };
  heard();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      output += data.toString();
      heard();
    });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ output, code, hung });
    });
  });
}
