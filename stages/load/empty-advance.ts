/**
 * Moving the checkpoint over what is not replicated (protocol section 4, "Empty advance"): filtered and foreign changes, by the mainstem, through a guard of its own
 * with the next seq. The caller holds to its side: only with an empty window, no batch formed before the answer, at most as
 * often as the protocol says. An answer that is lost is a rewind.
 */
import type { Clock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { DataSourceConfig } from '../../model/config.ts';
import { LANE } from '../../model/holt-tables.ts';
import type { Tenure } from '../../model/ids.ts';
import { type Position, type PositionText, positionDigest } from '../../model/position.ts';
import type { TableDefinition } from '../../model/source-item.ts';
import { selectStateStatement } from './select-state.ts';
import { recordDefinitions } from './table-shapes.ts';
import { type CheckpointRow, readCheckpointRow } from './target/checkpoint-row.ts';
import { decideTake } from './target/decide-mismatch.ts';
import { classify, targetError } from './target/error-classes.ts';
import { type GuardStatement, guardStatement } from './target/guard.ts';
import { type ConnectTarget, connectTarget } from './target/mysql2-connection.ts';
import { openRegistered } from './target/registered-session.ts';
import type { RegisteredWriter } from './target/writer-registry.ts';

export interface EmptyAdvanceOptions {
  readonly pipeline: string;
  readonly node: string;
  readonly target: DataSourceConfig;
  /** The reign whose mainstem this is. */
  readonly epoch: number;
  readonly tenure: Tenure;
  /** The site whose changes the pipeline carries. */
  readonly origin: string;
  readonly connect?: ConnectTarget;
  readonly guard?: GuardStatement;
  readonly clock?: Clock;
}

export interface Advance {
  /** The seq it takes: one more than that of the last batch or advance. */
  readonly seq: bigint;
  /** Where the row is. */
  readonly start: PositionText;
  readonly end: Position;
  /** Commit time of the last source transaction passed over, µs since 1970. */
  readonly sourceCommittedUs: number;
  /** Online schema changes under way at `end`, where that has changed; null for none any more. */
  readonly onlineChanges?: string | null;
  /** What tables of the source are at the end. */
  readonly definitions?: readonly TableDefinition[];
}

export type AdvanceOutcome =
  | { readonly kind: 'advanced' }
  | { readonly kind: 'rewind'; readonly why: string }
  /** A higher epoch rules: this mainstem is none any more. */
  | { readonly kind: 'superseded' }
  | { readonly kind: 'stop'; readonly error: HoltError };

/** An idle connection may have gone: the next one tells. */
const ATTEMPTS = 3;

/** One per reign. Keeps its registered connection open between advances; `close` ends it. */
export class EmptyAdvance {
  readonly #options: EmptyAdvanceOptions;
  #writer: RegisteredWriter | null = null;

  constructor(options: EmptyAdvanceOptions) {
    this.#options = options;
  }

  /** @throws HoltError, disposition `retry`, only while nothing can have been changed: the target cannot be reached, or is busy. */
  async advance(step: Advance, signal: AbortSignal): Promise<AdvanceOutcome> {
    for (let attempt = 1; ; attempt++) {
      try {
        const opened = await this.#open(signal);
        if ('kind' in opened) return opened;
        return await this.#attempt(opened, step, signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const kind = classify(error);
        if (attempt < ATTEMPTS && (kind === 'lost' || kind === 'conflict')) continue;
        throw kind === 'other' ? error : targetError(error);
      }
    }
  }

  /** Throws only when nothing can have been changed. */
  async #attempt(opened: RegisteredWriter, step: Advance, signal: AbortSignal): Promise<AdvanceOutcome> {
    const abort = () => opened.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await this.#moveRow(opened, step);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #moveRow(opened: RegisteredWriter, step: Advance): Promise<AdvanceOutcome> {
    const { pipeline, tenure, origin } = this.#options;
    try {
      await opened.execute('START TRANSACTION');
      const { affectedRows } = await opened.execute(
        (this.#options.guard ?? guardStatement)({
          pipeline,
          lane: LANE.stream,
          tenure,
          loader: null,
          seq: step.seq,
          origin,
          startDigest: positionDigest(step.start),
          targetIdentity: opened.session.server.identity,
          end: { position: step.end, sourceCommittedUs: step.sourceCommittedUs },
        }),
      );
      if (affectedRows !== 1) {
        const row = await readCheckpointRow(opened, pipeline, LANE.stream, true);
        await opened.execute('ROLLBACK');
        return (
          this.#refusal(row, opened.session.server.identity) ?? {
            kind: 'rewind',
            why: `the row is at seq ${row?.seq}, the advance is ${step.seq}`,
          }
        );
      }
      if (step.onlineChanges !== undefined)
        await opened.execute(selectStateStatement(pipeline, step.onlineChanges));
      await recordDefinitions(opened, pipeline, step.seq, step.definitions ?? []);
      await failpoint('advance:before-commit');
    } catch (error) {
      opened.destroy();
      throw error;
    }
    try {
      await opened.execute('COMMIT');
    } catch (error) {
      opened.destroy();
      return { kind: 'rewind', why: `the answer to an advance is lost: ${targetError(error).message}` };
    }
    await failpoint('advance:after-commit');
    return { kind: 'advanced' };
  }

  async close(): Promise<void> {
    const writer = this.#writer;
    this.#writer = null;
    await writer?.close();
  }

  async #open(
    signal: AbortSignal,
  ): Promise<RegisteredWriter | Exclude<AdvanceOutcome, { kind: 'advanced' }>> {
    if (this.#writer?.usable === true) return this.#writer;
    const { pipeline, node, target, epoch, tenure } = this.#options;
    let refusal: Exclude<AdvanceOutcome, { kind: 'advanced' }> | null = null;
    const registering = await openRegistered({
      connect: this.#options.connect ?? connectTarget,
      target,
      pipeline,
      lane: LANE.stream,
      role: 'advance',
      node,
      signal,
      deadlineMs: 10_000,
      ...(this.#options.clock === undefined ? {} : { clock: this.#options.clock }),
      // Which server it is, is asked of the guard; here it counts whose reign it is.
      accepts: (row) => {
        refusal = this.#refusal(row, row?.targetIdentity ?? '');
        return row !== null && row.epoch === epoch && row.tenure === tenure;
      },
    });
    if (registering.kind === 'refused')
      return refusal ?? { kind: 'rewind', why: 'the row is not of this reign' };
    this.#writer = registering.writer;
    return registering.writer;
  }

  #refusal(
    row: CheckpointRow | null,
    targetIdentity: string,
  ): Exclude<AdvanceOutcome, { kind: 'advanced' }> | null {
    const { epoch, tenure, pipeline, target } = this.#options;
    const decision = decideTake(row, { epoch, tenure, targetIdentity });
    if (decision === null || decision.kind !== 'stop') return decision;
    return {
      kind: 'stop',
      error: new HoltError('HOLT_CHECKPOINT_MISSING', `${pipeline}: its checkpoint row is gone`, {
        disposition: 'pause',
        facts: { pipeline, target: target.name },
      }),
    };
  }
}
