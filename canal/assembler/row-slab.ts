/**
 * Keeps row images that came from the network, so that a few rows kept for long do not keep whole network buffers alive: what
 * an item says it holds is, but for a factor, what it holds (G6).
 *
 * Most logs are nearly all rows that are wanted: copying those out would only be work. So while at least half of what came is kept,
 * it stays where it is; rows that are rare in what came are copied together. A memory is judged by the one before it.
 */
const SLAB_BYTES = 64 * 1024;
const SMALL_BYTES = 16 * 1024;

export class RowSlab {
  #slab: Buffer = Buffer.alloc(0);
  #used = 0;
  #source: Buffer | null = null;
  /** Of `#source`, what was kept so far. */
  #keptBytes = 0;
  #isDense = false;

  /** Where what was kept last lies. */
  memory: Buffer = this.#slab;
  from = 0;
  to = 0;

  /** Keeps the bytes of `memory` from `from` to `to`. */
  keep(memory: Buffer, from: number, to: number): void {
    const length = to - from;
    // Of what is one large event, its rows are nearly all.
    if (memory.length <= length + (length >> 2) && memory.buffer.byteLength <= length + (length >> 2))
      this.#place(memory, from, to);
    else if (this.#isOfDense(memory, length)) this.#place(memory, from, to);
    else if (length > SMALL_BYTES) {
      const own = Buffer.allocUnsafeSlow(length);
      memory.copy(own, 0, from, to);
      this.#place(own, 0, length);
    } else {
      if (this.#used + length > this.#slab.length) {
        this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
        this.#used = 0;
      }
      memory.copy(this.#slab, this.#used, from, to);
      this.#place(this.#slab, this.#used, this.#used + length);
      this.#used += length;
    }
  }

  /** An event that was put together by itself, between two memories, says nothing of them. */
  #isOfDense(memory: Buffer, length: number): boolean {
    if (memory !== this.#source) {
      if (memory.length < SLAB_BYTES) return false;
      this.#isDense = this.#source !== null && this.#keptBytes * 2 >= this.#source.length;
      this.#source = memory;
      this.#keptBytes = 0;
    }
    this.#keptBytes += length;
    return this.#isDense;
  }

  #place(memory: Buffer, from: number, to: number): void {
    this.memory = memory;
    this.from = from;
    this.to = to;
  }
}
