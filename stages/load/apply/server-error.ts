/** Numbers of server errors that applying acts on, and how to find them in what a connection throws. */

export const ERRNO = {
  badNull: 1048,
  unknownColumn: 1054,
  duplicateEntry: 1062,
  cantDropField: 1091,
  wrongValueCount: 1136,
  keyNotFound: 1032,
  noSuchTable: 1146,
  subqueryManyRows: 1242,
  duplicateEntryNamed: 1586,
  rowIsReferenced: 1451,
  noReferencedRow: 1452,
  rowIsReferencedOld: 1217,
  noReferencedRowOld: 1216,
} as const;

/** The server's error number, or null for what was not answered by a server. */
export function errnoOf(error: unknown): number | null {
  if (typeof error !== 'object' || error === null) return null;
  const { errno, cause } = error as { errno?: unknown; cause?: unknown };
  if (typeof errno === 'number' && errno > 0) return errno;
  return cause === undefined ? null : errnoOf(cause);
}

/** The statement met rows other than the images promise: another row holds the key, a parent is missing, a child is left. */
export function isRowDivergence(errno: number): boolean {
  switch (errno) {
    case ERRNO.duplicateEntry:
    case ERRNO.duplicateEntryNamed:
    case ERRNO.subqueryManyRows:
    case ERRNO.rowIsReferenced:
    case ERRNO.noReferencedRow:
    case ERRNO.rowIsReferencedOld:
    case ERRNO.noReferencedRowOld:
      return true;
    default:
      return false;
  }
}

/** A unique key refuses: two rows would have one value, perhaps only for a moment. */
export function isCollision(errno: number): boolean {
  return (
    errno === ERRNO.duplicateEntry || errno === ERRNO.duplicateEntryNamed || errno === ERRNO.subqueryManyRows
  );
}

/** What was known about the target's tables is no longer true. */
export function isSchemaChange(errno: number): boolean {
  switch (errno) {
    case ERRNO.unknownColumn:
    case ERRNO.cantDropField:
    case ERRNO.wrongValueCount:
    case ERRNO.noSuchTable:
    case 1049: // unknown database
    case 1109: // unknown table in multi delete
    case 1364: // a column without default was left out
    case 1176: // key does not exist
    case 3105: // value given for a generated column (MySQL)
    case 1906: // the same (MariaDB)
      return true;
    default:
      return false;
  }
}

/** The target cannot hold the value: too long, out of range, not of its character set, refused by a CHECK. */
export function isValueRefused(errno: number): boolean {
  switch (errno) {
    case ERRNO.badNull:
    case 1264: // out of range
    case 1265: // data truncated
    case 1292: // incorrect value
    case 1300: // invalid character string
    case 1366: // incorrect string or number
    case 1406: // too long
    case 1416: // not a geometry
    case 1690: // out of range in an expression
    case 3140: // invalid JSON text
    case 3141:
    case 3854: // cannot convert string
    case 3819: // CHECK (MySQL)
    case 4025: // CHECK (MariaDB)
      return true;
    default:
      return false;
  }
}

/** A string's bytes are no text of the character set that they are said to have. */
export function isTextRefused(errno: number): boolean {
  return errno === 1300 || errno === 1366 || errno === 3854 || errno === 1406;
}
