/**
 * Which tables of a batch are held, and which are parked by it. Pure: a function of the batch's tables, of what is parked, and of the
 * target's foreign keys.
 *
 * What a foreign key joins to a parked table waits with it, as soon as it matters:
 *
 * - a child's rows may point to rows that are only held: any change of a table that refers to a parked one, directly or through
 *   others, is held with it;
 * - a parent's rows may have children whose removal is only held: a change that deletes a row, or changes a value that foreign
 *   keys point to, is held with them. Its other changes harm nobody, and are applied.
 */
import {
  isSameTable,
  type ParkedTable,
  type ParkTable,
  type TableName,
  tableKey,
  tableText,
} from './parked.ts';

/** A foreign key at the target. */
export interface Relation {
  readonly child: TableName;
  readonly parent: TableName;
}

export interface BatchTable {
  /** Its number in the payload. */
  readonly table: number;
  readonly source: TableName;
  readonly target: TableName;
  /** Why it must be parked for its own sake; null for nothing. */
  readonly reason: { readonly code: string; readonly why: string } | null;
  /** Whether this batch removes rows of it, or changes values that foreign keys point to; asked only where it matters. */
  readonly releases: () => boolean;
}

export interface ParkingDecision {
  /** By number in the payload: the root under which the table's changes are held. */
  readonly held: ReadonlyMap<number, TableName>;
  /** To be parked, in this order. */
  readonly park: readonly ParkTable[];
  /** Groups that this batch joins: the first goes into the second. */
  readonly join: readonly { readonly from: TableName; readonly to: TableName }[];
}

export const NOTHING_PARKED: ParkingDecision = { held: new Map(), park: [], join: [] };

export function decideParking(
  tables: readonly BatchTable[],
  parked: readonly ParkedTable[],
  relations: readonly Relation[],
): ParkingDecision {
  const roots = new Map(parked.map((one) => [tableKey(one.name), one.root]));
  const targets = new Map(parked.map((one) => [tableKey(one.name), one.target]));
  const park: ParkTable[] = [];
  const join: { from: TableName; to: TableName }[] = [];

  const add = (table: BatchTable, root: TableName, code: string, why: string): void => {
    roots.set(tableKey(table.source), root);
    targets.set(tableKey(table.source), table.target);
    park.push({ name: table.source, target: table.target, root, code, why, by: 'holt' });
  };
  const merge = (a: TableName, b: TableName): void => {
    if (isSameTable(a, b)) return;
    join.push({ from: b, to: a });
    for (const [key, root] of roots) if (isSameTable(root, b)) roots.set(key, a);
    for (const [i, one] of park.entries()) if (isSameTable(one.root, b)) park[i] = { ...one, root: a };
  };

  for (const table of tables)
    if (table.reason !== null && !roots.has(tableKey(table.source)))
      add(table, table.source, table.reason.code, table.reason.why);

  const graph = new RelationGraph(relations);
  // Each round parks or joins something, or is the last.
  for (let changed = true; changed; ) {
    changed = false;
    for (const table of tables) {
      for (const [key, target] of targets) {
        const theirs = roots.get(key);
        if (theirs === undefined || key === tableKey(table.source)) continue;
        const own = roots.get(tableKey(table.source));
        if (own !== undefined && isSameTable(own, theirs)) continue;
        const isChild = graph.refersTo(table.target, target);
        if (!isChild && !(graph.refersTo(target, table.target) && (own !== undefined || table.releases())))
          continue;
        changed = true;
        if (own !== undefined) merge(theirs, own);
        else {
          const other = tableText(nameOf(key));
          add(
            table,
            theirs,
            'HOLT_TABLE_PARKED_WITH',
            isChild
              ? `a foreign key joins its rows to those of ${other}, which is parked`
              : `rows of ${other}, which is parked, may still refer to rows that are removed here`,
          );
        }
      }
    }
  }

  const held = new Map<number, TableName>();
  for (const { table, source } of tables) {
    const root = roots.get(tableKey(source));
    if (root !== undefined) held.set(table, root);
  }
  return { held, park, join };
}

function nameOf(key: string): TableName {
  const at = key.indexOf('\0');
  return { schema: key.slice(0, at), table: key.slice(at + 1) };
}

/** Names are compared without regard to case: the target may fold them. */
class RelationGraph {
  readonly #parents = new Map<string, string[]>();
  readonly #reached = new Map<string, ReadonlySet<string>>();

  constructor(relations: readonly Relation[]) {
    for (const { child, parent } of relations) {
      const key = tableKey(child).toLowerCase();
      const parents = this.#parents.get(key);
      if (parents === undefined) this.#parents.set(key, [tableKey(parent).toLowerCase()]);
      else parents.push(tableKey(parent).toLowerCase());
    }
  }

  /** Directly or through others; also through tables that are not replicated. */
  refersTo(child: TableName, parent: TableName): boolean {
    return this.#ancestors(tableKey(child).toLowerCase()).has(tableKey(parent).toLowerCase());
  }

  #ancestors(of: string): ReadonlySet<string> {
    const known = this.#reached.get(of);
    if (known !== undefined) return known;
    const reached = new Set<string>();
    const open = [of];
    for (let one = open.pop(); one !== undefined; one = open.pop())
      for (const parent of this.#parents.get(one) ?? [])
        if (!reached.has(parent)) {
          reached.add(parent);
          open.push(parent);
        }
    this.#reached.set(of, reached);
    return reached;
  }
}
