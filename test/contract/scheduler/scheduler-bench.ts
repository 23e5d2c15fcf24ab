import { afterAll, afterEach, beforeAll } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { Service } from '../../../lib/service.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import type { NodeId, PipelineId } from '../../../model/ids.ts';
import { TASK_STAGES, type TaskStage } from '../../../model/stage.ts';
import type { Claim, Mainstem, Reign } from '../../../scheduler/contract.ts';
import { TreeMainstem } from '../../../scheduler/mainstem.ts';
import { TreePipelineTasks } from '../../../scheduler/pipeline-tasks.ts';
import type { CoordinationTree } from '../../../scheduler/tree/tree.ts';
import { overlaid } from '../../support/overlaid.ts';
import { batchHeaderOf, freshPipeline, RowInMemory } from '../../support/scheduler-fixtures.ts';
import type { NodeUnderTest, SchedulerHarness } from './scheduler-harness.ts';

export const soon = { timeoutMs: 10_000, pollMs: 5 };
export const forever = new AbortController().signal;

/** What the tests of the scheduler work with; everything started on it is stopped after each test. */
export class Bench {
  harness: SchedulerHarness;
  #services: { readonly service: Service; readonly over: Promise<void> }[] = [];

  constructor(harness: SchedulerHarness) {
    this.harness = harness;
  }

  started<T extends Service>(service: T): T {
    this.#services.push({ service, over: service.run() });
    return service;
  }

  tasksOn(
    { tree, node, instance }: NodeUnderTest,
    pipeline: PipelineId,
    stages: readonly TaskStage[] = TASK_STAGES,
    over: { isPresent?: (node: NodeId) => boolean; othersDelayMs?: number } = {},
  ): TreePipelineTasks {
    const isPresent = () => true;
    const options = { tree, pipeline, node, instance, stages, isPresent, othersDelayMs: 50, ...over };
    return this.started(new TreePipelineTasks(options));
  }

  /** A pipeline with a reign, and a node that is its mainstem. */
  async reigning() {
    const pipeline = freshPipeline();
    const east = await this.harness.open();
    const target = new RowInMemory();
    const mainstem = await mainstemOn(east, pipeline, target);
    const reign = await raised(mainstem);
    return { pipeline, east, target, mainstem, reign };
  }

  async stopAll(): Promise<void> {
    const services = this.#services;
    this.#services = [];
    await Promise.all(
      services.map(async ({ service, over }) => {
        await service.stop();
        await over;
      }),
    );
    await this.harness.closeAll();
  }
}

/** One bench for all tests of the suite that calls it; there from the first test on. */
export function useBench(start: () => Promise<SchedulerHarness>): () => Bench {
  let bench: Bench | null = null;
  const here = (): Bench => {
    if (bench === null) throw new Error('the bench is there from the first test on');
    return bench;
  };
  beforeAll(async () => {
    bench = new Bench(await start());
  });
  afterEach(() => here().stopAll());
  afterAll(() => here().harness.end());
  return here;
}

export async function mainstemOn(
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

export async function raised(mainstem: Mainstem): Promise<Reign> {
  const result = await mainstem.raise(AbortSignal.timeout(10_000));
  if (result.kind !== 'reign') throw new Error(`no reign: ${JSON.stringify(result, bigints)}`);
  return result.reign;
}

export const next = (tasks: TreePipelineTasks, stage: TaskStage): Promise<Claim> =>
  tasks.board(stage).next({ signal: AbortSignal.timeout(10_000) });

/** Resolves to null if nothing is granted within the time. */
export const nextWithin = async (
  tasks: TreePipelineTasks,
  stage: TaskStage,
  ms: number,
): Promise<Claim | null> =>
  tasks
    .board(stage)
    .next({ signal: AbortSignal.timeout(ms) })
    .catch(() => null);

/** Through Extract and Transform to Load's board, unclaimed. */
export async function brought(tasks: TreePipelineTasks, reign: Reign, header: BatchHeader): Promise<void> {
  const extract = await tasks.publish(reign, header, { claim: true });
  const transform = await extract?.handOver(header, { claimNext: true });
  await transform?.handOver(header, { claimNext: false });
}

/** The tree with another lease clock. */
export function withLease(tree: CoordinationTree, leaseRemainingMs: () => number): CoordinationTree {
  return overlaid(tree, { leaseRemainingMs });
}

/** The tree, where something happens before the first call of a method goes out. */
export function beforeFirst(
  tree: CoordinationTree,
  method: 'children',
  happens: () => Promise<void>,
): CoordinationTree {
  let isFirst = true;
  const children: CoordinationTree['children'] = async (path, options) => {
    if (isFirst) {
      isFirst = false;
      await happens();
    }
    return tree[method](path, options);
  };
  return overlaid(tree, { children });
}

/** Waits until two looks in a row are equal. */
export async function settle(look: () => unknown): Promise<void> {
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

export function placeAt(node: NodeId): BatchHeader['payload'] {
  return { ...batchHeaderOf(anyReign, 1n).payload, node };
}
const anyReign = { pipeline: 'p' as PipelineId, epoch: 1, tenure: '0'.repeat(32) as Reign['tenure'] };

function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
