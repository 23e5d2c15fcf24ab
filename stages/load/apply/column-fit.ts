import { charsetOf } from '../../../canal/value/charset.ts';
import { oldTemporalDigits } from '../../../canal/value/temporal.ts';
import type { ColumnShape } from '../../../model/table-shape.ts';
import type { TargetColumn } from './target-table.ts';

/**
 * Whether a target column can hold every digit of a source column. The server's strict mode refuses values that are too
 * long or out of range by itself; what it would change without a word — fewer fractional digits, a narrower float, labels in
 * another order — is refused here, before the first row.
 */

/** What kind of value a column holds, whatever its width. */
export type ValueFamily =
  | 'integer'
  | 'decimal'
  | 'float'
  | 'double'
  | 'bit'
  | 'year'
  | 'date'
  | 'time'
  | 'datetime'
  | 'timestamp'
  | 'text'
  | 'bytes'
  | 'enum'
  | 'set'
  | 'json'
  | 'geometry'
  | 'vector'
  | 'uuid'
  | 'inet4'
  | 'inet6';

const BINARY_COLLATION = 63;

/** Family of a source column; null for a type code that is not known. */
export function sourceFamily(column: ColumnShape): ValueFamily | null {
  switch (column.type) {
    case 1:
    case 2:
    case 3:
    case 8:
    case 9:
      return 'integer';
    case 4:
      return 'float';
    case 5:
      return 'double';
    case 7:
    case 17:
      return 'timestamp';
    case 10:
    case 14:
      return 'date';
    case 11:
    case 19:
      return 'time';
    case 12:
    case 18:
      return 'datetime';
    case 13:
      return 'year';
    case 16:
      return 'bit';
    case 242:
      return 'vector';
    case 245:
      return 'json';
    case 0:
    case 246:
      return 'decimal';
    case 247:
      return 'enum';
    case 248:
      return 'set';
    case 255:
      return 'geometry';
    case 15:
    case 140:
    case 141:
    case 249:
    case 250:
    case 251:
    case 252:
    case 253:
    case 254:
      if (column.declared === 'uuid' || column.declared === 'inet4' || column.declared === 'inet6')
        return column.declared;
      if (column.declared?.startsWith('vector') === true) return 'vector';
      return column.collation === BINARY_COLLATION ? 'bytes' : 'text';
    default:
      return null;
  }
}

const TARGET_FAMILIES: Readonly<Record<string, ValueFamily>> = {
  tinyint: 'integer',
  smallint: 'integer',
  mediumint: 'integer',
  int: 'integer',
  bigint: 'integer',
  decimal: 'decimal',
  float: 'float',
  double: 'double',
  bit: 'bit',
  year: 'year',
  date: 'date',
  time: 'time',
  datetime: 'datetime',
  timestamp: 'timestamp',
  enum: 'enum',
  set: 'set',
  json: 'json',
  vector: 'vector',
  uuid: 'uuid',
  inet4: 'inet4',
  inet6: 'inet6',
};

export function targetFamily(column: TargetColumn): ValueFamily {
  const family = TARGET_FAMILIES[column.dataType];
  if (family !== undefined) return family;
  if (
    /^(?:geometry|point|linestring|polygon|multi.*|geometrycollection|geomcollection)$/.test(column.dataType)
  )
    return 'geometry';
  return column.charset === null || column.charset === 'binary' ? 'bytes' : 'text';
}

/** Families a source value may go to besides its own; what is not here is refused. */
const ALSO_FITS: Readonly<Record<ValueFamily, readonly ValueFamily[]>> = {
  integer: ['decimal', 'text', 'bit'],
  decimal: ['text'],
  float: ['double'],
  double: [],
  bit: ['integer', 'decimal'],
  year: ['integer', 'text'],
  date: ['datetime', 'text'],
  time: ['text'],
  datetime: ['text'],
  timestamp: ['datetime', 'text'],
  text: ['bytes', 'json'],
  bytes: ['text'],
  enum: [],
  set: [],
  json: ['text'],
  geometry: [],
  vector: ['bytes'],
  uuid: ['text'],
  inet4: ['text'],
  inet6: ['text'],
};

/** Why the target column cannot take the source column's values as they are; null when it can. */
export function misfit(source: ColumnShape, target: TargetColumn): string | null {
  const from = sourceFamily(source);
  const to = targetFamily(target);
  if (from === null) return `the source column is of a type (${source.type}) that is not known`;
  if (from !== to && !ALSO_FITS[from].includes(to)) return `${from} does not go into ${target.columnType}`;
  const scale = sourceScale(source, from);
  if (scale !== null && (to === 'decimal' || to === 'time' || to === 'datetime' || to === 'timestamp')) {
    const has = target.scale ?? 0;
    if (scale > has) return `${scale} digits after the point do not fit the ${has} of ${target.columnType}`;
  }
  switch (from) {
    case 'enum':
    case 'set':
      return labelMisfit(source, target);
    case 'float':
    case 'double':
      return roundingMisfit(source, target);
    case 'text':
    case 'bytes':
      return stringMisfit(source, target);
    default:
      return null;
  }
}

function sourceScale(source: ColumnShape, family: ValueFamily): number | null {
  switch (family) {
    case 'decimal':
      return source.meta & 0xff;
    case 'time':
    case 'datetime':
    case 'timestamp':
      return source.type === 17 || source.type === 18 || source.type === 19
        ? source.meta & 0xff
        : oldTemporalDigits(source);
    default:
      return null;
  }
}

/** FLOAT(m,d) and DOUBLE(m,d) round what they are given. */
function roundingMisfit(source: ColumnShape, target: TargetColumn): string | null {
  if (target.scale === null) return null;
  const digits = /^(?:float|double)(?: precision)?\([0-9]+,([0-9]+)\)/.exec(source.declared ?? '')?.[1];
  if (digits !== undefined && Number(digits) <= target.scale) return null;
  return `${target.columnType} would round its values`;
}

/** CHAR drops spaces at the end, and BINARY(n) fills up to n: other columns' values would come back changed. */
function stringMisfit(source: ColumnShape, target: TargetColumn): string | null {
  if (target.dataType === 'char' && source.type !== 254)
    return `${target.columnType} would drop spaces at the end of its values`;
  if (target.dataType === 'binary') {
    const length = /\(([0-9]+)\)/.exec(target.columnType)?.[1] ?? '1';
    if (source.type !== 254 || source.meta !== Number(length))
      return `${target.columnType} would fill up its values with zero bytes`;
  }
  const charset = charsetOf(source.collation);
  if (charset === null || charset === 'binary' || targetFamily(target) !== 'text') return null;
  if (charset !== target.charset && target.unknownCharsets?.includes(charset) === true)
    return `the target server does not know the character set ${charset}`;
  return null;
}

/** ENUM and SET travel as numbers: the target's labels must begin with the source's, in the same order. */
function labelMisfit(source: ColumnShape, target: TargetColumn): string | null {
  if (source.declared === null) return null;
  const from = labelsOf(source.declared);
  const to = labelsOf(target.columnType);
  const same = from.every((label, i) => label === to[i]);
  return same ? null : `the labels of ${target.columnType} are not, in the same order, those of the source`;
}

function labelsOf(declared: string): readonly string[] {
  return [...declared.matchAll(/'((?:[^']|'')*)'/g)].map(([, label]) => label ?? '');
}
