/**
 * Who may hold a checkpoint row's lock, and how such a session is got rid of (protocol section 1).
 *
 * A connection that locks a checkpoint row first takes a user lock under a random name, for life, and then commits a row with that name,
 * made under the checkpoint row's lock after looking at who reigns. So whoever reads `holt.writer` after it has
 * raised knows every session of older reigns: one that registers later finds itself refused.
 *
 * Connection ids repeat after a restart, and a copy of the data holds rows of sessions elsewhere. Therefore nothing is ever killed
 * but the id that `IS_USED_LOCK` gives for the name on this very server, now. NULL means gone, and gone means rolled
 * back: the server releases user locks after it has rolled back the session's transaction.
 */
import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { HoltError } from '../../../lib/errors.ts';
import { LANE } from '../../../model/holt-tables.ts';
import { type CheckpointRow, readCheckpointRow } from './checkpoint-row.ts';
import { bytesLiteral, hexLiteral, integerLiteral, nullable } from './sql-text.ts';
import {
  type StatementResult,
  type TargetConnection,
  TargetServerError,
  type TargetSession,
} from './target-connection.ts';

export type WriterRole = 'raise' | 'load' | 'advance' | 'replay' | 'drain' | 'delete';

export interface WriterRow {
  /** 32 hex digits. */
  readonly registration: string;
  readonly lane: number;
  readonly role: string;
  readonly connectionId: number;
  readonly node: string;
  readonly epoch: number;
  /** Null for a session that registered before there was any reign. */
  readonly tenure: string | null;
}

export interface RegisterOptions {
  readonly session: TargetSession;
  readonly pipeline: string;
  readonly lane: number;
  readonly role: WriterRole;
  readonly node: string;
  /** Judges the stream's row, read under its lock; null when there is none. */
  readonly accepts: (row: CheckpointRow | null) => boolean;
  /** For a writer whose statements may take long. */
  readonly openBeside?: OpenBeside;
  /** Between pings of an idle session, and between looks at one that is busy; default 10 s. */
  readonly tickMs?: number | undefined;
}

export type Registering =
  | { readonly kind: 'registered'; readonly writer: RegisteredWriter; readonly row: CheckpointRow | null }
  /** The row is not as the caller needs it. The session is left without transaction and lock. */
  | { readonly kind: 'refused'; readonly row: CheckpointRow | null };

export function lockName(registration: string): string {
  return `holt:${registration}`;
}

/**
 * Registers an open session that is used for nothing else. Throws what the statements throw; after 1205 the row's lock is held by
 * somebody: kill older registrations and try again. After a failure the session has no transaction and no lock, or is destroyed.
 */
export async function register(options: RegisterOptions): Promise<Registering> {
  const { session, pipeline } = options;
  const registration = randomBytes(16).toString('hex');
  const name = lockName(registration);
  const [locked] = await session.rows(`SELECT GET_LOCK('${name}', 0)`);
  if (text(locked?.[0]) !== '1')
    throw new HoltError('HOLT_TARGET_SESSION', 'the target gives no user lock', { disposition: 'retry' });
  try {
    await session.execute('START TRANSACTION');
    // All lanes of a pipeline register under the stream's row: one place where a raise shuts the door.
    const row = await readCheckpointRow(session, pipeline, LANE.stream, true);
    if (!options.accepts(row)) {
      await session.execute('ROLLBACK');
      await session.rows(`SELECT RELEASE_LOCK('${name}')`);
      return { kind: 'refused', row };
    }
    await session.execute(
      'INSERT INTO holt.writer (registration, pipeline, lane, role, connection_id, user, node, epoch, tenure, registered_at) ' +
        `VALUES (${hexLiteral(registration)}, ${bytesLiteral(pipeline)}, ${integerLiteral(options.lane)}, ` +
        `${bytesLiteral(options.role)}, ${integerLiteral(session.threadId)}, LEFT(CURRENT_USER(), 96), ` +
        `${bytesLiteral(options.node)}, ${integerLiteral(row?.epoch ?? 0)}, ${nullable(row?.tenure ?? null, hexLiteral)}, UTC_TIMESTAMP(6))`,
    );
    await session.execute('COMMIT');
    return {
      kind: 'registered',
      writer: new RegisteredWriter(session, registration, options.openBeside ?? null, options.tickMs),
      row,
    };
  } catch (error) {
    await undo(session, name);
    throw error;
  }
}

async function undo(session: TargetSession, name: string): Promise<void> {
  try {
    await session.execute('ROLLBACK');
    await session.rows(`SELECT RELEASE_LOCK('${name}')`);
  } catch {
    session.destroy();
  }
}

