/**
 * Looks at a source from outside its log: where the log ends, some ten times a second, and what time it is there, every 30 s. Reads only.
 *
 * By the looks every place in the log has a time on the reader's own clock, to a fraction of a second, also where the server logs commit
 * times to the second, where its clock is wrong, and where reading is far behind.
 */
import { abortable, withDeadline } from '../lib/abort.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isAbort, messageOf } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { RunningState, type Service } from '../lib/service.ts';
import type { BinlogCoordinates } from '../model/position.ts';

/** One session with the source; rows as text. */
export interface GaugeSession {
  query(sql: string): Promise<readonly (readonly (string | null)[])[]>;
  close(): Promise<void>;
}

/** Another party's time, and our monotonic clock before asking and after the answer. */
export interface TimeAnswer {
  readonly theirsMs: number;
  readonly askedMs: number;
  readonly answeredMs: number;
}

export interface LogFile {
  readonly file: string;
  readonly bytes: number;
}

export interface LogGaugeOptions {
  readonly connect: (signal: AbortSignal) => Promise<GaugeSession>;
  /** SHOW MASTER STATUS, or what this server calls it. */
  readonly statusSql: () => string;
  /** The log ended at `place` at some moment between the two (monotonic). */
  readonly onLook: (place: BinlogCoordinates, fromMs: number, toMs: number) => void;
  readonly onTime: (answer: TimeAnswer) => void;
  readonly onFiles: (files: readonly LogFile[]) => void;
  /** True while somebody reads in another file than the log ends in: how much lies between is in the list of files. */
  readonly wantsFiles: (head: BinlogCoordinates) => boolean;
  /** Default 100. */
  readonly lookEveryMs?: number;
  /** Default 30 000. */
  readonly timeEveryMs?: number;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

export const TIME_SQL = 'SELECT UNIX_TIMESTAMP(NOW(6))';
/** Local times are ambiguous for an hour a year. */
export const TIME_SESSION_SQL = "SET SESSION time_zone = '+00:00'";
/** The shortest round trip of so many counts. */
export const TIME_PROBES = 5;
const ANSWER_MS = 5_000;
const FILES_EVERY_MS = 2_000;

export class LogGauge implements Service {
  readonly #options: LogGaugeOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #state: RunningState;
  #done: Promise<void> | null = null;
  #trouble: string | null = null;
  #timeDueMs = 0;
  /** Of the present measurement of the clock. */
  #probesLeft = 0;
  #filesDueMs = 0;
  /** The present session is not to be used any more. */
  #isOld = false;

  constructor(options: LogGaugeOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#state = new RunningState({ clock: this.#clock, backoff: { initialMs: 100, maxMs: 5_000 } });
  }

  /** Why nothing can be seen at present; null while it can. */
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

  /** Goes on over a new connection: the one there is may lead to a server that is the source no more. */
  renew(): void {
    this.#isOld = true;
  }

  async #loop(): Promise<void> {
    while (this.#state.shouldRun()) {
      let session: GaugeSession | null = null;
      try {
        this.#isOld = false;
        session = await this.#options.connect(this.#state.signal);
        await this.#ask(session, TIME_SESSION_SQL);
        this.#timeDueMs = 0;
        await this.#look(session);
      } catch (error) {
        if (!this.#state.shouldRun() || isAbort(error)) continue;
        this.#trouble = messageOf(error);
        this.#logger.debug({ reason: this.#trouble }, 'the end of the log cannot be looked at');
        await this.#state.backoff();
      } finally {
        // A server that hangs does not say good-bye either.
        await session?.close().catch(() => {});
      }
    }
  }

  /** Until the session fails or is old, or the gauge stops. */
  async #look(session: GaugeSession): Promise<void> {
    const { onLook, wantsFiles, lookEveryMs = 100, timeEveryMs = 30_000 } = this.#options;
    while (this.#state.shouldRun() && !this.#isOld) {
      const askedMs = this.#clock.monotonicMs();
      const [row] = await this.#ask(session, this.#options.statusSql());
      const answeredMs = this.#clock.monotonicMs();
      const [file, offset] = row ?? [];
      this.#trouble = null;
      this.#state.resetBackoff();
      if (file && offset) {
        const head = { file, offset: Number(offset) };
        onLook(head, askedMs, answeredMs);
        if (wantsFiles(head)) await this.#files(session);
      }
      if (askedMs >= this.#timeDueMs) {
        this.#timeDueMs = askedMs + timeEveryMs;
        this.#probesLeft = TIME_PROBES;
      }
      // One between two looks: over a long way, several in a row would leave nobody looking for too long.
      if (this.#probesLeft > 0) await this.#time(session);
      await this.#state.sleep(Math.max(10, askedMs + lookEveryMs - this.#clock.monotonicMs()));
    }
  }

  async #time(session: GaugeSession): Promise<void> {
    this.#probesLeft -= 1;
    const askedMs = this.#clock.monotonicMs();
    const [row] = await this.#ask(session, TIME_SQL);
    const answeredMs = this.#clock.monotonicMs();
    const seconds = Number(row?.[0]);
    if (seconds > 0) this.#options.onTime({ theirsMs: seconds * 1000, askedMs, answeredMs });
  }

  async #files(session: GaugeSession): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#filesDueMs) return;
    this.#filesDueMs = nowMs + FILES_EVERY_MS;
    const rows = await this.#ask(session, 'SHOW BINARY LOGS');
    this.#options.onFiles(rows.map(([file, bytes]) => ({ file: file ?? '', bytes: Number(bytes ?? 0) })));
  }

  #ask(session: GaugeSession, sql: string): Promise<readonly (readonly (string | null)[])[]> {
    return abortable(
      withDeadline(session.query(sql), ANSWER_MS, 'a look at the end of the log'),
      this.#state.signal,
    );
  }
}
