/**
 * The store: a ring bounded in bytes and in slots, with put, get and ack cursors, each reader with its own get and ack.
 *
 *          oldest         ack(a)   get(a)        ack(b) = get(b)      put
 *            │   history    │  handed out │  waiting    │                │
 *     ───────┴──────────────┴─────────────┴─────────────┴────────────────┴──── sequence →
 *
 * Cursors count items since the store began and never wrap (2^53 of them). What all readers have acknowledged stays as
 * history until its room is needed, so that a reader that comes back for it finds it. The slowest reader holds `put`
 * back; a reader that must not do so any longer is removed by its owner. Without readers nothing is held back.
 *
 * Pure bookkeeping: no clocks, no promises. Whoever waits looks again after `put`, `ack` or `remove`.
 */
import { assert, defined } from '../../lib/assert.ts';

export interface RingStoreOptions<T> {
  readonly maxBytes: number;
  /** Slots; a power of two. */
  readonly maxItems: number;
  /** What all readers have acknowledged stays up to this many bytes; default: as long as there is room. */
  readonly historyBytes?: number;
  /** Told of each item that leaves, oldest first. */
  readonly onDrop?: (item: T) => void;
}

interface Cursor {
  get: number;
  ack: number;
}

export class RingStore<T extends { readonly bytes: number }, Reader extends object = object> {
  readonly #maxBytes: number;
  readonly #historyBytes: number;
  readonly #onDrop: (item: T) => void;
  readonly #slots: (T | undefined)[];
  readonly #mask: number;
  readonly #cursors = new Map<Reader, Cursor>();
  /** The same without their readers: gone through for every item. */
  #all: readonly Cursor[] = [];
  #oldest = 0;
  #put = 0;
  #bytes = 0;
  /** Items before this sequence are history, and hold so many bytes. */
  #historyEnd = 0;
  #heldByHistory = 0;

  constructor(options: RingStoreOptions<T>) {
    const { maxItems } = options;
    if (maxItems < 1 || (maxItems & (maxItems - 1)) !== 0)
      throw new RangeError(`maxItems must be a power of two, not ${maxItems}`);
    this.#maxBytes = options.maxBytes;
    this.#historyBytes = options.historyBytes ?? options.maxBytes;
    this.#onDrop = options.onDrop ?? (() => {});
    this.#slots = new Array<T | undefined>(maxItems);
    this.#mask = maxItems - 1;
  }

  /** Sequence of the first item still there. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Sequence of the next item to be put. */
  get putCursor(): number {
    return this.#put;
  }

  /** Bytes of everything there, history included. */
  get bytes(): number {
    return this.#bytes;
  }

  get readers(): readonly Reader[] {
    return [...this.#cursors.keys()];
  }

  /** Takes the item, or says that there is no room now. An item larger than the ring passes when it would be alone. */
  put(item: T): boolean {
    if (!this.#makeRoom(item.bytes)) return false;
    this.#slots[this.#put & this.#mask] = item;
    this.#put += 1;
    this.#bytes += item.bytes;
    return true;
  }

  at(sequence: number): T {
    assert(sequence >= this.#oldest && sequence < this.#put, `no item ${sequence} in the ring`);
    return defined(this.#slots[sequence & this.#mask], `item ${sequence}`);
  }

  /** Adds a reader whose next item is `sequence`, which must not be before the oldest nor beyond the next to come. */
  add(reader: Reader, sequence: number): void {
    // Come back for history, it makes it its own.
    for (; this.#historyEnd > sequence; this.#historyEnd--)
      this.#heldByHistory -= this.at(this.#historyEnd - 1).bytes;
    assert(
      sequence >= this.#oldest && sequence <= this.#put,
      `${sequence} is outside ${this.#oldest}…${this.#put}`,
    );
    this.#cursors.set(reader, { get: sequence, ack: sequence });
    this.#all = [...this.#cursors.values()];
  }

  remove(reader: Reader): void {
    this.#cursors.delete(reader);
    this.#all = [...this.#cursors.values()];
    this.#trimHistory();
  }

  has(reader: Reader): boolean {
    return this.#cursors.has(reader);
  }

  /** Items that `reader` could get at once. */
  waiting(reader: Reader): number {
    return this.#put - this.#cursor(reader).get;
  }

  /** The reader's next item; null when it has them all. */
  get(reader: Reader): T | null {
    const cursor = this.#cursor(reader);
    if (cursor.get === this.#put) return null;
    const item = this.#slots[cursor.get & this.#mask];
    assert(item !== undefined, `no item ${cursor.get} in the ring`);
    cursor.get += 1;
    return item;
  }

  /** Everything the reader got may go. */
  ack(reader: Reader): void {
    const cursor = this.#cursor(reader);
    cursor.ack = cursor.get;
    this.#trimHistory();
  }

  cursorsOf(reader: Reader): Readonly<Cursor> {
    return { ...this.#cursor(reader) };
  }

  /** Readers that hold `put` back: those whose first unacknowledged item is the oldest of all there. Empty while there is room. */
  blocking(bytes: number): readonly Reader[] {
    if (this.#hasRoom(bytes)) return [];
    const limit = this.#lowestAck();
    // History before the slowest reader goes by itself.
    if (limit > this.#oldest && this.#makeRoom(bytes)) return [];
    return [...this.#cursors].filter(([, cursor]) => cursor.ack === limit).map(([reader]) => reader);
  }

  #makeRoom(bytes: number): boolean {
    const limit = this.#lowestAck();
    while (!this.#hasRoom(bytes)) {
      if (this.#oldest >= limit) return false;
      this.#drop();
    }
    return true;
  }

  /** An item long kept is dear to collect: history is short unless asked for otherwise. */
  #trimHistory(): void {
    const limit = this.#lowestAck();
    for (; this.#historyEnd < limit; this.#historyEnd++)
      this.#heldByHistory += this.at(this.#historyEnd).bytes;
    while (this.#heldByHistory > this.#historyBytes && this.#oldest < this.#historyEnd) this.#drop();
  }

  #drop(): void {
    const slot = this.#oldest & this.#mask;
    const item = defined(this.#slots[slot], `item ${this.#oldest}`);
    this.#bytes -= item.bytes;
    if (this.#oldest < this.#historyEnd) this.#heldByHistory -= item.bytes;
    this.#slots[slot] = undefined;
    this.#oldest += 1;
    if (this.#historyEnd < this.#oldest) this.#historyEnd = this.#oldest;
    this.#onDrop(item);
  }

  #hasRoom(bytes: number): boolean {
    const items = this.#put - this.#oldest;
    return items === 0 || (items < this.#slots.length && this.#bytes + bytes <= this.#maxBytes);
  }

  #lowestAck(): number {
    let lowest = this.#put;
    const all = this.#all;
    for (let index = 0; index < all.length; index++) {
      const { ack } = all[index] as Cursor;
      if (ack < lowest) lowest = ack;
    }
    return lowest;
  }

  #cursor(reader: Reader): Cursor {
    return defined(this.#cursors.get(reader), 'a reader of this ring');
  }
}
