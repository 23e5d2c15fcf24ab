#!/usr/bin/env node
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './setup/build.mjs';
import { isComplete, ROOT, SetupError, setup, whatIsMissing } from './setup.mjs';

/*
 * npm run demo [-- OPTIONS]: brings what the demo needs, builds, and becomes the demo (same process, so that whatever
 * ends this one ends it too). Its own options are its own: `npm run demo -- --help`.
 */

const say = (text) => process.stderr.write(`demo: ${text}\n`);

async function main() {
  const args = process.argv.slice(2);
  const database = args.some(
    (arg, index) => arg === '--server=mysql' || (arg === 'mysql' && args[index - 1] === '--server'),
  )
    ? 'mysql'
    : 'mariadb';
  const inventory = await setup({ servers: [database, 'zookeeper', 'redis'], say });
  const { urls, program } = inventory.servers[database];
  if (!isComplete(inventory) || (urls.length === 0 && program === null))
    throw new SetupError(whatIsMissing(inventory));
  await build(ROOT, say);
  const demo = join(ROOT, 'demo/main.ts');
  process.argv = [process.execPath, demo, ...args];
  // The demo itself is run from its source, as the tests are whose servers it starts; its nodes are the build's.
  const { register } = await import('tsx/esm/api');
  register();
  await import(pathToFileURL(demo).href);
}

try {
  await main();
} catch (error) {
  say(error instanceof SetupError || !(error instanceof Error) ? `${error.message ?? error}` : error.stack);
  process.exitCode = 1;
}
