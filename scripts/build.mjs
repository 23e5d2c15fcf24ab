#!/usr/bin/env node
import { build } from './setup/build.mjs';
import { ROOT } from './setup.mjs';

/* npm run build: compiles into dist/, and builds the console into dist/console, where a source is newer. */

try {
  await build(ROOT, (text) => process.stderr.write(`build: ${text}\n`));
} catch (error) {
  process.stderr.write(`build: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
