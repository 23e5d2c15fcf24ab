import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { importScript } from '../support/import-script.ts';
import { repositoryRoot } from '../support/inventory.ts';

interface Lock {
  readonly packages: Readonly<Record<string, unknown>>;
}

const { missingOptionals } = await importScript<{
  missingOptionals(lock: Lock): Record<string, unknown>;
}>('complete-lock.mjs');

it('package-lock.json names the optional packages of all platforms, or "npm ci" refuses it (node scripts/complete-lock.mjs)', () => {
  const lock = JSON.parse(readFileSync(join(repositoryRoot(), 'package-lock.json'), 'utf8')) as Lock;
  expect(Object.keys(missingOptionals(lock))).toEqual([]);
});

it('a missing optional package gets an entry with its version and platform', () => {
  const packages = {
    '': {},
    'node_modules/a': {
      dev: true,
      optionalDependencies: { '@a/linux-x64-musl': '1.2.3', '@a/linux-x64': '1.2.3', b: '1' },
    },
    'node_modules/a/node_modules/b': {},
    'node_modules/@a/linux-x64': {},
  };
  expect(missingOptionals({ packages })).toEqual({
    'node_modules/@a/linux-x64-musl': {
      version: '1.2.3',
      cpu: ['x64'],
      dev: true,
      libc: ['musl'],
      optional: true,
      os: ['linux'],
    },
  });
});
