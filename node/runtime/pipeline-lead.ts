/**
 * The mainstem of one pipeline, for as long as this node owns the source: raises, runs one reign after another, and
 * answers to what is wanted of the pipeline.
 *
 *     wanted running ─► take mainstem ─► raise ─► reign ──┬─ rewind asked, config changed ─► raise
 *          ▲                               ▲ └── retry     ├─ pause asked, error that pauses ─► state paused, release
 *          └────────── release ◄───────────┴──────────────┴─ paused or stopped by someone ─► drain, release
 */
import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { deferred } from '../../lib/deferred.ts';
import { HoltError, isAbort } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import type { BatchHeader } from '../../model/batch.ts';
import { whatAndHow } from '../../model/error-codes.ts';
import type { PipelineId } from '../../model/ids.ts';
import type {
  Claim,
  Mainstem,
  OwnedSource,
  PipelineStore,
  PipelineTasks,
  Reign,
  TargetHalf,
} from '../../scheduler/contract.ts';
import { Window } from '../../scheduler/window.ts';
import type { Pipe } from '../../stages/pipe/pipe.ts';
import { type Problem, problemOf } from '../status/local-status.ts';
import type { PipelineConfigs, VersionedPipelineConfig } from './pipeline-configs.ts';

/** Select under one reign: reads, forms batches, and publishes them through `publish`. */
export interface SelectRun {
  /** Settles when stopped; rejects with what ended it: rewind, pause or retry by its disposition. */
  run(): Promise<void>;
  /** No further batch; what is formed is published or forgotten. */
  stop(): Promise<void>;
  /** The window has changed: there may be room now. */
  poke(): void;
}

export interface SelectRunOptions {
  readonly reign: Reign;
  readonly config: VersionedPipelineConfig;
  readonly window: Window;
  /** Puts a batch that the window counts already on Extract's board. */
  readonly publish: (header: BatchHeader) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface PipelineLeadOptions {
  readonly pipeline: PipelineId;
  readonly owned: OwnedSource;
  readonly store: PipelineStore;
  readonly tasks: PipelineTasks;
  readonly configs: PipelineConfigs;
  readonly pipe: Pipe;
  readonly target: TargetHalf;
  readonly select: (options: SelectRunOptions) => Promise<SelectRun>;
  /** Takes the claim on Extract that came with a batch. */
  readonly passOn: (claim: Claim) => void;
  readonly onState: (state: LeadState) => void;
  readonly onRewind: () => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long batches in flight may take to arrive when the pipeline is paused. */
  readonly drainMs?: number;
}

export type LeadState = {
  readonly phase: 'waiting' | 'raising' | 'reigning' | 'rewinding' | 'pausing';
  readonly reign: Reign | null;
  readonly window: Window | null;
  readonly problem: Problem | null;
};

type ReignEnd =
  | { readonly kind: 'rewind'; readonly code: string; readonly why: string }
  | { readonly kind: 'pause'; readonly error: HoltError }
  | { readonly kind: 'unwanted' }
  | { readonly kind: 'retry'; readonly error: unknown }
  | { readonly kind: 'over' };

/** Rewinds closer together than this are slowed down: something makes each reign end at once. */
const HEALTHY_REIGN_MS = 10_000;

export class PipelineLead {
  readonly #options: PipelineLeadOptions;
  readonly #log: Logger;
  readonly #backoff = new Backoff({ initialMs: 100, maxMs: 10_000 });
  #problem: Problem | null = null;

  constructor(options: PipelineLeadOptions) {
    this.#options = options;
    this.#log = options.log.child({ pipeline: options.pipeline });
  }

