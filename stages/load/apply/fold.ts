/**
 * The net change per key over a batch: of many changes to a row only what remains is written.
 *
 *     before the batch   after it    what is written
 *     absent             present     INSERT of the last image
 *     present            present     UPDATE to the last image
 *     present            absent      DELETE
 *     absent             absent      a DELETE that must find nothing (a row there would be a divergence)
 *
 * Why this is the same as one by one, for a table without foreign keys: keys are told apart by their bytes, though the
 * server may hold two byte strings for equal (collations). Of the byte strings that are one key to the server, at any
 * moment one at most is a stored row; so only one of them can be present before the batch and only one after it, and the
 * order DELETE, absence check, UPDATE, INSERT leaves exactly the last. Where this cannot be said — a key appears twice, a partial
 * image takes another key, columns of the target would be lost, a value that foreign keys point to changes (what is cascaded
 * on the way is not what is cascaded from first to last), a unique value moves between rows that stay — the table
 * is not folded, and its changes are written in the source's order.
 *
 * No object a row: entries and images are numbers in typed arrays, images are offsets into the payload.
 */
import { ABSENT_LENGTH } from '../../../canal/value/row-scanner.ts';
import { assert } from '../../../lib/assert.ts';
import { bitmapHas, type ColumnBitmap, type RowOp } from '../../../model/rows.ts';
import { doubled, KeyTable } from './key-table.ts';
import { hasIdentity, isFullImage, type TablePlan } from './table-plan.ts';

/** Which columns an image has, and how it is read. */
export interface ImageLayout {
  readonly plan: TablePlan;
  readonly present: ColumnBitmap;
  /** Every written column is there. */
  readonly full: boolean;
  /** Every identity column is there. */
  readonly identified: boolean;
  /** No identity column is there: the key did not change. */
  readonly keyless: boolean;
}

export function imageLayout(plan: TablePlan, present: ColumnBitmap): ImageLayout {
  return {
    plan,
    present,
    full: isFullImage(plan, present),
    identified: hasIdentity(plan, present),
    keyless: !plan.identity.some((column) => bitmapHas(present, column.index)),
  };
}

/** A row image in memory: where each column of the shape lies in the payload, as a RowScanner says it. */
export interface RowImage {
  readonly offsets: Int32Array;
  readonly lengths: Int32Array;
  /** 1 where the value is a run of JSON diffs and no document. */
  readonly partial?: Uint8Array;
}

/** A copy of where the columns lie, for when the scanner goes on. */
export function keptImage(image: RowImage): { offsets: Int32Array; lengths: Int32Array } {
  return { offsets: Int32Array.from(image.offsets), lengths: Int32Array.from(image.lengths) };
}

export type NetChange = 'insert' | 'update' | 'delete' | 'nothing';

const INITIALLY_PRESENT = 1;
const PRESENT = 2;

const NO_IMAGE = -1;

export class TableFold {
  readonly #payload: Buffer;
  readonly #keys: KeyTable;
  readonly #layouts: ImageLayout[] = [];
  #signature: string | null = null;
  #reason: string | null = null;

  /* By entry. */
  #states: Uint8Array;
  /** The first image that names the key: the before image when the row was there before the batch. */
  #firstImages: Int32Array;
  #firstLayouts: Int32Array;
  /** The newest node of the images that make up the row now. */
  #heads: Int32Array;

  /* By node: images since the last full one, newest first. */
  #nodeImages: Int32Array;
  #nodeLayouts: Int32Array;
  #nodeNexts: Int32Array;
  #nodes = 0;

  #scratch = Buffer.allocUnsafe(256);
  /** Offset and length in the before image of each column that foreign keys point to. */
  #pointedTo = new Int32Array(8);
  #merged: { offsets: Int32Array; lengths: Int32Array } | null = null;

