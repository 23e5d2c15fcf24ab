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
 * Failpoints: load:taken, and those of `guarded-transaction.ts`.
 */
import { Backoff } from '../../lib/backoff.ts';
import { HoltError } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { BatchHeader } from '../../model/batch.ts';
import { newLoaderId, parseTenure } from '../../model/ids.ts';
import type { Position } from '../../model/position.ts';
import type { LoadOutcome, LoadStats, TransformedBatch, TransformedDdl } from '../stage.ts';
import { DdlLoad } from './ddl/ddl-load.ts';
import { GuardedTransaction } from './guarded-transaction.ts';
import {
  type ApplyResult,
  type BatchApplier,
  DivergenceSignal,
  type LoadRun,
  type PreparedBatch,
} from './load.ts';
import { type LoadReign, LoadSession, type LoadSessionOptions } from './load-session.ts';
import { recordDefinitionsOf } from './table-shapes.ts';
import type { CheckpointRow } from './target/checkpoint-row.ts';
import { classify, targetError } from './target/error-classes.ts';
import { endOf, type Guard, type GuardStatement, guardEndStatement } from './target/guard.ts';
import type { TargetConnection } from './target/target-connection.ts';

export type { LoadState } from './load-session.ts';

export interface LoadRunOptions<Prepared extends PreparedBatch> extends LoadSessionOptions {
  readonly applier: BatchApplier<Prepared>;
  /** Whether a batch or an advance before `seq` is known to be on its way: then Load waits for it instead of asking for a rewind. */
  readonly beforeInFlight?: (seq: bigint) => boolean;
  /** What becomes of the tables of a schema change that the target does not take; default: the pipeline stops. */
  readonly onTableError?: 'park' | 'stop';
  /** For tests that show what a weaker guard would let through. */
  readonly guard?: GuardStatement;
}

/** A transaction in parts, as far as it is executed. */
interface OpenTransaction {
  readonly header: BatchHeader;
  readonly guard: Guard;
  readonly reign: LoadReign;
  readonly sums: Sums;
}

type Attempt =
  | { readonly kind: 'outcome'; readonly outcome: LoadOutcome }
  | { readonly kind: 'again' }
  | { readonly kind: 'careful' }
  /** Prepare again, after a pause. */
  | { readonly kind: 'stale'; readonly error: HoltError };

/** Attempts at one part of an open transaction before all of it is done again. */
const PART_ATTEMPTS = 5;
const SAVEPOINT = 'holt_part';
/** How often a batch is sent as it was prepared, when its connections are lost in the middle of it. */
const ATTEMPTS_AS_PREPARED = 3;
const MAX_STALE_PAUSE_MS = 10_000;

export class TargetLoadRun<Prepared extends PreparedBatch = PreparedBatch> implements LoadRun {
  readonly #applier: BatchApplier<Prepared>;
  readonly #session: LoadSession;
  readonly #transaction: GuardedTransaction;
  readonly #ddl: DdlLoad<Prepared>;
  #open: OpenTransaction | null = null;
  #nextSeq = 1n;
  #takenAt: Position | null = null;
  /** How often the batch at work lost its connection while its statements were executed. */
  #cutShort = 0;

