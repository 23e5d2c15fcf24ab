import type { OnReadOpts } from 'node:net';

/** Takes what came, which lies in `memory` from `start` to `end`. */
export type TakeReceived = (memory: Buffer, start: number, end: number) => void;

/** Large enough that a read is no more than a few per MB, small enough to be held for a few rows (G6). */
const SLAB_BYTES = 256 * 1024;
/** Left over, it is given up: reads into less would be many. */
const LEAST_BYTES = 64 * 1024;

/**
 * Memory that a socket reads into, for connections over which much comes. What comes lies end to end in large slabs, as much of it as the
 * kernel has at each read; without this, Node gives every read a buffer and an event of its own, of 64 KiB at most (measured: a third
 * of the time that receiving takes, and a sixth of all that reading a log does).
 *
 * A slab is never written twice: what was given out stays.
 */
export class ReceiveMemory {
  #slab: Buffer = Buffer.alloc(0);
  #used = 0;
  #take: TakeReceived | null = null;
  readonly #early: Parameters<TakeReceived>[] = [];

  /** For `net.connect`. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#free(),
    callback: (bytes) => {
      const start = this.#used;
      this.#used = start + bytes;
      if (this.#take === null) this.#early.push([this.#slab, start, this.#used]);
      else this.#take(this.#slab, start, this.#used);
      return true;
    },
  };

  /** From now on, and what has come before. */
  attach(take: TakeReceived): void {
    this.#take = take;
    for (const one of this.#early.splice(0)) take(...one);
  }

  #free(): Buffer {
    if (this.#slab.length - this.#used < LEAST_BYTES) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    return this.#slab.subarray(this.#used);
  }
}
