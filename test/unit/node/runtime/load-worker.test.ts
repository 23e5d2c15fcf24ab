import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilAborted, waitFor } from '../../../../lib/abort.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { type Deferred, deferred } from '../../../../lib/deferred.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import type { BatchHeader } from '../../../../model/batch.ts';
import type { PipelineConfig } from '../../../../model/config.ts';
import { nodeId } from '../../../../model/ids.ts';
import { PayloadWriter } from '../../../../model/payload.ts';
import { LoadWorker } from '../../../../node/runtime/load-worker.ts';
import type { PipelineConfigs } from '../../../../node/runtime/pipeline-configs.ts';
import type { Reign } from '../../../../scheduler/contract.ts';
import { TreeMainstem } from '../../../../scheduler/mainstem.ts';
import { stagePath } from '../../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../../scheduler/pipeline-store.ts';
import { TreePipelineTasks } from '../../../../scheduler/pipeline-tasks.ts';
import type { TreeClient } from '../../../../scheduler/tree/client/tree-client.ts';
import { EmbeddedServer } from '../../../../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../../../../scheduler/tree/embedded/embedded-tree.ts';
import type { LoadRun, PreparedBatch } from '../../../../stages/load/load.ts';
import type { Pipe } from '../../../../stages/pipe/pipe.ts';
import type { LoadOutcome } from '../../../../stages/stage.ts';
import { overlaid } from '../../../support/overlaid.ts';
import { batchHeaderOf, freshPipeline, RowInMemory, receiptOf } from '../../../support/scheduler-fixtures.ts';

const soon = { timeoutMs: 5_000, pollMs: 2 };
const STATS = {
  rows: 1,
  inserted: 1,
  updated: 0,
  deleted: 0,
  statements: 1,
  ledgered: 0,
  careful: false,
  executeMs: 1,
  commitMs: 1,
};
const nameOf = ({ seq, part }: BatchHeader) => `${seq}.${part}`;

/** Answers as the test says, and writes down what it was asked. */
class ScriptedTarget {
  readonly calls: string[] = [];
  /** What becomes of a batch; applied, or a part done, when the test says nothing. */
  readonly answers = new Map<string, (signal: AbortSignal) => Promise<LoadOutcome | null>>();
  nextSeq = 1n;