  constructor(options: LoadRunOptions<Prepared>) {
    this.#applier = options.applier;
    this.#session = new LoadSession(options);
    this.#transaction = new GuardedTransaction({
      pipeline: options.pipeline,
      node: options.node,
      session: this.#session,
      beforeInFlight: options.beforeInFlight,
      guard: options.guard,
    });
    this.#ddl = new DdlLoad({
      pipeline: options.pipeline,
      node: options.node,
      target: options.target,
      session: this.#session,
      transaction: this.#transaction,
      applier: options.applier,
      onTableError: options.onTableError ?? 'stop',
    });
  }

  get nextSeq(): bigint {
    return this.#nextSeq;
  }

  get open(): BatchHeader | null {
    return this.#open?.header ?? null;
  }

  /** The reign that Load is taken for; null before, and after `close`. */
  get reign(): LoadReign | null {
    return this.#session.reign;
  }

  /** Rows of the parallel lanes as they were when Load was taken. */
  get lanes(): readonly CheckpointRow[] {
    return this.#session.lanes;
  }

  /** Where the stream's row was when Load was taken; null before. */
  get takenAt(): Position | null {
    return this.#takenAt;
  }

  /** Asks the target outside any transaction, on the run's own connection; an outcome where the run is not ours any more. */
  ask<T>(
    signal: AbortSignal,
    question: (connection: TargetConnection) => Promise<T>,
  ): Promise<T | LoadOutcome> {
    return this.#session.persistently(signal, async () => {
      const refused = await this.#session.ready(signal);
      return refused ?? (await question(this.#session.writer));
    });
  }

  /**
   * What must be on record before anything of the batch is written: `write` in a transaction of its own, under the row's lock and the
   * guard's conditions, which leaves the row where it is. It may be done twice. Null when it is committed.
   */
  async record(
    header: BatchHeader,
    write: (connection: TargetConnection) => Promise<void>,
    signal: AbortSignal,
  ): Promise<LoadOutcome | null> {
    const pauses = new Backoff({ initialMs: 10, maxMs: 1000 });
    const once = async (): Promise<LoadOutcome | 'recorded' | 'again'> => {
      const refused = await this.#session.ready(signal);
      const { reign } = this.#session;
      if (refused !== null || reign === null) return refused ?? { kind: 'lost-run' };
      const { writer } = this.#session;
      const abort = () => writer.destroy();
      signal.addEventListener('abort', abort, { once: true });
      try {
        const checked = await this.#transaction.check(header, reign, signal);
        if (checked.kind !== 'row') return checked.kind === 'outcome' ? checked.outcome : 'again';
        await write(writer);
        await writer.execute('COMMIT');
        return 'recorded';
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (classify(error) !== 'conflict') throw error;
        await this.#session.rollback();
        return 'again';
      } finally {
        signal.removeEventListener('abort', abort);
      }
    };
    for (;;) {
      const result = await this.#session.persistently(signal, once);
      if (result === 'recorded') return null;
      if (result !== 'again') return result;
      await this.#session.clock.sleep(pauses.nextMs(), signal);
    }
  }

  /**
   * For a tenure not held yet: kills the former loader's connection, waits, and sets `loader` to an id of our own. Called
   * again for the tenure that is held it only looks where the row is (an advance moves it, too), and never takes the run back.
   */
  async take(tenureText: string, epoch: number, signal: AbortSignal): Promise<LoadOutcome | null> {
    const tenure = parseTenure(tenureText);
    const { reign } = this.#session;
    const held = reign?.tenure === tenure && reign.epoch === epoch;
    this.#session.tell({ kind: 'taking' });
    try {
      await this.#undo();
      if (held) return await this.#session.persistently(signal, () => this.#look(reign, signal));
      return await this.#session.persistently(signal, async () => {
        const taken = await this.#session.take({ epoch, tenure, loader: newLoaderId() }, signal);
        if ('kind' in taken) return taken;
        this.#nextSeq = taken.seq + 1n;
        this.#takenAt = taken.position;
        return null;
      });
    } finally {
      this.#session.tell({ kind: 'idle' });
    }
  }

  async load(prepared: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome> {
    // Whoever gives another batch has given up the one in parts.
    await this.#undo();
    if (prepared.batch.ddl !== undefined)
      return await this.#loadDdl(prepared.batch, prepared.batch.ddl, signal);
    let work = prepared as Prepared;
    let careful = false;
    const pauses = new Backoff({ initialMs: 10, maxMs: 1000 });
    this.#cutShort = 0;
    const once = async (): Promise<LoadOutcome | null> => {
      // A server that closes the connection each time may have come to take less at a time than is asked of it here.
      if (this.#cutShort >= ATTEMPTS_AS_PREPARED) work = await this.#applier.prepare(work.batch, signal);
      const attempt = await this.#attempt(work, careful, signal);
      switch (attempt.kind) {
        case 'outcome':
          return attempt.outcome;
        case 'again':
          this.#session.tell({
            kind: 'conflict',
            seq: BigInt(work.batch.header.seq),
            attempt: pauses.attempt,
          });
          await this.#session.clock.sleep(pauses.nextMs(), signal);
          return null;
        case 'careful':
          careful = true;
          return null;
        case 'stale':
          this.#session.tell({ kind: 'blocked', error: attempt.error, attempt: pauses.attempt });
          await this.#session.clock.sleep(Math.min(MAX_STALE_PAUSE_MS, 500 * 2 ** pauses.attempt), signal);
          pauses.nextMs();
          work = await this.#applier.prepare(work.batch, signal);
          return null;
        default:
          return attempt satisfies never;
      }
    };
    try {
      for (;;) {
        const outcome = await this.#session.persistently(signal, once);
        if (outcome !== null) return outcome;
      }
    } finally {
      this.#session.tell({ kind: 'idle' });
    }
  }

  async #loadDdl(batch: TransformedBatch, ddl: TransformedDdl, signal: AbortSignal): Promise<LoadOutcome> {
    try {
      const outcome = await this.#ddl.load(batch, ddl, signal);
      if (outcome.kind === 'applied' || outcome.kind === 'repeat')
        this.#nextSeq = BigInt(batch.header.seq) + 1n;
      return outcome;
    } finally {
      this.#session.tell({ kind: 'idle' });
    }
  }

  async loadPart(prepared: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome | null> {
    const { header } = prepared.batch;
    try {
      if (header.part === 0) {
        await this.#undo();
        const refused = await this.#begin(header, signal);
        if (refused !== null) return refused;
      }
      const open = this.#open;
      const expected = header.part === 0 ? 0 : (open?.header.part ?? -2) + 1;
      const follows = open?.header.seq === header.seq && open.header.tenure === header.tenure;
      if (open === null || !follows || expected !== header.part)
        return await this.#giveUp(`part ${header.part} of batch ${header.seq} does not follow what is open`);
      const failure = await this.#executePart(open, prepared as Prepared, signal);
      if (failure !== null) return failure;
      this.#open = { ...open, header };
      return header.lastPart ? await this.#finishParts(this.#open, signal) : null;
    } finally {
      this.#session.tell({ kind: 'idle' });
    }
  }

  async close(): Promise<void> {
    this.#open = null;
    await this.#session.close();
  }

  /** Where the row is, by a locking read; null when the run is still ours. */
  async #look(reign: LoadReign, signal: AbortSignal): Promise<LoadOutcome | null> {
    const refused = await this.#session.ready(signal);
    if (refused !== null) return refused;
    const row = await this.#session.look();
    const refusal = this.#session.refusalOf(row, reign);
    if (refusal !== null || row === null) return refusal ?? this.#session.missingRow();
    if (row.loader !== reign.loader) return { kind: 'lost-run' };
    this.#nextSeq = row.seq + 1n;
    return null;
  }

  async #attempt(work: Prepared, careful: boolean, signal: AbortSignal): Promise<Attempt> {
    const refused = await this.#session.ready(signal);
    const { reign } = this.#session;
    if (refused !== null || reign === null)
      return { kind: 'outcome', outcome: refused ?? { kind: 'lost-run' } };
    const { header } = work.batch;
    const { clock } = this.#session;
    const started = clock.monotonicMs();
    const executed = await this.#execute(work, reign, careful, signal);
    if (executed.kind !== 'executed') return executed;
    const { guard, result } = executed;
    const executedMs = clock.monotonicMs();
    const ended = await this.#transaction.commit(guard, reign, signal);
    if (ended.kind !== 'committed') return ended;
    this.#nextSeq = guard.seq + 1n;
    const stats: LoadStats = {
      ...result,
      careful,
      executeMs: executedMs - started,
      commitMs: clock.monotonicMs() - executedMs,
    };
    const receipt = this.#transaction.receipt(header, reign);
    return { kind: 'outcome', outcome: { kind: 'applied', receipt, stats } };
  }

  /** From START TRANSACTION to just before COMMIT; whatever else it gives, nothing is open any more. */
  async #execute(
    work: Prepared,
    reign: LoadReign,
    careful: boolean,
    signal: AbortSignal,
  ): Promise<Attempt | { readonly kind: 'executed'; readonly guard: Guard; readonly result: ApplyResult }> {
    const { writer } = this.#session;
    const { header } = work.batch;
    const abort = () => writer.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      this.#session.tell({ kind: 'executing', seq: BigInt(header.seq), careful });
      const begun = await this.#transaction.begin(header, reign, signal);
      if (begun.kind !== 'begun') {
        if (begun.kind === 'outcome' && begun.outcome.kind === 'repeat')
          this.#nextSeq = BigInt(header.seq) + 1n;
        return begun;
      }
      const result = careful
        ? await this.#applier.executeCarefully(work, writer, signal)
        : await this.#applier.execute(work, writer, signal);
      await recordDefinitionsOf(writer, header.pipeline, begun.guard.seq, work.batch.payload);
      await failpoint('load:before-commit');
      signal.throwIfAborted();
      return { kind: 'executed', guard: begun.guard, result };
    } catch (error) {
      await this.#session.rollback();
      if (signal.aborted) throw signal.reason;
      if (classify(error) === 'lost') this.#cutShort += 1;
      return judge(error, careful);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  // ── parts of a large transaction ────────────────────────────────────────────────────────────────────────────────

  /** Opens the transaction with the guard; null when it stands. */
  async #begin(header: BatchHeader, signal: AbortSignal): Promise<LoadOutcome | null> {
    const pauses = new Backoff({ initialMs: 10, maxMs: 1000 });
    const once = async (): Promise<LoadOutcome | 'begun' | 'again'> => {
      const refused = await this.#session.ready(signal);
      const { reign } = this.#session;
      if (refused !== null || reign === null) return refused ?? { kind: 'lost-run' };
      try {
        const begun = await this.#transaction.begin(header, reign, signal);
        if (begun.kind === 'outcome') return begun.outcome;
        if (begun.kind === 'again') return 'again';
        this.#open = { header, guard: begun.guard, reign, sums: emptySums() };
        return 'begun';
      } catch (error) {
        if (classify(error) !== 'conflict') throw error;
        await this.#session.rollback();
        return 'again';
      }
    };
    for (;;) {
      const result = await this.#session.persistently(signal, once);
      if (result === 'begun') return null;
      if (result !== 'again') return result;
      await this.#session.clock.sleep(pauses.nextMs(), signal);
    }
  }

  /**
   * Null when the part is executed. Parts before it are gone from memory: where the server can undo this one alone it is
   * tried again, else the mainstem rewinds.
   */
  async #executePart(
    open: OpenTransaction,
    prepared: Prepared,
    signal: AbortSignal,
  ): Promise<LoadOutcome | null> {
    const { writer, clock } = this.#session;
    const abort = () => writer.destroy();
    signal.addEventListener('abort', abort, { once: true });
    const started = clock.monotonicMs();
    let careful = false;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          this.#session.tell({ kind: 'executing', seq: open.guard.seq, careful });
          await writer.execute(
            attempt === 1 ? `SAVEPOINT ${SAVEPOINT}` : `ROLLBACK TO SAVEPOINT ${SAVEPOINT}`,
          );
          const result = careful
            ? await this.#applier.executeCarefully(prepared, writer, signal)
            : await this.#applier.execute(prepared, writer, signal);
          await recordDefinitionsOf(writer, open.header.pipeline, open.guard.seq, prepared.batch.payload);
          add(open.sums, result, clock.monotonicMs() - started, careful);
          return null;
        } catch (error) {
          const kind = classify(error);
          if (signal.aborted || kind === 'other') throw error;
          const again = (kind === 'careful' && !careful) || (kind === 'conflict' && writer.usable);
          if (!again || attempt === PART_ATTEMPTS)
            return await this.#giveUp(
              `a part of batch ${open.header.seq} failed: ${targetError(error).message}`,
            );
          careful ||= kind === 'careful';
        }
      }
    } catch (error) {
      await this.#undo();
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #finishParts(open: OpenTransaction, signal: AbortSignal): Promise<LoadOutcome> {
    const { writer, clock } = this.#session;
    const { header, guard, reign, sums } = open;
    const executedMs = clock.monotonicMs();
    try {
      const { affectedRows } = await writer.execute(guardEndStatement(guard, endOf(header)));
      if (affectedRows !== 1) return await this.#giveUp('the row that the guard locked has changed');
      await failpoint('load:before-commit');
      signal.throwIfAborted();
    } catch (error) {
      await this.#undo();
      if (signal.aborted) throw signal.reason;
      if (classify(error) === 'other') throw error;
      return { kind: 'rewind', why: `the end of batch ${header.seq} failed: ${targetError(error).message}` };
    }
    this.#open = null;
    const ended = await this.#transaction.commit(guard, reign, signal);
    if (ended.kind === 'outcome') return ended.outcome;
    if (ended.kind === 'again') return { kind: 'rewind', why: `batch ${header.seq} was not committed` };
    this.#nextSeq = guard.seq + 1n;
    return {
      kind: 'applied',
      receipt: this.#transaction.receipt(header, reign),
      stats: { ...sums, commitMs: clock.monotonicMs() - executedMs },
    };
  }

  async #giveUp(why: string): Promise<LoadOutcome> {
    await this.#session.rollback();
    this.#open = null;
    return { kind: 'rewind', why };
  }

  /** Rolls back a transaction in parts, if one is open. */
  async #undo(): Promise<void> {
    if (this.#open !== null) await this.#session.rollback();
    this.#open = null;
  }
}

/** What a failed batch comes to, once it is rolled back. Throws what is not the batch's own failure. */
function judge(error: unknown, careful: boolean): Attempt {
  const kind = classify(error);
  switch (kind) {
    case 'conflict':
      return { kind: 'again' };
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

type Sums = { -readonly [Name in Exclude<keyof LoadStats, 'commitMs' | 'deadLetters'>]: LoadStats[Name] } & {
  deadLetters?: number;
};

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
  if (result.deadLetters !== undefined) sums.deadLetters = (sums.deadLetters ?? 0) + result.deadLetters;
  sums.careful ||= careful;
  sums.executeMs += executeMs;
}
