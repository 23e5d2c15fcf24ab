import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { deferred } from '../../../lib/deferred.ts';
import { silentLogger } from '../../../lib/logger.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import { newTenure, nodeId, pipelineId, siteId } from '../../../model/ids.ts';
import { ChannelClient } from '../../../stages/pipe/channel/channel-client.ts';
import { ChannelServer, type LargeRoute } from '../../../stages/pipe/channel/channel-server.ts';
import { AHEAD_ROUTE, ANNOUNCEMENT_ROUTE, NodePipe, PAYLOAD_ROUTE } from '../../../stages/pipe/node-pipe.ts';

const KEY = Buffer.from('a key of the cluster');
const pipeline = pipelineId('p');
const tenure = newTenure();
const never = new AbortController().signal;

interface Peer {
  readonly largeRoutes: Record<string, LargeRoute>;
  readonly pipe: NodePipe;
  readonly server: ChannelServer;
  readonly name: string;
  readonly url: string;
}

const peers: Peer[] = [];
let allowed: boolean;
/** In its place, where a test has one. */
let guard: (() => Promise<boolean>) | null;
/** Registered nodes; an address of null is that of the peer of this name. */
let present: { readonly node: string; readonly address: string | null }[];

async function peer(name: string, key = KEY): Promise<Peer> {
  const client = new ChannelClient({ node: name, key, tls: null, nowMs: Date.now, silenceMs: 2000 });
  let server: ChannelServer | null = null;
  const pipe = new NodePipe({
    node: nodeId(name),
    site: siteId(name.slice(0, 4)),
    address: () => server?.urlFor('127.0.0.1') ?? '',
    client,
    guard: { mayFetch: () => guard?.() ?? Promise.resolve(allowed) },
    redis: null,
    maxBytes: 1 << 24,
    maxPayloadBytes: 1 << 22,
    present: () =>
      present.map(({ node, address }) => ({
        node: nodeId(node),
        site: siteId(node.slice(0, 4)),
        address: address ?? peers.find((one) => one.name === node)?.url ?? '',
      })),
    log: silentLogger,
  });
  const largeRoutes: Record<string, LargeRoute> = { [`POST ${AHEAD_ROUTE}`]: pipe.aheadRoute };
  server = await ChannelServer.start({
    host: '127.0.0.1',
    port: 0,
    key,
    tls: null,
    nowMs: Date.now,
    log: silentLogger,
    routes: {
      [`GET ${PAYLOAD_ROUTE}`]: pipe.route,
      [`POST ${ANNOUNCEMENT_ROUTE}`]: pipe.announcementRoute,
    },
    largeRoutes,
  });
  const made = { pipe, largeRoutes, server, name, url: server.urlFor('127.0.0.1') };
  peers.push(made);
  return made;
}

function header(payload: BatchHeader['payload'], seq = '1'): BatchHeader {
  return {
    version: 1,
    pipeline,
    epoch: 1,
    tenure,
    seq,
    part: 0,
    lastPart: true,
    configVersion: 0,
    origin: siteId('east'),
    start: 'mysql:' as BatchHeader['start'],
    end: 'mysql:' as BatchHeader['end'],
    endFile: '',
    endOffset: 0,
    lastEventTimestamp: 0,
    lastEventCrc32: null,
    source: '',
    transactions: 1,
    rows: 1,
    firstCommitUs: 0,
    lastCommitUs: 0,
    selectedMs: 0,
    extractedMs: null,
    transformedMs: null,
    payload,
    hint: null,
  };
}

beforeEach(() => {
  allowed = true;
  guard = null;
  present = [
    { node: 'east-1', address: null },
    { node: 'west-1', address: null },
  ];
});

afterEach(async () => {
  for (const { pipe, server } of peers.splice(0)) {
    await pipe.close();
    await server.close();
  }
});

