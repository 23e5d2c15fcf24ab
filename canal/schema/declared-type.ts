/**
 * How a declared column stands in a TABLE_MAP event: type code and metadata.
 *
 * Source: MySQL `Table_map_log_event` (table of types and metadata) and `Field_*::do_save_field_metadata`,
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html; MariaDB's
 * own types: uuid, inet6 and inet4 are fixed-length strings, compressed columns have codes 140 and 141.
 */
import type { ColumnFacts } from './table-facts.ts';

/** True if a column that is declared so is logged with this type and metadata (in the form of `ColumnShape`). */
export function fitsDeclared(column: ColumnFacts, type: number, meta: number): boolean {
  const match = /^([a-z0-9_]+)(?:\(([^)]*)\))?/.exec(column.declared);
  const name = match?.[1] ?? '';
  const argument = match?.[2] ?? '';
  switch (name) {
    case 'tinyint':
    case 'bool':
    case 'boolean':
      return type === 1;
    case 'smallint':
      return type === 2;
    case 'mediumint':
      return type === 9;
    case 'int':
    case 'integer':
      return type === 3;
    case 'bigint':
      return type === 8;
    case 'float':
      return type === 4;
    case 'double':
    case 'real':
      return type === 5;
    case 'decimal':
    case 'numeric': {
      const [precision = '10', scale = '0'] = argument.split(',');
      return type === 246 && meta === ((Number(precision) << 8) | Number(scale));
    }
    case 'year':
      return type === 13;
    case 'date':
      return type === 10 || type === 14;
    case 'time':
      return fitsTemporal(type, meta, 11, 19, argument);
    case 'datetime':
      return fitsTemporal(type, meta, 12, 18, argument);
    case 'timestamp':
      return fitsTemporal(type, meta, 7, 17, argument);
    case 'char':
    case 'binary':
      return type === 254 && fitsLength(column, meta);
    case 'varchar':
    case 'varbinary':
      return (type === 15 || type === 253 || type === 141) && fitsLength(column, meta, type === 141);
    case 'tinytext':
    case 'tinyblob':
      return fitsBlob(type, meta, 1);
    case 'text':
    case 'blob':
      return fitsBlob(type, meta, 2);
    case 'mediumtext':
    case 'mediumblob':
      return fitsBlob(type, meta, 3);
    case 'longtext':
    case 'longblob':
      return fitsBlob(type, meta, 4);
    case 'json':
      return type === 245 || fitsBlob(type, meta, 4);
    case 'enum':
      return type === 247;
    case 'set':
      return type === 248;
    case 'bit': {
      const bits = Number(argument === '' ? '1' : argument);
      return type === 16 && meta === (((bits >> 3) << 8) | (bits & 7));
    }
    case 'uuid':
    case 'inet6':
      return type === 254 && meta === 16;
    case 'inet4':
      return type === 254 && meta === 4;
    case 'geometry':
    case 'point':
    case 'linestring':
    case 'polygon':
    case 'multipoint':
    case 'multilinestring':
    case 'multipolygon':
    case 'geometrycollection':
    case 'geomcollection':
      return type === 255;
    case 'vector':
      // MySQL has a type of its own, MariaDB logs a variable-length binary string.
      return type === 242 || type === 15;
    default:
      // A plug-in's type: it cannot be checked, and its count and neighbours still are.
      return true;
  }
}

/** Types as a person reads them, for the message about a mismatch. */
export function describeLogged(type: number, meta: number): string {
  const name = LOGGED[type] ?? `type ${type}`;
  switch (type) {
    case 246:
      return `decimal(${meta >> 8},${meta & 0xff})`;
    case 15:
    case 253:
    case 254:
      return `${name}(${meta} bytes)`;
    case 252:
      return `${['', 'tiny', '', 'medium', 'long'][meta] ?? ''}blob/text`;
    case 16:
      return `bit(${(meta >> 8) * 8 + (meta & 0xff)})`;
    case 17:
    case 18:
    case 19:
      return meta === 0 ? name : `${name}(${meta})`;
    default:
      return name;
  }
}

const LOGGED: Readonly<Record<number, string>> = {
  1: 'tinyint',
  2: 'smallint',
  3: 'int',
  4: 'float',
  5: 'double',
  7: 'timestamp',
  8: 'bigint',
  9: 'mediumint',
  10: 'date',
  11: 'time',
  12: 'datetime',
  13: 'year',
  14: 'date',
  15: 'varchar',
  16: 'bit',
  17: 'timestamp',
  18: 'datetime',
  19: 'time',
  140: 'compressed blob',
  141: 'compressed varchar',
  242: 'vector',
  245: 'json',
  246: 'decimal',
  247: 'enum',
  248: 'set',
  252: 'blob',
  253: 'varchar',
  254: 'char',
  255: 'geometry',
};

function fitsTemporal(type: number, meta: number, old: number, present: number, argument: string): boolean {
  const digits = argument === '' ? 0 : Number(argument);
  // Columns from before 5.6 keep their old form until the table is rebuilt; they have no fraction.
  return (type === present && meta === digits) || (type === old && digits === 0);
}

/** MariaDB logs a compressed VARCHAR with one byte more. */
function fitsLength(column: ColumnFacts, meta: number, compressed = false): boolean {
  if (column.octetLength === null) return true;
  const length = Number(column.octetLength);
  return meta === length || (compressed && meta === length + 1);
}

function fitsBlob(type: number, meta: number, lengthBytes: number): boolean {
  return (type === 252 && meta === lengthBytes) || type === 140;
}
