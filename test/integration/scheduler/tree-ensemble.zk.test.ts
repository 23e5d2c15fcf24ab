import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { TreeClient } from '../../../scheduler/tree/client/tree-client.ts';
import type { SessionEvent } from '../../../scheduler/tree/tree.ts';
import { zookeeperTree } from '../../../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { startZookeeperEnsemble } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import type { ZookeeperEnsemble, ZookeeperServer } from '../../support/zookeeper-server.ts';

const soon = { timeoutMs: 30_000, pollMs: 5 };
const none = Buffer.alloc(0);

describeWithOwn(['zookeeper'], 'an ensemble of three voters and an observer', () => {
  let ensemble: ZookeeperEnsemble;
  let closing: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    ensemble = await startZookeeperEnsemble({ observer: true });
  });
  afterAll(() => ensemble.dispose());
  afterEach(async () => {
    await Promise.all(closing.map((close) => close()));
    closing = [];
  });

  function started(
    servers: readonly ZookeeperServer[],
    sessionTimeoutMs: number,
  ): { tree: TreeClient; events: SessionEvent[] } {
    const connectString = servers.map((server) => server.connectString).join(',');
    // The first of the list first.
    const tree = zookeeperTree({ connectString, sessionTimeoutMs, random: () => 0 });
    const events: SessionEvent[] = [];
    tree.onState((event) => events.push(event));
    const run = tree.run();
    closing.push(async () => {
      await tree.stop();
      await run;
    });
    return { tree, events };
  }

  async function byMode(mode: string): Promise<readonly ZookeeperServer[]> {
    const modes = await Promise.all(
      ensemble.members.map(async (member) => ({ member, mode: await member.mode() })),
    );
    return modes.filter((found) => found.mode === mode).map(({ member }) => member);
  }

  const theObserver = async () => {
    const [observer] = await byMode('observer');
    if (observer === undefined) throw new Error('no observer');
    return observer;
  };

  it('a transaction tells its czxid through every member', async () => {
    const trees = ensemble.members.map((member) => started([member], 6_000).tree);
    await Promise.all(trees.map((tree) => tree.ensurePath('/czxid')));
    await Promise.all(
      trees.flatMap((tree, index) =>
        Array.from({ length: 25 }, async (_, round) => {
          const path = `/czxid/${index}-${round}`;
          const [set, made] = await tree.multi([
            { op: 'set', path: '/czxid', data: none, version: 'any' },
            { op: 'create', path, data: none, ephemeral: true },
          ]);
          const found = await tree.exists(path);
          expect(made).toMatchObject({
            stat: { czxid: found?.czxid, ephemeralOwner: found?.ephemeralOwner },
          });
          expect(set).toMatchObject({ stat: { mzxid: found?.czxid } });
        }),
      ),
    );
  });

  it('a barrier shows through the observer what was written at a voter before', async () => {
    const observer = await theObserver();
    const voters = ensemble.members.filter((member) => member !== observer);
    const writer = started(voters, 6_000).tree;
    const reader = started([observer], 6_000).tree;
    await writer.ensurePath('/barrier-test');
    await reader.barrier();
    for (let round = 0; round < 100; round++) {
      await writer.create(`/barrier-test/${round}`, none);
      await reader.barrier();
      expect(await reader.exists(`/barrier-test/${round}`)).not.toBeNull();
    }
  });

  it('a frozen server: the session goes on at another one, with what it held', async () => {
    const [follower, other] = await byMode('follower');
    if (follower === undefined || other === undefined) throw new Error('two followers expected');
    const { tree, events } = started([follower, other], 6_000);
    const stat = await tree.create('/moves', none, { ephemeral: true });
    follower.freeze();
    try {
      await waitFor(() => tree.counters.connects === 2, { ...soon, what: 'another server' });
      expect(await tree.exists('/moves')).toEqual(stat);
      expect(tree.sessionEpoch).toBe(1);
      expect(events.map((event) => event.state)).toEqual(['connected', 'suspended', 'connected']);
      expect(events[1]).toMatchObject({ server: follower.connectString });
      expect(events[1]?.reason).toMatch(/no answer to a probe/);
      expect(events[2]).toMatchObject({ server: other.connectString });
    } finally {
      follower.thaw();
    }
  });

  it('alone with a frozen server: lost by our own clock while the others still honour the lock', async () => {
    const [follower, other] = await byMode('follower');
    if (follower === undefined || other === undefined) throw new Error('two followers expected');
    const holder = started([follower], 4_000);
    const witness = started([other], 6_000).tree;
    await holder.tree.create('/honoured', none, { ephemeral: true });
    follower.freeze();
    try {
      await waitFor(() => holder.tree.leaseRemainingMs() <= 0, { ...soon, what: 'the end of the lease' });
      await witness.barrier();
      expect(await witness.exists('/honoured')).not.toBeNull();
      expect(holder.events.map((event) => event.state)).toContain('suspended');
      await waitFor(async () => (await witness.exists('/honoured')) === null, { ...soon, what: 'expiry' });
      expect(holder.events.map((event) => event.state)).toContain('lost');
    } finally {
      follower.thaw();
    }
    await waitFor(() => holder.tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
  });

  it('an observer cut off from the leader answers reads, and our lease runs out all the same', async () => {
    const observer = await theObserver();
    const { tree, events } = started([observer], 3_000);
    await tree.create('/cut-off', none, { ephemeral: true });
    const voters = ensemble.members.filter((member) => member !== observer);
    // With every voter stopped the observer stands where a cut line would leave it: alive, and heard by no leader.
    const cutAt = performance.now();
    for (const voter of voters) voter.freeze();
    try {
      const read = await tree.get('/cut-off', { deadlineMs: 1_000 });
      expect(read, 'the observer still answers').not.toBeNull();
      await waitFor(() => events.some((event) => event.state === 'lost'), { ...soon, what: 'lost' });
      // Not when the observer gives up at last (`syncLimit`, 5 s here): a leader would have let go of the lock by then.
      expect(performance.now() - cutAt).toBeLessThan(3_000);
    } finally {
      for (const voter of voters) voter.thaw();
    }
    await waitFor(() => tree.sessionState === 'connected', { ...soon, what: 'connected again' });
    expect(tree.sessionEpoch).toBe(2);
  });

  it('the leader dies: the session goes on under the next one', async () => {
    const { tree, events } = started(ensemble.members, 15_000);
    await tree.ensurePath('/leader-dies');
    const stat = await tree.create('/leader-dies/lock', none, { ephemeral: true });
    const leader = await ensemble.leader();
    if (leader === undefined) throw new Error('no leader');
    await leader.kill();
    await tree.create('/leader-dies/after', none, { deadlineMs: 25_000 }).catch((error: { kind: string }) => {
      expect(error.kind).toBe('connection-loss');
    });
    await tree.barrier({ deadlineMs: 25_000 });
    expect(await tree.exists('/leader-dies/lock')).toEqual(stat);
    expect(tree.sessionEpoch).toBe(1);
    expect(events.map((event) => event.state)).not.toContain('lost');
    await leader.start();
  });
});
