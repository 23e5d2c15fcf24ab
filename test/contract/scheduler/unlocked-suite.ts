import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { Claim, Reign } from '../../../scheduler/contract.ts';
import { lockOf, stagePath, taskPath } from '../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../scheduler/pipeline-store.ts';
import type { TreePipelineTasks } from '../../../scheduler/pipeline-tasks.ts';
import type { CoordinationTree } from '../../../scheduler/tree/tree.ts';
import { batchHeaderOf, receiptOf } from '../../support/scheduler-fixtures.ts';
import { type Bench, next, nextWithin, soon } from './scheduler-bench.ts';
import type { NodeUnderTest } from './scheduler-harness.ts';

const keyOf = (seq: bigint) => ({ epoch: 1, seq, part: 0 });

const unlocked = (tasks: TreePipelineTasks): Promise<Claim> =>
  tasks.board('transform').next({ signal: AbortSignal.timeout(10_000), unlocked: true });

const writes = ({ counters: { ops } }: CoordinationTree): number =>
  ops.create.sent + ops.set.sent + ops.remove.sent + ops.multi.sent;

const names = async ({ tree }: NodeUnderTest, { pipeline }: Reign, stage: 'transform' | 'load') =>
  (await tree.children(stagePath(pipeline, stage)))?.names ?? [];