/** Opens a session beside a registered one, to ask the server whether that still lives. */
export type OpenBeside = () => Promise<TargetSession>;

const TICK_MS = 10_000;
/** Looks, a tick apart, at which a server could not be asked, or a session did nothing, before the link is given up. */
const PATIENCE_TICKS = 3;

/**
 * A registered session. While it is idle it is pinged, so that the server's short `wait_timeout` ends only a process that is frozen.
 * While a statement takes long the server is asked from beside whether the session still lives: a link that died
 * without a word, or a server that is gone, is noticed, and a statement that only takes long is left alone.
 */
export class RegisteredWriter implements TargetConnection {
  readonly session: TargetSession;
  /** 32 hex digits. */
  readonly registration: string;
  readonly #openBeside: OpenBeside | null;
  readonly #tick: NodeJS.Timeout;
  #busySince: number | null = null;
  #probing = false;
  /** Consecutive looks that found no server, or a session that waits for us while we wait for it. */
  #suspicious = 0;

  constructor(session: TargetSession, registration: string, openBeside: OpenBeside | null, tickMs = TICK_MS) {
    this.session = session;
    this.registration = registration;
    this.#openBeside = openBeside;
    this.#tick = setInterval(() => {
      if (!this.usable) clearInterval(this.#tick);
      // A failure shows at the next statement.
      else if (this.#busySince === null) this.session.ping().catch(() => {});
      else if (performance.now() - this.#busySince >= tickMs) this.#probe().catch(() => {});
    }, tickMs);
    this.#tick.unref();
  }

  get threadId(): number {
    return this.session.threadId;
  }

  get rowEventsAs(): number | null {
    return this.session.rowEventsAs ?? null;
  }

  get usable(): boolean {
    return this.session.usable;
  }

  execute(sql: Buffer | string): Promise<StatementResult> {
    return this.#watched(this.session.execute(sql));
  }

  rows(sql: Buffer | string): Promise<(Buffer | null)[][]> {
    return this.#watched(this.session.rows(sql));
  }

  /** Takes its row away and says goodbye. Only outside a transaction. */
  async close(): Promise<void> {
    clearInterval(this.#tick);
    if (this.usable)
      await this.execute(
        `DELETE FROM holt.writer WHERE registration = ${hexLiteral(this.registration)}`,
      ).catch(() => {});
    await this.session.close();
  }

  destroy(): void {
    clearInterval(this.#tick);
    this.session.destroy();
  }

  async #watched<T>(statement: Promise<T>): Promise<T> {
    this.#busySince = performance.now();
    this.#suspicious = 0;
    try {
      return await statement;
    } finally {
      this.#busySince = null;
    }
  }

  async #probe(): Promise<void> {
    if (this.#openBeside === null || this.#probing) return;
    this.#probing = true;
    try {
      const beside = await this.#openBeside();
      const state = await this.#stateFrom(beside).finally(() => beside.close());
      // Gone at the server: no answer will ever come.
      if (state === 'gone') this.#suspicious = PATIENCE_TICKS;
      // It waits for a statement, we for an answer: one of the two was lost on the way.
      else this.#suspicious = state === 'asleep' ? this.#suspicious + 1 : 0;
    } catch (error) {
      // An answer, such as "too many connections", is a server that lives.
      this.#suspicious = error instanceof TargetServerError ? 0 : this.#suspicious + 1;
    } finally {
      this.#probing = false;
    }
    if (this.#suspicious >= PATIENCE_TICKS && this.#busySince !== null) this.destroy();
  }

  async #stateFrom(beside: TargetSession): Promise<'gone' | 'asleep' | 'working'> {
    const [lock] = await beside.rows(`SELECT IS_USED_LOCK('${lockName(this.registration)}')`);
    if ((lock?.[0] ?? null) === null) return 'gone';
    // Columns: Id, User, Host, db, Command, …
    const processes = await beside.rows('SHOW PROCESSLIST');
    const own = processes.find(([id]) => Number(text(id)) === this.threadId);
    return text(own?.[4]) === 'Sleep' ? 'asleep' : 'working';
  }
}

export async function readWriters(
  connection: TargetConnection,
  pipeline: string,
): Promise<readonly WriterRow[]> {
  const rows = await connection.rows(
    `SELECT registration, lane, role, connection_id, node, epoch, tenure FROM holt.writer WHERE pipeline = ${bytesLiteral(pipeline)} ORDER BY registered_at`,
  );
  return rows.map(([registration, lane, role, connectionId, node, epoch, tenure]) => ({
    registration: registration?.toString('hex') ?? '',
    lane: Number(text(lane)),
    role: text(role),
    connectionId: Number(text(connectionId)),
    node: text(node),
    epoch: Number(text(epoch)),
    tenure: tenure?.toString('hex') ?? null,
  }));
}

/** Told while a killed session is not gone yet: the server rolls it back, or cannot. */
export interface WaitingForRollback {
  readonly connectionId: number;
  readonly node: string;
  readonly role: string;
  readonly waitedMs: number;
}

export interface KillOptions {
  /** Outside a transaction. */
  readonly connection: TargetConnection;
  readonly pipeline: string;
  readonly which: (writer: WriterRow) => boolean;
  readonly signal: AbortSignal;
  readonly onWaiting?: ((waiting: WaitingForRollback) => void) | undefined;
  /** How long one session may take to go, a rollback of its transaction included. */
  readonly deadlineMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** Whether the session lives on this server. */
export async function isRegistered(connection: TargetConnection, registration: string): Promise<boolean> {
  const [row] = await connection.rows(`SELECT IS_USED_LOCK('${lockName(registration)}')`);
  return (row?.[0] ?? null) !== null;
}

/** Ends one session by its registration, on this server, and waits until it is gone. Its row stays. */
export function endRegistration(
  connection: TargetConnection,
  registration: string,
  signal: AbortSignal,
): Promise<void> {
  const writer = { registration, node: '', role: 'load' };
  return untilGone(writer, { connection, pipeline: '', which: () => true, signal });
}

const TELL_AFTER_MS = 200;
const ER_NO_SUCH_THREAD = 1094;

/**
 * Kills the registered sessions that `which` names and waits until each is gone; then its row goes, too. Returns how many there were.
 * @throws HoltError HOLT_WRITER_NOT_GONE after the deadline; TargetServerError 1095 where the account may not kill.
 */
export async function killWriters(options: KillOptions): Promise<number> {
  const writers = (await readWriters(options.connection, options.pipeline)).filter(options.which);
  for (const writer of writers) {
    await untilGone(writer, options);
    await options.connection.execute(
      `DELETE FROM holt.writer WHERE registration = ${hexLiteral(writer.registration)}`,
    );
  }
  return writers.length;
}

/**
 * MySQL 5.6 closes the socket's descriptor in KILL while the session's thread may be about to wait for it. When the next connection is
 * given the same number, the thread waits on that one's socket, in its transaction, until `wait_timeout` of the session ends it (seen in
 * poll(2) of both threads; once in thirty kills that come between two statements). No further KILL ends it, and it holds its locks:
 * there is nothing to do but to wait.
 */
async function untilGone(
  writer: Pick<WriterRow, 'registration' | 'node' | 'role'>,
  options: KillOptions,
): Promise<void> {
  const clock = options.clock ?? systemClock;
  const started = clock.monotonicMs();
  const deadlineMs = options.deadlineMs ?? 300_000;
  for (let pollMs = 2; ; pollMs = Math.min(200, pollMs * 2)) {
    options.signal.throwIfAborted();
    const [row] = await options.connection.rows(`SELECT IS_USED_LOCK('${lockName(writer.registration)}')`);
    const holder = row?.[0] ?? null;
    if (holder === null) return;
    const connectionId = Number(text(holder));
    await kill(options.connection, connectionId);
    const waitedMs = clock.monotonicMs() - started;
    if (waitedMs > deadlineMs)
      throw new HoltError(
        'HOLT_WRITER_NOT_GONE',
        `connection ${connectionId} of ${writer.node} was killed at the target ${Math.round(waitedMs / 1000)} s ago and is still there`,
        {
          disposition: 'retry',
          facts: { connectionId, node: writer.node, role: writer.role },
        },
      );
    if (waitedMs > TELL_AFTER_MS)
      options.onWaiting?.({ connectionId, node: writer.node, role: writer.role, waitedMs });
    await clock.sleep(pollMs, options.signal);
  }
}

/** Killing a session that rolls back already does nothing. */
async function kill(connection: TargetConnection, connectionId: number): Promise<void> {
  try {
    await connection.execute(`KILL ${integerLiteral(connectionId)}`);
  } catch (error) {
    if (!(error instanceof TargetServerError) || error.errno !== ER_NO_SUCH_THREAD) throw error;
  }
}

function text(value: Buffer | null | undefined): string {
  return value?.toString('utf8') ?? '';
}