  newRun(): LoadRun {
    this.calls.push('run');
    const load = async (prepared: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome | null> => {
      const { header } = prepared.batch;
      this.calls.push(nameOf(header));
      const answer = this.answers.get(nameOf(header));
      if (answer !== undefined) return answer(signal);
      if (!header.lastPart) return null;
      this.nextSeq = BigInt(header.seq) + 1n;
      return { kind: 'applied', receipt: receiptOf(header), stats: STATS };
    };
    const target = this;
    return {
      take: async () => {
        target.calls.push('take');
        return null;
      },
      load: async (prepared, signal) => (await load(prepared, signal)) as LoadOutcome,
      loadPart: load,
      get nextSeq() {
        return target.nextSeq;
      },
      open: null,
      close: async () => {
        target.calls.push('close');
      },
    };
  }
}

describe('LoadWorker', () => {
  let tree: TreeClient;
  let tasks: TreePipelineTasks;
  let worker: LoadWorker;
  let reign: Reign;
  let mainstem: TreeMainstem;
  let target: ScriptedTarget;
  let troubles: unknown[];
  let ends: (() => Promise<void>)[];
  /** Receipts on their way to the tree; they go on when it resolves. */
  let receiptsOut: number;
  let receiptsPass: Promise<void>;
  const pipeline = freshPipeline();

  beforeEach(async () => {
    ends = [];
    troubles = [];
    receiptsOut = 0;
    receiptsPass = Promise.resolve();
    target = new ScriptedTarget();
    tree = embeddedTree({ server: new EmbeddedServer() });
    const treeRun = tree.run();
    ends.unshift(async () => {
      await tree.stop();
      await treeRun;
    });
    await tree.whenConnected();
    const signal = AbortSignal.timeout(5_000);
    const node = nodeId('west-1');
    const taken = await TreeMainstem.attempt(
      { tree, pipeline, node, instance: 'i', target: new RowInMemory() },
      signal,
    );
    if (taken === null) throw new Error('no mainstem');
    mainstem = taken;
    await begin();
    tasks = new TreePipelineTasks({
      tree: overlaid(tree, {
        multi: async (ops, options) => {
          if (ops.some(({ path }) => path.endsWith('/receipt'))) {
            receiptsOut += 1;
            await receiptsPass;
          }
          return tree.multi(ops, options);
        },
      }),
      pipeline,
      node,
      instance: 'i',
      stages: ['extract', 'transform', 'load'],
      isPresent: () => true,
    });
    const tasksRun = tasks.run();
    ends.unshift(async () => {
      await tasks.stop();
      await tasksRun;
    });
    worker = new LoadWorker({
      tasks,
      configs: { at: async () => ({ rules: [] }) as unknown as PipelineConfig } as unknown as PipelineConfigs,
      pipe: { get: async () => new PayloadWriter().finish(), partReceived: () => {} } as unknown as Pipe,
      clock: systemClock,
      log: silentLogger,
      ahead: 2,
      maxBytes: 1_000_000,
      kit: async () => ({
        prepare: async (batch) => ({ batch, bytes: 1 }),
        tablesAsOf: () => {},
        server: () => Promise.resolve({ flavour: 'mysql' as const, version: 90_700 }),
        newRun: () => target.newRun(),
        close: async () => {},
      }),
      onTrouble: (error) => {
        if (error !== null) troubles.push(error);
      },
    });
    const workerRun = worker.run();
    ends.unshift(async () => {
      await worker.stop();
      await workerRun;
    });
  });

  afterEach(async () => {
    for (const end of ends) await end();
  });

  async function begin(): Promise<void> {
    const result = await mainstem.raise(AbortSignal.timeout(5_000));
    if (result.kind !== 'reign') throw new Error(result.kind);
    reign = result.reign;
  }

  async function bring(seq: bigint, parts = 1): Promise<void> {
    for (let part = 0; part < parts; part++) {
      const header = batchHeaderOf(reign, seq, { part, lastPart: part === parts - 1 });
      const extract = await tasks.publish(reign, header, { claim: true });
      const transform = await extract?.handOver(header, { claimNext: true });
      await transform?.handOver(header, { claimNext: false });
    }
  }

  const receipt = async () => (await new TreePipelineStore(tree, pipeline).receipt.get())?.value.seq;
  const standing = async () => (await tree.children(stagePath(pipeline, 'load')))?.names.length ?? 0;
  const received = (seq: string) =>
    waitFor(async () => (await receipt()) === seq && (await standing()) === 0, {
      ...soon,
      what: `receipt ${seq}`,
    });

  /** Holds the answer to a batch back until the test gives it. */
  function held(name: string): {
    readonly asked: Promise<void>;
    readonly answer: Deferred<LoadOutcome | null>;
  } {
    const asked = deferred<void>();
    const answer = deferred<LoadOutcome | null>();
    target.answers.set(name, async (signal) => {
      asked.resolve();
      target.answers.delete(name);
      return Promise.race([answer.promise, untilAborted(signal).then(() => Promise.reject(signal.reason))]);
    });
    return { asked: asked.promise, answer };
  }

  it('takes the run once, loads in order, gives every receipt', async () => {
    for (const seq of [1n, 2n, 3n, 4n]) await bring(seq);
    await received('4');
    expect(target.calls).toEqual(['run', 'take', '1.0', '2.0', '3.0', '4.0']);
    expect(worker.held).toBe(0);
  });

  it('loads the next batch while the receipt of the one before is on its way', async () => {
    const first = held('1.0');
    await bring(1n);
    await first.asked;
    await bring(2n);
    const second = held('2.0');
    target.nextSeq = 2n;
    first.answer.resolve({ kind: 'applied', receipt: receiptOf(batchHeaderOf(reign, 1n)), stats: STATS });
    await second.asked;
    second.answer.resolve({ kind: 'applied', receipt: receiptOf(batchHeaderOf(reign, 2n)), stats: STATS });
    await received('2');
  });

  it('gives receipts side by side: each takes a round trip to an ensemble that may be far', async () => {
    const pass = deferred<void>();
    receiptsPass = pass.promise;
    for (const seq of [1n, 2n, 3n]) await bring(seq);
    await waitFor(() => receiptsOut === 3, { ...soon, what: 'three receipts to be on their way' });
    expect(await receipt()).toBeUndefined();
    pass.resolve();
    await received('3');
  });

  it('looks at the row first when an empty advance has taken a seq', async () => {
    await bring(1n);
    await received('1');
    await bring(3n);
    await received('3');
    expect(target.calls).toEqual(['run', 'take', '1.0', 'take', '3.0']);
  });

  it('keeps the tasks of parts until the last of them is committed', async () => {
    const last = held('1.2');
    await bring(1n, 3);
    await last.asked;
    expect(await standing()).toBe(3);
    expect(await receipt()).toBeUndefined();
    last.answer.resolve({ kind: 'applied', receipt: receiptOf(batchHeaderOf(reign, 1n)), stats: STATS });
    await received('1');
  });

  it('gives the claims of executed parts back, too, when the run is lost, and begins at the first again', async () => {
    const second = held('1.1');
    await bring(1n, 2);
    await second.asked;
    second.answer.resolve({ kind: 'lost-run' });
    await received('1');
    expect(target.calls).toEqual(['run', 'take', '1.0', '1.1', 'close', 'run', 'take', '1.0', '1.1']);
  });

  it('takes all parts away when the first turns out to be a repeat', async () => {
    for (const part of [0, 1, 2])
      target.answers.set(`1.${part}`, async () => ({
        kind: 'repeat',
        receipt: receiptOf(batchHeaderOf(reign, 1n)),
      }));
    await bring(1n, 3);
    await received('1');
    expect(target.calls.filter((call) => call.startsWith('1.'))[0]).toBe('1.0');
  });

  it('asks for a rewind, holds its claims until the reign has ended, and goes on under the next', async () => {
    target.answers.set('1.0', async () => ({ kind: 'rewind', why: 'the row is elsewhere' }));
    await bring(1n);
    const request = await waitFor(() => new TreePipelineStore(tree, pipeline).termination.get(), {
      ...soon,
      what: 'the request',
    });
    expect(request.value).toMatchObject({ kind: 'rewind', code: 'HOLT_LOAD_REWIND', seq: '1' });
    expect(target.calls).toEqual(['run', 'take', '1.0', 'close']);
    expect(worker.held).toBe(1);
    target.answers.clear();
    await begin();
    await bring(1n);
    await received('1');
    expect(target.calls).toEqual(['run', 'take', '1.0', 'close', 'run', 'take', '1.0']);
  });

  it('asks for a pause with the code when a person is needed', async () => {
    const error = new HoltError('HOLT_CHECKPOINT_MISSING', 'no row', { disposition: 'pause' });
    target.answers.set('1.0', async () => ({ kind: 'stop', error }));
    await bring(1n);
    const request = await waitFor(() => new TreePipelineStore(tree, pipeline).termination.get(), {
      ...soon,
      what: 'the request',
    });
    expect(request.value).toMatchObject({ kind: 'pause', code: 'HOLT_CHECKPOINT_MISSING' });
    await begin();
  });

  it('tries again after an error that may pass, and tells of it', async () => {
    const error = new HoltError('HOLT_TARGET_UNREACHABLE', 'no route', { disposition: 'retry' });
    target.answers.set('1.0', () => {
      target.answers.delete('1.0');
      return Promise.reject(error);
    });
    await bring(1n);
    await received('1');
    expect(troubles).toEqual([error]);
    expect(target.calls).toEqual(['run', 'take', '1.0', 'close', 'run', 'take', '1.0']);
  });

  it('stops at once when its claim is lost, and does not wait for the target', async () => {
    const first = held('1.0');
    await bring(1n);
    await first.asked;
    await begin();
    await waitFor(() => target.calls.at(-1) === 'close', { ...soon, what: 'the run is closed' });
    expect(worker.held).toBe(0);
  });

  it('finishes the batch in work when it is stopped, and gives the others back', async () => {
    const first = held('1.0');
    await bring(1n);
    await first.asked;
    await bring(2n);
    await waitFor(() => worker.held === 2, { ...soon, what: 'both are claimed' });
    const stopped = worker.stop();
    first.answer.resolve({ kind: 'applied', receipt: receiptOf(batchHeaderOf(reign, 1n)), stats: STATS });
    await stopped;
    expect(await receipt()).toBe('1');
    expect(await standing()).toBe(1);
    expect(tasks.board('load').claims).toEqual([]);
    expect(target.calls).toEqual(['run', 'take', '1.0', 'close']);
  });
});
