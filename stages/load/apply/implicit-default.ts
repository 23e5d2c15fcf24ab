import { targetFamily } from './column-fit.ts';
import type { TargetColumn } from './target-table.ts';

/**
 * What a server without strict mode stores into a NOT NULL column without a default that an INSERT leaves out, as a
 * literal: under a partial row image such a column is not in the log, and a target in strict mode refuses to fill it.
 * Null where the server finds nothing either.
 *
 * Source: https://dev.mysql.com/doc/refman/8.4/en/data-type-defaults.html, "Handling of Implicit Defaults".
 */
export function implicitDefault(column: TargetColumn): string | null {
  if (column.hasDefault || column.generated) return null;
  const family = targetFamily(column);
  switch (family) {
    case 'integer':
    case 'decimal':
    case 'float':
    case 'double':
    case 'bit':
    case 'year':
    case 'set':
      return '0';
    case 'enum':
      return '1';
    case 'date':
      return "'0000-00-00'";
    case 'time':
      return "'00:00:00'";
    case 'datetime':
    case 'timestamp':
      return "'0000-00-00 00:00:00'";
    case 'text':
    case 'bytes':
      return "''";
    case 'uuid':
      return "'00000000-0000-0000-0000-000000000000'";
    case 'inet4':
      return "'0.0.0.0'";
    case 'inet6':
      return "'::'";
    case 'json':
      return "'null'";
    case 'geometry':
    case 'vector':
      return null;
    default:
      return family satisfies never;
  }
}
