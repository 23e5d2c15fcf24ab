#!/usr/bin/env node
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './setup/build.mjs';
import { isComplete, ROOT, SetupError, setup, whatIsMissing } from './setup.mjs';

/*
 * npm run bench -- NAME OPTIONS: brings what the benchmark needs, builds, and becomes it. The nodes it measures are the build's.
 */

const say = (text) => process.stderr.write(`bench: ${text}\n`);

async function main() {
  const args = process.argv.slice(2);
  if (args[0] !== undefined && args[0] !== 'report' && args[0] !== 'all') {
    const inventory = await setup({ servers: ['mariadb', 'mysql', 'zookeeper', 'sysbench'], say });
    if (!isComplete(inventory)) throw new SetupError(whatIsMissing(inventory));
    await build(ROOT, say);
  } else await setup({ servers: [], say });
  const program = join(ROOT, 'bench/main.ts');
  process.argv = [process.execPath, program, ...args];
  const { register } = await import('tsx/esm/api');
  register();
  await import(pathToFileURL(program).href);
}

try {
  await main();
} catch (error) {
  say(error instanceof SetupError || !(error instanceof Error) ? `${error.message ?? error}` : error.stack);
  process.exitCode = 1;
}
