import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { newTenure, pipelineId } from '../../../model/ids.ts';
import { RedisPayloads } from '../../../stages/pipe/redis-payloads.ts';
import { startRedis } from '../../support/servers.ts';
import { describeRedis } from '../../support/shared-servers.ts';

const key = (seq: bigint) => ({
  pipeline: pipelineId('p'),
  tenure: newTenure(),
  seq,
  part: 0,
  sha256: 'a'.repeat(64),
});

describeRedis('payloads in Redis', (context) => {
  test('outlive the node that put them, and go when they are removed', async () => {
    const one = new RedisPayloads({ url: context.url, cluster: context.prefix, log: silentLogger });
    const bytes = randomBytes(300_000);
    const name = key(1n);
    expect(
      await waitFor(async () => (await one.put(name, bytes)) || null, { timeoutMs: 5_000, what: 'Redis' }),
    ).toBe(true);
    one.close();
    const other = new RedisPayloads({ url: context.url, cluster: context.prefix, log: silentLogger });
    try {
      expect(await waitFor(() => other.get(name), { timeoutMs: 5_000, what: 'the copy' })).toEqual(bytes);
      other.remove([name]);
      await waitFor(async () => (await other.get(name)) === null, {
        timeoutMs: 5_000,
        what: 'the copy to go',
      });
    } finally {
      other.close();
    }
  });
});

test('a Redis that stops is a copy less, never an error, and is used again when it is back', async () => {
  await using server = await startRedis();
  const redis = new RedisPayloads({
    url: `redis://127.0.0.1:${server.port}/0`,
    cluster: 'c',
    log: silentLogger,
  });
  try {
    const name = key(1n);
    await waitFor(() => redis.put(name, Buffer.from('x')), { timeoutMs: 5_000, what: 'Redis' });
    await server.kill();
    expect(await redis.put(key(2n), Buffer.from('y'))).toBe(false);
    expect(await redis.get(name)).toBeNull();
    await server.start();
    await waitFor(() => redis.put(key(3n), Buffer.from('z')), {
      timeoutMs: 20_000,
      what: 'Redis to be used again',
    });
  } finally {
    redis.close();
  }
});
