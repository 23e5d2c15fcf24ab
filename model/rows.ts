/** The three things a row event does. */
export const ROW_OPS = ['insert', 'update', 'delete'] as const;
export type RowOp = (typeof ROW_OPS)[number];

/** Flags of a rows event that matter downstream; the first ones are the wire's own bits (MySQL `Rows_event::flag_set`). */
export const ROW_FLAG = {
  endOfStatement: 0x0001,
  noForeignKeyChecks: 0x0002,
  relaxedUniqueChecks: 0x0004,
  completeRows: 0x0008,
  /** MySQL 9.6 and later: foreign keys are seen to above the engine, and what they cascade to is in the log. Set by default. */
  cascadesLogged: 0x0010,
  /** MariaDB (its documentation says 0x10; MariaDB 10.11 writes this). */
  noCheckConstraintChecks: 0x0080,
  /** Holt's own: the after image is in PARTIAL_UPDATE_ROWS form (value options, partial bits, JSON diffs). */
  partialJson: 0x8000,
} as const;

/** Columns present in an image, bit i of byte i>>3, as on the wire. */
export type ColumnBitmap = Uint8Array;

export function bitmapHas(bitmap: ColumnBitmap, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
}

/** True when the first `columns` bits are all set. */
export function bitmapIsFull(bitmap: ColumnBitmap, columns: number): boolean {
  for (let i = 0; i < columns; i++) if (!bitmapHas(bitmap, i)) return false;
  return true;
}
