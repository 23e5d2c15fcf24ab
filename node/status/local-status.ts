/** What this process knows of its own work: counters that the runtime bumps, and the report made of them. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { whatAndHow } from '../../model/error-codes.ts';
import type { TaskStage } from '../../model/stage.ts';
import type { NodePresence } from '../../scheduler/records.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import type { ParkedTableView } from '../operations.ts';
import type { NodeReport, PipelineReport, SelectReport, StageReport } from './node-report.ts';
import { RateMeter } from './rate.ts';

export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly sinceMs: number;
}

/** Longer than anything is let go between two attempts. */
const TROUBLE_STANDS_MS = 5_000;

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
  #waiting: string | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.rows = new RateMeter(clock);
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
    this.#problemToldMs = this.#clock.monotonicMs();
  }

  /** With nothing at hand nothing is being tried again: what was in trouble went elsewhere, or came to its end. */
  #standingProblem(active: number): Problem | null {
    const isOver = active === 0 && this.#clock.monotonicMs() - this.#problemToldMs > TROUBLE_STANDS_MS;
    return isOver ? null : this.#problem;
  }

  report(): StageReport {
    const foreign = this.#foreign();
    const active = this.#active();
    return {
      active,
      rows: this.rows.report(),
      batches: this.#batches,
      lastDurationMs: this.#lastDurationMs,
      waiting: this.#waiting,
      problem:
        this.#blocked ??
        this.#standingProblem(active) ??
        (foreign === null ? null : problemOf(foreign, this.#clock.nowMs(), null)),
    };
  }
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
  ledgered = 0;
  /** Null until somebody has looked. */
  parked: readonly ParkedTableView[] | null = null;

  constructor(clock: Clock) {
    this.stages = {
      extract: new StageMeter(clock),
      transform: new StageMeter(clock),
      load: new StageMeter(clock),
    };
  }

  report(pipeline: string, serves: ReadonlySet<string>): PipelineReport {
    const stage = (name: TaskStage) => (serves.has(name) ? this.stages[name].report() : null);
    return {
      pipeline,
      select: this.select?.() ?? null,
      extract: stage('extract'),
      transform: stage('transform'),
      load: stage('load'),
      ledgered: this.ledgered,
      parked: this.parked === null ? null : [...this.parked],
    };
  }
}

export class LocalStatus {
  readonly #clock: Clock;
  readonly #self: NodePresence;
  readonly #tree: CoordinationTree;
  readonly #pipelines = new Map<
    string,
    { readonly meter: PipelineMeter; readonly serves: ReadonlySet<string> }
  >();
  readonly #loop = monitorEventLoopDelay({ resolution: 10 });
  draining = false;

  constructor(options: {
    readonly clock: Clock;
    readonly self: NodePresence;
    readonly tree: CoordinationTree;
  }) {
    this.#clock = options.clock;
    this.#self = options.self;
    this.#tree = options.tree;
    this.#loop.enable();
  }

  pipeline(name: string, serves: ReadonlySet<string>): PipelineMeter {
    const meter = new PipelineMeter(this.#clock);
    this.#pipelines.set(name, { meter, serves });
    return meter;
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
      session: {
        state: this.#tree.sessionState,
        epoch: this.#tree.sessionEpoch,
        leaseMs: Math.round(Math.max(-1, Math.min(this.#tree.leaseRemainingMs(), 1e9))),
      },
      memoryBytes: process.memoryUsage.rss(),
      eventLoopP99Ms: Math.max(0, this.#loop.percentile(99) / 1e6 - 10),
      pipelines: [...this.#pipelines].map(([name, { meter, serves }]) => meter.report(name, serves)),
    };
  }

  close(): void {
    this.#loop.disable();
  }
}
