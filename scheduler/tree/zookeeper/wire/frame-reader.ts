import { WireError } from './jute.ts';

/** Largest packet taken from a server: a children list of half a million names fits. */
export const maxReplyBytes = 64 * 1024 * 1024;

/**
 * Cuts a byte stream into packets (32-bit length, body). Each byte is copied at most once, whatever the chunks:
 * a packet within a chunk is a view of it, one that spans chunks is gathered in a buffer of its size.
 */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #header = Buffer.alloc(4);
  #headerFilled = 0;
  #body: Buffer | undefined;
  #bodyFilled = 0;

  constructor(maxBytes = maxReplyBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Bodies that `chunk` completes, in order. @throws WireError on an impossible length */
  *push(chunk: Buffer): Generator<Buffer> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#body === undefined) {
        const taken = chunk.copy(this.#header, this.#headerFilled, at, at + 4 - this.#headerFilled);
        this.#headerFilled += taken;
        at += taken;
        if (this.#headerFilled < 4) return;
        this.#headerFilled = 0;
        const length = this.#header.readInt32BE(0);
        if (length < 0 || length > this.#maxBytes) throw new WireError(`packet of ${length} bytes announced`);
        if (chunk.length - at >= length) {
          yield chunk.subarray(at, at + length);
          at += length;
          continue;
        }
        this.#body = Buffer.allocUnsafe(length);
        this.#bodyFilled = 0;
      }
      const taken = chunk.copy(this.#body, this.#bodyFilled, at);
      this.#bodyFilled += taken;
      at += taken;
      if (this.#bodyFilled < this.#body.length) return;
      const body = this.#body;
      this.#body = undefined;
      yield body;
    }
  }
}
