import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { TASK_STAGES } from '../../../model/stage.ts';
import type { Mainstem } from '../../../scheduler/contract.ts';
import { TreeMainstem } from '../../../scheduler/mainstem.ts';
import { mainLockPath, recordPath, stagePath } from '../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../scheduler/pipeline-store.ts';
import { batchHeaderOf, freshPipeline, RowInMemory } from '../../support/scheduler-fixtures.ts';
import {
  type Bench,
  beforeFirst,
  forever,
  mainstemOn,
  next,
  raised,
  soon,
  withLease,
} from './scheduler-bench.ts';

export function mainstemSuite(here: () => Bench): void {
  describe('mainstem', () => {
    it('is one node only, and free again at once after a release', async () => {
      const bench = here();
      const pipeline = freshPipeline();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
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
      const bench = here();
      const { pipeline, east, target, mainstem, reign } = await bench.reigning();
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
      const bench = here();
      const pipeline = freshPipeline();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
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
      const bench = here();
      const pipeline = freshPipeline();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
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
      const bench = here();
      const { pipeline, east, target, mainstem, reign } = await bench.reigning();
      const west = await bench.harness.open();
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
      const bench = here();
      const pipeline = freshPipeline();
      const one = await bench.harness.open();
      await one.tree.ensurePath(`${stagePath(pipeline, 'select')}/main`);
      one.loseNextReply();
      const mainstem = await mainstemOn(one, pipeline, new RowInMemory());
      expect((await raised(mainstem)).epoch).toBe(1);
    });

    it('knows that it proclaimed when the answer was lost', async () => {
      const bench = here();
      const pipeline = freshPipeline();
      const one = await bench.harness.open();
      const target = new RowInMemory();
      const mainstem = await mainstemOn(one, pipeline, target);
      target.afterRaise = async () => one.loseNextReply();
      const reign = await raised(mainstem);
      expect(reign.epochVersion).toBe(0);
      expect(target.requests.length).toBe(1);
    });

    it('keeps the lock when the target half fails, and raises when it is called again', async () => {
      const bench = here();
      const pipeline = freshPipeline();
      const one = await bench.harness.open();
      const target = new RowInMemory();
      const mainstem = await mainstemOn(one, pipeline, target);
      target.beforeRaise = () => Promise.reject(new Error('no route to the target'));
      await expect(mainstem.raise(forever)).rejects.toThrow('no route');
      expect(mainstem.isHeld()).toBe(true);
      target.beforeRaise = async () => {};
      expect((await raised(mainstem)).epoch).toBe(1);
    });

    it('removes older tasks with the claims of the dead and the living', async () => {
      const bench = here();
      const { pipeline, east, target, mainstem, reign } = await bench.reigning();
      const west = await bench.harness.open();
      const eastTasks = bench.tasksOn(east, pipeline, ['extract']);
      const westTasks = bench.tasksOn(west, pipeline, ['transform', 'load']);
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

    it("deletes nothing of its successor's when it comes to clearing late", async () => {
      const bench = here();
      const pipeline = freshPipeline();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const target = new RowInMemory();
      const extract = stagePath(pipeline, 'extract');
      const slow = beforeFirst(one.tree, 'children', async () => {
        await two.tree.remove(mainLockPath(pipeline), 'any');
        const reign = await raised(await mainstemOn(two, pipeline, target));
        await bench
          .tasksOn(two, pipeline, ['extract'])
          .publish(reign, batchHeaderOf(reign, 1n), { claim: true });
      });
      const first = await mainstemOn({ ...one, tree: slow }, pipeline, target);
      expect((await first.raise(forever)).kind).toBe('let-go');
      expect((await two.tree.children(extract))?.names.length).toBe(1);
    });

    it('does not use what it read of the row when its lease ran out meanwhile', async () => {
      const bench = here();
      const pipeline = freshPipeline();
      const one = await bench.harness.open();
      let isOver = false;
      const tree = withLease(one.tree, () => (isOver ? 0 : one.tree.leaseRemainingMs()));
      const target = new RowInMemory();
      target.readEpoch = async () => {
        isOver = true;
        return null;
      };
      const mainstem = await mainstemOn({ ...one, tree }, pipeline, target);
      expect((await mainstem.raise(forever)).kind).toBe('let-go');
      expect(mainstem.lost.aborted).toBe(true);
      expect(target.requests).toEqual([]);
    });

    it('is told when someone else proclaims', async () => {
      const bench = here();
      const { pipeline, east, reign, mainstem } = await bench.reigning();
      const store = new TreePipelineStore(east.tree, pipeline);
      const ruling = await store.epoch.get();
      if (ruling === null) throw new Error('no epoch');
      await store.epoch.set({ ...ruling.value, epoch: 9 }, 'any');
      await waitFor(() => reign.over.aborted, { ...soon, what: 'the reign is over' });
      expect(mainstem.reign).toBeNull();
      expect(mainstem.isHeld()).toBe(true);
    });

    it('waits on foreign data in /epoch, and goes on when it is gone', async () => {
      const bench = here();
      const pipeline = freshPipeline();
      const one = await bench.harness.open();
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
      const bench = here();
      const { pipeline, target, mainstem } = await bench.reigning();
      await raised(mainstem);
      expect(target.row?.epoch).toBe(2);
      await bench.harness.wipe();
      await waitFor(() => mainstem.lost.aborted, { ...soon, what: 'the mainstem is lost' });
      const again = await bench.harness.open();
      const second = await mainstemOn(again, pipeline, target);
      expect((await raised(second)).epoch).toBe(3);
    });
  });
}
