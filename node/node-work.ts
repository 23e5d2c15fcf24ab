/**
 * What this node does for the pipelines, which can be put down and taken up again while the node itself goes on answering.
 *
 *     working ──drain──► draining ──► drained ──undrain──► working
 *
 * Nothing is lost by it, and nothing is waited for: claims are released, and others go on from where the target's row stands.
 */
import { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { isAbort } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { WorkState } from './cluster-views.ts';

/** One taking up of the work. */
export interface Work {
  start(signal: AbortSignal): Promise<void>;
  /** Also after a start that failed half-way. */
  stop(): Promise<void>;
}

export interface NodeWorkOptions {
  readonly begin: () => Work;
  readonly onState: (state: WorkState) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export class NodeWork {
  readonly #options: NodeWorkOptions;
  readonly #stop = new AbortController();
  #state: WorkState = 'drained';
  #wanted = false;
  #work: Work | null = null;
  #settling: Promise<void> | null = null;

  constructor(options: NodeWorkOptions) {
    this.#options = options;
  }

  get state(): WorkState {
    return this.#state;
  }

  /** The first taking up. @throws what hinders it. */
  async start(signal: AbortSignal): Promise<void> {
    this.#wanted = true;
    const work = this.#options.begin();
    this.#work = work;
    const begun = (async () => {
      await work.start(AbortSignal.any([signal, this.#stop.signal]));
      this.#tell('working');
    })();
    this.#settling = begun.catch(() => {}).finally(() => this.#settled());
    await begun;
  }

  /** Returns at once; `state` tells how far it is. */
  want(working: boolean): void {
    if (this.#stop.signal.aborted || this.#wanted === working) return;
    this.#wanted = working;
    this.#settle();
  }

  /** Puts the work down for good. */
  async stop(): Promise<void> {
    this.#wanted = false;
    this.#stop.abort();
    await this.#settling;
    await this.#work?.stop();
    this.#work = null;
  }

  #settle(): void {
    if (this.#state === 'working' && !this.#wanted) this.#tell('draining');
    this.#settling ??= this.#go().finally(() => this.#settled());
  }

  #settled(): void {
    this.#settling = null;
    if (!this.#stop.signal.aborted && this.#wanted !== (this.#work !== null)) this.#settle();
  }

  async #go(): Promise<void> {
    const { begin, clock, log } = this.#options;
    const backoff = new Backoff({ initialMs: 100, maxMs: 10_000 });
    while (!this.#stop.signal.aborted && this.#wanted !== (this.#work !== null)) {
      if (!this.#wanted) {
        await this.#work?.stop();
        this.#work = null;
        this.#tell('drained');
        log.warn({ event: 'node:drained' }, 'the node has put its work down');
        continue;
      }
      const work = begin();
      try {
        await work.start(this.#stop.signal);
        this.#work = work;
        this.#tell('working');
        log.info({ event: 'node:undrained' }, 'the node works again');
      } catch (error) {
        await work.stop();
        if (isAbort(error)) return;
        log.warn(
          { event: 'node:undrain:failed', err: error },
          'the work could not be taken up; trying again',
        );
        await clock.sleep(backoff.nextMs(), this.#stop.signal).catch(() => {});
      }
    }
  }

  #tell(state: WorkState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}
