/**
 * Beginning a transaction of Load with the guard, and ending it: what a guard that matched nothing means, and what became of a
 * COMMIT that was not answered well. Between the two, rows are written by whoever began it.
 *
 * Failpoints: load:guarded, load:before-commit, load:after-commit.
 */
import { failpoint } from '../../lib/failpoint.ts';
import type { BatchHeader, LoadReceipt } from '../../model/batch.ts';
import { LANE } from '../../model/holt-tables.ts';
import type { NodeId } from '../../model/ids.ts';
import { positionDigest } from '../../model/position.ts';
import type { LoadOutcome } from '../stage.ts';
import type { LoadReign, LoadSession } from './load-session.ts';
import { selectStateStatement } from './select-state.ts';
import type { CheckpointRow } from './target/checkpoint-row.ts';
import { decideMismatch, type MismatchDecision } from './target/decide-mismatch.ts';
import { targetError } from './target/error-classes.ts';
import { type Guard, type GuardStatement, guardOf, guardStatement } from './target/guard.ts';

export interface GuardedTransactionOptions {
  readonly pipeline: string;
  readonly node: NodeId;
  readonly session: LoadSession;
  /** Whether a batch or an advance before `seq` is known to be on its way. */
  readonly beforeInFlight: ((seq: bigint) => boolean) | undefined;
  readonly guard: GuardStatement | undefined;
}

export type Begun =
  | { readonly kind: 'begun'; readonly guard: Guard }
  /** Nothing is open. */
  | { readonly kind: 'outcome'; readonly outcome: LoadOutcome }
  /** Nothing is open; what comes before is on its way. */
  | { readonly kind: 'again' };

export type Ended =
  | { readonly kind: 'committed' }
  | { readonly kind: 'outcome'; readonly outcome: LoadOutcome }
  /** It was not committed, and the row is as before. */
  | { readonly kind: 'again' };

/** How long a stop waits for the answer to a COMMIT that is on its way. */
const COMMIT_GRACE_MS = 3000;

export class GuardedTransaction {
  readonly #options: GuardedTransactionOptions;
  readonly #session: LoadSession;

  constructor(options: GuardedTransactionOptions) {
    this.#options = options;
    this.#session = options.session;
  }

  /** START TRANSACTION and the guard, on a session that is ready. Throws what the statements throw. */
  async begin(header: BatchHeader, reign: LoadReign, signal: AbortSignal): Promise<Begun> {
    const { writer, identity } = this.#session;
    const guard = guardOf(header, { loader: reign.loader, targetIdentity: identity, lane: LANE.stream });
    await writer.execute('START TRANSACTION');
    const { affectedRows } = await writer.execute((this.#options.guard ?? guardStatement)(guard));
    if (affectedRows === 1) {
      if (header.onlineChanges !== undefined)
        await writer.execute(selectStateStatement(this.#options.pipeline, header.onlineChanges));
      await failpoint('load:guarded');
      return { kind: 'begun', guard };
    }
    await writer.execute('ROLLBACK');
    return await this.#mismatch(header, reign, signal);
  }

  /**
   * START TRANSACTION and the guard's conditions under its lock, without moving the row: for what must be on record before it is done. A
   * transaction is open afterwards exactly if it gives a row.
   */
  async check(
    header: BatchHeader,
    reign: LoadReign,
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'row'; readonly row: CheckpointRow } | Exclude<Begun, { kind: 'begun' }>> {
    const { writer, identity } = this.#session;
    await writer.execute('START TRANSACTION');
    const row = await this.#session.readRow();
    if (
      row !== null &&
      row.tenure === reign.tenure &&
      row.loader === reign.loader &&
      row.seq === BigInt(header.seq) - 1n &&
      positionDigest(row.position.text) === positionDigest(header.start) &&
      row.targetIdentity === identity
    )
      return { kind: 'row', row };
    await writer.execute('ROLLBACK');
    return await this.#mismatch(header, reign, signal);
  }

  /** COMMIT, and what became of it. A stop waits a while for the answer: it is worth having. */
  async commit(guard: Guard, reign: LoadReign, signal: AbortSignal): Promise<Ended> {
    const { writer, log } = this.#session;
    this.#session.tell({ kind: 'committing', seq: guard.seq });
    let grace: NodeJS.Timeout | undefined;
    const onAbort = () => {
      grace = setTimeout(() => writer.destroy(), COMMIT_GRACE_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await writer.execute('COMMIT');
    } catch (error) {
      const { pipeline } = this.#options;
      log.warn(
        { event: 'load:commit:unanswered', pipeline, seq: guard.seq, err: targetError(error) },
        'COMMIT was not answered well; looking what became of it',
      );
      writer.destroy();
      return await this.#settle(guard, reign, signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(grace);
    }
    await failpoint('load:after-commit');
    return { kind: 'committed' };
  }

  receipt(header: BatchHeader, reign: LoadReign): LoadReceipt {
    return {
      version: 1,
      epoch: header.epoch,
      tenure: header.tenure,
      loader: reign.loader,
      node: this.#options.node,
      seq: header.seq,
      end: header.end,
      rows: header.rows,
      lastCommitUs: header.lastCommitUs,
      appliedMs: this.#session.clock.nowMs(),
    };
  }

  /** Another connection, once the first is gone; then the row, under lock, says whether the transaction was committed. */
  #settle(guard: Guard, reign: LoadReign, signal: AbortSignal): Promise<Ended> {
    return this.#session.persistently<Ended>(signal, async () => {
      const refused = await this.#session.ready(signal);
      if (refused !== null) return { kind: 'outcome', outcome: refused };
      const row = await this.#session.look();
      const decision = this.#decide(row, guard.seq, reign);
      if (decision.kind === 'repeat') return { kind: 'committed' };
      const asBefore = row !== null && row.seq === guard.seq - 1n;
      if (asBefore && row.tenure === reign.tenure && row.loader === reign.loader) return { kind: 'again' };
      return { kind: 'outcome', outcome: this.#session.outcomeOf(decision, row) };
    });
  }

  async #mismatch(
    header: BatchHeader,
    reign: LoadReign,
    signal: AbortSignal,
  ): Promise<Exclude<Begun, { kind: 'begun' }>> {
    const row = await this.#session.look();
    const decision = this.#decide(row, BigInt(header.seq), reign);
    const facts = {
      event: 'load:guard:unmatched',
      pipeline: this.#options.pipeline,
      batch: header.seq,
      seq: row?.seq,
      decision: decision.kind,
    };
    if (decision.kind === 'wait') {
      this.#session.log.debug(facts, 'the guard matched nothing');
      await this.#session.clock.sleep(50, signal);
      return { kind: 'again' };
    }
    this.#session.log.info(facts, 'the guard matched nothing');
    if (decision.kind === 'repeat')
      return { kind: 'outcome', outcome: { kind: 'repeat', receipt: this.receipt(header, reign) } };
    return { kind: 'outcome', outcome: this.#session.outcomeOf(decision, row) };
  }

  #decide(row: CheckpointRow | null, seq: bigint, reign: LoadReign): MismatchDecision {
    return decideMismatch(row, {
      ...reign,
      seq,
      targetIdentity: this.#session.identity,
      beforeInFlight: this.#options.beforeInFlight?.(seq) ?? false,
    });
  }
}
