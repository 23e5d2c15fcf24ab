/**
 * What moves between the stages, and what each stage is: a pure core with a thin shell. Schedulers, pipes and connections are around it.
 *
 *     SourceItem* → SelectedBatch → ExtractedBatch → TransformedBatch → LoadOutcome
 */

import type { HoltError } from '../lib/errors.ts';
import type { BatchHeader, LoadReceipt } from '../model/batch.ts';
import type { DdlStatement } from '../model/ddl.ts';
import type { ErrorCodeName } from '../model/error-codes.ts';
import type { TableRoute } from '../model/table-route.ts';

/** A batch with its payload in memory: `payload` is in the form of `model/payload.ts`. */
export interface SelectedBatch {
  readonly header: BatchHeader;
  readonly payload: Buffer;
}

/** After row filters and user processors: the same form. */
export type ExtractedBatch = SelectedBatch;

/** With the places its tables go to, by table number of the payload. */
export interface TransformedBatch extends SelectedBatch {
  readonly routes: readonly TableRoute[];
  /** The schema change that the batch is, as it goes to the target. */
  readonly ddl?: TransformedDdl;
}

export interface TransformedDdl {
  readonly statement: DdlStatement;
  readonly mapped: TargetDdl;
}

/** What a schema change is at the target. */
export type TargetDdl =
  | {
      readonly kind: 'run';
      readonly sql: Buffer;
      /** To be the session's default; null where the statement needs none. */
      readonly defaultSchema: string | null;
      /** What it makes, changes or takes away: what stands there tells whether it ran. */
      readonly concerns: readonly ConcernedTable[];
      /** The database that it is about, by the target's name. */
      readonly database: string | null;
    }
  /** Nothing of it concerns what is carried. */
  | { readonly kind: 'nothing'; readonly why: string }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCodeName;
      readonly why: string;
      /** Carried tables that it may change; empty where that is not known. */
      readonly concerns: readonly ConcernedTable[];
    };

/** A table or view of a schema change, by its names at both ends. */
export interface ConcernedTable {
  readonly source: { readonly schema: string; readonly table: string };
  readonly target: { readonly schema: string; readonly table: string };
}

/** What became of a batch at Load (protocol section 4, the table under the guard). */
export type LoadOutcome =
  | { readonly kind: 'applied'; readonly receipt: LoadReceipt; readonly stats: LoadStats }
  /** Committed before, by this tenure: the receipt is given again. */
  | { readonly kind: 'repeat'; readonly receipt: LoadReceipt }
  /** Another loader of the same tenure has the run: let go of the claims. */
  | { readonly kind: 'lost-run' }
  /** A higher epoch rules: discard the task. */
  | { readonly kind: 'superseded' }
  /** The mainstem must raise again and read from the checkpoint. */
  | { readonly kind: 'rewind'; readonly why: string }
  /** The pipeline stops with a code until someone acts. */
  | { readonly kind: 'stop'; readonly error: HoltError };

export interface LoadStats {
  /** Row changes of the source that took effect. */
  readonly rows: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly statements: number;
  /** Changes written to the ledger instead of, or beside, being applied. */
  readonly ledgered: number;
  /** Those of them that the target cannot hold, as they are; absent for none. */
  readonly deadLetters?: number;
  /** True when the batch went row by row under lock. */
  readonly careful: boolean;
  readonly executeMs: number;
  readonly commitMs: number;
}
