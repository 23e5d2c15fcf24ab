/**
 * MySQL's GTID sets: which transactions a server has executed.
 *
 *     set      := [ source { "," source } ]
 *     source   := uuid { ":" interval } { ":" tag { ":" interval } }
 *     interval := number [ "-" number ]
 *
 * Canonical text (what `toString` gives, what positions hold): UUIDs in lower case and in order, the untagged intervals
 * first, then tags in order, intervals merged and in order, no spaces. That is the server's own text without its line feeds.
 *
 * Sources: https://dev.mysql.com/doc/refman/9.4/en/replication-gtids-concepts.html (text),
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump_gtid.html (bytes).
 */
import { HoltError } from '../lib/errors.ts';
import type { PositionText } from './position.ts';
import type { TransactionGtid } from './source-item.ts';

export type MysqlGtid = Extract<TransactionGtid, { flavour: 'mysql' }>;

/** The server refuses larger numbers. */
const MAX_NUMBER = 0x7fff_ffff_ffff_fffen;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^([0-9]{1,19})(?:-([0-9]{1,19}))?$/;
/** Between UUID and tag in keys: sorts before every character of a tag, so that keys sort as the canonical text does. */
const SEPARATOR = ':';

/** Numbers executed under one UUID and tag: disjoint, unconnected, ascending half-open intervals, back to back: `[start, end, start, end, …]`. */
class Intervals {
  readonly bounds: bigint[];
  #text: string | null = null;

  constructor(bounds: bigint[] = []) {
    this.bounds = bounds;
  }

  /** Adds `[start, end)`; constant time where it continues or follows the last interval, as it nearly always does. */
  add(start: bigint, end: bigint): void {
    const bounds = this.bounds;
    const lastEnd = bounds.at(-1);
    if (lastEnd === undefined || start > lastEnd) bounds.push(start, end);
    else if (start === lastEnd) bounds[bounds.length - 1] = end;
    else {
      // The first interval that touches [start, end) from the left, and the first that begins beyond it.
      const from = this.#firstWithEndAtLeast(start);
      let to = from;
      let low = start;
      let high = end;
      while (to < bounds.length && at(bounds, to) <= end) {
        if (at(bounds, to) < low) low = at(bounds, to);
        if (at(bounds, to + 1) > high) high = at(bounds, to + 1);
        to += 2;
      }
      if (to - from === 2 && low === at(bounds, from) && high === at(bounds, from + 1)) return;
      bounds.splice(from, to - from, low, high);
    }
    this.#text = null;
  }

  contains(start: bigint, end: bigint): boolean {
    const index = this.#firstWithEndAtLeast(end);
    return index < this.bounds.length && at(this.bounds, index) <= start;
  }

  /** What is here and not in `other`. */
  subtract(other: Intervals): Intervals {
    const rest: bigint[] = [];
    let index = 0;
    for (let i = 0; i < this.bounds.length; i += 2) {
      let start = at(this.bounds, i);
      const end = at(this.bounds, i + 1);
      while (index < other.bounds.length && at(other.bounds, index + 1) <= start) index += 2;
      for (let j = index; start < end; j += 2) {
        const cutStart = j < other.bounds.length ? at(other.bounds, j) : end;
        if (cutStart >= end) {
          rest.push(start, end);
          break;
        }
        if (cutStart > start) rest.push(start, cutStart);
        start = at(other.bounds, j + 1);
      }
    }
    return new Intervals(rest);
  }

  /** Index of the first interval whose end is at least `value`; the length if there is none. */
  #firstWithEndAtLeast(value: bigint): number {
    let low = 0;
    let high = this.bounds.length / 2;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (at(this.bounds, middle * 2 + 1) < value) low = middle + 1;
      else high = middle;
    }
    return low * 2;
  }

  toString(): string {
    if (this.#text !== null) return this.#text;
    const parts: string[] = [];
    for (let i = 0; i < this.bounds.length; i += 2) {
      const first = at(this.bounds, i);
      const last = at(this.bounds, i + 1) - 1n;
      parts.push(first === last ? `${first}` : `${first}-${last}`);
    }
    this.#text = parts.join(':');
    return this.#text;
  }
}

