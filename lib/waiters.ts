import { abortable } from './abort.ts';
import { type Deferred, deferred } from './deferred.ts';

/**
 * "Something has changed, look again": wakes everybody who waits at that moment, and costs nothing when nobody does.
 * Who waits must look at the state first and call `wait` in the same turn, so that no change falls in between.
 */
export class Waiters {
  #waiting: Deferred<void> | null = null;

  wake(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    this.#waiting = null;
    waiting.resolve();
  }

  /** Resolves at the next `wake`; rejects with the signal's reason when it aborts. */
  wait(signal: AbortSignal): Promise<void> {
    this.#waiting ??= deferred<void>();
    return abortable(this.#waiting.promise, signal);
  }
}
