/**
 * One lane: a registered connection of its own, and transactions that begin with the guard of the lane's own row and hold rows of that
 * lane alone.
 *
 * Seq of the row counts the lane's transactions, so that a reader of the target's log can check it for gaps. Its position is that behind
 * which nothing of the lane is done, the stream's row included: lanes without rows in a batch write nothing.
 *
 * A transaction of a lane is done, or it is not, and it says so only when it knows. What stands in its way is not fought here:
 * the rest of the batch then goes in order, on the stream's own connection, which has the means.
 *
 * Failpoints: lane:guarded, lane:before-commit, lane:after-commit.
 */
import { Backoff } from '../../../lib/backoff.ts';
import { messageOf } from '../../../lib/errors.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import { type PositionText, positionDigest } from '../../../model/position.ts';
import type { LoadOutcome } from '../../stage.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../load.ts';
import { type LoadReign, LoadSession, type LoadSessionOptions } from '../load-session.ts';
import { type CheckpointRow, readCheckpointRow } from '../target/checkpoint-row.ts';
import { decideMismatch } from '../target/decide-mismatch.ts';
import { classify } from '../target/error-classes.ts';
import { endOf, type Guard, type GuardStatement, guardStatement } from '../target/guard.ts';

export interface LaneOptions<Share extends PreparedBatch> extends LoadSessionOptions {
  readonly lane: number;
  readonly applier: Pick<BatchApplier<Share>, 'execute'>;
  readonly guard?: GuardStatement | undefined;
}

export type LaneOutcome =
  | { readonly kind: 'done'; readonly result: ApplyResult }
  /** Rolled back, and known to be. */
  | { readonly kind: 'left'; readonly why: string }
  /** The run is over; whether this was committed, the row says. */
  | { readonly kind: 'over'; readonly outcome: LoadOutcome };

/** Attempts that end with a lock held by others. */
const ATTEMPTS = 4;
/** How long a stop waits for the answer to a COMMIT that is on its way. */
const COMMIT_GRACE_MS = 3000;

export class Lane<Share extends PreparedBatch> {
  readonly #options: LaneOptions<Share>;
  readonly #session: LoadSession;
  #reign: LoadReign | null = null;
  #seq = 0n;
  #digest = '';

  constructor(options: LaneOptions<Share>) {
    this.#options = options;
    this.#session = new LoadSession(options);
  }

  get number(): number {
    return this.#options.lane;
  }

  /** `row`: as it was when Load was taken. */
  join(reign: LoadReign, row: CheckpointRow): void {
    this.#reign = reign;
    this.#session.join(reign);
    this.#seq = row.seq;
    this.#digest = positionDigest(row.position.text);
  }

