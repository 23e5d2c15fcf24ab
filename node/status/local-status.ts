/** What this process knows of its own work: counters that the runtime bumps, and the report made of them. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { BatchHeader } from '../../model/batch.ts';
import { whatAndHow } from '../../model/error-codes.ts';
import type { TaskStage } from '../../model/stage.ts';
import type { NodePresence } from '../../scheduler/records.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import type { LoadStats } from '../../stages/stage.ts';
import type { ParkedTableView } from '../operations.ts';
import type { Clocks } from './lag/clocks.ts';
import type { NodeReport, PipelineReport, SelectReport, StageReport } from './node-report.ts';
import { MeanMeter, RateMeter } from './rate.ts';

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
}

/** A task at a stage, since when this node sees it (monotonic). */
export interface StandingTask {
  readonly seq: bigint;
  readonly part: number;
  readonly sinceMs: number;
}

/** Longer than anything is let go between two attempts. */
const TROUBLE_STANDS_MS = 5_000;

/** Told of every batch's times at a stage, ms. */
export interface BatchTimes {
  queued(ms: number): void;
  worked(ms: number, header: BatchHeader): void;
  failed(code: string): void;
}

/** One task stage of one pipeline on this node. */
export class StageMeter {
  readonly rows: RateMeter;
  readonly #clock: Clock;
  #batches = 0;
  #lastDurationMs: number | null = null;
  #problem: Problem | null = null;
  /** When it was last told, monotonic. */
  #problemToldMs = 0;
  #blocked: Problem | null = null;
  #active: () => number = () => 0;
  #foreign: () => HoltError | null = () => null;
  #standing: () => StandingTask | null = () => null;
  /** What is being worked on, oldest first. */
  readonly #work = new Set<StandingTask>();
  readonly #times: BatchTimes | null;
  readonly #queue: MeanMeter;
  readonly #busy: MeanMeter;
  #waiting: string | null = null;
  #applied: { readonly epoch: number; readonly seq: string } | null = null;

  constructor(clock: Clock, times: BatchTimes | null = null) {
    this.#clock = clock;
    this.#times = times;
    this.rows = new RateMeter(clock);
    this.#queue = new MeanMeter(clock);
    this.#busy = new MeanMeter(clock);
  }

  /** The lowest task at the stage, asked at report time. */
  standingFrom(standing: () => StandingTask | null): void {
    this.#standing = standing;
  }