  constructor(payload: Buffer, expectedKeys = 1024) {
    this.#payload = payload;
    this.#keys = new KeyTable(expectedKeys);
    this.#states = new Uint8Array(expectedKeys);
    this.#firstImages = new Int32Array(expectedKeys);
    this.#firstLayouts = new Int32Array(expectedKeys);
    this.#heads = new Int32Array(expectedKeys);
    this.#nodeImages = new Int32Array(expectedKeys);
    this.#nodeLayouts = new Int32Array(expectedKeys);
    this.#nodeNexts = new Int32Array(expectedKeys);
  }

  /** Where the images' bytes are. */
  get payload(): Buffer {
    return this.#payload;
  }

  /** Why the changes must be written in order; null while folding is the same as one by one. */
  get reason(): string | null {
    return this.#reason;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** Plans met, in order of appearance. */
  get plans(): readonly TablePlan[] {
    return [...new Set(this.#layouts.map((layout) => layout.plan))];
  }

  /** Number under which `feed` takes a layout; the same layout has the same number. */
  layout(plan: TablePlan, present: ColumnBitmap): number {
    for (let i = 0; i < this.#layouts.length; i++) {
      const known = this.#layouts[i];
      if (known?.plan === plan && sameBitmap(known.present, present)) return i;
    }
    if (plan.oneByOne) this.giveUp('triggers see every change');
    else if (plan.identity.length === 0) this.giveUp('the target has no key that the rows fill');
    else if (this.#signature !== null && this.#signature !== plan.identitySignature)
      this.giveUp('the key comes in two forms');
    this.#signature ??= plan.identitySignature;
    this.#layouts.push(imageLayout(plan, present));
    return this.#layouts.length - 1;
  }

  giveUp(reason: string): void {
    this.#reason ??= reason;
  }

  /**
   * Takes `rows` rows of a rows record from `at`; gives where the next begins, or anything once `reason` is set. `before`
   * and `after` are numbers from `layout`, −1 where the operation has none.
   */
  feed(op: RowOp, before: number, after: number, at: number, end: number, rows: number): number {
    let offset = at;
    for (let i = 0; i < rows && this.#reason === null; i++) {
      switch (op) {
        case 'insert':
          offset = this.#insert(after, offset, end);
          break;
        case 'update':
          offset = this.#update(before, after, offset, end);
          break;
        case 'delete':
          offset = this.#delete(before, offset, end);
          break;
        default:
          return op satisfies never;
      }
    }
    return offset;
  }

  change(entry: number): NetChange {
    const state = this.#states[entry] ?? 0;
    if ((state & PRESENT) !== 0) return (state & INITIALLY_PRESENT) !== 0 ? 'update' : 'insert';
    return (state & INITIALLY_PRESENT) !== 0 ? 'delete' : 'nothing';
  }

  /** Plan of the images that make up the row now, or, of one that is gone, of the image that named it first. */
  planOf(entry: number): TablePlan {
    const head = this.#heads[entry] ?? NO_IMAGE;
    return this.#layoutAt(
      head === NO_IMAGE ? (this.#firstLayouts[entry] ?? 0) : (this.#nodeLayouts[head] ?? 0),
    ).plan;
  }

  /** Plan of `keyImage`. */
  keyPlanOf(entry: number): TablePlan {
    return this.#layoutAt(this.#firstLayouts[entry] ?? 0).plan;
  }

  /** The image in which the key's own bytes stand. Valid until the next image is read. */
  keyImage(entry: number): RowImage {
    return this.#read(this.#firstImages[entry] ?? 0, this.#layoutAt(this.#firstLayouts[entry] ?? 0));
  }

  /** The row as it is after the batch; absent columns keep what the target has. Valid until the next image is read. */
  finalImage(entry: number): RowImage {
    const head = this.#heads[entry] ?? NO_IMAGE;
    assert(head !== NO_IMAGE, `entry ${entry} has no image`);
    const next = this.#nodeNexts[head] ?? NO_IMAGE;
    const layout = this.#layoutAt(this.#nodeLayouts[head] ?? 0);
    if (next === NO_IMAGE) return this.#read(this.#nodeImages[head] ?? 0, layout);
    return this.#overlay(head, layout);
  }

  /** Where in the payload the row as it is after the batch stands whole, all columns of the shape in one image; false where it does not. */
  wholeImage(entry: number, span: { start: number; end: number }): boolean {
    const head = this.#heads[entry] ?? NO_IMAGE;
    if (head === NO_IMAGE || (this.#nodeNexts[head] ?? NO_IMAGE) !== NO_IMAGE) return false;
    const { plan, full, present } = this.#layoutAt(this.#nodeLayouts[head] ?? 0);
    if (!full || plan.columns.length !== plan.shape.columns.length) return false;
    span.start = this.#nodeImages[head] ?? 0;
    span.end = plan.scanner.skip(this.#payload, span.start, this.#payload.length, present);
    return true;
  }

  /** Number of the layout that the entry's only image since a full one has; −1 where there are several. */
  onlyLayout(entry: number): number {
    const head = this.#heads[entry] ?? NO_IMAGE;
    if (head === NO_IMAGE || (this.#nodeNexts[head] ?? NO_IMAGE) !== NO_IMAGE) return -1;
    return this.#nodeLayouts[head] ?? -1;
  }

  /** True when the row after the batch is known in all written columns. */
  isFull(entry: number): boolean {
    let node = this.#heads[entry] ?? NO_IMAGE;
    if (node === NO_IMAGE) return false;
    const head = this.#layoutAt(this.#nodeLayouts[node] ?? 0);
    if (head.full) return true;
    while (node !== NO_IMAGE) {
      if (this.#layoutAt(this.#nodeLayouts[node] ?? 0).full) return true;
      node = this.#nodeNexts[node] ?? NO_IMAGE;
    }
    const image = this.finalImage(entry);
    return head.plan.columns.every((column) => image.lengths[column.index] !== ABSENT_LENGTH);
  }

  #insert(after: number, at: number, end: number): number {
    const layout = this.#layoutAt(after);
    const { scanner } = layout.plan;
    const next = scanner.scan(this.#payload, at, end, layout.present);
    const entry = this.#entry(layout, scanner, at, after, 0);
    if (entry < 0) return next;
    this.#appear(entry, at, after);
    return next;
  }

  #delete(before: number, at: number, end: number): number {
    const layout = this.#layoutAt(before);
    const { scanner } = layout.plan;
    const next = scanner.scan(this.#payload, at, end, layout.present);
    const entry = this.#entry(layout, scanner, at, before, INITIALLY_PRESENT | PRESENT);
    if (entry >= 0) this.#vanish(entry);
    return next;
  }

  #update(before: number, after: number, at: number, end: number): number {
    const from = this.#layoutAt(before);
    const to = this.#layoutAt(after);
    const { plan } = to;
    const { scanner } = plan;
    const middle = scanner.scan(this.#payload, at, end, from.present);
    const entry = this.#entry(from, scanner, at, before, INITIALLY_PRESENT | PRESENT);
    if (plan.pointedTo.length > 0) this.#notePointedTo(plan, scanner);
    const next = scanner.scan(this.#payload, middle, end, to.present);
    if (entry < 0) return next;
    if (plan.pointedTo.length > 0 && this.#changesPointedTo(plan, scanner)) {
      this.giveUp('a value changes that foreign keys point to');
      return next;
    }
    if (!to.keyless) {
      if (!to.identified) {
        this.giveUp('a part of a key changes and the rest is not in the image');
        return next;
      }
      const target = this.#entry(to, scanner, middle, after, 0);
      if (target < 0) return next;
      if (target !== entry) {
        if (!to.full || plan.hasOtherColumns || plan.target.referenced) {
          this.giveUp('a key changes, and the row must stay the same row');
          return next;
        }
        this.#vanish(entry);
        this.#appear(target, middle, after);
        return next;
      }
    }
    if (((this.#states[entry] ?? 0) & PRESENT) === 0) this.giveUp('a row is changed that is not there');
    else if (to.full) this.#heads[entry] = this.#node(middle, after, NO_IMAGE);
    else this.#overlayNode(entry, middle, after);
    return next;
  }

  #notePointedTo(plan: TablePlan, image: RowImage): void {
    const { pointedTo } = plan;
    if (this.#pointedTo.length < pointedTo.length * 2) this.#pointedTo = new Int32Array(pointedTo.length * 2);
    for (const [i, index] of pointedTo.entries()) {
      this.#pointedTo[i * 2] = image.offsets[index] ?? 0;
      this.#pointedTo[i * 2 + 1] = image.lengths[index] ?? ABSENT_LENGTH;
    }
  }

  /** True unless each such column has its former bytes, or is not in the image. */
  #changesPointedTo(plan: TablePlan, image: RowImage): boolean {
    return plan.pointedTo.some((index, i) => {
      const length = image.lengths[index] ?? ABSENT_LENGTH;
      if (length === ABSENT_LENGTH) return false;
      if (length !== this.#pointedTo[i * 2 + 1]) return true;
      const [start, former] = [image.offsets[index] ?? 0, this.#pointedTo[i * 2] ?? 0];
      return (
        length > 0 &&
        this.#payload.compare(this.#payload, start, start + length, former, former + length) !== 0
      );
    });
  }

  #appear(entry: number, at: number, layout: number): void {
    const state = this.#states[entry] ?? 0;
    if ((state & PRESENT) !== 0) {
      this.giveUp('a row is inserted that is there');
      return;
    }
    if ((state & INITIALLY_PRESENT) !== 0) {
      const { plan, full } = this.#layoutAt(layout);
      // Columns that are not in the image take their defaults, not what the row before had.
      if (!full || plan.hasOtherColumns || plan.target.referenced) {
        this.giveUp('a row is deleted and inserted again, and must not stay the same row');
        return;
      }
    }
    this.#states[entry] = state | PRESENT;
    this.#heads[entry] = this.#node(at, layout, NO_IMAGE);
  }

  #vanish(entry: number): void {
    const state = this.#states[entry] ?? 0;
    if ((state & PRESENT) === 0) this.giveUp('a row is deleted that is not there');
    this.#states[entry] = state & ~PRESENT;
    this.#heads[entry] = NO_IMAGE;
  }

  #overlayNode(entry: number, at: number, layout: number): void {
    const head = this.#heads[entry] ?? NO_IMAGE;
    if (head !== NO_IMAGE) {
      const below = this.#nodeLayouts[head] ?? 0;
      if (this.#layoutAt(below).plan !== this.#layoutAt(layout).plan) {
        this.giveUp('one row comes from two tables');
        return;
      }
      // The newest image covers the one below: nothing of that remains.
      if (below === layout) {
        this.#nodeImages[head] = at;
        return;
      }
    }
    this.#heads[entry] = this.#node(at, layout, head);
  }

  /** The entry of the key in `image`, which lies at `at`; a new one begins in `state`. −1 where the key has a NULL. */
  #entry(layout: ImageLayout, image: RowImage, at: number, layoutNumber: number, state: number): number {
    const { identity, identityTag } = layout.plan;
    const known = this.#keys.size;
    let entry: number;
    if (identity.length === 1 && identityTag.length === 0) {
      const index = identity[0]?.index ?? 0;
      const length = image.lengths[index] ?? ABSENT_LENGTH;
      if (length < 0) return this.#noKey();
      entry = this.#keys.add(this.#payload, image.offsets[index] ?? 0, length);
    } else {
      let end = 0;
      for (let i = 0; i < identity.length; i++) {
        const index = identity[i]?.index ?? 0;
        if ((image.lengths[index] ?? ABSENT_LENGTH) < 0) return this.#noKey();
        end = this.#part(image, index, end);
      }
      end = this.#tag(identityTag, end);
      entry = this.#keys.add(this.#scratch, 0, end);
    }
    if (entry === known) {
      this.#ensureEntry(entry);
      this.#states[entry] = state;
      this.#firstImages[entry] = at;
      this.#firstLayouts[entry] = layoutNumber;
      this.#heads[entry] = NO_IMAGE;
    }
    return entry;
  }

  #noKey(): number {
    this.giveUp('a key is NULL or not in the image');
    return -1;
  }

  /** Appends length and bytes of a value to the scratch; gives its new end. */
  #part(image: RowImage, index: number, at: number): number {
    const length = image.lengths[index] ?? 0;
    const offset = image.offsets[index] ?? 0;
    this.#ensureScratch(at + 4 + length);
    this.#scratch.writeInt32LE(length, at);
    this.#payload.copy(this.#scratch, at + 4, offset, offset + length);
    return at + 4 + length;
  }

  #tag(tag: Buffer, at: number): number {
    this.#ensureScratch(at + tag.length);
    tag.copy(this.#scratch, at);
    return at + tag.length;
  }

  #ensureScratch(bytes: number): void {
    if (bytes <= this.#scratch.length) return;
    const grown = Buffer.allocUnsafe(bytes * 2);
    this.#scratch.copy(grown);
    this.#scratch = grown;
  }

  #ensureEntry(entry: number): void {
    if (entry < this.#states.length) return;
    const states = new Uint8Array(this.#states.length * 2);
    states.set(this.#states);
    this.#states = states;
    this.#firstImages = doubled(this.#firstImages);
    this.#firstLayouts = doubled(this.#firstLayouts);
    this.#heads = doubled(this.#heads);
  }

  #node(image: number, layout: number, next: number): number {
    const node = this.#nodes;
    if (node === this.#nodeImages.length) {
      this.#nodeImages = doubled(this.#nodeImages);
      this.#nodeLayouts = doubled(this.#nodeLayouts);
      this.#nodeNexts = doubled(this.#nodeNexts);
    }
    this.#nodeImages[node] = image;
    this.#nodeLayouts[node] = layout;
    this.#nodeNexts[node] = next;
    this.#nodes = node + 1;
    return node;
  }

  #layoutAt(number: number): ImageLayout {
    const layout = this.#layouts[number];
    assert(layout !== undefined, `layout ${number} of ${this.#layouts.length}`);
    return layout;
  }

  #read(at: number, layout: ImageLayout): RowImage {
    const { scanner } = layout.plan;
    scanner.scan(this.#payload, at, this.#payload.length, layout.present);
    return scanner;
  }

  /** Newest wins, column by column. */
  #overlay(head: number, layout: ImageLayout): RowImage {
    const columns = layout.plan.shape.columns.length;
    if (this.#merged === null || this.#merged.offsets.length < columns)
      this.#merged = { offsets: new Int32Array(columns), lengths: new Int32Array(columns) };
    const { offsets, lengths } = this.#merged;
    lengths.fill(ABSENT_LENGTH);
    for (let node = head; node !== NO_IMAGE; node = this.#nodeNexts[node] ?? NO_IMAGE) {
      const image = this.#read(this.#nodeImages[node] ?? 0, this.#layoutAt(this.#nodeLayouts[node] ?? 0));
      for (let i = 0; i < columns; i++) {
        if (lengths[i] !== ABSENT_LENGTH) continue;
        lengths[i] = image.lengths[i] ?? ABSENT_LENGTH;
        offsets[i] = image.offsets[i] ?? 0;
      }
    }
    return this.#merged;
  }
}

function sameBitmap(a: ColumnBitmap, b: ColumnBitmap): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
