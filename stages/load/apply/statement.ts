import type { StatementResult } from '../target/target-connection.ts';

/** Checks of the session that an event asks to be off (`ROW_FLAG`). */
export const CHECKS_OFF = {
  none: 0,
  foreignKeys: 1,
  checkConstraints: 2,
} as const;

/**
 * One statement as it goes to the server, and how many rows it must touch.
 *
 * What the servers answer with FOUND_ROWS set (measured on MariaDB 10.11, MySQL 9.7 and MySQL 5.6):
 * - INSERT of n rows: n affected;
 * - INSERT … ON DUPLICATE KEY UPDATE of n rows: per row 1 affected if inserted or unchanged, 2 if changed, which does not tell an
 *   inserted row from an unchanged one; but the text says `Records: n  Duplicates: d`, where d counts the rows that were there,
 *   changed or not. With n = 1 there is no text: a single row is written as UPDATE;
 * - BINLOG: nothing; a row that is not as expected is an error;
 * - UPDATE: rows matched, changed or not; DELETE: rows deleted.
 */
export interface Statement {
  readonly kind:
    | 'insert'
    | 'upsert'
    | 'update'
    | 'delete'
    | 'absence'
    | 'compare'
    | 'events'
    | 'expect'
    | 'aside';
  readonly sql: Buffer;
  /** Rows it speaks of; of an `aside` nobody knows. */
  readonly rows: number;
  /** `CHECKS_OFF` bits. */
  readonly checksOff: number;
  /** schema.table, for errors. */
  readonly table: string;
  /** Of events: rows of each kind. */
  readonly counts?: { readonly insert: number; readonly update: number; readonly delete: number };
  /** What a question must be answered with, for events to have done what they say. */
  readonly expected?: { readonly of: 'definition' | 'setting'; readonly text: string };
}

/** What is wrong with the answer; null when the rows were as the images promise. */
export function countProblem(statement: Statement, result: StatementResult): string | null {
  const { kind, rows } = statement;
  switch (kind) {
    case 'insert':
    case 'update':
    case 'delete':
      return result.affectedRows === rows ? null : `${kind} of ${rows} rows found ${result.affectedRows}`;
    case 'absence':
      return result.affectedRows === 0 ? null : `${result.affectedRows} of ${rows} absent rows are there`;
    case 'upsert': {
      const [, records, duplicates] = /Records: (\d+)\s+Duplicates: (\d+)/.exec(result.info) ?? [];
      if (records === undefined) return `no counts in the answer to an upsert of ${rows} rows`;
      return Number(records) === rows && Number(duplicates) === rows
        ? null
        : `update of ${rows} rows found ${duplicates}`;
    }
    // Which throws where a row is missing, or there already.
    case 'events':
    case 'aside':
      return null;
    case 'compare':
    case 'expect':
      return 'a question gives rows, no counts';
    default:
      return kind satisfies never;
  }
}
