/** What Load waits for, for status: from the states its run tells. */
import type { Clock } from '../../lib/clock.ts';
import type { LoadState } from '../../stages/load/load-session.ts';

/** Deadlocks are over sooner; what takes longer is somebody who holds a lock. */
const LOCK_WAIT_MS = 2_000;

export class LoadWaiting {
  readonly #clock: Clock;
  /** The batch at work, since when (monotonic ms), and whether it met a lock. */
  #batch: { readonly seq: bigint; readonly sinceMs: number; readonly met: boolean } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Null when it works and waits for nothing. */
  textOf(state: LoadState): string | null {
    switch (state.kind) {
      case 'idle':
        this.#batch = null;
        return null;
      case 'committing':
        return null;
      case 'executing':
        if (this.#batch?.seq !== state.seq)
          this.#batch = { seq: state.seq, sinceMs: this.#clock.monotonicMs(), met: false };
        // The next attempt waits for the same lock, most likely.
        return this.#lockText();
      case 'conflict':
        this.#batch = {
          seq: state.seq,
          sinceMs: this.#batch?.seq === state.seq ? this.#batch.sinceMs : this.#clock.monotonicMs(),
          met: true,
        };
        return this.#lockText();
      case 'taking':
        return 'taking Load';
      case 'connecting':
        return state.attempt > 1 ? `connecting to the target, attempt ${state.attempt}` : null;
      case 'waiting-for-rollback':
        return "waiting for the target's rollback";
      case 'running-ddl':
        return `running-ddl: ${state.statement.slice(0, 200)}`;
      case 'settling-ddl':
        return 'settling-ddl: finding out whether a schema change ran';
      case 'blocked':
        return 'blocked: tried again';
      default:
        return state satisfies never;
    }
  }

  #lockText(): string | null {
    if (this.#batch === null || !this.#batch.met) return null;
    const forMs = this.#clock.monotonicMs() - this.#batch.sinceMs;
    return forMs < LOCK_WAIT_MS ? null : 'waiting for a lock at the target';
  }
}
