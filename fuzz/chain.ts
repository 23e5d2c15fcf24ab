/** What stands between the two sides of a case: Holt, in one of the forms that it can be run in. */
import type { FuzzCase } from './case.ts';

/** What became of a case's changes. */
export interface Applied {
  batches: number;
  rows: number;
  /** Batches that went row by row. */
  careful: number;
  /** Shares of batches that lanes have committed. */
  shares?: number;
  /** Parts of batches that came in several. */
  inParts: number;
  /** Changes that were not applied as they came, as `kind table`. */
  readonly ledger: string[];
  /** Tables written in order, and why. */
  readonly ordered: Map<string, string>;
}

export interface Chain {
  /** True where it reads how the tables were made: they may be altered before it comes to their rows. */
  readonly readsCreate: boolean;
  /** Before the first change of a case: whatever was before is no concern of it. */
  begin(): Promise<void>;
  /** Brings the target up to the marker that was just written at the source. */
  follow(schema: string, one: FuzzCase, applied: Applied): Promise<void>;
  /** Whether all before a schema change of the case has to have arrived when it is made. */
  waitsForSchema(one: FuzzCase): boolean;
  /** Brings over a schema change that was just made at the source, where such do not come over by themselves. */
  alter(schema: string, sql: string): Promise<void>;
  /** After a failure: nothing of the case may come with the next one. */
  reset(): Promise<void>;
}

/** The case cannot be run as it is: nothing that Holt did. */
export class FuzzerError extends Error {
  override readonly name = 'FuzzerError';
}
