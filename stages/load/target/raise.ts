/**
 * Beginning a reign in the target (protocol section 2): steps 1 (the row's epoch), 2, 3, and killing again in step 4.
 * The coordination tree's half is the scheduler's; what it knows comes in with each request.
 *
 * Failpoints: raise:registered, raise:killed, raise:locked, raise:before-commit, raise:after-commit.
 */
import { randomBytes } from 'node:crypto';
import { Backoff } from '../../../lib/backoff.ts';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { HoltError } from '../../../lib/errors.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import { type Logger, silentLogger } from '../../../lib/logger.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import { isParallelLane, LANE } from '../../../model/holt-tables.ts';
import { parseTenure, type Tenure } from '../../../model/ids.ts';
import type { Position, PositionText } from '../../../model/position.ts';
import { isBeyond, nowhere } from '../../../model/position-cover.ts';
import { judgeOpenDdl, type Settlement, unsettled, writeSettlements } from '../ddl/settle.ts';
import { readPlannedLanes } from '../lanes/lane-plan.ts';
import { selectStateStatement } from '../select-state.ts';
import { forgetDefinitions } from '../table-shapes.ts';
import { type CheckpointRow, positionAssignments, readCheckpointRow, readLanes } from './checkpoint-row.ts';
import { decideRaise, type RaiseDecision, type RaiseFacts } from './decide-raise.ts';
import { classify, targetError } from './error-classes.ts';
import { type ConnectTarget, connectTarget } from './mysql2-connection.ts';
import { bytesLiteral, hexLiteral, integerLiteral, nullable } from './sql-text.ts';
import { TargetServerError, type TargetSession } from './target-connection.ts';
import {
  killWriters,
  type RegisteredWriter,
  register,
  type WaitingForRollback,
  type WriterRow,
} from './writer-registry.ts';

export interface RaiserOptions {
  readonly cluster: string;
  readonly pipeline: string;
  readonly node: string;
  readonly target: DataSourceConfig;
  /** Identity of the source that is read. */
  readonly sourceIdentity: (signal: AbortSignal) => Promise<string>;
  /** Site at which changes of the source are made: origin of a fresh row. */
  readonly origin: string;
  /** Where a pipeline without rows begins; asked only when rows are made. @throws HoltError HOLT_START_MISSING where the config does not say. */
  readonly startPosition: (signal: AbortSignal) => Promise<Position>;
  /** Whether the row at the source says that the pipeline has run; asked only when rows are missing. */
  readonly hasRunAtSource: (signal: AbortSignal) => Promise<boolean>;
  /** Writes that row; after rows were made at the target, before anything is read. */
  readonly markRunAtSource: (signal: AbortSignal) => Promise<void>;
  /** Parallel lanes that the pipeline is to have now; default: none. */
  readonly lanes?: () => number;
  /** Throws where the source lacks something of a position that lanes have reached beyond the stream's. Default: not asked. */
  readonly sourceHas?: (position: PositionText) => Promise<void>;
  readonly connect?: ConnectTarget;
  readonly onState?: (state: RaiseState) => void;
  /** How long a killed session may take to go before the raise fails (and may be tried again). */
  readonly goneDeadlineMs?: number;
  /** How long the rows may stay locked by others before the raise fails (and may be tried again). */
  readonly lockedDeadlineMs?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** What a raise waits for, shown by name. */
export type RaiseState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'killing' }
  | ({ readonly kind: 'waiting-for-rollback' } & WaitingForRollback)
  | { readonly kind: 'waiting-for-rows' }
  | { readonly kind: 'raised' };

export interface RaiseRequest {
  /** True for the first raise after taking the lock. */
  readonly takeOver: boolean;
  /** Take-over: the row's epoch as read right after the lock was made (null: no row). Otherwise: the epoch of the reign that ends. */
  readonly seenEpoch: number | null;
  /** Tenure of the reign that ends here; null at take-over. */
  readonly ownTenure: Tenure | null;
  /** Epoch in `/epoch`; 0 when there is none. The new epoch is above it. */
  readonly treeEpoch: number;
  /** `/epoch` exists. */
  readonly hasRun: boolean;
  /** `position set`: the rows get this position; rows that are missing are made. */
  readonly position?: Position;
}

