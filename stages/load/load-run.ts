/**
 * `LoadRun` on a real target: guard first, rows, then COMMIT, and never a COMMIT while anything has not answered well.
 *
 *     idle ─take─► ready ─load─► guarded ─► executed ─COMMIT─► ready
 *                    ▲              │ no match: look under lock, decide (decide-mismatch.ts)
 *                    │              │ conflict: roll back, the whole batch again
 *                    │              │ divergence: roll back, the whole batch again, row by row
 *                    │              │ connection lost: another one (same loader id), the whole batch again
 *                    └──────────────┘ COMMIT not answered well: kill that connection, wait until it is gone, look under lock
 *
 * The loader's id is the run's for life and not the connection's: after a reconnect the row must still name it, else another
 * holder has taken Load. A run never takes a run back by itself.
 *
 * Failpoints: load:taken, load:guarded, load:before-commit, load:after-commit.
 */
import { Backoff } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import type { BatchHeader, LoadReceipt } from '../../model/batch.ts';
import type { DataSourceConfig } from '../../model/config.ts';
import { LANE } from '../../model/holt-tables.ts';
import { type LoaderId, type NodeId, newLoaderId, parseTenure, type Tenure } from '../../model/ids.ts';
import type { LoadOutcome, LoadStats } from '../stage.ts';
import {
  type ApplyResult,
  type BatchApplier,
  DivergenceSignal,
  type LoadRun,
  type PreparedBatch,
} from './load.ts';
import { type CheckpointRow, readCheckpointRow, rowKey } from './target/checkpoint-row.ts';
import { decideMismatch, decideTake, type MismatchDecision } from './target/decide-mismatch.ts';
import { classify, type ErrorClass, targetError } from './target/error-classes.ts';
import {
  endOf,
  type Guard,
  type GuardStatement,
  guardEndStatement,
  guardOf,
  guardStatement,
} from './target/guard.ts';
import { type ConnectTarget, connectTarget } from './target/mysql2-connection.ts';
import { bytesLiteral, hexLiteral } from './target/sql-text.ts';
import {
  killWriters,
  type RegisteredWriter,
  register,
  type WaitingForRollback,
  type WriterRow,
} from './target/writer-registry.ts';

export interface LoadRunOptions<Prepared extends PreparedBatch> {
  readonly pipeline: string;
  readonly node: NodeId;
  readonly target: DataSourceConfig;
  readonly applier: BatchApplier<Prepared>;
  readonly connect?: ConnectTarget;
  readonly onState?: (state: LoadState) => void;
  /** Whether a batch or an advance before `seq` is known to be on its way: then Load waits for it instead of asking for a rewind. */
  readonly beforeInFlight?: (seq: bigint) => boolean;
  /** For tests that show what a weaker guard would let through. */
  readonly guard?: GuardStatement;
  /** How long a killed session may take to go, before it is reported and tried again. */
  readonly goneDeadlineMs?: number;
  /** Between pings of an idle connection, and between looks from beside at one that is busy; default 10 s. */
  readonly tickMs?: number;
  /** innodb_lock_wait_timeout of the load; default 10. */
  readonly lockWaitTimeoutS?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** What the run does or waits for, by name: shown to people, and the test seam. */
export type LoadState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'taking' }
  | { readonly kind: 'connecting'; readonly attempt: number }
  | ({ readonly kind: 'waiting-for-rollback' } & WaitingForRollback)
  | { readonly kind: 'executing'; readonly seq: bigint; readonly careful: boolean }
  | { readonly kind: 'committing'; readonly seq: bigint }
  /** A lock held by others: tried again at once, and again. */
  | { readonly kind: 'conflict'; readonly seq: bigint; readonly attempt: number }
  /** The target cannot take it for now; `error` says why and what to do. */
  | { readonly kind: 'blocked'; readonly error: HoltError; readonly attempt: number };

interface Reign {
  readonly epoch: number;
  readonly tenure: Tenure;
  readonly loader: LoaderId;
}

interface OpenTransaction {
  readonly header: BatchHeader;
  readonly guard: Guard;
  readonly sums: Sums;
}

