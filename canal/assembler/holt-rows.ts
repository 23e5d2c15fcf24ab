/**
 * What Holt reads of its own rows in the log: loop marks and heartbeats. By the places of the columns
 * (`model/holt-tables.ts`), so that a log without column names will do.
 */
import { CHECKPOINT_COLUMN, DDL_COLUMN, HEARTBEAT_COLUMN } from '../../model/holt-tables.ts';
import { bitmapHas, ROW_FLAG } from '../../model/rows.ts';
import type { LoadMark, SourceRows } from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { compileRowScanner, type RowScanner } from '../value/row-scanner.ts';

/** A row of `holt.checkpoint` that begins a lane: the lane's next mark has the number after this one. */
export interface LaneStart {
  readonly pipeline: string;
  readonly lane: number;
  readonly seq: bigint;
}

export interface Heartbeat {
  readonly cluster: string;
  readonly site: string;
  /** µs since 1970 by the source's own clock. */
  readonly atUs: number;
}

const scanners = new WeakMap<TableShape, RowScanner>();

function scannerOf(shape: TableShape): RowScanner {
  const known = scanners.get(shape);
  if (known !== undefined) return known;
  const scanner = compileRowScanner(shape);
  scanners.set(shape, scanner);
  return scanner;
}

/** Values of one row by column; null where no image has it, or it is NULL. An after image goes before a before image. */
class HoltRow {
  readonly #before: readonly (Buffer | null)[];
  readonly #after: readonly (Buffer | null)[];

  constructor(before: readonly (Buffer | null)[], after: readonly (Buffer | null)[]) {
    this.#before = before;
    this.#after = after;
  }

  text(column: number): string | null {
    return (this.#after[column] ?? this.#before[column] ?? null)?.toString('utf8') ?? null;
  }

  number(column: number, image: 'either' | 'before' | 'after' = 'either'): bigint | null {
    const before = image === 'after' ? null : this.#before[column];
    const after = image === 'before' ? null : this.#after[column];
    const bytes = after ?? before ?? null;
    return bytes === null ? null : littleEndian(bytes);
  }
}

function littleEndian(bytes: Buffer): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}

function* rowsOf(rows: SourceRows): Generator<HoltRow> {
  const scanner = scannerOf(rows.shape);
  const { data, before, after } = rows;
  const partial = (rows.flags & ROW_FLAG.partialJson) !== 0;
  const values = (present: Uint8Array): (Buffer | null)[] =>
    rows.shape.columns.map((_, index) => {
      const length = scanner.lengths[index] ?? -1;
      const offset = scanner.offsets[index] ?? 0;
      return length < 0 || !bitmapHas(present, index) ? null : data.subarray(offset, offset + length);
    });
  let at = 0;
  for (let row = 0; row < rows.rows; row++) {
    let beforeValues: readonly (Buffer | null)[] = [];
    let afterValues: readonly (Buffer | null)[] = [];
    if (before !== null) {
      at = scanner.scan(data, at, data.length, before);
      beforeValues = values(before);
    }
    if (after !== null) {
      at = partial
        ? scanner.scanPartial(data, at, data.length, after)
        : scanner.scan(data, at, data.length, after);
      afterValues = values(after);
    }
    yield new HoltRow(beforeValues, afterValues);
  }
}

/**
 * The loop mark: an UPDATE that changes seq. What else Holt updates there assigns neither seq nor origin, so under MINIMAL
 * images the after image has seq exactly when the row is a mark.
 */
export function readMark(rows: SourceRows): LoadMark | null {
  if (rows.op !== 'update') return null;
  for (const row of rowsOf(rows)) {
    const seq = row.number(CHECKPOINT_COLUMN.seq, 'after');
    const previousSeq = row.number(CHECKPOINT_COLUMN.seq, 'before');
    const pipeline = row.text(CHECKPOINT_COLUMN.pipeline);
    const lane = row.number(CHECKPOINT_COLUMN.lane);
    const origin = row.text(CHECKPOINT_COLUMN.origin);
    if (seq === null || seq === previousSeq || pipeline === null || lane === null || origin === null)
      continue;
    return { pipeline, lane: Number(lane), seq, origin, previousSeq };
  }
  return null;
}

/** Rows of `holt.checkpoint` that were inserted. */
export function readLaneStarts(rows: SourceRows): readonly LaneStart[] {
  if (rows.op !== 'insert') return [];
  const starts: LaneStart[] = [];
  for (const row of rowsOf(rows)) {
    const pipeline = row.text(CHECKPOINT_COLUMN.pipeline);
    const lane = row.number(CHECKPOINT_COLUMN.lane);
    const seq = row.number(CHECKPOINT_COLUMN.seq);
    if (pipeline !== null && lane !== null && seq !== null)
      starts.push({ pipeline, lane: Number(lane), seq });
  }
  return starts;
}

/** Heartbeat rows as they are after the change. Under MINIMAL images an update shows the key before and the rest after. */
export function readHeartbeats(rows: SourceRows): readonly Heartbeat[] {
  if (rows.op === 'delete') return [];
  const beats: Heartbeat[] = [];
  for (const row of rowsOf(rows)) {
    const cluster = row.text(HEARTBEAT_COLUMN.cluster);
    const site = row.text(HEARTBEAT_COLUMN.site);
    const atUs = row.number(HEARTBEAT_COLUMN.atUs);
    if (cluster !== null && site !== null && atUs !== null) beats.push({ cluster, site, atUs: Number(atUs) });
  }
  return beats;
}

/** A change of `holt.ddl`: what the journal says from then on. */
export interface DdlRowChange {
  readonly id: bigint;
  /** Null for a row that is gone. */
  readonly state: string | null;
  /** Of an inserted row; null where the image lacks it. */
  readonly origin: string | null;
  readonly connectionId: number | null;
}

export function readDdlRows(rows: SourceRows): readonly DdlRowChange[] {
  const changes: DdlRowChange[] = [];
  for (const row of rowsOf(rows)) {
    // An update that assigns no state says nothing here: MINIMAL images lack it, full ones have the old one.
    const id = row.number(DDL_COLUMN.id);
    const state = row.text(DDL_COLUMN.state);
    if (id === null) continue;
    const connectionId = row.number(DDL_COLUMN.connectionId);
    changes.push({
      id,
      state: rows.op === 'delete' ? null : state,
      origin: row.text(DDL_COLUMN.origin),
      connectionId: connectionId === null ? null : Number(connectionId),
    });
  }
  return changes;
}
