import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { type Framing, type Packet, TcpProxy } from '../../support/tcp-proxy.ts';

const WAIT = { timeoutMs: 5_000, pollMs: 2 };

/** One byte of length, then that many bytes. */
const shortPackets: Framing = (bytes) => (bytes.length === 0 ? undefined : 1 + (bytes[0] ?? 0));
const packet = (text: string) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);

let echo: Server;
let proxy: TcpProxy;
const serverSockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    serverSockets.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const address = echo.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  proxy = await TcpProxy.start({ target: { host: '127.0.0.1', port: address.port }, framing: shortPackets });
});

afterEach(async () => {
  await proxy.dispose();
  for (const socket of serverSockets.splice(0)) socket.destroy();
  echo.close();
});

class Client {
  readonly #chunks: Buffer[] = [];
  receivedBytes = 0;
  closed = false;
  ended = false;
  readonly socket: Socket;

  constructor() {
    this.socket = connect({ host: '127.0.0.1', port: proxy.port });
    this.socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.receivedBytes += chunk.length;
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('error', () => {});
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  async hears(expected: Buffer): Promise<void> {
    await waitFor(() => this.received.equals(expected), {
      ...WAIT,
      what: `${expected} after ${this.received}`,
    });
  }
}

describe('TcpProxy', () => {
  it('passes bytes both ways and counts them', async () => {
    const client = new Client();
    client.socket.write(packet('one'));
    await client.hears(packet('one'));
    expect(proxy.passed).toEqual({ up: 4, down: 4 });
    expect([proxy.connections, proxy.accepted]).toEqual([1, 1]);
    client.socket.end();
    await waitFor(() => client.closed && proxy.connections === 0, { ...WAIT, what: 'both sides closed' });
  });

  it('cuts every connection and lets new ones in', async () => {
    const client = new Client();
    client.socket.write(packet('one'));
    await client.hears(packet('one'));
    proxy.cut();
    await waitFor(() => client.closed, { ...WAIT, what: 'close' });
    const next = new Client();
    next.socket.write(packet('two'));
    await next.hears(packet('two'));
  });

  it('refuses until healed', async () => {
    proxy.refuse();
    const client = new Client();
    await waitFor(() => client.closed, { ...WAIT, what: 'close' });
    expect(proxy.accepted).toBe(0);
    proxy.heal();
    const next = new Client();
    next.socket.write(packet('two'));
    await next.hears(packet('two'));
  });

  it('stalls one direction, holds back the sender, and loses nothing when healed', async () => {
    const client = new Client();
    client.socket.write(packet('a'));
    await client.hears(packet('a'));
    proxy.stall('up');
    const flood = Buffer.concat(Array.from({ length: 200_000 }, () => packet('x'.repeat(99))));
    client.socket.write(flood);
    await waitFor(() => client.socket.writableLength > 0, { ...WAIT, what: 'a full socket' });
    expect(proxy.passed.up).toBe(2);
    proxy.heal();
    await waitFor(() => client.receivedBytes === 2 + flood.length, { ...WAIT, what: 'all of it' });
  });

  it('loses one direction only', async () => {
    const client = new Client();
    client.socket.write(packet('a'));
    await client.hears(packet('a'));
    proxy.lose('down');
    client.socket.write(packet('b'));
    await waitFor(() => proxy.passed.up === 4, { ...WAIT, what: 'b at the server' });
    proxy.heal();
    client.socket.write(packet('c'));
    await client.hears(Buffer.concat([packet('a'), packet('c')]));
  });

  it('delays without reordering', async () => {
    const client = new Client();
    await once(client.socket, 'connect');
    proxy.delay(60);
    const start = performance.now();
    client.socket.write(packet('a'));
    client.socket.write(packet('b'));
    await client.hears(Buffer.concat([packet('a'), packet('b')]));
    expect(performance.now() - start).toBeGreaterThanOrEqual(118); // once each way; timers round down
  });

  it('swallows the reply of the second request and nothing else', async () => {
    const seen: Packet[] = [];
    proxy.onPacket = (found) => {
      seen.push(found);
      return found.direction === 'down' && found.index === 1 ? 'drop' : 'pass';
    };
    const client = new Client();
    client.socket.write(Buffer.concat([packet('a'), packet('bb'), packet('c')]));
    await client.hears(Buffer.concat([packet('a'), packet('c')]));
    expect(seen.filter(({ direction }) => direction === 'up').map(({ bytes }) => bytes)).toEqual([
      packet('a'),
      packet('bb'),
      packet('c'),
    ]);
  });

  it('sees a packet whole that comes in pieces', async () => {
    const sizes: number[] = [];
    proxy.onPacket = ({ bytes, direction }) => {
      if (direction === 'up') sizes.push(bytes.length);
      return 'pass';
    };
    const client = new Client();
    const whole = packet('split');
    for (const byte of whole) {
      client.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.hears(whole);
    expect(sizes).toEqual([6]);
  });

  it('cuts in place of a reply, after what came before it', async () => {
    proxy.onPacket = ({ direction, index }) => (direction === 'down' && index === 1 ? 'cut' : 'pass');
    const client = new Client();
    client.socket.write(Buffer.concat([packet('a'), packet('b')]));
    await waitFor(() => client.closed, { ...WAIT, what: 'close' });
    expect(client.received).toEqual(packet('a'));
  });

  it('passes on that one side has finished while the other still talks', async () => {
    const client = new Client();
    client.socket.end(packet('last'));
    await client.hears(packet('last'));
    await waitFor(() => client.ended, { ...WAIT, what: "the server's end" });
  });
});
