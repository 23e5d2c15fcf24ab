/**
 * Load of a batch that is a schema change: journal, statement, done (protocol section 5), on one registered connection.
 *
 *     ready ─► settle what is open ─► journal ─► statement ─► guard, rows of the same transaction, journal ─► COMMIT
 *       ▲                               │ it ran already ─────────────────┘
 *       └── connection lost, a lock held by others: from the start ──┘
 *
 * Whatever fails after the journal's row was committed leaves it open until it is known what became of the statement: the server's own
 * answer on this connection, else settling once that connection is gone.
 */
import { Backoff } from '../../../lib/backoff.ts';
import { HoltError } from '../../../lib/errors.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import type { DdlStatement } from '../../../model/ddl.ts';
import type {
  ConcernedTable,
  LoadOutcome,
  LoadStats,
  TargetDdl,
  TransformedBatch,
  TransformedDdl,
} from '../../stage.ts';
import type { GuardedTransaction } from '../guarded-transaction.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../load.ts';
import type { LoadReign, LoadSession } from '../load-session.ts';
import { isSameTable, tableText } from '../parked/parked.ts';
import { insertParked, readParked } from '../parked/parked-rows.ts';
import { recordDefinitionsOf } from '../table-shapes.ts';
import { classify, targetError } from '../target/error-classes.ts';
import type { Guard } from '../target/guard.ts';
import { TargetServerError } from '../target/target-connection.ts';
import type { DdlTable, LogPlace } from './ddl.ts';
import { closeDdlRow, type DdlClosing, openDdlRow, pruneDdl, readOpenDdl, readRanDdl } from './journal.ts';
import { mayGiveGtids, nextOwnGtid } from './own-gtid.ts';
import { judgeOpenDdl, readServerStart, shownSql, unsettled, writeSettlements } from './settle.ts';
import {
  collationsToAsk,
  mayAskTheTime,
  STATEMENT_VARIABLES,
  setStatement,
  statementSession,
  statementTime,
  undoAssignments,
} from './statement-session.ts';
import { readTableStates } from './table-states.ts';
import { readLogEnd } from './target-log.ts';

type RunnableDdl = Extract<TargetDdl, { readonly kind: 'run' }>;

export interface DdlLoadOptions<Prepared extends PreparedBatch> {
  readonly pipeline: string;
  readonly node: string;
  readonly target: DataSourceConfig;
  readonly session: LoadSession;
  readonly transaction: GuardedTransaction;
  readonly applier: BatchApplier<Prepared>;
  readonly onTableError: 'park' | 'stop';
}

/** What one way through comes to. */
type Attempt =
  | { readonly kind: 'outcome'; readonly outcome: LoadOutcome }
  /** Nothing is open and nothing was done; the same again, after a pause. */
  | { readonly kind: 'again' };

/** A journal row that is committed, and whether its statement has been executed. */
interface Journaled {
  readonly id: bigint;
  readonly ownGtid: string | null;
  /** Of the connection that wrote it; null for a row that was settled. */
  readonly registration: string | null;
  readonly ran: boolean;
}

const ER_UNKNOWN_DATABASE = 1049;
const ER_VARIABLE_IS_READONLY = 1238;
/** A schema in which nobody can make anything: where the statement's own does not exist. */
const NOWHERE = 'information_schema';

export class DdlLoad<Prepared extends PreparedBatch> {
  readonly #options: DdlLoadOptions<Prepared>;
  readonly #session: LoadSession;
  /** The row that this connection has open: while it lives, it knows itself what became of the statement. */
  #current: Journaled | null = null;
  /** Rows that came with the statement are not taken as they are. */
  #careful = false;

  constructor(options: DdlLoadOptions<Prepared>) {
    this.#options = options;
    this.#session = options.session;
  }

