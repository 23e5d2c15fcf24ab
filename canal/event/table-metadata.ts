/**
 * The optional metadata at the end of TABLE_MAP: what binlog_row_metadata = MINIMAL or FULL adds.
 *
 *     (u8 field · lenenc length · value)*
 *     1 signedness, 12 visibility    a bit a column (numeric columns only, all columns), most significant first
 *     2, 10 default charset          lenenc collation · (lenenc index · lenenc collation)* for those that differ
 *     3, 11 column charsets          lenenc collation per column
 *     4 names                        (lenenc length · name) per column
 *     5 SET values, 6 ENUM values    per such column: lenenc count · (lenenc length · value)*
 *     7 geometry types, 13 vector dimensions     lenenc per such column
 *     8 primary key                  lenenc column index*
 *     9 primary key with prefixes    (lenenc column index · lenenc prefix characters)*
 *
 * 2 and 3 count the character columns, 10 and 11 the ENUM and SET columns. Unknown fields are skipped.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html, "Optional
 * metadata fields"; MariaDB writes the same since 10.5.
 */
import { TYPE } from '../value/column-type.ts';
import type { ByteReader } from './byte-reader.ts';
import type { TableMap } from './event.ts';

type Metadata = Pick<
  TableMap,
  | 'unsigned'
  | 'collations'
  | 'names'
  | 'primaryKey'
  | 'enumValues'
  | 'setValues'
  | 'geometryTypes'
  | 'visible'
  | 'vectorDimensions'
>;

const FIELD = {
  signedness: 1,
  defaultCharset: 2,
  columnCharset: 3,
  columnName: 4,
  setValues: 5,
  enumValues: 6,
  geometryType: 7,
  simplePrimaryKey: 8,
  prefixPrimaryKey: 9,
  enumSetDefaultCharset: 10,
  enumSetColumnCharset: 11,
  visibility: 12,
  vectorDimension: 13,
};

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
]);

const CHARACTER: ReadonlySet<number> = new Set([
  TYPE.string,
  TYPE.varString,
  TYPE.varchar,
  TYPE.varcharCompressed,
  TYPE.tinyBlob,
  TYPE.blob,
  TYPE.mediumBlob,
  TYPE.longBlob,
  TYPE.blobCompressed,
  TYPE.vector,
]);

const isNumeric = (type: number): boolean => NUMERIC.has(type);
/** MariaDB counts geometry columns among those with a character set, MySQL does not (seen with 10.11 and 9.7). */
const isCharacterOnMariadb = (type: number): boolean => CHARACTER.has(type) || type === TYPE.geometry;
const isCharacterOnMysql = (type: number): boolean => CHARACTER.has(type);
const isEnumOrSet = (type: number): boolean => type === TYPE.enum || type === TYPE.set;

export function readTableMetadata(reader: ByteReader, types: readonly number[], mariadb: boolean): Metadata {
  const isCharacter = mariadb ? isCharacterOnMariadb : isCharacterOnMysql;
  const found: { -readonly [K in keyof Metadata]: Metadata[K] } = {
    unsigned: null,
    collations: null,
    names: null,
    primaryKey: null,
    enumValues: null,
    setValues: null,
    geometryTypes: null,
    visible: null,
    vectorDimensions: null,
  };
  let collations: number[] | null = null;
  while (reader.remaining > 0) {
    const field = reader.u8();
    const value = reader.inner(reader.lenenc(), 'TABLE_MAP optional metadata');
    switch (field) {
      case FIELD.signedness:
        found.unsigned = readBits(value, types, isNumeric);
        break;
      case FIELD.defaultCharset:
        collations ??= types.map(() => 0);
        readDefaultCharset(value, types, isCharacter, collations);
        break;
      case FIELD.columnCharset:
        collations ??= types.map(() => 0);
        readColumnCharsets(value, types, isCharacter, collations);
        break;
      case FIELD.enumSetDefaultCharset:
        collations ??= types.map(() => 0);
        readDefaultCharset(value, types, isEnumOrSet, collations);
        break;
      case FIELD.enumSetColumnCharset:
        collations ??= types.map(() => 0);
        readColumnCharsets(value, types, isEnumOrSet, collations);
        break;
      case FIELD.columnName:
        found.names = types.map(() => value.utf8(value.lenenc()));
        break;
      case FIELD.setValues:
        found.setValues = readLabels(value, types, TYPE.set);
        break;
      case FIELD.enumValues:
        found.enumValues = readLabels(value, types, TYPE.enum);
        break;
      case FIELD.geometryType:
        found.geometryTypes = types.map((type) => (type === TYPE.geometry ? value.lenenc() : null));
        break;
      case FIELD.simplePrimaryKey:
        found.primaryKey = readPrimaryKey(value, types.length, false);
        break;
      case FIELD.prefixPrimaryKey:
        found.primaryKey = readPrimaryKey(value, types.length, true);
        break;
      case FIELD.visibility:
        found.visible = readBits(value, types, () => true);
        break;
      case FIELD.vectorDimension:
        found.vectorDimensions = types.map((type) => (type === TYPE.vector ? value.lenenc() : null));
        break;
      default:
    }
  }
  found.collations = collations;
  return found;
}

function readBits(
  reader: ByteReader,
  types: readonly number[],
  counts: (type: number) => boolean,
): boolean[] {
  const bits = reader.rest();
  let index = 0;
  return types.map((type) => {
    if (!counts(type)) return false;
    const bit = ((bits[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0;
    index += 1;
    return bit;
  });
}

function readDefaultCharset(
  reader: ByteReader,
  types: readonly number[],
  counts: (type: number) => boolean,
  collations: number[],
): void {
  const fallback = reader.lenenc();
  const others = new Map<number, number>();
  while (reader.remaining > 0) others.set(reader.lenenc(), reader.lenenc());
  let index = 0;
  types.forEach((type, column) => {
    if (!counts(type)) return;
    collations[column] = others.get(index) ?? fallback;
    index += 1;
  });
}

function readColumnCharsets(
  reader: ByteReader,
  types: readonly number[],
  counts: (type: number) => boolean,
  collations: number[],
): void {
  types.forEach((type, column) => {
    if (counts(type)) collations[column] = reader.lenenc();
  });
}

function readLabels(
  reader: ByteReader,
  types: readonly number[],
  wanted: number,
): (readonly Buffer[] | null)[] {
  return types.map((type) => {
    if (type !== wanted) return null;
    const count = reader.lenenc();
    if (count > reader.remaining) return reader.fail(`${count} labels`);
    return Array.from({ length: count }, () => reader.bytes(reader.lenenc()));
  });
}

function readPrimaryKey(reader: ByteReader, columns: number, withPrefixes: boolean): number[] {
  const key: number[] = [];
  while (reader.remaining > 0) {
    const column = reader.lenenc();
    if (column >= columns || key.length >= columns) reader.fail(`column ${column} in the primary key`);
    key.push(column);
    if (withPrefixes) reader.lenenc();
  }
  return key;
}