export type RaiseResult =
  | {
      readonly kind: 'raised';
      readonly epoch: number;
      readonly tenure: Tenure;
      /** The row's seq: batches count on from here. */
      readonly seq: bigint;
      readonly position: Position;
    }
  /** Somebody else raised since. */
  | { readonly kind: 'let-go'; readonly why: string }
  /** Not without a person. */
  | { readonly kind: 'stop'; readonly error: HoltError };

const ER_DUP_ENTRY = 1062;
const ER_DEADLOCK = 1213;
/** Lock wait of a raise: whoever holds a row longer is killed again. */
const LOCK_WAIT_S = 1;
/** How long the session that read the epoch is kept for the raise. */
const SPARE_MS = 5000;

/** Raises one pipeline in its target, as often as its mainstem asks. Each raise has a connection of its own. */
export class TargetRaiser {
  readonly #options: RaiserOptions;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Tenures that raises of ours have set, or may have: a row with one of them is nobody else's. */
  #ownTenures: Tenure[] = [];
  /** The session that read the epoch, for the raise that follows. */
  #spare: { readonly session: TargetSession; readonly timer: NodeJS.Timeout } | null = null;

  constructor(options: RaiserOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
  }

  /** Step 1: epoch of the row now, null when there is none. */
  async readEpoch(signal: AbortSignal): Promise<number | null> {
    const session = await this.#connect(signal);
    try {
      const row = await readCheckpointRow(session, this.#options.pipeline, LANE.stream, false);
      this.#keep(session);
      return row?.epoch ?? null;
    } catch (error) {
      session.destroy();
      throw targetError(error);
    }
  }

  /** The raise follows at once as a rule, and a mainstem may be far from its target. */
  #keep(session: TargetSession): void {
    this.#spare?.session.destroy();
    const timer = setTimeout(() => session.destroy(), SPARE_MS);
    timer.unref();
    this.#spare = { session, timer };
  }

