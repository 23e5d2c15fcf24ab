/** Raw rows as people can read them: canonical text, and 0x… for what is no text. */
import {
  ABSENT_LENGTH,
  compileRowScanner,
  NULL_LENGTH,
  type RowScanner,
} from '../canal/value/row-scanner.ts';
import { writeValueText } from '../canal/value/value-text.ts';
import { ByteSink } from '../lib/byte-sink.ts';
import type { PayloadReader } from '../model/payload.ts';
import { ROW_FLAG } from '../model/rows.ts';
import type { TableShape } from '../model/table-shape.ts';

export type ReadableImage = Record<string, string | null>;

/** The first row of the rows record that `reader` stands at. */
export function readableRow(reader: PayloadReader): {
  readonly before: ReadableImage | null;
  readonly after: ReadableImage | null;
} {
  const shape = reader.shapes[reader.table];
  if (shape === undefined) return { before: null, after: null };
  const scanner = compileRowScanner(shape);
  let at = reader.dataStart;
  let before: ReadableImage | null = null;
  let after: ReadableImage | null = null;
  if (reader.before !== null) {
    at = scanner.scan(reader.bytes, at, reader.dataEnd, reader.before);
    before = readableImage(shape, scanner, reader.bytes);
  }
  if (reader.after !== null) {
    const partial = (reader.flags & ROW_FLAG.partialJson) !== 0;
    if (partial) scanner.scanPartial(reader.bytes, at, reader.dataEnd, reader.after);
    else scanner.scan(reader.bytes, at, reader.dataEnd, reader.after);
    after = readableImage(shape, scanner, reader.bytes);
  }
  return { before, after };
}

/** What the scanner last found. Columns the image lacks are left out. */
export function readableImage(shape: TableShape, scanner: RowScanner, bytes: Buffer): ReadableImage {
  const image: ReadableImage = {};
  const sink = new ByteSink(256);
  for (const [index, column] of shape.columns.entries()) {
    const length = scanner.lengths[index] ?? ABSENT_LENGTH;
    if (length === ABSENT_LENGTH) continue;
    if (length === NULL_LENGTH) {
      image[column.name] = null;
      continue;
    }
    if (scanner.partial[index] === 1) {
      image[column.name] = '(JSON changes)';
      continue;
    }
    sink.reset();
    writeValueText(sink, column, bytes, scanner.offsets[index] ?? 0, length);
    image[column.name] = readableBytes(sink.view());
  }
  return image;
}

export function readableBytes(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\ufffd') || text.includes('\u0000') ? `0x${bytes.toString('hex')}` : text;
}
