import { Database, type DatabaseFlavour, endpointOf } from './database.ts';
import { DatabaseServer, type DatabaseServerOptions } from './database-server.ts';
import { inventoryOf, ServerUnavailable } from './inventory.ts';
import { type RedisOptions, RedisServer } from './redis-server.ts';
import {
  startMembers,
  ZookeeperEnsemble,
  type ZookeeperOptions,
  type ZookeeperServer,
} from './zookeeper-server.ts';

/**
 * Real servers for tests, benchmarks and the demo.
 *
 * `start…` gives a server of one's own: a child process on a free loopback port with a temporary folder, which can be
 * stopped, killed, frozen and restarted, and which does not outlive this process however that ends. `open…` gives a
 * server to use and nothing more: the one named in the environment, else one started here.
 * Everything throws `ServerUnavailable` where the machine cannot have the server.
 */

export function startDatabase(
  flavour: DatabaseFlavour,
  options?: DatabaseServerOptions,
): Promise<DatabaseServer> {
  return DatabaseServer.start(flavour, options);
}

export async function startZookeeper(options: ZookeeperOptions = {}): Promise<ZookeeperServer> {
  const [server] = await startMembers({ voters: 1, observers: 0 }, options);
  if (server === undefined) throw new Error('no member was started');
  return server;
}

export async function startZookeeperEnsemble(
  options: ZookeeperOptions & { readonly observer?: boolean } = {},
): Promise<ZookeeperEnsemble> {
  const { observer = false, ...rest } = options;
  return new ZookeeperEnsemble(await startMembers({ voters: 3, observers: observer ? 1 : 0 }, rest));
}

export function startRedis(options?: RedisOptions): Promise<RedisServer> {
  return RedisServer.start(options);
}

/** Something to use until disposed of; whether that ends a server depends on who started it. */
export interface Opened<T> extends AsyncDisposable {
  readonly use: T;
  /** True if it was given by the environment: others may use it, too. */
  readonly given: boolean;
}

/** The `index`-th database of a flavour that the environment gives, else a new one. */
export async function openDatabase(
  flavour: DatabaseFlavour,
  options: { readonly index?: number } = {},
): Promise<Opened<Database>> {
  const { urls } = await inventoryOf(flavour);
  const index = options.index ?? 0;
  const url = urls[index];
  if (url !== undefined) {
    const database = new Database(endpointOf(flavour, url));
    return { use: database, given: true, [Symbol.asyncDispose]: () => database.close() };
  }
  if (urls.length > 0)
    throw new ServerUnavailable(flavour, `the environment gives ${urls.length}, and this needs ${index + 1}`);
  const server = await startDatabase(flavour);
  return { use: server.db, given: false, [Symbol.asyncDispose]: () => server.dispose() };
}

/** A connect string. */
export async function openZookeeper(): Promise<Opened<string>> {
  const { urls } = await inventoryOf('zookeeper');
  if (urls[0] !== undefined) return { use: urls[0], given: true, [Symbol.asyncDispose]: async () => {} };
  const server = await startZookeeper();
  return { use: server.connectString, given: false, [Symbol.asyncDispose]: () => server.dispose() };
}

/** A redis:// URL. */
export async function openRedis(): Promise<Opened<string>> {
  const { urls } = await inventoryOf('redis');
  if (urls[0] !== undefined) return { use: urls[0], given: true, [Symbol.asyncDispose]: async () => {} };
  const server = await startRedis();
  return { use: server.url, given: false, [Symbol.asyncDispose]: () => server.dispose() };
}

/** Runs `work` with a database server of its own and removes it afterwards. */
export async function withServer<T>(
  flavour: DatabaseFlavour,
  options: DatabaseServerOptions,
  work: (server: DatabaseServer) => Promise<T>,
): Promise<T> {
  await using server = await startDatabase(flavour, options);
  return await work(server);
}
