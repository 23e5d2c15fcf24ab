import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { HoltError } from '../lib/errors.ts';
import type { SecretRef } from '../model/config.ts';

/** The reference in `${env:NAME}` or `${file:path}`; relative paths are taken from `folder`. */
export function secretRef(text: string, folder: string): SecretRef {
  const [, kind, from] = /^\$\{(env|file):([^}]+)\}$/.exec(text) ?? [];
  if (from === undefined)
    throw new HoltError('HOLT_CONFIG_INVALID', 'a secret is no reference', { disposition: 'fatal' });
  return kind === 'env' ? envSecret(from) : fileSecret(resolve(folder, from));
}

export function envSecret(name: string): SecretRef {
  return {
    kind: 'env',
    from: name,
    resolve() {
      const value = process.env[name];
      if (value === undefined)
        throw new HoltError('HOLT_SECRET_MISSING', `environment variable ${name} is not set`, {
          disposition: 'retry',
          remedy: `Set ${name}, or point the configuration at another reference.`,
        });
      return value;
    },
  };
}

/**
 * The file's text without a final newline, read anew at every use: a changed password needs no restart, and a file that is
 * away while it is changed is tried again.
 */
export function fileSecret(path: string): SecretRef {
  return {
    kind: 'file',
    from: path,
    resolve() {
      try {
        return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        throw new HoltError('HOLT_SECRET_MISSING', `secret file ${path} cannot be read`, {
          disposition: 'retry',
          remedy: 'Check that the file exists and that the user Holt runs as may read it.',
          cause: error,
        });
      }
    },
  };
}

/** A secret known in the process only: an account without password, or a key made for one run. */
export function literalSecret(value: string): SecretRef {
  return { kind: 'literal', from: 'literal', resolve: () => value };
}
