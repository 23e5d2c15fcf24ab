import { HoltError } from '../../lib/errors.ts';

/**
 * Reads one event's body by named reads. Every read is bounded by the end of the body: bytes that say otherwise give
 * HOLT_EVENT_CORRUPT, never a value from beyond.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  readonly #start: number;
  readonly #end: number;
  #at: number;

  /** The body lies in `bytes` from `start` to `end`. `what` names the event in errors. */
  constructor(bytes: Buffer, what: string, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#what = what;
    this.#start = start;
    this.#end = end;
    this.#at = start;
  }

  /** What the body lies in. */
  get memory(): Buffer {
    return this.#bytes;
  }

  /** Where the next read begins in `memory`. */
  get at(): number {
    return this.#at;
  }

  /** Where the body ends in `memory`. */
  get end(): number {
    return this.#end;
  }

  /** Bytes of the body that have been read. */
  get offset(): number {
    return this.#at - this.#start;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#bytes[at] as number) | ((this.#bytes[at + 1] as number) << 8);
  }

  u24(): number {
    const at = this.#take(3);
    return (
      (this.#bytes[at] as number) |
      ((this.#bytes[at + 1] as number) << 8) |
      ((this.#bytes[at + 2] as number) << 16)
    );
  }

  u32(): number {
    return u32At(this.#bytes, this.#take(4));
  }

  u48(): number {
    const at = this.#take(6);
    const high = (this.#bytes[at + 4] as number) | ((this.#bytes[at + 5] as number) << 8);
    return high * 0x1_0000_0000 + u32At(this.#bytes, at);
  }

  u64(): bigint {
    const low = this.u32();
    const high = this.u32();
    return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
  }

  i64(): bigint {
    return BigInt.asIntN(64, this.u64());
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
    const start = this.#at;
    const end = this.#bytes.indexOf(0, start);
    if (end === -1 || end >= this.#end) return this.fail('a text without its closing NUL');
    this.#at = end + 1;
    return this.#bytes.subarray(start, end);
  }

  /** What is left, as a view. */
  rest(): Buffer {
    const found = this.#bytes.subarray(this.#at, this.#end);
    this.#at = this.#end;
    return found;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** A reader over the next `length` bytes. */
  inner(length: number, what: string): ByteReader {
    const start = this.#take(length);
    return new ByteReader(this.#bytes, what, start, start + length);
  }

  /** An unsigned integer that is not consumed. */
  peekUint(bytes: 4 | 6): number {
    const at = this.#take(bytes);
    this.#at = at;
    const low = u32At(this.#bytes, at);
    if (bytes === 4) return low;
    const high = (this.#bytes[at + 4] as number) | ((this.#bytes[at + 5] as number) << 8);
    return high * 0x1_0000_0000 + low;
  }

  /** Whether the next bytes, which must be as many, are these; they are not consumed. */
  nextIs(bytes: Uint8Array): boolean {
    const at = this.#at;
    if (bytes.length > this.#end - at) return false;
    for (let i = 0; i < bytes.length; i++) if (this.#bytes[at + i] !== bytes[i]) return false;
    return true;
  }

  fail(why: string): never {
    throw new HoltError('HOLT_EVENT_CORRUPT', `${this.#what}: ${why} at byte ${this.offset} of its body`, {
      facts: { event: this.#what, at: this.offset, bodyBytes: this.#end - this.#start },
    });
  }

  #take(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) this.fail(`${length} bytes wanted and ${this.#end - start} left`);
    this.#at = start + length;
    return start;
  }

  #safe(low: number, high: number): number {
    if (high > 0x1f_ffff) this.fail('a number beyond 2^53');
    return high * 0x1_0000_0000 + low;
  }
}

/** Little-endian. */
function u32At(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}
