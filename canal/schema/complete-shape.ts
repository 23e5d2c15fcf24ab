/**
 * A table map and what is known of the table now, made into the shape that travels with its rows.
 *
 * The log is the first truth: names, signedness, collations and key that the event carries (`binlog_row_metadata`) are
 * taken from it. What it lacks comes from the table as it is now, and only if that still fits the event in number, types,
 * lengths and nullability of columns: otherwise the table has been altered since, and nobody can say which value
 * belongs to which column.
 */
import { HoltError } from '../../lib/errors.ts';
import { HOLT_SCHEMA } from '../../model/holt-tables.ts';
import { bitmapHas } from '../../model/rows.ts';
import type { ColumnShape, TableShape } from '../../model/table-shape.ts';
import type { TableMap } from '../event/event.ts';
import { collationOfCharset } from '../value/charset.ts';
import { type Doubt, LOOKED_THROUGH_BYTES } from './certainty.ts';
import { describeLogged, fitsDeclared } from './declared-type.ts';
import type { ColumnFacts, TableFacts } from './table-facts.ts';

const INTEGER_TYPES = new Set([1, 2, 3, 8, 9]);
const TEXT_TYPES = new Set([15, 252, 253, 254]);
const BINARY_COLLATION = 63;
const BIGINT = 8;
const SYSTEM_VERSIONED = 'SYSTEM VERSIONED';
/** Names that MariaDB gives the columns of a period that is not declared; of timestamps, or of transaction ids. */
const PERIOD: readonly string[] = ['row_start', 'row_end'];

export interface Completion {
  readonly shape: TableShape;
  /** Why rows of this shape must not be applied: what stands in for names and key is a guess; `shape.fault` says so, too. Null for a good shape. */
  readonly fault: HoltError | null;
}

/**
 * `facts` is null when the table is not there, or not to be seen; `doubt` says why the table may have been another one where the
 * event stands.
 */
export function completeShape(
  map: TableMap,
  facts: TableFacts | null,
  doubt: Doubt | null = null,
): Completion {
  if (map.names !== null) return { shape: shapeByLog(map, map.names, facts), fault: null };
  // Rows of Holt's own tables are read by the places of their columns, which never change (model/holt-tables.ts).
  if (map.schema === HOLT_SCHEMA) return { shape: placeholder(map, null), fault: null };
  if (facts !== null && doubt === null) {
    const columns = withHidden(map, facts);
    const fits =
      columns.length === map.columnCount &&
      map.types.every((_, index) => columnFits(map, index, columns[index]));
    if (fits) return { shape: shapeByFacts(map, columns, facts), fault: null };
  }
  const fault = mismatch(map, facts, doubt);
  return { shape: placeholder(map, fault), fault };
}

/**
 * With the columns that MariaDB logs and does not show, at the end: the period of a system-versioned table whose columns are
 * not declared, and a hash for each unique key that is too long for an index.
 */
function withHidden(map: TableMap, facts: TableFacts): readonly ColumnFacts[] {
  const { columns } = facts;
  const missing = map.columnCount - columns.length;
  if (missing <= 0) return columns;
  const hashes = facts.uniqueKeys.filter((key) => key.isHash === true).length;
  const names = [
    ...(facts.type === SYSTEM_VERSIONED ? PERIOD : []),
    ...Array.from({ length: hashes }, (_, index) => `DB_ROW_HASH_${index + 1}`),
  ];
  // A declared period is shown, and is not among those missing.
  const hidden = names.length === missing ? names : names.slice(PERIOD.length);
  if (hidden.length !== missing) return columns;
  return [
    ...columns,
    ...hidden.map((name, index): ColumnFacts => {
      const isPeriod = PERIOD.includes(name);
      const isNumber = map.types[columns.length + index] === BIGINT;
      return {
        name,
        declared: !isPeriod ? 'bigint(20)' : isNumber ? 'bigint(20) unsigned' : 'timestamp(6)',
        nullable: !isPeriod,
        octetLength: null,
        collation: 0,
      };
    }),
  ];
}

