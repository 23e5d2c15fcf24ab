import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { untilAborted, waitFor } from '../../../lib/abort.ts';
import type { Service } from '../../../lib/service.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import { type DataSourceId, type NodeId, nodeId, type PipelineId } from '../../../model/ids.ts';
import { TASK_STAGES, type TaskStage } from '../../../model/stage.ts';
import type { Claim, Mainstem, OwnedSource, Reign } from '../../../scheduler/contract.ts';
import { TreeMainstem } from '../../../scheduler/mainstem.ts';
import { TreeNodeRegistry } from '../../../scheduler/node-registry.ts';
import {
  destinationPath,
  lockOf,
  mainLockPath,
  nodePath,
  recordPath,
  runningPath,
  stagePath,
  taskPath,
} from '../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../scheduler/pipeline-store.ts';
import { TreePipelineTasks } from '../../../scheduler/pipeline-tasks.ts';
import type { DesiredRecord } from '../../../scheduler/records.ts';
import { isHoltError } from '../../../scheduler/refusals.ts';
import { TreeSourceOwnership } from '../../../scheduler/source-ownership.ts';
import {
  batchHeaderOf,
  freshName,
  freshPipeline,
  presenceOf,
  RowInMemory,
  receiptOf,
} from '../../support/scheduler-fixtures.ts';
import type { NodeUnderTest, SchedulerHarness } from './scheduler-harness.ts';

const soon = { timeoutMs: 10_000, pollMs: 5 };
const forever = new AbortController().signal;

