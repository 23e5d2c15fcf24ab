import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { repositoryRoot } from '../support/inventory.ts';

interface Lock {
  readonly packages: Readonly<Record<string, unknown>>;
}

const root = repositoryRoot();
const { missingOptionals } = (await import(pathToFileURL(join(root, 'scripts/complete-lock.mjs')).href)) as {
  missingOptionals(lock: Lock): Record<string, unknown>;
};

it('package-lock.json names the optional packages of all platforms, or "npm ci" refuses it (node scripts/complete-lock.mjs)', () => {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
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
