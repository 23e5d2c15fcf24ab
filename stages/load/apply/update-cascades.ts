/** Where an UPDATE of a table's columns goes on to by ON UPDATE CASCADE. Read by `target-schema.ts`, written by `equal-keys.ts`. */

export interface CascadeTable {
  readonly schema: string;
  readonly name: string;
}

/** A foreign key with ON UPDATE CASCADE. Columns of the child and of the parent, one for one. */
export interface CascadingKey {
  readonly child: CascadeTable;
  readonly columns: readonly string[];
  readonly parent: CascadeTable;
  readonly parentColumns: readonly string[];
  /** Columns of the child that would change by themselves on UPDATE, which they do not when a server cascades. */
  readonly autoUpdateColumns: readonly string[];
}

/** Foreign keys, each to the child of the one before. */
export type CascadePath = readonly CascadingKey[];

/** As deep as servers cascade. */
const DEEPEST = 15;
/** More ways through a schema are not followed. */
const MOST_PATHS = 200;

/** All ways from the table, shorter ones first; none that comes through a table twice. */
export function cascadePaths(keys: readonly CascadingKey[], table: CascadeTable): readonly CascadePath[] {
  const paths: CascadePath[] = [];
  let ends: readonly CascadePath[] = [[]];
  for (let depth = 0; depth < DEEPEST && ends.length > 0; depth++) {
    ends = ends.flatMap((path) => {
      const passed = [table, ...path.map(({ child }) => child)];
      const from = passed.at(-1) ?? table;
      return keys
        .filter(({ parent, child }) => isSame(parent, from) && !passed.some((one) => isSame(one, child)))
        .map((key) => [...path, key]);
    });
    paths.push(...ends);
    if (paths.length >= MOST_PATHS) break;
  }
  return paths.slice(0, MOST_PATHS);
}

/**
 * Which columns of the last child change with these of the first parent, as places in the last key's `columns`; empty where the way is not
 * gone.
 */
export function reachedColumns(path: CascadePath, changed: readonly string[]): readonly number[] {
  let names = changed;
  let places: readonly number[] = [];
  for (const { columns, parentColumns } of path) {
    places = parentColumns.flatMap((name, i) => (names.some((one) => isName(one, name)) ? [i] : []));
    names = places.map((i) => columns[i] ?? '');
  }
  return places;
}

function isSame(a: CascadeTable, b: CascadeTable): boolean {
  return isName(a.schema, b.schema) && isName(a.name, b.name);
}

function isName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
