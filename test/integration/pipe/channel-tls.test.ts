import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../lib/logger.ts';
import { ChannelClient } from '../../../stages/pipe/channel/channel-client.ts';
import { ChannelServer, type ChannelTls } from '../../../stages/pipe/channel/channel-server.ts';
import { makeCertificates, whyNoCertificates } from '../../support/certificates.ts';

const KEY = Buffer.from('a key of the cluster');
const never = new AbortController().signal;

describe('the channel over TLS', () => {
  test('asks both sides for certificates of the same authority', async (context) => {
    const why = await whyNoCertificates();
    if (why !== undefined) return context.skip(`SKIPPED: ${why}`);
    const own = await makeCertificates(['IP:127.0.0.1']);
    const strange = await makeCertificates(['IP:127.0.0.1']);
    const server = await ChannelServer.start({
      host: '127.0.0.1',
      port: 0,
      key: KEY,
      tls: own,
      nowMs: Date.now,
      log: silentLogger,
      routes: { 'GET /hello': () => Promise.resolve({ kind: 'json', value: { hello: 'world' } }) },
    });
    const address = server.urlFor('127.0.0.1');
    expect(address).toMatch(/^https:/);
    const ask = async (tls: ChannelTls | null, base = address) => {
      const client = new ChannelClient({ node: 'west-1', key: KEY, tls, nowMs: Date.now });
      try {
        return await client.json(base, '/hello', never);
      } finally {
        client.close();
      }
    };
    try {
      expect(await ask(own)).toEqual({ hello: 'world' });
      // A server of another authority, a caller of another authority, a caller without any, and no TLS at all.
      await expect(ask({ ...own, ca: strange.ca })).rejects.toMatchObject({ code: 'HOLT_PIPE_UNREACHABLE' });
      await expect(ask({ cert: strange.cert, key: strange.key, ca: own.ca })).rejects.toMatchObject({
        code: 'HOLT_PIPE_UNREACHABLE',
      });
      await expect(ask(null, address.replace('https', 'http'))).rejects.toMatchObject({
        code: 'HOLT_PIPE_UNREACHABLE',
      });
    } finally {
      await server.close();
    }
  });
});
