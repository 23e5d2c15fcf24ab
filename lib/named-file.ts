import { readFileSync } from 'node:fs';
import { HoltError, messageOf } from './errors.ts';

/** A file that the configuration names, `what` being the key. @throws HoltError HOLT_FILE_UNREADABLE */
export function readNamedFile(path: string, what: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new HoltError('HOLT_FILE_UNREADABLE', `${what}: ${messageOf(error)}`, {
      disposition: 'fatal',
      facts: { path },
      cause: error,
    });
  }
}