  /** Until `signal` aborts: the source is no longer ours, or the node stops. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#tell('waiting', null, null);
        await this.#wanted(signal);
        await this.#lead(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isAbort(error)) this.#failed(error, 'leading the pipeline failed; trying again');
        await this.#pause(signal);
      }
    }
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { owned, pipeline, target } = this.#options;
    const mainstem = await owned.takeMainstem({ pipeline, target, signal });
    const lost = AbortSignal.any([signal, mainstem.lost]);
    try {
      while (!lost.aborted) {
        this.#tell('raising', null, null);
        const reign = await this.#raise(mainstem, lost);
        if (reign === null) return;
        const startedMs = this.#options.clock.monotonicMs();
        const end = await this.#reign(reign, lost);
        if (this.#options.clock.monotonicMs() - startedMs > HEALTHY_REIGN_MS) this.#backoff.reset();
        if (!(await this.#goesOn(end, lost))) return;
      }
    } finally {
      await mainstem.release();
    }
  }

  /** Null when the mainstem is to be let go. */
  async #raise(mainstem: Mainstem, signal: AbortSignal): Promise<Reign | null> {
    for (;;) {
      let error: unknown;
      try {
        const result = await mainstem.raise(signal);
        switch (result.kind) {
          case 'reign':
            this.#problem = null;
            this.#options.pipe.ruling(this.#options.pipeline, result.reign.tenure);
            this.#log.info(
              {
                event: 'mainstem:raise:done',
                epoch: result.reign.epoch,
                position: result.reign.position.text.slice(0, 200),
              },
              'a new reign begins',
            );
            return result.reign;
          case 'let-go':
            this.#log.warn(
              { event: 'mainstem:raise:let-go', reason: result.why },
              'somebody else raised; letting go',
            );
            await this.#pause(signal);
            return null;
          case 'stop':
            await this.#setPaused(result.error);
            return null;
          default:
            return result satisfies never;
        }
      } catch (thrown) {
        signal.throwIfAborted();
        error = thrown;
      }
      if (error instanceof HoltError && (error.disposition === 'pause' || error.disposition === 'fatal')) {
        await this.#setPaused(error);
        return null;
      }
      this.#failed(error, 'the raise failed; trying again');
      this.#tell('raising', null, null);
      await this.#pause(signal);
      if (!(await this.#isWanted(signal))) return null;
    }
  }

