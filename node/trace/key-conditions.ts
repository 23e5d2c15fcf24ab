/**
 * Conditions on columns of raw rows: which rows of the log are those that were asked about. Pure.
 *
 * Most values equal if their canonical texts do. Text in a collation is another matter: only the server knows what equals what. So a row
 * whose text differs is a perhaps, until the server was asked about that text (`Verdicts`).
 */
import {
  ABSENT_LENGTH,
  compileRowScanner,
  NULL_LENGTH,
  type RowScanner,
} from '../../canal/value/row-scanner.ts';
import { writeValueText } from '../../canal/value/value-text.ts';
import { ByteSink } from '../../lib/byte-sink.ts';
import { ROW_FLAG } from '../../model/rows.ts';
import type { SourceRows } from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { type ReadableImage, readableImage } from '../readable-row.ts';

export type Condition = { readonly column: string } & (
  | { readonly kind: 'null' }
  /** The canonical text (`canal/value/value-text.ts`), byte for byte. */
  | { readonly kind: 'exact'; readonly value: Buffer }
  /** A number in other digits may be the same: compared as one. */
  | { readonly kind: 'float'; readonly value: number }
  /** BINARY: zero bytes at the end count for nothing. */
  | { readonly kind: 'padded'; readonly value: Buffer }
  /** Text: equal bytes are equal, all others as the collation says. */
  | { readonly kind: 'collated'; readonly value: Buffer }
);

/** What the server said of texts of a column, by the column and the text's bytes in latin1. */
export class Verdicts {
  readonly #known = new Map<string, boolean>();

  get(column: string, text: string): boolean | undefined {
    return this.#known.get(`${column}\0${text}`);
  }

  set(column: string, text: string, equal: boolean): void {
    if (this.#known.size >= MAX_VERDICTS) this.#known.clear();
    this.#known.set(`${column}\0${text}`, equal);
  }
}

const MAX_VERDICTS = 200_000;

/** A text that the server has to be asked about. */
export interface Perhaps {
  readonly column: string;
  /** Bytes in latin1. */
  readonly text: string;
}

/** One image against all conditions: `perhaps` lists what would have to be equal. */
type ImageVerdict = 'no' | 'yes' | readonly Perhaps[];

export interface RowVerdict {
  readonly before: ImageVerdict;
  readonly after: ImageVerdict;
}

/** A row of the log that is, or may be, the one asked about; copied out of the log's memory. */
export interface FoundRow {
  readonly rows: Omit<SourceRows, 'rawBefore'>;
  readonly verdict: RowVerdict;
}

/** Which columns are asked about that the table of these rows has not, or whose values its images lack. */
export interface Blindness {
  readonly missingColumns: readonly string[];
  /** Rows that could not be told by their images. */
  blindRows: number;
}

export class KeyMatcher {
  readonly #shape: TableShape;
  readonly #conditions: readonly { readonly condition: Condition; readonly index: number }[];
  readonly #before: RowScanner;
  readonly #after: RowScanner;
  readonly #verdicts: Verdicts;
  readonly #sink = new ByteSink(256);
  readonly blindness: Blindness;

  constructor(shape: TableShape, conditions: readonly Condition[], verdicts: Verdicts) {
    this.#shape = shape;
    this.#verdicts = verdicts;
    const indexed = conditions.map((condition) => ({
      condition,
      index: shape.columns.findIndex(({ name }) => name.toLowerCase() === condition.column.toLowerCase()),
    }));
    this.#conditions = indexed;
    this.#before = compileRowScanner(shape);
    this.#after = compileRowScanner(shape);
    this.blindness = {
      missingColumns: indexed.flatMap(({ condition, index }) => (index < 0 ? [condition.column] : [])),
      blindRows: 0,
    };
  }

