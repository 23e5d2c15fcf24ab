/** Gathers what the tree says and what nodes report, for `pipelineStatus`. Reads only; one call a question. */

import { z } from 'zod';
import { withDeadline } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { batchHeader, parseTaskName } from '../../model/batch.ts';
import { whatAndHow } from '../../model/error-codes.ts';
import type { PipelineId } from '../../model/ids.ts';
import type { ClockReading } from '../../model/lag.ts';
import { TASK_STAGES, type TaskStage } from '../../model/stage.ts';
import type { NodeRegistry, PipelineStore } from '../../scheduler/contract.ts';
import { lockOf, mainLockPath, stagePath } from '../../scheduler/paths.ts';
import { lockRecord } from '../../scheduler/records.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import type { ChannelClient } from '../../stages/pipe/channel/channel-client.ts';
import type { LaneView, NodeView } from '../operations.ts';
import { type NodeReport, nodeReport } from './node-report.ts';
import {
  type PipelineFacts,
  type PipelineStatus,
  pipelineStatus,
  type Refusal,
  type StageTasks,
} from './pipeline-status.ts';

export const STATUS_ROUTE = '/status/v1/node';
/** Answers with `timeAnswer`: for measuring clocks. */
export const TIME_ROUTE = '/status/v1/time';
export const timeAnswer = z.strictObject({ nowMs: z.number() });
/** A node that is slower than this is shown as not answering. */
const ANSWER_MS = 1_000;
/** One that did not answer the last time is not waited for as long: it must not slow down what is said of all others. */
const SILENT_ANSWER_MS = 500;
/** How long the tree may be away before that is the answer; well below the CLI's own patience. */
const TREE_MS = 3_000;

export interface StatusCollectorOptions {
  readonly tree: CoordinationTree;
  readonly registry: NodeRegistry;
  readonly store: (pipeline: PipelineId) => PipelineStore;
  readonly client: ChannelClient;
  readonly own: () => NodeReport;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Heard {
  readonly report: NodeReport | null;
  /** When it last answered, on our monotonic clock. */
  readonly answeredMs: number | null;
  /** Why it will not talk to us, where it says so itself: another key, a clock that is apart. */
  readonly refusal: Refusal | null;
}

export class StatusCollector {
  readonly #options: StatusCollectorOptions;
  readonly #lastAnswered = new Map<string, number>();
  readonly #silent = new Set<string>();
  #hearing: Promise<ReadonlyMap<string, Heard>> | null = null;

  constructor(options: StatusCollectorOptions) {
    this.#options = options;
  }