  /** Work on a batch begins; the answer ends it. */
  work(header: BatchHeader, queueMs: number): () => void {
    const { seq, part } = header;
    const sinceMs = this.#clock.monotonicMs();
    const one: StandingTask = { seq: BigInt(seq), part, sinceMs };
    this.#work.add(one);
    this.#queue.add(Math.max(0, queueMs));
    this.#times?.queued(Math.max(0, queueMs));
    return () => {
      if (!this.#work.delete(one)) return;
      const workedMs = this.#clock.monotonicMs() - sinceMs;
      this.#busy.add(workedMs);
      this.#times?.worked(workedMs, header);
    };
  }

  /** How many batches are being worked on, asked at report time. */
  activeFrom(active: () => number): void {
    this.#active = active;
  }

  /** What stands among the stage's tasks and is none, asked at report time. */
  foreignFrom(foreign: () => HoltError | null): void {
    this.#foreign = foreign;
  }

  done(rows: number, durationMs: number): void {
    this.rows.add(rows);
    this.#batches += 1;
    this.#lastDurationMs = durationMs;
    this.#problem = null;
  }

  /** The target's COMMIT of a batch was answered. */
  applied({ epoch, seq }: BatchHeader): void {
    this.#applied = { epoch, seq };
  }

  wait(what: string | null): void {
    this.#waiting = what;
  }

  /** What keeps the work at hand from going on; null when it goes on, or there is none. */
  blocked(error: unknown): void {
    this.#blocked = error === null ? null : problemOf(error, this.#clock.nowMs(), this.#blocked);
  }

  /** What is being tried again; null when nothing is. */
  trouble(error: unknown): void {
    this.#problem = error === null ? null : problemOf(error, this.#clock.nowMs(), this.#problem);
    if (this.#problem !== null) this.#times?.failed(this.#problem.code);
    this.#problemToldMs = this.#clock.monotonicMs();
  }

  /** With nothing at hand nothing is being tried again: what was in trouble went elsewhere, or came to its end. */
  #standingProblem(active: number): Problem | null {
    const isOver = active === 0 && this.#clock.monotonicMs() - this.#problemToldMs > TROUBLE_STANDS_MS;
    return isOver ? null : this.#problem;
  }

  #told(task: StandingTask | null): { seq: string; part: number; forMs: number } | null {
    if (task === null) return null;
    const { seq, part, sinceMs } = task;
    return { seq: String(seq), part, forMs: Math.max(0, this.#clock.monotonicMs() - sinceMs) };
  }

  report(): StageReport {
    const foreign = this.#foreign();
    const active = this.#active();
    return {
      active,
      rows: this.rows.report(),
      batches: this.#batches,
      lastDurationMs: this.#lastDurationMs,
      standing: this.#told(this.#standing()),
      work: this.#told(lowestOf(this.#work)),
      applied: this.#applied,
      queueMs: this.#queue.mean(),
      busyMs: this.#busy.mean(),
      waiting: this.#waiting,
      problem:
        this.#blocked ??
        this.#standingProblem(active) ??
        (foreign === null ? null : problemOf(foreign, this.#clock.nowMs(), null)),
    };
  }
}

function lowestOf(tasks: Iterable<StandingTask>): StandingTask | null {
  let lowest: StandingTask | null = null;
  for (const one of tasks)
    if (lowest === null || one.seq < lowest.seq || (one.seq === lowest.seq && one.part < lowest.part))
      lowest = one;
  return lowest;
}

export function problemOf(error: unknown, nowMs: number, before: Problem | null): Problem {
  const holt = error instanceof HoltError ? error : null;
  const code = holt?.code ?? 'HOLT_INTERNAL';
  return {
    code,
    message: (holt === null ? messageOf(error) : whatAndHow(holt)).slice(0, 2000),
    sinceMs: before?.code === code ? before.sinceMs : Math.round(nowMs),
  };
}

/** One pipeline's share of this node. */
export class PipelineMeter {
  readonly stages: Readonly<Record<TaskStage, StageMeter>>;
  /** Set while this node holds the mainstem. */
  select: (() => SelectReport) | null = null;
  #ledgered = 0;
  #deadLetters = 0;
  /** By lane of apply mode `parallel`: what this node has written there. Empty in mode `prefix`. */
  readonly #lanes = new Map<number, { rows: number; batches: number }>();
  /** Null until somebody has looked. */
  parked: readonly ParkedTableView[] | null = null;

  readonly #onLoaded: (stats: LoadStats) => void;

  constructor(
    clock: Clock,
    times: (stage: TaskStage) => BatchTimes | null = () => null,
    onLoaded: (stats: LoadStats) => void = () => {},
  ) {
    this.#onLoaded = onLoaded;
    this.stages = {
      extract: new StageMeter(clock, times('extract')),
      transform: new StageMeter(clock, times('transform')),
      load: new StageMeter(clock, times('load')),
    };
  }

  /** A batch is committed at the target. */
  loaded(stats: LoadStats): void {
    this.#ledgered += stats.ledgered;
    this.#deadLetters += stats.deadLetters ?? 0;
    this.#onLoaded(stats);
  }

  /** The number of lanes that batches go over from now on. */
  hasLanes(count: number): void {
    for (const lane of [...this.#lanes.keys()]) if (lane > count) this.#lanes.delete(lane);
    for (let lane = 1; lane <= count; lane++)
      if (!this.#lanes.has(lane)) this.#lanes.set(lane, { rows: 0, batches: 0 });
  }

  /** A lane has committed rows. */
  wroteLane(lane: number, rows: number): void {
    const meter = this.#lanes.get(lane);
    if (meter === undefined) return;
    meter.rows += rows;
    meter.batches += 1;
  }

  report(pipeline: string, serves: ReadonlySet<string>): PipelineReport {
    const stage = (name: TaskStage) => (serves.has(name) ? this.stages[name].report() : null);
    return {
      pipeline,
      select: this.select?.() ?? null,
      extract: stage('extract'),
      transform: stage('transform'),
      load: stage('load'),
      ledgered: this.#ledgered,
      deadLetters: this.#deadLetters,
      lanes: [...this.#lanes].map(([lane, counts]) => ({ lane, ...counts })),
      parked: this.parked === null ? null : [...this.parked],
    };
  }
}

export class LocalStatus {
  readonly #clock: Clock;
  readonly #self: NodePresence;
  readonly #tree: CoordinationTree;
  readonly #clocks: Clocks;
  readonly #times: ((pipeline: string, stage: TaskStage) => BatchTimes) | null;
  readonly #onLoaded: ((pipeline: string, stats: LoadStats) => void) | null;
  readonly #pipelines = new Map<
    string,
    { readonly meter: PipelineMeter; readonly serves: ReadonlySet<string> }
  >();
  readonly #loop = monitorEventLoopDelay({ resolution: 10 });
  draining = false;
  drained = false;

  constructor(options: {
    readonly clock: Clock;
    readonly self: NodePresence;
    readonly tree: CoordinationTree;
    readonly clocks: Clocks;
    /** Where times of batches are counted. */
    readonly times?: (pipeline: string, stage: TaskStage) => BatchTimes;
    /** Told of every batch that is committed at a target. */
    readonly onLoaded?: (pipeline: string, stats: LoadStats) => void;
  }) {
    this.#clock = options.clock;
    this.#self = options.self;
    this.#tree = options.tree;
    this.#clocks = options.clocks;
    this.#times = options.times ?? null;
    this.#onLoaded = options.onLoaded ?? null;
    this.#loop.enable();
  }

  pipeline(name: string, serves: ReadonlySet<string>): PipelineMeter {
    const meter = new PipelineMeter(
      this.#clock,
      (stage) => this.#times?.(name, stage) ?? null,
      (stats) => this.#onLoaded?.(name, stats),
    );
    this.#pipelines.set(name, { meter, serves });
    return meter;
  }

  /** Its share of Select of a pipeline, while it leads it. */
  select(name: string): SelectReport | null {
    return this.#pipelines.get(name)?.meter.select?.() ?? null;
  }

  /** The work is put down: there is nothing to say of any pipeline. */
  forgetPipelines(): void {
    this.#pipelines.clear();
  }

  report(): NodeReport {
    return {
      version: 1,
      node: this.#self.node,
      site: this.#self.site,
      release: this.#self.release,
      startedMs: this.#self.startedMs,
      nowMs: Math.round(this.#clock.nowMs()),
      draining: this.draining,
      drained: this.drained,
      session: {
        state: this.#tree.sessionState,
        epoch: this.#tree.sessionEpoch,
        leaseMs: Math.round(Math.max(-1, Math.min(this.#tree.leaseRemainingMs(), 1e9))),
      },
      memoryBytes: process.memoryUsage.rss(),
      eventLoopP99Ms: Math.max(0, this.#loop.percentile(99) / 1e6 - 10),
      clocks: [...this.#clocks.readings()],
      pipelines: [...this.#pipelines].map(([name, { meter, serves }]) => meter.report(name, serves)),
    };
  }

  close(): void {
    this.#loop.disable();
  }
}
