/**
 * MySQL's binary JSON, read in place.
 *
 *     document   := u8 type · value                              an empty document is the literal null
 *     type       := 0, 1 object (small, large) · 2, 3 array · 4 literal · 5, 6 int16, uint16 · 7, 8 int32, uint32
 *                   · 9, 10 int64, uint64 · 11 double · 12 string · 15 opaque
 *     container  := count · bytes · [object: (key offset · u16 key length)*] · (u8 type · offset or inline value)* · keys · values
 *                   count, bytes and offsets are u16 in small containers and u32 in large ones; offsets count from `count`;
 *                   literals, 16-bit integers, and in large containers 32-bit integers stand inline
 *     literal    := u8: 0 null, 1 true, 2 false
 *     string     := varlen · utf8mb4 bytes                       varlen: 7 bits a byte, low ones first, top bit: more follow
 *     opaque     := u8 column type · varlen · bytes              DECIMAL: precision · scale · digits; temporal: i64 packed
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/json__binary_8h.html.
 *
 * Offsets in damaged or hostile bytes may point anywhere, also many to one place. Every read is bounded by the
 * container, values lie behind their container's head, and all bytes that are read together may not exceed the
 * document's: so a small document cannot unfold into a huge one.
 */
import { HoltError } from '../../lib/errors.ts';

export const JSON_TYPE = {
  smallObject: 0,
  largeObject: 1,
  smallArray: 2,
  largeArray: 3,
  literal: 4,
  int16: 5,
  uint16: 6,
  int32: 7,
  uint32: 8,
  int64: 9,
  uint64: 10,
  double: 11,
  string: 12,
  opaque: 15,
} as const;

/** The servers refuse deeper documents. */
export const MAX_JSON_DEPTH = 100;

/** One value of a document: its type, and where its bytes are. For a container `start` is its count, `end` the end of its bytes. */
export interface JsonValue {
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

export interface JsonMember {
  /** Where the key's bytes are; both 0 in an array. */
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly value: JsonValue;
}

/** Reads values out of one document. Each document wants a reader of its own: it keeps the account of bytes read. */
export class JsonReader {
  readonly buf: Buffer;
  readonly #start: number;
  readonly #end: number;
  #budget: number;

  /** The document is the `length` bytes from `start`. */
  constructor(buf: Buffer, start: number, length: number) {
    this.buf = buf;
    this.#start = start;
    this.#end = start + length;
    this.#budget = length;
  }

