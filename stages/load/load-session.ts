/**
 * The connection of a run of Load: opened, registered, lost, opened again; and the reign and loader id that it is held for.
 *
 * Parallel lanes (`lanes/`) have sessions of their own that join the run: they write while the stream's row and theirs name its loader.
 *
 * The loader's id is the run's for life and not the connection's: after a reconnect the row must still name it, else another
 * holder has taken Load. A run never takes a run back by itself. Before another connection writes, the former one is gone
 * from the server: killed, and waited for.
 */
import { Backoff } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import type { DataSourceConfig } from '../../model/config.ts';
import { isParallelLane, LANE } from '../../model/holt-tables.ts';
import type { LoaderId, NodeId, Tenure } from '../../model/ids.ts';
import type { LoadOutcome } from '../stage.ts';
import { judgeOpenDdl, type Settlement, unsettled, writeSettlements } from './ddl/settle.ts';
import { type CheckpointRow, readCheckpointRow, readLanes, rowKey } from './target/checkpoint-row.ts';
import { decideTake, type MismatchDecision } from './target/decide-mismatch.ts';
import { classify, targetError } from './target/error-classes.ts';
import { type ConnectTarget, connectTarget } from './target/mysql2-connection.ts';
import { hexLiteral } from './target/sql-text.ts';
import type { TargetSession } from './target/target-connection.ts';
import {
  killWriters,
  type RegisteredWriter,
  type Registering,
  register,
  type WaitingForRollback,
  type WriterRow,
} from './target/writer-registry.ts';

export interface LoadSessionOptions {
  readonly pipeline: string;
  readonly node: NodeId;
  readonly target: DataSourceConfig;
  readonly connect?: ConnectTarget;
  readonly onState?: (state: LoadState) => void;
  /** How long a killed session may take to go, before it is reported and tried again. */
  readonly goneDeadlineMs?: number;
  /** Between pings of an idle connection, and between looks from beside at one that is busy; default 10 s. */
  readonly tickMs?: number;
  /** innodb_lock_wait_timeout of the load; default 10. */
  readonly lockWaitTimeoutS?: number;
  /** Whose row its transactions move; default: the stream's. A lane's session does not take Load: it joins (`join`). */
  readonly lane?: number;
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
  /** A schema change, however long it takes; the session is asked after from beside. */
  | { readonly kind: 'running-ddl'; readonly seq: bigint; readonly statement: string }
  /** Finding out whether a schema change ran whose connection is gone. */
  | { readonly kind: 'settling-ddl' }
  /** A lock held by others: tried again at once, and again. */
  | { readonly kind: 'conflict'; readonly seq: bigint; readonly attempt: number }
  /** The target cannot take it for now; `error` says why and what to do. */
  | { readonly kind: 'blocked'; readonly error: HoltError; readonly attempt: number };

export interface LoadReign {
  readonly epoch: number;
  readonly tenure: Tenure;
  readonly loader: LoaderId;
}

/** Lock wait while registering: whoever holds the row longer is killed if it may be. */
const REGISTER_LOCK_WAIT_S = 1;
const LOAD_LOCK_WAIT_S = 10;
const ROLLBACK_DEADLINE_MS = 2000;

export class LoadSession {
  readonly clock: Clock;
  readonly log: Logger;
  readonly #options: LoadSessionOptions;
  #reign: LoadReign | null = null;
  #lanes: readonly CheckpointRow[] = [];
  #writer: RegisteredWriter | null = null;
  /** Registration of the connection last used: it must be gone before another one writes. */
  #former: string | null = null;

  constructor(options: LoadSessionOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? silentLogger;
  }

  get reign(): LoadReign | null {
    return this.#reign;
  }

  /** Rows of the parallel lanes as they were when Load was taken. */
  get lanes(): readonly CheckpointRow[] {
    return this.#lanes;
  }

