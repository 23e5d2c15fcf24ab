/** What ADD, MODIFY, RENAME and DROP of columns and keys make of a table's facts. Null where it cannot be told. */
import type { ColumnFacts, TableFacts, UniqueKeyFacts } from '../../canal/schema/table-facts.ts';

/** The table's own collation, or what the log says: see `ColumnFacts.collation`. */
export const UNKNOWN_COLLATION = -1;

export type Place =
  | { readonly kind: 'first' }
  | { readonly kind: 'last' }
  | { readonly kind: 'after'; readonly column: string };

export interface NewColumn {
  readonly name: string;
  readonly key: 'primary' | 'unique' | null;
  readonly isText: boolean;
  /** The character set that was given; empty where it is not known, null for that of the table. */
  readonly charset: string | null;
  readonly facts: ColumnFacts;
}

/** Names of columns and keys are compared without regard to case, by every server. */
export function isName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function inTable(facts: TableFacts, column: NewColumn): ColumnFacts {
  const { facts: own } = column;
  if (!column.isText) return own;
  const charset = column.charset ?? facts.charset ?? '';
  const collation = column.charset === null ? (facts.collation ?? UNKNOWN_COLLATION) : UNKNOWN_COLLATION;
  return { ...own, collation, ...(charset !== '' && { charset }) };
}

export function added(facts: TableFacts, column: NewColumn, place: Place): TableFacts | null {
  // IF NOT EXISTS, and it does.
  if (facts.columns.some(({ name }) => isName(name, column.name))) return facts;
  return withColumnKey(insert(facts, inTable(facts, column), place), column);
}

function insert(facts: TableFacts | null, column: ColumnFacts, place: Place): TableFacts | null {
  if (facts === null) return null;
  const { columns } = facts;
  if (place.kind === 'first') return { ...facts, columns: [column, ...columns] };
  if (place.kind === 'last') return { ...facts, columns: [...columns, column] };
  const at = columns.findIndex(({ name }) => isName(name, place.column));
  return at === -1
    ? null
    : { ...facts, columns: [...columns.slice(0, at + 1), column, ...columns.slice(at + 1)] };
}

/** MODIFY, and CHANGE as far as it is one: another name comes last. */
export function changed(
  facts: TableFacts,
  old: string,
  column: NewColumn,
  place: Place | null,
): TableFacts | null {
  const at = facts.columns.findIndex(({ name }) => isName(name, old));
  const before = facts.columns[at];
  if (before === undefined) return null;
  const inKey = facts.primaryKey.some((name) => isName(name, old));
  const now = inTable(facts, column);
  const made = { ...now, name: before.name, nullable: inKey ? false : now.nullable };
  const rest = { ...facts, columns: facts.columns.filter((_, index) => index !== at) };
  const moved =
    place === null
      ? { ...rest, columns: [...rest.columns.slice(0, at), made, ...rest.columns.slice(at)] }
      : insert(rest, made, place);
  return withColumnKey(moved, column);
}

function withColumnKey(facts: TableFacts | null, { key, name }: NewColumn): TableFacts | null {
  if (facts === null || key === null) return facts;
  if (key === 'primary') return { ...facts, primaryKey: [name] };
  return withKey(facts, { name, columns: [name], partial: false });
}

export function renamed(
  facts: TableFacts,
  renames: readonly (readonly [from: string, to: string])[],
): TableFacts {
  if (renames.length === 0) return facts;
  const of = (name: string): string => renames.find(([from]) => isName(name, from))?.[1] ?? name;
  return {
    ...facts,
    columns: facts.columns.map((column) => ({ ...column, name: of(column.name) })),
    primaryKey: facts.primaryKey.map(of),
    uniqueKeys: facts.uniqueKeys.map((key) => ({ ...key, columns: key.columns.map(of) })),
  };
}

export function dropped(facts: TableFacts, column: string): TableFacts {
  const isKept = (name: string): boolean => !isName(name, column);
  return {
    ...facts,
    columns: facts.columns.filter(({ name }) => isKept(name)),
    primaryKey: facts.primaryKey.filter(isKept),
    uniqueKeys: facts.uniqueKeys
      .map((key) => ({ ...key, columns: key.columns.filter(isKept) }))
      .filter((key) => key.columns.length > 0 || key.partial),
  };
}

export function withKey(facts: TableFacts, key: UniqueKeyFacts): TableFacts {
  const columns = key.columns.map(
    (name) => facts.columns.find((one) => isName(one.name, name))?.name ?? name,
  );
  return { ...facts, uniqueKeys: [...facts.uniqueKeys, { ...key, columns }] };
}

export function withoutKey(facts: TableFacts, key: string): TableFacts {
  if (isName(key, 'PRIMARY')) return { ...facts, primaryKey: [] };
  return { ...facts, uniqueKeys: facts.uniqueKeys.filter(({ name }) => !isName(name, key)) };
}
