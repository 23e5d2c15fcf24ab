/**
 * Which lane a row goes to (`apply: {mode: parallel}`).
 *
 * What must hold: of two changes in one batch that do not come to the same in either order, both are in one lane. Lanes hold their
 * changes in the order of the source, and no lane begins the next batch before all are done with this one; so then the batch, done by
 * lanes in any interleaving, leaves what it leaves one by one. By table, the first that applies:
 *
 *     triggers at the target act on its rows           the whole batch in order: nobody knows what they touch
 *     foreign keys touch it                            all tables joined by them, directly or through others, in one lane:
 *                                                      a row may refuse, or take along, rows of any of them
 *     no key by which the target tells rows apart      one lane: two changes may mean the same row
 *     further unique keys                              one lane: a value may go from one row to another
 *     several source tables, or a user processor       one lane: equal keys may come with different bytes
 *     numbers that the target itself gives             one lane: they are given in the order of arrival
 *     a key that changes from one lane to another      one lane, from that batch on
 *     no column of the key is comparable by its bytes  one lane
 *     else                                             by those columns of the key that are
 *
 * The last is right since rows of such a table affect each other only by being the same row: the target tells its rows apart by
 * the key (`chooseIdentity`), and keys that are equal to the target have equal bytes in the columns that count here, up to what the
 * hash leaves out. Columns that do not count make the hash coarser, which puts more into one lane and never less. A change of the key is
 * a change of two rows, that which goes and that which comes: it stays where both are in one lane, and else the table is written
 * by one.
 */
import { TYPE } from '../../../canal/value/column-type.ts';
import type { TablePlan, WrittenColumn } from '../apply/table-plan.ts';

/** Of a source table. Lanes count from 1. */
export type LaneRule =
  | { readonly kind: 'whole'; readonly lane: number }
  /** Source columns by name, in the order in which they are hashed. */
  | { readonly kind: 'hash'; readonly columns: readonly string[] };

/** What a table allows; null where its batch must be applied in order. */
export type LaneChoice =
  | { readonly kind: 'hash'; readonly columns: readonly string[] }
  /** Tables with the same name go to the same lane. */
  | { readonly kind: 'together'; readonly name: string };

const INTEGERS: ReadonlySet<number> = new Set([TYPE.tiny, TYPE.short, TYPE.int24, TYPE.long, TYPE.longlong]);
const INTEGER_TARGETS: ReadonlySet<string> = new Set(['tinyint', 'smallint', 'mediumint', 'int', 'bigint']);
const STRINGS: ReadonlySet<number> = new Set([TYPE.varchar, TYPE.varString, TYPE.string]);
const BINARY_TARGETS: ReadonlySet<string> = new Set(['binary', 'varbinary']);
const TEXT_TARGETS: ReadonlySet<string> = new Set(['char', 'varchar']);
const BINARY_COLLATION = 63;

/** What `plan` allows by itself: whoever knows more, such as other sources of the same target, may only make it coarser. */
export function laneChoice(plan: TablePlan): LaneChoice | null {
  const { target, identity, secondaryKeys } = plan;
  if (plan.oneByOne || target.triggers.length > 0) return null;
  if (target.foreignKeyGroup !== null) return { kind: 'together', name: `\0${target.foreignKeyGroup}` };
  const alone: LaneChoice = { kind: 'together', name: targetName(plan) };
  if (identity.length === 0 || secondaryKeys.length > 0 || !plan.mayUpsert) return alone;
  const columns = identity.filter(isComparableByBytes).map(({ source }) => source.name);
  return columns.length === 0 ? alone : { kind: 'hash', columns };
}

export function targetName({ target }: Pick<TablePlan, 'target'>): string {
  return `${target.schema}\0${target.name}`;
}

/**
 * True when values that are equal at the target have equal bytes in the log, up to trailing spaces and zeros: integers; bytes; text
 * that the target compares by its bytes.
 */
function isComparableByBytes({ source, target, introducer }: WrittenColumn): boolean {
  if (source.carrier !== 'binlog') return false;
  if (INTEGERS.has(source.type)) return INTEGER_TARGETS.has(target.dataType);
  if (!STRINGS.has(source.type)) return false;
  if (source.collation === BINARY_COLLATION) return BINARY_TARGETS.has(target.dataType);
  return TEXT_TARGETS.has(target.dataType) && introducer === '' && (target.collation ?? '').endsWith('_bin');
}

/* The hash is part of what stands in `holt.lane_plan`: another one is another version of the plan. */

export const LANE_HASH_SEED = 0x811c9dc5;

/** FNV-1a over the bytes without trailing spaces and zeros, which may mean nothing; then a byte that ends the value. */
export function laneHash(
  hash: number,
  bytes: Uint8Array,
  start: number,
  length: number,
  isText: boolean,
): number {
  let end = start + length;
  if (isText) while (end > start && (bytes[end - 1] === 0x20 || bytes[end - 1] === 0)) end -= 1;
  let mixed = hash;
  for (let i = start; i < end; i++) mixed = Math.imul(mixed ^ (bytes[i] ?? 0), 0x01000193);
  return Math.imul(mixed ^ 0xff, 0x01000193);
}

/** The lane, from 1 to `lanes`. */
export function laneOfHash(hash: number, lanes: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (((mixed ^ (mixed >>> 16)) >>> 0) % lanes) + 1;
}

/** True where the hash leaves out trailing spaces and zeros: of strings, never of numbers. */
export function isHashedAsText(type: number): boolean {
  return !INTEGERS.has(type);
}
