import type { ColumnBitmap } from '../../model/rows.ts';

/**
 * Copies row images out of what came from the network, so that a few rows kept for long do not keep whole network
 * buffers alive: what an item says it holds is what it holds (G6).
 */
const SLAB_BYTES = 64 * 1024;
const SMALL_BYTES = 16 * 1024;

export class RowSlab {
  #slab: Buffer = Buffer.alloc(0);
  #used = 0;

  /** `data` in memory that nothing else but neighbouring rows shares. */
  keep(data: Buffer): Buffer {
    const { length } = data;
    if (length > SMALL_BYTES) {
      // A large image is most of its buffer already, or is copied into one of its own.
      if (data.buffer.byteLength <= length + (length >> 2)) return data;
      const own = Buffer.allocUnsafeSlow(length);
      data.copy(own);
      return own;
    }
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    data.copy(this.#slab, this.#used);
    const kept = this.#slab.subarray(this.#used, this.#used + length);
    this.#used += length;
    return kept;
  }
}

/** The same for bitmaps: event after event has the same one. */
export class BitmapKeeper {
  #last: Buffer = Buffer.alloc(0);

  keep(bitmap: ColumnBitmap | null): ColumnBitmap | null {
    if (bitmap === null) return null;
    if (!this.#last.equals(bitmap)) this.#last = Buffer.from(bitmap);
    return this.#last;
  }
}
