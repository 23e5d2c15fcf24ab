/** A growing byte buffer: the one place where SQL text and payloads are put together without strings per value. */
export class ByteSink {
  #bytes: Buffer;
  #length = 0;

  constructor(initialBytes = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafe(Math.max(64, initialBytes));
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets the content, keeps the memory. */
  reset(): void {
    this.#length = 0;
  }

  /** Cuts back to `length`, which must not be beyond the present one. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** Makes room for `bytes` more and returns the buffer to write into; the place to write at is `length`. The buffer may change with every call. */
  reserve(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    return this.#bytes;
  }

  /** Counts `bytes` written into what `reserve` gave. */
  advance(bytes: number): void {
    this.#length += bytes;
  }

  byte(value: number): void {
    this.reserve(1)[this.#length] = value;
    this.#length += 1;
  }

  uint16(value: number): void {
    this.reserve(2).writeUInt16LE(value, this.#length);
    this.#length += 2;
  }

  uint32(value: number): void {
    this.reserve(4).writeUInt32LE(value, this.#length);
    this.#length += 4;
  }

  /** A non-negative safe integer in 8 bytes, little-endian. */
  uint64(value: number): void {
    const bytes = this.reserve(8);
    bytes.writeUInt32LE(value % 0x1_0000_0000, this.#length);
    bytes.writeUInt32LE(Math.floor(value / 0x1_0000_0000), this.#length + 4);
    this.#length += 8;
  }

  /** ASCII or Latin-1 text, a byte a character. */
  latin1(text: string): void {
    const bytes = this.reserve(text.length);
    bytes.write(text, this.#length, 'latin1');
    this.#length += text.length;
  }

  utf8(text: string): void {
    const bytes = this.reserve(text.length * 3);
    this.#length += bytes.write(text, this.#length, 'utf8');
  }

  copy(source: Uint8Array, start = 0, end = source.length): void {
    const bytes = this.reserve(end - start);
    bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.#length);
    this.#length += end - start;
  }

  /** What was written, without a copy: valid until the next write. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What was written, as a buffer of its own. */
  take(): Buffer {
    return Buffer.from(this.view());
  }
}
