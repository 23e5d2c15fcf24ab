/**
 * The contract of Load: one `LoadRun` per pipeline and holder, one registered connection, batches strictly in order.
 *
 * A LoadRun begins every transaction with the guard, lets a `BatchApplier` write the rows, and commits only after
 * every statement has answered well. Preparing (folding, building SQL) needs no connection, so batch n+1 is prepared
 * while the server executes batch n.
 */
import type { BatchHeader } from '../../model/batch.ts';
import type { LoadOutcome, LoadStats, TransformedBatch } from '../stage.ts';
import type { TargetConnection } from './target/target-connection.ts';

/** A batch whose statements are written and wait for their turn. */
export interface PreparedBatch {
  readonly batch: TransformedBatch;
  /** Bytes held, for the memory budget. */
  readonly bytes: number;
}

/** Why a fast path gave up: the transaction is rolled back whole, and the batch goes again row by row under lock. */
export class DivergenceSignal extends Error {
  override readonly name = 'DivergenceSignal';
}

/** The target's table is not what the batch was prepared for: the transaction is rolled back whole, and the batch prepared anew. */
export class StaleSignal extends Error {
  override readonly name = 'StaleSignal';
}

export interface ApplyResult extends Omit<LoadStats, 'executeMs' | 'commitMs'> {}

export interface BatchApplier<Prepared extends PreparedBatch = PreparedBatch> {
  /** Folds and builds. Reads the target's schema through its cache; touches no row. */
  prepare(batch: TransformedBatch, signal: AbortSignal): Promise<Prepared>;
  /**
   * Writes the rows inside the transaction already open on `connection`, after its guard. Throws DivergenceSignal when
   * a count is not what the images promise; nothing is committed here.
   */
  execute(prepared: Prepared, connection: TargetConnection, signal: AbortSignal): Promise<ApplyResult>;
  /** Row by row under lock: compares, decides by the pipeline's rule, writes the ledger in the same transaction. */
  executeCarefully(
    prepared: Prepared,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult>;
}

/** The run of Load in one pipeline by one holder. Not re-entrant: one batch at a time, in order of sequence. */
export interface LoadRun {
  /** Taking Load (protocol section 4): kills the former loader's connection, settles, sets `loader`. */
  take(tenure: string, epoch: number, signal: AbortSignal): Promise<LoadOutcome | null>;
  /** All of a batch that is not in parts. */
  load(prepared: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome>;
  /** One part of a large transaction; only the last gives `applied`, the others null (target transaction left open). */
  loadPart(prepared: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome | null>;
  /** Seq of the next batch that can be loaded. */
  readonly nextSeq: bigint;
  /** Header of the batch whose transaction is open, null when none is. */
  readonly open: BatchHeader | null;
  close(): Promise<void>;
}