  #takeSpare(): TargetSession | null {
    const spare = this.#spare;
    this.#spare = null;
    clearTimeout(spare?.timer);
    return spare?.session.usable === true ? spare.session : null;
  }

  /**
   * Steps 2, 3 and killing again in 4. Tries again by itself while locks or lost connections are in the way, up to the deadlines.
   * @throws HoltError with disposition `retry` when the target cannot be reached or does not let go of the rows.
   */
  async raise(request: RaiseRequest, signal: AbortSignal): Promise<RaiseResult> {
    const backoff = new Backoff({ initialMs: 20, maxMs: 500 });
    const end = this.#clock.monotonicMs() + (this.#options.lockedDeadlineMs ?? 60_000);
    for (;;) {
      signal.throwIfAborted();
      try {
        const result = await this.#attempt(request, signal);
        if (result.kind === 'raised') {
          this.#ownTenures = [result.tenure];
          await this.#options.markRunAtSource(signal);
          this.#options.onState?.({ kind: 'raised' });
        }
        return result;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const kind = classify(error);
        // A lost reply to COMMIT is no special case: the row shows our own tenure then, and is raised once more.
        if ((kind !== 'conflict' && kind !== 'lost') || this.#clock.monotonicMs() > end)
          throw kind === 'conflict' ? contended(error) : kind === 'other' ? error : targetError(error);
        this.#log.debug({ event: 'raise:attempt:failed', err: targetError(error) }, 'a raise is tried again');
        await this.#clock.sleep(backoff.nextMs(), signal);
      }
    }
  }

  async #attempt(request: RaiseRequest, signal: AbortSignal): Promise<RaiseResult> {
    this.#options.onState?.({ kind: 'connecting' });
    const session = this.#takeSpare() ?? (await this.#connect(signal));
    const abort = () => session.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await this.#raiseOn(session, request, signal);
    } finally {
      signal.removeEventListener('abort', abort);
      session.destroy();
    }
  }

  async #raiseOn(session: TargetSession, request: RaiseRequest, signal: AbortSignal): Promise<RaiseResult> {
    const facts = (rows: readonly CheckpointRow[]): RaiseFacts => ({
      cluster: this.#options.cluster,
      rows,
      takeOver: request.takeOver,
      seenEpoch: request.seenEpoch,
      ownTenures: [...(request.ownTenure === null ? [] : [request.ownTenure]), ...this.#ownTenures],
      treeEpoch: request.treeEpoch,
      hasRun: request.hasRun,
      openDdl: false,
      setsPosition: request.position !== undefined,
    });
    const accepts = (row: CheckpointRow | null) =>
      decideRaise(facts(row === null ? [] : [row])).kind === 'raise';

    // Step 2. The row may be locked by a session that has to be killed first; only those of reigns up to the one seen are.
    const seen = request.seenEpoch ?? 0;
    const writer = await this.#register(session, accepts, seen, signal);
    if (writer.kind === 'refused') {
      const decision = decideRaise({
        ...facts(writer.row === null ? [] : [writer.row]),
        hasRun: request.hasRun || (await this.#options.hasRunAtSource(signal)),
      });
      // Accepted after all: it was refused for a reason that has gone since; the next attempt finds out.
      if (decision.kind === 'raise') return { kind: 'let-go', why: 'the row changed while it was read' };
      return this.#refusal(decision);
    }
    await failpoint('raise:registered');
    await this.#kill(writer.writer, (other) => other.epoch <= Math.max(seen, writer.row?.epoch ?? 0), signal);
    await failpoint('raise:killed');
    const { pipeline, target } = this.#options;
    const { server } = writer.writer.session;
    // Before the rows are locked: it may mean to read through a log.
    const settlements = await judgeOpenDdl({
      connection: writer.writer,
      server,
      target,
      pipeline,
      signal,
      log: this.#log,
    });
    const result = await this.#lockAndRaise(writer.writer, facts, request, settlements, signal);
    if (result.kind === 'raised') {
      // Step 4: whoever registered between the first killing and the raise.
      await this.#kill(
        writer.writer,
        (other) => other.epoch <= result.epoch && other.tenure !== result.tenure,
        signal,
      );
    }
    await writer.writer.close();
    return result;
  }

  async #register(
    session: TargetSession,
    accepts: (row: CheckpointRow | null) => boolean,
    seen: number,
    signal: AbortSignal,
  ) {
    const { pipeline, node } = this.#options;
    const options = { session, pipeline, lane: LANE.stream, role: 'raise', node, accepts } as const;
    try {
      return await register(options);
    } catch (error) {
      if (classify(error) !== 'conflict') throw error;
      this.#options.onState?.({ kind: 'waiting-for-rows' });
      await this.#killOn(session, null, (other) => other.epoch <= seen, signal);
      return await register(options);
    }
  }

  /** Step 3. */
  async #lockAndRaise(
    writer: RegisteredWriter,
    facts: (rows: readonly CheckpointRow[]) => RaiseFacts,
    request: RaiseRequest,
    settlements: readonly Settlement[],
    signal: AbortSignal,
  ): Promise<RaiseResult> {
    const { pipeline, node, target } = this.#options;
    await writer.execute('START TRANSACTION');
    const rows: CheckpointRow[] = [];
    // Full keys in key order; the stream's row is locked even when it is not there (an uncommitted one is waited for).
    const lanes = new Set([LANE.stream as number, ...(await readLanes(writer, pipeline))]);
    for (const lane of [...lanes].sort((a, b) => a - b)) {
      const row = await readCheckpointRow(writer, pipeline, lane, true);
      if (row !== null) rows.push(row);
    }
    await failpoint('raise:locked');
    const plannedLanes = await readPlannedLanes(writer, pipeline);
    const hasRun = request.hasRun || (rows.length === 0 && (await this.#options.hasRunAtSource(signal)));
    // Who reigns decides first: only the one that is let in writes to the journal.
    const mayRaise = decideRaise({ ...facts(rows), hasRun }).kind === 'raise';
    const unsettledDdl = mayRaise
      ? await writeSettlements(writer, writer.session.server, pipeline, settlements, node)
      : null;
    if (unsettledDdl?.kind === 'again') {
      await writer.execute('ROLLBACK');
      throw new HoltError('HOLT_RAISE_CONTENDED', 'a schema change was begun while it was looked', {
        disposition: 'retry',
      });
    }
    const lanesNow = this.#options.lanes?.() ?? 0;
    const decision = decideRaise({
      ...facts(rows),
      hasRun,
      openDdl: unsettledDdl !== null,
      lanes: lanesNow,
      plannedLanes,
    });
    if (decision.kind !== 'raise') {
      await writer.execute('ROLLBACK');
      if (unsettledDdl !== null)
        return { kind: 'stop', error: unsettled(pipeline, target.name, unsettledDdl.settlement) };
      return this.#refusal(decision);
    }
    const stream = rows.find((row) => row.lane === LANE.stream);
    const sourceIdentity = await this.#options.sourceIdentity(signal);
    // File, offset and last event mean something on the server only where they were read.
    const isElsewhere = stream !== undefined && stream.sourceIdentity !== sourceIdentity;
    const kept =
      stream !== undefined && isElsewhere
        ? { text: stream.position.text, at: null, lastEvent: null }
        : stream?.position;
    const ahead = request.position === undefined ? lanesAhead(rows, stream) : [];
    for (const text of new Set(ahead.map((lane) => lane.position.text)))
      await this.#options.sourceHas?.(text);
    const position = request.position ?? kept ?? (await this.#options.startPosition(signal));
    const tenure = parseTenure(randomBytes(16).toString('hex'));
    this.#ownTenures.push(tenure);
    const set = {
      epoch: decision.epoch,
      tenure,
      position,
      sourceIdentity,
      targetIdentity: writer.session.server.identity,
    };
    if (rows.length > 0)
      await writer.execute(
        updateStatement(pipeline, rows, set, { withPosition: request.position !== undefined, isElsewhere }),
      );
    // They move only with batches that have rows for them: what they say of earlier ones must not be taken for more than it is.
    const level = rows.filter(({ lane }) => isParallelLane(lane) && !ahead.some((one) => one.lane === lane));
    if (level.length > 0)
      await writer.execute(
        `UPDATE holt.checkpoint SET ${positionAssignments(nowhere(position))} ` +
          `WHERE pipeline = ${bytesLiteral(pipeline)} AND lane IN (${level.map(({ lane }) => integerLiteral(lane)).join(', ')})`,
      );
    // What is known of changes under way belongs to the old position.
    if (request.position !== undefined) await writer.execute(selectStateStatement(pipeline, null));
    try {
      for (const lane of decision.newLanes)
        await writer.execute(
          insertStatement(
            pipeline,
            lane,
            this.#options,
            isParallelLane(lane) ? { ...set, position: nowhere(position) } : set,
          ),
        );
    } catch (error) {
      if (
        !(error instanceof TargetServerError) ||
        (error.errno !== ER_DUP_ENTRY && error.errno !== ER_DEADLOCK)
      )
        throw error;
      await writer.execute('ROLLBACK');
      return { kind: 'let-go', why: 'somebody else made the rows' };
    }
    if (request.position !== undefined) await forgetDefinitions(writer, pipeline);
    await writer.execute(
      `UPDATE holt.writer SET epoch = ${integerLiteral(set.epoch)}, tenure = ${hexLiteral(tenure)} WHERE registration = ${hexLiteral(writer.registration)}`,
    );
    await failpoint('raise:before-commit');
    await writer.execute('COMMIT');
    await failpoint('raise:after-commit');
    return { kind: 'raised', epoch: set.epoch, tenure, seq: stream?.seq ?? 0n, position };
  }

  #refusal(decision: Exclude<RaiseDecision, { readonly kind: 'raise' }>): RaiseResult {
    if (decision.kind === 'let-go') return decision;
    const { pipeline, target } = this.#options;
    return {
      kind: 'stop',
      error: new HoltError(decision.code, `${pipeline}: ${decision.why}`, {
        disposition: 'pause',
        facts: { pipeline, target: target.name },
      }),
    };
  }

  #kill(
    writer: RegisteredWriter,
    which: (other: WriterRow) => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    return this.#killOn(writer.session, writer.registration, which, signal);
  }

  #killOn(
    session: TargetSession,
    own: string | null,
    which: (other: WriterRow) => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    this.#options.onState?.({ kind: 'killing' });
    return killWriters({
      connection: session,
      pipeline: this.#options.pipeline,
      which: (other) => other.registration !== own && which(other),
      signal,
      deadlineMs: this.#options.goneDeadlineMs,
      clock: this.#clock,
      onWaiting: (waiting) => this.#options.onState?.({ kind: 'waiting-for-rollback', ...waiting }),
    });
  }

  async #connect(signal: AbortSignal): Promise<TargetSession> {
    const connect = this.#options.connect ?? connectTarget;
    try {
      return await connect(this.#options.target, { signal, session: { lockWaitTimeoutS: LOCK_WAIT_S } });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw targetError(error);
    }
  }
}