  async #reign(reign: Reign, signal: AbortSignal): Promise<ReignEnd> {
    const { store, configs, pipe, pipeline, tasks, passOn } = this.#options;
    const config = configs.current;
    if (config === null)
      return { kind: 'retry', error: configs.problem ?? new Error('the configuration is not there yet') };
    const window = new Window({
      tenure: reign.tenure,
      seq: reign.seq,
      maxBatches: config.config.batch.window,
      maxBytes: config.config.batch.maxBytes * config.config.batch.window,
      clock: this.#options.clock,
    });
    const over = AbortSignal.any([signal, reign.over]);
    const ended = deferred<ReignEnd>();
    const select: { run: SelectRun | null } = { run: null };
    const unwatch = [
      store.receipt.watch((reading) => {
        if (reading.kind !== 'value') return;
        window.receive(reading.value);
        pipe.received(pipeline, reading.value.tenure, BigInt(reading.value.seq));
        select.run?.poke();
      }),
      store.progress.watch((reading) => {
        if (reading.kind !== 'value') return;
        window.progress(reading.value);
        pipe.partReceived(pipeline, reading.value.tenure, BigInt(reading.value.seq), reading.value.part);
        select.run?.poke();
      }),
      store.termination.watch((reading) => {
        if (reading.kind !== 'value' || reading.value.tenure !== reign.tenure) return;
        const { kind, code, why, stage, node } = reading.value;
        if (kind === 'rewind') ended.resolve({ kind: 'rewind', code, why });
        else
          ended.resolve({
            kind: 'pause',
            error: new HoltError(code, why, { disposition: 'pause', facts: { stage, node } }),
          });
      }),
      store.desired.watch((reading) => {
        if (reading.kind === 'value' && reading.value.desired !== 'running')
          ended.resolve({ kind: 'unwanted' });
      }),
      configs.onChange(() => {
        if (configs.current !== null && configs.current.version !== config.version)
          ended.resolve({
            kind: 'rewind',
            code: 'HOLT_CONFIG_CHANGED',
            why: 'the configuration has changed',
          });
      }),
    ];
    const onOver = () => ended.resolve({ kind: 'over' });
    over.addEventListener('abort', onOver, { once: true });
    if (over.aborted) onOver();
    const stopSelect = new AbortController();
    try {
      const run = await this.#options.select({
        reign,
        config,
        window,
        signal: AbortSignal.any([over, stopSelect.signal]),
        publish: async (header) => {
          await failpoint('select:before-publish');
          const claim = await tasks.publish(reign, header, { claim: true });
          await failpoint('select:after-publish');
          if (claim !== null) passOn(claim);
        },
      });
      select.run = run;
      this.#tell('reigning', reign, window);
      run.run().then(
        () => ended.resolve({ kind: 'over' }),
        (error: unknown) => ended.resolve(endOf(error, over)),
      );
      const end = await ended.promise;
      if (end.kind === 'unwanted') await this.#drain(reign, run, window, over);
      stopSelect.abort();
      await run.stop();
      return end;
    } catch (error) {
      return endOf(error, over);
    } finally {
      stopSelect.abort();
      over.removeEventListener('abort', onOver);
      for (const off of unwatch) off();
    }
  }

  /** Lets what is in flight arrive, for a while; what does not, is read again by the next reign. */
  async #drain(reign: Reign, run: SelectRun, window: Window, over: AbortSignal): Promise<void> {
    this.#tell('pausing', reign, window);
    await run.stop();
    const deadline = AbortSignal.any([over, AbortSignal.timeout(this.#options.drainMs ?? 10_000)]);
    await window.empty(deadline).catch(() => {
      this.#log.warn(
        { event: 'mainstem:drain:given-up', inFlight: window.inFlight },
        'batches in flight did not arrive in time; they are read again',
      );
    });
  }

  /** True to raise again, false to let go. */
  async #goesOn(end: ReignEnd, signal: AbortSignal): Promise<boolean> {
    switch (end.kind) {
      case 'rewind':
        this.#tell('rewinding', null, null);
        this.#options.onRewind();
        this.#log.warn(
          { event: 'mainstem:rewind', code: end.code, reason: end.why },
          'rewind: reading on from the checkpoint',
        );
        await this.#clearTermination(signal);
        await this.#options.clock.sleep(this.#backoff.nextMs(), signal).catch(() => {});
        return !signal.aborted;
      case 'retry':
        this.#failed(end.error, 'the reign ended by an error; trying again');
        this.#tell('rewinding', null, null);
        await this.#pause(signal);
        return !signal.aborted && (await this.#isWanted(signal));
      case 'pause':
        await this.#setPaused(end.error);
        await this.#clearTermination(signal);
        return false;
      case 'unwanted':
      case 'over':
        return false;
      default:
        return end satisfies never;
    }
  }

  /** Waits until the pipeline is wanted running; a pipeline nobody has said anything of is. */
  async #wanted(signal: AbortSignal): Promise<void> {
    if (await this.#isWanted(signal)) return;
    const wanted = deferred<void>();
    const off = this.#options.store.desired.watch((reading) => {
      if (reading.kind === 'value' && reading.value.desired === 'running') wanted.resolve();
    });
    const onAbort = () => wanted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      await wanted.promise;
      this.#problem = null;
      this.#backoff.reset();
    } finally {
      off();
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #isWanted(signal: AbortSignal): Promise<boolean> {
    const reading = await this.#options.store.desired.read(signal);
    if (reading.kind === 'foreign') throw reading.error;
    return reading.kind === 'absent' || reading.value.desired === 'running';
  }

  async #setPaused(error: HoltError): Promise<void> {
    this.#log.error(
      { event: 'pipeline:paused', err: error },
      'the pipeline pauses at its position until someone resumes it',
    );
    await this.#options.store.desired.set(
      {
        version: 1,
        desired: 'paused',
        by: 'holt',
        why: whatAndHow(error).slice(0, 4000),
        code: error.code,
        sinceMs: Math.round(this.#options.clock.nowMs()),
      },
      'any',
    );
  }

  async #clearTermination(signal: AbortSignal): Promise<void> {
    await this.#options.store.termination.remove('any', signal).catch((error: unknown) => {
      this.#log.debug(
        { event: 'mainstem:termination:kept', err: error },
        'the request could not be taken away',
      );
    });
  }

  #failed(error: unknown, message: string): void {
    this.#problem = problemOf(error, this.#options.clock.nowMs(), this.#problem);
    const facts = { event: 'mainstem:failed', attempt: this.#backoff.attempt, err: error };
    if (this.#backoff.attempt > 4) this.#log.error(facts, message);
    else this.#log.warn(facts, message);
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(this.#backoff.nextMs(), signal).catch(() => {});
  }

  #tell(phase: LeadState['phase'], reign: Reign | null, window: Window | null): void {
    this.#options.onState({ phase, reign, window, problem: this.#problem });
  }
}

function endOf(error: unknown, over: AbortSignal): ReignEnd {
  if (over.aborted || isAbort(error)) return { kind: 'over' };
  if (!(error instanceof HoltError)) return { kind: 'retry', error };
  if (error.code === 'HOLT_EPOCH_SUPERSEDED' || error.code === 'HOLT_CLAIM_LOST') return { kind: 'over' };
  switch (error.disposition) {
    case 'rewind':
      return { kind: 'rewind', code: error.code, why: error.message };
    case 'pause':
    case 'fatal':
      return { kind: 'pause', error };
    case 'retry':
      return { kind: 'retry', error };
    default:
      return error.disposition satisfies never;
  }
}
