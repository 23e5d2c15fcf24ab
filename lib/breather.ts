import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Gives the event loop a turn when a CPU loop has held it for `sliceMs`: session pings, HTTP and lease clocks
 * live on the same thread. Call `due()` per few hundred rows, and await `breathe()` when it says so; that costs no promise per row.
 */
export class Breather {
  readonly #sliceMs: number;
  #since = performance.now();

  constructor(sliceMs = 10) {
    this.#sliceMs = sliceMs;
  }

  due(): boolean {
    return performance.now() - this.#since >= this.#sliceMs;
  }

  async breathe(): Promise<void> {
    await nextTurn();
    this.#since = performance.now();
  }
}