/** True for a column that is in the log and not in the table as it shows itself, for one of the reasons above. */
function isHidden(name: string, facts: TableFacts | null): boolean {
  if (facts === null || facts.columns.some((column) => column.name === name)) return false;
  return /^DB_ROW_HASH_\d+$/.test(name) || (facts.type === SYSTEM_VERSIONED && PERIOD.includes(name));
}

function shapeByFacts(map: TableMap, known: readonly ColumnFacts[], facts: TableFacts): TableShape {
  const columns = map.types.map((_, index): ColumnShape => {
    const fact = known[index];
    const name = fact?.name ?? `@${index + 1}`;
    return columnOf(map, index, name, fact ?? null, isHidden(name, facts));
  });
  const names = columns.map((column) => column.name);
  return { schema: map.schema, table: map.table, columns, ...keyOf(map, names, facts) };
}

function shapeByLog(map: TableMap, names: readonly string[], facts: TableFacts | null): TableShape {
  const byName = new Map(facts?.columns.map((column) => [column.name, column]));
  const columns = names.map((name, index): ColumnShape => {
    const fact = byName.get(name);
    // A column of the same name that has become something else says nothing about what was logged.
    const fits = fact !== undefined && columnFits(map, index, fact);
    return columnOf(map, index, name, fits ? fact : null, isHidden(name, facts));
  });
  return { schema: map.schema, table: map.table, columns, ...keyOf(map, names, facts) };
}

function columnOf(
  map: TableMap,
  index: number,
  name: string,
  fact: ColumnFacts | null,
  hidden: boolean,
): ColumnShape {
  const type = map.types[index] ?? 0;
  const logged = map.collations?.[index] ?? 0;
  return {
    name,
    type,
    meta: map.metas[index] ?? 0,
    nullable: bitmapHas(map.nullable, index),
    unsigned: map.unsigned?.[index] ?? (fact !== null && /\b(?:unsigned|zerofill)\b/.test(fact.declared)),
    collation: logged !== 0 ? logged : collationOf(fact),
    carrier: 'binlog',
    declared: fact?.declared ?? null,
    ...(hidden ? { hidden } : {}),
  };
}

/** Where only the character set is known, any collation of it: how the bytes read is the same. */
function collationOf(fact: ColumnFacts | null): number {
  if (fact === null) return 0;
  if (fact.collation === -1 && fact.charset !== undefined) return collationOfCharset(fact.charset) ?? 0;
  return Math.max(0, fact.collation);
}

function keyOf(
  map: TableMap,
  names: readonly string[],
  facts: TableFacts | null,
): Pick<TableShape, 'key' | 'hasPrimaryKey'> {
  if (map.primaryKey !== null && map.primaryKey.length > 0)
    return { key: map.primaryKey, hasPrimaryKey: true };
  const indexesOf = (columns: readonly string[]): readonly number[] | null => {
    const indexes = columns.map((name) => names.indexOf(name));
    return indexes.length === 0 || indexes.includes(-1) ? null : indexes;
  };
  // Where the log gives names it gives the primary key too, so none there means that there was none.
  const primary = map.names === null && facts !== null ? indexesOf(facts.primaryKey) : null;
  if (primary !== null) return { key: primary, hasPrimaryKey: true };
  const unique = (facts?.uniqueKeys ?? [])
    .filter((key) => !key.partial)
    .toSorted((a, b) => a.columns.length - b.columns.length || (a.name < b.name ? -1 : 1));
  for (const one of unique) {
    const indexes = indexesOf(one.columns);
    if (indexes?.every((index) => !bitmapHas(map.nullable, index)))
      return { key: indexes, hasPrimaryKey: false };
  }
  return { key: [], hasPrimaryKey: false };
}

