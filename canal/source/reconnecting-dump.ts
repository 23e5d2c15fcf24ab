import { Backoff, type BackoffOptions } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import type { PositionText } from '../../model/position.ts';
import type { DumpStream, EventFeed, FeedItem } from './dump-stream.ts';
import { isPreamble } from './open-dump.ts';
import { OUTSIDE_CAUSES } from './outside-causes.ts';

export interface ReconnectingDumpOptions {
  /** Connects, checks that it is still the same source and history, and starts the dump: `openDump` behind the checks wanted. */
  readonly open: (start: PositionText, signal: AbortSignal) => Promise<DumpStream>;
  /** Where to go on: after the last whole transaction that the consumer has taken. Asked when a connection is needed, and then everything handed out has been taken. */
  readonly resume: () => PositionText;
  /** Default 100 ms to 10 s. */
  readonly backoff?: BackoffOptions;
  /** After this many failures of the same kind without a transaction in between, what is not a broken link is given up; default 5. */
  readonly maxRepeats?: number;
  /** Told of each failure that is being healed, and with null when events flow again: for status and metrics. */
  readonly onTrouble?: (trouble: HoltError | null, attempt: number) => void;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** After being thrown out by another replica of our id: time for a person, or for the node that took over, to settle it. */
const KICK_DELAY_MS = 5_000;
const KICK_MEMORY_MS = 300_000;

/**
 * A dump that outlives its connections.
 *
 * Pulled like any feed, and reconnects inside `fill`: nothing runs when nobody asks, and a reconnect happens only when the consumer
 * has taken all that came, so that `resume` is exact. A failure that repeats at the same place (a damaged event, another
 * replica of the same server id that throws us out again and again) is no link trouble: it ends the feed.
 *
 *     streaming ──link fails──► waiting (backoff) ──open──► streaming, first item `interrupted`
 *         │                         │
 *         └──── pause, or repeated ─┴──► failed (every `next` throws)
 */
export class ReconnectingDump implements EventFeed {
  readonly #options: ReconnectingDumpOptions;
  readonly #backoff: Backoff;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #stream: DumpStream | null = null;
  #interruption: FeedItem | null = null;
  #failure: HoltError | null = null;
  #closed = false;
  /** The failure being healed; null while all is well or before the first connection. */
  #trouble: HoltError | null = null;
  #repeats = 0;
  #repeatsAt: PositionText | null = null;
  #lastRepeatMs = Number.NEGATIVE_INFINITY;
  /** A stream was open before: what it gave may be unfinished. */
  #hadStream = false;

  constructor(options: ReconnectingDumpOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
  }

  /** The present connection's stream, for its figures; null between connections. */
  get stream(): DumpStream | null {
    return this.#stream;
  }

  next(): FeedItem | null {
    if (this.#failure !== null) throw this.#failure;
    const interruption = this.#interruption;
    if (interruption !== null) {
      this.#interruption = null;
      return interruption;
    }
    const stream = this.#stream;
    if (stream === null) return null;
    try {
      const event = stream.next();
      if (event !== null && this.#trouble !== null && !isPreamble(event)) this.#recovered();
      return event;
    } catch (error) {
      this.#stream = null;
      this.#note(error);
      if (this.#failure !== null) throw this.#failure;
      return null;
    }
  }

  async fill(signal: AbortSignal): Promise<void> {
    while (this.#stream === null && this.#failure === null) {
      signal.throwIfAborted();
      if (this.#trouble !== null) await this.#clock.sleep(this.#delayMs(), signal);
      try {
        this.#stream = await this.#options.open(this.#options.resume(), signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        this.#note(error);
        continue;
      }
      if (this.#closed) {
        await this.#stream.close();
        // Closed and told to stop while the link was opened: a stop, no failure.
        signal.throwIfAborted();
        this.#failure = new HoltError('HOLT_SOURCE_LINK_LOST', 'the dump was closed here', {
          disposition: 'retry',
        });
        return;
      }
      if (this.#hadStream)
        this.#interruption = { kind: 'interrupted', reason: this.#trouble?.message ?? 'reconnected' };
      this.#hadStream = true;
      return;
    }
    await this.#stream?.fill(signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#stream?.close();
  }

  /** Files a failure: to be healed, or final. */
  #note(error: unknown): void {
    if (!(error instanceof HoltError) || error.disposition !== 'retry') {
      this.#failure =
        error instanceof HoltError
          ? error
          : new HoltError('HOLT_SOURCE_PROTOCOL', messageOf(error), { disposition: 'pause', cause: error });
      return;
    }
    this.#trouble = error;
    this.#countRepeats(error);
    if (this.#repeats >= (this.#options.maxRepeats ?? 5)) {
      this.#failure = new HoltError(error.code, `${error.message}; this came ${this.#repeats} times`, {
        disposition: 'pause',
        facts: error.facts,
        cause: error,
      });
      return;
    }
    const attempt = this.#backoff.attempt + 1;
    this.#options.onTrouble?.(error, attempt);
    const facts = { code: error.code, reason: error.message, attempt };
    if (attempt <= 1) this.#logger.info(facts, 'source connection lost, reconnecting');
    else this.#logger.warn(facts, 'source connection lost, reconnecting');
  }

  /** Links fail as often as they like. Other failures count while no transaction gets through; being thrown out counts also then. */
  #countRepeats(error: HoltError): void {
    if (OUTSIDE_CAUSES.has(error.code)) return;
    const now = this.#clock.monotonicMs();
    const at = this.#options.resume();
    const isRepeat =
      error.code === 'HOLT_SOURCE_SERVER_ID'
        ? now - this.#lastRepeatMs < KICK_MEMORY_MS
        : this.#repeatsAt === at;
    this.#repeats = isRepeat ? this.#repeats + 1 : 1;
    this.#repeatsAt = at;
    this.#lastRepeatMs = now;
  }

  #delayMs(): number {
    const delayMs = this.#backoff.nextMs();
    return this.#trouble?.code === 'HOLT_SOURCE_SERVER_ID' ? Math.max(delayMs, KICK_DELAY_MS) : delayMs;
  }

  #recovered(): void {
    this.#trouble = null;
    this.#backoff.reset();
    this.#options.onTrouble?.(null, 0);
    this.#logger.info({}, 'source connection back');
  }
}