function at(bounds: readonly bigint[], index: number): bigint {
  const value = bounds[index];
  if (value === undefined) throw new RangeError(`no bound at ${index}`);
  return value;
}

/**
 * A set that grows: `add` is constant time for the next number of a known source, and text is kept per source, so that
 * `toString` after a batch costs what changed. Not shared between owners: `clone` it.
 */
export class GtidSet {
  /** By `uuid`, or `uuid:tag`. No entry is empty. */
  readonly #sources = new Map<string, Intervals>();
  #sortedKeys: readonly string[] | null = null;

  /** @throws HOLT_POSITION_INVALID for anything that is no GTID set. Spaces, line feeds and upper case are taken. */
  static parse(text: string): GtidSet {
    const set = new GtidSet();
    const compact = text.replace(/[ \t\r\n]+/g, '').toLowerCase();
    if (compact === '') return set;
    for (const source of compact.split(',')) {
      // The server gives no empty parts, but takes them, as in "uuid:1-2,".
      if (source === '') continue;
      const [uuid = '', ...parts] = source.split(':');
      if (!UUID.test(uuid) || parts.length === 0) throw invalid(text, source);
      let tag = '';
      let tagIsEmpty = false;
      for (const part of parts) {
        const match = INTERVAL.exec(part);
        if (match === null) {
          if (tagIsEmpty || !TAG.test(part)) throw invalid(text, part);
          tag = part;
          tagIsEmpty = true;
          continue;
        }
        const first = BigInt(match[1] ?? '');
        const last = match[2] === undefined ? first : BigInt(match[2]);
        if (first < 1n || last < first || last > MAX_NUMBER) throw invalid(text, part);
        set.addInterval(uuid, tag, first, last);
        tagIsEmpty = false;
      }
      if (tagIsEmpty) throw invalid(text, source);
    }
    return set;
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  add(gtid: MysqlGtid): void {
    this.#intervals(gtid.uuid, gtid.tag).add(gtid.number, gtid.number + 1n);
  }

  /** Adds `first` to `last`, both included. */
  addInterval(uuid: string, tag: string, first: bigint, last: bigint): void {
    this.#intervals(uuid, tag).add(first, last + 1n);
  }

  addAll(other: GtidSet): void {
    for (const [key, intervals] of other.#sources) {
      const mine = this.#byKey(key);
      for (let i = 0; i < intervals.bounds.length; i += 2)
        mine.add(at(intervals.bounds, i), at(intervals.bounds, i + 1));
    }
  }

  has(gtid: MysqlGtid): boolean {
    const intervals = this.#sources.get(keyOf(gtid.uuid, gtid.tag));
    return intervals?.contains(gtid.number, gtid.number + 1n) ?? false;
  }

  /** True if every transaction of `other` is in this set. */
  contains(other: GtidSet): boolean {
    for (const [key, theirs] of other.#sources) {
      const mine = this.#sources.get(key);
      if (mine === undefined) return false;
      for (let i = 0; i < theirs.bounds.length; i += 2)
        if (!mine.contains(at(theirs.bounds, i), at(theirs.bounds, i + 1))) return false;
    }
    return true;
  }

  equals(other: GtidSet): boolean {
    return this.toString() === other.toString();
  }

  union(other: GtidSet): GtidSet {
    const both = this.clone();
    both.addAll(other);
    return both;
  }

  /** What is in this set and not in `other`. */
  subtract(other: GtidSet): GtidSet {
    const rest = new GtidSet();
    for (const [key, intervals] of this.#sources) {
      const theirs = other.#sources.get(key);
      const left = theirs === undefined ? new Intervals([...intervals.bounds]) : intervals.subtract(theirs);
      if (left.bounds.length > 0) rest.#sources.set(key, left);
    }
    return rest;
  }

  clone(): GtidSet {
    const copy = new GtidSet();
    for (const [key, intervals] of this.#sources)
      copy.#sources.set(key, new Intervals([...intervals.bounds]));
    return copy;
  }

  /** Canonical text. */
  toString(): string {
    let text = '';
    let lastUuid = '';
    for (const key of this.#keys()) {
      const separator = key.indexOf(SEPARATOR);
      const uuid = separator < 0 ? key : key.slice(0, separator);
      const head = uuid === lastUuid ? key.slice(uuid.length) : text === '' ? key : `,${key}`;
      text += `${head}:${this.#sources.get(key)}`;
      lastUuid = uuid;
    }
    return text;
  }

  toPosition(): PositionText {
    return `mysql:${this}` as PositionText;
  }

  /**
   * The set as COM_BINLOG_DUMP_GTID wants it and PREVIOUS_GTIDS events have it.
   *
   *     u64 head · sources × ( 16 bytes uuid · [tag] · u64 intervals · intervals × ( u64 first · u64 one past the last ) )
   *
   * Without tags the head is the number of sources: the only form that servers before 8.3 read. With tags first and last byte of
   * the head are 1, the six between are the number of sources, and each source has a tag, perhaps empty: a length byte that
   * is twice the number of characters (a variable-length integer of one byte), then the characters.
   */
  encode(): Buffer {
    const keys = this.#keys();
    const tagged = keys.some((key) => key.includes(SEPARATOR));
    const head = Buffer.alloc(8);
    if (tagged) {
      head.writeUInt8(1, 0);
      head.writeUIntLE(keys.length, 1, 6);
      head.writeUInt8(1, 7);
    } else head.writeBigUInt64LE(BigInt(keys.length));
    const parts: Buffer[] = [head];
    for (const key of keys) {
      const [uuid = '', tag = ''] = key.split(SEPARATOR);
      parts.push(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
      if (tagged) parts.push(Buffer.from([tag.length << 1]), Buffer.from(tag, 'latin1'));
      const bounds = this.#sources.get(key)?.bounds ?? [];
      const numbers = Buffer.alloc(8 + bounds.length * 8);
      numbers.writeBigUInt64LE(BigInt(bounds.length / 2));
      bounds.forEach((bound, index) => {
        numbers.writeBigUInt64LE(bound, 8 + index * 8);
      });
      parts.push(numbers);
    }
    return Buffer.concat(parts);
  }

  #intervals(uuid: string, tag: string): Intervals {
    return this.#byKey(tag === '' ? uuid : `${uuid}${SEPARATOR}${tag}`);
  }

  #byKey(key: string): Intervals {
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    const fresh = new Intervals();
    this.#sources.set(key, fresh);
    this.#sortedKeys = null;
    return fresh;
  }

  #keys(): readonly string[] {
    this.#sortedKeys ??= [...this.#sources.keys()].sort();
    return this.#sortedKeys;
  }
}

/** The body of a `mysql:` position. */
export function gtidSetOf(text: PositionText): GtidSet {
  if (!text.startsWith('mysql:'))
    throw new HoltError('HOLT_POSITION_INVALID', `${JSON.stringify(text)} is no MySQL GTID position`);
  return GtidSet.parse(text.slice('mysql:'.length));
}

/** `uuid:number`, or `uuid:tag:number`. */
export function formatMysqlGtid(gtid: MysqlGtid): string {
  return `${keyOf(gtid.uuid, gtid.tag)}:${gtid.number}`;
}

function keyOf(uuid: string, tag: string): string {
  return tag === '' ? uuid : `${uuid}${SEPARATOR}${tag}`;
}

function invalid(text: string, part: string): HoltError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new HoltError(
    'HOLT_POSITION_INVALID',
    `${JSON.stringify(shown)} is no GTID set: ${JSON.stringify(part)} is not understood`,
  );
}
