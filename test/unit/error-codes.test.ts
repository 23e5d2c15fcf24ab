import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../../model/error-codes.ts';
import { repositoryRoot } from '../support/inventory.ts';

/** Where codes are made. Tests and the demo only look at them. */
const FOLDERS = ['lib', 'model', 'canal', 'scheduler', 'jobs', 'conf', 'stages', 'node'];
const LIST = 'model/error-codes.ts';
/** Literals of this form that are names of environment variables. */
const VARIABLES =
  /^HOLT_(?:FAILPOINTS|CONFIG|NODE|SERVER|TOKEN|TOKEN_FILE|CONTEXT|CACHE_DIR|TEST_[A-Z0-9_]+)$/;

const root = repositoryRoot();
const sources = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
).filter((path) => path !== LIST);

/** Code → the files that have it as a literal. */
const used = new Map<string, string[]>();
for (const path of sources)
  for (const [, code = ''] of readFileSync(join(root, path), 'utf8').matchAll(/['"`](HOLT_[A-Z0-9_]+)['"`]/g))
    if (!VARIABLES.test(code)) used.set(code, [...(used.get(code) ?? []), path]);

describe('error codes', () => {
  test('every code that the sources use is in the list', () => {
    const unlisted = [...used].filter(([code]) => !(code in ERROR_CODES));
    expect(Object.fromEntries(unlisted)).toEqual({});
  });

  test('every code of the list is used', () => {
    expect(Object.keys(ERROR_CODES).filter((code) => !used.has(code))).toEqual([]);
  });

  test('no code is put together from pieces, where it could not be found', () => {
    const pieced = sources.filter((path) => /`HOLT_[A-Z_]*\$\{/.test(readFileSync(join(root, path), 'utf8')));
    expect(pieced).toEqual([]);
  });

  test.each(Object.entries(ERROR_CODES))(
    '%s says in sentences what it is and what to do',
    (_, { what, remedy }) => {
      for (const text of [what, remedy]) {
        expect(text).toMatch(/^(?:[A-Z"'`]|binlog_|max_)/);
        expect(text).toMatch(/[.…]$/);
      }
    },
  );
});
