/**
 * Writes "read up to here" at the source: one row per site in `holt.heartbeat`, every second. Whoever reads the log knows
 * by it how far reading is behind, also when nothing else happens.
 *
 * Where the server logs no µs commit times (MariaDB, MySQL before 8.0.1), rows come more often while changes flow, so that
 * lag is right to a fraction of a second there too. The time is the server's own clock, read in the statement itself.
 */
import { abortable, withDeadline } from '../lib/abort.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isAbort, messageOf } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { RunningState, type Service } from '../lib/service.ts';
import { quoteText } from './schema/schema-reader.ts';

/** One session with the source that may write to `holt.heartbeat`. */
export interface HeartbeatSession {
  execute(sql: string): Promise<void>;
  close(): Promise<void>;
}

export interface HeartbeatWriterOptions {
  readonly cluster: string;
  readonly site: string;
  readonly node: string;
  readonly connect: (signal: AbortSignal) => Promise<HeartbeatSession>;
  /** True while changes flow and their commit times are only known to the second. Asked after every beat. */
  readonly isBusy?: () => boolean;
  /** Default 1000. */
  readonly idleMs?: number;
  /** Default 100. */
  readonly busyMs?: number;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

const STATEMENT_TIMEOUT_MS = 10_000;

/** The statement of one beat. Session time zone must be UTC: local times are ambiguous for an hour a year. */
export function heartbeatSql(cluster: string, site: string, node: string): string {
  const now = 'CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)';
  return (
    `INSERT INTO holt.heartbeat (cluster, site, beat, at_us, node) VALUES (${quoteText(cluster)}, ${quoteText(site)}, 1, ${now}, ${quoteText(node)}) ` +
    `ON DUPLICATE KEY UPDATE beat = beat + 1, at_us = ${now}, node = ${quoteText(node)}`
  );
}

/** What the session must be set to before the first beat. */
export const HEARTBEAT_SESSION_SQL: readonly string[] = [
  "SET SESSION time_zone = '+00:00', sql_mode = '', autocommit = 1",
  // A beat must not wait behind a backup or a full-table lock for ever, nor stop the next.
  'SET SESSION innodb_lock_wait_timeout = 5, lock_wait_timeout = 5',
];

export class HeartbeatWriter implements Service {
  readonly #options: HeartbeatWriterOptions;
  readonly #state: RunningState;
  readonly #logger: Logger;
  readonly #clock: Clock;
  #done: Promise<void> | null = null;
  #lastBeatMs: number | null = null;
  #trouble: string | null = null;

  constructor(options: HeartbeatWriterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#state = new RunningState({ clock: this.#clock, backoff: { initialMs: 200, maxMs: 5_000 } });
    this.#logger = options.logger ?? silentLogger;
  }

  /** `Clock.monotonicMs` of the last beat that the server took; null before the first. */
  get lastBeatMs(): number | null {
    return this.#lastBeatMs;
  }

  /** Why beats fail at present; null while they do not. */
  get trouble(): string | null {
    return this.#trouble;
  }

  run(): Promise<void> {
    this.#done ??= this.#loop();
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#state.requestStop();
    await this.#done;
  }

  async #loop(): Promise<void> {
    while (this.#state.shouldRun()) {
      let session: HeartbeatSession | null = null;
      try {
        session = await this.#options.connect(this.#state.signal);
        for (const sql of HEARTBEAT_SESSION_SQL) await this.#execute(session, sql);
        await this.#beat(session);
      } catch (error) {
        if (!this.#state.shouldRun() || isAbort(error)) continue;
        const { attempt, delayMs } = await this.#noteTrouble(error);
        this.#logger.debug({ attempt, delayMs }, 'heartbeat tries again');
      } finally {
        await session?.close().catch(() => {});
      }
    }
  }

  /** Until the session fails or the writer stops. */
  async #beat(session: HeartbeatSession): Promise<void> {
    const { cluster, site, node, isBusy, idleMs = 1_000, busyMs = 100 } = this.#options;
    const sql = heartbeatSql(cluster, site, node);
    while (this.#state.shouldRun()) {
      const started = this.#clock.monotonicMs();
      await this.#execute(session, sql);
      this.#lastBeatMs = this.#clock.monotonicMs();
      if (this.#trouble !== null) this.#logger.info({}, 'heartbeat is written again');
      this.#trouble = null;
      this.#state.resetBackoff();
      const period = isBusy?.() === true ? busyMs : idleMs;
      await this.#state.sleep(Math.max(10, started + period - this.#clock.monotonicMs()));
    }
  }

  async #execute(session: HeartbeatSession, sql: string): Promise<void> {
    const work = withDeadline(session.execute(sql), STATEMENT_TIMEOUT_MS, 'heartbeat');
    await abortable(work, this.#state.signal);
  }

  #noteTrouble(error: unknown): Promise<{ readonly attempt: number; readonly delayMs: number }> {
    const reason = messageOf(error);
    if (this.#trouble === null)
      this.#logger.warn({ reason }, 'the heartbeat at the source cannot be written; lag is not known');
    this.#trouble = reason;
    return this.#state.backoff();
  }
}
