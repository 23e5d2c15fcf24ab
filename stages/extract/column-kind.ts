/** How a column's canonical text compares in row filters. */
import { charsetOf } from '../../canal/value/charset.ts';
import { TYPE } from '../../canal/value/column-type.ts';
import { HoltError } from '../../lib/errors.ts';
import type { ComparisonKind } from '../../model/row-predicate.ts';
import type { ColumnShape } from '../../model/table-shape.ts';

const NUMERIC: ReadonlySet<number> = new Set([
  TYPE.tiny,
  TYPE.short,
  TYPE.int24,
  TYPE.long,
  TYPE.longlong,
  TYPE.newDecimal,
  TYPE.float,
  TYPE.double,
  TYPE.year,
  TYPE.bit,
  TYPE.enum,
  TYPE.set,
]);

const CHARACTER: ReadonlySet<number> = new Set([
  TYPE.varchar,
  TYPE.varString,
  TYPE.string,
  TYPE.tinyBlob,
  TYPE.blob,
  TYPE.mediumBlob,
  TYPE.longBlob,
  TYPE.blobCompressed,
  TYPE.varcharCompressed,
]);

/** Character sets whose bytes are UTF-8, or a part of it. */
const UTF8: ReadonlySet<string> = new Set(['utf8mb4', 'utf8mb3', 'ascii']);

/** Throws HOLT_ROW_FILTER_COLUMN for character sets a filter cannot compare in. */
export function comparisonKind(column: ColumnShape, table: string): ComparisonKind {
  if (NUMERIC.has(column.type)) return 'number';
  if (column.type === TYPE.json) return 'utf8';
  if (!CHARACTER.has(column.type)) return 'bytes';
  const charset = column.collation === 0 ? 'binary' : charsetOf(column.collation);
  if (charset === 'binary') return 'bytes';
  if (charset !== null && UTF8.has(charset)) return 'utf8';
  if (charset === 'latin1') return 'latin1';
  throw new HoltError(
    'HOLT_ROW_FILTER_COLUMN',
    `row filter on ${table}, column ${column.name}: its character set ${charset ?? `of collation ${column.collation}`} cannot be compared here`,
    {
      disposition: 'pause',
      remedy:
        "Compare with bytes, x'…', on a column of a binary, latin1 or utf8 character set, or take the filter away.",
      facts: { table, column: column.name, collation: column.collation },
    },
  );
}
