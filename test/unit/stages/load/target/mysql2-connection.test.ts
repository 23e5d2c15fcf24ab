import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { fileSecret } from '../../../../../conf/secret.ts';
import type { DataSourceConfig } from '../../../../../model/config.ts';
import { connectTarget } from '../../../../../stages/load/target/mysql2-connection.ts';

/** A server that is not there: a socket nobody holds would end the process by its error. */
async function refused(change: Partial<DataSourceConfig>): Promise<DataSourceConfig> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return {
    name: 'west-db',
    site: 'west',
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 1,
    user: 'holt',
    password: { kind: 'literal', from: 'literal', resolve: () => '' },
    tls: { mode: 'disabled', ca: null, cert: null, key: null },
    serverId: 1,
    connectTimeoutMs: 5_000,
    ...change,
  } as DataSourceConfig;
}

test.each<[string, Partial<DataSourceConfig>]>([
  ['HOLT_SECRET_MISSING', { password: fileSecret('/nowhere/password') }],
  ['HOLT_TARGET_TLS', { tls: { mode: 'verify-ca', ca: '/nowhere/ca.pem', cert: null, key: null } }],
])('%s: what cannot be read is said before a socket is opened, and is tried again', async (code, change) => {
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown) => uncaught.push(error);
  process.prependListener('uncaughtException', onUncaught);
  onTestFinished(() => void process.off('uncaughtException', onUncaught));
  await expect(connectTarget(await refused(change))).rejects.toMatchObject({ code, disposition: 'retry' });
  // A refused connect is told within a few turns of the loop.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(uncaught).toEqual([]);
});
