import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../../../../lib/abort.ts';
import type { TreeClient } from '../../../../../scheduler/tree/client/tree-client.ts';
import type { NodeValue, SessionEvent } from '../../../../../scheduler/tree/tree.ts';
import { opCodes } from '../../../../../scheduler/tree/zookeeper/wire/op-code.ts';
import {
  type ZookeeperTreeOptions,
  zookeeperTree,
} from '../../../../../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { notification, ScriptedServer, writeStat } from './scripted-server.ts';

const soon = { timeoutMs: 10_000, pollMs: 2 };
const sessionTimeoutMs = 900;

let server: ScriptedServer;
let closing: (() => Promise<unknown>)[];
beforeEach(async () => {
  server = await ScriptedServer.start();
  closing = [];
});
afterEach(async () => {
  await Promise.all(closing.map((close) => close()));
  await server[Symbol.asyncDispose]();
});

function started(options: Partial<ZookeeperTreeOptions> = {}): { tree: TreeClient; events: SessionEvent[] } {
  const tree = zookeeperTree({
    connectString: server.connectString,
    sessionTimeoutMs,
    random: () => 0,
    ...options,
  });
  const events: SessionEvent[] = [];
  tree.onState((event) => events.push(event));
  const run = tree.run();
  closing.push(async () => {
    await tree.stop();
    await run;
  });
  return { tree, events };
}

const typesOn = (connection: number) =>
  server.requests.filter((request) => request.connection === connection).map((request) => request.type);

