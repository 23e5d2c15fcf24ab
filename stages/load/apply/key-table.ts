/**
 * A set of keys by their bytes: open addressing over typed arrays, the keys' bytes in one arena. No object per key.
 * Entries are numbered from 0 in order of appearance; callers keep what belongs to an entry in arrays of their own.
 */
export class KeyTable {
  /** Entry number + 1 at each place, 0 where free. The length is a power of two. */
  #slots: Int32Array;
  #hashes: Int32Array;
  #starts: Int32Array;
  #lengths: Int32Array;
  #arena: Buffer;
  #used = 0;
  #size = 0;

  constructor(expected = 1024) {
    let places = 64;
    while (places < expected * 2) places *= 2;
    this.#slots = new Int32Array(places);
    this.#hashes = new Int32Array(places / 2);
    this.#starts = new Int32Array(places / 2);
    this.#lengths = new Int32Array(places / 2);
    this.#arena = Buffer.allocUnsafe(places * 4);
  }

  get size(): number {
    return this.#size;
  }

  /** Forgets the keys, keeps the memory. */
  clear(): void {
    this.#slots.fill(0);
    this.#used = 0;
    this.#size = 0;
  }

  /** Number of the entry with these bytes; if there is none, it is added and its number is the `size` before the call. */
  add(bytes: Uint8Array, start: number, length: number): number {
    const hash = hashOf(bytes, start, length);
    const mask = this.#slots.length - 1;
    let place = hash & mask;
    for (let entry = slotAt(this.#slots, place); entry !== 0; entry = slotAt(this.#slots, place)) {
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, bytes, start, length)) return entry - 1;
      place = (place + 1) & mask;
    }
    const entry = this.#size;
    this.#hashes[entry] = hash;
    this.#starts[entry] = this.#keep(bytes, start, length);
    this.#lengths[entry] = length;
    this.#slots[place] = entry + 1;
    this.#size = entry + 1;
    if (this.#size * 2 > this.#slots.length - 1) this.#grow();
    return entry;
  }

  has(bytes: Uint8Array, start: number, length: number): boolean {
    const hash = hashOf(bytes, start, length);
    const mask = this.#slots.length - 1;
    let place = hash & mask;
    for (let entry = slotAt(this.#slots, place); entry !== 0; entry = slotAt(this.#slots, place)) {
      if (this.#hashes[entry - 1] === hash && this.#equals(entry - 1, bytes, start, length)) return true;
      place = (place + 1) & mask;
    }
    return false;
  }

  #equals(entry: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (this.#lengths[entry] !== length) return false;
    const arena = this.#arena;
    const from = this.#starts[entry] ?? 0;
    for (let i = 0; i < length; i++) if (arena[from + i] !== bytes[start + i]) return false;
    return true;
  }

  #keep(bytes: Uint8Array, start: number, length: number): number {
    const at = this.#used;
    if (at + length > this.#arena.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#arena.length * 2, at + length));
      this.#arena.copy(grown, 0, 0, at);
      this.#arena = grown;
    }
    const arena = this.#arena;
    for (let i = 0; i < length; i++) arena[at + i] = bytes[start + i] ?? 0;
    this.#used = at + length;
    return at;
  }

  #grow(): void {
    const places = this.#slots.length * 2;
    const slots = new Int32Array(places);
    for (let entry = 0; entry < this.#size; entry++) {
      let place = (this.#hashes[entry] ?? 0) & (places - 1);
      while (slots[place] !== 0) place = (place + 1) & (places - 1);
      slots[place] = entry + 1;
    }
    this.#slots = slots;
    this.#hashes = doubled(this.#hashes);
    this.#starts = doubled(this.#starts);
    this.#lengths = doubled(this.#lengths);
  }
}

function slotAt(slots: Int32Array, place: number): number {
  return slots[place] ?? 0;
}

export function doubled(array: Int32Array): Int32Array {
  const grown = new Int32Array(array.length * 2);
  grown.set(array);
  return grown;
}

/** FNV-1a with a final mix (MurmurHash3's), so that the low bits depend on all. */
function hashOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = start, end = start + length; i < end; i++)
    hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
