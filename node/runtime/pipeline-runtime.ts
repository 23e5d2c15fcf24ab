/**
 * One pipeline on this node: its tasks, the workers of the stages served here, and what watches receipt and epoch so that
 * payloads go when they are not needed any more.
 */
import type { Clock } from '../../lib/clock.ts';
import { isAbort } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { TaskGroup } from '../../lib/task-group.ts';
import type { DataSourceConfig, NodeConfig, PipelineConfig } from '../../model/config.ts';
import { STAGE_SIDE, TASK_STAGES, type TaskStage } from '../../model/stage.ts';
import type { Claim, NodeRegistry, PipelineStore, RecordNode, Unwatch } from '../../scheduler/contract.ts';
import { stagePath } from '../../scheduler/paths.ts';
import { TreePipelineTasks } from '../../scheduler/pipeline-tasks.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { Extractor } from '../../stages/extract/extract.ts';
import type { Pipe } from '../../stages/pipe/pipe.ts';
import { Transformer } from '../../stages/transform/transform.ts';
import type { AppliedBatches } from '../history/applied-batches.ts';
import { parkedViews } from '../parked-view.ts';
import type { PipelineMeter, StandingTask } from '../status/local-status.ts';
import { lanesOf, loadKit } from './load-kit.ts';
import { LoadWaiting } from './load-waiting.ts';
import { LoadWorker } from './load-worker.ts';
import { ParkedKeeper } from './parked-keeper.ts';
import type { PipelineConfigs } from './pipeline-configs.ts';
import { StageWorker } from './stage-worker.ts';

/** Batches at Extract and Transform at once: fetching from the other site takes round trips. */
const CONCURRENCY = 4;
/** Over a long way to the ensemble each waits for the answer to its hand-over, and for little else. */
const TRANSFORM_CONCURRENCY = 16;
/** Batches prepared ahead of the one being applied. */
const LOAD_AHEAD = 3;

export interface PipelineRuntimeOptions {
  readonly config: PipelineConfig;
  readonly node: NodeConfig;
  readonly instance: string;
  readonly tree: CoordinationTree;
  readonly registry: NodeRegistry;
  readonly store: PipelineStore;
  readonly configs: PipelineConfigs;
  readonly pipe: Pipe;
  readonly target: DataSourceConfig;
  readonly meter: PipelineMeter;
  /** Keeps when batches were applied. */
  readonly applied: Pick<AppliedBatches, 'add'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The stages of a pipeline that a node of this site works on. */
export function stagesServed(config: PipelineConfig, node: NodeConfig): readonly TaskStage[] {
  return TASK_STAGES.filter(
    (stage) =>
      node.stages.includes(stage) &&
      node.serves.includes(STAGE_SIDE[stage] === 'source' ? config.sourceSite : config.targetSite),
  );
}

export class PipelineRuntime {
  readonly tasks: TreePipelineTasks;
  readonly #options: PipelineRuntimeOptions;
  readonly #workers = new Map<TaskStage, StageWorker | LoadWorker>();
  readonly #background: TaskGroup;
  readonly #keeper: ParkedKeeper | null;
  #unwatch: readonly Unwatch[] = [];

