#!/usr/bin/env node
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const program = join(root, 'dist/node/main.js');

/** In a clone the sources are beside us, and a build that is missing or older than they are is made. */
async function ready() {
  if (!existsSync(join(root, 'node/main.ts'))) return existsSync(program);
  const say = (text) => process.stderr.write(`holt: ${text}\n`);
  const { build, isBuilt } = await import('../scripts/setup/build.mjs');
  if (isBuilt(root)) return true;
  const { setup } = await import('../scripts/setup.mjs');
  await setup({ servers: [], say });
  await build(root, say);
  return existsSync(program);
}

try {
  if (await ready()) await import(pathToFileURL(program).href);
  else {
    process.stderr.write(
      'holt: it is not built: dist/node/main.js is missing. Run "npm ci && npm run build" in a clone.\n',
    );
    process.exitCode = 1;
  }
} catch (error) {
  process.stderr.write(`holt: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
  process.exitCode = 1;
}
