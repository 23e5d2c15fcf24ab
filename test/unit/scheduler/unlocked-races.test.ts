/**
 * A node that works without locks and one that makes them, at the same tasks, over connections that break and sessions that end: however
 * it comes out, each batch is handed over once, and nobody's Load claim stands beside another's.
 */
import { expect, test } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { nodeId } from '../../../model/ids.ts';
import { TASK_STAGES } from '../../../model/stage.ts';
import type { Claim } from '../../../scheduler/contract.ts';
import { TreeMainstem } from '../../../scheduler/mainstem.ts';
import { stagePath } from '../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../scheduler/pipeline-store.ts';
import { TreePipelineTasks } from '../../../scheduler/pipeline-tasks.ts';
import { EmbeddedServer } from '../../../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../../../scheduler/tree/embedded/embedded-tree.ts';
import { Dice } from '../../support/dice.ts';
import { overlaid } from '../../support/overlaid.ts';
import { batchHeaderOf, freshPipeline, RowInMemory, receiptOf } from '../../support/scheduler-fixtures.ts';

const BATCHES = 12;

test.each([1, 2, 3, 4, 5, 6, 7, 8])('every batch arrives once, seed %i', async (seed) => {
  const dice = new Dice(seed);
  const server = new EmbeddedServer();
  const pipeline = freshPipeline();
  const over = new AbortController();
  const ends: (() => Promise<unknown>)[] = [];
  const session = async () => {
    const tree = embeddedTree({ server, sessionTimeoutMs: 2_000 });
    const run = tree.run();
    ends.unshift(async () => {
      await tree.stop();
      await run;
    });
    await tree.whenConnected();
    return tree;
  };
  const tasksOn = async (name: string, stages: readonly ('extract' | 'transform' | 'load')[]) => {
    const tree = await session();
    const tasks = new TreePipelineTasks({
      tree,
      pipeline,
      node: nodeId(name),
      instance: name,
      stages,
      isPresent: () => true,
      othersDelayMs: 1,
    });
    const run = tasks.run();
    ends.unshift(async () => {
      await tasks.stop();
      await run;
    });
    return { tree, tasks };
  };
  const east = await tasksOn('east-1', ['extract']);
  const target = new RowInMemory();
  const options = { tree: east.tree, pipeline, node: nodeId('east-1'), instance: 'east-1', target };
  const mainstem = await TreeMainstem.attempt(options, AbortSignal.timeout(5_000));
  const raised = await mainstem?.raise(AbortSignal.timeout(5_000));
  if (raised?.kind !== 'reign') throw new Error('no reign');
  const { reign } = raised;

  const handedOver = new Map<bigint, number>();
  const finished = new Map<bigint, number>();
  /** Claims on Load, with the session they were made in. */
  const loading = new Map<bigint, { readonly claim: Claim; readonly sessionId: string }>();
  /** Ended by the server, whatever the lease of their nodes says. */
  const ended = new Set<string>();
  const twice: bigint[] = [];
  const count = (of: Map<bigint, number>, seq: bigint) => of.set(seq, (of.get(seq) ?? 0) + 1);
  const pause = () => new Promise((resolve) => setTimeout(resolve, dice.below(4)));

  for (const [name, unlocked] of [
    ['west-1', true],
    ['west-2', false],
  ] as const) {
    const { tree, tasks } = await tasksOn(name, ['transform', 'load']);
    const harm = () => {
      const roll = dice.below(20);
      if (tree.sessionState !== 'connected' || ended.has(tree.sessionId)) return;
      if (roll < 4) server.loseNextReply(tree.sessionId);
      else if (roll === 4) {
        ended.add(tree.sessionId);
        server.expire(tree.sessionId);
      }
    };
    const load = async (claim: Claim) => {
      const other = loading.get(claim.seq);
      if (other?.claim.isHeld() === true && !ended.has(other.sessionId)) twice.push(claim.seq);
      loading.set(claim.seq, { claim, sessionId: tree.sessionId });
      await pause();
      if (!claim.isHeld()) return;
      try {
        await claim.finish(receiptOf(claim.header));
        count(finished, claim.seq);
      } catch {
        // Whoever claims it next goes on.
      }
    };
    const transform = async (claim: Claim) => {
      await pause();
      harm();
      try {
        if (dice.below(10) === 0) return await claim.release();
        const next = await claim.handOver(claim.header, { claimNext: true });
        count(handedOver, claim.seq);
        if (next !== null) await load(next);
      } catch {
        // As above.
      }
    };
    const work: Promise<void>[] = [];
    const worker = async (stage: 'transform' | 'load') => {
      while (!over.signal.aborted) {
        const claim = await tasks
          .board(stage)
          .next({ signal: over.signal, unlocked })
          .catch(() => null);
        if (claim !== null) work.push(stage === 'transform' ? transform(claim) : load(claim));
      }
      await Promise.all(work);
    };
    const working = [worker('transform'), worker('transform'), worker('load')];
    ends.unshift(() => {
      over.abort();
      return Promise.all(working);
    });
  }
  try {
    for (let seq = 1n; seq <= BigInt(BATCHES); seq++) {
      const header = batchHeaderOf(reign, seq, { hint: nodeId('west-1') });
      const extract = await east.tasks.publish(reign, header, { claim: true });
      await extract?.handOver(header, { claimNext: false });
      await pause();
    }
    const store = new TreePipelineStore(east.tree, pipeline);
    const standing = async () =>
      Promise.all(
        TASK_STAGES.map(async (stage) => (await east.tree.children(stagePath(pipeline, stage)))?.names ?? []),
      );
    await waitFor(async () => (await standing()).flat().length === 0, {
      timeoutMs: 60_000,
      pollMs: 20,
      what: 'no task to stand any more',
    });
    expect((await store.receipt.get())?.value.seq).toBe(String(BATCHES));
    expect(twice).toEqual([]);
    expect([...handedOver].filter(([, times]) => times > 1)).toEqual([]);
    expect([...finished].filter(([, times]) => times > 1)).toEqual([]);
  } finally {
    for (const end of ends) await end();
  }
});

