import type { BatchHeader } from '../model/batch.ts';

export interface ClaimBudgetOptions {
  /** Bytes of payloads that the node may hold for claims. */
  readonly maxBytes: number;
  /** Kept free for the lowest sequence; at least the largest batch. */
  readonly reserveBytes: number;
}

/**
 * Memory of a node for the payloads of claims. The lowest sequence of a stage is always admitted: everything above it
 * waits for it, so refusing it for lack of memory that the others hold would stop the pipeline for good. The others
 * leave `reserveBytes` free for that.
 */
export class ClaimBudget {
  readonly #maxBytes: number;
  readonly #reserveBytes: number;
  readonly #listeners = new Set<() => void>();
  #usedBytes = 0;

  constructor(options: ClaimBudgetOptions) {
    this.#maxBytes = options.maxBytes;
    this.#reserveBytes = options.reserveBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** As `NextOptions.admits` wants it. */
  readonly admits = (header: Pick<BatchHeader, 'payload'>, lowest: boolean): boolean =>
    lowest || this.#usedBytes + header.payload.bytes + this.#reserveBytes <= this.#maxBytes;

  /** Counts `bytes` until the returned function is called (once counts; later calls do nothing). */
  hold(bytes: number): () => void {
    this.#usedBytes += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#usedBytes -= bytes;
      for (const listener of this.#listeners) listener();
    };
  }

  /** Called whenever bytes become free: the place to `poke` boards from. */
  onFree(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
