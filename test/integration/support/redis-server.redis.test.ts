import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { startRedis } from '../../support/servers.ts';
import { describeRedis, describeWithOwn } from '../../support/shared-servers.ts';

describeRedis('a shared Redis', (context) => {
  it('keeps what is written', async () => {
    const redis = new Redis(context.url);
    await redis.set(`${context.prefix}:a`, '1');
    expect(await redis.get(`${context.prefix}:a`)).toBe('1');
    redis.disconnect();
  });
});

describeWithOwn(['redis'], "a Redis of one's own", () => {
  it('forgets everything at a restart, unless told to store it', async () => {
    for (const { settings, kept } of [
      { settings: {}, kept: null },
      { settings: { appendonly: 'yes' }, kept: '1' },
    ]) {
      await using server = await startRedis({ settings });
      const redis = new Redis(server.url);
      await redis.set('a', '1');
      redis.disconnect();
      await server.restart();
      const again = new Redis(server.url);
      expect(await again.get('a')).toBe(kept);
      again.disconnect();
    }
  });
});
