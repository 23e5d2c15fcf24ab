import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './cache.mjs';
import { takeLock } from './lock.mjs';
import { run } from './run.mjs';

const STAMP = 'dist/.tsbuildinfo';
const CONFIG = 'tsconfig.build.json';
const CONSOLE_STAMP = 'dist/.console';
/** What the page is made of: its own sources, and what it takes from the model. */
const CONSOLE_FOLDERS = ['console', 'model'];

/**
 * Compiles the clone into `dist/`, and the console into `dist/console`, each where a source is newer than the last
 * build. One build at a time, and none writes what has not changed: another run may be executing it.
 * @param {string} root the clone
 * @param {(text: string) => void} say
 */
export async function build(root, say) {
  const release = await takeLock(cacheDir(), say);
  try {
    if (!isCompiled(root)) await compile(root, say);
    if (!isConsoleBuilt(root)) await buildConsole(root, say);
  } finally {
    await release();
  }
}

async function compile(root, say) {
  say('building (tsc)');
  const started = new Date();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const result = await run(process.execPath, [tsc, '-p', CONFIG], { cwd: root });
  if (result.code !== 0) throw new Error(`the build failed:\n${result.output.trimEnd()}`);
  // tsc leaves the stamp alone when nothing changed in it; a source saved meanwhile must count as newer.
  utimesSync(join(root, STAMP), started, started);
}

async function buildConsole(root, say) {
  say('building the console (vite)');
  const started = new Date();
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', '--config', 'console/vite.config.ts', '--logLevel', 'warn'];
  const result = await run(process.execPath, args, { cwd: root });
  if (result.code !== 0) throw new Error(`the build of the console failed:\n${result.output.trimEnd()}`);
  writeFileSync(join(root, CONSOLE_STAMP), '');
  utimesSync(join(root, CONSOLE_STAMP), started, started);
}

/** True if nothing that is built is newer than the last successful build. */
export function isBuilt(root) {
  return isCompiled(root) && isConsoleBuilt(root);
}

function isConsoleBuilt(root) {
  // A tree without the console's sources has none to build.
  if (!existsSync(join(root, 'console'))) return true;
  if (!existsSync(join(root, CONSOLE_STAMP))) return false;
  const builtAt = statSync(join(root, CONSOLE_STAMP)).mtimeMs;
  const sources = CONSOLE_FOLDERS.flatMap((folder) =>
    filesIn(join(root, folder), /\.(tsx?|css|html|svg|js|json)$/),
  );
  return [join(root, 'package-lock.json'), ...sources].every((file) => statSync(file).mtimeMs <= builtAt);
}

function isCompiled(root) {
  if (!existsSync(join(root, STAMP))) return false;
  const builtAt = statSync(join(root, STAMP)).mtimeMs;
  const folders = JSON.parse(readFileSync(join(root, CONFIG), 'utf8')).include;
  const settings = [CONFIG, 'tsconfig.json', 'package-lock.json'].map((file) => join(root, file));
  const sources = [...folders, 'test/support'].flatMap((folder) => filesIn(join(root, folder)));
  return [...settings, ...sources].every((file) => statSync(file).mtimeMs <= builtAt);
}

function filesIn(dir, form = /\.ts$/) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true })
    .filter((path) => form.test(path))
    .map((path) => join(dir, path));
}
