/**
 * `holt.lane_plan` at the target: by which rules rows were given to lanes. Lanes commit each for itself, so after a fault one may have done
 * its share of a batch and another not; then these rules, and not those that would be made today, say which rows were whose.
 *
 * So it is written before any lane writes by it, and only while all lanes are level: then nothing hangs on the former one.
 */
import { HoltError } from '../../../lib/errors.ts';
import { bytesLiteral, integerLiteral } from '../target/sql-text.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import type { LaneRule } from './lane-rule.ts';

export interface LanePlan {
  readonly lanes: number;
  /** By source table (`sourceKey`). */
  readonly rules: ReadonlyMap<string, LaneRule>;
}

/** Of the hash and of what stands in the column `rules`. */
const VERSION = 1;
/** Rules kept of tables that are not in the batch at hand. */
const MOST_KEPT = 20_000;

export function sourceKey({ schema, table }: { readonly schema: string; readonly table: string }): string {
  return `${schema}\0${table}`;
}

/** The plan with these rules in it; null where it has them all already. */
export function planWith(
  known: LanePlan | null,
  lanes: number,
  rules: ReadonlyMap<string, LaneRule>,
): LanePlan | null {
  if (known?.lanes !== lanes || known.rules.size + rules.size > MOST_KEPT) {
    const same =
      known?.lanes === lanes && [...rules].every(([key, rule]) => isSame(known.rules.get(key), rule));
    return same ? null : { lanes, rules };
  }
  if ([...rules].every(([key, rule]) => isSame(known.rules.get(key), rule))) return null;
  return { lanes, rules: new Map([...known.rules, ...rules]) };
}

function isSame(a: LaneRule | undefined, b: LaneRule): boolean {
  if (a?.kind === 'whole') return b.kind === 'whole' && a.lane === b.lane;
  return a?.kind === 'hash' && b.kind === 'hash' && a.columns.join('\0') === b.columns.join('\0');
}

/** In the transaction that is open, while all lanes are level. */
export async function writeLanePlan(
  connection: TargetConnection,
  pipeline: string,
  plan: LanePlan,
): Promise<void> {
  const rules = JSON.stringify([...plan.rules]);
  await connection.execute(
    `REPLACE INTO holt.lane_plan (pipeline, version, lanes, rules, written_at) VALUES (${bytesLiteral(pipeline)}, ` +
      `${integerLiteral(VERSION)}, ${integerLiteral(plan.lanes)}, ${bytesLiteral(rules)}, UTC_TIMESTAMP(6))`,
  );
}

/** Null when there is none. @throws HOLT_LANES_UNCLEAR for one that is not ours. */
export async function readLanePlan(connection: TargetConnection, pipeline: string): Promise<LanePlan | null> {
  const [row] = await connection.rows(
    `SELECT version, lanes, rules FROM holt.lane_plan WHERE pipeline = ${bytesLiteral(pipeline)}`,
  );
  if (row === undefined) return null;
  const [version, lanes] = row.map((value) => Number(value?.toString('latin1')));
  try {
    if (version !== VERSION) throw new Error(`version ${version}`);
    const entries: unknown = JSON.parse(row[2]?.toString('utf8') ?? '');
    if (!Array.isArray(entries) || !Number.isSafeInteger(lanes)) throw new Error('another form');
    return { lanes: lanes ?? 0, rules: new Map(entries.map(entryOf)) };
  } catch (error) {
    throw new HoltError(
      'HOLT_LANES_UNCLEAR',
      `${pipeline}: holt.lane_plan at the target is not one that this program reads`,
      { disposition: 'pause', facts: { pipeline, version }, cause: error },
    );
  }
}

/** How many lanes have been written by; 0 for none. */
export async function readPlannedLanes(connection: TargetConnection, pipeline: string): Promise<number> {
  const [row] = await connection.rows(
    `SELECT lanes FROM holt.lane_plan WHERE pipeline = ${bytesLiteral(pipeline)}`,
  );
  return Number(row?.[0]?.toString('latin1') ?? 0);
}

function entryOf(entry: unknown): [string, LaneRule] {
  const [key, rule] = entry as [unknown, Partial<Record<'kind' | 'lane' | 'columns', unknown>>];
  if (typeof key === 'string' && rule?.kind === 'whole' && Number.isSafeInteger(rule.lane))
    return [key, { kind: 'whole', lane: Number(rule.lane) }];
  if (typeof key === 'string' && rule?.kind === 'hash' && Array.isArray(rule.columns))
    return [key, { kind: 'hash', columns: rule.columns.map(String) }];
  throw new Error('another form');
}
