import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { repositoryRoot } from '../support/inventory.ts';

export interface DemoEnd {
  readonly code: number | null;
  readonly output: string;
  readonly seconds: number;
}

/** The demo as a user runs it. */
export function runDemo(...args: readonly string[]): Promise<DemoEnd> {
  const startedMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(repositoryRoot(), 'scripts/demo.mjs'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', reject);
    child.once('close', (code) =>
      resolve({
        code,
        output: Buffer.concat(chunks).toString('utf8'),
        seconds: (performance.now() - startedMs) / 1000,
      }),
    );
  });
}
