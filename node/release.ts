import { readFileSync } from 'node:fs';
import { dirname, join, parse } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Holt's own version: that of the package this file is in, built or not. */
export function ownRelease(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (folder !== parse(folder).root) {
    try {
      const parsed: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      if (
        typeof parsed === 'object' &&
        parsed !== null &&
        'name' in parsed &&
        parsed.name === 'holt' &&
        'version' in parsed
      )
        return String(parsed.version);
    } catch {
      // No package here: one folder up.
    }
    folder = dirname(folder);
  }
  return 'unknown';
}
