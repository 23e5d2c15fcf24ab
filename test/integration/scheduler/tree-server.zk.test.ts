import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { TreeClient } from '../../../scheduler/tree/client/tree-client.ts';
import type { Children, NodeValue, SessionEvent } from '../../../scheduler/tree/tree.ts';
import {
  type ZookeeperTreeOptions,
  zookeeperTree,
} from '../../../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { freePort } from '../../support/free-port.ts';
import { temporaryFolder } from '../../support/kept-process.ts';
import { startZookeeper } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import type { ZookeeperServer } from '../../support/zookeeper-server.ts';

const soon = { timeoutMs: 20_000, pollMs: 5 };
const sessionTimeoutMs = 2_000;
const none = Buffer.alloc(0);

let closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

function started(options: ZookeeperTreeOptions): { tree: TreeClient; events: SessionEvent[] } {
  const tree = zookeeperTree({ sessionTimeoutMs, ...options });
  const events: SessionEvent[] = [];
  tree.onState((event) => events.push(event));
  const run = tree.run();
  closing.push(async () => {
    await tree.stop();
    await run;
  });
  return { tree, events };
}

async function proxied(server: ZookeeperServer): Promise<TcpProxy> {
  const proxy = await TcpProxy.start({ target: { host: server.host, port: server.port } });
  closing.push(() => proxy.dispose());
  return proxy;
}

