import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import type { Database, DatabaseFlavour } from './database.ts';
import { ServerUnavailable } from './inventory.ts';
import { type Opened, openDatabase, openRedis, openZookeeper } from './servers.ts';
import type { SharedAnswer, SharedRequest } from './shared-servers.ts';

/**
 * Vitest's global setup. Servers that test files share belong to the main process, which starts each at the first
 * request for it and ends all after the last file; the workers ask over loopback HTTP. A run of unit tests starts none.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  // scripts/test.mjs holds the other end of our stdin: should it be killed, the run is over.
  if (process.env.HOLT_RUN !== undefined)
    process.stdin
      .on('end', () => process.exit(1))
      .resume()
      .unref();
  const databases = new Map<DatabaseFlavour, Promise<Opened<Database>>>();
  let zookeeper: Promise<Opened<string>> | undefined;
  let redis: Promise<Opened<string>> | undefined;

  async function answer(request: SharedRequest): Promise<SharedAnswer> {
    switch (request.kind) {
      case 'zookeeper':
        zookeeper ??= openZookeeper();
        return { kind: 'address', address: (await zookeeper).use };
      case 'redis':
        redis ??= openRedis();
        return { kind: 'address', address: (await redis).use };
      case 'database': {
        const opened = databases.get(request.flavour) ?? openDatabase(request.flavour);
        databases.set(request.flavour, opened);
        return { kind: 'database', endpoint: (await opened).use.endpoint };
      }
      default:
        return request satisfies never;
    }
  }

  const server = createServer((request, response) => {
    void readJson(request)
      .then((body) => answer(body as SharedRequest))
      .catch((error: unknown): SharedAnswer => {
        if (error instanceof ServerUnavailable) return { kind: 'unavailable', reason: error.message };
        return {
          kind: 'failed',
          message: error instanceof Error ? (error.stack ?? error.message) : String(error),
        };
      })
      .then((result) => response.end(JSON.stringify(result)));
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  project.provide('sharedServersUrl', `http://127.0.0.1:${port}/`);

  return async () => {
    server.closeAllConnections();
    server.close();
    const opened = await Promise.allSettled([...databases.values(), zookeeper, redis]);
    for (const result of opened)
      if (result.status === 'fulfilled') await result.value?.[Symbol.asyncDispose]();
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return JSON.parse(body);
}
