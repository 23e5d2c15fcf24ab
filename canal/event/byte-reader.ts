import { HoltError } from '../../lib/errors.ts';

/**
 * Reads one event's body by named reads. Every read is bounded by the end of the body: bytes that say otherwise give
 * HOLT_EVENT_CORRUPT, never a value from beyond.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #offset = 0;

  /** `what` names the event in errors. */
  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u24(): number {
    return this.#bytes.readUIntLE(this.#take(3), 3);
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u48(): number {
    return this.#bytes.readUIntLE(this.#take(6), 6);
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  i64(): bigint {
    return this.#bytes.readBigInt64LE(this.#take(8));
  }

  /** An unsigned 64-bit integer that must be below 2^53 (sizes, offsets, microseconds). */
  safeU64(): number {
    const low = this.u32();
    return this.#safe(low, this.u32());
  }

  /** An unsigned integer of `bytes` bytes, little-endian. */
  uint(bytes: 1 | 2 | 3 | 4 | 5 | 6): number {
    return this.#bytes.readUIntLE(this.#take(bytes), bytes);
  }

  /**
   * The protocol's length-encoded integer: one byte below 251, else 252, 253, 254 and 2, 3, 8 bytes.
   * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_dt_integers.html
   */
  lenenc(): number {
    const first = this.u8();
    if (first < 251) return first;
    if (first === 252) return this.u16();
    if (first === 253) return this.u24();
    if (first === 254) return this.safeU64();
    return this.fail(`${first} begins no length`);
  }

  /** A view of `length` bytes, not a copy. */
  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  utf8(length: number): string {
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  latin1(length: number): string {
    const start = this.#take(length);
    return this.#bytes.toString('latin1', start, start + length);
  }

  /** Bytes up to a NUL, which is consumed and not part of the result. */
  untilNul(): Buffer {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end === -1) return this.fail('a text without its closing NUL');
    const found = this.#bytes.subarray(this.#offset, end);
    this.#offset = end + 1;
    return found;
  }

  /** What is left, as a view. */
  rest(): Buffer {
    const found = this.#bytes.subarray(this.#offset);
    this.#offset = this.#bytes.length;
    return found;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** A reader over the next `length` bytes. */
  inner(length: number, what: string): ByteReader {
    return new ByteReader(this.bytes(length), what);
  }

  fail(why: string): never {
    throw new HoltError('HOLT_EVENT_CORRUPT', `${this.#what}: ${why} at byte ${this.#offset} of its body`, {
      facts: { event: this.#what, at: this.#offset, bodyBytes: this.#bytes.length },
    });
  }

  #take(length: number): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start)
      this.fail(`${length} bytes wanted and ${this.#bytes.length - start} left`);
    this.#offset = start + length;
    return start;
  }

  #safe(low: number, high: number): number {
    if (high > 0x1f_ffff) this.fail('a number beyond 2^53');
    return high * 0x1_0000_0000 + low;
  }
}
