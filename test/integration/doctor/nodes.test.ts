import { afterEach, describe, expect, it } from 'vitest';
import type { LoadedConfig } from '../../../conf/load.ts';
import { literalSecret } from '../../../conf/secret.ts';
import { silentLogger } from '../../../lib/logger.ts';
import type { NodeConfig } from '../../../model/config.ts';
import { checkNodes } from '../../../node/doctor/node-checks.ts';
import { STATUS_ROUTE } from '../../../node/status/collect.ts';
import type { NodeReport } from '../../../node/status/node-report.ts';
import { ChannelServer } from '../../../stages/pipe/channel/channel-server.ts';
import { freePort } from '../../support/free-port.ts';

const KEY = 'a key of enough bytes';

function config(name: string, port: number, key = KEY): NodeConfig {
  return {
    name,
    site: 'east',
    serves: ['east'],
    listen: { host: '127.0.0.1', port: 0 },
    pipe: { host: '127.0.0.1', port, advertise: null, tls: null, maxPayloadBytes: 1 },
    clusterKey: literalSecret(key),
    stages: ['select'],
    memoryBytes: 1,
    log: { level: 'info', pretty: false },
    drainTimeoutMs: 1,
  } as unknown as NodeConfig;
}

function report(node: string, nowMs: number): NodeReport {
  return {
    version: 1,
    node,
    site: 'east',
    release: '1.2.3',
    startedMs: 0,
    nowMs,
    draining: false,
    drained: false,
    session: { state: 'connected', epoch: 1, leaseMs: 1 },
    memoryBytes: 1,
    eventLoopP99Ms: 0,
    clocks: [],
    pipelines: [],
  };
}

const loaded = (...nodes: NodeConfig[]) => ({ nodes }) as unknown as LoadedConfig;

describe('holt doctor and the nodes', () => {
  const servers: ChannelServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function node(name: string, aheadMs = 0): Promise<number> {
    const server = await ChannelServer.start({
      host: '127.0.0.1',
      port: 0,
      key: Buffer.from(KEY),
      tls: null,
      nowMs: () => Date.now(),
      log: silentLogger,
      routes: {
        [`GET ${STATUS_ROUTE}`]: () =>
          Promise.resolve({ kind: 'json', value: report(name, Date.now() + aheadMs) }),
      },
    });
    servers.push(server);
    return server.port;
  }

  it('takes release and clock of those that run, and only mentions those that do not', async () => {
    const { findings, clocks } = await checkNodes(
      loaded(config('n1', await node('n1', 60_000)), config('n2', await freePort())),
    );
    expect(findings).toMatchObject([
      { level: 'ok', about: 'node n1', message: expect.stringContaining('release 1.2.3') },
      { level: 'warn', code: 'HOLT_PIPE_UNREACHABLE', about: 'node n2' },
    ]);
    expect(clocks).toHaveLength(1);
    expect(clocks[0]?.aheadMs).toBeGreaterThan(59_000);
  });

  it('tells another key, and another node at the address', async () => {
    const { findings } = await checkNodes(
      loaded(config('n1', await node('n1'), 'another key of enough bytes'), config('n2', await node('n3'))),
    );
    expect(findings).toMatchObject([
      { level: 'error', code: 'HOLT_PIPE_REFUSED', about: 'node n1' },
      { level: 'warn', code: 'HOLT_NODE_NAME_TAKEN', message: expect.stringContaining('n3 answers') },
    ]);
    expect(JSON.stringify(findings)).not.toContain('of enough bytes');
  });

  it('asks nobody where the port is taken at random, or the node is alone', async () => {
    expect((await checkNodes(loaded(config('n1', 0), config('n2', 0)))).findings).toEqual([]);
    expect((await checkNodes(loaded(config('n1', await freePort())))).findings).toEqual([]);
  });
});
