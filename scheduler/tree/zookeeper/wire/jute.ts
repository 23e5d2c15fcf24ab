/**
 * Jute, ZooKeeper's encoding (`org.apache.jute.BinaryOutputArchive`): big-endian integers, a byte for a boolean,
 * buffers, strings (UTF-8) and vectors with a 32-bit length in front, where -1 means null.
 */

/** Bytes from a server that are not what the protocol says; ends the connection, nothing else. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

export class JuteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(sizeHint = 256) {
    this.#buffer = Buffer.allocUnsafe(Math.max(16, sizeHint));
  }

  get length(): number {
    return this.#length;
  }

  int(value: number): this {
    this.#length = this.#room(4).writeInt32BE(value, this.#length);
    return this;
  }

  long(value: bigint): this {
    this.#length = this.#room(8).writeBigInt64BE(value, this.#length);
    return this;
  }

  bool(value: boolean): this {
    this.#length = this.#room(1).writeUInt8(value ? 1 : 0, this.#length);
    return this;
  }

  buffer(value: Buffer | null): this {
    if (value === null) return this.int(-1);
    this.int(value.length);
    this.#room(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  string(value: string): this {
    const bytes = Buffer.byteLength(value);
    this.int(bytes);
    this.#room(bytes).write(value, this.#length, bytes, 'utf8');
    this.#length += bytes;
    return this;
  }

  strings(values: readonly string[]): this {
    this.int(values.length);
    for (const value of values) this.string(value);
    return this;
  }

  /** Bytes that are encoded already. */
  raw(encoded: Buffer): this {
    this.#room(encoded.length).set(encoded, this.#length);
    this.#length += encoded.length;
    return this;
  }

  bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }

  /** The bytes with their own length in front: one packet. */
  packet(): Buffer {
    const packet = Buffer.allocUnsafe(4 + this.#length);
    packet.writeInt32BE(this.#length, 0);
    this.#buffer.copy(packet, 4, 0, this.#length);
    return packet;
  }

  #room(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}

/** Reads one packet's body by named reads; every length is checked against what is there. */
export class JuteReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  bool(): boolean {
    return this.#bytes.readUInt8(this.#take(1)) !== 0;
  }

  /** A copy, so that a few bytes of data do not keep a socket's whole chunk alive; null reads as empty. */
  buffer(): Buffer {
    const length = this.int();
    if (length === -1) return Buffer.alloc(0);
    const start = this.#take(length);
    return Buffer.from(this.#bytes.subarray(start, start + length));
  }

  string(): string {
    const length = this.int();
    if (length === -1) return '';
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  strings(): string[] {
    const count = this.int();
    if (count === -1) return [];
    // A string takes at least its length field, so a count beyond that is a lie: do not allocate for it.
    if (count < 0 || count * 4 > this.remaining)
      throw new WireError(`vector of ${count} strings in a short packet`);
    const values: string[] = [];
    for (let i = 0; i < count; i++) values.push(this.string());
    return values;
  }

  #take(bytes: number): number {
    if (bytes < 0 || bytes > this.remaining)
      throw new WireError(`${bytes} bytes wanted at ${this.#offset}, ${this.remaining} there`);
    const start = this.#offset;
    this.#offset += bytes;
    return start;
  }
}
