/** The statements of a comparison; pure. Identifiers are quoted here, key values written by type. */
import type { VerifyTable } from './verify.ts';

export interface ChunkRange {
  /** Key values, as text; rows after it. Null: from the beginning. */
  readonly after: readonly (Buffer | null)[] | null;
  /** Rows up to and including it. Null: to the end. */
  readonly upTo: readonly (Buffer | null)[] | null;
}

export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

const NUMERIC: ReadonlySet<string> = new Set([
  'tinyint',
  'smallint',
  'mediumint',
  'int',
  'bigint',
  'decimal',
  'numeric',
  'year',
]);
const APPROXIMATE: ReadonlySet<string> = new Set(['float', 'double', 'real']);
const BINARY: ReadonlySet<string> = new Set([
  'binary',
  'varbinary',
  'tinyblob',
  'blob',
  'mediumblob',
  'longblob',
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geomcollection',
  'geometrycollection',
  'vector',
]);

/** What is selected for a column, so that its text tells every bit. */
export function selectExpression(name: string, dataType: string): string {
  const quoted = quoteName(name);
  // FLOAT prints six digits and DOUBLE(m,d) its d; multiplied they print all of them. A sum would lose the sign of zero.
  if (dataType === 'float' || dataType === 'double') return `(${quoted} * 1e0)`;
  if (dataType === 'bit') return `(${quoted} + 0)`;
  return quoted;
}

/** As `selectExpression` for what is no key: ENUM and SET with the numbers of their labels, since the error value reads like an empty label. */
function valueExpression(table: VerifyTable, index: number, name: string): string {
  const { dataType = '', converted } = table.columns[index] ?? {};
  if (table.key.includes(index)) return selectExpression(name, dataType);
  const quoted = quoteName(name);
  if (dataType === 'enum' || dataType === 'set') return `CONCAT(CAST(${quoted} AS UNSIGNED), ':', ${quoted})`;
  return converted === true ? `CONVERT(${quoted} USING utf8mb4)` : selectExpression(name, dataType);
}

/** As `selectExpression`, and ENUM and SET as the numbers by which row filters compare them. */
function filterExpression(name: string, dataType: string): string {
  return dataType === 'enum' || dataType === 'set'
    ? `(${quoteName(name)} + 0)`
    : selectExpression(name, dataType);
}

/** A key value as a literal that compares under the column's own collation. */
export function keyLiteral(value: Buffer, dataType: string, charset: string | null): string {
  const text = value.toString('latin1');
  if (NUMERIC.has(dataType) && /^-?[0-9]+(\.[0-9]+)?$/.test(text)) return text;
  if (APPROXIMATE.has(dataType) && /^-?[0-9.]+(e[-+]?[0-9]+)?$/i.test(text)) return text;
  if (dataType === 'bit' && /^[0-9]+$/.test(text)) return text;
  if (BINARY.has(dataType) || charset === null) {
    if (!BINARY.has(dataType) && /^[-0-9:. a-fA-F]*$/.test(text)) return `'${text}'`;
    return `x'${value.toString('hex')}'`;
  }
  return `_${charset.replace(/[^a-z0-9]/gi, '')} x'${value.toString('hex')}'`;
}

/** Rows of a range, or of exactly the keys given. Columns in the order of the table, then the filter's. */
export function selectRange(table: VerifyTable, side: 'source' | 'target', range: ChunkRange): string {
  const conditions = [];
  if (range.after !== null) conditions.push(boundary(table, side, range.after, '>'));
  if (range.upTo !== null) conditions.push(boundary(table, side, range.upTo, '<='));
  return `${selectFrom(table, side)}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`}`;
}

export function selectKeys(
  table: VerifyTable,
  side: 'source' | 'target',
  keys: readonly (readonly (Buffer | null)[])[],
): string {
  const conditions = keys.map(
    (key) => `(${table.key.map((index, i) => equals(table, side, index, key[i] ?? null)).join(' AND ')})`,
  );
  return `${selectFrom(table, side)} WHERE ${conditions.join(' OR ')}`;
}

/** The key `rows` rows after `after`, at the source: where the next chunk ends. */
export function selectBoundary(table: VerifyTable, after: ChunkRange['after'], rows: number): string {
  const names = table.key.map((index) => quoteName(table.columns[index]?.source ?? ''));
  const list = table.key.map((index) =>
    selectExpression(table.columns[index]?.source ?? '', table.columns[index]?.dataType ?? ''),
  );
  const where = after === null ? '' : ` WHERE ${boundary(table, 'source', after, '>')}`;
  return `SELECT ${list.join(', ')} FROM ${place(table, 'source')}${where} ORDER BY ${names.join(', ')} LIMIT 1 OFFSET ${rows - 1}`;
}

function selectFrom(table: VerifyTable, side: 'source' | 'target'): string {
  const list = table.columns.map((column, index) => {
    if (side === 'target') return valueExpression(table, index, column.target);
    return column.source === null ? 'NULL' : valueExpression(table, index, column.source);
  });
  if (side === 'source')
    list.push(...table.filterColumns.map((column) => filterExpression(column.name, column.dataType)));
  return `SELECT ${list.join(', ')} FROM ${place(table, side)}`;
}

function place(table: VerifyTable, side: 'source' | 'target'): string {
  return side === 'source'
    ? `${quoteName(table.sourceSchema)}.${quoteName(table.sourceTable)}`
    : `${quoteName(table.targetSchema)}.${quoteName(table.targetTable)}`;
}

function nameAt(table: VerifyTable, side: 'source' | 'target', index: number): string {
  const column = table.columns[index];
  return quoteName((side === 'source' ? column?.source : column?.target) ?? '');
}

function literalAt(table: VerifyTable, index: number, value: Buffer): string {
  const column = table.columns[index];
  return keyLiteral(value, column?.dataType ?? '', column?.charset ?? null);
}

function equals(table: VerifyTable, side: 'source' | 'target', index: number, value: Buffer | null): string {
  const name = nameAt(table, side, index);
  return value === null ? `${name} IS NULL` : `${name} = ${literalAt(table, index, value)}`;
}

/** `(a, b) > (x, y)` written out, since servers use the index for this form only. Keys are NOT NULL. */
function boundary(
  table: VerifyTable,
  side: 'source' | 'target',
  values: readonly (Buffer | null)[],
  op: '>' | '<=',
): string {
  const strict = op === '>' ? '>' : '<';
  const alternatives = table.key.map((index, depth) => {
    const equal = table.key
      .slice(0, depth)
      .map((before, i) => equals(table, side, before, values[i] ?? null));
    const value = values[depth] ?? Buffer.alloc(0);
    return [...equal, `${nameAt(table, side, index)} ${strict} ${literalAt(table, index, value)}`].join(
      ' AND ',
    );
  });
  if (op === '<=')
    alternatives.push(
      table.key.map((index, i) => equals(table, side, index, values[i] ?? null)).join(' AND '),
    );
  return `(${alternatives.map((one) => `(${one})`).join(' OR ')})`;
}