  /** Throws only where the run is over as well: the signal's reason, or what no target answers. */
  async load(
    share: Share,
    header: BatchHeader,
    reached: PositionText,
    signal: AbortSignal,
  ): Promise<LaneOutcome> {
    const pauses = new Backoff({ initialMs: 10, maxMs: 200 });
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(share, header, reached, signal);
      if (outcome !== 'again') return outcome;
      if (attempt === ATTEMPTS) return { kind: 'left', why: 'others hold locks on its rows' };
      await this.#session.clock.sleep(pauses.nextMs(), signal);
    }
  }

  async close(): Promise<void> {
    this.#reign = null;
    await this.#session.close();
  }

  async #attempt(
    share: Share,
    header: BatchHeader,
    reached: PositionText,
    signal: AbortSignal,
  ): Promise<LaneOutcome | 'again'> {
    const reign = this.#reign;
    if (reign === null) return { kind: 'over', outcome: { kind: 'lost-run' } };
    const refused = await this.#session.persistently(signal, () => this.#session.ready(signal));
    if (refused !== null) return { kind: 'over', outcome: refused };
    const { writer, identity } = this.#session;
    const end = endOf(header);
    const guard: Guard = {
      pipeline: header.pipeline,
      lane: this.number,
      tenure: reign.tenure,
      loader: reign.loader,
      seq: this.#seq + 1n,
      origin: header.origin,
      startDigest: this.#digest,
      targetIdentity: identity,
      end: { ...end, position: { ...end.position, text: reached } },
    };
    const abort = () => writer.destroy();
    signal.addEventListener('abort', abort, { once: true });
    let result: ApplyResult;
    try {
      await writer.execute('START TRANSACTION');
      const { affectedRows } = await writer.execute((this.#options.guard ?? guardStatement)(guard));
      if (affectedRows !== 1) {
        await writer.execute('ROLLBACK');
        return { kind: 'over', outcome: await this.#mismatch(guard, reign) };
      }
      await failpoint('lane:guarded');
      result = await this.#options.applier.execute(share, writer, signal);
      await failpoint('lane:before-commit');
      signal.throwIfAborted();
    } catch (error) {
      await this.#session.rollback();
      if (signal.aborted) throw signal.reason;
      const kind = classify(error);
      // No connection, no transaction: the server rolls back, and before another connection of ours writes, this one is gone.
      if (kind === 'lost') return (await this.#settle(guard, reign, signal)) ?? left(error);
      return kind === 'conflict' ? 'again' : left(error);
    } finally {
      signal.removeEventListener('abort', abort);
    }
    return await this.#commit(guard, reign, result, signal);
  }

  async #commit(
    guard: Guard,
    reign: LoadReign,
    result: ApplyResult,
    signal: AbortSignal,
  ): Promise<LaneOutcome> {
    const { writer } = this.#session;
    let grace: NodeJS.Timeout | undefined;
    const onAbort = () => {
      grace = setTimeout(() => writer.destroy(), COMMIT_GRACE_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await writer.execute('COMMIT');
    } catch (error) {
      writer.destroy();
      const other = await this.#settle(guard, reign, signal);
      if (other !== null) return other.kind === 'done' ? { kind: 'done', result } : other;
      return left(error);
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(grace);
    }
    await failpoint('lane:after-commit');
    this.#moved(guard);
    return { kind: 'done', result };
  }

  #moved(guard: Guard): void {
    this.#seq = guard.seq;
    this.#digest = guard.end === null ? this.#digest : positionDigest(guard.end.position.text);
  }

  /** Another connection, once the first is gone; then the row, under lock, says. Null when the transaction was rolled back. */
  #settle(guard: Guard, reign: LoadReign, signal: AbortSignal): Promise<LaneOutcome | null> {
    return this.#session.persistently<LaneOutcome | null>(signal, async () => {
      const refused = await this.#session.ready(signal);
      if (refused !== null) return { kind: 'over', outcome: refused };
      const row = await this.#look();
      const isOurs = row !== null && row.tenure === reign.tenure && row.loader === reign.loader;
      if (isOurs && row.seq === guard.seq - 1n) return null;
      if (isOurs && row.seq === guard.seq) {
        this.#moved(guard);
        return { kind: 'done', result: NOTHING };
      }
      return { kind: 'over', outcome: this.#outcomeOf(row, guard, reign) };
    });
  }

  async #mismatch(guard: Guard, reign: LoadReign): Promise<LoadOutcome> {
    const row = await this.#look();
    const outcome = this.#outcomeOf(row, guard, reign);
    this.#session.log.info(
      {
        event: 'lane:guard:unmatched',
        pipeline: guard.pipeline,
        lane: guard.lane,
        seq: row?.seq,
        expected: guard.seq,
        decision: outcome.kind,
      },
      'the guard of a lane matched nothing',
    );
    return outcome;
  }

  #outcomeOf(row: CheckpointRow | null, guard: Guard, reign: LoadReign): LoadOutcome {
    const decision = decideMismatch(row, {
      ...reign,
      seq: guard.seq,
      targetIdentity: this.#session.identity,
      beforeInFlight: false,
    });
    return this.#session.outcomeOf(decision, row);
  }

  /** The lane's row under lock, in a transaction of its own. */
  async #look(): Promise<CheckpointRow | null> {
    const { writer } = this.#session;
    await writer.execute('START TRANSACTION');
    const row = await readCheckpointRow(writer, this.#options.pipeline, this.number, true);
    await writer.execute('ROLLBACK');
    return row;
  }
}

const NOTHING: ApplyResult = {
  rows: 0,
  inserted: 0,
  updated: 0,
  deleted: 0,
  statements: 0,
  ledgered: 0,
  careful: false,
};

function left(error: unknown): LaneOutcome {
  return { kind: 'left', why: messageOf(error) };
}