  async load(batch: TransformedBatch, ddl: TransformedDdl, signal: AbortSignal): Promise<LoadOutcome> {
    const pauses = new Backoff({ initialMs: 20, maxMs: 5000 });
    this.#current = null;
    this.#careful = false;
    for (;;) {
      const attempt = await this.#session.persistently(signal, () => this.#attempt(batch, ddl, signal));
      if (attempt.kind === 'outcome') return attempt.outcome;
      this.#session.tell({ kind: 'conflict', seq: BigInt(batch.header.seq), attempt: pauses.attempt });
      await this.#session.clock.sleep(pauses.nextMs(), signal);
    }
  }

  async #attempt(batch: TransformedBatch, ddl: TransformedDdl, signal: AbortSignal): Promise<Attempt> {
    const refused = await this.#session.ready(signal);
    const { reign } = this.#session;
    if (refused !== null || reign === null)
      return { kind: 'outcome', outcome: refused ?? { kind: 'lost-run' } };
    const { writer } = this.#session;
    const abort = () => writer.destroy();
    signal.addEventListener('abort', abort, { once: true });
    try {
      const current = this.#current;
      if (current !== null && current.registration === writer.registration) {
        if (current.ran) return await this.#done(batch, reign, current, signal);
        await this.#close(current.id, { state: 'void', why: 'it was not sent' });
      }
      this.#current = null;
      const open = await this.#settle(signal);
      if (open !== null) return open;
      const { mapped } = ddl;
      if (mapped.kind === 'nothing') return await this.#done(batch, reign, null, signal);
      const parked = await this.#parkedAmong(mapped.concerns);
      if (parked.length > 0) return await this.#pass(batch, ddl, mapped, reign, onParked(parked), signal);
      if (mapped.kind === 'refused')
        return await this.#giveUp(batch, ddl, mapped, reign, this.#refusal(batch, ddl, mapped), signal);
      return await this.#run(batch, ddl, mapped, reign, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const kind = classify(error);
      if (kind !== 'conflict' && (kind !== 'careful' || this.#careful)) throw error;
      await this.#session.rollback();
      this.#careful ||= kind === 'careful';
      return { kind: 'again' };
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** Rows that a lost connection of ours has left open; null when none is. */
  async #settle(signal: AbortSignal): Promise<Attempt | null> {
    const { pipeline, target, node } = this.#options;
    const { writer, log } = this.#session;
    if ((await readOpenDdl(writer, pipeline)).length === 0) return null;
    this.#session.tell({ kind: 'settling-ddl' });
    const { server } = writer.session;
    const settlements = await judgeOpenDdl({ connection: writer, server, target, pipeline, signal, log });
    await writer.execute('START TRANSACTION');
    await this.#session.readRow();
    const result = await writeSettlements(writer, server, pipeline, settlements, node);
    await writer.execute(result === null ? 'COMMIT' : 'ROLLBACK');
    if (result === null) return null;
    return result.kind === 'again'
      ? { kind: 'again' }
      : this.#stop(unsettled(pipeline, target.name, result.settlement));
  }

  async #run(
    batch: TransformedBatch,
    ddl: TransformedDdl,
    mapped: RunnableDdl,
    reign: LoadReign,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const journaled = await this.#journal(batch, ddl, mapped, reign, signal);
    if ('kind' in journaled) return journaled;
    if (!journaled.ran) {
      this.#current = journaled;
      await failpoint('ddl:journaled');
      const failed = await this.#execute(batch, ddl, mapped, journaled, signal);
      if (failed instanceof HoltError)
        return await this.#giveUp(batch, ddl, mapped, reign, failed, signal, true);
      if (failed !== null) return failed;
      this.#current = { ...journaled, ran: true };
      await failpoint('ddl:executed');
    }
    return await this.#done(batch, reign, journaled, signal);
  }

  // ── 1: the journal ──────────────────────────────────────────────────────────────────────────────────────────────

  async #journal(
    { header }: TransformedBatch,
    { statement }: TransformedDdl,
    mapped: RunnableDdl,
    reign: LoadReign,
    signal: AbortSignal,
  ): Promise<Journaled | Attempt> {
    const { pipeline } = this.#options;
    const { writer } = this.#session;
    const { server } = writer.session;
    // Asked outside the transaction: one of them waits for other people's locks on the tables.
    const tablesBefore = await readTableStates(writer, targetsOf(mapped), mapped.database);
    const mayGive = server.flavour === 'mysql' && (await mayGiveGtids(writer));
    const serverStarted = await readServerStart(writer);
    const checked = await this.#options.transaction.check(header, reign, signal);
    if (checked.kind !== 'row') return checked;
    const ran = await readRanDdl(writer, pipeline, statement);
    if (ran !== null) {
      await writer.execute('ROLLBACK');
      return { id: ran.id, ownGtid: ran.ownGtid, registration: null, ran: true };
    }
    const ownGtid = mayGive
      ? await nextOwnGtid(writer, server, { cluster: checked.row.cluster, name: pipeline })
      : null;
    const id = await openDdlRow(writer, {
      ...this.#journaledBy(header, statement, reign),
      defaultSchema: mapped.defaultSchema ?? '',
      mapped: mapped.sql,
      ownGtid,
      serverStarted,
      log: await readLogEnd(writer, server),
      tablesBefore,
    });
    await writer.execute('COMMIT');
    return { id, ownGtid, registration: writer.registration, ran: false };
  }

