import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { NodeId } from '../../../model/ids.ts';
import { TASK_STAGES } from '../../../model/stage.ts';
import { lockOf, stagePath, taskPath } from '../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../scheduler/pipeline-store.ts';
import { batchHeaderOf, freshPipeline, receiptOf } from '../../support/scheduler-fixtures.ts';
import {
  type Bench,
  forever,
  mainstemOn,
  next,
  nextWithin,
  placeAt,
  raised,
  soon,
  withLease,
} from './scheduler-bench.ts';

export function tasksSuite(here: () => Bench): void {
  describe('tasks', () => {
    it('go through the stages, each hand-over in one write, to the receipt', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const west = await bench.harness.open();
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const target = bench.tasksOn(west, pipeline, ['transform', 'load']);
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
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const others = [await bench.harness.open(), await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const workers = others.map((other) =>
        bench.tasksOn(other, pipeline, ['extract'], { othersDelayMs: 0 }),
      );
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

    it('are all claimed again when their holder dies', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const first = bench.tasksOn(one, pipeline, ['extract']);
      for (const seq of [1n, 2n, 3n])
        await source.publish(reign, batchHeaderOf(reign, seq, { payload: placeAt(one.node) }), {
          claim: false,
        });
      const held = [await next(first, 'extract'), await next(first, 'extract'), await next(first, 'extract')];
      expect(held.map(({ header }) => header.seq)).toEqual(['1', '2', '3']);
      const second = bench.tasksOn(two, pipeline, ['extract']);
      expect(await nextWithin(second, 'extract', 300)).toBeNull();
      const again = next(second, 'extract');
      one.cutOff();
      const claims = [await again, await next(second, 'extract'), await next(second, 'extract')];
      // Which of the locks is heard to be gone first is up to the server; of those known to be free the lowest is
      // claimed, which `test/unit/scheduler/picking.test.ts` shows.
      expect(claims.map(({ header }) => header.seq).sort()).toEqual(['1', '2', '3']);
      for (const claim of held) {
        expect(claim.isHeld()).toBe(false);
        expect(claim.lost.aborted).toBe(true);
      }
    });

    it('cannot be handed over by a holder whose session ended, even when it wakes up later', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const first = bench.tasksOn(one, pipeline, ['extract']);
      await source.publish(reign, batchHeaderOf(reign, 1n, { payload: placeAt(one.node) }), { claim: false });
      const stale = await next(first, 'extract');
      one.cutOff();
      const fresh = await next(bench.tasksOn(two, pipeline, ['extract']), 'extract');
      one.resume();
      await expect(stale.handOver(stale.header, { claimNext: false })).rejects.toMatchObject({
        code: 'HOLT_CLAIM_LOST',
      });
      expect(fresh.isHeld()).toBe(true);
      expect(await fresh.handOver(fresh.header, { claimNext: false })).toBeNull();
    });

    it('cannot be handed over under another epoch, when /epoch is at version 0 too', async () => {
      const bench = here();
      const { pipeline, east, mainstem, target, reign } = await bench.reigning();
      expect(reign.epochVersion).toBe(0);
      const source = bench.tasksOn(east, pipeline, ['extract']);
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
      const bench = here();
      const { pipeline, east, mainstem, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline, ['extract']);
      await raised(mainstem);
      await expect(tasks.publish(reign, batchHeaderOf(reign, 1n), { claim: false })).rejects.toMatchObject({
        code: 'HOLT_EPOCH_SUPERSEDED',
      });
      expect((await east.tree.children(stagePath(pipeline, 'extract')))?.names).toEqual([]);
    });

    it('are not published by a reign that has not heard yet that it is over', async () => {
      const bench = here();
      const { pipeline, east, mainstem, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline, ['extract']);
      await raised(mainstem);
      const deaf = { ...reign, over: forever };
      await expect(tasks.publish(deaf, batchHeaderOf(reign, 1n), { claim: true })).rejects.toMatchObject({
        code: 'HOLT_EPOCH_SUPERSEDED',
      });
      expect((await east.tree.children(stagePath(pipeline, 'extract')))?.names).toEqual([]);
    });

    it('go to the hinted node at once, to others a little later, or at once if it is not there', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const [hinted, other] = [await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const present = new Set([hinted.node, other.node]);
      const isPresent = (node: NodeId) => present.has(node);
      const worker = bench.tasksOn(other, pipeline, ['transform'], { isPresent, othersDelayMs: 2_000 });
      const publish = async (seq: bigint) => {
        const header = batchHeaderOf(reign, seq, { hint: hinted.node });
        const claim = await source.publish(reign, header, { claim: true });
        await claim?.handOver(header, { claimNext: false });
      };
      await publish(1n);
      expect(await nextWithin(worker, 'transform', 500)).toBeNull();
      const first = await next(
        bench.tasksOn(hinted, pipeline, ['transform'], { isPresent, othersDelayMs: 2_000 }),
        'transform',
      );
      expect(first.header.seq).toBe('1');
      present.delete(hinted.node);
      await publish(2n);
      expect((await nextWithin(worker, 'transform', 1_500))?.header.seq).toBe('2');
    });

    it('are not claimed without capacity, and the lowest is always asked for first', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const worker = bench.tasksOn(await bench.harness.open(), pipeline, ['extract'], { othersDelayMs: 0 });
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
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const first = bench.tasksOn(one, pipeline, ['extract']);
      await source.publish(reign, batchHeaderOf(reign, 1n, { payload: placeAt(one.node) }), { claim: false });
      const held = await next(first, 'extract');
      const second = bench.tasksOn(two, pipeline, ['extract']);
      const again = second
        .board('extract')
        .next({ signal: AbortSignal.timeout(bench.harness.sessionTimeoutMs) });
      await waitFor(() => second.board('extract').tasks[0]?.lock === 'taken', { ...soon, what: 'it waits' });
      await first.stop();
      expect(held.isHeld()).toBe(false);
      expect((await again).header.seq).toBe('1');
    });

    it('are given back over a link that breaks, to whoever waits, and taken from nobody', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract']);
      const first = bench.tasksOn(one, pipeline, ['extract'], { othersDelayMs: 60_000 });
      const place = placeAt(one.node);
      const breakLink = [() => one.loseNextReply(), () => one.cutOff()];
      for (const [index, breaks] of breakLink.entries()) {
        await source.publish(reign, batchHeaderOf(reign, BigInt(index + 1), { payload: place }), {
          claim: false,
        });
        const held = await next(first, 'extract');
        const session = one.tree.sessionId;
        breaks();
        const released = held.release();
        one.resume();
        const second = bench.tasksOn(two, pipeline, ['extract']);
        const again = await next(second, 'extract');
        await released;
        expect(held.isHeld()).toBe(false);
        expect(again.isHeld()).toBe(true);
        expect(one.tree.sessionId).toBe(session);
        expect(await again.handOver(again.header, { claimNext: false })).toBeNull();
        await second.stop();
      }
    });

    it('survive a lost answer to the hand-over: it happens once', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline);
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
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const west = await bench.harness.open();
      const tasks = bench.tasksOn(east, pipeline, ['extract']);
      const worker = bench.tasksOn(west, pipeline, ['extract']);
      east.loseNextReply();
      await tasks.publish(reign, batchHeaderOf(reign, 1n, { payload: placeAt(west.node) }), { claim: false });
      await waitFor(() => worker.board('extract').tasks.length === 1, { ...soon, what: 'it is listed' });
      west.loseNextReply();
      const claim = await next(worker, 'extract');
      expect(claim.isHeld()).toBe(true);
      await claim.handOver(claim.header, { claimNext: false });
    });

    it('of which one cannot be read ask for a rewind, and affect no other pipeline', async () => {
      const bench = here();
      const { pipeline, east, mainstem, reign } = await bench.reigning();
      const healthy = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline, ['extract']);
      const others = bench.tasksOn(healthy.east, healthy.pipeline, ['extract']);
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

  describe('a lease that is over before anybody has told', () => {
    it('makes nothing held any more', async () => {
      const bench = here();
      const { pipeline, east, target, reign } = await bench.reigning();
      let isOver = false;
      const tree = withLease(east.tree, () => (isOver ? 0 : east.tree.leaseRemainingMs()));
      const tasks = bench.tasksOn({ ...east, tree }, pipeline, ['extract']);
      const claim = await tasks.publish(reign, batchHeaderOf(reign, 1n), { claim: true });
      const other = freshPipeline();
      const mainstem = await mainstemOn({ ...east, tree }, other, target);
      expect([claim?.isHeld(), mainstem.isHeld()]).toEqual([true, true]);
      isOver = true;
      expect([claim?.isHeld(), mainstem.isHeld()]).toEqual([false, false]);
      expect(mainstem.lost.aborted).toBe(false);
      isOver = false;
    });
  });

  describe('a session that ends while it works', () => {
    it('leaves locks to nobody but the next claimer', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const one = await bench.harness.open();
      const tasks = bench.tasksOn(east, pipeline, ['extract']);
      const worker = bench.tasksOn(one, pipeline, ['extract']);
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
