#!/usr/bin/env node
import { register as registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './setup/build.mjs';
import { isComplete, ROOT, SetupError, setup, whatIsMissing } from './setup.mjs';

/*
 * npm run fuzz -- OPTIONS: brings the servers of the pair, and becomes the fuzzer, run from its source as the tests are.
 */

const say = (text) => process.stderr.write(`fuzz: ${text}\n`);
const PAIR = /^(mariadb|mysql|mysql56)-(mariadb|mysql|mysql56)$/;

/** Before anything of the product is loaded: the wrapper of a planted fault goes between one module and its importers. */
async function plant(name) {
  const faults = pathToFileURL(join(ROOT, 'fuzz/planted-faults.ts')).href;
  const { plantedFault } = await import(faults);
  const { module, exports } = plantedFault(name);
  const data = { module: pathToFileURL(join(ROOT, module)).href, faults, name, exports };
  registerHooks('./fuzz/fault-hooks.mjs', { parentURL: import.meta.url, data });
}

async function main() {
  const args = process.argv.slice(2);
  const named = args.flatMap((arg) => arg.replace('--pair=', '').match(PAIR)?.slice(1) ?? []);
  const wantsNone = args.some((arg) => /^--(bytes|endpoints)\b/.test(arg));
  const servers = wantsNone ? [] : [...new Set(named.length > 0 ? named : ['mariadb', 'mysql', 'mysql56'])];
  const inventory = await setup({
    servers: args.includes('--nodes') ? [...servers, 'zookeeper'] : servers,
    say,
  });
  if (!isComplete(inventory)) throw new SetupError(whatIsMissing(inventory));
  if (args.includes('--nodes')) await build(ROOT, say);
  const program = join(ROOT, 'fuzz/main.ts');
  process.argv = [process.execPath, program, ...args];
  const { register } = await import('tsx/esm/api');
  register();
  const fault = args.indexOf('--fault');
  if (fault !== -1) await plant(args[fault + 1]);
  await import(pathToFileURL(program).href);
}

try {
  await main();
} catch (error) {
  say(error instanceof SetupError || !(error instanceof Error) ? `${error.message ?? error}` : error.stack);
  process.exitCode = 1;
}
