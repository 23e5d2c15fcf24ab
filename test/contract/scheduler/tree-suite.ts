import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { createSettled, settled } from '../../../scheduler/tree/settle.ts';
import type {
  Children,
  CoordinationTree,
  MultiOp,
  NodeValue,
  SessionEvent,
} from '../../../scheduler/tree/tree.ts';
import { isTreeError, TreeError, type TreeErrorKind } from '../../../scheduler/tree/tree-error.ts';

/** One session and what a test can do to it from outside. */
export interface TreeUnderTest {
  readonly tree: CoordinationTree;
  /** The servers end the session now. */
  expire(): Promise<void>;
  /** The connection breaks and no new one comes about, until `resume`. */
  cutOff(): void;
  resume(): void;
  /** The connection stays open and nothing is answered, until `resume`. */
  silence(): void;
  /** The next write is executed, and the connection breaks before its answer. */
  loseNextReply(): void;
}

export interface TreeHarness {
  /** A running, connected session on the one tree of this suite. */
  open(options?: { readonly rereadMs?: number }): Promise<TreeUnderTest>;
  /** A path under which a test may do what it likes; its parent exists. */
  freshPath(): string;
  /** Ends what `open` has begun. */
  closeAll(): Promise<void>;
  /** Session timeout of what `open` gives. */
  readonly sessionTimeoutMs: number;
}

const text = (value: string) => Buffer.from(value);
const soon = { timeoutMs: 10_000, pollMs: 5 };