  /** What a row of the journal says of the statement and of who brings it. */
  #journaledBy(header: BatchHeader, statement: DdlStatement, reign: LoadReign) {
    const { writer } = this.#session;
    return {
      pipeline: this.#options.pipeline,
      tenure: reign.tenure,
      origin: header.origin,
      connectionId: writer.threadId,
      registration: writer.registration,
      seq: BigInt(header.seq),
      epoch: reign.epoch,
      kind: statement.kind,
      sourceRef: statement.sourceRef,
      statement: statement.sql,
      sessionTime: statementTime(statement.session ?? {}),
      serverIdentity: writer.session.server.identity,
    };
  }

  // ── 2: the statement ────────────────────────────────────────────────────────────────────────────────────────────

  /** Null when it has run; the error when the target refuses it. */
  async #execute(
    { header }: TransformedBatch,
    { statement }: TransformedDdl,
    mapped: RunnableDdl,
    journaled: Journaled,
    signal: AbortSignal,
  ): Promise<Attempt | HoltError | null> {
    const { writer, log, clock } = this.#session;
    const shown = shownSql(mapped.sql);
    const facts = {
      pipeline: this.#options.pipeline,
      batch: header.seq,
      id: String(journaled.id),
      statement: shown,
    };
    const startedMs = clock.monotonicMs();
    const undo: string[] = [];
    try {
      await this.#enterSession(statement, mapped, undo);
      if (journaled.ownGtid !== null) {
        await writer.execute(`SET SESSION gtid_next = '${journaled.ownGtid}'`);
        undo.unshift('ROLLBACK', "SET SESSION gtid_next = 'AUTOMATIC'");
      }
      signal.throwIfAborted();
      this.#session.tell({ kind: 'running-ddl', seq: BigInt(header.seq), statement: shown });
      await failpoint('ddl:executing');
      await writer.execute(mapped.sql);
    } catch (error) {
      if (!(error instanceof TargetServerError) || !writer.usable || classify(error) === 'lost') throw error;
      await this.#leaveSession(undo);
      // At the source it ended so, too, after doing what it could.
      if (error.errno === statement.errorCode) return null;
      return await this.#failed(error, header, mapped, journaled.id);
    }
    await this.#leaveSession(undo);
    log.info(
      { event: 'ddl:done', ...facts, duration_ms: Math.round(clock.monotonicMs() - startedMs) },
      'a schema change was done at the target',
    );
    return null;
  }

  /** Makes the session the source's. What undoes it is in `undo` before anything is done. */
  async #enterSession(
    statement: TransformedDdl['statement'],
    mapped: RunnableDdl,
    undo: string[],
  ): Promise<void> {
    const { writer } = this.#session;
    const names = STATEMENT_VARIABLES.map((name) => `'${name}'`).join(', ');
    const now = new Map(
      (await writer.rows(`SHOW SESSION VARIABLES WHERE Variable_name IN (${names})`)).map(([name, value]) => [
        name?.toString('latin1').toLowerCase() ?? '',
        value?.toString('utf8') ?? '',
      ]),
    );
    const ids = collationsToAsk(statement);
    const collations = new Map(
      (
        await writer.rows(
          `SELECT ID, COLLATION_NAME FROM information_schema.COLLATIONS WHERE ID IN (${ids.join(', ')})`,
        )
      ).map(([id, name]) => [Number(id?.toString('latin1')), name?.toString('latin1') ?? '']),
    );
    if (mapped.defaultSchema !== null) await this.#use(mapped.defaultSchema);
    const assignments = statementSession({
      statement,
      flavour: writer.session.server.flavour,
      now,
      collationOf: (id) => collations.get(id) ?? null,
    });
    // One by one and in order: see STATEMENT_VARIABLES.
    for (const one of assignments) {
      try {
        await writer.execute(setStatement([one]));
        undo.unshift(setStatement(undoAssignments([one], now)));
      } catch (error) {
        if (!(error instanceof TargetServerError)) throw error;
        // Older servers have some for the whole server only.
        if (error.errno === ER_VARIABLE_IS_READONLY) continue;
        // MariaDB's secure_timestamp: it matters only to what asks what time it is.
        if (one[0] !== 'timestamp' || mayAskTheTime(mapped.sql)) throw error;
      }
    }
  }

  /** A schema that is not there must not leave the one of an earlier statement in its place. */
  async #use(schema: string): Promise<void> {
    const { writer } = this.#session;
    try {
      await writer.execute(`USE \`${schema.replaceAll('`', '``')}\``);
    } catch (error) {
      if (!(error instanceof TargetServerError) || error.errno !== ER_UNKNOWN_DATABASE) throw error;
      await writer.execute(`USE ${NOWHERE}`);
    }
  }

  /** A session that does not go back to what it was is not used again. */
  async #leaveSession(undo: readonly string[]): Promise<void> {
    const { writer } = this.#session;
    try {
      for (const statement of undo) await writer.execute(statement);
    } catch {
      writer.destroy();
    }
  }

  async #failed(
    error: TargetServerError,
    header: BatchHeader,
    mapped: RunnableDdl,
    id: bigint,
  ): Promise<Attempt | HoltError> {
    const { log } = this.#session;
    const kind = classify(error);
    const known = targetError(error);
    // Room, rights and locks come back; then the same statement does.
    const passes = kind === 'conflict' || (kind === 'blocked' && known.code !== 'HOLT_TARGET_STATEMENT');
    await this.#close(id, {
      state: passes ? 'void' : 'failed',
      why: `${error.message}: ${error.serverText}`,
    });
    if (kind === 'conflict') return { kind: 'again' };
    if (passes) throw error;
    log.error(
      { event: 'ddl:failed', batch: header.seq, errno: error.errno },
      'the target refuses a schema change',
    );
    return failedDdl(this.#options, header, mapped, error);
  }

  async #close(id: bigint, closing: Pick<DdlClosing, 'state' | 'why'>): Promise<void> {
    const { writer } = this.#session;
    await closeDdlRow(writer, id, { ...closing, by: this.#options.node, log: await this.#logEnd() });
    this.#current = null;
  }

  #logEnd(): Promise<LogPlace | null> {
    const { writer } = this.#session;
    return readLogEnd(writer, writer.session.server);
  }

  // ── 3: done ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One transaction moves seq and position, writes the rows that came with the statement, and closes the journal's row. */
  async #done(
    batch: TransformedBatch,
    reign: LoadReign,
    journaled: Journaled | null,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const { transaction, pipeline, node } = this.#options;
    const { writer, clock } = this.#session;
    const startedMs = clock.monotonicMs();
    await failpoint('ddl:before-done');
    const prepared = batch.header.rows === 0 ? null : await this.#options.applier.prepare(batch, signal);
    const log = journaled === null ? null : await this.#logEnd();
    this.#session.tell({ kind: 'executing', seq: BigInt(batch.header.seq), careful: false });
    const begun = await transaction.begin(batch.header, reign, signal);
    if (begun.kind !== 'begun') return begun;
    const result = await this.#rows(prepared, signal);
    await recordDefinitionsOf(writer, pipeline, begun.guard.seq, batch.payload);
    if (journaled !== null) {
      const why = journaled.ran ? 'it had run before' : null;
      if ((await closeDdlRow(writer, journaled.id, { state: 'done', why, by: node, log })) !== 1) {
        await writer.execute('ROLLBACK');
        return { kind: 'again' };
      }
      await pruneDdl(writer, pipeline);
    }
    const executedMs = clock.monotonicMs();
    const ended = await transaction.commit(begun.guard, reign, signal);
    if (ended.kind !== 'committed') return ended;
    await failpoint('ddl:done');
    return this.#applied(batch, begun.guard, reign, {
      ...result,
      executeMs: executedMs - startedMs,
      commitMs: clock.monotonicMs() - executedMs,
    });
  }

  async #rows(prepared: Prepared | null, signal: AbortSignal): Promise<ApplyResult> {
    const { applier } = this.#options;
    const { writer } = this.#session;
    if (prepared !== null)
      return this.#careful
        ? await applier.executeCarefully(prepared, writer, signal)
        : await applier.execute(prepared, writer, signal);
    return { rows: 0, inserted: 0, updated: 0, deleted: 0, statements: 0, ledgered: 0, careful: false };
  }

  #applied(batch: TransformedBatch, guard: Guard, reign: LoadReign, stats: LoadStats): Attempt {
    const receipt = this.#options.transaction.receipt(batch.header, reign);
    this.#session.log.debug(
      { event: 'ddl:applied', batch: String(guard.seq) },
      'the checkpoint is behind it',
    );
    return { kind: 'outcome', outcome: { kind: 'applied', receipt, stats } };
  }

  // ── what is not done ────────────────────────────────────────────────────────────────────────────────────────────

  async #parkedAmong(concerns: readonly ConcernedTable[]): Promise<readonly ConcernedTable[]> {
    const parked = await readParked(this.#session.writer, this.#options.pipeline);
    return concerns.filter(({ source }) => parked.some(({ name }) => isSameTable(name, source)));
  }

  /** By the pipeline's rule: it stops there, or goes on without the tables. */
  async #giveUp(
    batch: TransformedBatch,
    ddl: TransformedDdl,
    mapped: Exclude<TargetDdl, { kind: 'nothing' }>,
    reign: LoadReign,
    error: HoltError,
    signal: AbortSignal,
    isRecorded = false,
  ): Promise<Attempt> {
    if (this.#options.onTableError === 'stop' || mapped.concerns.length === 0) return this.#stop(error);
    const reason = { code: error.code, why: error.message };
    return await this.#pass(batch, ddl, mapped, reign, reason, signal, isRecorded);
  }

  /**
   * Moves the checkpoint over a statement that is not done, with its tables parked: what comes for them is held, until somebody has done by hand
   * what the journal says and resumes them.
   */
  async #pass(
    batch: TransformedBatch,
    { statement }: TransformedDdl,
    mapped: Exclude<TargetDdl, { kind: 'nothing' }>,
    reign: LoadReign,
    reason: { readonly code: string; readonly why: string },
    signal: AbortSignal,
    isRecorded = false,
  ): Promise<Attempt> {
    const { transaction, pipeline, applier } = this.#options;
    const { writer, log } = this.#session;
    const { header } = batch;
    const serverStarted = await readServerStart(writer);
    const logEnd = await this.#logEnd();
    const begun = await transaction.begin(header, reign, signal);
    if (begun.kind !== 'begun') return begun;
    for (const { source, target } of mapped.concerns)
      await insertParked(writer, pipeline, { name: source, target, root: source, ...reason, by: 'holt' });
    if (!isRecorded)
      await this.#recordUndone(header, statement, mapped, reign, reason.why, serverStarted, logEnd);
    // Rows that came with the statement are of its table: they are held, now that it is parked.
    const result = await this.#rows(header.rows === 0 ? null : await applier.prepare(batch, signal), signal);
    await recordDefinitionsOf(writer, pipeline, begun.guard.seq, batch.payload);
    const ended = await transaction.commit(begun.guard, reign, signal);
    if (ended.kind !== 'committed') return ended;
    log.warn(
      {
        event: 'ddl:parked',
        pipeline,
        batch: header.seq,
        code: reason.code,
        tables: mapped.concerns.map(({ source }) => tableText(source)),
      },
      'a schema change was not done; its tables are parked',
    );
    return this.#applied(batch, begun.guard, reign, { ...result, executeMs: 0, commitMs: 0 });
  }

  async #recordUndone(
    header: BatchHeader,
    statement: DdlStatement,
    mapped: Exclude<TargetDdl, { kind: 'nothing' }>,
    reign: LoadReign,
    why: string,
    serverStarted: string,
    log: LogPlace | null,
  ): Promise<void> {
    const { node } = this.#options;
    const { writer } = this.#session;
    const id = await openDdlRow(writer, {
      ...this.#journaledBy(header, statement, reign),
      defaultSchema: statement.schema,
      mapped: mapped.kind === 'run' ? mapped.sql : statement.sql,
      ownGtid: null,
      serverStarted,
      log,
      tablesBefore: [],
    });
    await closeDdlRow(writer, id, { state: 'failed', why, by: node, log });
  }

  #refusal(
    { header }: TransformedBatch,
    { statement }: TransformedDdl,
    refused: Extract<TargetDdl, { kind: 'refused' }>,
  ): HoltError {
    const shown = shownSql(statement.sql);
    return new HoltError(refused.code, `${this.#options.pipeline}: ${refused.why}: ${shown}`, {
      disposition: 'pause',
      remedy: `Do at the target what it is to do, set the position to ${header.end}, and resume.`,
      facts: { pipeline: this.#options.pipeline, statement: shown, sourceRef: statement.sourceRef },
    });
  }

  #stop(error: HoltError): Attempt {
    return { kind: 'outcome', outcome: { kind: 'stop', error } };
  }
}