describeWithOwn(['zookeeper'], 'one ZooKeeper server', () => {
  let server: ZookeeperServer;
  beforeAll(async () => {
    server = await startZookeeper();
  });
  afterAll(() => server.dispose());

  const open = (options: Partial<ZookeeperTreeOptions> = {}) =>
    started({ connectString: server.connectString, ...options });

  it('frozen: suspended, then lost by our own clock; after the thaw a new epoch, the old locks are gone (Z2)', async () => {
    const { tree, events } = open();
    await tree.create('/frozen', none, { ephemeral: true });
    const at = new Map<string, number>();
    tree.onState(({ state }) => at.set(state, performance.now()));
    const frozenAt = performance.now();
    await server.freeze();
    try {
      await waitFor(() => at.has('lost'), { ...soon, what: 'lost' });
    } finally {
      server.thaw();
    }
    expect(events.map((event) => event.state).slice(0, 3)).toEqual(['connected', 'suspended', 'lost']);
    // Before the server could have given the lock away, had it been able to.
    expect((at.get('lost') ?? 0) - frozenAt).toBeLessThan(sessionTimeoutMs);
    await tree.whenConnected();
    expect(tree.sessionEpoch).toBe(2);
    expect(await tree.exists('/frozen')).toBeNull();
  });

  it('restarted: the session goes on if it is quick', async () => {
    const { tree } = open({ sessionTimeoutMs: 30_000 });
    const stat = await tree.create('/restarted', none, { ephemeral: true });
    await server.restart();
    expect(await tree.exists('/restarted')).toEqual(stat);
    expect(tree.sessionEpoch).toBe(1);
  });

  it('wiped: a new session on the empty tree, although its transactions count from 0 again', async () => {
    const { tree } = open();
    await tree.ensurePath('/before/wipe');
    for (let index = 0; index < 50; index++) await tree.set('/before', none, 'any');
    const watched: (Children | null)[] = [];
    tree.watchChildren('/before', (value) => {
      watched.push(value);
    });
    await waitFor(() => watched.length === 1, { ...soon, what: 'children' });
    await server.wipe();
    await server.start();
    await waitFor(() => tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
    expect(await tree.exists('/before')).toBeNull();
    await waitFor(() => watched.at(-1) === null, { ...soon, what: 'the watch to see that' });
    await tree.ensurePath('/before');
    await waitFor(() => watched.at(-1)?.names.length === 0, {
      ...soon,
      what: 'the watch to see it come back',
    });
  });

  it('takes 5 000 watches through breaks without a reconnect loop, and none is lost (Z8)', async () => {
    const proxy = await proxied(server);
    const { tree } = open({ connectString: `${proxy.host}:${proxy.port}`, sessionTimeoutMs: 10_000 });
    const writer = open().tree;
    const parent = `/watches-${'x'.repeat(200)}`;
    await tree.ensurePath(parent);
    const count = 5_000;
    const paths = Array.from({ length: count }, (_, index) => `${parent}/node-${'y'.repeat(40)}-${index}`);
    await Promise.all(paths.map((path) => tree.create(path, Buffer.from('0'))));
    const newest = new Map<string, string>();
    for (const path of paths)
      tree.watchData(path, (value) => {
        newest.set(path, value?.data.toString() ?? 'none');
      });
    await waitFor(() => newest.size === count, { ...soon, what: 'all values' });
    for (let round = 1; round <= 2; round++) {
      proxy.refuse();
      proxy.cut();
      await waitFor(() => tree.sessionState === 'suspended', { ...soon, what: 'suspended' });
      const changed = paths.filter((_, index) => index % 50 === round);
      await Promise.all(changed.map((path) => writer.set(path, Buffer.from(`${round}`), 'any')));
      proxy.heal();
      await waitFor(() => changed.every((path) => newest.get(path) === `${round}`), {
        ...soon,
        what: 'the changes',
      });
    }
    expect(tree.counters.connects).toBe(3);
    expect(tree.counters.watches).toBe(count);
    expect(tree.sessionEpoch).toBe(1);
    // Those that did not change are still armed.
    await writer.set(paths[0] ?? '', Buffer.from('last'), 'any');
    await waitFor(() => newest.get(paths[0] ?? '') === 'last', { ...soon, what: 'the last change' });
    expect(tree.counters.watchesMissed).toBe(0);
  });

  it('reconnects a bounded number of times during an outage (Z6)', async () => {
    const proxy = await proxied(server);
    const { tree } = open({ connectString: `${proxy.host}:${proxy.port}`, sessionTimeoutMs: 8_000 });
    await tree.whenConnected();
    proxy.refuse();
    proxy.cut();
    const began = performance.now();
    await waitFor(() => performance.now() - began > 3_000, { ...soon, what: 'three seconds' });
    expect(tree.counters.disconnects).toBeLessThan(15);
    expect(tree.counters.disconnects).toBeGreaterThan(2);
    proxy.heal();
    await tree.whenConnected();
    expect(tree.sessionEpoch).toBe(1);
  });

  it('does not lose a write of many while the connection breaks again and again', async () => {
    const proxy = await proxied(server);
    const { tree } = open({ connectString: `${proxy.host}:${proxy.port}`, sessionTimeoutMs: 10_000 });
    await tree.ensurePath('/breaks');
    let isOver = false;
    const breaker = (async () => {
      for (let index = 0; index < 8; index++) {
        const before = tree.counters.ops.create.sent;
        await waitFor(() => isOver || tree.counters.ops.create.sent > before + 40, {
          ...soon,
          what: 'writes',
        });
        proxy.cut();
      }
    })();
    const outcomes = { made: 0, unknown: 0 };
    await Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        for (let index = 0; index < 150; index++) {
          try {
            await tree.create(`/breaks/${lane}-${index}`, none);
            outcomes.made += 1;
          } catch (error) {
            expect(error).toMatchObject({ kind: 'connection-loss', outcomeUnknown: true });
            outcomes.unknown += 1;
          }
        }
      }),
    );
    isOver = true;
    await breaker;
    await tree.barrier();
    const found = (await tree.children('/breaks'))?.names.length ?? 0;
    expect(outcomes.made + outcomes.unknown).toBe(1_200);
    expect(outcomes.unknown).toBeGreaterThan(0);
    expect(found).toBeGreaterThanOrEqual(outcomes.made);
    expect(found).toBeLessThanOrEqual(outcomes.made + outcomes.unknown);
  });

  describe('access', () => {
    const holt = { credentials: [{ scheme: 'digest', auth: 'holt:secret' }] };

    it('what is created with credentials is closed to others, and open after a break (Z5)', async () => {
      const proxy = await proxied(server);
      const mine = open({ ...holt, connectString: `${proxy.host}:${proxy.port}` }).tree;
      const also = open(holt).tree;
      const stranger = open({ credentials: [{ scheme: 'digest', auth: 'holt:wrong' }] }).tree;
      const nobody = open().tree;
      await mine.create('/closed', Buffer.from('secret'));
      await mine.multi([{ op: 'create', path: '/closed/multi', data: none }]);
      for (const tree of [stranger, nobody]) {
        await expect(tree.get('/closed')).rejects.toMatchObject({ kind: 'no-auth', path: '/closed' });
        await expect(tree.set('/closed/multi', none, 'any')).rejects.toMatchObject({ kind: 'no-auth' });
        await expect(
          tree.multi([
            { op: 'check', path: '/', version: 'any' },
            { op: 'create', path: '/closed/theirs', data: none },
          ]),
        ).rejects.toMatchObject({ kind: 'no-auth', failedIndex: 1 });
      }
      expect((await also.get('/closed'))?.data.toString()).toBe('secret');
      proxy.refuse();
      proxy.cut();
      await waitFor(() => mine.sessionState === 'suspended', { ...soon, what: 'suspended' });
      const waiting = mine.get('/closed');
      proxy.heal();
      expect((await waiting)?.data.toString()).toBe('secret');
    });

    it('a watch on what is closed waits for permission, and tells why', async () => {
      const mine = open(holt).tree;
      await mine.ensurePath('/closed-watch');
      const failures: unknown[] = [];
      const values: (NodeValue | null)[] = [];
      const nobody = open({
        observer: (event, facts) => {
          if (event === 'tree:listener:failed' && 'error' in facts) failures.push(facts.error);
        },
      }).tree;
      nobody.watchData('/closed-watch', (value) => {
        values.push(value);
      });
      await waitFor(() => failures.length > 0, { ...soon, what: 'the refusal' });
      expect(failures[0]).toMatchObject({ kind: 'no-auth' });
      await mine.remove('/closed-watch', 'any');
      await waitFor(() => values.length > 0 && values[0] === null, { ...soon, what: 'the watch to go on' });
    });
  });

  it('makes the chroot and stays inside', async () => {
    const inside = open({ connectString: `${server.connectString}/jail/of/holt` }).tree;
    const outside = open().tree;
    await inside.whenConnected();
    expect(await outside.exists('/jail/of/holt')).not.toBeNull();
    const seen: (Children | null)[] = [];
    inside.watchChildren('/', (value) => {
      seen.push(value);
    });
    await waitFor(() => seen.length === 1, { ...soon, what: 'children' });
    await outside.create('/jail/of/holt/a', none);
    await waitFor(() => seen.at(-1)?.names.join() === 'a', { ...soon, what: 'a' });
    const failed = inside.multi([{ op: 'create', path: '/a', data: none }]);
    await expect(failed).rejects.toMatchObject({ kind: 'node-exists', path: '/a' });
  });

  it('is reached by an IPv6 literal', async (context) => {
    const sockets = new Set<Socket>();
    const relay = createServer((client) => {
      const upstream = connect({ host: server.host, port: server.port });
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on('error', () => {});
      }
      client.pipe(upstream).pipe(client);
    });
    const listening = await new Promise<boolean>((resolve) => {
      relay.once('error', () => resolve(false));
      relay.listen(0, '::1', () => resolve(true));
    });
    if (!listening) context.skip('no IPv6 on this machine');
    const address = relay.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { tree } = open({ connectString: `[::1]:${port}/six` });
    await tree.create('/a', none);
    await tree.stop();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => relay.close(resolve));
  });
});