export function unlockedSuite(here: () => Bench): void {
  /** Batches at Transform, announced to a node that works without locks, and another node that locks. */
  async function announced(...seqs: readonly bigint[]) {
    const bench = here();
    const { pipeline, east, reign } = await bench.reigning();
    const [west, other] = [await bench.harness.open(), await bench.harness.open()];
    const source = bench.tasksOn(east, pipeline, ['extract']);
    const bring = async (seq: bigint) => {
      const header = batchHeaderOf(reign, seq, { hint: west.node });
      const extract = await source.publish(reign, header, { claim: true });
      await extract?.handOver(header, { claimNext: false });
    };
    for (const seq of seqs) await bring(seq);
    const tasks = bench.tasksOn(west, pipeline, ['transform', 'load']);
    // It thinks the announced node away, and so waits for nobody.
    const locking = () =>
      bench.tasksOn(other, pipeline, ['transform', 'load'], { isPresent: (node) => node !== west.node });
    return { pipeline, east, west, other, reign, bring, tasks, locking };
  }

  describe('tasks without locks', () => {
    it('take no write before their hand-over, which claims at once', async () => {
      const { west, reign, tasks } = await announced(1n);
      const before = writes(west.tree);
      const claim = await unlocked(tasks);
      expect(claim.isHeld()).toBe(true);
      expect(await west.tree.exists(lockOf(taskPath(reign.pipeline, 'transform', keyOf(1n))))).toBeNull();
      const load = await claim.handOver(claim.header, { claimNext: true });
      expect(writes(west.tree)).toBe(before + 1);
      expect(load?.isHeld()).toBe(true);
      expect(await names(west, reign, 'transform')).toEqual([]);
      expect(await names(west, reign, 'load')).toHaveLength(1);
    });

    it('are refused where somebody holds the lock', async () => {
      const { west, reign, tasks, locking } = await announced(1n);
      const claim = await unlocked(tasks);
      const held = await next(locking(), 'transform');
      await expect(claim.handOver(claim.header, { claimNext: true })).rejects.toMatchObject({
        code: 'HOLT_CLAIM_LOST',
      });
      expect(held.isHeld()).toBe(true);
      expect(await names(west, reign, 'load')).toEqual([]);
      expect((await held.handOver(held.header, { claimNext: true }))?.isHeld()).toBe(true);
    });

    it('are refused when somebody has handed the task over, and it is there once', async () => {
      const { west, reign, tasks, locking } = await announced(1n);
      const claim = await unlocked(tasks);
      const held = await next(locking(), 'transform');
      const load = await held.handOver(held.header, { claimNext: true });
      await expect(claim.handOver(claim.header, { claimNext: true })).rejects.toMatchObject({
        code: 'HOLT_CLAIM_LOST',
      });
      expect(load?.isHeld()).toBe(true);
      expect(await names(west, reign, 'load')).toHaveLength(1);
      expect(tasks.board('transform').claims).toEqual([]);
    });

    it('are refused under another epoch', async () => {
      const { west, pipeline, reign, tasks } = await announced(1n);
      const claim = await unlocked(tasks);
      const store = new TreePipelineStore(west.tree, pipeline);
      const ruling = await store.epoch.get();
      if (ruling === null) throw new Error('no epoch');
      // Unheard of yet: what remains is the check of the epoch's version.
      const handing = store.epoch
        .set({ ...ruling.value, epoch: 2 }, ruling.version)
        .then(() => claim.handOver(claim.header, { claimNext: true }));
      await expect(handing).rejects.toMatchObject({ code: 'HOLT_EPOCH_SUPERSEDED' });
      expect(await names(west, reign, 'transform')).toHaveLength(1);
      expect(await names(west, reign, 'load')).toEqual([]);
    });

    it('survive a lost answer to the hand-over: it happens once', async () => {
      const { west, pipeline, reign, tasks } = await announced(1n);
      const claim = await unlocked(tasks);
      west.loseNextReply();
      const load = await claim.handOver(claim.header, { claimNext: true });
      expect(load?.isHeld()).toBe(true);
      expect(await names(west, reign, 'load')).toHaveLength(1);
      await load?.finish(receiptOf(claim.header));
      expect((await new TreePipelineStore(west.tree, pipeline).receipt.get())?.value.seq).toBe('1');
      expect(await names(west, reign, 'load')).toEqual([]);
    });

    it('are there once when the answer is lost and nobody can tell whose hand-over it was', async () => {
      const { west, reign, tasks } = await announced(1n);
      const claim = await unlocked(tasks);
      west.loseNextReply();
      await expect(claim.handOver(claim.header, { claimNext: false })).rejects.toMatchObject({
        code: 'HOLT_CLAIM_LOST',
      });
      expect(await names(west, reign, 'transform')).toEqual([]);
      expect(await names(west, reign, 'load')).toHaveLength(1);
      expect((await next(tasks, 'load')).header.seq).toBe('1');
    });

    it('are handed over side by side, each with its claim on Load', async () => {
      const { tasks } = await announced(1n, 2n, 3n);
      const claims = [await unlocked(tasks), await unlocked(tasks), await unlocked(tasks)];
      const loads = await Promise.all(
        claims.map((claim) => claim.handOver(claim.header, { claimNext: true })),
      );
      expect(loads.map((load) => load?.isHeld() === true && load.header.seq)).toEqual(['1', '2', '3']);
    });

    it('give the claim on Load back when that on the batch before was not made', async () => {
      const { west, reign, tasks, locking } = await announced(1n, 2n);
      const [one, two] = [await unlocked(tasks), await unlocked(tasks)];
      const elsewhere = locking();
      const held = await next(elsewhere, 'transform');
      expect(held.header.seq).toBe('1');
      const [first, second] = await Promise.allSettled(
        [one, two].map((claim) => claim.handOver(claim.header, { claimNext: true })),
      );
      expect(first).toMatchObject({ status: 'rejected', reason: { code: 'HOLT_CLAIM_LOST' } });
      expect(second).toEqual({ status: 'fulfilled', value: null });
      expect(await west.tree.exists(lockOf(taskPath(reign.pipeline, 'load', keyOf(2n))))).toBeNull();
      await held.handOver(held.header, { claimNext: false });
      expect([(await next(elsewhere, 'load')).seq, (await next(elsewhere, 'load')).seq]).toEqual([1n, 2n]);
    });

    it('are locked the next time, once they were given back', async () => {
      const { west, reign, tasks } = await announced(1n);
      await (await unlocked(tasks)).release();
      const again = await unlocked(tasks);
      const lock = await west.tree.exists(lockOf(taskPath(reign.pipeline, 'transform', keyOf(1n))));
      expect(lock?.ephemeralOwner).toBe(west.tree.sessionId);
      expect((await again.handOver(again.header, { claimNext: true }))?.isHeld()).toBe(true);
    });

    it('are begun on word of them, and nothing comes of one that does not stand', async () => {
      const { west, reign, bring, tasks } = await announced();
      const board = tasks.board('transform');
      await waitFor(() => tasks.ruling !== null, { ...soon, what: 'the epoch to be read' });
      const header = batchHeaderOf(reign, 1n, { hint: west.node });
      board.announce({ ...header, tenure: '1'.repeat(32) as Reign['tenure'] });
      board.announce({ ...header, epoch: 2 });
      expect(board.tasks).toEqual([]);
      board.announce(header);
      const early = await unlocked(tasks);
      await expect(early.handOver(early.header, { claimNext: true })).rejects.toMatchObject({
        code: 'HOLT_CLAIM_LOST',
      });
      expect(board.tasks).toEqual([]);
      await bring(1n);
      const claim = await unlocked(tasks);
      expect((await claim.handOver(claim.header, { claimNext: true }))?.isHeld()).toBe(true);
      // Late word of what was handed over costs nothing.
      const before = writes(west.tree);
      board.announce(header);
      expect(await nextWithin(tasks, 'transform', 300)).toBeNull();
      expect(writes(west.tree)).toBe(before);
      expect(board.tasks).toEqual([]);
    });

    it('are not taken for gone because a listing does not show them yet', async () => {
      const { west, reign, bring, tasks } = await announced();
      const board = tasks.board('transform');
      await waitFor(() => tasks.ruling !== null, { ...soon, what: 'the epoch to be read' });
      board.announce(batchHeaderOf(reign, 1n, { hint: west.node }));
      const claim = await unlocked(tasks);
      await bring(2n);
      await waitFor(() => board.tasks.length === 2, { ...soon, what: 'a listing that shows the second' });
      expect(claim.isHeld()).toBe(true);
      await bring(1n);
      expect((await claim.handOver(claim.header, { claimNext: true }))?.isHeld()).toBe(true);
    });
  });
}