function targetsOf(mapped: RunnableDdl): readonly DdlTable[] {
  return mapped.concerns.map(({ target }) => target);
}

function onParked(parked: readonly ConcernedTable[]): { readonly code: string; readonly why: string } {
  const names = parked.map(({ source }) => tableText(source)).join(', ');
  return {
    code: 'HOLT_DDL_ON_PARKED_TABLE',
    why: `parked: ${names}; do it by hand before the table is resumed`,
  };
}

/** The server's text of an error on a schema change names what is in the statement, which is shown as well. */
function failedDdl(
  { pipeline, target }: { readonly pipeline: string; readonly target: DataSourceConfig },
  header: BatchHeader,
  mapped: RunnableDdl,
  error: TargetServerError,
): HoltError {
  const statement = shownSql(mapped.sql);
  const tables = mapped.concerns.map((one) => tableText(one.target));
  return new HoltError(
    'HOLT_DDL_FAILED',
    `${pipeline}: ${target.name} refuses a schema change of ${tables.join(', ')} with ${error.message}: ${error.serverText}: ${statement}`,
    {
      disposition: 'pause',
      remedy: `Bring the target to where it works and resume: it is tried again. Or do by hand what it is to do, set the position to ${header.end}, and resume.`,
      facts: { pipeline, target: target.name, errno: error.errno, statement, tables: tables.join(', ') },
      cause: error,
    },
  );
}
