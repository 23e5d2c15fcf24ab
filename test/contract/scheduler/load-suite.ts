import { describe, expect, it } from 'vitest';
import type { BatchHeader } from '../../../model/batch.ts';
import { stagePath } from '../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../scheduler/pipeline-store.ts';
import { batchHeaderOf, receiptOf } from '../../support/scheduler-fixtures.ts';
import { type Bench, brought, next, nextWithin } from './scheduler-bench.ts';

export function loadSuite(here: () => Bench): void {
  describe('Load', () => {
    it('is claimed ahead only by the holder of the batch before', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract', 'transform']);
      for (const seq of [1n, 2n, 3n])
        await brought(source, reign, batchHeaderOf(reign, seq, { hint: seq === 2n ? two.node : one.node }));
      const first = bench.tasksOn(one, pipeline, ['load']);
      const second = bench.tasksOn(two, pipeline, ['load']);
      const head = await next(first, 'load');
      expect(head.header.seq).toBe('1');
      expect(await nextWithin(second, 'load', 500)).toBeNull();
      expect((await next(first, 'load')).header.seq).toBe('2');
      await head.finish(receiptOf(head.header));
      expect(await nextWithin(second, 'load', 300)).toBeNull();
      expect((await next(first, 'load')).header.seq).toBe('3');
    });

    it('comes with the hand-over of Transform only when it is the turn of the batch', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const west = await bench.harness.open();
      const tasks = bench.tasksOn(east, pipeline);
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
      expect(await nextWithin(bench.tasksOn(west, pipeline, ['load']), 'load', 300)).toBeNull();
    });

    it('goes on after an empty advance, which takes a seq without a task', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline);
      await brought(tasks, reign, batchHeaderOf(reign, 3n, { hint: east.node }));
      expect((await next(tasks, 'load')).header.seq).toBe('3');
    });

    it('is not claimed while a lower batch is at an earlier stage, though none is at Load', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline);
      const lower = await tasks.publish(reign, batchHeaderOf(reign, 2n), { claim: true });
      await brought(tasks, reign, batchHeaderOf(reign, 3n));
      expect(await nextWithin(tasks, 'load', 300)).toBeNull();
      const transform = await lower?.handOver(lower.header, { claimNext: true });
      await transform?.handOver(transform.header, { claimNext: false });
      expect((await next(tasks, 'load')).header.seq).toBe('2');
      expect((await next(tasks, 'load')).header.seq).toBe('3');
    });

    it('takes all parts of a large transaction away with the receipt, and not before', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline);
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

    it('has a receipt that never goes back, though batches are finished side by side', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline);
      for (const seq of [1n, 2n]) await brought(tasks, reign, batchHeaderOf(reign, seq));
      const [first, second] = [await next(tasks, 'load'), await next(tasks, 'load')];
      // As when the answer to the first is lost, and it is sent again.
      await second.finish(receiptOf(second.header));
      await first.finish(receiptOf(first.header));
      expect((await new TreePipelineStore(east.tree, pipeline).receipt.get())?.value.seq).toBe('2');
      expect((await east.tree.children(stagePath(pipeline, 'load')))?.names).toEqual([]);
    });

    it('gives no part to a node that does not hold the part before', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const source = bench.tasksOn(east, pipeline, ['extract', 'transform']);
      for (const part of [0, 1])
        await brought(source, reign, batchHeaderOf(reign, 1n, { part, lastPart: part === 1 }));
      const first = await next(bench.tasksOn(one, pipeline, ['load']), 'load');
      expect(first.header.part).toBe(0);
      const second = bench.tasksOn(two, pipeline, ['load']);
      expect(await nextWithin(second, 'load', 400)).toBeNull();
      const taken = next(second, 'load');
      one.cutOff();
      expect((await taken).header.part).toBe(0);
    });
  });
}