  /** @throws TreeError (retry) when the tree cannot be asked: whoever waits for us learns why before he gives up. */
  async pipelines(names: readonly PipelineId[]): Promise<readonly PipelineStatus[]> {
    await this.#options.tree.whenConnected({ deadlineMs: TREE_MS });
    const heard = await this.#hearAll();
    return Promise.all(names.map(async (name) => pipelineStatus(await this.#facts(name, heard))));
  }

  /** Hears all nodes, and looks at the pipelines that are chosen by what they say. @throws as `pipelines`. */
  async survey(choose: (heard: ReadonlyMap<string, Heard>) => readonly PipelineId[]): Promise<{
    readonly heard: ReadonlyMap<string, Heard>;
    readonly statuses: readonly PipelineStatus[];
  }> {
    await this.#options.tree.whenConnected({ deadlineMs: TREE_MS });
    const heard = await this.#hearAll();
    const statuses = await Promise.all(
      choose(heard).map(async (name) => pipelineStatus(await this.#facts(name, heard))),
    );
    return { heard, statuses };
  }

  async nodes(): Promise<readonly NodeView[]> {
    const heard = await this.#hearAll();
    return this.#options.registry.nodes.map((presence) => {
      const { report = null, answeredMs = null } = heard.get(presence.node) ?? {};
      return {
        node: presence.node,
        site: presence.site,
        release: presence.release,
        state: stateOf(report),
        ageSeconds:
          report !== null
            ? 0
            : answeredMs === null
              ? null
              : Math.round((this.#options.clock.monotonicMs() - answeredMs) / 1000),
        session: report?.session.state ?? null,
        memoryBytes: report?.memoryBytes ?? null,
        eventLoopP99Ms: report?.eventLoopP99Ms ?? null,
        stages: presence.stages,
      };
    });
  }

  /** The node that holds a pipeline's mainstem, by its lock; null when nobody does. */
  leader(pipeline: PipelineId): Promise<string | null> {
    return this.#holder(mainLockPath(pipeline));
  }

  /** Pipelines whose mainstem a node that answers says it holds. */
  async led(): Promise<ReadonlySet<string>> {
    return new Set(
      [...(await this.#hearAll()).values()].flatMap(({ report }) =>
        (report?.pipelines ?? []).flatMap((one) => (one.select === null ? [] : [one.pipeline])),
      ),
    );
  }

  async clocks(): Promise<readonly ClockReading[]> {
    return [...(await this.#hearAll()).values()].flatMap(({ report }) => report?.clocks ?? []);
  }

  /** Those who ask at the same time hear the same. */
  #hearAll(): Promise<ReadonlyMap<string, Heard>> {
    this.#hearing ??= this.#hearEach().finally(() => {
      this.#hearing = null;
    });
    return this.#hearing;
  }

  async #hearEach(): Promise<ReadonlyMap<string, Heard>> {
    const { registry } = this.#options;
    const heard = await Promise.all(
      registry.nodes.map(
        async ({ node, address }): Promise<[string, Heard]> => [node, await this.#hear(node, address)],
      ),
    );
    return new Map(heard);
  }

  async #hear(node: string, address: string): Promise<Heard> {
    const { registry, own, client, clock, log } = this.#options;
    if (node === registry.self.node) return { report: own(), answeredMs: clock.monotonicMs(), refusal: null };
    const controller = new AbortController();
    try {
      const value = await withDeadline(
        client.json(address, STATUS_ROUTE, controller.signal),
        this.#silent.has(node) ? SILENT_ANSWER_MS : ANSWER_MS,
        `node ${node}`,
      );
      const report = nodeReport.parse(value);
      const answeredMs = clock.monotonicMs();
      this.#lastAnswered.set(node, answeredMs);
      this.#silent.delete(node);
      return { report, answeredMs, refusal: null };
    } catch (error) {
      controller.abort();
      this.#silent.add(node);
      log.debug({ event: 'status:node:silent', other: node, err: error }, 'a node did not say how it is');
      return {
        report: null,
        answeredMs: this.#lastAnswered.get(node) ?? null,
        refusal:
          error instanceof HoltError && error.code === 'HOLT_PIPE_REFUSED'
            ? { code: error.code, message: whatAndHow(error) }
            : null,
      };
    }
  }

  async #facts(pipeline: PipelineId, heard: ReadonlyMap<string, Heard>): Promise<PipelineFacts> {
    const { store, clock } = this.#options;
    const records = store(pipeline);
    const [config, desired, epoch, receipt, termination, mainstem, extract, transform, load] =
      await Promise.all([
        records.config.read(),
        records.desired.read(),
        records.epoch.read(),
        records.receipt.read(),
        records.termination.read(),
        this.#holder(mainLockPath(pipeline)),
        ...TASK_STAGES.map((stage) => this.#stage(pipeline, stage)),
      ]);
    const shares = [...heard].flatMap(([node, { report }]) =>
      (report?.pipelines ?? [])
        .filter((one) => one.pipeline === pipeline)
        .map((share) => ({ node, share, uptimeMs: report === null ? 0 : report.nowMs - report.startedMs })),
    );
    const reports = (stage: TaskStage) =>
      shares.flatMap(({ node, share, uptimeMs }) =>
        share[stage] === null ? [] : [{ node, report: share[stage], uptimeMs }],
      );
    const none: StageTasks = { tasks: 0, lowest: null, holder: null };
    const owner = mainstem === null ? undefined : heard.get(mainstem);
    const monotonicMs = clock.monotonicMs();
    const foreign = [config, desired, epoch, receipt, termination].find((one) => one.kind === 'foreign');
    const received = receipt.kind === 'value' ? receipt.value : null;
    return {
      pipeline,
      nowMs: clock.nowMs(),
      desired:
        desired.kind === 'value'
          ? desired.value
          : { desired: 'running', by: 'holt', why: '', code: null, sinceMs: null },
      foreign:
        foreign?.kind === 'foreign' ? { code: foreign.error.code, message: whatAndHow(foreign.error) } : null,
      epoch: epoch.kind === 'value' ? epoch.value.epoch : null,
      mainstem,
      stages: { extract: extract ?? none, transform: transform ?? none, load: load ?? none },
      select: shares.find(({ node }) => node === mainstem)?.share.select ?? null,
      selectAgeMs: owner?.answeredMs == null ? 0 : Math.max(0, monotonicMs - owner.answeredMs),
      session: owner?.report?.session ?? null,
      hindrance:
        mainstem === null
          ? (shares.find(({ share }) => share.select?.problem)?.share.select?.problem ?? null)
          : null,
      refusals: new Map(
        [...heard].flatMap(([node, { refusal }]) => (refusal === null ? [] : [[node, refusal]])),
      ),
      silent: new Map(
        [...heard].flatMap(([node, { report, answeredMs }]) =>
          report === null
            ? [
                [
                  node,
                  {
                    agoMs: answeredMs === null ? null : monotonicMs - answeredMs,
                    stages: this.#options.registry.nodes.find((one) => one.node === node)?.stages ?? [],
                  },
                ],
              ]
            : [],
        ),
      ),
      reports: { extract: reports('extract'), transform: reports('transform'), load: reports('load') },
      parked: shares.map(({ share }) => share.parked).find((one) => one !== null) ?? [],
      lanes: busiest(shares.map(({ share }) => share.lanes)),
      appliedSeq: received?.seq ?? null,
      appliedMs: received?.appliedMs ?? null,
      lastCommitMs: received === null ? null : received.lastCommitUs / 1000,
    };
  }

  /** Node in a lock; null when it is free or unreadable. */
  async #holder(path: string): Promise<string | null> {
    const value = await this.#options.tree.get(path);
    const parsed = lockRecord.safeParse(value === null ? null : json(value.data));
    return parsed.success ? parsed.data.node : null;
  }

  async #stage(pipeline: PipelineId, stage: TaskStage): Promise<StageTasks> {
    const { tree } = this.#options;
    const path = stagePath(pipeline, stage);
    const names = ((await tree.children(path))?.names ?? []).filter((name) => parseTaskName(name) !== null);
    const lowest = names[0];
    const key = lowest === undefined ? null : parseTaskName(lowest);
    if (lowest === undefined || key === null) return { tasks: 0, lowest: null, holder: null };
    const [task, holder] = await Promise.all([
      tree.get(`${path}/${lowest}`),
      this.#holder(lockOf(`${path}/${lowest}`)),
    ]);
    const header = batchHeader.safeParse(task === null ? null : json(task.data));
    return {
      tasks: names.length,
      lowest: {
        seq: String(key.seq),
        part: key.part,
        commitMs: header.success ? header.data.firstCommitUs / 1000 : null,
        payloadNode: header.success && header.data.payload.kind === 'node' ? header.data.payload.node : null,
      },
      holder,
    };
  }
}

function json(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    return null;
  }
}

/** Of the node that loads; others know of lanes only what they wrote before. */
function busiest(all: readonly (readonly LaneView[])[]): readonly LaneView[] {
  const rows = (lanes: readonly LaneView[]) => lanes.reduce((sum, one) => sum + one.rows, 0);
  return all.reduce((most, lanes) => (lanes.length > 0 && rows(lanes) >= rows(most) ? lanes : most), []);
}

function stateOf(report: NodeReport | null): NodeView['state'] {
  if (report === null) return 'unknown';
  if (report.drained) return 'drained';
  return report.draining ? 'draining' : 'ready';
}
