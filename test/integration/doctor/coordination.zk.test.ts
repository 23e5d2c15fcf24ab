import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { literalSecret } from '../../../conf/secret.ts';
import type { CoordinationConfig, SiteConfig } from '../../../model/config.ts';
import { siteId } from '../../../model/ids.ts';
import { checkCoordination } from '../../../node/doctor/coordination-check.ts';
import { checkRedis } from '../../../node/doctor/redis-check.ts';
import { openTree } from '../../../node/open-tree.ts';
import { freePort } from '../../support/free-port.ts';
import { startRedis } from '../../support/servers.ts';
import { describeRedis, describeWithOwn, describeZookeeper } from '../../support/shared-servers.ts';

const TLS = { mode: 'disabled', ca: null, cert: null, key: null } as const;

function zookeeper(servers: string, options: Partial<CoordinationConfig> = {}): CoordinationConfig {
  return { kind: 'zookeeper', servers, sessionTimeoutMs: 4_000, tls: TLS, auth: null, ...options };
}

describeZookeeper('holt doctor and ZooKeeper', (context) => {
  it('measures a write, takes the clock, and leaves nothing', async () => {
    const config = zookeeper(context.connectString);
    const before = await rootOf(config);
    const { findings, clock } = await checkCoordination(config);
    expect(findings.every((one) => one.level === 'ok')).toBe(true);
    expect(findings.map((one) => one.message).join('\n')).toMatch(
      /a session of 4\.0 s\na write takes [0-9.]+ ms/,
    );
    expect(Math.abs(clock?.aheadMs ?? Number.NaN)).toBeLessThan(1_000);
    expect(await rootOf(config)).toEqual(before);
  });

  it('tells that the ensemble grants another timeout', async () => {
    const { findings } = await checkCoordination(
      zookeeper(context.connectString, { sessionTimeoutMs: 600_000 }),
    );
    expect(findings.map((one) => one.code)).toContain('HOLT_TREE_TIMEOUT_CHANGED');
  });

  it('tells a tree that others may read although credentials are configured, and one that is closed', async () => {
    const auth = literalSecret('holt:secret-7');
    const open = zookeeper(`${context.connectString}${context.root}-open`);
    await makeTree(open);
    const found = await checkCoordination({ ...open, auth });
    expect(found.findings.map((one) => one.code)).toContain('HOLT_TREE_OPEN');
    const closed = zookeeper(`${context.connectString}${context.root}-closed`, { auth });
    await makeTree(closed);
    const { findings } = await checkCoordination(closed);
    expect(findings.map((one) => one.message)).toContain('closed to those without our credentials');
    const stranger = await checkCoordination({ ...closed, auth: literalSecret('holt:other') });
    expect(stranger.findings.map((one) => one.code)).toContain('HOLT_TREE_NO_AUTH');
    expect(JSON.stringify([found, findings, stranger])).not.toMatch(/secret-7|holt:other/);
  });

  it('says unreachable where nothing listens', async () => {
    const { findings } = await checkCoordination(zookeeper(`127.0.0.1:${await freePort()}`));
    expect(findings).toMatchObject([{ level: 'error', code: 'HOLT_TREE_DEADLINE', unreachable: true }]);
  });
});

async function makeTree(config: CoordinationConfig): Promise<void> {
  await withTree(config, (tree) => tree.ensurePath('/seda/node'));
}

function rootOf(config: CoordinationConfig): Promise<readonly string[]> {
  return withTree(config, async (tree) => (await tree.children('/'))?.names ?? []);
}

async function withTree<T>(
  config: CoordinationConfig,
  work: (tree: ReturnType<typeof openTree>) => Promise<T>,
): Promise<T> {
  const tree = openTree(config);
  const running = tree.run();
  try {
    await tree.whenConnected({ deadlineMs: 15_000 });
    return await work(tree);
  } finally {
    await tree.stop();
    await running;
  }
}

function site(url: string | null): SiteConfig {
  return { name: siteId('east'), redis: url === null ? null : { url: literalSecret(url) } };
}

describeRedis('holt doctor and Redis', (context) => {
  it('finds noeviction in order and takes the clock', async () => {
    const { findings, clock } = await checkRedis(site(context.url));
    expect(findings).toMatchObject([{ level: 'ok' }]);
    expect(Math.abs(clock?.aheadMs ?? Number.NaN)).toBeLessThan(1_000);
  });
});

describeWithOwn(['redis'], 'holt doctor and a Redis of its own', () => {
  it('warns of a policy that evicts', async () => {
    await using redis = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } });
    const { findings } = await checkRedis(site(redis.url));
    expect(findings).toMatchObject([{ level: 'warn', code: 'HOLT_REDIS_EVICTS' }]);
  });

  it('warns of a wrong password, and shows none', async () => {
    await using redis = await startRedis();
    const admin = new Redis(redis.url);
    await admin.config('SET', 'requirepass', 'right-7');
    admin.disconnect();
    const address = new URL(redis.url);
    address.password = 'wrong-7';
    const { findings } = await checkRedis(site(address.href));
    expect(findings).toMatchObject([{ level: 'warn', code: 'HOLT_JOBS_UNREACHABLE' }]);
    expect(JSON.stringify(findings)).not.toContain('wrong-7');
  });
});

describe('holt doctor without Redis', () => {
  it('warns where none answers, and where the URL is none: replication goes on', async () => {
    for (const url of [`redis://:top-secret@127.0.0.1:${await freePort()}`, 'top-secret@somewhere']) {
      const { findings } = await checkRedis(site(url));
      expect(findings).toMatchObject([{ level: 'warn', code: 'HOLT_JOBS_UNREACHABLE' }]);
      expect(JSON.stringify(findings)).not.toContain('top-secret');
    }
  });

  it('is in order where none is configured', async () => {
    expect((await checkRedis(site(null))).findings).toMatchObject([{ level: 'ok' }]);
  });
});