  /** A reader of the same document with an account of its own, to go over it once more. */
  fork(): JsonReader {
    return new JsonReader(this.buf, this.#start, this.#end - this.#start);
  }

  root(): JsonValue {
    if (this.#end === this.#start) return { type: JSON_TYPE.literal, start: -1, end: -1 };
    return this.#bounded(this.#u8(this.#start), this.#start + 1, this.#end);
  }

  /** 0 null, 1 true, 2 false. */
  literal(value: JsonValue): number {
    return value.start === -1 ? 0 : this.#u8(value.start);
  }

  /** A number of the integer types up to 32 bits. */
  int32(value: JsonValue): number {
    switch (value.type) {
      case JSON_TYPE.int16:
        return this.buf.readInt16LE(value.start);
      case JSON_TYPE.uint16:
        return this.buf.readUInt16LE(value.start);
      case JSON_TYPE.int32:
        return this.buf.readInt32LE(value.start);
      default:
        return this.buf.readUInt32LE(value.start);
    }
  }

  double(value: JsonValue): number {
    const number = this.buf.readDoubleLE(value.start);
    if (!Number.isFinite(number)) throw corrupt('a double that is no number');
    return number;
  }

  /** The bytes of a string. */
  string(value: JsonValue): { readonly start: number; readonly end: number } {
    return this.#lengthPrefixed(value.start, value.end);
  }

  opaque(value: JsonValue): { readonly columnType: number; readonly start: number; readonly end: number } {
    const columnType = this.#u8(value.start);
    return { columnType, ...this.#lengthPrefixed(value.start + 1, value.end) };
  }

  /** The members of an object or array, in stored order (an object's keys: by length, then by bytes). */
  *members(container: JsonValue): Generator<JsonMember, void, undefined> {
    const large = container.type === JSON_TYPE.largeObject || container.type === JSON_TYPE.largeArray;
    const isObject = container.type === JSON_TYPE.smallObject || container.type === JSON_TYPE.largeObject;
    const width = large ? 4 : 2;
    const { start } = container;
    const read = (at: number): number => {
      if (at + width > container.end) throw corrupt('a container is cut off');
      return large ? this.buf.readUInt32LE(at) : this.buf.readUInt16LE(at);
    };
    const count = read(start);
    const end = start + read(start + width);
    if (end > container.end) throw corrupt('a container is longer than its document');
    const keys = start + 2 * width;
    const entries = keys + (isObject ? count * (width + 2) : 0);
    const head = entries + count * (1 + width);
    if (head > end) throw corrupt(`a container of ${count} members`);
    this.#spend(head - start);
    for (let i = 0; i < count; i++) {
      let keyStart = 0;
      let keyEnd = 0;
      if (isObject) {
        const at = keys + i * (width + 2);
        keyStart = start + read(at);
        keyEnd = keyStart + this.buf.readUInt16LE(at + width);
        if (keyStart < head || keyEnd > end) throw corrupt('a key outside its object');
        this.#spend(keyEnd - keyStart);
      }
      const entry = entries + i * (1 + width);
      const type = this.#u8(entry);
      const value = isInline(type, large)
        ? { type, start: entry + 1, end: entry + 1 + width }
        : this.#memberValue(type, start + read(entry + 1), head, end);
      yield { keyStart, keyEnd, value };
    }
  }

  #memberValue(type: number, start: number, head: number, end: number): JsonValue {
    if (start < head) throw corrupt('a value inside the head of its container');
    return this.#bounded(type, start, end);
  }

  #bounded(type: number, start: number, end: number): JsonValue {
    const fixed = FIXED_BYTES[type];
    if (fixed === undefined) throw corrupt(`value type ${type}`);
    if (start + fixed > end) throw corrupt('a value is cut off');
    if (type > JSON_TYPE.largeArray) this.#spend(Math.max(fixed, 1));
    return { type, start, end: fixed === 0 ? end : start + fixed };
  }

  #lengthPrefixed(start: number, end: number): { readonly start: number; readonly end: number } {
    let length = 0;
    let at = start;
    for (let shift = 0; ; shift += 7) {
      if (shift > 28 || at >= end) throw corrupt('a length is cut off');
      const byte = this.buf[at] as number;
      at += 1;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (at + length > end) throw corrupt('a string is cut off');
    this.#spend(at + length - start);
    return { start: at, end: at + length };
  }

  #u8(at: number): number {
    if (at >= this.#end) throw corrupt('it is cut off');
    return this.buf[at] as number;
  }

  #spend(bytes: number): void {
    this.#budget -= bytes;
    // A string's first byte may be counted with its value and with its length.
    if (this.#budget < -this.#end + this.#start) throw corrupt('its parts overlap');
  }
}

/** Bytes of a value by type; 0 where the value itself says. */
const FIXED_BYTES: readonly (number | undefined)[] = [
  0,
  0,
  0,
  0,
  1,
  2,
  2,
  4,
  4,
  8,
  8,
  8,
  0,
  undefined,
  undefined,
  0,
];

function isInline(type: number, large: boolean): boolean {
  return (
    type === JSON_TYPE.literal ||
    type === JSON_TYPE.int16 ||
    type === JSON_TYPE.uint16 ||
    (large && (type === JSON_TYPE.int32 || type === JSON_TYPE.uint32))
  );
}

function corrupt(why: string): HoltError {
  return new HoltError('HOLT_VALUE_INVALID', `a JSON document cannot be read: ${why}`);
}
