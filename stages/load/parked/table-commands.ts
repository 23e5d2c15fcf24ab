/** What people ask of parked tables, at the target. */
import { HoltError } from '../../../lib/errors.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import { isSameTable, type ParkedTable, type TableName, tableText } from './parked.ts';
import { type HeldSums, insertParked, readParked, setGroupState, sumHeld } from './parked-rows.ts';

/** A group of parked tables: drained and resumed together. */
export interface ParkedGroup extends HeldSums {
  readonly root: TableName;
  /** Its own row, then those that wait with it. */
  readonly tables: readonly ParkedTable[];
}

/** Every group of a pipeline with what it holds; takes no lock. */
export async function parkedGroups(
  connection: TargetConnection,
  pipeline: string,
): Promise<readonly ParkedGroup[]> {
  const parked = await readParked(connection, pipeline);
  const groups: ParkedGroup[] = [];
  for (const { name: root } of parked.filter((one) => isSameTable(one.name, one.root))) {
    const tables = parked
      .filter((one) => isSameTable(one.root, root))
      .toSorted((a, b) => Number(isSameTable(b.name, root)) - Number(isSameTable(a.name, root)));
    groups.push({ root, tables, ...(await sumHeld(connection, pipeline, root)) });
  }
  return groups;
}

export interface ParkRequest {
  readonly name: TableName;
  /** Where its changes go by the rules. */
  readonly target: TableName;
  /** An error code. */
  readonly code?: string;
  readonly why: string;
  readonly by: string;
}

/**
 * Parks a table under its own name: Load holds its changes from the next batch on. In the transaction that is open, or by itself.
 * @returns false when it was parked already; it then stays as it was.
 */
export function parkTable(
  connection: TargetConnection,
  pipeline: string,
  { name, target, code = 'HOLT_TABLE_PARKED_BY_HAND', why, by }: ParkRequest,
): Promise<boolean> {
  return insertParked(connection, pipeline, { name, target, root: name, code, why, by });
}

/**
 * Asks for the group of a table to be drained: whoever works on the pipeline's Load does it, and unparks it when nothing is left.
 * @throws HoltError HOLT_TABLE_NOT_PARKED
 */
export async function resumeTable(
  connection: TargetConnection,
  pipeline: string,
  name: TableName,
): Promise<ParkedGroup> {
  const group = (await parkedGroups(connection, pipeline)).find(({ tables }) =>
    tables.some((one) => isSameTable(one.name, name)),
  );
  if (group === undefined || !(await setGroupState(connection, pipeline, group.root, 'draining')))
    throw new HoltError('HOLT_TABLE_NOT_PARKED', `${tableText(name)} is not parked in ${pipeline}`, {
      disposition: 'fatal',
      facts: { pipeline, table: tableText(name) },
    });
  return group;
}