interface RaisedValues {
  readonly epoch: number;
  readonly tenure: Tenure;
  readonly position: Position;
  readonly sourceIdentity: string;
  readonly targetIdentity: string;
}

/** After a fault lanes may be ahead of the stream by parts of a batch: a source without its transactions is another history. */
function lanesAhead(
  rows: readonly CheckpointRow[],
  stream: CheckpointRow | undefined,
): readonly CheckpointRow[] {
  if (stream === undefined) return [];
  return rows.filter(({ lane, position }) => isParallelLane(lane) && isBeyond(position, stream.position));
}

/** Of rows that are locked. Never assigns seq nor origin: a raise is no mark. */
function updateStatement(
  pipeline: string,
  rows: readonly CheckpointRow[],
  set: RaisedValues,
  how: { readonly withPosition: boolean; readonly isElsewhere: boolean },
): string {
  const position = how.withPosition
    ? `${positionAssignments(set.position)}, `
    : how.isElsewhere
      ? 'position_file = NULL, position_offset = NULL, last_event_timestamp = NULL, last_event_crc32 = NULL, last_event_length = NULL, '
      : '';
  return (
    `UPDATE holt.checkpoint SET epoch = ${integerLiteral(set.epoch)}, tenure = ${hexLiteral(set.tenure)}, loader = NULL, ` +
    `source_identity = ${bytesLiteral(set.sourceIdentity)}, target_identity = ${bytesLiteral(set.targetIdentity)}, ` +
    `${position}raised_at = UTC_TIMESTAMP(6) ` +
    `WHERE pipeline = ${bytesLiteral(pipeline)} AND lane IN (${rows.map(({ lane }) => integerLiteral(lane)).join(', ')})`
  );
}

function insertStatement(
  pipeline: string,
  lane: number,
  options: Pick<RaiserOptions, 'cluster' | 'origin'>,
  set: RaisedValues,
): string {
  return (
    `INSERT INTO holt.checkpoint SET pipeline = ${bytesLiteral(pipeline)}, lane = ${integerLiteral(lane)}, seq = 0, ` +
    `origin = ${bytesLiteral(options.origin)}, cluster = ${bytesLiteral(options.cluster)}, epoch = ${integerLiteral(set.epoch)}, ` +
    `tenure = ${nullable(set.tenure, hexLiteral)}, loader = NULL, ${positionAssignments(set.position)}, ` +
    `source_identity = ${bytesLiteral(set.sourceIdentity)}, target_identity = ${bytesLiteral(set.targetIdentity)}, ` +
    'source_committed_us = 0, applied_at = UTC_TIMESTAMP(6), raised_at = UTC_TIMESTAMP(6)'
  );
}

function contended(error: unknown): HoltError {
  return new HoltError('HOLT_RAISE_CONTENDED', 'the checkpoint rows at the target stay locked', {
    disposition: 'retry',
    cause: error,
  });
}