describeWithOwn(['zookeeper'], 'ZooKeeper over TLS', () => {
  const fixture = (name: string) =>
    readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
  let server: ZookeeperServer;
  let securePort: number;
  beforeAll(async () => {
    const dir = await temporaryFolder('zookeeper-tls');
    const keyStore = join(dir, 'server.pem');
    const trustStore = join(dir, 'ca.pem');
    writeFileSync(keyStore, `${fixture('server.key')}${fixture('server.pem')}`);
    writeFileSync(trustStore, fixture('ca.pem'));
    securePort = await freePort();
    server = await startZookeeper({
      settings: {
        serverCnxnFactory: 'org.apache.zookeeper.server.NettyServerCnxnFactory',
        secureClientPort: securePort,
        secureClientPortAddress: '127.0.0.1',
        'ssl.keyStore.location': keyStore,
        'ssl.keyStore.type': 'PEM',
        'ssl.trustStore.location': trustStore,
        'ssl.trustStore.type': 'PEM',
        'ssl.clientAuth': 'need',
      },
    });
  });
  afterAll(() => server.dispose());

  const identity = { ca: fixture('ca.pem'), cert: fixture('client.pem'), key: fixture('client.key') };

  it('works as without, breaks included', async () => {
    const proxy = await TcpProxy.start({ target: { host: '127.0.0.1', port: securePort } });
    closing.push(() => proxy.dispose());
    const { tree } = started({ connectString: `127.0.0.1:${proxy.port}/tls`, tls: identity });
    const stat = await tree.create('/a', Buffer.from('x'), { ephemeral: true });
    await tree.multi([{ op: 'set', path: '/a', data: Buffer.from('y'), version: 0 }]);
    proxy.cut();
    await waitFor(() => tree.counters.connects === 2, { ...soon, what: 'a second connection' });
    expect((await tree.get('/a'))?.stat.czxid).toBe(stat.czxid);
    expect(tree.sessionEpoch).toBe(1);
    const plain = started({ connectString: `${server.connectString}/tls` }).tree;
    expect((await plain.get('/a'))?.data.toString()).toBe('y');
  });

  it('refuses a server that it cannot verify, and says so', async () => {
    const { cert, key } = identity;
    const { tree } = started({ connectString: `127.0.0.1:${securePort}`, tls: { cert, key } });
    await expect(tree.whenConnected({ deadlineMs: 3_000 })).rejects.toThrow(/certificate/);
  });
});
