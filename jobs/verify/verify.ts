/**
 * The contract of `verify`: every row of the source's tables is at the target, byte for byte, and no other.
 *
 * A table is compared in chunks of its key's range, a chunk a job. A difference is looked at again, by key, until it goes or
 * stays the same on both sides: rows in flight are no difference. What never comes to rest is counted apart.
 */

/** Reads rows as raw column text (null for NULL) over the text protocol; a session with `SET NAMES binary` and UTC. */
export interface RowReader {
  rows(sql: Buffer | string): Promise<(Buffer | null)[][]>;
}

/** How a column's text is brought into a form that is equal on both servers. */
export type CanonicalForm =
  | 'bytes'
  | 'json'
  /** A number whose zero has no sign: MariaDB stores 0 for -0.0. */
  | 'unsigned-zero';

export interface VerifyColumn {
  /** Name at the source; null for a constant. */
  readonly source: string | null;
  readonly target: string;
  /** Expected value where `source` is null. */
  readonly constant: string | null;
  readonly form: CanonicalForm;
  /** DATA_TYPE in lower case and CHARACTER_SET_NAME at the source: how key values are written back into SQL. */
  readonly dataType: string;
  readonly charset: string | null;
  /** True where the ends differ in character set: then the characters are compared, not their bytes. */
  readonly converted?: boolean;
}

export interface VerifyTable {
  readonly sourceSchema: string;
  readonly sourceTable: string;
  readonly targetSchema: string;
  readonly targetTable: string;
  readonly columns: readonly VerifyColumn[];
  /** Indexes into `columns`, in key order; empty for a table without key. */
  readonly key: readonly number[];
  /** Rows of the source that belong at the target; null takes all. Gets the columns' values in order of `columns`. */
  readonly passes: ((row: readonly (Buffer | null)[]) => boolean) | null;
  /** Columns the filter looks at, by source name; their values follow in `passes`' argument. */
  readonly filterColumns: readonly { readonly name: string; readonly dataType: string }[];
}

export interface Difference {
  readonly table: string;
  readonly key: string;
  readonly kind: 'missing' | 'unexpected' | 'different';
  /** Columns that differ, for `different`. */
  readonly columns: readonly string[];
}

export interface VerifyReport {
  readonly id: string;
  readonly pipeline: string;
  readonly state: 'running' | 'equal' | 'different' | 'failed';
  readonly chunksDone: number;
  /** Null while tables are still being cut into chunks. */
  readonly chunksTotal: number | null;
  readonly rowsCompared: number;
  readonly differences: readonly Difference[];
  readonly differencesTotal: number;
  readonly error: string | null;
}