  constructor(options: PipelineRuntimeOptions) {
    const { config, node, instance, tree, registry, clock } = options;
    const { log } = options;
    this.#options = options;
    this.#background = new TaskGroup((error) => {
      if (!isAbort(error))
        log.error({ event: 'pipeline:run:failed', err: error }, 'a part of the pipeline ended unexpectedly');
    });
    const stages = stagesServed(config, node);
    this.tasks = new TreePipelineTasks({
      tree,
      pipeline: config.name,
      node: node.name,
      instance,
      stages,
      isPresent: (one) => registry.isPresent(one),
      clock,
      log,
    });
    for (const stage of stages) this.#workers.set(stage, this.#worker(stage));
    this.#keeper = stages.includes('load')
      ? new ParkedKeeper({
          config: () => options.configs.current?.config ?? null,
          target: options.target,
          node: node.name,
          onGroups: (groups) => {
            options.meter.parked = parkedViews(groups);
          },
          clock,
          log: log.child({ component: 'parked' }),
        })
      : null;
  }

  start(): void {
    const { store, pipe, config } = this.#options;
    this.#unwatch = [
      this.#watch(store.receipt, ({ tenure, seq }) => pipe.received(config.name, tenure, BigInt(seq))),
      this.#watch(store.progress, ({ tenure, seq, part }) =>
        pipe.partReceived(config.name, tenure, BigInt(seq), part),
      ),
      pipe.onAnnounced((header) => {
        if (header.pipeline === config.name && this.tasks.serves('transform'))
          this.tasks.board('transform').announce(header);
      }),
      this.#watch(store.epoch, ({ tenure }) => pipe.ruling(config.name, tenure)),
      // Read by others; what is foreign there is told here.
      this.#watch(store.config, () => {}),
      this.#watch(store.desired, () => {}),
      this.#watch(store.termination, () => {}),
    ];
    this.#background.spawn(() => this.tasks.run());
    for (const worker of this.#workers.values()) this.#background.spawn(() => worker.run());
    const keeper = this.#keeper;
    if (keeper !== null) this.#background.spawn(() => keeper.run());
  }

  #watch<T>(record: RecordNode<T>, onValue: (value: T) => void): Unwatch {
    return record.watch((reading) => {
      if (reading.kind === 'value') onValue(reading.value);
      if (reading.kind === 'foreign')
        this.#options.log.error(
          { event: 'znode:foreign', path: record.path, err: reading.error },
          'foreign data in a znode',
        );
    });
  }

  /** A claim goes to the worker of its stage; one of a stage not served here goes back. */
  passOn(claim: Claim): void {
    const worker = this.#workers.get(claim.stage);
    if (worker !== undefined) worker.adopt(claim);
    else this.#background.spawn(() => claim.release());
  }

  /** Finishes what is being worked on, releases the rest. */
  async stop(): Promise<void> {
    for (const off of this.#unwatch) off();
    const keeping = this.#keeper?.stop();
    await Promise.allSettled([...this.#workers.values()].map((worker) => worker.stop()));
    await keeping;
    await this.tasks.stop();
    await this.#background.idle();
  }

  #worker(stage: TaskStage): StageWorker | LoadWorker {
    const { configs, pipe, clock, log, meter, node, target } = this.#options;
    const share = meter.stages[stage];
    const here = `${stagePath(this.#options.config.name, stage)}/`;
    const foreign = () => {
      const found = this.tasks.foreign;
      return found !== null && String(found.facts.path).startsWith(here) ? found : null;
    };
    const common = { tasks: this.tasks, configs, pipe, clock, log: log.child({ stage }) };
    if (stage === 'load') {
      const waiting = new LoadWaiting(clock);
      const worker = new LoadWorker({
        ...common,
        ahead: LOAD_AHEAD,
        maxBytes: node.memoryBytes / 8,
        kit: (config) => {
          meter.hasLanes(lanesOf(config).lanes);
          return Promise.resolve(
            loadKit({
              config,
              target,
              node: node.name,
              beforeInFlight: (seq) => this.#standsBefore(seq),
              onLane: (lane, rows) => meter.wroteLane(lane, rows),
              onState: (state) => {
                share.wait(waiting.textOf(state));
                // It stands until the batch is through, also while it is tried again.
                if (state.kind === 'blocked') share.blocked(state.error);
                else if (state.kind === 'idle') share.blocked(null);
              },
              clock,
              log: common.log,
            }),
          );
        },
        onApplied: (facts) => this.#options.applied.add(facts),
        onPart: (header) => share.rows.add(header.rows),
        onWork: (header, queueMs) => share.work(header, queueMs),
        onLoaded: ({ header, stats, durationMs }) => {
          share.applied(header);
          share.done(header.rows, durationMs);
          meter.loaded(stats);
        },
        onTrouble: (error) => share.trouble(error),
      });
      share.foreignFrom(foreign);
      share.activeFrom(() => worker.held);
      share.standingFrom(() => this.#standing(stage));
      return worker;
    }
    const worker = new StageWorker({
      ...common,
      stage,
      concurrency: stage === 'transform' ? TRANSFORM_CONCURRENCY : CONCURRENCY,
      core: async (config) => {
        if (stage === 'extract') return Extractor.open(config);
        const transformer = new Transformer({ pipeline: config });
        return { process: (batch) => Promise.resolve(transformer.transform(batch, clock.nowMs())) };
      },
      passOn: (claim) => this.passOn(claim),
      onDone: ({ header, durationMs }) => share.done(header.rows, durationMs),
      onWork: (header, queueMs) => share.work(header, queueMs),
      onTrouble: (error) => share.trouble(error),
    });
    share.foreignFrom(foreign);
    share.activeFrom(() => worker.active);
    share.standingFrom(() => this.#standing(stage));
    return worker;
  }

  /** The lowest task of a stage, and since when this node sees it. */
  #standing(stage: TaskStage): StandingTask | null {
    const board = this.tasks.board(stage);
    const [lowest] = board.tasks;
    if (lowest === undefined) return null;
    return { seq: lowest.seq, part: lowest.part, sinceMs: board.seenMs(lowest) ?? 0 };
  }

  /** Whether a task before `seq` stands at a stage that this node sees. */
  #standsBefore(seq: bigint): boolean {
    return TASK_STAGES.some(
      (stage) => this.tasks.serves(stage) && this.tasks.board(stage).tasks.some((task) => task.seq < seq),
    );
  }
}
