import type { ByteSink } from '../../../lib/byte-sink.ts';
import { bitmapHas, ROW_FLAG, type RowOp } from '../../../model/rows.ts';
import { type EqualKeyChange, equalKeyChange, writeEqualKeys } from './equal-keys.ts';
import { writeExactMatch } from './exact-match.ts';
import type { ImageLayout, RowImage } from './fold.ts';
import type { RunWriter } from './run-writer.ts';
import { CHECKS_OFF } from './statement.ts';
import type { TablePlan, WrittenColumn } from './table-plan.ts';
import type { TargetTraits } from './target-table.ts';

/**
 * Changes in the source's order, none left out: for tables whose rows depend on each other. Rows that follow each other
 * with the same operation on the same table still share a statement: servers work through a statement's rows in the order given,
 * except DELETE, whose order matters only where a table refers to itself.
 */
export class OrderedWriter {
  readonly #payload: Buffer;
  readonly #writer: RunWriter;
  readonly #traits: TargetTraits;
  readonly #independent = new WeakMap<ImageLayout, boolean>();
  #keyPlaces = new Int32Array(16);

  constructor(options: {
    readonly payload: Buffer;
    readonly writer: RunWriter;
    readonly traits: TargetTraits;
  }) {
    this.#payload = options.payload;
    this.#writer = options.writer;
    this.#traits = options.traits;
  }

  /** Takes `rows` rows of a rows record from `at`, with the event's flags; gives where the next begins. */
  write(
    op: RowOp,
    before: ImageLayout | null,
    after: ImageLayout | null,
    at: number,
    end: number,
    rows: number,
    checksOff: number,
    flags: number,
  ): number {
    let offset = at;
    for (let i = 0; i < rows; i++) {
      if (op === 'insert' && after !== null) offset = this.#insert(after, offset, end, checksOff);
      else if (op === 'delete' && before !== null) offset = this.#delete(before, offset, end, checksOff);
      else if (before !== null && after !== null)
        offset = this.#update(before, after, offset, end, checksOff, flags);
    }
    return offset;
  }

  #insert(after: ImageLayout, at: number, end: number, checksOff: number): number {
    const { scanner } = after.plan;
    const next = scanner.scan(this.#payload, at, end, after.present);
    this.#writer.insert(after.plan, scanner, checksOff);
    return next;
  }

  #delete(before: ImageLayout, at: number, end: number, checksOff: number): number {
    const { plan } = before;
    const { scanner } = plan;
    const next = scanner.scan(this.#payload, at, end, before.present);
    if (!before.identified) {
      this.#writer.deleteWhere(plan, checksOff, (sink) => this.#match(sink, before, scanner));
      return next;
    }
    this.#writer.delete(plan, scanner, checksOff);
    const cascadesToItself = plan.target.selfReferencing && (checksOff & CHECKS_OFF.foreignKeys) === 0;
    if (plan.oneByOne || cascadesToItself) this.#writer.flush();
    return next;
  }

  #update(
    before: ImageLayout,
    after: ImageLayout,
    at: number,
    end: number,
    checksOff: number,
    flags: number,
  ): number {
    const { plan } = after;
    const { scanner } = plan;
    const payload = this.#payload;
    const partialJson = (flags & ROW_FLAG.partialJson) !== 0;
    const equal = this.#equalKeys(before, after, at, end, checksOff, flags);
    const middle = scanner.scan(payload, at, end, before.present);
    if (before.identified) this.#noteKey(plan, scanner);
    const next = partialJson
      ? scanner.scanPartial(payload, middle, end, after.present)
      : scanner.scan(payload, middle, end, after.present);
    const keyChanges = before.identified ? !this.#sameKey(after, scanner) : true;
    if (before.identified && after.full && !keyChanges && !partialJson) {
      this.#writer.upsert(plan, scanner, checksOff);
      return next;
    }
    if (before.identified && !keyChanges && !partialJson && this.#isIndependent(after)) {
      this.#writer.patch(plan, scanner, checksOff, () => {
        scanner.scan(payload, at, end, before.present);
        return scanner;
      });
      return next;
    }
    this.#writer.update(plan, scanner, keyChanges, checksOff, (sink) => {
      scanner.scan(payload, at, end, before.present);
      if (before.identified) return scanner;
      this.#match(sink, before, scanner, equal);
      return null;
    });
    return next;
  }

  /** Writes what must go before an UPDATE of values that foreign keys point to; null where nothing must. */
  #equalKeys(
    before: ImageLayout,
    after: ImageLayout,
    at: number,
    end: number,
    checksOff: number,
    flags: number,
  ): EqualKeyChange | null {
    const { plan } = after;
    if (plan.looselyPointedTo.length === 0) return null;
    const payload = this.#payload;
    const middle = plan.scanner.skip(payload, at, end, before.present);
    const places = { before, after, at, middle, next: end };
    const change = equalKeyChange(places, payload, flags, checksOff, this.#traits);
    if (change === null) return null;
    writeEqualKeys(change, {
      writer: this.#writer,
      payload,
      flags,
      checksOff,
      where: (sink) => {
        if (before.identified) this.#writer.writeKeyCondition(sink, plan, change.before);
        else this.#match(sink, before, change.before, change);
      },
    });
    return change;
  }

  /**
   * True when updates of different rows that set these columns come to the same in any order: none of them is unique or pointed
   * to, and no row of the table hangs on another.
   */
  #isIndependent(after: ImageLayout): boolean {
    const known = this.#independent.get(after);
    if (known !== undefined) return known;
    const { plan, present } = after;
    const touches = (indexes: readonly number[]) => indexes.some((index) => bitmapHas(present, index));
    const independent =
      !plan.target.selfReferencing &&
      !touches(plan.pointedTo) &&
      plan.secondaryKeys.every(({ indexes }) => indexes !== null && !touches(indexes));
    this.#independent.set(after, independent);
    return independent;
  }

  /**
   * Where nothing identifies a row, rows that are the same in all columns are as good as each other: one of them is meant. An
   * image that has only some of the columns must find one row and no other.
   */
  #match(sink: ByteSink, layout: ImageLayout, image: RowImage, equal: EqualKeyChange | null = null): void {
    const or = equal === null ? null : { columns: equal.changed, image: equal.after };
    writeExactMatch(sink, layout.plan, image, this.#payload, or);
    if (layout.full) sink.latin1(' LIMIT 1');
  }

  #noteKey(plan: TablePlan, image: RowImage): void {
    const { identity } = plan;
    if (this.#keyPlaces.length < identity.length * 2) this.#keyPlaces = new Int32Array(identity.length * 2);
    for (let i = 0; i < identity.length; i++) {
      const { index } = identity[i] as WrittenColumn;
      this.#keyPlaces[i * 2] = image.offsets[index] as number;
      this.#keyPlaces[i * 2 + 1] = image.lengths[index] as number;
    }
  }

  /** True when every key column of the image that is there has the bytes noted. */
  #sameKey(layout: ImageLayout, image: RowImage): boolean {
    if (layout.keyless) return true;
    const { identity } = layout.plan;
    for (let i = 0; i < identity.length; i++) {
      const { index } = identity[i] as WrittenColumn;
      if (!bitmapHas(layout.present, index)) continue;
      const offset = this.#keyPlaces[i * 2] as number;
      const length = this.#keyPlaces[i * 2 + 1] as number;
      if (length !== image.lengths[index]) return false;
      if (length > 0) {
        const start = image.offsets[index] as number;
        if (this.#payload.compare(this.#payload, start, start + length, offset, offset + length) !== 0)
          return false;
      }
    }
    return true;
  }
}
