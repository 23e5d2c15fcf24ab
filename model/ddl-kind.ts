/**
 * What a statement that is not rows does, in the words of the `ddl` policy: one kind a statement.
 */
export const DDL_KINDS = [
  'create-table',
  'create-table-like',
  /** With the rows of a query: in the log as a statement only where the session logs statements. */
  'create-table-select',
  'alter-table',
  /** An ALTER TABLE of partitions and nothing else. */
  'partition',
  'drop-table',
  'rename-table',
  'truncate',
  'create-index',
  'drop-index',
  'sequence',
  'create-view',
  'alter-view',
  'drop-view',
  'create-database',
  'alter-database',
  'drop-database',
] as const;
export type DdlKind = (typeof DDL_KINDS)[number];

/** A server as far as its language of definitions goes. */
export interface SqlServer {
  readonly flavour: 'mysql' | 'mariadb';
  /** major × 10 000 + minor × 100 + patch, as in its versioned comments: 50651, 90701, 101106. */
  readonly version: number;
}
