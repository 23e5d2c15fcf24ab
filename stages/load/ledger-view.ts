/** A kept change as people look at it: the images' columns as text. Only for display; a replay uses the raw images. */
import { isUtf8 } from 'node:buffer';
import { charsetOf } from '../../canal/value/charset.ts';
import { ABSENT_LENGTH, compileRowScanner, NULL_LENGTH } from '../../canal/value/row-scanner.ts';
import { writeValueText } from '../../canal/value/value-text.ts';
import { ByteSink } from '../../lib/byte-sink.ts';
import { PayloadReader } from '../../model/payload.ts';
import { ROW_FLAG } from '../../model/rows.ts';
import type { ColumnShape, TableShape } from '../../model/table-shape.ts';
import type { StoredLedgerEntry } from './ledger.ts';

/** Column → text, null for NULL, 0x… for what is no text; columns that the image does not have are left out. */
export type ImageView = Readonly<Record<string, string | null>>;

export interface LedgerImages {
  /** By the source's column names. */
  readonly before: ImageView | null;
  readonly after: ImageView | null;
  /** The row that stood at the target, by the target's column names. */
  readonly found: ImageView | null;
}

/** Shown in place of changes within a JSON document. */
const JSON_DIFFS = '(changes within the document)';

/** @throws HoltError HOLT_PAYLOAD_CORRUPT, HOLT_ROW_CORRUPT when the entry is not as it was written. */
export function imagesOf(entry: Pick<StoredLedgerEntry, 'change' | 'found'>): LedgerImages {
  const reader = new PayloadReader(entry.change);
  let next = reader.next();
  while (next !== null && next !== 'rows') next = reader.next();
  const found = foundView(entry.found);
  const shape = reader.shapes[reader.table];
  if (next === null || shape === undefined) return { before: null, after: null, found };
  const scanner = compileRowScanner(shape);
  const { change } = entry;
  let before: ImageView | null = null;
  let at = reader.dataStart;
  const view = () => imageView(shape, change, scanner);
  if (reader.before !== null) {
    at = scanner.scan(change, at, reader.dataEnd, reader.before);
    before = view();
  }
  if (reader.after === null) return { before, after: null, found };
  if ((reader.flags & ROW_FLAG.partialJson) === 0) scanner.scan(change, at, reader.dataEnd, reader.after);
  else scanner.scanPartial(change, at, reader.dataEnd, reader.after);
  return { before, after: view(), found };
}

function imageView(
  shape: TableShape,
  bytes: Buffer,
  scanned: { readonly offsets: Int32Array; readonly lengths: Int32Array; readonly partial: Uint8Array },
): ImageView {
  const sink = new ByteSink(256);
  const view: Record<string, string | null> = {};
  for (const [index, column] of shape.columns.entries()) {
    const length = scanned.lengths[index] ?? ABSENT_LENGTH;
    if (length === NULL_LENGTH) view[column.name] = null;
    if (length < 0) continue;
    if (scanned.partial[index] === 1) {
      view[column.name] = JSON_DIFFS;
      continue;
    }
    sink.reset();
    writeValueText(sink, column, bytes, scanned.offsets[index] ?? 0, length);
    view[column.name] = readable(column, sink.take());
  }
  return view;
}

/** Character sets whose bytes are UTF-8, or are when they are valid as such. */
const READABLE = new Set(['utf8', 'utf8mb3', 'utf8mb4', 'ascii', 'latin1']);
const BINARY = 63;

function readable(column: ColumnShape, value: Buffer): string {
  const isText =
    column.collation === 0 || column.collation === BINARY || READABLE.has(charsetOf(column.collation) ?? '');
  return isText && isUtf8(value) && !value.includes(0)
    ? value.toString('utf8')
    : `0x${value.toString('hex')}`;
}

/** From the ledger's own JSON: column → text, null or {"hex": …}. */
function foundView(json: string | null): ImageView | null {
  if (json === null) return null;
  const row: unknown = JSON.parse(json);
  if (typeof row !== 'object' || row === null) return null;
  return Object.fromEntries(
    Object.entries(row).map(([name, value]: [string, unknown]) => {
      if (value === null || typeof value === 'string') return [name, value];
      const hex = typeof value === 'object' && 'hex' in value ? value.hex : '';
      return [name, `0x${String(hex)}`];
    }),
  );
}
