/** What the installation is made of, and what stands in its coordination tree: read only, from any node. */
import { z } from 'zod';
import { HoltError } from '../lib/errors.ts';
import { type BatchHeader, batchHeader, parseTaskName } from '../model/batch.ts';
import type { HoltConfig, PipelineConfig } from '../model/config.ts';
import type { DataSourceId, PipelineId } from '../model/ids.ts';
import { STAGES, TASK_STAGES, type TaskStage } from '../model/stage.ts';
import type { NodeRegistry } from '../scheduler/contract.ts';
import { ACCESS, lockOf, mainLockPath, runningPath, stagePath } from '../scheduler/paths.ts';
import { lockRecord, sourceRunning } from '../scheduler/records.ts';
import type { CoordinationTree } from '../scheduler/tree/tree.ts';
import type { PeerQuestion, Peers } from './api/peers.ts';
import {
  type BatchView,
  type ClaimView,
  type DrainView,
  type LogLevelView,
  type SiteView,
  WORK_STATES,
  type WorkState,
  type ZnodeView,
} from './cluster-views.ts';
import { LOG_LEVELS, type LogGate, type LogLevel } from './log-levels.ts';
import type { NodeWork } from './node-work.ts';
import type { NodeView } from './operations.ts';

/** Null only asks. */
export const LOG_LEVEL_QUESTION: PeerQuestion<{ level: LogLevel | null }, { level: LogLevel }> = {
  name: 'log-level',
  question: z.strictObject({ level: z.enum(LOG_LEVELS).nullable() }),
  answer: z.strictObject({ level: z.enum(LOG_LEVELS) }),
};

/** Null only asks. */
export const DRAIN_QUESTION: PeerQuestion<{ drain: boolean | null }, { state: WorkState }> = {
  name: 'drain',
  question: z.strictObject({ drain: z.boolean().nullable() }),
  answer: z.strictObject({ state: z.enum(WORK_STATES) }),
};

export interface ClusterOptions {
  readonly config: HoltConfig;
  readonly tree: CoordinationTree;
  readonly registry: NodeRegistry;
  readonly peers: Peers;
  readonly logGate: LogGate;
  readonly work: Pick<NodeWork, 'state' | 'want'>;
  readonly nodes: () => Promise<readonly NodeView[]>;
  readonly nowMs: () => number;
}

/** A batch at a stage. */
export interface StandingTask {
  /** The name of its task. */
  readonly id: string;
  readonly stage: TaskStage;
  readonly header: BatchHeader;
  readonly holder: string | null;
  readonly heldSinceMs: number | null;
}

const DEADLINE_MS = 5_000;
/** Tasks of a pipeline that are shown; a window has fewer. */
const MAX_BATCHES = 1_000;
const MAX_POSITION = 500;

export class Cluster {
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  sites(): readonly SiteView[] {
    const { config, registry } = this.#options;
    return config.sites.map(({ name }) => ({
      site: name,
      nodes: registry.nodes.filter((one) => one.site === name).map((one) => one.node),
      dataSources: config.dataSources
        .filter((one) => one.site === name)
        .map(({ name: source, host, port }) => ({ name: source, host, port })),
      outgoing: config.pipelines.filter((one) => one.sourceSite === name).map((one) => one.name),
      incoming: config.pipelines.filter((one) => one.targetSite === name).map((one) => one.name),
    }));
  }

  /** Tasks that stand at a stage now, furthest stage first, oldest first. */
  async batches(name: string): Promise<readonly BatchView[]> {
    return (await this.tasks(name)).map(({ id, stage, header, holder, heldSinceMs }) => ({
      id,
      stage,
      epoch: header.epoch,
      seq: header.seq,
      part: header.part,
      lastPart: header.lastPart,
      origin: header.origin,
      transactions: header.transactions,
      rows: header.rows,
      bytes: header.payload.bytes,
      firstCommitMs: header.firstCommitUs / 1000,
      lastCommitMs: header.lastCommitUs / 1000,
      selectedMs: header.selectedMs,
      extractedMs: header.extractedMs,
      transformedMs: header.transformedMs,
      endPosition: header.end.slice(0, MAX_POSITION),
      holder,
      heldSinceMs,
    }));
  }

