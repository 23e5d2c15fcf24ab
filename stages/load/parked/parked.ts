/**
 * Parked tables (protocol section 4): tables whose changes are held back at the target instead of applied, while all others go on.
 *
 *     applied ──park──► parked ──resume──► draining ──nothing held──► applied
 *                         ▲                    │
 *                         └──── refused ◄──────┘        with the reason of the refusal
 *
 * A parked table has no position: what is held of it is, byte for byte, what the checkpoint says has passed and what is not applied.
 * That holds because three things happen only in transactions that also move a guard's row:
 *
 * - Load appends to `holt.held`, under lock on the row of the table's root in `holt.parked`, instead of applying;
 * - draining applies the oldest that is held and deletes it, under the guard of a lane of its own;
 * - unparking deletes the rows in `holt.parked` when, under lock on the root's row, nothing is held.
 *
 * Tables that foreign keys join are one group, named by its root, the table that was parked first. They are held in one sequence
 * and drained together: a parent's row must come before its child's, and go after it.
 */
import { quoteTable } from '../../../lib/sql-name.ts';
import type { HeldSubject } from '../held.ts';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export type ParkedState = 'parked' | 'draining';

/** Names are those at the source, unless they say otherwise. */
export interface ParkedTable {
  readonly name: TableName;
  /** Where its changes go, by the rules when it was parked. */
  readonly target: TableName;
  /** The table whose row is locked, and under whose name the changes are held; often itself. */
  readonly root: TableName;
  readonly state: ParkedState;
  /** An error code: of what parked it, or of what refused to resume it. */
  readonly code: string;
  readonly why: string;
  /** `holt`, or who asked for it. */
  readonly by: string;
  /** `YYYY-MM-DD hh:mm:ss.ffffff` UTC, by the target's clock. */
  readonly parkedAt: string;
}

/** What is to be written of a table that is parked now. */
export type ParkTable = Pick<ParkedTable, 'name' | 'target' | 'root' | 'code' | 'why' | 'by'>;

export const tableText = ({ schema, table }: TableName): string => `${schema}.${table}`;

export const isSameTable = (a: TableName, b: TableName): boolean =>
  a.schema === b.schema && a.table === b.table;

/** A key for maps; no name holds a NUL. */
export const tableKey = ({ schema, table }: TableName): string => `${schema}\0${table}`;

/** Under what the changes of a group are held. */
export function heldSubject(pipeline: string, root: TableName): HeldSubject {
  return { pipeline, kind: 'table', subject: quoteTable(root.schema, root.table) };
}
