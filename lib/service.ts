import { AbortError } from './abort.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { isAbort } from './errors.ts';

/** A long-lived thing. */
export interface Service {
  /** Settles when the service is over: resolves after a stop, rejects on a failure it cannot heal. Called once. */
  run(): Promise<void>;
  /** Asks it to end; resolves when `run` has settled. May be called more than once, and before `run`. */
  stop(): Promise<void>;
}

/** shouldRun, cancel-on-stop, sleep and backoff for one long loop, in one object. */
export class RunningState {
  readonly #controller = new AbortController();
  readonly #backoff: Backoff;
  readonly clock: Clock;

  constructor(options: { readonly backoff?: BackoffOptions; readonly clock?: Clock } = {}) {
    this.#backoff = new Backoff(options.backoff);
    this.clock = options.clock ?? systemClock;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  shouldRun(): boolean {
    return !this.#controller.signal.aborted;
  }

  requestStop(reason: Error = new AbortError()): void {
    this.#controller.abort(reason);
  }

  /** Resolves early, without error, when the service stops. */
  async sleep(ms: number): Promise<void> {
    try {
      await this.clock.sleep(ms, this.signal);
    } catch (error) {
      if (!isAbort(error)) throw error;
    }
  }

  /** Waits the next backoff delay; returns the attempt just counted and the delay. */
  async backoff(): Promise<{ readonly attempt: number; readonly delayMs: number }> {
    const delayMs = this.#backoff.nextMs();
    await this.sleep(delayMs);
    return { attempt: this.#backoff.attempt, delayMs };
  }

  resetBackoff(): void {
    this.#backoff.reset();
  }
}