/** What the scheduler has to do on every coordination tree. */
export function schedulerSuite(start: () => Promise<SchedulerHarness>): void {
  let harness: SchedulerHarness;
  let services: { readonly service: Service; readonly over: Promise<void> }[] = [];
  beforeAll(async () => {
    harness = await start();
  });
  afterEach(async () => {
    await Promise.all(
      services.map(async ({ service, over }) => {
        await service.stop();
        await over;
      }),
    );
    services = [];
    await harness.closeAll();
  });
  afterAll(() => harness.end());

  function started<T extends Service>(service: T): T {
    services.push({ service, over: service.run() });
    return service;
  }

  async function mainstemOn(
    under: NodeUnderTest,
    pipeline: PipelineId,
    target: RowInMemory,
  ): Promise<Mainstem> {
    const { tree, node, instance } = under;
    const options = { tree, pipeline, node, instance, target };
    const mainstem = await TreeMainstem.attempt(options, AbortSignal.timeout(5_000));
    if (mainstem === null) throw new Error('the mainstem lock is taken');
    return mainstem;
  }

  async function raised(mainstem: Mainstem): Promise<Reign> {
    const result = await mainstem.raise(AbortSignal.timeout(10_000));
    if (result.kind !== 'reign') throw new Error(`no reign: ${JSON.stringify(result, bigints)}`);
    return result.reign;
  }

  function tasksOn(
    { tree, node, instance }: NodeUnderTest,
    pipeline: PipelineId,
    stages: readonly TaskStage[] = TASK_STAGES,
    over: { isPresent?: (node: NodeId) => boolean; othersDelayMs?: number } = {},
  ): TreePipelineTasks {
    return started(
      new TreePipelineTasks({
        tree,
        pipeline,
        node,
        instance,
        stages,
        isPresent: () => true,
        othersDelayMs: 50,
        ...over,
      }),
    );
  }

  const next = (tasks: TreePipelineTasks, stage: TaskStage): Promise<Claim> =>
    tasks.board(stage).next({ signal: AbortSignal.timeout(10_000) });

  /** Resolves to null if nothing is granted within the time. */
  const nextWithin = async (tasks: TreePipelineTasks, stage: TaskStage, ms: number): Promise<Claim | null> =>
    tasks
      .board(stage)
      .next({ signal: AbortSignal.timeout(ms) })
      .catch(() => null);

  /** A pipeline with a reign, and a node that is its mainstem. */
  async function reigning() {
    const pipeline = freshPipeline();
    const east = await harness.open();
    const target = new RowInMemory();
    const mainstem = await mainstemOn(east, pipeline, target);
    const reign = await raised(mainstem);
    return { pipeline, east, target, mainstem, reign };
  }

  /** Through Extract and Transform to Load's board, unclaimed. */
  async function brought(tasks: TreePipelineTasks, reign: Reign, header: BatchHeader): Promise<void> {
    const extract = await tasks.publish(reign, header, { claim: true });
    const transform = await extract?.handOver(header, { claimNext: true });
    await transform?.handOver(header, { claimNext: false });
  }

  describe('registry', () => {
    it('lists who is there, and takes itself away on a clean stop', async () => {
      const [one, two] = [await harness.open(), await harness.open()];
      const first = started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      const second = new TreeNodeRegistry({ tree: two.tree, self: presenceOf(two.node) });
      const over = second.run();
      await second.ready(AbortSignal.timeout(5_000));
      await waitFor(() => first.isPresent(two.node) && second.isPresent(one.node), { ...soon, what: 'both' });
      await second.stop();
      await over;
      await waitFor(() => !first.isPresent(two.node), { ...soon, what: 'the second left' });
      expect(first.isPresent(one.node)).toBe(true);
    });

    it('registers again in the next session', async () => {
      const [one, two] = [await harness.open(), await harness.open()];
      started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      const other = started(new TreeNodeRegistry({ tree: two.tree, self: presenceOf(two.node) }));
      await waitFor(() => other.isPresent(one.node), { ...soon, what: 'the first is there' });
      one.cutOff();
      await waitFor(() => !other.isPresent(one.node), { ...soon, what: 'the session ended' });
      one.resume();
      await waitFor(() => other.isPresent(one.node), { ...soon, what: 'it came back' });
    });

    it('waits while another process has its name, and says so', async () => {
      const name = freshName('node');
      const [one, two] = [await harness.open(name), await harness.open(name)];
      const first = started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      await first.ready(AbortSignal.timeout(5_000));
      const second = started(new TreeNodeRegistry({ tree: two.tree, self: presenceOf(two.node) }));
      await waitFor(() => second.conflict, { ...soon, what: 'the conflict shows' });
      expect(second.conflict?.code).toBe('HOLT_NODE_NAME_TAKEN');
      await first.stop();
      await waitFor(() => second.conflict === null, { ...soon, what: 'the name is free' });
      await second.ready(AbortSignal.timeout(5_000));
    });

    it('leaves foreign znodes among the nodes out', async () => {
      const one = await harness.open();
      const registry = started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      await registry.ready(AbortSignal.timeout(5_000));
      const foreign = freshName('foreign');
      await one.tree.create(nodePath(nodeId(foreign)), Buffer.from('hello'), { ephemeral: true });
      const late = await harness.open();
      const other = started(new TreeNodeRegistry({ tree: late.tree, self: presenceOf(late.node) }));
      await other.ready(AbortSignal.timeout(5_000));
      expect(other.nodes.map(({ node }) => node)).not.toContain(foreign);
      expect(other.isPresent(one.node)).toBe(true);
    });
  });

  describe('pipeline records', () => {
    const wanted = (desired: DesiredRecord['desired']): DesiredRecord => ({
      version: 1,
      desired,
      by: 'test',
      why: '',
      code: null,
      sinceMs: 1,
    });

    it('are compared and set by version, version 0 too', async () => {
      const { tree } = await harness.open();
      const { desired } = new TreePipelineStore(tree, freshPipeline());
      expect(await desired.get()).toBeNull();
      expect(await desired.set(wanted('running'), 'new')).toBe(0);
      expect(await desired.set(wanted('paused'), 0)).toBe(1);
      await expect(desired.set(wanted('stopped'), 0)).rejects.toMatchObject({ kind: 'bad-version' });
      await expect(desired.set(wanted('stopped'), 'new')).rejects.toMatchObject({ kind: 'node-exists' });
      expect(await desired.set(wanted('stopped'), 'any')).toBe(2);
      expect((await desired.get())?.value.desired).toBe('stopped');
      expect(await desired.remove(1)).toBe(false);
      expect(await desired.remove(2)).toBe(true);
    });

    it('name the path of foreign data, tell watchers, and heal', async () => {
      const { tree } = await harness.open();
      const pipeline = freshPipeline();
      const { desired } = new TreePipelineStore(tree, pipeline);
      const path = recordPath(pipeline, 'state');
      await desired.set(wanted('running'), 'new');
      const seen: string[] = [];
      const unwatch = desired.watch(({ kind }) => void seen.push(kind));
      await waitFor(() => seen.at(-1) === 'value', { ...soon, what: 'the value' });
      await tree.set(path, Buffer.from('{"version":7}'), 'any');
      await waitFor(() => seen.at(-1) === 'foreign', { ...soon, what: 'the foreign data' });
      await expect(desired.get()).rejects.toSatisfy(
        (error) => isHoltError(error, 'HOLT_ZNODE_FOREIGN') && error.message.includes(path),
      );
      await desired.set(wanted('paused'), 'any');
      await waitFor(() => seen.at(-1) === 'value', { ...soon, what: 'the value again' });
      unwatch();
    });

    it('go with the pipeline', async () => {
      const { pipeline, east, reign } = await reigning();
      const tasks = tasksOn(east, pipeline);
      await tasks.publish(reign, batchHeaderOf(reign, 1n), { claim: false });
      await new TreePipelineStore(east.tree, pipeline).destroy();
      for (const stage of TASK_STAGES) expect(await east.tree.exists(stagePath(pipeline, stage))).toBeNull();
      expect(await east.tree.exists(recordPath(pipeline, 'epoch'))).toBeNull();
    });
  });

  describe('mainstem', () => {
    it('is one node only, and free again at once after a release', async () => {
      const pipeline = freshPipeline();
      const [one, two] = [await harness.open(), await harness.open()];
      const target = new RowInMemory();
      const first = await mainstemOn(one, pipeline, target);
      const { tree, node, instance } = two;
      const rival = { tree, pipeline, node, instance, target };
      expect(await TreeMainstem.attempt(rival, forever)).toBeNull();
      await first.release();
      expect(first.lost.aborted).toBe(true);
      const second = await TreeMainstem.attempt(rival, forever);
      expect(second?.isHeld()).toBe(true);
    });

    it('raises: the epoch goes up, and each raise has its own reign', async () => {
      const { pipeline, east, target, mainstem, reign } = await reigning();
      const store = new TreePipelineStore(east.tree, pipeline);
      expect(await store.epoch.get()).toMatchObject({
        value: { epoch: 1, tenure: reign.tenure, seq: '0', node: east.node },
        version: reign.epochVersion,
      });
      expect(target.requests[0]).toEqual({
        takeOver: true,
        seenEpoch: null,
        ownTenure: null,
        treeEpoch: 0,
        hasRun: false,
      });
      const second = await raised(mainstem);
      expect(reign.over.aborted).toBe(true);
      expect(second.epoch).toBe(2);
      expect(second.tenure).not.toBe(reign.tenure);
      expect(target.requests[1]).toEqual({
        takeOver: false,
        seenEpoch: 1,
        ownTenure: reign.tenure,
        treeEpoch: 1,
        hasRun: true,
      });
      expect(mainstem.reign).toBe(second);
    });

    it('lets go when another raised between its lock and its raise', async () => {
      const pipeline = freshPipeline();
      const [one, two] = [await harness.open(), await harness.open()];
      const target = new RowInMemory();
      const first = await mainstemOn(one, pipeline, target);
      let second: Mainstem | null = null;
      target.beforeRaise = async () => {
        target.beforeRaise = async () => {};
        await one.tree.remove(mainLockPath(pipeline), 'any');
        second = await mainstemOn(two, pipeline, target);
        await raised(second);
      };
      expect((await first.raise(forever)).kind).toBe('let-go');
      const holder: Mainstem | null = second;
      expect(holder).toMatchObject({ reign: { epoch: 1 } });
      expect(target.row?.epoch).toBe(1);
    });

    it("proclaims nothing once the lock is another's, though owner and version of a lock look alike", async () => {
      const pipeline = freshPipeline();
      const [one, two] = [await harness.open(), await harness.open()];
      const target = new RowInMemory();
      const first = await mainstemOn(one, pipeline, target);
      let second: Mainstem | null = null;
      target.afterRaise = async () => {
        target.afterRaise = async () => {};
        await one.tree.remove(mainLockPath(pipeline), 'any');
        second = await mainstemOn(two, pipeline, target);
      };
      expect((await first.raise(forever)).kind).toBe('let-go');
      expect(await new TreePipelineStore(one.tree, pipeline).epoch.get()).toBeNull();
      expect(await two.tree.exists(mainLockPath(pipeline))).toMatchObject({
        ephemeralOwner: two.tree.sessionId,
      });
      const holder = second as Mainstem | null;
      expect(holder?.isHeld()).toBe(true);
    });

    it('is lost by the lease clock before the servers give the lock to another', async () => {
      const { pipeline, east, target, mainstem, reign } = await reigning();
      const west = await harness.open();
      let heldWhenTaken: boolean | null = null;
      east.cutOff();
      const second = await waitFor(
        async () => {
          const { tree, node, instance } = west;
          const taken = await TreeMainstem.attempt({ tree, pipeline, node, instance, target }, forever);
          if (taken !== null) heldWhenTaken = mainstem.isHeld() || !reign.over.aborted;
          return taken;
        },
        { ...soon, what: 'the other node takes the lock' },
      );
      expect(heldWhenTaken).toBe(false);
      expect(mainstem.lost.reason).toMatchObject({ code: 'HOLT_CLAIM_LOST' });
      expect((await raised(second)).epoch).toBe(2);
      expect((await mainstem.raise(forever)).kind).toBe('let-go');
    });

    it('finds its own lock again when the answer to making it was lost', async () => {
      const pipeline = freshPipeline();
      const one = await harness.open();
      await one.tree.ensurePath(`${stagePath(pipeline, 'select')}/main`);
      one.loseNextReply();
      const mainstem = await mainstemOn(one, pipeline, new RowInMemory());
      expect((await raised(mainstem)).epoch).toBe(1);
    });

    it('knows that it proclaimed when the answer was lost', async () => {
      const pipeline = freshPipeline();
      const one = await harness.open();
      const target = new RowInMemory();
      const mainstem = await mainstemOn(one, pipeline, target);
      target.afterRaise = async () => one.loseNextReply();
      const reign = await raised(mainstem);
      expect(reign.epochVersion).toBe(0);
      expect(target.requests.length).toBe(1);
    });

    it('keeps the lock when the target half fails, and raises when it is called again', async () => {
      const pipeline = freshPipeline();
      const one = await harness.open();
      const target = new RowInMemory();
      const mainstem = await mainstemOn(one, pipeline, target);
      target.beforeRaise = () => Promise.reject(new Error('no route to the target'));
      await expect(mainstem.raise(forever)).rejects.toThrow('no route');
      expect(mainstem.isHeld()).toBe(true);
      target.beforeRaise = async () => {};
      expect((await raised(mainstem)).epoch).toBe(1);
    });

    it('removes older tasks with the claims of the dead and the living', async () => {
      const { pipeline, east, target, mainstem, reign } = await reigning();
      const west = await harness.open();
      const eastTasks = tasksOn(east, pipeline, ['extract']);
      const westTasks = tasksOn(west, pipeline, ['transform', 'load']);
      for (const seq of [1n, 2n, 3n])
        await (await eastTasks.publish(reign, batchHeaderOf(reign, seq), { claim: true }))?.handOver(
          batchHeaderOf(reign, seq),
          { claimNext: false },
        );
      await eastTasks.publish(reign, batchHeaderOf(reign, 4n), { claim: true });
      const held = await next(westTasks, 'transform');
      target.row = { epoch: 1, tenure: reign.tenure, seq: 0n };
      await raised(mainstem);
      for (const stage of TASK_STAGES)
        expect((await east.tree.children(stagePath(pipeline, stage)))?.names).toEqual([]);
      await waitFor(() => held.lost.aborted, { ...soon, what: 'the claim is lost' });
      await expect(held.handOver(held.header, { claimNext: false })).rejects.toMatchObject({
        code: expect.stringMatching(/^HOLT_(EPOCH_SUPERSEDED|CLAIM_LOST)$/),
      });
    });

    it('is told when someone else proclaims', async () => {
      const { pipeline, east, reign, mainstem } = await reigning();
      const store = new TreePipelineStore(east.tree, pipeline);
      const ruling = await store.epoch.get();
      if (ruling === null) throw new Error('no epoch');
      await store.epoch.set({ ...ruling.value, epoch: 9 }, 'any');
      await waitFor(() => reign.over.aborted, { ...soon, what: 'the reign is over' });
      expect(mainstem.reign).toBeNull();
      expect(mainstem.isHeld()).toBe(true);
    });

    it('waits on foreign data in /epoch, and goes on when it is gone', async () => {
      const pipeline = freshPipeline();
      const one = await harness.open();
      const path = recordPath(pipeline, 'epoch');
      await one.tree.ensurePath(path);
      await one.tree.set(path, Buffer.from('who wrote this'), 'any');
      const mainstem = await mainstemOn(one, pipeline, new RowInMemory());
      await expect(mainstem.raise(forever)).rejects.toMatchObject({
        code: 'HOLT_ZNODE_FOREIGN',
        facts: { path },
      });
      await one.tree.remove(path, 'any');
      expect((await raised(mainstem)).epoch).toBe(1);
    });

    it('after the loss of all ZooKeeper data raises above what the row has', async () => {
      const { pipeline, target, mainstem } = await reigning();
      await raised(mainstem);
      expect(target.row?.epoch).toBe(2);
      await harness.wipe();
      await waitFor(() => mainstem.lost.aborted, { ...soon, what: 'the mainstem is lost' });
      const again = await harness.open();
      const second = await mainstemOn(again, pipeline, target);
      expect((await raised(second)).epoch).toBe(3);
    });
  });

  describe('source ownership', () => {
    function ownershipOn(
      { tree, node, instance }: NodeUnderTest,
      source: DataSourceId,
      lead: (owned: OwnedSource, signal: AbortSignal) => Promise<void> = (_, signal) => untilAborted(signal),
      graceMs = 1_500,
    ): TreeSourceOwnership {
      const address = '127.0.0.1:1';
      return started(new TreeSourceOwnership({ tree, source, node, instance, address, lead, graceMs }));
    }
    const freshSource = () => freshName('source') as DataSourceId;
    const owns = (ownership: TreeSourceOwnership) => () => ownership.state === 'owner';

    it('is one node, written as Canal writes it, and passes on at once after a clean leave', async () => {
      const source = freshSource();
      const [one, two] = [await harness.open(), await harness.open()];
      const first = ownershipOn(one, source);
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      const second = ownershipOn(two, source, undefined, 60_000);
      await waitFor(() => second.owner === one.node, { ...soon, what: 'the second sees the owner' });
      const running = await one.tree.get(runningPath(source));
      expect(JSON.parse(String(running?.data))).toMatchObject({
        active: true,
        address: '127.0.0.1:1',
        cid: 1,
      });
      await first.stop();
      await waitFor(owns(second), { ...soon, what: 'the second owns' });
    });

    it('is left alone for the grace time after a death', async () => {
      const source = freshSource();
      const [one, two] = [await harness.open(), await harness.open()];
      const first = ownershipOn(one, source);
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      const second = ownershipOn(two, source);
      await waitFor(() => second.owner === one.node, { ...soon, what: 'the second sees the owner' });
      one.cutOff();
      await waitFor(() => second.state === 'waiting-grace', { ...soon, what: 'the grace time' });
      const since = performance.now();
      await waitFor(owns(second), { ...soon, what: 'the second owns' });
      expect(performance.now() - since).toBeGreaterThan(1_200);
    });

    it('comes back to its previous owner without grace', async () => {
      const source = freshSource();
      const [one, two] = [await harness.open(), await harness.open()];
      let terms = 0;
      const first = ownershipOn(
        one,
        source,
        (_, signal) => {
          terms += 1;
          return untilAborted(signal);
        },
        60_000,
      );
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      ownershipOn(two, source, undefined, 60_000);
      one.cutOff();
      await waitFor(async () => (await two.tree.exists(runningPath(source))) === null, {
        ...soon,
        what: 'the session ended',
      });
      one.resume();
      await waitFor(() => terms === 2 && owns(first)(), { ...soon, what: 'the first owns again' });
    });

    it('is given up by "active":false, and another takes it', async () => {
      const source = freshSource();
      const [one, two] = [await harness.open(), await harness.open()];
      const first = ownershipOn(one, source);
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      const second = ownershipOn(two, source);
      await waitFor(() => second.owner === one.node, { ...soon, what: 'the second sees the owner' });
      const running = await two.tree.get(runningPath(source));
      const value = JSON.parse(String(running?.data));
      await two.tree.set(
        runningPath(source),
        Buffer.from(JSON.stringify({ ...value, active: false })),
        'any',
      );
      await waitFor(owns(second), { ...soon, what: 'the second owns' });
      expect(first.state).not.toBe('owner');
    });

    it('holds the mainstems of its pipelines, and lets them go with it', async () => {
      const source = freshSource();
      const pipeline = freshPipeline();
      const target = new RowInMemory();
      const [one, two] = [await harness.open(), await harness.open()];
      const reigns: string[] = [];
      const lead = (name: string) => async (owned: OwnedSource, signal: AbortSignal) => {
        const mainstem = await owned.takeMainstem({ pipeline, target, signal });
        await raised(mainstem);
        reigns.push(name);
        await untilAborted(signal);
      };
      const first = ownershipOn(one, source, lead('one'));
      await waitFor(() => reigns.length === 1, { ...soon, what: 'the first reigns' });
      ownershipOn(two, source, lead('two'));
      await first.stop();
      await waitFor(() => reigns.length === 2, { ...soon, what: 'the second reigns' });
      expect(reigns).toEqual(['one', 'two']);
      expect(target.row?.epoch).toBe(2);
    });

    it('stands foreign data beside it', async () => {
      const source = freshSource();
      const one = await harness.open();
      await one.tree.ensurePath(destinationPath(source));
      await one.tree.set(destinationPath(source), Buffer.from('canal was here'), 'any');
      const first = ownershipOn(one, source, undefined, 200);
      await waitFor(owns(first), { ...soon, what: 'the node owns' });
    });
  });

  describe('tasks', () => {
    it('go through the stages, each hand-over in one write, to the receipt', async () => {
      const { pipeline, east, reign } = await reigning();
      const west = await harness.open();
      const source = tasksOn(east, pipeline, ['extract']);
      const target = tasksOn(west, pipeline, ['transform', 'load']);
      const header = batchHeaderOf(reign, 1n, { hint: west.node });
      const extract = await source.publish(reign, header, { claim: true });
      expect(extract?.isHeld()).toBe(true);
      const multis = east.tree.counters.ops.multi.sent;
      expect(await extract?.handOver({ ...header, extractedMs: 2 }, { claimNext: true })).toBeNull();
      expect(east.tree.counters.ops.multi.sent).toBe(multis + 1);
      const transform = await next(target, 'transform');
      expect(transform.header).toMatchObject({ seq: '1', extractedMs: 2 });
      const load = await transform.handOver({ ...transform.header, transformedMs: 3 }, { claimNext: true });
      expect(load?.header.transformedMs).toBe(3);
      const receipt = receiptOf(header, { node: west.node });
      await load?.finish(receipt);
      expect((await new TreePipelineStore(east.tree, pipeline).receipt.get())?.value).toEqual(receipt);
      for (const stage of TASK_STAGES)
        expect((await east.tree.children(stagePath(pipeline, stage)))?.names ?? []).toEqual([]);
      expect(target.board('load').claims).toEqual([]);
    });

    it('are claimed by one node only', async () => {
      const { pipeline, east, reign } = await reigning();
      const others = [await harness.open(), await harness.open(), await harness.open()];
      const source = tasksOn(east, pipeline, ['extract']);
      const workers = others.map((other) => tasksOn(other, pipeline, ['extract'], { othersDelayMs: 0 }));
      const total = 12;
      const won: string[] = [];
      const work = workers.map(async (worker) => {
        for (;;) {
          const claim = await nextWithin(worker, 'extract', 3_000);
          if (claim === null) return;
          won.push(claim.header.seq);
          await claim.handOver(claim.header, { claimNext: false });
          if (won.length === total) return;
        }
      });
      for (let seq = 1n; seq <= BigInt(total); seq++)
        await source.publish(reign, batchHeaderOf(reign, seq), { claim: false });
      await waitFor(() => won.length >= total, { ...soon, what: 'all are claimed' });
      expect(won.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
      await Promise.all(workers.map((worker) => worker.stop()));
      await Promise.all(work);
    });

    it('are claimed again, lowest first, when their holder dies', async () => {
      const { pipeline, east, reign } = await reigning();
      const [one, two] = [await harness.open(), await harness.open()];
      const source = tasksOn(east, pipeline, ['extract']);
      const first = tasksOn(one, pipeline, ['extract']);
      for (const seq of [1n, 2n, 3n])
        await source.publish(reign, batchHeaderOf(reign, seq, { payload: placeAt(one.node) }), {
          claim: false,
        });
      const held = [await next(first, 'extract'), await next(first, 'extract'), await next(first, 'extract')];
      expect(held.map(({ header }) => header.seq)).toEqual(['1', '2', '3']);
      const second = tasksOn(two, pipeline, ['extract']);
      expect(await nextWithin(second, 'extract', 300)).toBeNull();
      const again = next(second, 'extract');
      one.cutOff();
      expect((await again).header.seq).toBe('1');
      expect((await next(second, 'extract')).header.seq).toBe('2');
      expect((await next(second, 'extract')).header.seq).toBe('3');
      for (const claim of held) {
        expect(claim.isHeld()).toBe(false);
        expect(claim.lost.aborted).toBe(true);
      }
    });

    it('cannot be handed over by a holder whose session ended, even when it wakes up later', async () => {
      const { pipeline, east, reign } = await reigning();
      const [one, two] = [await harness.open(), await harness.open()];
      const source = tasksOn(east, pipeline, ['extract']);
      const first = tasksOn(one, pipeline, ['extract']);
      await source.publish(reign, batchHeaderOf(reign, 1n, { payload: placeAt(one.node) }), { claim: false });
      const stale = await next(first, 'extract');
      one.cutOff();
      const fresh = await next(tasksOn(two, pipeline, ['extract']), 'extract');
      one.resume();
      await expect(stale.handOver(stale.header, { claimNext: false })).rejects.toMatchObject({
        code: 'HOLT_CLAIM_LOST',
      });
      expect(fresh.isHeld()).toBe(true);
      expect(await fresh.handOver(fresh.header, { claimNext: false })).toBeNull();
    });

    it('cannot be handed over under another epoch, when /epoch is at version 0 too', async () => {
      const { pipeline, east, mainstem, target, reign } = await reigning();
      expect(reign.epochVersion).toBe(0);
      const source = tasksOn(east, pipeline, ['extract']);
      const claim = await source.publish(reign, batchHeaderOf(reign, 1n), { claim: true });
      // The task outlives the raise: what remains is the check of the epoch's version alone.
      const path = taskPath(pipeline, 'extract', { epoch: 1, seq: 1n, part: 0 });
      const store = new TreePipelineStore(east.tree, pipeline);
      const ruling = await store.epoch.get();
      if (ruling === null || claim === null) throw new Error('no epoch or claim');
      await store.epoch.set({ ...ruling.value, epoch: 2 }, 0);
      await expect(claim.handOver(claim.header, { claimNext: false })).rejects.toMatchObject({
        code: 'HOLT_EPOCH_SUPERSEDED',
      });
      expect(await east.tree.exists(path)).not.toBeNull();
      expect((await east.tree.children(stagePath(pipeline, 'transform')))?.names ?? []).toEqual([]);
      expect(target.requests.length).toBe(1);
      expect(mainstem.isHeld()).toBe(true);
    });

    it('are not published by a reign that is over', async () => {
      const { pipeline, east, mainstem, reign } = await reigning();
      const tasks = tasksOn(east, pipeline, ['extract']);
      await raised(mainstem);
      await expect(tasks.publish(reign, batchHeaderOf(reign, 1n), { claim: false })).rejects.toMatchObject({
        code: 'HOLT_EPOCH_SUPERSEDED',
      });
      expect((await east.tree.children(stagePath(pipeline, 'extract')))?.names).toEqual([]);
    });

    it('go to the hinted node at once, to others a little later, or at once if it is not there', async () => {
      const { pipeline, east, reign } = await reigning();
      const [hinted, other] = [await harness.open(), await harness.open()];
      const source = tasksOn(east, pipeline, ['extract']);
      const present = new Set([hinted.node, other.node]);
      const isPresent = (node: NodeId) => present.has(node);
      const worker = tasksOn(other, pipeline, ['transform'], { isPresent, othersDelayMs: 2_000 });
      const publish = async (seq: bigint) => {
        const header = batchHeaderOf(reign, seq, { hint: hinted.node });
        const claim = await source.publish(reign, header, { claim: true });
        await claim?.handOver(header, { claimNext: false });
      };
      await publish(1n);
      expect(await nextWithin(worker, 'transform', 500)).toBeNull();
      const first = await next(
        tasksOn(hinted, pipeline, ['transform'], { isPresent, othersDelayMs: 2_000 }),
        'transform',
      );
      expect(first.header.seq).toBe('1');
      present.delete(hinted.node);
      await publish(2n);
      expect((await nextWithin(worker, 'transform', 1_500))?.header.seq).toBe('2');
    });

    it('are not claimed without capacity, and the lowest is always asked for first', async () => {
      const { pipeline, east, reign } = await reigning();
      const source = tasksOn(east, pipeline, ['extract']);
      const worker = tasksOn(await harness.open(), pipeline, ['extract'], { othersDelayMs: 0 });
      for (const seq of [1n, 2n]) await source.publish(reign, batchHeaderOf(reign, seq), { claim: false });
      await waitFor(() => worker.board('extract').tasks.length === 2, { ...soon, what: 'both are listed' });
      expect(worker.board('extract').claims).toEqual([]);
      const asked: [string, boolean][] = [];
      let isRoom = false;
      const claim = worker.board('extract').next({
        signal: AbortSignal.timeout(10_000),
        admits: (header, lowest) => {
          asked.push([header.seq, lowest]);
          return isRoom;
        },
      });
      await waitFor(() => asked.length > 0, { ...soon, what: 'it was asked' });
      isRoom = true;
      worker.board('extract').poke();
      expect((await claim).header.seq).toBe('1');
      expect(asked[0]).toEqual(['1', true]);
      const second = worker.board('extract').next({
        signal: AbortSignal.timeout(10_000),
        admits: (header, lowest) => {
          asked.push([header.seq, lowest]);
          return true;
        },
      });
      expect((await second).header.seq).toBe('2');
      expect(asked.at(-1)).toEqual(['2', false]);
    });

    it('are given back at once by a clean stop', async () => {
      const { pipeline, east, reign } = await reigning();
      const [one, two] = [await harness.open(), await harness.open()];
      const source = tasksOn(east, pipeline, ['extract']);
      const first = tasksOn(one, pipeline, ['extract']);
      await source.publish(reign, batchHeaderOf(reign, 1n, { payload: placeAt(one.node) }), { claim: false });
      const held = await next(first, 'extract');
      const second = tasksOn(two, pipeline, ['extract']);
      const again = second.board('extract').next({ signal: AbortSignal.timeout(harness.sessionTimeoutMs) });
      await waitFor(() => second.board('extract').tasks[0]?.lock === 'taken', { ...soon, what: 'it waits' });
      await first.stop();
      expect(held.isHeld()).toBe(false);
      expect((await again).header.seq).toBe('1');
    });

    it('survive a lost answer to the hand-over: it happens once', async () => {
      const { pipeline, east, reign } = await reigning();
      const tasks = tasksOn(east, pipeline);
      const header = batchHeaderOf(reign, 1n);
      const claim = await tasks.publish(reign, header, { claim: true });
      east.loseNextReply();
      const transform = await claim?.handOver(header, { claimNext: true });
      expect(transform?.isHeld()).toBe(true);
      expect((await east.tree.children(stagePath(pipeline, 'extract')))?.names).toEqual([]);
      expect((await east.tree.children(stagePath(pipeline, 'transform')))?.names.length).toBe(1);
      east.loseNextReply();
      const load = await transform?.handOver(header, { claimNext: true });
      east.loseNextReply();
      await load?.finish(receiptOf(header));
      expect((await new TreePipelineStore(east.tree, pipeline).receipt.get())?.value.seq).toBe('1');
      expect((await east.tree.children(stagePath(pipeline, 'load')))?.names).toEqual([]);
    });

    it('survive a lost answer to a claim and to a publication', async () => {
      const { pipeline, east, reign } = await reigning();
      const west = await harness.open();
      const tasks = tasksOn(east, pipeline, ['extract']);
      const worker = tasksOn(west, pipeline, ['extract']);
      east.loseNextReply();
      await tasks.publish(reign, batchHeaderOf(reign, 1n, { payload: placeAt(west.node) }), { claim: false });
      await waitFor(() => worker.board('extract').tasks.length === 1, { ...soon, what: 'it is listed' });
      west.loseNextReply();
      const claim = await next(worker, 'extract');
      expect(claim.isHeld()).toBe(true);
      await claim.handOver(claim.header, { claimNext: false });
    });

    it('of which one cannot be read ask for a rewind, and affect no other pipeline', async () => {
      const { pipeline, east, mainstem, reign } = await reigning();
      const healthy = await reigning();
      const tasks = tasksOn(east, pipeline, ['extract']);
      const others = tasksOn(healthy.east, healthy.pipeline, ['extract']);
      const path = taskPath(pipeline, 'extract', { epoch: reign.epoch, seq: 1n, part: 0 });
      await east.tree.create(path, Buffer.from('not a header'));
      await east.tree.create(`${stagePath(pipeline, 'extract')}/visitor`, Buffer.alloc(0));
      const waiting = nextWithin(tasks, 'extract', 3_000);
      const store = new TreePipelineStore(east.tree, pipeline);
      const request = await waitFor(() => store.termination.get(), { ...soon, what: 'the request' });
      expect(request.value).toMatchObject({
        kind: 'rewind',
        code: 'HOLT_ZNODE_FOREIGN',
        stage: 'extract',
        seq: '1',
        epoch: reign.epoch,
        tenure: reign.tenure,
      });
      expect(tasks.foreign?.code).toBe('HOLT_ZNODE_FOREIGN');
      expect(others.foreign).toBeNull();
      await others.publish(healthy.reign, batchHeaderOf(healthy.reign, 1n), { claim: true });
      await raised(mainstem);
      expect(await store.termination.get()).toBeNull();
      await east.tree.remove(`${stagePath(pipeline, 'extract')}/visitor`, 'any');
      await waitFor(() => tasks.foreign === null, { ...soon, what: 'all is well again' });
      expect(await waiting).toBeNull();
    });
  });

  describe('Load', () => {
    it('is claimed ahead only by the holder of the batch before', async () => {
      const { pipeline, east, reign } = await reigning();
      const [one, two] = [await harness.open(), await harness.open()];
      const source = tasksOn(east, pipeline, ['extract', 'transform']);
      for (const seq of [1n, 2n, 3n])
        await brought(source, reign, batchHeaderOf(reign, seq, { hint: seq === 2n ? two.node : one.node }));
      const first = tasksOn(one, pipeline, ['load']);
      const second = tasksOn(two, pipeline, ['load']);
      const head = await next(first, 'load');
      expect(head.header.seq).toBe('1');
      expect(await nextWithin(second, 'load', 500)).toBeNull();
      expect((await next(first, 'load')).header.seq).toBe('2');
      await head.finish(receiptOf(head.header));
      expect(await nextWithin(second, 'load', 300)).toBeNull();
      expect((await next(first, 'load')).header.seq).toBe('3');
    });

    it('comes with the hand-over of Transform only when it is the turn of the batch', async () => {
      const { pipeline, east, reign } = await reigning();
      const west = await harness.open();
      const tasks = tasksOn(east, pipeline);
      const claims = [];
      for (const seq of [1n, 2n, 3n]) {
        const extract = await tasks.publish(reign, batchHeaderOf(reign, seq), { claim: true });
        claims.push(await extract?.handOver(extract.header, { claimNext: true }));
      }
      const [one, two, three] = claims;
      expect(await three?.handOver(three.header, { claimNext: true })).toBeNull();
      const load = await one?.handOver(one.header, { claimNext: true });
      expect(load?.header.seq).toBe('1');
      const ahead = await two?.handOver(two.header, { claimNext: true });
      expect(ahead?.header.seq).toBe('2');
      expect(await nextWithin(tasksOn(west, pipeline, ['load']), 'load', 300)).toBeNull();
    });

    it('goes on after an empty advance, which takes a seq without a task', async () => {
      const { pipeline, east, reign } = await reigning();
      const tasks = tasksOn(east, pipeline);
      await brought(tasks, reign, batchHeaderOf(reign, 3n, { hint: east.node }));
      expect((await next(tasks, 'load')).header.seq).toBe('3');
    });

    it('takes all parts of a large transaction away with the receipt, and not before', async () => {
      const { pipeline, east, reign } = await reigning();
      const tasks = tasksOn(east, pipeline);
      const parts = [0, 1, 2].map((part) => batchHeaderOf(reign, 1n, { part, lastPart: part === 2 }));
      for (const part of parts) await brought(tasks, reign, part);
      await brought(tasks, reign, batchHeaderOf(reign, 2n));
      const claims = [await next(tasks, 'load'), await next(tasks, 'load'), await next(tasks, 'load')];
      expect(claims.map(({ header }) => header.part)).toEqual([0, 1, 2]);
      await claims[0]?.partDone();
      await claims[1]?.partDone();
      const store = new TreePipelineStore(east.tree, pipeline);
      expect((await store.progress.get())?.value).toMatchObject({ seq: '1', part: 1 });
      expect((await east.tree.children(stagePath(pipeline, 'load')))?.names.length).toBe(4);
      await claims[2]?.finish(receiptOf(parts[2] as BatchHeader));
      expect((await east.tree.children(stagePath(pipeline, 'load')))?.names.length).toBe(1);
      expect((await store.receipt.get())?.value.seq).toBe('1');
      expect((await next(tasks, 'load')).header.seq).toBe('2');
    });

    it('gives no part to a node that does not hold the part before', async () => {
      const { pipeline, east, reign } = await reigning();
      const [one, two] = [await harness.open(), await harness.open()];
      const source = tasksOn(east, pipeline, ['extract', 'transform']);
      for (const part of [0, 1])
        await brought(source, reign, batchHeaderOf(reign, 1n, { part, lastPart: part === 1 }));
      const first = await next(tasksOn(one, pipeline, ['load']), 'load');
      expect(first.header.part).toBe(0);
      const second = tasksOn(two, pipeline, ['load']);
      expect(await nextWithin(second, 'load', 400)).toBeNull();
      const taken = next(second, 'load');
      one.cutOff();
      expect((await taken).header.part).toBe(0);
    });
  });

  describe('idleness', () => {
    it('costs no writes and no lists', async () => {
      const source = freshName('source') as DataSourceId;
      const pipeline = freshPipeline();
      const target = new RowInMemory();
      const [one, two] = [await harness.open(), await harness.open()];
      let reign: Reign | null = null;
      for (const { tree, node, instance } of [one, two]) {
        started(new TreeNodeRegistry({ tree, self: presenceOf(node, { instance }) }));
        const lead = async (owned: OwnedSource, signal: AbortSignal) => {
          const mainstem = await owned.takeMainstem({ pipeline, target, signal });
          reign = await raised(mainstem);
          await untilAborted(signal);
        };
        started(new TreeSourceOwnership({ tree, source, node, instance, address: 'a:1', lead }));
      }
      const boards = [tasksOn(one, pipeline), tasksOn(two, pipeline)];
      const takers = boards.flatMap((tasks) => TASK_STAGES.map((stage) => nextWithin(tasks, stage, 30_000)));
      await waitFor(() => reign !== null && boards.every(({ ruling }) => ruling?.record.epoch === 1), {
        ...soon,
        what: 'all is running',
      });
      const writes = () =>
        [one, two].map(({ tree: { counters } }) =>
          (['create', 'set', 'remove', 'multi', 'children'] as const).map((op) => counters.ops[op].sent),
        );
      await settle(writes);
      const before = writes();
      await new Promise((resolve) => setTimeout(resolve, 2 * harness.sessionTimeoutMs));
      expect(writes()).toEqual(before);
      await Promise.all(boards.map((tasks) => tasks.stop()));
      expect(await Promise.all(takers)).toEqual(takers.map(() => null));
    });
  });

  describe('a session that ends while it works', () => {
    it('leaves locks to nobody but the next claimer', async () => {
      const { pipeline, east, reign } = await reigning();
      const one = await harness.open();
      const tasks = tasksOn(east, pipeline, ['extract']);
      const worker = tasksOn(one, pipeline, ['extract']);
      await tasks.publish(reign, batchHeaderOf(reign, 1n, { payload: placeAt(one.node) }), { claim: false });
      const first = await next(worker, 'extract');
      one.cutOff();
      await waitFor(() => first.lost.aborted, { ...soon, what: 'the claim is lost' });
      one.resume();
      const second = await next(worker, 'extract');
      expect(second.header.seq).toBe('1');
      expect(
        await east.tree.exists(lockOf(taskPath(pipeline, 'extract', { epoch: 1, seq: 1n, part: 0 }))),
      ).toMatchObject({
        ephemeralOwner: one.tree.sessionId,
      });
    });
  });
}

/** Waits until two looks in a row are equal. */
async function settle(look: () => unknown): Promise<void> {
  let last = '';
  await waitFor(
    () => {
      const now = JSON.stringify(look());
      const isSame = now === last;
      last = now;
      return isSame;
    },
    { timeoutMs: 10_000, pollMs: 300, what: 'nothing changes any more' },
  );
}

function placeAt(node: NodeId): BatchHeader['payload'] {
  return { ...batchHeaderOf(anyReign, 1n).payload, node };
}
const anyReign = { pipeline: 'p' as PipelineId, epoch: 1, tenure: '0'.repeat(32) as Reign['tenure'] };

function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