  /** The same with their headers as they stand there. */
  async tasks(name: string): Promise<readonly StandingTask[]> {
    const pipeline = this.#pipeline(name);
    const found = await Promise.all(
      [...TASK_STAGES].reverse().map(async (stage) => {
        const path = stagePath(pipeline, stage);
        const tasks = (await this.#children(path)).filter((task) => parseTaskName(task) !== null);
        const standing = await Promise.all(
          tasks.slice(0, MAX_BATCHES).map(async (id): Promise<StandingTask | null> => {
            const [node, lock] = await Promise.all([
              this.#json(`${path}/${id}`),
              this.#json(lockOf(`${path}/${id}`)),
            ]);
            const header = batchHeader.safeParse(node);
            if (!header.success) return null;
            const { data: held = null } = lockRecord.safeParse(lock);
            return {
              id,
              stage,
              header: header.data,
              holder: held?.node ?? null,
              heldSinceMs: held?.sinceMs ?? null,
            };
          }),
        );
        return standing.filter((one) => one !== null);
      }),
    );
    return found.flat();
  }

  /** Every lock that stands, with who holds it. */
  async claims(): Promise<readonly ClaimView[]> {
    const { config, nowMs } = this.#options;
    const now = nowMs();
    const age = (sinceMs: number | null) =>
      sinceMs === null ? null : Math.max(0, Math.round(now - sinceMs));
    const sources = [...new Set(config.pipelines.map((one) => one.source))].map(
      async (source: DataSourceId): Promise<readonly ClaimView[]> => {
        const path = runningPath(source);
        const value = await this.#options.tree.get(path, { deadlineMs: DEADLINE_MS });
        const parsed = sourceRunning.safeParse(value === null ? null : jsonOf(value.data));
        if (!parsed.success || value === null) return [];
        const { mtimeMs: sinceMs } = value.stat;
        const node = parsed.data.node ?? parsed.data.address;
        return [
          { path, kind: 'source', pipeline: null, stage: null, source, node, sinceMs, ageMs: age(sinceMs) },
        ];
      },
    );
    const locks = config.pipelines.map(async ({ name }): Promise<readonly ClaimView[]> => {
      const mainstem = await this.#lock(mainLockPath(name));
      const tasks = await Promise.all(
        TASK_STAGES.map(async (stage) => {
          const parent = stagePath(name, stage);
          const names = (await this.#children(parent)).filter((task) => parseTaskName(task) !== null);
          const held = await Promise.all(
            names.slice(0, MAX_BATCHES).map(async (task) => this.#lock(lockOf(`${parent}/${task}`))),
          );
          return held.filter((one) => one !== null).map((one) => ({ ...one, kind: 'task' as const, stage }));
        }),
      );
      const all = [
        ...(mainstem === null ? [] : [{ ...mainstem, kind: 'mainstem' as const, stage: 'select' as const }]),
        ...tasks.flat(),
      ];
      return all.map((one) => ({ ...one, pipeline: name, source: null, ageMs: age(one.sinceMs) }));
    });
    return (await Promise.all([...sources, ...locks])).flat();
  }

  /** @throws HoltError HOLT_ZNODE_UNKNOWN. */
  async znode(path: string): Promise<{ readonly node: ZnodeView; readonly children: readonly string[] }> {
    const { tree } = this.#options;
    const normal = path === '' || path === '/' ? '/' : path;
    if (
      !/^\/(?:[^/\s]+(?:\/[^/\s]+)*)?$/.test(normal) ||
      normal.length > 1024 ||
      /(?:^|\/)\.\.?(?:\/|$)/.test(normal)
    )
      throw new HoltError('HOLT_REQUEST_INVALID', `${JSON.stringify(path)} is no path of the tree`, {
        disposition: 'fatal',
      });
    const [value, children] = await Promise.all([
      tree.get(normal, { deadlineMs: DEADLINE_MS }),
      tree.children(normal, { deadlineMs: DEADLINE_MS }),
    ]);
    if (value === null)
      throw new HoltError('HOLT_ZNODE_UNKNOWN', `there is no ${normal} in the tree`, {
        disposition: 'fatal',
      });
    const hidden = (normal === ACCESS || normal.startsWith(`${ACCESS}/`)) && value.data.length > 0;
    const text = value.data.toString('utf8');
    const { version, ctimeMs, mtimeMs, ephemeralOwner } = value.stat;
    return {
      node: {
        path: normal,
        data: hidden || text.includes('\ufffd') ? null : text,
        hidden,
        version,
        createdMs: ctimeMs,
        changedMs: mtimeMs,
        ephemeralOwner,
        children: children?.names.length ?? 0,
      },
      children: children?.names ?? [],
    };
  }

  async drainState(node: string): Promise<DrainView> {
    return this.#drain(node, null);
  }

  /**
   * Has a node put its work down, until it is taken up again or the node starts anew. Returns at once; its state tells how far it is.
   * @throws HoltError HOLT_NODE_NEEDED where pipelines would stand still, unless `force`; HOLT_NODE_UNKNOWN.
   */
  async drain(node: string, force: boolean): Promise<DrainView> {
    const { config, nodes } = this.#options;
    if (!force) {
      const needed = neededFor(node, await nodes(), config.pipelines);
      if (needed.length > 0)
        throw new HoltError(
          'HOLT_NODE_NEEDED',
          `without ${node} these would stand still: ${needed.slice(0, 20).join(', ')}${needed.length > 20 ? ` and ${needed.length - 20} more` : ''}`,
          { disposition: 'fatal' },
        );
    }
    return this.#drain(node, true);
  }

  async undrain(node: string): Promise<DrainView> {
    return this.#drain(node, false);
  }

  /** What this node says to `DRAIN_QUESTION`. */
  ownDrain({ drain }: { readonly drain: boolean | null }): { state: WorkState } {
    const { work } = this.#options;
    if (drain !== null) work.want(!drain);
    return { state: work.state };
  }

  async #drain(node: string, drain: boolean | null): Promise<DrainView> {
    const { peers } = this.#options;
    const { state } =
      node === peers.self ? this.ownDrain({ drain }) : await peers.ask(node, DRAIN_QUESTION, { drain });
    return { node, state };
  }

  async logLevel(node: string): Promise<LogLevelView> {
    return this.#level(node, null);
  }

  /** Until the node starts again. */
  async setLogLevel(node: string, level: LogLevel): Promise<LogLevelView> {
    return this.#level(node, level);
  }

  /** What this node says to `LOG_LEVEL_QUESTION`. */
  ownLogLevel({ level }: { readonly level: LogLevel | null }): { level: LogLevel } {
    const { logGate } = this.#options;
    if (level !== null) logGate.level = level;
    return { level: logGate.level };
  }

  async #level(node: string, level: LogLevel | null): Promise<LogLevelView> {
    const { peers } = this.#options;
    const answer =
      node === peers.self
        ? this.ownLogLevel({ level })
        : await peers.ask(node, LOG_LEVEL_QUESTION, { level });
    return { node, level: answer.level };
  }

  #pipeline(name: string): PipelineId {
    const found = this.#options.config.pipelines.find((one: PipelineConfig) => one.name === name);
    if (found !== undefined) return found.name;
    throw new HoltError('HOLT_PIPELINE_UNKNOWN', `there is no pipeline ${JSON.stringify(name)}`, {
      disposition: 'fatal',
    });
  }

