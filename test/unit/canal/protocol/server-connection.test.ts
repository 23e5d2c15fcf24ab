import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { writePackets } from '../../../../canal/protocol/packet-writer.ts';
import { ServerConnection, type ServerEndpoint } from '../../../../canal/protocol/server-connection.ts';
import type { TlsConfig } from '../../../../model/config.ts';
import { FakeSource } from '../../../support/fake-source.ts';

const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** A server that does with each connection what the test says. */
async function serve(onConnect: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnect(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function endpoint(port: number, over: Partial<ServerEndpoint> = {}): ServerEndpoint {
  return {
    host: '127.0.0.1',
    port,
    user: 'u',
    password: { kind: 'literal', from: 'literal', resolve: () => 'the-password' },
    tls: { mode: 'disabled', ca: null, cert: null, key: null },
    connectTimeoutMs: 300,
    ...over,
  };
}

const connect = (to: ServerEndpoint, signal?: AbortSignal) =>
  ServerConnection.connect({ endpoint: to, purpose: 'test', replyTimeoutMs: 200 }, signal);

describe('connecting', () => {
  it('a port where nobody listens, and a name that does not exist, may come right', async () => {
    const port = await serve(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    await expect(connect(endpoint(port))).rejects.toMatchObject({
      code: 'HOLT_SOURCE_UNREACHABLE',
      disposition: 'retry',
    });
    await expect(
      connect(endpoint(3306, { host: 'no-such-host.invalid', connectTimeoutMs: 5_000 })),
    ).rejects.toMatchObject({ code: 'HOLT_SOURCE_UNREACHABLE' });
  });

  it('a server that accepts and says nothing is given up after the time configured', async () => {
    const port = await serve(() => {});
    const start = performance.now();
    await expect(connect(endpoint(port))).rejects.toMatchObject({
      code: 'HOLT_SOURCE_UNREACHABLE',
      message: expect.stringContaining('300 ms'),
    });
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  it('one that goes silent in the TLS handshake, too', async () => {
    const tls: TlsConfig = { mode: 'required', ca: null, cert: null, key: null };
    const port = await serve((socket) => socket.write(greetingPacket()));
    await expect(connect(endpoint(port, { tls }))).rejects.toMatchObject({
      code: 'HOLT_SOURCE_UNREACHABLE',
    });
  });

  it('one that hangs up before the login is done was not reached', async () => {
    const port = await serve((socket) => socket.end());
    await expect(connect(endpoint(port))).rejects.toMatchObject({
      code: 'HOLT_SOURCE_UNREACHABLE',
      disposition: 'retry',
    });
  });

  it('a stop in the middle is an abort', async () => {
    const stop = new AbortController();
    const port = await serve(() => stop.abort(new DOMException('stop', 'AbortError')));
    await expect(connect(endpoint(port, { connectTimeoutMs: 10_000 }), stop.signal)).rejects.toMatchObject({
      name: 'AbortError',
    });
    await expect(connect(endpoint(port), stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('what is no MySQL server is named', async () => {
    const port = await serve((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await expect(connect(endpoint(port))).rejects.toMatchObject({
      code: expect.stringMatching(/^HOLT_SOURCE_(PROTOCOL|UNREACHABLE|PACKET_TOO_LARGE)$/),
    });
  });

  it('a server that is full says so before it greets', async () => {
    const text = Buffer.concat([Buffer.from('ff1004', 'hex'), Buffer.from('Too many connections')]);
    const port = await serve((socket) => socket.write(writePackets(text, 0).bytes));
    await expect(connect(endpoint(port))).rejects.toMatchObject({
      code: 'HOLT_SOURCE_UNREACHABLE',
      disposition: 'retry',
      message: expect.stringContaining('Too many connections'),
    });
  });

  it('neither password nor a piece of it is in any message', async () => {
    const refusal = Buffer.concat([Buffer.from('ff1504', 'hex'), Buffer.from('#28000no')]);
    const port = await serve((socket) => {
      socket.write(greetingPacket());
      socket.once('data', () => socket.write(writePackets(refusal, 2).bytes));
    });
    const error: unknown = await connect(endpoint(port)).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'HOLT_SOURCE_ACCESS_DENIED', disposition: 'retry' });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('the-password');
  });

  it('TLS that was asked for is not given up for a server that has none', async () => {
    const tls: TlsConfig = { mode: 'required', ca: null, cert: null, key: null };
    let received = Buffer.alloc(0);
    const port = await serve((socket) => {
      socket.write(greetingPacket(0));
      socket.on('data', (bytes: Buffer) => {
        received = Buffer.concat([received, bytes]);
      });
    });
    await expect(connect(endpoint(port, { tls }))).rejects.toMatchObject({
      code: 'HOLT_SOURCE_TLS',
      disposition: 'retry',
    });
    expect(received.length).toBe(0);
  });

  it('a CA file that cannot be read is named', async () => {
    const tls: TlsConfig = { mode: 'verify-ca', ca: '/nowhere/ca.pem', cert: null, key: null };
    await expect(connect(endpoint(1, { tls }))).rejects.toMatchObject({
      code: 'HOLT_SOURCE_TLS',
      message: expect.stringContaining('/nowhere/ca.pem'),
    });
  });
});

describe('a session', () => {
  it('an answer that does not come ends it', async () => {
    await using source = await FakeSource.start({ onDump: () => {}, ignores: /SLEEP/ });
    const connection = await connect(endpoint(source.port));
    await connection.query('SET a = 1');
    await expect(connection.query('DO SLEEP(9)')).rejects.toMatchObject({
      code: 'HOLT_SOURCE_LINK_LOST',
      disposition: 'retry',
      message: expect.stringContaining('200 ms'),
    });
    expect(connection.isUsable).toBe(false);
    // What would come late is no answer to the next question.
    await expect(connection.query('SET a = 2')).rejects.toMatchObject({ code: 'HOLT_SOURCE_LINK_LOST' });
    expect(source.queries).toEqual(['SET a = 1', 'DO SLEEP(9)']);
    await connection.close();
  });
});

/** A greeting of MySQL 5.6, with TLS or without. */
function greetingPacket(highCapabilities = 0x81ff): Buffer {
  const payload = Buffer.concat([
    Buffer.from([10]),
    Buffer.from('5.6.24\0'),
    Buffer.from('2a000000', 'hex'),
    Buffer.from('12345678\0'),
    Buffer.from(highCapabilities === 0 ? 'fff7' : 'ffff', 'hex'),
    Buffer.from('210200', 'hex'),
    Buffer.from([highCapabilities & 0xff, highCapabilities >> 8]),
    Buffer.from([21]),
    Buffer.alloc(10),
    Buffer.from('90abcdefghij\0mysql_native_password\0'),
  ]);
  return writePackets(payload, 0).bytes;
}
