import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/**
 * Where downloaded servers and their initial data folders live: outside the clone, so that clones share them,
 * and outside the system, so that nothing installed there is touched. `HOLT_CACHE_DIR` names another place.
 * @returns {string} a folder that exists and can be written
 */
export function cacheDir() {
  const home = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const candidates = [
    process.env.HOLT_CACHE_DIR,
    join(home, 'holt'),
    join(tmpdir(), `holt-cache-${userInfo().uid}`),
  ];
  for (const dir of candidates) {
    if (dir === undefined || dir === '') continue;
    try {
      mkdirSync(dir, { recursive: true, mode: 0o755 });
      accessSync(dir, constants.W_OK);
      return dir;
    } catch (error) {
      if (dir === process.env.HOLT_CACHE_DIR)
        throw new Error(`HOLT_CACHE_DIR=${dir} cannot be written`, { cause: error });
    }
  }
  throw new Error('no folder for downloads can be written: set HOLT_CACHE_DIR to one');
}