  async #lock(path: string) {
    const parsed = lockRecord.safeParse(await this.#json(path));
    return parsed.success ? { path, node: parsed.data.node as string, sinceMs: parsed.data.sinceMs } : null;
  }

  async #json(path: string): Promise<unknown> {
    const value = await this.#options.tree.get(path, { deadlineMs: DEADLINE_MS });
    return value === null ? null : jsonOf(value.data);
  }

  async #children(path: string): Promise<readonly string[]> {
    return (await this.#options.tree.children(path, { deadlineMs: DEADLINE_MS }))?.names ?? [];
  }
}

/** `pipeline (stage)` for each stage that no other node at its site would serve. */
export function neededFor(
  node: string,
  nodes: readonly NodeView[],
  pipelines: readonly Pick<PipelineConfig, 'name' | 'sourceSite' | 'targetSite'>[],
): readonly string[] {
  const self = nodes.find((one) => one.node === node);
  if (self === undefined) return [];
  const others = nodes.filter((one) => one.node !== node && one.state === 'ready');
  return pipelines.flatMap(({ name, sourceSite, targetSite }) =>
    STAGES.filter((stage) => {
      const site = stage === 'select' || stage === 'extract' ? sourceSite : targetSite;
      const serves = (one: NodeView) => one.site === site && one.stages.includes(stage);
      return serves(self) && !others.some(serves);
    }).map((stage) => `${name} (${stage})`),
  );
}

function jsonOf(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString('utf8'));
  } catch {
    return null;
  }
}