/** What every implementation of `CoordinationTree` has to do. */
export function treeSuite(start: () => Promise<TreeHarness>): void {
  let harness: TreeHarness;
  let base: string;
  beforeAll(async () => {
    harness = await start();
  });
  beforeEach(() => {
    base = harness.freshPath();
  });
  afterEach(async () => {
    await harness.closeAll();
  });

  async function opened(options?: { readonly rereadMs?: number }): Promise<TreeUnderTest> {
    const under = await harness.open(options);
    await under.tree.ensurePath(base);
    return under;
  }

  describe('nodes', () => {
    it('creates, reads, writes and removes', async () => {
      const { tree } = await opened();
      const created = await tree.create(`${base}/a`, text('one'));
      expect(created).toMatchObject({
        version: 0,
        cversion: 0,
        ephemeralOwner: null,
        dataLength: 3,
        numChildren: 0,
      });
      expect(created.czxid).toBe(created.mzxid);
      expect(await tree.get(`${base}/a`)).toEqual({ data: text('one'), stat: created });
      const written = await tree.set(`${base}/a`, text('two!'), 0);
      expect(written).toMatchObject({ version: 1, dataLength: 4, czxid: created.czxid });
      expect(written.mzxid).toBeGreaterThan(created.mzxid);
      expect(await tree.exists(`${base}/a`)).toEqual(written);
      await tree.remove(`${base}/a`, 1);
      expect(await tree.exists(`${base}/a`)).toBeNull();
      expect(await tree.get(`${base}/a`)).toBeNull();
      expect(await tree.children(`${base}/a`)).toBeNull();
    });

    it('lists children by name, sorted, with the counts of the parent', async () => {
      const { tree } = await opened();
      for (const name of ['c', 'a', 'b']) await tree.create(`${base}/${name}`, text(''));
      const listed = await tree.children(base);
      expect(listed?.names).toEqual(['a', 'b', 'c']);
      expect(listed?.stat).toMatchObject({ cversion: 3, numChildren: 3, version: 0 });
      await tree.remove(`${base}/b`, 'any');
      const after = await tree.children(base);
      expect(after?.names).toEqual(['a', 'c']);
      expect(after?.stat.pzxid).toBeGreaterThan(listed?.stat.pzxid ?? 0n);
    });

    it('keeps data byte for byte, empty data too', async () => {
      const { tree } = await opened();
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
      await tree.create(`${base}/bytes`, bytes);
      await tree.create(`${base}/empty`, Buffer.alloc(0));
      expect((await tree.get(`${base}/bytes`))?.data.equals(bytes)).toBe(true);
      expect((await tree.get(`${base}/empty`))?.data).toEqual(Buffer.alloc(0));
    });

    it('does not share buffers with its callers', async () => {
      const { tree } = await opened();
      const data = text('before');
      await tree.create(`${base}/own`, data);
      data.fill(0);
      const read = await tree.get(`${base}/own`);
      expect(read?.data.toString()).toBe('before');
      read?.data.fill(0);
      expect((await tree.get(`${base}/own`))?.data.toString()).toBe('before');
    });

    it('says what is wrong, by kind and path', async () => {
      const { tree } = await opened();
      await tree.create(`${base}/a`, text(''));
      await tree.create(`${base}/a/child`, text(''));
      await tree.create(`${base}/mine`, text(''), { ephemeral: true });
      const cases: readonly (readonly [TreeErrorKind, string, () => Promise<unknown>])[] = [
        ['node-exists', `${base}/a`, () => tree.create(`${base}/a`, text(''))],
        ['no-node', `${base}/no/child`, () => tree.create(`${base}/no/child`, text(''))],
        ['no-node', `${base}/no`, () => tree.set(`${base}/no`, text(''), 'any')],
        ['no-node', `${base}/no`, () => tree.remove(`${base}/no`, 'any')],
        ['bad-version', `${base}/a`, () => tree.set(`${base}/a`, text(''), 7)],
        ['bad-version', `${base}/a`, () => tree.remove(`${base}/a`, 7)],
        ['not-empty', `${base}/a`, () => tree.remove(`${base}/a`, 'any')],
        ['ephemeral-parent', `${base}/mine/child`, () => tree.create(`${base}/mine/child`, text(''))],
      ];
      for (const [kind, path, act] of cases) {
        const error = await act().catch((thrown: unknown) => thrown);
        expect(error, kind).toBeInstanceOf(TreeError);
        expect(error).toMatchObject({ kind, path, outcomeUnknown: false });
      }
    });

    it('refuses paths and versions that are none, without asking anyone', async () => {
      const { tree } = await opened();
      for (const path of ['', 'a', '/a/', '/a//b', '/a/../b', '/a/./b', '/a\u0000b'])
        await expect(tree.get(path), path).rejects.toThrow(RangeError);
      for (const version of [-1, 0.5, Number.NaN, 2 ** 31])
        await expect(tree.set(base, text(''), version), String(version)).rejects.toThrow(RangeError);
    });

    it('refuses what no server takes, and the connection lives on', async () => {
      const { tree } = await opened();
      const error = await tree
        .create(`${base}/big`, Buffer.alloc(1_000_000))
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: 'too-large', outcomeUnknown: false });
      await tree.create(`${base}/nearly`, Buffer.alloc(990_000));
      expect((await tree.exists(`${base}/nearly`))?.dataLength).toBe(990_000);
      expect(tree.sessionState).toBe('connected');
    });

    it('makes a path and finds it made', async () => {
      const { tree } = await opened();
      await tree.ensurePath(`${base}/x/y/z`);
      const before = await tree.exists(`${base}/x/y/z`);
      await Promise.all([tree.ensurePath(`${base}/x/y/z`), tree.ensurePath(`${base}/x/y/w`)]);
      expect(await tree.exists(`${base}/x/y/z`)).toEqual(before);
      expect((await tree.children(`${base}/x/y`))?.names).toEqual(['w', 'z']);
    });

    it('answers in the order of the calls, many at once', async () => {
      const { tree } = await opened();
      await tree.create(`${base}/n`, text(''));
      const versions = await Promise.all(
        Array.from(
          { length: 500 },
          async (_, index) => (await tree.set(`${base}/n`, text(`${index}`), 'any')).version,
        ),
      );
      expect(versions).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
      expect(tree.counters).toMatchObject({ inFlight: 0, queued: 0 });
    });
  });

  describe('multi', () => {
    it('does all, and later operations see earlier ones', async () => {
      const { tree } = await opened();
      await tree.create(`${base}/old`, text(''));
      const results = await tree.multi([
        { op: 'check', path: `${base}/old`, version: 0 },
        { op: 'remove', path: `${base}/old`, version: 0 },
        { op: 'create', path: `${base}/new`, data: text('n') },
        { op: 'create', path: `${base}/new/lock`, data: text('l'), ephemeral: true },
        { op: 'set', path: `${base}/new`, data: text('nn'), version: 0 },
      ]);
      expect(results.map((result) => result.op)).toEqual(['check', 'remove', 'create', 'create', 'set']);
      const [, , made, lock, set] = results;
      expect(made).toMatchObject({ op: 'create', stat: { version: 0, ephemeralOwner: null } });
      expect(lock).toMatchObject({ op: 'create', stat: { ephemeralOwner: tree.sessionId } });
      expect(set).toMatchObject({ op: 'set', stat: { version: 1 } });
      const found = await tree.get(`${base}/new`);
      expect(found?.data.toString()).toBe('nn');
      expect(lock).toMatchObject({ stat: { czxid: found?.stat.czxid } });
    });

    it('does nothing if one fails, and says which', async () => {
      const { tree } = await opened();
      await tree.create(`${base}/a`, text('kept'));
      await tree.create(`${base}/kid`, text(''));
      const zxid = (await tree.exists(base))?.pzxid;
      const failing: readonly (readonly [TreeErrorKind, MultiOp])[] = [
        ['no-node', { op: 'check', path: `${base}/no`, version: 'any' }],
        ['bad-version', { op: 'check', path: `${base}/kid`, version: 1 }],
        ['node-exists', { op: 'create', path: `${base}/kid`, data: text('') }],
        ['no-node', { op: 'create', path: `${base}/no/kid`, data: text('') }],
        ['bad-version', { op: 'set', path: `${base}/kid`, data: text(''), version: 4 }],
        ['no-node', { op: 'remove', path: `${base}/no`, version: 'any' }],
        ['not-empty', { op: 'remove', path: base, version: 'any' }],
      ];
      for (const [kind, op] of failing) {
        const error = await tree
          .multi([
            { op: 'set', path: `${base}/a`, data: text('changed'), version: 0 },
            { op: 'remove', path: `${base}/a`, version: 1 },
            { op: 'create', path: `${base}/b`, data: text('') },
            op,
            { op: 'create', path: `${base}/c`, data: text('') },
          ])
          .catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ kind, failedIndex: 3, path: op.path, outcomeUnknown: false });
      }
      expect((await tree.get(`${base}/a`))?.data.toString()).toBe('kept');
      const listed = await tree.children(base);
      expect(listed?.names).toEqual(['a', 'kid']);
      expect(listed?.stat.pzxid).toBe(zxid);
    });

    it('takes version 0 as 0 in every operation (Z1)', async () => {
      const { tree } = await opened();
      await tree.create(`${base}/a`, text(''));
      await tree.set(`${base}/a`, text('v1'), 0);
      const ops: readonly MultiOp[] = [
        { op: 'check', path: `${base}/a`, version: 0 },
        { op: 'set', path: `${base}/a`, data: text('stolen'), version: 0 },
        { op: 'remove', path: `${base}/a`, version: 0 },
      ];
      for (const op of ops)
        await expect(tree.multi([op]), op.op).rejects.toMatchObject({ kind: 'bad-version', failedIndex: 0 });
      await expect(tree.set(`${base}/a`, text('stolen'), 0)).rejects.toMatchObject({ kind: 'bad-version' });
      await expect(tree.remove(`${base}/a`, 0)).rejects.toMatchObject({ kind: 'bad-version' });
      expect((await tree.get(`${base}/a`))?.data.toString()).toBe('v1');
    });

    it('lets one of many contenders win', async () => {
      const contenders = await Promise.all([opened(), opened(), opened()]);
      const outcomes = await Promise.allSettled(
        contenders.flatMap(({ tree }) =>
          Array.from({ length: 5 }, () =>
            tree.multi([
              { op: 'check', path: base, version: 0 },
              { op: 'create', path: `${base}/lock`, data: text(tree.sessionId), ephemeral: true },
            ]),
          ),
        ),
      );
      expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected')
          expect(outcome.reason).toMatchObject({ kind: 'node-exists', failedIndex: 1 });
    });

    it('gives each node it made its czxid, while others write', async () => {
      const trees = [(await opened()).tree, (await opened()).tree, (await opened()).tree];
      await Promise.all(
        trees.flatMap((tree, index) =>
          Array.from({ length: 30 }, async (_, round) => {
            const path = `${base}/n-${index}-${round}`;
            const [made] = await tree.multi([
              { op: 'create', path, data: text(''), ephemeral: round % 2 === 0 },
            ]);
            const found = await tree.exists(path);
            expect(made).toMatchObject({
              stat: { czxid: found?.czxid, ephemeralOwner: found?.ephemeralOwner },
            });
          }),
        ),
      );
    });

    it('does nothing of nothing', async () => {
      const { tree } = await opened();
      expect(await tree.multi([])).toEqual([]);
    });
  });

  describe('sessions', () => {
    it('gives ephemerals an owner, and takes them away with a stop at once', async () => {
      const one = await opened();
      const other = await opened();
      const stat = await one.tree.create(`${base}/e`, text(''), { ephemeral: true });
      expect(stat.ephemeralOwner).toBe(one.tree.sessionId);
      expect(one.tree.sessionId).not.toBe(other.tree.sessionId);
      await one.tree.stop();
      expect(one.tree.sessionState).toBe('closed');
      await other.tree.barrier();
      expect(await other.tree.exists(`${base}/e`)).toBeNull();
      await expect(one.tree.get(base)).rejects.toMatchObject({ kind: 'closed' });
    });

    it('comes back to its session after a break; what waited is answered, ephemerals stay', async () => {
      const under = await opened();
      const { tree } = under;
      const events = recordStates(tree);
      const stat = await tree.create(`${base}/e`, text(''), { ephemeral: true });
      under.cutOff();
      await waitFor(() => tree.sessionState === 'suspended', { ...soon, what: 'suspended' });
      const waiting = [tree.exists(`${base}/e`), tree.create(`${base}/later`, text(''))] as const;
      under.resume();
      expect(await waiting[0]).toEqual(stat);
      expect(await waiting[1]).toMatchObject({ version: 0 });
      expect(tree.sessionEpoch).toBe(1);
      expect(events.map((event) => event.state)).toEqual(['suspended', 'connected']);
      expect(new Set(events.map((event) => event.epoch))).toEqual(new Set([1]));
      for (const event of events) expect(event.reason).not.toBe('');
    });

    it('begins a new epoch when the session expires: what waited fails, ephemerals are gone', async () => {
      const under = await opened();
      const { tree } = under;
      const events = recordStates(tree);
      const firstId = tree.sessionId;
      await tree.create(`${base}/e`, text(''), { ephemeral: true });
      under.cutOff();
      await waitFor(() => tree.sessionState === 'suspended', { ...soon, what: 'suspended' });
      const read = tree.exists(`${base}/e`).catch((thrown: unknown) => thrown);
      const write = tree.create(`${base}/later`, text('')).catch((thrown: unknown) => thrown);
      await under.expire();
      under.resume();
      expect(await read).toMatchObject({ kind: 'session-lost' });
      expect(await write).toMatchObject({ kind: 'session-lost', outcomeUnknown: false });
      await tree.whenConnected();
      expect(tree.sessionEpoch).toBe(2);
      expect(tree.sessionId).not.toBe(firstId);
      await waitFor(async () => (await tree.exists(`${base}/e`)) === null, {
        ...soon,
        what: 'ephemeral gone',
      });
      expect(await tree.exists(`${base}/later`)).toBeNull();
      const told = events.map(({ state, epoch }) => `${state} ${epoch}`);
      expect(told).toEqual(['suspended 1', 'lost 1', 'connecting 1', 'connected 2']);
    });

    it('refuses requests that rest on an epoch that is over', async () => {
      const under = await opened();
      const { tree } = under;
      await tree.create(`${base}/in-time`, text(''), { epoch: 1 });
      await under.expire();
      await waitFor(() => tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
      await expect(tree.create(`${base}/late`, text(''), { epoch: 1 })).rejects.toMatchObject({
        kind: 'session-lost',
        outcomeUnknown: false,
      });
      await tree.create(`${base}/now`, text(''), { epoch: 2 });
      expect((await tree.children(base))?.names).toEqual(['in-time', 'now']);
    });

    it('knows its lease: full while connected, running out while cut off, lost before the servers let go', async () => {
      const under = await opened();
      const watcher = await opened();
      const { tree } = under;
      const timeoutMs = harness.sessionTimeoutMs;
      await tree.create(`${base}/e`, text(''), { ephemeral: true });
      await waitFor(() => tree.leaseRemainingMs() > timeoutMs / 4, { ...soon, what: 'a fresh lease' });
      expect(tree.leaseRemainingMs()).toBeLessThanOrEqual(timeoutMs);
      under.cutOff();
      await waitFor(() => tree.sessionState === 'lost' || tree.sessionState === 'connecting', {
        ...soon,
        what: 'lost',
      });
      expect(tree.leaseRemainingMs()).toBeLessThanOrEqual(0);
      // Another one may be told at any time from now on, not before.
      expect(await watcher.tree.exists(`${base}/e`)).not.toBeNull();
      under.resume();
      await tree.whenConnected();
      expect(tree.sessionEpoch).toBe(2);
      expect(tree.leaseRemainingMs()).toBeGreaterThan(0);
    });

    it('ends the session that it gave up, so that its ephemerals do not stay in the way', async () => {
      const under = await opened();
      const { tree } = under;
      await tree.create(`${base}/lock`, text(''), { ephemeral: true });
      under.cutOff();
      await waitFor(() => tree.sessionState === 'lost' || tree.sessionState === 'connecting', {
        ...soon,
        what: 'lost',
      });
      under.resume();
      await tree.whenConnected();
      // A fresh session of the same tree finds its way free without waiting for a server's timeout.
      await tree.create(`${base}/lock`, text(''), { ephemeral: true });
      expect(tree.sessionEpoch).toBe(2);
    });

    it('is suspended, then lost, by its own clock when the server says nothing (Z2)', async () => {
      const under = await opened();
      const { tree } = under;
      const watcher = await opened();
      const events = recordStates(tree);
      await tree.create(`${base}/e`, text(''), { ephemeral: true });
      under.silence();
      const hanging = tree.get(base).catch((thrown: unknown) => thrown);
      await waitFor(() => events.some((event) => event.state === 'lost'), { ...soon, what: 'lost' });
      expect(events.map((event) => event.state).slice(0, 2)).toEqual(['suspended', 'lost']);
      expect(events[0]?.reason).toMatch(/no answer to a probe/);
      expect(events[1]?.reason).toMatch(/own clock/);
      expect(await hanging).toMatchObject({ kind: 'session-lost' });
      expect(await watcher.tree.exists(`${base}/e`)).not.toBeNull();
      under.resume();
      await tree.whenConnected();
      expect(tree.sessionEpoch).toBe(2);
    });

    it('knows in the first instruction after a freeze of the process that it may no longer act', async () => {
      const under = await opened();
      const { tree } = under;
      await tree.create(`${base}/e`, text(''), { ephemeral: true });
      expect(tree.leaseRemainingMs()).toBeGreaterThan(0);
      // Nothing runs meanwhile, as under SIGSTOP: no timer, no event.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.8 * harness.sessionTimeoutMs);
      expect(tree.sessionState).toBe('connected');
      expect(tree.leaseRemainingMs()).toBeLessThanOrEqual(0);
      await expect(tree.create(`${base}/late`, text(''), { epoch: 1 })).rejects.toMatchObject({
        kind: 'session-lost',
        outcomeUnknown: false,
      });
      await waitFor(() => tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
      expect(await tree.exists(`${base}/late`)).toBeNull();
    });

    it('stays in its session while nothing happens', async () => {
      const under = await opened();
      const events = recordStates(under.tree);
      const before = under.tree.counters.ops;
      const end = Date.now() + 2.5 * harness.sessionTimeoutMs;
      let lowest = Number.POSITIVE_INFINITY;
      await waitFor(
        () => {
          lowest = Math.min(lowest, under.tree.leaseRemainingMs());
          return Date.now() >= end;
        },
        { ...soon, what: 'time' },
      );
      expect(events).toEqual([]);
      expect(lowest).toBeGreaterThan(0);
      const after = under.tree.counters.ops;
      // A probe and a ping per third of the timeout, and nothing else.
      expect(after.sync.sent - before.sync.sent).toBeLessThanOrEqual(9);
      expect(after.ping.sent - before.ping.sent).toBeLessThanOrEqual(9);
      for (const op of ['get', 'exists', 'children', 'create', 'set', 'multi'] as const)
        expect(after[op].sent - before[op].sent, op).toBe(0);
    });

    it('calls no listener after its removal', async () => {
      const under = await opened();
      const seen: SessionEvent[] = [];
      const stop = under.tree.onState((event) => seen.push(event));
      const all = recordStates(under.tree);
      stop();
      await under.expire();
      await waitFor(() => all.some((event) => event.epoch === 2), { ...soon, what: 'epoch 2' });
      expect(seen).toEqual([]);
    });

    it('outlives a listener that throws (Z14)', async () => {
      const under = await opened();
      under.tree.onState(() => {
        throw new Error('a defect of the listener');
      });
      const all = recordStates(under.tree);
      await under.expire();
      await waitFor(() => all.some((event) => event.epoch === 2), { ...soon, what: 'epoch 2' });
      expect(await under.tree.exists(base)).not.toBeNull();
    });
  });

  describe('missing answers', () => {
    it('says of a write in flight that its outcome is unknown, and does not send it again (Z9)', async () => {
      const under = await opened();
      const { tree } = under;
      await tree.create(`${base}/n`, text(''));
      under.loseNextReply();
      await expect(tree.set(`${base}/n`, text('x'), 'any')).rejects.toMatchObject({
        kind: 'connection-loss',
        outcomeUnknown: true,
      });
      expect((await tree.get(`${base}/n`))?.stat.version).toBe(1);
      expect(tree.sessionEpoch).toBe(1);
    });

    it('finds its own node after a create without answer, another one’s it refuses', async () => {
      const under = await opened();
      const { tree } = under;
      under.loseNextReply();
      const stat = await createSettled(tree, `${base}/mine`, text('me'), { ephemeral: true });
      expect(stat).toMatchObject({ ephemeralOwner: tree.sessionId, version: 0 });
      const other = await opened();
      await other.tree.create(`${base}/theirs`, text('me'), { ephemeral: true });
      await expect(
        createSettled(tree, `${base}/theirs`, text('me'), { ephemeral: true }),
      ).rejects.toMatchObject({ kind: 'node-exists' });
    });

    it('settles a transaction without answer by reading back', async () => {
      const under = await opened();
      const { tree } = under;
      let runs = 0;
      under.loseNextReply();
      await settled(
        tree,
        () => {
          runs += 1;
          return tree.multi([
            { op: 'create', path: `${base}/a`, data: text('') },
            { op: 'create', path: `${base}/b`, data: text('') },
          ]);
        },
        async () => (await tree.exists(`${base}/b`)) !== null,
      );
      expect(runs).toBe(1);
      expect((await tree.children(base))?.names).toEqual(['a', 'b']);
    });

    it('keeps deadlines while there is no connection, and the outcome of what was not sent is known (Z4)', async () => {
      const under = await opened();
      const { tree } = under;
      under.cutOff();
      await waitFor(() => tree.sessionState === 'suspended', { ...soon, what: 'suspended' });
      const error = await tree
        .create(`${base}/late`, text(''), { deadlineMs: 20 })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: 'deadline', outcomeUnknown: false });
      under.resume();
      await tree.whenConnected();
      await tree.barrier();
      expect(await tree.exists(`${base}/late`)).toBeNull();
      expect(tree.counters.queued).toBe(0);
    });

    it('keeps deadlines while the server says nothing, and the outcome of what was sent is unknown', async () => {
      const under = await opened();
      under.silence();
      const error = await under.tree
        .create(`${base}/late`, text(''), { deadlineMs: 30 })
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ kind: 'deadline', outcomeUnknown: true });
      await expect(under.tree.get(base, { deadlineMs: 30 })).rejects.toMatchObject({
        kind: 'deadline',
        outcomeUnknown: false,
      });
    });

    it('ends a wait with the signal’s reason', async () => {
      const under = await opened();
      under.silence();
      const controller = new AbortController();
      const reason = new Error('enough');
      const waiting = under.tree.get(base, { signal: controller.signal });
      controller.abort(reason);
      await expect(waiting).rejects.toBe(reason);
      await expect(under.tree.get(base, { signal: controller.signal })).rejects.toBe(reason);
    });

    it('stops within its deadline when the server is gone (Z12)', async () => {
      const silent = await opened();
      const cut = await opened();
      silent.silence();
      cut.cutOff();
      const began = Date.now();
      const waiting = silent.tree.get(base).catch((thrown: unknown) => thrown);
      await Promise.all([silent.tree.stop(), cut.tree.stop()]);
      expect(Date.now() - began).toBeLessThan(harness.sessionTimeoutMs);
      expect(await waiting).toMatchObject({ kind: 'closed' });
      expect(silent.tree.sessionState).toBe('closed');
    });
  });

  describe('watches', () => {
    it('gives the data now and after each change, null while there is no node', async () => {
      const { tree } = await opened();
      const other = await opened();
      const seen = recordWatch<NodeValue>();
      tree.watchData(`${base}/n`, seen.listener);
      await seen.until((value) => value === null);
      await other.tree.create(`${base}/n`, text('one'));
      await seen.until((value) => value?.data.toString() === 'one');
      await other.tree.set(`${base}/n`, text('two'), 0);
      await seen.until((value) => value?.data.toString() === 'two');
      await other.tree.remove(`${base}/n`, 1);
      await seen.until((value) => value === null);
      await other.tree.create(`${base}/n`, text('three'));
      await seen.until((value) => value?.data.toString() === 'three');
      expect(seen.values.length).toBe(5);
    });

    it('gives the children now and after each change, null while there is no parent', async () => {
      const { tree } = await opened();
      const other = await opened();
      const seen = recordWatch<Children>();
      tree.watchChildren(`${base}/p`, seen.listener);
      await seen.until((value) => value === null);
      await other.tree.create(`${base}/p`, text(''));
      await seen.until((value) => value?.names.length === 0);
      await other.tree.create(`${base}/p/a`, text(''), { ephemeral: true });
      await seen.until((value) => value?.names.join() === 'a');
      await other.tree.stop();
      await seen.until((value) => value?.names.length === 0);
      await tree.remove(`${base}/p`, 'any');
      await seen.until((value) => value === null);
    });

    it('tells of a child that went and came again under its name', async () => {
      const { tree } = await opened();
      await tree.create(`${base}/lock`, text(''));
      const seen = recordWatch<Children>();
      tree.watchChildren(base, seen.listener);
      const first = await seen.until((value) => value?.names.join() === 'lock');
      await tree.multi([
        { op: 'remove', path: `${base}/lock`, version: 'any' },
        { op: 'create', path: `${base}/lock`, data: text('') },
      ]);
      await seen.until((value) => (value?.stat.pzxid ?? 0n) > (first?.stat.pzxid ?? 0n));
      expect(seen.values.every((value) => value?.names.join() === 'lock')).toBe(true);
    });

    it('always ends with the newest state, whatever was left out between', async () => {
      const { tree } = await opened();
      const writer = await opened();
      await tree.create(`${base}/n`, text('0'));
      const seen = recordWatch<NodeValue>();
      const listed = recordWatch<Children>();
      tree.watchData(`${base}/n`, seen.listener);
      tree.watchChildren(base, listed.listener);
      for (let index = 1; index <= 200; index++) {
        await writer.tree.multi([
          { op: 'set', path: `${base}/n`, data: text(`${index}`), version: 'any' },
          { op: 'create', path: `${base}/c${index}`, data: text('') },
        ]);
      }
      await seen.until((value) => value?.data.toString() === '200');
      await listed.until((value) => value?.names.length === 201);
      const versions = seen.values.map((value) => value?.stat.version ?? -1);
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
    });

    it('never calls a listener twice at once, and waits for its promise', async () => {
      const { tree } = await opened();
      await tree.create(`${base}/n`, text('0'));
      let running = 0;
      let most = 0;
      let last = '';
      tree.watchData(`${base}/n`, async (value) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        last = value?.data.toString() ?? '';
        running -= 1;
      });
      for (let index = 1; index <= 20; index++) await tree.set(`${base}/n`, text(`${index}`), 'any');
      await waitFor(() => last === '20', { ...soon, what: 'the last value' });
      expect(most).toBe(1);
    });

    it('outlives a listener that throws or rejects (Z14)', async () => {
      const { tree } = await opened();
      const seen = recordWatch<NodeValue>();
      tree.watchData(base, (value) => {
        seen.listener(value);
        throw new Error('a defect of the listener');
      });
      tree.watchData(base, () => Promise.reject(new Error('another')));
      await seen.until((value) => value !== null);
      await tree.set(base, text('x'), 'any');
      await seen.until((value) => value?.data.toString() === 'x');
    });

    it('serves many listeners of a path with one reading a change (Z11)', async () => {
      const { tree } = await opened();
      const listeners = Array.from({ length: 30 }, () => recordWatch<NodeValue>());
      for (const { listener } of listeners) tree.watchData(base, listener);
      for (const { until } of listeners) await until((value) => value !== null);
      const before = tree.counters;
      expect(before.watches).toBe(1);
      await tree.set(base, text('x'), 'any');
      for (const { until } of listeners) await until((value) => value?.data.toString() === 'x');
      expect(tree.counters.ops.get.sent - before.ops.get.sent).toBe(1);
    });

    it('says nothing after close', async () => {
      const { tree } = await opened();
      const closed = recordWatch<NodeValue>();
      const open = recordWatch<NodeValue>();
      const watch = tree.watchData(base, closed.listener);
      tree.watchData(base, open.listener);
      await closed.until((value) => value !== null);
      watch.close();
      watch.close();
      const count = closed.values.length;
      await tree.set(base, text('x'), 'any');
      await open.until((value) => value?.data.toString() === 'x');
      expect(closed.values.length).toBe(count);
    });

    it('forgets a watch that nobody wants, and can watch again', async () => {
      const { tree } = await opened();
      for (let round = 0; round < 3; round++) {
        const seen = recordWatch<NodeValue>();
        const watch = tree.watchData(base, seen.listener);
        await seen.until((value) => value !== null);
        await tree.set(base, text(`${round}`), 'any');
        await seen.until((value) => value?.data.toString() === `${round}`);
        watch.close();
        expect(tree.counters.watches).toBe(0);
      }
      const fires = tree.counters.watchFires;
      await tree.barrier();
      await tree.set(base, text('unseen'), 'any');
      await tree.barrier();
      expect(tree.counters.watchFires).toBe(fires);
    });

    it('tells after a break what changed meanwhile, and nothing of what did not', async () => {
      const under = await opened();
      const { tree } = under;
      const other = await opened();
      await tree.create(`${base}/changes`, text('0'));
      await tree.create(`${base}/stays`, text('0'));
      await tree.create(`${base}/goes`, text('0'));
      const watched = Object.fromEntries(
        ['changes', 'stays', 'goes', 'comes'].map((name) => {
          const seen = recordWatch<NodeValue>();
          tree.watchData(`${base}/${name}`, seen.listener);
          return [name, seen];
        }),
      );
      const listed = recordWatch<Children>();
      tree.watchChildren(base, listed.listener);
      await waitFor(() => Object.values(watched).every((seen) => seen.values.length === 1), {
        ...soon,
        what: 'all',
      });
      await listed.until((value) => value?.names.length === 3);
      under.cutOff();
      await waitFor(() => tree.sessionState === 'suspended', { ...soon, what: 'suspended' });
      await other.tree.multi([
        { op: 'set', path: `${base}/changes`, data: text('1'), version: 'any' },
        { op: 'remove', path: `${base}/goes`, version: 'any' },
        { op: 'create', path: `${base}/comes`, data: text('new') },
      ]);
      under.resume();
      await watched.changes?.until((value) => value?.data.toString() === '1');
      await watched.goes?.until((value) => value === null);
      await watched.comes?.until((value) => value?.data.toString() === 'new');
      await listed.until((value) => value?.names.join() === 'changes,comes,stays');
      await tree.set(`${base}/stays`, text('1'), 0);
      await watched.stays?.until((value) => value?.data.toString() === '1');
      expect(watched.stays?.values.length).toBe(2);
      expect(tree.counters.watchesMissed).toBe(0);
      expect(tree.sessionEpoch).toBe(1);
    });

    it('reads all again in a new session, and gives it even if it is the same', async () => {
      const under = await opened();
      const { tree } = under;
      const seen = recordWatch<NodeValue>();
      const listed = recordWatch<Children>();
      tree.watchData(base, seen.listener);
      tree.watchChildren(base, listed.listener);
      await seen.until((value) => value !== null);
      await listed.until((value) => value !== null);
      await under.expire();
      await waitFor(() => seen.epochs.at(-1) === 2 && listed.epochs.at(-1) === 2, {
        ...soon,
        what: 'epoch 2',
      });
      await tree.set(base, text('x'), 'any');
      await seen.until((value) => value?.data.toString() === 'x');
    });

    it('reads again from time to time although nothing fired, and is silent if nothing changed', async () => {
      const { tree } = await opened({ rereadMs: 100 });
      const seen = recordWatch<NodeValue>();
      tree.watchData(base, seen.listener);
      await seen.until((value) => value !== null);
      const before = tree.counters.ops.get.sent;
      await waitFor(() => tree.counters.ops.get.sent >= before + 3, { ...soon, what: 'three readings' });
      expect(seen.values.length).toBe(1);
      expect(tree.counters.watchesMissed).toBe(0);
    });

    it('reads at once on refresh', async () => {
      const { tree } = await opened();
      const seen = recordWatch<NodeValue>();
      const watch = tree.watchData(base, seen.listener);
      await seen.until((value) => value !== null);
      const before = tree.counters.ops.get.sent;
      watch.refresh();
      await waitFor(() => tree.counters.ops.get.sent === before + 1, { ...soon, what: 'a reading' });
    });

    it('gives a late listener what is known', async () => {
      const { tree } = await opened();
      const early = recordWatch<NodeValue>();
      const late = recordWatch<NodeValue>();
      tree.watchData(base, early.listener);
      await early.until((value) => value !== null);
      const before = tree.counters.ops.get.sent;
      tree.watchData(base, late.listener);
      await late.until((value) => value !== null);
      expect(tree.counters.ops.get.sent).toBe(before);
    });
  });

  describe('barrier', () => {
    it('shows what another session wrote before', async () => {
      const [one, two] = [await opened(), await opened()];
      for (let round = 0; round < 20; round++) {
        await one.tree.create(`${base}/r${round}`, text(''));
        await two.tree.barrier();
        expect(await two.tree.exists(`${base}/r${round}`)).not.toBeNull();
      }
    });

    it('survives a break and a new session', async () => {
      const under = await opened();
      await under.tree.barrier();
      under.loseNextReply();
      await under.tree.barrier();
      await under.expire();
      await waitFor(() => under.tree.sessionEpoch === 2, { ...soon, what: 'epoch 2' });
      await under.tree.barrier();
    });
  });

  it('counts and times requests', async () => {
    const { tree } = await opened();
    const before = tree.counters.ops.create;
    await tree.create(`${base}/a`, text(''));
    await tree.create(`${base}/a`, text('')).catch((error: unknown) => {
      if (!isTreeError(error, 'node-exists')) throw error;
    });
    const { create } = tree.counters.ops;
    expect(create.sent - before.sent).toBe(2);
    expect(create.succeeded - before.succeeded).toBe(1);
    expect(create.failed - before.failed).toBe(1);
    expect(create.latencyMsSum).toBeGreaterThan(before.latencyMsSum);
    expect(tree.counters.lastReplyAgeMs).toBeLessThan(1_000);
    expect(tree.counters.connects).toBe(1);
  });
}

function recordStates(tree: CoordinationTree): SessionEvent[] {
  const events: SessionEvent[] = [];
  tree.onState((event) => events.push(event));
  return events;
}

function recordWatch<T>() {
  const values: (T | null)[] = [];
  const epochs: number[] = [];
  return {
    values,
    epochs,
    listener: (value: T | null, context?: { readonly epoch: number }) => {
      values.push(value);
      epochs.push(context?.epoch ?? 0);
    },
    /** Waits until the newest value is so, and gives it. */
    until: (isSo: (value: T | null) => boolean) =>
      waitFor(
        () => {
          const last = values.at(-1);
          return last !== undefined && isSo(last) ? { value: last } : undefined;
        },
        { ...soon, what: `a value; last ${JSON.stringify(values.at(-1), bigints)}` },
      ).then(({ value }) => value),
  };
}

const bigints = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