const LOCK_WAIT_REGISTER_S = 1;
const LOCK_WAIT_LOAD_S = 10;
/** Attempts at one part of an open transaction before all of it is done again. */
const PART_ATTEMPTS = 5;
const SAVEPOINT = 'holt_part';
const ROLLBACK_DEADLINE_MS = 2000;
/** How long a stop waits for the answer to a COMMIT that is on its way. */
const COMMIT_GRACE_MS = 3000;

export class TargetLoadRun<Prepared extends PreparedBatch = PreparedBatch> implements LoadRun {
  readonly #options: LoadRunOptions<Prepared>;
  readonly #clock: Clock;
  readonly #log: Logger;
  #reign: Reign | null = null;
  #writer: RegisteredWriter | null = null;
  /** Registration of the connection last used: it must be gone before another one writes. */
  #former: string | null = null;
  #open: OpenTransaction | null = null;
  #nextSeq = 1n;

  constructor(options: LoadRunOptions<Prepared>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
  }

  get nextSeq(): bigint {
    return this.#nextSeq;
  }

  get open(): BatchHeader | null {
    return this.#open?.header ?? null;
  }

  /**
   * For a tenure not held yet: kills the former loader's connection, waits, and sets `loader` to an id of our own. Called
   * again for the tenure that is held it only looks where the row is (an advance moves it, too), and never takes the run back.
   */
  async take(tenureText: string, epoch: number, signal: AbortSignal): Promise<LoadOutcome | null> {
    const tenure = parseTenure(tenureText);
    const held = this.#reign?.tenure === tenure && this.#reign.epoch === epoch;
    if (!held) {
      await this.#dropConnection();
      this.#reign = null;
    }
    this.#tell({ kind: 'taking' });
    const outcome = await this.#persistently(signal, async () =>
      held ? this.#look(signal) : this.#takeOnce({ epoch, tenure, loader: newLoaderId() }, signal),
    );
    this.#tell({ kind: 'idle' });
    return outcome;
  }

  async load(prepared: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome> {
    if (this.#open !== null) {
      // Whoever gives another batch has given up the one in parts.
      await this.#rollback();
    }
    let work = prepared as Prepared;
    let careful = false;
    const conflicts = new Backoff({ initialMs: 10, maxMs: 1000 });
    try {
      return await this.#persistently(signal, async () => {
        for (;;) {
          const ready = await this.#ready(signal);
          if (ready !== null) return ready;
          const attempt = await this.#attempt(work, careful, signal);
          switch (attempt.kind) {
            case 'outcome':
              return attempt.outcome;
            case 'conflict':
              this.#tell({
                kind: 'conflict',
                seq: BigInt(work.batch.header.seq),
                attempt: conflicts.attempt,
              });
              await this.#clock.sleep(conflicts.nextMs(), signal);
              break;
            case 'careful':
              careful = true;
              break;
            case 'stale':
              this.#tell({ kind: 'blocked', error: attempt.error, attempt: conflicts.attempt });
              await this.#clock.sleep(Math.min(10_000, 500 * 2 ** conflicts.attempt), signal);
              conflicts.nextMs();
              work = await this.#options.applier.prepare(work.batch, signal);
              break;
            default:
              attempt satisfies never;
          }
        }
      });
    } finally {
      this.#tell({ kind: 'idle' });
    }
  }

  async loadPart(prepared: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome | null> {
    const work = prepared as Prepared;
    const { header } = work.batch;
    try {
      if (header.part === 0) {
        await this.#rollback();
        const begun = await this.#persistently(signal, () => this.#begin(header, signal));
        if (begun !== null) return begun;
      }
      const open = this.#open;
      const expected = open === null ? null : header.part === 0 ? 0 : open.header.part + 1;
      if (
        open === null ||
        open.header.seq !== header.seq ||
        open.header.tenure !== header.tenure ||
        expected !== header.part
      )
        return await this.#giveUpParts(
          `part ${header.part} of batch ${header.seq} does not follow what is open`,
        );
      const failure = await this.#executePart(open, work, signal);
      if (failure !== null) return failure;
      this.#open = { ...open, header };
      return header.lastPart ? await this.#finishParts(this.#open, signal) : null;
    } finally {
      this.#tell({ kind: 'idle' });
    }
  }

  /** Rolls back what is open and lets go of the connection; the row keeps our loader id until another takes Load. */
  async close(): Promise<void> {
    this.#reign = null;
    if (this.#open !== null) await this.#rollback();
    await this.#dropConnection();
  }

  // ── taking, connecting ──────────────────────────────────────────────────────────────────────────────────────────

  async #takeOnce(reign: Reign, signal: AbortSignal): Promise<LoadOutcome | null> {
    const writer = await this.#openWriter(reign, signal, true);
    if ('kind' in writer) return writer;
    // Whoever held the run before in this reign; older reigns' went with the raise.
    await this.#kill(writer, (other) => isLoader(other) && other.epoch <= reign.epoch, signal);
    await writer.execute('START TRANSACTION');
    const row = await readCheckpointRow(writer, this.#options.pipeline, LANE.stream, true);
    const refusal = this.#refusalOfTake(row, reign, writer);
    if (refusal !== null || row === null) {
      await writer.execute('ROLLBACK');
      return refusal;
    }
    if (await this.#hasOpenDdl(writer)) {
      await writer.execute('ROLLBACK');
      return {
        kind: 'stop',
        error: this.#stopError('HOLT_DDL_UNSETTLED', 'a schema change was begun and is not settled'),
      };
    }
    // Neither seq nor origin: this is no mark.
    await writer.execute(
      `UPDATE holt.checkpoint SET loader = ${hexLiteral(reign.loader)} WHERE ${rowKey(this.#options.pipeline, LANE.stream)} AND tenure = ${hexLiteral(reign.tenure)}`,
    );
    await writer.execute('COMMIT');
    await writer.execute(
      `SET SESSION innodb_lock_wait_timeout = ${this.#options.lockWaitTimeoutS ?? LOCK_WAIT_LOAD_S}`,
    );
    this.#reign = reign;
    this.#nextSeq = row.seq + 1n;
    await failpoint('load:taken');
    this.#log.info(
      { event: 'load:run:taken', pipeline: this.#options.pipeline, epoch: reign.epoch, seq: row.seq },
      'Load is taken',
    );
    return null;
  }

  /** Where the row is, by a locking read; null when the run is still ours. */
  async #look(signal: AbortSignal): Promise<LoadOutcome | null> {
    const ready = await this.#ready(signal);
    if (ready !== null) return ready;
    const { writer, reign } = this.#mustHave();
    const row = await this.#lockedLook(writer);
    const refusal = this.#refusalOfTake(row, reign, writer);
    if (refusal !== null || row === null) return refusal;
    if (row.loader !== reign.loader) return { kind: 'lost-run' };
    this.#nextSeq = row.seq + 1n;
    return null;
  }

  /** A connection that may write for the run that is held; null when there is one. */
  async #ready(signal: AbortSignal): Promise<LoadOutcome | null> {
    const reign = this.#reign;
    if (reign === null) return { kind: 'lost-run' };
    if (this.#writer?.usable === true) return null;
    const writer = await this.#openWriter(reign, signal, false);
    if ('kind' in writer) return writer;
    await writer.execute(
      `SET SESSION innodb_lock_wait_timeout = ${this.#options.lockWaitTimeoutS ?? LOCK_WAIT_LOAD_S}`,
    );
    return null;
  }

  /**
   * Connects and registers, once the connection before is gone. `taking`: other loaders of the reign may be killed if they hold the
   * row; otherwise only our own former one.
   */
  async #openWriter(
    reign: Reign,
    signal: AbortSignal,
    taking: boolean,
  ): Promise<RegisteredWriter | LoadOutcome> {
    await this.#dropConnection();
    const connect = this.#options.connect ?? connectTarget;
    const session = await connect(this.#options.target, {
      signal,
      session: { lockWaitTimeoutS: LOCK_WAIT_REGISTER_S },
    });
    const abort = () => session.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const former = this.#former;
      const mine = (other: WriterRow) =>
        taking ? isLoader(other) && other.epoch <= reign.epoch : other.registration === former;
      // A server takes a while to notice that a client is gone: our own former session may still hold the row.
      if (former !== null)
        await this.#killOn(session, null, (other) => other.registration === former, signal);
      const accepts = (row: CheckpointRow | null) =>
        decideTake(row, { ...reign, targetIdentity: session.server.identity }) === null &&
        (taking || row?.loader === reign.loader);
      const options = {
        session,
        pipeline: this.#options.pipeline,
        lane: LANE.stream,
        role: 'load',
        node: this.#options.node,
        accepts,
        openBeside: () => connect(this.#options.target, { session: { writes: false } }),
        tickMs: this.#options.tickMs,
      } as const;
      let registering: Awaited<ReturnType<typeof register>>;
      try {
        registering = await register(options);
      } catch (error) {
        if (classify(error) !== 'conflict') throw error;
        await this.#killOn(session, null, mine, signal);
        registering = await register(options);
      }
      if (registering.kind === 'refused') {
        const { row } = registering;
        const refusal = decideTake(row, { ...reign, targetIdentity: session.server.identity });
        await session.close();
        return refusal === null ? { kind: 'lost-run' } : this.#outcomeOf(refusal, row);
      }
      this.#writer = registering.writer;
      this.#former = registering.writer.registration;
      return registering.writer;
    } catch (error) {
      session.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #dropConnection(): Promise<void> {
    const writer = this.#writer;
    this.#writer = null;
    this.#open = null;
    if (writer === null) return;
    if (writer.usable) {
      await writer.close();
      // Said goodbye outside a transaction, and its row is gone: nothing of it can come later.
      this.#former = null;
    } else writer.destroy();
  }

  // ── one attempt at a batch ──────────────────────────────────────────────────────────────────────────────────────

  async #attempt(work: Prepared, careful: boolean, signal: AbortSignal): Promise<Attempt> {
    const { header } = work.batch;
    const { writer, reign } = this.#mustHave();
    const guard = this.#guardFor(header, reign, writer);
    const started = this.#clock.monotonicMs();
    const abort = () => writer.destroy();
    signal.addEventListener('abort', abort, { once: true });
    let result: ApplyResult;
    try {
      this.#tell({ kind: 'executing', seq: guard.seq, careful });
      await writer.execute('START TRANSACTION');
      const { affectedRows } = await writer.execute((this.#options.guard ?? guardStatement)(guard));
      if (affectedRows !== 1) {
        await writer.execute('ROLLBACK');
        const outcome = await this.#mismatch(header, signal);
        return outcome === null ? { kind: 'conflict' } : { kind: 'outcome', outcome };
      }
      await failpoint('load:guarded');
      const { applier } = this.#options;
      result = careful
        ? await applier.executeCarefully(work, writer, signal)
        : await applier.execute(work, writer, signal);
      await failpoint('load:before-commit');
      signal.throwIfAborted();
    } catch (error) {
      return await this.#afterFailure(error, careful, signal);
    } finally {
      signal.removeEventListener('abort', abort);
    }
    const executed = this.#clock.monotonicMs();
    const lost = await this.#commit(guard, signal);
    if (lost !== null) return lost;
    const stats: LoadStats = {
      ...result,
      careful,
      executeMs: executed - started,
      commitMs: this.#clock.monotonicMs() - executed,
    };
    this.#nextSeq = guard.seq + 1n;
    return { kind: 'outcome', outcome: { kind: 'applied', receipt: this.#receipt(header), stats } };
  }

  /** COMMIT and what became of it; null when it is done. A stop waits a while for the answer: it is worth having. */
  async #commit(
    guard: Guard,
    signal: AbortSignal,
  ): Promise<Exclude<Attempt, { kind: 'careful' | 'stale' }> | null> {
    const { writer } = this.#mustHave();
    this.#tell({ kind: 'committing', seq: guard.seq });
    let grace: NodeJS.Timeout | undefined;
    const onAbort = () => {
      grace = setTimeout(() => writer.destroy(), COMMIT_GRACE_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await writer.execute('COMMIT');
    } catch (error) {
      this.#log.warn(
        {
          event: 'load:commit:unanswered',
          pipeline: this.#options.pipeline,
          seq: guard.seq,
          err: targetError(error),
        },
        'COMMIT was not answered well; looking what became of it',
      );
      return await this.#settleCommit(guard, signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(grace);
    }
    await failpoint('load:after-commit');
    return null;
  }

  /** The connection is killed and waited for; then the row says whether the transaction was committed. */
  async #settleCommit(
    guard: Guard,
    signal: AbortSignal,
  ): Promise<Exclude<Attempt, { kind: 'careful' | 'stale' }> | null> {
    this.#writer?.destroy();
    return await this.#persistently<Exclude<Attempt, { kind: 'careful' | 'stale' }> | null>(
      signal,
      async () => {
        const ready = await this.#ready(signal);
        if (ready !== null) return { kind: 'outcome', outcome: ready };
        const { writer, reign } = this.#mustHave();
        const row = await this.#lockedLook(writer);
        const decision = this.#decide(row, guard.seq, reign, writer);
        if (decision.kind === 'repeat') return null;
        // Not committed: the row is where the guard expects it, and the batch goes again.
        if (
          row !== null &&
          row.seq === guard.seq - 1n &&
          row.tenure === reign.tenure &&
          row.loader === reign.loader
        )
          return { kind: 'conflict' };
        return { kind: 'outcome', outcome: this.#outcomeOf(decision, row) };
      },
    );
  }

  async #afterFailure(error: unknown, careful: boolean, signal: AbortSignal): Promise<Attempt> {
    await this.#rollback();
    if (signal.aborted) throw signal.reason;
    const kind = classify(error);
    switch (kind) {
      case 'conflict':
        return { kind: 'conflict' };
      case 'careful':
        if (!careful) return { kind: 'careful' };
        if (error instanceof DivergenceSignal)
          throw new HoltError('HOLT_LOAD_DEFECT', 'the careful path gave a divergence', { cause: error });
        // Refused row by row as well: nothing but a change at the target heals it.
        return { kind: 'stale', error: targetError(error) };
      case 'stale':
        return { kind: 'stale', error: targetError(error) };
      case 'lost':
      case 'blocked':
      case 'other':
        throw error;
      default:
        return kind satisfies never;
    }
  }

  /** Rolls back whatever is open; a connection that does not answer that is destroyed, which rolls back as well. */
  async #rollback(): Promise<void> {
    this.#open = null;
    const writer = this.#writer;
    if (writer === null || !writer.usable) return;
    const timer = setTimeout(() => writer.destroy(), ROLLBACK_DEADLINE_MS);
    try {
      await writer.execute('ROLLBACK');
    } catch {
      writer.destroy();
    } finally {
      clearTimeout(timer);
    }
  }

  // ── parts of a large transaction ────────────────────────────────────────────────────────────────────────────────

  /** Opens the transaction with the guard; null when it stands. */
  async #begin(header: BatchHeader, signal: AbortSignal): Promise<LoadOutcome | null> {
    for (
      const backoff = new Backoff({ initialMs: 10, maxMs: 1000 });
      ;
      await this.#clock.sleep(backoff.nextMs(), signal)
    ) {
      const ready = await this.#ready(signal);
      if (ready !== null) return ready;
      const { writer, reign } = this.#mustHave();
      const guard = this.#guardFor(header, reign, writer);
      try {
        await writer.execute('START TRANSACTION');
        const { affectedRows } = await writer.execute((this.#options.guard ?? guardStatement)(guard));
        if (affectedRows === 1) {
          await failpoint('load:guarded');
          this.#open = { header, guard, sums: emptySums() };
          return null;
        }
        await writer.execute('ROLLBACK');
      } catch (error) {
        await this.#rollback();
        if (classify(error) === 'conflict') continue;
        throw error;
      }
      const outcome = await this.#mismatch(header, signal);
      if (outcome !== null) return outcome;
    }
  }

  /** Null when the part is executed. What was executed before it is gone from memory: where only the part can be undone it is tried again, else the mainstem rewinds. */
  async #executePart(
    open: OpenTransaction,
    prepared: Prepared,
    signal: AbortSignal,
  ): Promise<LoadOutcome | null> {
    const { writer } = this.#mustHave();
    const abort = () => writer.destroy();
    signal.addEventListener('abort', abort, { once: true });
    const { applier } = this.#options;
    const started = this.#clock.monotonicMs();
    let careful = false;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          this.#tell({ kind: 'executing', seq: open.guard.seq, careful });
          await writer.execute(
            attempt === 1 ? `SAVEPOINT ${SAVEPOINT}` : `ROLLBACK TO SAVEPOINT ${SAVEPOINT}`,
          );
          const result = careful
            ? await applier.executeCarefully(prepared, writer, signal)
            : await applier.execute(prepared, writer, signal);
          add(open.sums, result, this.#clock.monotonicMs() - started, careful);
          return null;
        } catch (error) {
          if (signal.aborted) throw signal.reason;
          const kind: ErrorClass = classify(error);
          const again = (kind === 'careful' && !careful) || (kind === 'conflict' && writer.usable);
          if (kind === 'other') throw error;
          if (!again || attempt === PART_ATTEMPTS)
            return await this.#giveUpParts(
              `a part of batch ${open.header.seq} failed: ${targetError(error).message}`,
            );
          careful ||= kind === 'careful';
        }
      }
    } catch (error) {
      await this.#rollback();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #finishParts(open: OpenTransaction, signal: AbortSignal): Promise<LoadOutcome> {
    const { writer } = this.#mustHave();
    const { header, guard, sums } = open;
    const executed = this.#clock.monotonicMs();
    try {
      const { affectedRows } = await writer.execute(guardEndStatement(guard, endOf(header)));
      if (affectedRows !== 1) return await this.#giveUpParts('the row that the guard locked has changed');
      await failpoint('load:before-commit');
      signal.throwIfAborted();
    } catch (error) {
      await this.#rollback();
      if (signal.aborted || classify(error) === 'other') throw error;
      return { kind: 'rewind', why: `the end of batch ${header.seq} failed: ${targetError(error).message}` };
    }
    this.#open = null;
    const lost = await this.#commit(guard, signal);
    if (lost !== null)
      return lost.kind === 'outcome'
        ? lost.outcome
        : { kind: 'rewind', why: `batch ${header.seq} was not committed` };
    this.#nextSeq = guard.seq + 1n;
    return {
      kind: 'applied',
      receipt: this.#receipt(header),
      stats: { ...sums, commitMs: this.#clock.monotonicMs() - executed },
    };
  }

  async #giveUpParts(why: string): Promise<LoadOutcome> {
    await this.#rollback();
    return { kind: 'rewind', why };
  }

  // ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** After a guard that matched nothing, and ROLLBACK. Null: try again (what came before was on its way). */
  async #mismatch(header: BatchHeader, signal: AbortSignal): Promise<LoadOutcome | null> {
    const { writer, reign } = this.#mustHave();
    const row = await this.#lockedLook(writer);
    const decision = this.#decide(row, BigInt(header.seq), reign, writer);
    this.#log.info(
      {
        event: 'load:guard:unmatched',
        pipeline: this.#options.pipeline,
        batch: header.seq,
        seq: row?.seq,
        decision: decision.kind,
      },
      'the guard matched nothing',
    );
    if (decision.kind === 'wait') {
      await this.#clock.sleep(50, signal);
      return null;
    }
    if (decision.kind === 'repeat' && row !== null) {
      this.#nextSeq = row.seq + 1n;
      return { kind: 'repeat', receipt: this.#receipt(header) };
    }
    return this.#outcomeOf(decision, row);
  }

  #decide(row: CheckpointRow | null, seq: bigint, reign: Reign, writer: RegisteredWriter): MismatchDecision {
    return decideMismatch(row, {
      ...reign,
      seq,
      targetIdentity: writer.session.server.identity,
      beforeInFlight: this.#options.beforeInFlight?.(seq) ?? false,
    });
  }

  #outcomeOf(decision: MismatchDecision, row: CheckpointRow | null): LoadOutcome {
    switch (decision.kind) {
      case 'lost-run':
      case 'superseded':
      case 'rewind':
        return decision;
      case 'stop':
        return {
          kind: 'stop',
          error: this.#stopError('HOLT_CHECKPOINT_MISSING', 'its checkpoint row is gone'),
        };
      case 'wait':
      case 'repeat':
        return { kind: 'rewind', why: `the row is at seq ${row?.seq}` };
      default:
        return decision satisfies never;
    }
  }

  #refusalOfTake(row: CheckpointRow | null, reign: Reign, writer: RegisteredWriter): LoadOutcome | null {
    const refusal = decideTake(row, { ...reign, targetIdentity: writer.session.server.identity });
    return refusal === null ? null : this.#outcomeOf(refusal, row);
  }

  async #lockedLook(writer: RegisteredWriter): Promise<CheckpointRow | null> {
    await writer.execute('START TRANSACTION');
    const row = await readCheckpointRow(writer, this.#options.pipeline, LANE.stream, true);
    await writer.execute('ROLLBACK');
    return row;
  }

  async #hasOpenDdl(writer: RegisteredWriter): Promise<boolean> {
    const rows = await writer.rows(
      `SELECT 1 FROM holt.ddl WHERE pipeline = ${bytesLiteral(this.#options.pipeline)} AND state = ${bytesLiteral('open')} LIMIT 1`,
    );
    return rows.length > 0;
  }

  // ── persistence, small things ───────────────────────────────────────────────────────────────────────────────────

  /**
   * Does `work` until it answers. What may pass is waited for, with growing pauses and shown by name: lost connections, a target
   * that is read-only, full, or refuses the account. Everything else is thrown.
   */
  async #persistently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const backoff = new Backoff({ initialMs: 50, maxMs: 10_000 });
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        const kind = classify(error);
        await this.#rollback();
        if (signal.aborted) throw signal.reason;
        if (kind === 'other') throw error;
        // Behind the same name there may be another server by now: one that is no replica, and has room.
        if (kind === 'blocked') await this.#dropConnection();
        const shown = targetError(error);
        this.#tell(
          kind === 'lost' && backoff.attempt === 0
            ? { kind: 'connecting', attempt: 1 }
            : { kind: 'blocked', error: shown, attempt: backoff.attempt },
        );
        const facts = {
          event: 'load:target:failed',
          pipeline: this.#options.pipeline,
          attempt: backoff.attempt,
          err: shown,
        };
        if (backoff.attempt < 3) this.#log.info(facts, 'the target failed; trying again');
        else this.#log.warn(facts, 'the target fails; trying again');
        await this.#clock.sleep(backoff.nextMs(), signal);
      }
    }
  }

  #kill(
    writer: RegisteredWriter,
    which: (other: WriterRow) => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    return this.#killOn(writer.session, writer.registration, which, signal);
  }

  #killOn(
    connection: Parameters<typeof killWriters>[0]['connection'],
    own: string | null,
    which: (other: WriterRow) => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    return killWriters({
      connection,
      pipeline: this.#options.pipeline,
      which: (other) => other.registration !== own && which(other),
      signal,
      deadlineMs: this.#options.goneDeadlineMs,
      clock: this.#clock,
      onWaiting: (waiting) => this.#tell({ kind: 'waiting-for-rollback', ...waiting }),
    });
  }

  #guardFor(header: BatchHeader, reign: Reign, writer: RegisteredWriter): Guard {
    return guardOf(header, {
      loader: reign.loader,
      targetIdentity: writer.session.server.identity,
      lane: LANE.stream,
    });
  }

  #receipt(header: BatchHeader): LoadReceipt {
    const { reign } = this.#mustHave();
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
      appliedMs: this.#clock.nowMs(),
    };
  }

  #mustHave(): { readonly writer: RegisteredWriter; readonly reign: Reign } {
    if (this.#writer === null || this.#reign === null)
      throw new HoltError('HOLT_LOAD_DEFECT', 'Load is used before it is taken');
    return { writer: this.#writer, reign: this.#reign };
  }

  #stopError(code: 'HOLT_CHECKPOINT_MISSING' | 'HOLT_DDL_UNSETTLED', what: string): HoltError {
    const { pipeline, target } = this.#options;
    return new HoltError(code, `${pipeline}: ${what}`, {
      disposition: 'pause',
      facts: { pipeline, target: target.name },
    });
  }

  #tell(state: LoadState): void {
    this.#options.onState?.(state);
  }
}

type Attempt =
  | { readonly kind: 'outcome'; readonly outcome: LoadOutcome }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'careful' }
  | { readonly kind: 'stale'; readonly error: HoltError };

type Sums = { -readonly [Name in Exclude<keyof LoadStats, 'commitMs'>]: LoadStats[Name] };

function emptySums(): Sums {
  return {
    rows: 0,
    inserted: 0,
    updated: 0,
    deleted: 0,
    statements: 0,
    ledgered: 0,
    careful: false,
    executeMs: 0,
  };
}

function add(sums: Sums, result: ApplyResult, executeMs: number, careful: boolean): void {
  for (const name of ['rows', 'inserted', 'updated', 'deleted', 'statements', 'ledgered'] as const)
    sums[name] += result[name];
  sums.careful ||= careful;
  sums.executeMs += executeMs;
}

function isLoader(writer: WriterRow): boolean {
  return writer.role === 'load' && writer.lane === LANE.stream;
}
