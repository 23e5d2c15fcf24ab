#!/usr/bin/env node
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { build } from './setup/build.mjs';
import { run } from './setup/run.mjs';
import { isComplete, ROOT, SetupError, setup, whatIsMissing } from './setup.mjs';
import { leftovers } from './test/leftovers.mjs';

/*
 * npm test                 everything but the long tests: format, lint, types, build, import arrows, tests
 * npm run test:all         the long ones too
 * npm test -- PATH OPTIONS what vitest makes of these arguments, and none of the other checks
 *
 * The last line counts; a check counts like a test. The exit code is 0 if something passed and nothing failed.
 */

const say = (text) => process.stdout.write(`${text}\n`);
const total = { passed: 0, failed: [], skipped: [] };

async function check(name, work) {
  try {
    await work();
    total.passed++;
    say(`✓ ${name}`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    say(`✗ ${name}\n${text}`);
    total.failed.push(`${name}: ${text.split('\n')[0]}`);
  }
}

async function tool(name, args) {
  const path = join(ROOT, 'node_modules', name);
  const result = await run(process.execPath, [path, ...args], { cwd: ROOT });
  if (result.code !== 0) throw new Error(`it found something to mend\n${result.output.trimEnd()}`);
}

/** Runs vitest. It ends with us, and what it prints goes straight through. */
async function tests(args, mark) {
  const reporters = ['--reporter=default', `--reporter=${join(ROOT, 'scripts/test/reporter.mjs')}`];
  const child = spawn(
    process.execPath,
    [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', ...reporters, ...args],
    {
      cwd: ROOT,
      // stdin: a pipe that closes when this process is gone, however that happens; the global setup watches it.
      // 3: what the counting reporter says.
      stdio: ['pipe', 'inherit', 'inherit', 'pipe'],
      env: { ...process.env, HOLT_RUN: mark, TSX_DISABLE_CACHE: '1' },
    },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  let report = '';
  child.stdio[3].on('data', (data) => {
    report += data;
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve(exit ?? 1));
  });
  let counted;
  try {
    counted = JSON.parse(report);
  } catch {
    total.failed.push(`vitest ended with ${code} before it had a result`);
    return;
  }
  total.passed += counted.passed;
  total.failed.push(...counted.failed);
  total.skipped.push(...counted.skipped);
  if (counted.passed + counted.failed.length === 0) total.failed.push('no test was run');
  else if (code !== 0 && counted.failed.length === 0) total.failed.push(`vitest ended with ${code}`);
}

function summary() {
  if (total.skipped.length > 0) {
    say('\nskipped:');
    const byReason = Map.groupBy
      ? Map.groupBy(total.skipped, ({ reason }) => reason)
      : total.skipped.reduce(
          (map, one) => map.set(one.reason, [...(map.get(one.reason) ?? []), one]),
          new Map(),
        );
    for (const [reason, list] of byReason) {
      say(`  ${reason}`);
      for (const { name } of list) say(`    ${name}`);
    }
  }
  if (total.failed.length > 0) {
    say('\nfailed:');
    for (const text of total.failed) say(`  ${text}`);
  }
  say(`\n${total.passed} passed, ${total.failed.length} failed, ${total.skipped.length} skipped`);
  process.exitCode = total.failed.length === 0 && total.passed > 0 ? 0 : 1;
}

async function main() {
  const all = process.argv.includes('--all');
  const args = process.argv.slice(2).filter((arg) => arg !== '--all');
  const mark = randomBytes(8).toString('hex');
  const inventory = await setup();
  for (const [kind, { program, urls }] of Object.entries(inventory.servers))
    if (program !== null) say(`${kind} ${program.version} (${program.origin})`);
    else if (urls.length > 0) say(`${kind} as given by the environment`);
  const missing = whatIsMissing(inventory);
  if (!isComplete(inventory)) throw new SetupError(missing);
  if (missing !== undefined) say(missing);

  if (args.length === 0) {
    await check('format and lint (biome)', () => tool('@biomejs/biome/bin/biome', ['check', '.']));
    await check('types (tsc)', () => tool('typescript/bin/tsc', ['-p', 'tsconfig.json']));
    await check('types of the console (tsc)', () =>
      tool('typescript/bin/tsc', ['-p', 'console/tsconfig.json']),
    );
  }
  await check('build', () => build(ROOT, say));
  await tests(args.length > 0 || all ? args : ['--project', '!long'], mark);
  await check('nothing is left behind', async () => {
    const found = await leftovers(mark);
    if (found.length > 0) throw new Error(found.join('\n'));
  });
}

try {
  await main();
} catch (error) {
  const text =
    error instanceof Error ? (error instanceof SetupError ? error.message : error.stack) : String(error);
  say(text);
  total.failed.push(`the run: ${text.split('\n')[0]}`);
}
summary();
