import { protocolError } from './protocol.ts';

/**
 * Named reads over one payload; each throws HOLT_SOURCE_PROTOCOL instead of going past the end.
 *
 * Length-encoded integers: below 0xfb the byte itself, 0xfc + u16, 0xfd + u24, 0xfe + u64; 0xfb stands for NULL in rows.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_data_types.html.
 */
export class ByteReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #offset: number;

  constructor(bytes: Buffer, what: string, offset = 0) {
    this.#bytes = bytes;
    this.#what = what;
    this.#offset = offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  uint24(): number {
    return this.#bytes.readUIntLE(this.#take(3), 3);
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  bytes(length: number): Buffer {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  rest(): Buffer {
    return this.bytes(this.remaining);
  }

  /** Up to a zero byte, which is passed over. */
  nullTerminated(): Buffer {
    const end = this.#bytes.indexOf(0, this.#offset);
    if (end < 0) throw protocolError(`${this.#what}: a text without end`);
    const text = this.#bytes.subarray(this.#offset, end);
    this.#offset = end + 1;
    return text;
  }

  /** A length-encoded integer up to 2^53. */
  lenencInteger(): number {
    const first = this.uint8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.uint16();
    if (first === 0xfd) return this.uint24();
    if (first !== 0xfe) throw protocolError(`${this.#what}: ${first} where a number begins`);
    const low = this.uint32();
    const value = low + this.uint32() * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw protocolError(`${this.#what}: a length of ${value}`);
    return value;
  }

  lenencBytes(): Buffer {
    return this.bytes(this.lenencInteger());
  }

  /** A column value of the text protocol. */
  nullableLenencBytes(): Buffer | null {
    if (this.#bytes[this.#offset] === 0xfb) {
      this.#offset += 1;
      return null;
    }
    return this.lenencBytes();
  }

  #take(length: number): number {
    const start = this.#offset;
    if (start + length > this.#bytes.length)
      throw protocolError(
        `${this.#what}: ${length} bytes wanted at ${start}, ${this.#bytes.length} are there`,
      );
    this.#offset = start + length;
    return start;
  }
}
