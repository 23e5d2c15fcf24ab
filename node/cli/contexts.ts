/**
 * Which node the commands talk to, and as whom: from the command line, the environment, or a context that `holt login` left in
 * the user's own configuration (readable by that user only).
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { HoltError, messageOf } from '../../lib/errors.ts';

export const DEFAULT_SERVER = 'http://127.0.0.1:8640';

const contextsFile = z.strictObject({
  version: z.literal(1),
  current: z.string().nullable(),
  contexts: z.record(z.string(), z.strictObject({ server: z.string(), token: z.string() })),
});
export type Contexts = z.infer<typeof contextsFile>;

export interface AccessOptions {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly context?: string;
}

export interface Reached {
  readonly server: string;
  readonly token: string | null;
}

type Env = Readonly<Record<string, string | undefined>>;

export function contextsPath(env: Env = process.env): string {
  return join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'holt', 'contexts.json');
}

/** @throws HoltError HOLT_CONFIG_INVALID when the file is not one of ours. */
export function readContexts(path: string = contextsPath()): Contexts {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return { version: 1, current: null, contexts: {} };
    throw unusable(path, error);
  }
  try {
    return contextsFile.parse(JSON.parse(text));
  } catch (error) {
    throw unusable(path, error);
  }
}

export function writeContexts(contexts: Contexts, path: string = contextsPath()): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

/** Options go before the environment, that before the context. A context's token goes to that context's server only. */
export function reach(options: AccessOptions, env: Env = process.env): Reached {
  const contexts = readContexts(contextsPath(env));
  const wanted = options.context ?? env.HOLT_CONTEXT ?? contexts.current;
  const context = wanted === null ? undefined : contexts.contexts[wanted];
  if (context === undefined && (options.context ?? env.HOLT_CONTEXT) !== undefined)
    throw new HoltError('HOLT_CONFIG_INVALID', `there is no context ${JSON.stringify(wanted)}`, {
      disposition: 'fatal',
      remedy: '`holt context list` shows the names; `holt login` makes one.',
    });
  const server = options.server ?? context?.server ?? DEFAULT_SERVER;
  const file = options.tokenFile ?? env.HOLT_TOKEN_FILE;
  const given = file === undefined ? env.HOLT_TOKEN : tokenIn(file);
  const own = context !== undefined && sameServer(context.server, server) ? context.token : null;
  return { server, token: given ?? own };
}

function tokenIn(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new HoltError('HOLT_FILE_UNREADABLE', `token file: ${messageOf(error)}`, {
      disposition: 'fatal',
      facts: { path },
      cause: error,
    });
  }
}

function sameServer(a: string, b: string): boolean {
  return URL.canParse(a) && URL.canParse(b) && new URL(a).origin === new URL(b).origin;
}

function unusable(path: string, error: unknown): HoltError {
  return new HoltError('HOLT_CONFIG_INVALID', `${path}: ${messageOf(error)}`, {
    disposition: 'fatal',
    remedy: 'Move the file away and log in again.',
    cause: error,
  });
}