function columnFits(map: TableMap, index: number, fact: ColumnFacts | undefined): boolean {
  if (fact === undefined) return false;
  const type = map.types[index] ?? 0;
  if (!fitsDeclared(fact, type, map.metas[index] ?? 0)) return false;
  if (fact.nullable !== null && bitmapHas(map.nullable, index) !== fact.nullable) return false;
  const unsigned = map.unsigned?.[index];
  if (
    unsigned !== undefined &&
    INTEGER_TYPES.has(type) &&
    unsigned !== /\b(?:unsigned|zerofill)\b/.test(fact.declared)
  )
    return false;
  const collation = map.collations?.[index] ?? 0;
  // Its bytes could be of any character set.
  if (TEXT_TYPES.has(type) && collation === 0 && fact.collation === -1 && fact.charset === undefined)
    return false;
  return !(TEXT_TYPES.has(type) && collation !== 0 && fact.collation > 0 && collation !== fact.collation);
}

/** A shape by which rows can be counted and skipped, and nothing more. */
function placeholder(map: TableMap, fault: HoltError | null): TableShape {
  return {
    schema: map.schema,
    table: map.table,
    columns: map.types.map((_, index) => columnOf(map, index, `@${index + 1}`, null, false)),
    key: [],
    hasPrimaryKey: false,
    ...(fault === null
      ? {}
      : { fault: { code: fault.code, why: fault.message, knowsUnsigned: map.unsigned !== null } }),
  };
}

function mismatch(map: TableMap, facts: TableFacts | null, doubt: Doubt | null): HoltError {
  const table = `${map.schema}.${map.table}`;
  const logged = map.types.map(
    (type, index) =>
      describeLogged(type, map.metas[index] ?? 0) + (bitmapHas(map.nullable, index) ? '' : ' not null'),
  );
  const remedy =
    'Set binlog_row_metadata = FULL at the source; for what is already logged, set the position behind the change and copy or repair the table.';
  if (facts === null)
    return new HoltError(
      'HOLT_SCHEMA_UNREADABLE',
      `${table} has rows in the log and cannot be seen now: it was dropped or renamed, or the account may not SELECT from it; logged columns: ${logged.join(', ')}`,
      { disposition: 'pause', remedy, facts: { table, logged } },
    );
  const now = facts.columns.map(
    (column) => `${column.name} ${column.declared}${column.nullable === false ? ' not null' : ''}`,
  );
  if (doubt === 'too-far')
    return new HoltError(
      'HOLT_SCHEMA_UNCERTAIN',
      `nobody can say whether ${table} was altered since: the log goes on for more than ${LOOKED_THROUGH_BYTES / 2 ** 30} GiB (or 32 MiB of statements) behind this place, and the server keeps no time of the change that could be relied on; the log has ${logged.length} columns (${logged.join(', ')}), the table now ${now.length} (${now.join(', ')})`,
      {
        disposition: 'pause',
        remedy:
          'If nobody has altered or renamed it since, resume it: `holt table resume` takes its rows for those of the table as it is now; else give it a table as it was then (`--like`). Set binlog_row_metadata = FULL at the source, and the log says so itself.',
        facts: { table, logged, now },
      },
    );
  return new HoltError(
    'HOLT_SCHEMA_MISMATCH',
    `${table} was altered since${doubt === null ? '' : ', or another table took its name'}: the log has ${logged.length} columns (${logged.join(', ')}), the table now ${now.length} (${now.join(', ')})`,
    { disposition: 'pause', remedy, facts: { table, logged, now } },
  );
}

/** Whether the collation of a declared type is `binary` although INFORMATION_SCHEMA gives none. */
export function collationOfDeclared(declared: string, collationId: number | undefined): number {
  if (collationId !== undefined) return collationId;
  return /^(?:var)?binary|^(?:tiny|medium|long)?blob/.test(declared) ? BINARY_COLLATION : 0;
}
