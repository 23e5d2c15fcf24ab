#!/usr/bin/env node
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './setup/build.mjs';
import { ROOT, SetupError, setup, whatIsMissing } from './setup.mjs';

/* npm run screenshots [-- NAME…]: brings Chromium, builds, and takes the pictures of demo/screenshots.ts. */

const say = (text) => process.stderr.write(`screenshots: ${text}\n`);

try {
  const inventory = await setup({ servers: ['chromium'], say });
  if (inventory.servers.chromium.program === null) throw new SetupError(whatIsMissing(inventory));
  await build(ROOT, say);
  const { register } = await import('tsx/esm/api');
  register();
  await import(pathToFileURL(join(ROOT, 'demo/screenshots.ts')).href);
} catch (error) {
  say(error instanceof SetupError || !(error instanceof Error) ? `${error.message ?? error}` : error.stack);
  process.exitCode = 1;
}