  /** @throws HoltError HOLT_LOAD_DEFECT when there is no connection: `ready` comes first. */
  get writer(): RegisteredWriter {
    if (this.#writer === null) throw new HoltError('HOLT_LOAD_DEFECT', 'Load is used before it is taken');
    return this.#writer;
  }

  /** Identity of the server connected. */
  get identity(): string {
    return this.writer.session.server.identity;
  }

  /** Kills the former loader's connection, waits, and sets `loader`. Gives the row as it was, or why not. */
  async take(reign: LoadReign, signal: AbortSignal): Promise<CheckpointRow | LoadOutcome> {
    this.#reign = null;
    const opened = await this.#open(reign, signal, true);
    if (opened !== null) return opened;
    const { writer } = this;
    // Whoever held the run before in this reign; older reigns' went with the raise.
    await this.#kill(writer.session, writer.registration, olderLoader(reign), signal);
    const settlements = await this.#judgeOpenDdl(signal);
    await writer.execute('START TRANSACTION');
    const row = await this.readRow();
    const refusal = this.refusalOf(row, reign);
    if (refusal !== null || row === null) {
      await writer.execute('ROLLBACK');
      return refusal ?? this.missingRow();
    }
    const { pipeline, node, target } = this.#options;
    const open = await writeSettlements(writer, writer.session.server, pipeline, settlements, node);
    if (open !== null) {
      await writer.execute('ROLLBACK');
      return open.kind === 'ask'
        ? { kind: 'stop', error: unsettled(pipeline, target.name, open.settlement) }
        : { kind: 'lost-run' };
    }
    const lanes = await this.#readLanes();
    // Neither seq nor origin: this is no mark. Every row by its full key.
    for (const { lane } of [row, ...lanes])
      await writer.execute(
        `UPDATE holt.checkpoint SET loader = ${hexLiteral(reign.loader)} ` +
          `WHERE ${rowKey(pipeline, lane)} AND tenure = ${hexLiteral(reign.tenure)}`,
      );
    await writer.execute('COMMIT');
    await this.#waitForLocksAsLoad();
    this.#reign = reign;
    this.#lanes = lanes;
    await failpoint('load:taken');
    this.log.info(
      { event: 'load:run:taken', pipeline: this.#options.pipeline, epoch: reign.epoch, seq: row.seq },
      'Load is taken',
    );
    return row;
  }

  /** The parallel lanes' rows, locked. */
  async #readLanes(): Promise<readonly CheckpointRow[]> {
    const { pipeline } = this.#options;
    const rows: CheckpointRow[] = [];
    for (const lane of await readLanes(this.writer, pipeline)) {
      if (!isParallelLane(lane)) continue;
      const row = await readCheckpointRow(this.writer, pipeline, lane, true);
      if (row !== null) rows.push(row);
    }
    return rows;
  }

  /** Of a lane: writes for a run of Load that another session has taken. */
  join(reign: LoadReign): void {
    this.#reign = reign;
  }

  #judgeOpenDdl(signal: AbortSignal): Promise<readonly Settlement[]> {
    const { pipeline, target } = this.#options;
    const { writer, log } = this;
    return judgeOpenDdl({ connection: writer, server: writer.session.server, target, pipeline, signal, log });
  }

  /** Null when there is a connection that may write for the run that is held; otherwise why there is none. */
  async ready(signal: AbortSignal): Promise<LoadOutcome | null> {
    const reign = this.#reign;
    if (reign === null) return { kind: 'lost-run' };
    if (this.#writer?.usable === true) return null;
    const refused = await this.#open(reign, signal, false);
    if (refused === null) await this.#waitForLocksAsLoad();
    return refused;
  }

  /** The stream's row, locked until the transaction ends. */
  readRow(): Promise<CheckpointRow | null> {
    return readCheckpointRow(this.writer, this.#options.pipeline, LANE.stream, true);
  }

  /** The same in a transaction of its own: the newest committed row. */
  async look(): Promise<CheckpointRow | null> {
    await this.writer.execute('START TRANSACTION');
    const row = await this.readRow();
    await this.writer.execute('ROLLBACK');
    return row;
  }

  /** Rolls back whatever is open; a connection that does not answer that is destroyed, which rolls back as well. */
  async rollback(): Promise<void> {
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

  /** Lets go of the connection. The row keeps our loader id until another takes Load. */
  async drop(): Promise<void> {
    await this.rollback();
    const writer = this.#writer;
    this.#writer = null;
    if (writer === null) return;
    if (!writer.usable) {
      writer.destroy();
      return;
    }
    await writer.close();
    // It said goodbye outside a transaction, and its row is gone: nothing of it can come later.
    this.#former = null;
  }

  /** Gives the run up, too. */
  async close(): Promise<void> {
    this.#reign = null;
    await this.drop();
  }

  /**
   * Does `work` until it answers. What may pass is waited for, with growing pauses and shown by name: lost connections, a target
   * that is read-only, full, or refuses the account. Everything else is thrown.
   */
  async persistently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const backoff = new Backoff({ initialMs: 50, maxMs: 10_000 });
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        const kind = classify(error);
        await this.rollback();
        if (signal.aborted) throw signal.reason;
        if (kind === 'other') throw error;
        // Behind the same name there may be another server by now: one that is no replica, and has room.
        if (kind === 'blocked') await this.drop();
        this.#tellFailure(kind === 'lost', targetError(error), backoff.attempt);
        await this.clock.sleep(backoff.nextMs(), signal);
      }
    }
  }

  tell(state: LoadState): void {
    this.#options.onState?.(state);
  }

  /** Why the row's reign or server is not this one's; null when it is. */
  refusalOf(row: CheckpointRow | null, reign: LoadReign): LoadOutcome | null {
    const refusal = decideTake(row, { ...reign, targetIdentity: this.identity });
    return refusal === null ? null : this.outcomeOf(refusal, row);
  }

