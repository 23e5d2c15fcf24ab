import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './cache.mjs';
import { takeLock } from './lock.mjs';
import { run } from './run.mjs';

const STAMP = 'dist/.tsbuildinfo';
const CONFIG = 'tsconfig.build.json';

/**
 * Compiles the clone into `dist/` where a source is newer than the last build. One build at a time, and none writes
 * what has not changed: another run may be executing it.
 * @param {string} root the clone
 * @param {(text: string) => void} say
 */
export async function build(root, say) {
  const release = await takeLock(cacheDir(), say);
  try {
    if (isBuilt(root)) return;
    say('building (tsc)');
    const started = new Date();
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const result = await run(process.execPath, [tsc, '-p', CONFIG], { cwd: root });
    if (result.code !== 0) throw new Error(`the build failed:\n${result.output.trimEnd()}`);
    // tsc leaves the stamp alone when nothing changed in it; a source saved meanwhile must count as newer.
    utimesSync(join(root, STAMP), started, started);
  } finally {
    await release();
  }
}

/** True if nothing that is compiled is newer than the last successful build. */
export function isBuilt(root) {
  if (!existsSync(join(root, STAMP))) return false;
  const builtAt = statSync(join(root, STAMP)).mtimeMs;
  const folders = JSON.parse(readFileSync(join(root, CONFIG), 'utf8')).include;
  const settings = [CONFIG, 'tsconfig.json', 'package-lock.json'].map((file) => join(root, file));
  const sources = [...folders, 'test/support'].flatMap((folder) => filesIn(join(root, folder)));
  return [...settings, ...sources].every((file) => statSync(file).mtimeMs <= builtAt);
}

function filesIn(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(dir, path));
}
