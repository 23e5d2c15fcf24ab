/** Shrunk cases that once failed, a file each. The integration tests run them all. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../test/support/inventory.ts';
import type { FuzzCase } from './case.ts';
import type { Failure } from './run-case.ts';

export interface Regression {
  /** What was wrong when it was found. */
  readonly found: Failure;
  readonly case: FuzzCase;
}

function folder(): string {
  return join(repositoryRoot(), 'test/regressions/fuzz');
}

export function regressions(): readonly { readonly name: string; readonly regression: Regression }[] {
  let files: string[];
  try {
    files = readdirSync(folder());
  } catch {
    return [];
  }
  return files
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      name: file.replace(/\.json$/, ''),
      regression: JSON.parse(readFileSync(join(folder(), file), 'utf8')) as Regression,
    }));
}

/** The file's path. */
export function keepRegression(regression: Regression): string {
  const { pair, seed, index } = regression.case;
  mkdirSync(folder(), { recursive: true });
  const path = join(folder(), `${pair}-${seed}-${index}.json`);
  writeFileSync(path, `${JSON.stringify(regression, null, 2)}\n`);
  return path;
}
