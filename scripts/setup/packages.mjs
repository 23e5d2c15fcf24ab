import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, tail } from './run.mjs';

/**
 * Makes `node_modules` what package-lock.json says, with `npm ci` if it is anything else.
 * @param {string} root the clone
 * @param {(text: string) => void} say
 */
export async function npmPackages(root, say) {
  if (isCurrent(root)) return;
  say('installing npm packages (npm ci)');
  const result = await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root });
  if (result.code !== 0) throw new Error(`npm ci failed:\n${tail(result.output, 20)}`);
}

/** True if every package of the lock file is there in its version; those for other platforms may be missing. */
export function isCurrent(root) {
  let wanted;
  let present;
  try {
    wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    present = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  } catch {
    return false;
  }
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === '' || present[path]?.version === version || (optional && !present[path]),
  );
}