describe('connecting', () => {
  it('goes to the next server when one accepts and says nothing (Z3)', async () => {
    await using silent = await ScriptedServer.start();
    silent.onConnect = () => 'silent';
    const { tree } = started({ connectString: `${silent.connectString},${server.connectString}` });
    await tree.whenConnected({ deadlineMs: 5_000 });
    expect(silent.connects).toHaveLength(1);
    expect(server.connects).toHaveLength(1);
    await waitFor(() => silent.open === 0, { ...soon, what: 'the silent connection closed' });
  });

  it('takes turns with servers that refuse, and says why', async () => {
    await using gone = await ScriptedServer.start();
    const refused = gone.connectString;
    await gone[Symbol.asyncDispose]();
    const troubles: (string | undefined)[] = [];
    const { tree } = started({
      connectString: `${refused},${server.connectString}`,
      observer: (event, facts) => {
        if (event === 'tree:connection:lost' && 'server' in facts) troubles.push(facts.server);
      },
    });
    await tree.whenConnected({ deadlineMs: 5_000 });
    expect(troubles).toEqual([refused]);
    expect(tree.counters.disconnects).toBe(1);
  });

  it('tells in its deadline error what the last trouble was (Z10)', async () => {
    server.onConnect = () => 'cut';
    const { tree } = started();
    await expect(tree.whenConnected({ deadlineMs: 300 })).rejects.toThrow(
      new RegExp(`state connecting, last: ${server.connectString}: .*(ECONNRESET|closed)`),
    );
  });

  it('slows down while nobody lets it in, and leaves nothing behind (Z6)', async () => {
    let isRefusing = true;
    server.onConnect = () => (isRefusing ? 'cut' : 'grant');
    const { tree } = started({ credentials: [{ scheme: 'digest', auth: 'u:p' }] });
    await waitFor(() => server.accepted >= 5, { ...soon, what: 'five attempts' });
    const began = performance.now();
    const before = server.accepted;
    await waitFor(() => server.accepted >= before + 4, { ...soon, what: 'four more' });
    // From the fifth attempt on at least 100 ms apart (half of the cap of 200 ms, by jitter).
    expect(performance.now() - began).toBeGreaterThan(300);
    isRefusing = false;
    await tree.whenConnected({ deadlineMs: 5_000 });
    await waitFor(() => tree.counters.ops.sync.succeeded > 0, { ...soon, what: 'a probe answered' });
    const last = server.accepted - 1;
    expect(typesOn(last).filter((type) => type === opCodes.setAuth)).toHaveLength(1);
    expect(typesOn(last).filter((type) => type === opCodes.setWatches)).toHaveLength(0);
  });

  it('slows down too when connections come about and break at once', async () => {
    server.onRequest = () => 'cut';
    started();
    await waitFor(() => server.accepted >= 6, { ...soon, what: 'six connections' });
    const began = performance.now();
    const before = server.accepted;
    await waitFor(() => server.accepted >= before + 3, { ...soon, what: 'three more' });
    expect(performance.now() - began).toBeGreaterThan(200);
  });

  it('never asks for a read-only server, and shows what it has seen when it comes back', async () => {
    server.onRequest = ({ type }) => (type === opCodes.sync ? { zxid: 77n } : undefined);
    const { tree } = started();
    await tree.whenConnected();
    await waitFor(() => tree.counters.ops.sync.succeeded > 0, { ...soon, what: 'a probe answered' });
    server.cut();
    await waitFor(() => server.connects.length === 2, { ...soon, what: 'a second connection' });
    expect(server.connects.map(({ sessionId, lastZxid }) => [sessionId, lastZxid])).toEqual([
      [0n, 0n],
      [1n, 77n],
    ]);
    expect(server.connects.every((seen) => !seen.readOnly)).toBe(true);
  });

  it('asks for a new session without a history, so that an ensemble built anew takes it', async () => {
    server.onRequest = ({ type }) => (type === opCodes.sync ? { zxid: 77n } : undefined);
    const { tree } = started();
    await tree.whenConnected();
    await waitFor(() => tree.counters.ops.sync.succeeded > 0, { ...soon, what: 'a probe answered' });
    server.onConnect = ({ sessionId }) => (sessionId === 0n ? 'grant' : 'expired');
    server.cut();
    await waitFor(() => tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
    expect(server.connects.at(-1)).toMatchObject({ sessionId: 0n, lastZxid: 0n });
  });
});

describe('credentials', () => {
  const credentials = [{ scheme: 'digest', auth: 'holt:secret' }];

  it('go first on every connection, before what waited for it (Z5)', async () => {
    const { tree } = started({ credentials });
    await tree.whenConnected();
    server.onConnect = () => 'cut';
    server.cut();
    await waitFor(() => tree.sessionState === 'suspended', { ...soon, what: 'suspended' });
    const waiting = [tree.get('/a'), tree.set('/a', Buffer.alloc(0), 0)];
    server.onRequest = ({ type }) => {
      if (type === opCodes.getData) return { body: (writer) => writeStat(writer.buffer(Buffer.alloc(0))) };
      if (type === opCodes.setData) return { body: (writer) => writeStat(writer) };
      return undefined;
    };
    server.onConnect = undefined;
    await Promise.all(waiting);
    for (const { connection } of server.connects.filter((seen) => typesOn(seen.connection).length > 0))
      expect(typesOn(connection)[0], `connection ${connection}`).toBe(opCodes.setAuth);
    expect(typesOn(server.accepted - 1)).toEqual(
      expect.arrayContaining([opCodes.setAuth, opCodes.getData, opCodes.setData]),
    );
  });

  it('stand behind what is created; without them it is open', async () => {
    const acls: (readonly unknown[])[] = [];
    server.onRequest = ({ type, body }) => {
      if (type !== opCodes.create2) return undefined;
      body.string();
      body.buffer();
      acls.push([body.int(), body.int(), body.string(), body.string()]);
      return { body: (writer) => writeStat(writer.string('/a')) };
    };
    await started({ credentials }).tree.create('/a', Buffer.alloc(0));
    await started().tree.create('/a', Buffer.alloc(0));
    expect(acls).toEqual([
      [1, 31, 'auth', ''],
      [1, 31, 'world', 'anyone'],
    ]);
  });

  it('refused: requests fail at once, and it heals when they are right', async () => {
    let isWrong = true;
    server.onRequest = ({ type }) => (type === opCodes.setAuth && isWrong ? { error: -115 } : undefined);
    const { tree, events } = started({ credentials, authRetryMs: 300 });
    const early = tree.get('/a').catch((error: unknown) => error);
    await waitFor(() => tree.sessionState === 'auth-failed', { ...soon, what: 'auth-failed' });
    expect(await early).toMatchObject({ kind: 'auth-failed' });
    await expect(tree.get('/a')).rejects.toMatchObject({ kind: 'auth-failed' });
    isWrong = false;
    await tree.whenConnected({ deadlineMs: 5_000 });
    expect(events.map((event) => event.state)).toEqual(['auth-failed', 'connecting', 'connected']);
  });

  it('refused on coming back: the session is over first', async () => {
    let isWrong = false;
    server.onRequest = ({ type }) => (type === opCodes.setAuth && isWrong ? { error: -115 } : undefined);
    const { tree, events } = started({ credentials, authRetryMs: 100 });
    await tree.whenConnected();
    isWrong = true;
    server.cut();
    await waitFor(() => tree.sessionState === 'auth-failed', { ...soon, what: 'auth-failed' });
    expect(tree.leaseRemainingMs()).toBeLessThanOrEqual(0);
    isWrong = false;
    await waitFor(() => tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
    expect(events.map((event) => event.state)).toEqual(
      expect.arrayContaining(['connected', 'suspended', 'lost', 'auth-failed', 'connecting']),
    );
  });
});

describe('answers of bad days', () => {
  it.each([-999, -118 - 1000, -119, -121, -122, -123, -125, -127, -13, 5])(
    'code %i is an error of that request and nothing else (Z7)',
    async (code) => {
      server.onRequest = ({ type }) => (type === opCodes.getData ? { error: code } : undefined);
      const { tree } = started();
      await expect(tree.get('/a')).rejects.toMatchObject({ kind: 'server-error', serverCode: code });
      expect(tree.sessionState).toBe('connected');
      expect(server.accepted).toBe(1);
    },
  );

  it('session moved (-118): the connection is left, the session goes on', async () => {
    let moved = 0;
    server.onRequest = ({ type }) => {
      if (type !== opCodes.setData) return undefined;
      moved += 1;
      return moved === 1 ? { error: -118 } : { body: (writer) => writeStat(writer) };
    };
    const { tree } = started();
    await expect(tree.set('/a', Buffer.alloc(0), 0)).rejects.toMatchObject({ kind: 'connection-loss' });
    await tree.set('/a', Buffer.alloc(0), 0);
    expect(tree.sessionEpoch).toBe(1);
    expect(server.accepted).toBe(2);
  });

  it('session expired as an answer: lost, and a new epoch', async () => {
    server.onRequest = ({ type, connection }) =>
      type === opCodes.setData && connection === 0 ? { error: -112 } : undefined;
    const { tree } = started();
    await expect(tree.set('/a', Buffer.alloc(0), 0)).rejects.toMatchObject({ kind: 'session-lost' });
    await waitFor(() => tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
  });

  it.each<[string, Buffer]>([
    ['an impossible length', Buffer.from('ffffffff', 'hex')],
    ['an enormous length', Buffer.from('7fffffff', 'hex')],
    ['a packet too short for its header', Buffer.from('0000000200', 'hex').fill(0, 4)],
    ['an answer to nobody', Buffer.from('00000010000003e7000000000000000100000000', 'hex')],
    ['a notification cut short', Buffer.from('00000010ffffffffffffffffffffffff00000000', 'hex')],
  ])('%s ends the connection, not the process', async (_, bytes) => {
    const { tree } = started();
    await tree.whenConnected();
    const padding = Buffer.alloc(16);
    server.push(Buffer.concat([bytes, padding]));
    await waitFor(() => server.accepted === 2, { ...soon, what: 'a second connection' });
    await tree.whenConnected();
    expect(tree.sessionEpoch).toBe(1);
  });

  it('an answer that is too short fails a write with an unknown outcome; a read is sent again', async () => {
    let broken = 2;
    server.onRequest = ({ type }) => {
      if (type !== opCodes.setData && type !== opCodes.exists) return undefined;
      broken -= 1;
      return { body: (writer) => (broken >= 0 ? writer.int(1) : writeStat(writer, { version: 3 })) };
    };
    const { tree } = started();
    await expect(tree.set('/a', Buffer.alloc(0), 0)).rejects.toMatchObject({
      kind: 'connection-loss',
      outcomeUnknown: true,
    });
    expect(await tree.exists('/a')).toMatchObject({ version: 3 });
    expect(tree.counters.connects).toBe(3);
  });

  it('a connect answer that is none ends the attempt', async () => {
    server.onConnect = ({ connection }) =>
      connection === 0 ? Buffer.from('0000000400000000', 'hex') : 'grant';
    const { tree } = started();
    await tree.whenConnected({ deadlineMs: 5_000 });
    expect(server.accepted).toBe(2);
  });

  it('events of unknown types and of paths outside are passed over', async () => {
    server.onRequest = ({ type }) => {
      if (type === opCodes.exists) return { body: (writer) => writeStat(writer) };
      return type === opCodes.getData
        ? { body: (writer) => writeStat(writer.buffer(Buffer.from('v'))) }
        : undefined;
    };
    const { tree } = started({ connectString: `${server.connectString}/root` });
    const values: (NodeValue | null)[] = [];
    tree.watchData('/a', (value) => {
      values.push(value);
    });
    await waitFor(() => values.length === 1, { ...soon, what: 'the value' });
    const reads = () => server.requests.filter((request) => request.type === opCodes.getData).length;
    const before = reads();
    server.push(notification(99, '/root/a'));
    server.push(notification(-1, ''));
    server.push(notification(3, '/rooted/a'));
    server.push(notification(3, '/root/a'));
    await waitFor(() => reads() > before, { ...soon, what: 'a reading' });
    expect(reads()).toBe(before + 1);
    expect(tree.counters.watchFires).toBe(1);
  });
});

describe('the window', () => {
  it('holds 128 requests on the wire, the others wait', async () => {
    let isSilent = true;
    server.onRequest = ({ type }) => {
      if (type !== opCodes.getData) return undefined;
      return isSilent ? 'silent' : { body: (writer) => writeStat(writer.buffer(Buffer.alloc(0))) };
    };
    const { tree } = started();
    await tree.whenConnected();
    const reads = Array.from({ length: 300 }, () => tree.get('/a'));
    await waitFor(() => typesOn(0).filter((type) => type === opCodes.getData).length === 128, {
      ...soon,
      what: 'a full window',
    });
    expect(tree.counters).toMatchObject({ inFlight: 128, queued: 172 });
    isSilent = false;
    server.cut();
    await Promise.all(reads);
    expect(tree.counters).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it('refuses more than it can hold in memory', async () => {
    server.onConnect = () => 'silent';
    const { tree } = started();
    const data = Buffer.alloc(900_000);
    const outcomes = Array.from({ length: 80 }, (_, index) =>
      tree.create(`/n${index}`, data, { deadlineMs: 200 }).catch((error: { kind: string }) => error.kind),
    );
    const kinds = await Promise.all(outcomes);
    expect(kinds.filter((kind) => kind === 'overloaded').length).toBeGreaterThan(0);
    expect(kinds.filter((kind) => kind === 'deadline').length).toBeGreaterThan(60);
  });
});

describe('the end', () => {
  it('comes within a third of the timeout when the server does not answer', async () => {
    server.onRequest = ({ type }) => (type === opCodes.closeSession ? 'silent' : undefined);
    const { tree } = started();
    await tree.whenConnected();
    const began = performance.now();
    await tree.stop();
    expect(performance.now() - began).toBeLessThan(sessionTimeoutMs);
    await waitFor(() => server.open === 0, { ...soon, what: 'no connection' });
  });

  it('may come before the beginning, and twice', async () => {
    const tree = zookeeperTree({ connectString: server.connectString });
    await tree.stop();
    await tree.stop();
    await tree.run();
    expect(server.accepted).toBe(0);
    await expect(tree.get('/a')).rejects.toMatchObject({ kind: 'closed' });
    await expect(tree.whenConnected()).rejects.toMatchObject({ kind: 'closed' });
  });

  it('comes at once while nobody is reached', async () => {
    server.onConnect = () => 'silent';
    const { tree } = started();
    await waitFor(() => server.accepted === 1, { ...soon, what: 'an attempt' });
    const began = performance.now();
    await tree.stop();
    expect(performance.now() - began).toBeLessThan(200);
    await waitFor(() => server.open === 0, { ...soon, what: 'no connection' });
  });
});
