import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, type DatabaseEndpoint, type DatabaseFlavour } from './database.ts';
import { type ServerKind, ServerUnavailable, whyUnavailable } from './inventory.ts';

/**
 * Servers for test files. A shared server is started once per run, at its first use, and a file works in a schema
 * (ZooKeeper: under a node, Redis: under a prefix) of its own. A test that stops or kills a server, or wants other
 * settings, starts one with `servers.ts` inside `describeWithOwn`.
 *
 * Where a server cannot be had, the tests inside are one skipped test that says why.
 */

export type SharedRequest =
  | { readonly kind: 'database'; readonly flavour: DatabaseFlavour }
  | { readonly kind: 'zookeeper' }
  | { readonly kind: 'redis' };

export type SharedAnswer =
  | { readonly kind: 'database'; readonly endpoint: DatabaseEndpoint }
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'failed'; readonly message: string };

declare module 'vitest' {
  interface ProvidedContext {
    sharedServersUrl: string;
  }
}

/** To be read inside tests and hooks; the server is there from the suite's own `beforeAll` on. */
export interface DatabaseContext {
  readonly flavour: DatabaseFlavour;
  readonly db: Database;
  /** Name of an empty schema, dropped at the end. */
  readonly schema: string;
}

/** The same tests on the shared server of each flavour. */
export function describeDatabase(
  flavours: readonly DatabaseFlavour[],
  title: string,
  body: (context: DatabaseContext) => void,
): void {
  for (const flavour of flavours)
    describeOrSkip([flavour], { own: false }, `${title} (${flavour})`, () => {
      const db = new Late<Database>();
      const schema = new Late<string>();
      beforeAll(async () => {
        db.value = await sharedDatabase(flavour);
        schema.value = await db.value.freshSchema(fileName());
      });
      afterAll(async () => {
        if (!db.isThere) return;
        if (schema.isThere) await db.value.query(`DROP DATABASE IF EXISTS \`${schema.value}\``);
        await db.value.close();
      });
      body({
        flavour,
        get db() {
          return db.value;
        },
        get schema() {
          return schema.value;
        },
      });
    });
}

export interface ZookeeperContext {
  readonly connectString: string;
  /** A path that no other file uses, `/…`; the tests create it. */
  readonly root: string;
}

export function describeZookeeper(title: string, body: (context: ZookeeperContext) => void): void {
  describeOrSkip(['zookeeper'], { own: false }, title, () => {
    const address = new Late<string>();
    const root = `/${fileName()}-${randomBytes(4).toString('hex')}`;
    beforeAll(async () => {
      address.value = await sharedZookeeper();
    });
    body({
      root,
      get connectString() {
        return address.value;
      },
    });
  });
}

export interface RedisContext {
  readonly url: string;
  /** For keys; no other file uses it. */
  readonly prefix: string;
}

export function describeRedis(title: string, body: (context: RedisContext) => void): void {
  describeOrSkip(['redis'], { own: false }, title, () => {
    const address = new Late<string>();
    beforeAll(async () => {
      address.value = await sharedRedis();
    });
    body({
      prefix: `${fileName()}-${randomBytes(4).toString('hex')}`,
      get url() {
        return address.value;
      },
    });
  });
}

/** Tests that start servers of these kinds themselves; one given by the environment does not do for them. */
export function describeWithOwn(kinds: readonly ServerKind[], title: string, body: () => void): void {
  describeOrSkip(kinds, { own: true }, title, body);
}

/** The shared server of a flavour; `ServerUnavailable` where there is none. The caller closes its connections. */
export async function sharedDatabase(flavour: DatabaseFlavour): Promise<Database> {
  const answer = await ask({ kind: 'database', flavour });
  if (answer.kind !== 'database') throw failureOf(flavour, answer);
  return new Database(answer.endpoint);
}

/** host:port,… */
export async function sharedZookeeper(): Promise<string> {
  const answer = await ask({ kind: 'zookeeper' });
  if (answer.kind !== 'address') throw failureOf('zookeeper', answer);
  return answer.address;
}

/** redis://… */
export async function sharedRedis(): Promise<string> {
  const answer = await ask({ kind: 'redis' });
  if (answer.kind !== 'address') throw failureOf('redis', answer);
  return answer.address;
}

/** Tests that look at a page in Chromium; skipped where there is none. */
export function describeBrowser(title: string, body: () => void): void {
  describeOrSkip(['chromium'], { own: true }, title, body);
}

function describeOrSkip(
  kinds: readonly ServerKind[],
  options: { readonly own: boolean },
  title: string,
  body: () => void,
): void {
  describe(title, async () => {
    const why = await whyUnavailable(kinds, options);
    if (why === undefined) body();
    else it('needs a server', (context) => context.skip(why));
  });
}

async function ask(request: SharedRequest): Promise<SharedAnswer> {
  const response = await fetch(inject('sharedServersUrl'), { method: 'POST', body: JSON.stringify(request) });
  return (await response.json()) as SharedAnswer;
}

function failureOf(kind: ServerKind, answer: SharedAnswer): Error {
  switch (answer.kind) {
    case 'unavailable':
      return new ServerUnavailable(kind, answer.reason);
    case 'failed':
      return new Error(`${kind}: ${answer.message}`);
    default:
      return new Error(`${kind}: an answer of the wrong kind, ${answer.kind}`);
  }
}

/** `binlog-source` of `…/binlog-source.mysql.test.ts`. */
function fileName(): string {
  return basename(expect.getState().testPath ?? 'test').replace(/\..*$/, '');
}

/** A value that a hook sets. */
class Late<T> {
  #value: { readonly of: T } | undefined;

  get isThere(): boolean {
    return this.#value !== undefined;
  }

  get value(): T {
    if (this.#value === undefined)
      throw new Error('read before its hook has run: read it inside tests and hooks');
    return this.#value.of;
  }

  set value(value: T) {
    this.#value = { of: value };
  }
}