test('a claim that comes with a hand-over as its session ends is told lost, and the task is claimed again', async () => {
  const server = new EmbeddedServer();
  const pipeline = freshPipeline();
  const tree = embeddedTree({ server });
  const treeRun = tree.run();
  await tree.whenConnected();
  const names = { pipeline, node: nodeId('node-1'), instance: 'i' };
  const mainstem = await TreeMainstem.attempt(
    { ...names, tree, target: new RowInMemory() },
    AbortSignal.timeout(5_000),
  );
  const raised = await mainstem?.raise(AbortSignal.timeout(5_000));
  if (raised?.kind !== 'reign') throw new Error('no reign');
  let isLast = false;
  const tasks = new TreePipelineTasks({
    ...names,
    stages: TASK_STAGES,
    isPresent: () => true,
    tree: overlaid(tree, {
      multi: async (ops, options) => {
        const answers = await tree.multi(ops, options);
        // The answer is here; whoever waits for it has its turn after the end of the session.
        if (isLast) {
          server.expire(tree.sessionId);
          await waitFor(() => tree.sessionState !== 'connected', {
            timeoutMs: 10_000,
            pollMs: 1,
            what: 'the end',
          });
        }
        return answers;
      },
    }),
  });
  const tasksRun = tasks.run();
  const header = batchHeaderOf(raised.reign, 1n);
  const extract = await tasks.publish(raised.reign, header, { claim: true });
  const transform = await extract?.handOver(header, { claimNext: true });
  isLast = true;
  const load = await transform?.handOver(header, { claimNext: true });
  isLast = false;
  expect(load?.lost.aborted).toBe(true);
  const again = await tasks.board('load').next({ signal: AbortSignal.timeout(30_000) });
  expect(again.isHeld()).toBe(true);
  await again.finish(receiptOf(header));
  await tasks.stop();
  await tasksRun;
  await tree.stop();
  await treeRun;
});
