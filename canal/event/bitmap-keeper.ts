import type { ColumnBitmap } from '../../model/rows.ts';
import type { ByteReader } from './byte-reader.ts';

/** Different bitmaps that are remembered: an update has two, and tables take turns. */
const KEPT = 4;

/** Reads column bitmaps into memory of their own. Event after event has the same few, and equal ones give the same object. */
export class BitmapKeeper {
  readonly #kept: ColumnBitmap[] = [];
  #next = 0;

  keep(reader: ByteReader, length: number): ColumnBitmap {
    for (let i = 0; i < this.#kept.length; i++) {
      const kept = this.#kept[i] as ColumnBitmap;
      if (kept.length === length && reader.nextIs(kept)) {
        reader.skip(length);
        return kept;
      }
    }
    const bitmap = Buffer.from(reader.bytes(length));
    this.#kept[this.#next] = bitmap;
    this.#next = (this.#next + 1) % KEPT;
    return bitmap;
  }
}
