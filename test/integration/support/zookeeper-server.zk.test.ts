import { expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { startZookeeper, startZookeeperEnsemble } from '../../support/servers.ts';
import { describeWithOwn, describeZookeeper } from '../../support/shared-servers.ts';

describeZookeeper('a shared ZooKeeper', (context) => {
  it('has an address, and a path for this file', () => {
    expect(context.connectString).toMatch(/:\d+/);
    expect(context.root).toMatch(/^\/zookeeper-server-[0-9a-f]{8}$/);
  });
});

describeWithOwn(['zookeeper'], "a ZooKeeper of one's own", () => {
  it('serves, alone, and again after kill -9 and after a wipe', async () => {
    await using server = await startZookeeper();
    expect(await server.mode()).toBe('standalone');
    await server.kill();
    expect(await server.mode()).toBeUndefined();
    await server.start();
    expect(await server.mode()).toBe('standalone');
    await server.wipe();
    await server.start();
    expect(await server.ask('srvr')).toMatch(/^Node count: 5$/m); // nothing but ZooKeeper's own nodes
  });

  it('says nothing while frozen', async () => {
    await using server = await startZookeeper();
    await server.freeze();
    expect(await server.ask('ruok')).toBe('');
    server.thaw();
    await waitFor(async () => (await server.ask('ruok')) === 'imok', { timeoutMs: 5_000, what: 'imok' });
  });

  it('forms an ensemble of three voters and an observer that elects anew when the leader dies', async () => {
    await using ensemble = await startZookeeperEnsemble({ observer: true });
    const modes = await Promise.all(ensemble.members.map((member) => member.mode()));
    expect(modes.toSorted()).toEqual(['follower', 'follower', 'leader', 'observer']);
    expect(modes[3]).toBe('observer');
    const leader = await ensemble.leader();
    await leader?.kill();
    const next = await waitFor(() => ensemble.leader(), { timeoutMs: 30_000, what: 'another leader' });
    expect(next.port).not.toBe(leader?.port);
    await leader?.start();
    expect(await leader?.mode()).toBe('follower');
  });
});