describe('NodePipe', () => {
  test('brings a payload from the node that holds it, byte for byte, and keeps it', async () => {
    const east = await peer('east-1');
    const west = await peer('west-1');
    const bytes = randomBytes(3_000_000);
    const place = await east.pipe.put({ pipeline, tenure, seq: 1n, part: 0 }, bytes, never);
    expect((await west.pipe.get(header(place), never)).equals(bytes)).toBe(true);
    await east.server.close();
    expect((await west.pipe.get(header(place), never)).equals(bytes)).toBe(true);
  });

  test('memory is free again after a receipt, after a part is done, and when another tenure rules', async () => {
    const { pipe } = await peer('east-1');
    const put = (seq: bigint, part = 0) =>
      pipe.put({ pipeline, tenure, seq, part }, Buffer.alloc(1000, Number(seq) + part), never);
    for (const seq of [1n, 2n]) await put(seq);
    for (const part of [0, 1]) await put(3n, part);
    expect(pipe.heldBytes).toBe(4000);
    pipe.received(pipeline, tenure, 1n);
    expect(pipe.heldBytes).toBe(3000);
    pipe.partReceived(pipeline, tenure, 3n, 0);
    expect(pipe.heldBytes).toBe(1000);
    pipe.ruling(pipeline, newTenure());
    expect(pipe.heldBytes).toBe(0);
  });

  test('a payload nobody has is a rewind; a node that is registered and silent is asked again', async () => {
    const east = await peer('east-1');
    const west = await peer('west-1');
    const place = await east.pipe.put({ pipeline, tenure, seq: 1n, part: 0 }, Buffer.from('rows'), never);
    await expect(west.pipe.get(header({ ...place, sha256: '0'.repeat(64) }), never)).rejects.toMatchObject({
      code: 'HOLT_PAYLOAD_GONE',
      disposition: 'rewind',
    });
    await east.server.close();
    await expect(west.pipe.get(header(place), never)).rejects.toMatchObject({
      code: 'HOLT_PIPE_UNREACHABLE',
      disposition: 'retry',
    });
    present = [{ node: 'east-1', address: 'http://127.0.0.1:1' }];
    await expect(west.pipe.get(header(place), never)).rejects.toMatchObject({ code: 'HOLT_PAYLOAD_GONE' });
    present = [];
    await expect(west.pipe.get(header(place), never)).rejects.toMatchObject({ code: 'HOLT_PAYLOAD_GONE' });
  });

  test('is refused to whoever holds no claim, and to another key', async () => {
    const east = await peer('east-1');
    const west = await peer('west-1');
    const stranger = await peer('west-9', Buffer.from('some other long key'));
    const place = await east.pipe.put({ pipeline, tenure, seq: 1n, part: 0 }, Buffer.from('rows'), never);
    allowed = false;
    await expect(west.pipe.get(header(place), never)).rejects.toMatchObject({ code: 'HOLT_PIPE_REFUSED' });
    allowed = true;
    await expect(stranger.pipe.get(header(place), never)).rejects.toMatchObject({
      code: 'HOLT_PIPE_REFUSED',
      message: expect.stringContaining('signature does not fit'),
    });
  });

  test('takes no more bytes than announced, and no other bytes', async () => {
    const east = await peer('east-1');
    const west = await peer('west-1');
    const place = await east.pipe.put({ pipeline, tenure, seq: 1n, part: 0 }, randomBytes(2000), never);
    await expect(west.pipe.get(header({ ...place, bytes: 1999 }), never)).rejects.toMatchObject({
      code: 'HOLT_PAYLOAD_CORRUPT',
    });
    await expect(west.pipe.get(header({ ...place, bytes: 2001 }), never)).rejects.toMatchObject({
      code: 'HOLT_PAYLOAD_CORRUPT',
    });
    await expect(west.pipe.get(header({ ...place, bytes: (1 << 22) + 1 }), never)).rejects.toMatchObject({
      code: 'HOLT_PAYLOAD_TOO_LARGE',
    });
  });

  test.each(['br', 'deflate', 'identity'])('crosses the link in %s', async (accept) => {
    const east = await peer('east-1');
    const bytes = Buffer.alloc(500_000, 'row after row after row ');
    const place = await east.pipe.put({ pipeline, tenure, seq: 1n, part: 0 }, bytes, never);
    const client = new ChannelClient({ node: 'west-1', key: KEY, tls: null, nowMs: Date.now });
    const target = `${PAYLOAD_ROUTE}?pipeline=p&tenure=${tenure}&seq=1&part=0&sha256=${place.sha256}`;
    const got = await client.bytes(
      place.address,
      target,
      { sha256: place.sha256, bytes: bytes.length, accept },
      never,
    );
    expect(got.equals(bytes)).toBe(true);
    client.close();
  });

  describe('sent ahead', () => {
    async function sites() {
      const east = await peer('east-1');
      const west = await peer('west-1');
      west.pipe.ruling(pipeline, tenure);
      const bytes = Buffer.alloc(300_000, 'row after row after row ');
      const place = await east.pipe.put({ pipeline, tenure, seq: 1n, part: 0 }, bytes, never);
      return { east, west, bytes, announced: { ...header(place), hint: nodeId('west-1') } };
    }
    const soon = { timeoutMs: 30_000, pollMs: 5 };

    test('a payload is at the announced node before anybody asks', async () => {
      const { east, west, bytes, announced } = await sites();
      east.pipe.sendAhead(announced);
      await waitFor(() => west.pipe.heldBytes === bytes.length, { ...soon, what: 'the payload to arrive' });
      // Nobody hands anything out any more.
      allowed = false;
      expect((await west.pipe.get(announced, never)).equals(bytes)).toBe(true);
    });

    test('whoever asks meanwhile gets what is on its way, and does not fetch it', async () => {
      const { east, west, bytes, announced } = await sites();
      allowed = false;
      const begun = deferred<void>();
      const held = deferred<void>();
      const { begin } = west.pipe.aheadRoute;
      west.largeRoutes[`POST ${AHEAD_ROUTE}`] = {
        maxBytes: 1 << 24,
        begin: (request) => {
          const take = begin(request);
          begun.resolve();
          return async (body) => {
            await held.promise;
            return take(body);
          };
        },
      };
      east.pipe.sendAhead(announced);
      await begun.promise;
      const asked = west.pipe.get(announced, never);
      held.resolve();
      expect((await asked).equals(bytes)).toBe(true);
    });

    test('what comes while it is being fetched is taken at once', async () => {
      const { east, west, bytes, announced } = await sites();
      // Whoever asks gets no answer.
      const asked = deferred<void>();
      guard = () => {
        asked.resolve();
        return new Promise(() => {});
      };
      const got = west.pipe.get(announced, never);
      await asked.promise;
      east.pipe.sendAhead(announced);
      expect((await got).equals(bytes)).toBe(true);
    });

    test('a large payload crosses the link once: only word of its task is sent', async () => {
      const { east, west } = await sites();
      const bytes = randomBytes(600_000);
      const place = await east.pipe.put({ pipeline, tenure, seq: 2n, part: 0 }, bytes, never);
      const announced = { ...header(place, '2'), hint: nodeId('west-1') };
      const heard: string[] = [];
      west.pipe.onAnnounced(({ seq }) => heard.push(seq));
      let sent = 0;
      west.largeRoutes[`POST ${AHEAD_ROUTE}`] = {
        maxBytes: 1 << 24,
        begin: () => {
          sent += 1;
          return () => Promise.resolve({ kind: 'json', value: {} });
        },
      };
      east.pipe.sendAhead(announced)();
      await waitFor(() => heard.length === 1, { ...soon, what: 'the announcement' });
      expect((await west.pipe.get(announced, never)).equals(bytes)).toBe(true);
      expect(sent).toBe(0);
    });

    test('what does not come is fetched', async () => {
      const { east, west, bytes, announced } = await sites();
      west.pipe.ruling(pipeline, newTenure());
      east.pipe.sendAhead(announced);
      expect((await west.pipe.get(announced, never)).equals(bytes)).toBe(true);
    });

    test('other bytes than the hash names are not kept', async () => {
      const { west, announced } = await sites();
      const client = new ChannelClient({ node: 'east-1', key: KEY, tls: null, nowMs: Date.now });
      const { sha256 } = announced.payload;
      const target = `${AHEAD_ROUTE}?pipeline=p&tenure=${tenure}&seq=1&part=0&sha256=${sha256}&codec=identity&bytes=5`;
      const options = { signal: never, silenceMs: 5_000 };
      expect(await client.send(west.url, target, Buffer.from('other'), options)).toEqual({ kept: false });
      expect(west.pipe.heldBytes).toBe(0);
      client.close();
    });

    test('more than is ever sent so is not kept, whoever sends it', async () => {
      const { west } = await sites();
      const client = new ChannelClient({ node: 'east-1', key: KEY, tls: null, nowMs: Date.now });
      const options = { signal: never, silenceMs: 5_000 };
      const send = (bytes: Buffer) => {
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        const target = `${AHEAD_ROUTE}?pipeline=p&tenure=${tenure}&seq=1&part=0&sha256=${sha256}&codec=identity&bytes=${bytes.length}`;
        return client.send(west.url, target, bytes, options);
      };
      expect(await send(randomBytes(512 * 1024 + 1))).toEqual({ kept: false });
      expect(west.pipe.heldBytes).toBe(0);
      expect(await send(randomBytes(512 * 1024))).toEqual({ kept: true });
      client.close();
    });

    test('of a stranger nothing is read', async () => {
      const { west } = await sites();
      const stranger = new ChannelClient({
        node: 'east-1',
        key: Buffer.from('some other long key'),
        tls: null,
        nowMs: Date.now,
      });
      const target = `${AHEAD_ROUTE}?pipeline=p&tenure=${tenure}&seq=1&part=0&sha256=${'0'.repeat(64)}&codec=identity&bytes=5`;
      let begun = false;
      west.largeRoutes[`POST ${AHEAD_ROUTE}`] = {
        maxBytes: 1 << 24,
        begin: () => {
          begun = true;
          return () => Promise.resolve({ kind: 'json', value: {} });
        },
      };
      const options = { signal: never, silenceMs: 5_000 };
      await expect(stranger.send(west.url, target, randomBytes(2_000_000), options)).rejects.toMatchObject({
        disposition: 'retry',
      });
      expect(begun).toBe(false);
      stranger.close();
    });

    test('a node hears of a task that is announced to it, and only to it', async () => {
      const { west, announced } = await sites();
      const heard: string[] = [];
      const over = west.pipe.onAnnounced(({ seq }) => heard.push(seq));
      const client = new ChannelClient({ node: 'east-1', key: KEY, tls: null, nowMs: Date.now });
      const tell = (value: unknown) => client.post(west.url, ANNOUNCEMENT_ROUTE, value, never);
      expect(await tell(announced)).toEqual({ heard: true });
      expect(await tell({ ...announced, hint: 'west-2' })).toEqual({ heard: false });
      expect(await tell({ some: 'thing' })).toEqual({ heard: false });
      over();
      await tell(announced);
      expect(heard).toEqual(['1']);
      client.close();
    });

    test('word of the task follows where the payload is still on its way when the task stands', async () => {
      const { east, west, announced } = await sites();
      const heard: string[] = [];
      west.pipe.onAnnounced(({ seq }) => heard.push(seq));
      const held = deferred<void>();
      west.largeRoutes[`POST ${AHEAD_ROUTE}`] = {
        maxBytes: 1 << 24,
        begin: () => async () => {
          await held.promise;
          return { kind: 'json', value: {} };
        },
      };
      const slow = east.pipe.sendAhead(announced);
      slow();
      await waitFor(() => heard.length === 1, { ...soon, what: 'the announcement' });
      held.resolve();
    });
  });
});