  /** Rows that are, or may be, the one asked about, in their order. */
  *find(rows: SourceRows): Generator<FoundRow> {
    if (this.blindness.missingColumns.length > 0) return;
    const { data, before, after, op, flags, shape } = rows;
    const partial = (flags & ROW_FLAG.partialJson) !== 0;
    let at = 0;
    for (let row = 0; row < rows.rows; row++) {
      const start = at;
      if (before !== null) at = this.#before.scan(data, at, data.length, before);
      if (after !== null)
        at = partial
          ? this.#after.scanPartial(data, at, data.length, after)
          : this.#after.scan(data, at, data.length, after);
      const verdict: RowVerdict = {
        before: before === null ? 'no' : this.#image(data, this.#before, null),
        after: after === null ? 'no' : this.#image(data, this.#after, before === null ? null : this.#before),
      };
      if (verdict.before === 'no' && verdict.after === 'no') continue;
      const copy = Buffer.from(data.subarray(start, at));
      yield { rows: { shape, op, flags, before, after, rows: 1, data: copy }, verdict };
    }
  }

  /** An after image that lacks a column has the value of the before image. */
  #image(data: Buffer, scanner: RowScanner, fallback: RowScanner | null): ImageVerdict {
    let perhaps: Perhaps[] | null = null;
    for (const { condition, index } of this.#conditions) {
      const has = scanner.lengths[index] === ABSENT_LENGTH && fallback !== null ? fallback : scanner;
      const length = has.lengths[index] ?? ABSENT_LENGTH;
      if (length === ABSENT_LENGTH) {
        this.blindness.blindRows += 1;
        return 'no';
      }
      if (length === NULL_LENGTH || condition.kind === 'null') {
        if (length !== NULL_LENGTH || condition.kind !== 'null') return 'no';
        continue;
      }
      const column = this.#shape.columns[index];
      if (column === undefined || has.partial[index] === 1) return 'no';
      this.#sink.reset();
      writeValueText(this.#sink, column, data, has.offsets[index] ?? 0, length);
      const value = this.#sink.view();
      switch (condition.kind) {
        case 'exact':
          if (!value.equals(condition.value)) return 'no';
          break;
        case 'float':
          if (Number(value.toString('latin1')) !== condition.value) return 'no';
          break;
        case 'padded':
          if (!withoutZeros(value).equals(condition.value)) return 'no';
          break;
        case 'collated': {
          if (value.equals(condition.value)) break;
          const text = value.toString('latin1');
          const known = this.#verdicts.get(condition.column, text);
          if (known === false) return 'no';
          if (known === undefined) {
            perhaps ??= [];
            perhaps.push({ column: condition.column, text });
          }
          break;
        }
        default:
          condition satisfies never;
      }
    }
    return perhaps ?? 'yes';
  }
}

/** After the server was asked about everything in it. */
export function settled(verdict: RowVerdict, verdicts: Verdicts): { before: boolean; after: boolean } {
  const holds = (image: ImageVerdict) =>
    image === 'yes' ||
    (image !== 'no' && image.every(({ column, text }) => verdicts.get(column, text) === true));
  return { before: holds(verdict.before), after: holds(verdict.after) };
}

/** What has to be asked before it is settled. */
export function openQuestions({ before, after }: RowVerdict): readonly Perhaps[] {
  return [before, after].flatMap((one) => (typeof one === 'string' ? [] : one));
}

/** The columns asked about, in both images, as people read them; and which columns an update changed. */
export function describeRow(
  rows: FoundRow['rows'],
  names: readonly string[],
): {
  readonly keyBefore: ReadableImage | null;
  readonly keyAfter: ReadableImage | null;
  readonly columns: readonly string[];
} {
  const { shape, data, before, after, flags } = rows;
  const scanner = compileRowScanner(shape);
  let at = 0;
  let was: ReadableImage | null = null;
  let is: ReadableImage | null = null;
  if (before !== null) {
    at = scanner.scan(data, at, data.length, before);
    was = readableImage(shape, scanner, data);
  }
  if (after !== null) {
    if ((flags & ROW_FLAG.partialJson) !== 0) scanner.scanPartial(data, at, data.length, after);
    else scanner.scan(data, at, data.length, after);
    is = readableImage(shape, scanner, data);
  }
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const pick = (image: ReadableImage) =>
    Object.fromEntries(Object.entries(image).filter(([name]) => wanted.has(name.toLowerCase())));
  const changed =
    was === null || is === null ? [] : Object.entries(is).filter(([name, value]) => was?.[name] !== value);
  return {
    keyBefore: was === null ? null : pick(was),
    // What the after image lacks has not changed.
    keyAfter: is === null ? null : pick({ ...was, ...is }),
    columns: changed.map(([name]) => name),
  };
}

export function withoutZeros(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}
