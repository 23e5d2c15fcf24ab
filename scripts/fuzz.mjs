#!/usr/bin/env node
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isComplete, ROOT, SetupError, setup, whatIsMissing } from './setup.mjs';

/*
 * npm run fuzz -- OPTIONS: brings the servers of the pair, and becomes the fuzzer, run from its source as the tests are.
 */

const say = (text) => process.stderr.write(`fuzz: ${text}\n`);
const PAIR = /^(mariadb|mysql|mysql56)-(mariadb|mysql|mysql56)$/;

async function main() {
  const args = process.argv.slice(2);
  const named = args.flatMap((arg) => arg.replace('--pair=', '').match(PAIR)?.slice(1) ?? []);
  const wantsNone = args.includes('--bytes') || args.includes('--endpoints');
  const servers = wantsNone ? [] : [...new Set(named.length > 0 ? named : ['mariadb', 'mysql', 'mysql56'])];
  const inventory = await setup({
    servers: args.includes('--nodes') ? [...servers, 'zookeeper'] : servers,
    say,
  });
  if (!isComplete(inventory)) throw new SetupError(whatIsMissing(inventory));
  const program = join(ROOT, 'fuzz/main.ts');
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