  outcomeOf(decision: MismatchDecision, row: CheckpointRow | null): LoadOutcome {
    switch (decision.kind) {
      case 'lost-run':
      case 'superseded':
      case 'rewind':
        return decision;
      case 'stop':
        return this.missingRow();
      case 'wait':
      case 'repeat':
        return { kind: 'rewind', why: `the row is at seq ${row?.seq}` };
      default:
        return decision satisfies never;
    }
  }

  missingRow(): LoadOutcome {
    return this.#stop('HOLT_CHECKPOINT_MISSING', 'its checkpoint row is gone');
  }

  /**
   * Connects and registers, once the connection before is gone. Null when it has; otherwise why not. `taking`: other loaders of the reign
   * may be killed where they hold the row; otherwise only our own former session.
   */
  async #open(reign: LoadReign, signal: AbortSignal, taking: boolean): Promise<LoadOutcome | null> {
    await this.drop();
    const connect = this.#options.connect ?? connectTarget;
    const session = await connect(this.#options.target, {
      signal,
      session: { lockWaitTimeoutS: REGISTER_LOCK_WAIT_S, rowEvents: true },
    });
    const abort = () => session.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      // Whoever took the run may hold the row's lock, and may be frozen: that it was taken shows without waiting for that.
      const taken = taking ? null : await this.#takenFromUs(session, reign);
      if (taken !== null) {
        await session.close();
        return taken;
      }
      const former = this.#former;
      const isFormer = (other: WriterRow) => other.registration === former;
      // A server takes a while to notice that a client is gone: our own former session may still hold the row.
      if (former !== null) await this.#kill(session, null, isFormer, signal);
      const registering = await this.#register(
        session,
        reign,
        signal,
        taking ? olderLoader(reign) : isFormer,
        taking,
      );
      if (registering.kind === 'refused') {
        const { row } = registering;
        const refusal = decideTake(row, { ...reign, targetIdentity: session.server.identity });
        await session.close();
        return refusal === null ? { kind: 'lost-run' } : this.outcomeOf(refusal, row);
      }
      this.#writer = registering.writer;
      this.#former = registering.writer.registration;
      return null;
    } catch (error) {
      session.destroy();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Null while the committed row names this run. Ids never come back, so another one's is the end of it. */
  async #takenFromUs(session: TargetSession, reign: LoadReign): Promise<LoadOutcome | null> {
    const row = await readCheckpointRow(session, this.#options.pipeline, LANE.stream, false);
    const refusal = decideTake(row, { ...reign, targetIdentity: session.server.identity });
    if (refusal !== null) return this.outcomeOf(refusal, row);
    return row?.loader === reign.loader ? null : { kind: 'lost-run' };
  }

  async #register(
    session: TargetSession,
    reign: LoadReign,
    signal: AbortSignal,
    inTheWay: (other: WriterRow) => boolean,
    taking: boolean,
  ): Promise<Registering> {
    const connect = this.#options.connect ?? connectTarget;
    const options = {
      session,
      pipeline: this.#options.pipeline,
      lane: this.#options.lane ?? LANE.stream,
      role: 'load',
      node: this.#options.node,
      accepts: (row: CheckpointRow | null) =>
        decideTake(row, { ...reign, targetIdentity: session.server.identity }) === null &&
        (taking || row?.loader === reign.loader),
      openBeside: () => connect(this.#options.target, { session: { writes: false } }),
      tickMs: this.#options.tickMs,
    } as const;
    try {
      return await register(options);
    } catch (error) {
      if (classify(error) !== 'conflict') throw error;
      await this.#kill(session, null, inTheWay, signal);
      return await register(options);
    }
  }

  #kill(
    connection: TargetSession,
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
      clock: this.clock,
      onWaiting: (waiting) => this.tell({ kind: 'waiting-for-rollback', ...waiting }),
    });
  }

  async #waitForLocksAsLoad(): Promise<void> {
    const seconds = this.#options.lockWaitTimeoutS ?? LOAD_LOCK_WAIT_S;
    await this.writer.execute(`SET SESSION innodb_lock_wait_timeout = ${seconds}`);
  }

  #tellFailure(lost: boolean, error: HoltError, attempt: number): void {
    this.tell(
      lost && attempt === 0 ? { kind: 'connecting', attempt: 1 } : { kind: 'blocked', error, attempt },
    );
    const facts = { event: 'load:target:failed', pipeline: this.#options.pipeline, attempt, err: error };
    if (attempt < 3) this.log.info(facts, 'the target failed; trying again');
    else this.log.warn(facts, 'the target fails; trying again');
  }

  #stop(code: 'HOLT_CHECKPOINT_MISSING', what: string): LoadOutcome {
    const { pipeline, target } = this.#options;
    return {
      kind: 'stop',
      error: new HoltError(code, `${pipeline}: ${what}`, {
        disposition: 'pause',
        facts: { pipeline, target: target.name },
      }),
    };
  }
}

function olderLoader(reign: LoadReign): (other: WriterRow) => boolean {
  return (other) => other.role === 'load' && other.epoch <= reign.epoch;
}
