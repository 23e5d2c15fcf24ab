/**
 * What Load writes down of a change that was not applied as it came (G5): enough to look at it, and to apply it later.
 * Applying decides and describes; `ledger.ts` writes, in the transaction of the batch.
 */
import type { BatchHeader } from '../../model/batch.ts';
import type { ColumnBitmap, RowOp } from '../../model/rows.ts';
import type { TableRoute } from '../../model/table-route.ts';
import type { TableShape } from '../../model/table-shape.ts';
import type { TargetConnection } from './target/target-connection.ts';

/** How the target differed from what the change's images promise. */
export const LEDGER_KINDS = [
  /** INSERT: a row with its key is there. */
  'insert-present',
  /** UPDATE: the row is not there. */
  'update-missing',
  /** UPDATE: the row is not what the before image says (only looked at where conflicts are detected). */
  'update-differs',
  /** DELETE: the row is not there. */
  'delete-missing',
  /** DELETE: the row is not what the before image says. */
  'delete-differs',
  /** INSERT or UPDATE: another row holds the value of a unique key. */
  'unique-taken',
  /** INSERT or UPDATE: the row that a foreign key points to is not there. */
  'parent-missing',
  /** UPDATE or DELETE: rows that only the target has point to this one. */
  'children-left',
  /** INSERT or UPDATE: a value's bytes are no text of its character set, and the target does not take them (HOLT_ROW_FOREIGN_BYTES). */
  'foreign-bytes',
  /** A statement with the row's values is larger than the target takes (HOLT_TARGET_ROW_TOO_LARGE). */
  'row-too-large',
] as const;
export type LedgerKind = (typeof LEDGER_KINDS)[number];

/** Whose version stands after it: the source's, made true, or the target's, kept. */
export type LedgerDecision = 'source' | 'target';

/** `closed`: somebody has looked at it and lets stand what stands. */
export const LEDGER_STATES = ['open', 'replayed', 'closed'] as const;
export type LedgerState = (typeof LEDGER_STATES)[number];

export interface LedgerEntry {
  readonly kind: LedgerKind;
  readonly decision: LedgerDecision;
  /** The change itself, as one row of a payload. */
  readonly op: RowOp;
  readonly flags: number;
  readonly shape: TableShape;
  readonly route: TableRoute;
  readonly before: ColumnBitmap | null;
  readonly after: ColumnBitmap | null;
  /** The row's image or images, back to back. */
  readonly data: Buffer;
  /** The source's transaction. */
  readonly gtid: string;
  readonly commitUs: number;
  /** JSON object: target column → text, null, or {"hex": …} for what is no UTF-8; the columns by which the row was looked for. */
  readonly rowKey: string;
  /** The row that stood at the target, in the same form with all its columns; null for none. */
  readonly found: string | null;
  /** One sentence for people, without row values. */
  readonly why: string;
}

export interface LedgerWriter {
  /** In the transaction that is open on `connection`. */
  append(connection: TargetConnection, batch: BatchHeader, entry: LedgerEntry): Promise<void>;
}
