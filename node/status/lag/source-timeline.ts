/**
 * Where the log of a source ended when: by it a place in the log has a time, on the clock of the node that looked. Pure.
 *
 *     place     ──●───────●───────────●──►  log        looks at its end, some ten a second
 *     from/to    [─]     [─]         [─]    time       each looked at some moment between `from` and `to`
 *
 * Everything before a place was committed before `to`, everything behind it after `from`. So the commit of any transaction is
 * between two looks, whatever the source's clock says, and whether or not it logs commit times. Times are the node's monotonic ones.
 */
import type { BinlogCoordinates } from '../../../model/position.ts';

/** Null where no look bounds it. */
export interface Bracket {
  readonly fromMs: number | null;
  readonly toMs: number | null;
}

interface Mark {
  readonly place: BinlogCoordinates;
  /** The earliest end of a look that found the log ending here. */
  readonly firstToMs: number;
  /** The latest beginning of one. */
  lastFromMs: number;
}

/** A day of an idle source with a heartbeat a second takes more; older looks are thinned out, and the error grows with them. */
const MAX_MARKS = 8_192;

/** Names of binlog files count up; a longer one is a later one. */
export function comparePlaces(a: BinlogCoordinates, b: BinlogCoordinates): number {
  if (a.file !== b.file) {
    if (a.file.length !== b.file.length) return a.file.length - b.file.length;
    return a.file < b.file ? -1 : 1;
  }
  return a.offset - b.offset;
}

export class SourceTimeline {
  /** In the order of the log. */
  #marks: Mark[] = [];
  /** Looks of our own begin with this place; before it there is only what heartbeat rows say. */
  #firstLook: BinlogCoordinates | null = null;
  #lookedMs: number | null = null;

  /** The log ended at `place` at some moment between the two. */
  look(place: BinlogCoordinates, fromMs: number, toMs: number): void {
    const last = this.#marks.at(-1);
    const order = last === undefined ? 1 : comparePlaces(place, last.place);
    // A log that was reset is another one.
    if (order < 0) {
      this.#marks = [];
      this.#firstLook = null;
    }
    this.#firstLook ??= place;
    this.#lookedMs = toMs;
    if (order === 0 && last !== undefined) last.lastFromMs = Math.max(last.lastFromMs, fromMs);
    else this.#marks.push({ place, firstToMs: toMs, lastFromMs: fromMs });
    if (this.#marks.length > MAX_MARKS) this.#thin();
  }

  /** A heartbeat row that ends at `place` was written between the two. Says something only where nobody looked. */
  heartbeat(place: BinlogCoordinates, fromMs: number, toMs: number): void {
    if (this.#firstLook !== null && comparePlaces(place, this.#firstLook) >= 0) return;
    const at = this.#firstAtOrBehind(place);
    const next = this.#marks[at];
    if (next !== undefined && comparePlaces(next.place, place) === 0) return;
    this.#marks.splice(at, 0, { place, firstToMs: toMs, lastFromMs: fromMs });
    if (this.#marks.length > MAX_MARKS) this.#thin();
  }

  /** End of the log at the last look; null before the first. */
  get head(): BinlogCoordinates | null {
    return this.#firstLook === null ? null : (this.#marks.at(-1)?.place ?? null);
  }

  /** When the last look was over. */
  get lookedMs(): number | null {
    return this.#lookedMs;
  }

  /** When a transaction was committed that ends at `end`. */
  committed(end: BinlogCoordinates): Bracket {
    const at = this.#firstAtOrBehind(end);
    return {
      fromMs: this.#marks[at - 1]?.lastFromMs ?? null,
      toMs: this.#marks[at]?.firstToMs ?? null,
    };
  }

  /** When the oldest of what stands behind `place` was committed; null when nothing does, as far as anyone has looked. */
  behind(place: BinlogCoordinates): Bracket | null {
    let at = this.#firstAtOrBehind(place);
    const here = this.#marks[at];
    if (here !== undefined && comparePlaces(here.place, place) === 0) at += 1;
    const next = this.#marks[at];
    if (next === undefined) return null;
    return { fromMs: this.#marks[at - 1]?.lastFromMs ?? null, toMs: next.firstToMs };
  }

  #firstAtOrBehind(place: BinlogCoordinates): number {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const mark = this.#marks[middle];
      if (mark !== undefined && comparePlaces(mark.place, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Every second one of the older half goes: what is left bounds as rightly, and less narrowly. */
  #thin(): void {
    const half = this.#marks.length >>> 1;
    this.#marks = this.#marks.filter((_, at) => at === 0 || at >= half || at % 2 === 0);
  }
}
