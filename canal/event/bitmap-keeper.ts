import type { ColumnBitmap } from '../../model/rows.ts';
import type { ByteReader } from './byte-reader.ts';

/** Different bitmaps that are remembered: an update has two, and tables take turns. */
const KEPT = 4;

/** Reads column bitmaps into memory of their own. Event after event has the same few, and equal ones give the same object. */
export class BitmapKeeper {
  readonly #kept: ColumnBitmap[] = [];
  #next = 0;

  keep(reader: ByteReader, length: number): ColumnBitmap {
    if (reader.remaining < length) reader.skip(length);
    const bitmap = this.keepAt(reader.memory, reader.at, length);
    reader.skip(length);
    return bitmap;
  }

  /** The same for `length` bytes that are there. */
  keepAt(memory: Buffer, at: number, length: number): ColumnBitmap {
    const kept = this.#kept;
    for (let i = 0; i < kept.length; i++) {
      const one = kept[i] as ColumnBitmap;
      if (one.length === length && hasAt(memory, at, one)) return one;
    }
    const bitmap = Buffer.from(memory.subarray(at, at + length));
    kept[this.#next] = bitmap;
    this.#next = (this.#next + 1) % KEPT;
    return bitmap;
  }
}

/** Whether `memory`, which has as many bytes from `at` on, has these there. */
export function hasAt(memory: Buffer, at: number, bytes: Uint8Array): boolean {
  const { length } = bytes;
  for (let i = 0; i < length; i++) if (memory[at + i] !== bytes[i]) return false;
  return true;
}
