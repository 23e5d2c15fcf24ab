import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from './inventory.ts';

/** A module of `scripts/`: plain JavaScript that runs before anything is built, so the caller says what it exports. */
export async function importScript<Exports>(path: string): Promise<Exports> {
  return (await import(pathToFileURL(join(repositoryRoot(), 'scripts', path)).href)) as Exports;
}
