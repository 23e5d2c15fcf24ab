/**
 * The canal engine of one source: who reads where, and over which connection.
 *
 *     readers ──┬──► shared feed: one dump connection, one ring        the normal case
 *               └──► feeds of their own: readers that start elsewhere or fell behind
 *                        │
 *                        └── level with the shared feed at a boundary between transactions ──► back into it
 *
 * The shared feed begins with the first reader. Whoever keeps the ring full while others have nothing to read gets a feed of its
 * own. A reader that comes back within a few seconds, as on a rewind, finds the shared feed still running.
 */
import { AbortError } from '../lib/abort.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { HoltError } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { RunningState } from '../lib/service.ts';
import type { DataSourceConfig, StartConfig } from '../model/config.ts';
import type { BinlogCoordinates, Position, PositionText } from '../model/position.ts';
import { RunningPosition } from '../model/running-position.ts';
import type { TransactionGtid } from '../model/source-item.ts';
import type { CanalEngine, CanalReader, ReaderOptions, SourceIdentity } from './canal.ts';
import { FeedReader } from './feed/feed-reader.ts';
import { type FeedLimits, type FeedMember, SourceFeed } from './feed/source-feed.ts';
import { ServerConnection } from './protocol/server-connection.ts';
import { FactsCache } from './schema/facts-cache.ts';
import { SchemaBook } from './schema/schema-book.ts';
import { SchemaReader } from './schema/schema-reader.ts';
import { SourceSession } from './schema/source-session.ts';
import { currentPosition } from './source/current-position.ts';
import type { DumpStream, EventFeed } from './source/dump-stream.ts';
import { openDump } from './source/open-dump.ts';
import { checkPosition } from './source/position-check.ts';
import { ReconnectingDump } from './source/reconnecting-dump.ts';
import { resolveStart } from './source/resolve-start.ts';
import { checkSource } from './source/source-check.ts';
import { readSourceFacts, type SourceFacts } from './source/source-facts.ts';

export interface EngineOptions {
  readonly source: DataSourceConfig;
  /** Tables that will be replicated: the check at start tries to read them. Default: all that the account can see. */
  readonly wants?: (schema: string, table: string) => boolean;
  readonly limits?: Partial<FeedLimits>;
  /** How long the shared feed goes on without readers; default 10 s. */
  readonly lingerMs?: number;
  /** Told when a dump is lost and with null when it flows again. */
  readonly onTrouble?: (trouble: HoltError | null, attempt: number) => void;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** What an engine is doing, for status and metrics. */
export interface EngineStatus {
  readonly feeds: readonly {
    readonly name: string;
    readonly isShared: boolean;
    readonly position: Position;
    readonly transactions: number;
    readonly ringItems: number;
    readonly ringBytes: number;
    readonly readers: readonly string[];
    /** Why it ended; null while it runs. */
    readonly failure: HoltError | null;
  }[];
  /** The link's present failure, being healed; null while all is well. */
  readonly trouble: HoltError | null;
}

export const DEFAULT_FEED_LIMITS: FeedLimits = {
  ringBytes: 64 * 1024 * 1024,
  ringItems: 65_536,
  historyBytes: 1024 * 1024,
  partBytes: 8 * 1024 * 1024,
  heldUpMs: 500,
};

/** Feeds beside the shared one use the server ids after the source's own; more than these there are not. */
export const SIDE_FEEDS = 15;
const SIDE_SHARE = 4;

export class BinlogEngine implements CanalEngine {
  readonly #options: EngineOptions;
  readonly #limits: FeedLimits;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #state: RunningState;
  readonly #session: SourceSession;
  readonly #schemaReader: SchemaReader;
  readonly #readers = new Set<FeedReader>();
  /** By slot: 0 is the shared feed when it begins; a feed keeps its slot when its role changes. */
  readonly #feeds = new Map<SourceFeed, number>();
  #shared: SourceFeed | null = null;
  #facts: SourceFacts;
  #trouble: HoltError | null = null;
  #linger: AbortController | null = null;
  #opening: Promise<unknown> = Promise.resolve();

  private constructor(options: EngineOptions, facts: SourceFacts, namesAreCaseSensitive: boolean) {
    this.#options = options;
    this.#facts = facts;
    this.namesAreCaseSensitive = namesAreCaseSensitive;
    this.#limits = { ...DEFAULT_FEED_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#state = new RunningState({ clock: this.#clock });
    this.#session = new SourceSession({ endpoint: options.source });
    this.#schemaReader = new SchemaReader({
      query: (sql) => this.#session.query(sql, this.#state.signal),
    });
  }

  /** Whether schema and table names that differ in case only are different tables at this source. */
  readonly namesAreCaseSensitive: boolean;

  /**
   * Connects once and checks that the source can be followed.
   * @throws what `checkSource` throws
   */
  static async open(options: EngineOptions, signal: AbortSignal): Promise<BinlogEngine> {
    const { source } = options;
    const facts = await checkSource(
      {
        endpoint: source,
        serverId: source.serverId,
        ...(options.wants === undefined ? {} : { wants: options.wants }),
      },
      signal,
    );
    const connection = await ServerConnection.connect({ endpoint: source, purpose: 'source facts' }, signal);
    try {
      const { rows } = await connection.query('SELECT @@global.lower_case_table_names');
      return new BinlogEngine(options, facts, rows[0]?.[0]?.toString('latin1') === '0');
    } finally {
      await connection.close();
    }
  }

  get source(): SourceIdentity {
    return this.#facts;
  }

  /** Whether the source logs commit times to the µs; where it does not, more heartbeats make lag exact. */
  get logsExactCommitTimes(): boolean {
    const [major, minor, patch] = this.#facts.versionNumber;
    return this.#facts.flavour === 'mysql' && (major > 8 || (major === 8 && (minor > 0 || patch >= 1)));
  }

  get status(): EngineStatus {
    return {
      feeds: [...this.#feeds.keys()].map((feed) => ({
        name: feed.name,
        isShared: feed === this.#shared,
        position: feed.position,
        transactions: feed.transactions,
        ringItems: feed.ring.putCursor - feed.ring.oldest,
        ringBytes: feed.ring.bytes,
        readers: feed.ring.readers.map((one) => one.name),
        failure: feed.failure,
      })),
      trouble: this.#trouble,
    };
  }

  async run(): Promise<void> {
    // Feeds begin with their readers and end with them; there is nothing to do in between.
    await new Promise<void>((resolve) => {
      if (!this.#state.shouldRun()) resolve();
      else this.#state.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await this.#shutDown();
  }

  async stop(): Promise<void> {
    this.#state.requestStop(new AbortError('the canal engine stops'));
    await this.#shutDown();
  }

  openReader(options: ReaderOptions): Promise<CanalReader> {
    // One after another: which feed a reader joins depends on those before.
    const opened = this.#opening.then(() => this.#openReader(options));
    this.#opening = opened.catch(() => {});
    return opened;
  }

  async #openReader(options: ReaderOptions): Promise<CanalReader> {
    this.#state.signal.throwIfAborted();
    const reader = new FeedReader({
      reader: options,
      onMayJoin: (one) => this.#joinIfLevel(one),
      onClose: (one) => this.#closeReader(one),
    });
    this.#readers.add(reader);
    for (const feed of this.#feeds.keys()) reader.admitTo(feed);
    const at = this.#placeInShared(reader, options.start);
    if (at !== null && this.#shared !== null) {
      this.#cancelLinger();
      reader.move(this.#shared, at, true);
    } else if (this.#shared === null || this.#shared.isOver || this.#shared.ring.readers.length === 0) {
      await this.#replaceShared(options.start, options.readFrom ?? null);
      if (this.#shared !== null) reader.move(this.#shared, 0, true);
    } else this.#moveAside(reader, options.start, options.readFrom ?? null);
    this.#logger.info(
      { reader: options.name, position: options.start.text, shared: reader.isShared },
      'reader opened',
    );
    return reader;
  }

  resolveStart(start: StartConfig): Promise<Position> {
    return this.#ask((connection, facts) =>
      resolveStart({ endpoint: this.#options.source, connection, facts, start }, this.#state.signal),
    );
  }

  currentPosition(): Promise<Position> {
    return this.#ask((connection, facts) => currentPosition(connection, facts));
  }

  advance(text: PositionText, gtid: TransactionGtid | null, end: BinlogCoordinates): PositionText {
    const running = RunningPosition.from({ text, at: null, lastEvent: null });
    running.advance(gtid, end, null);
    return running.text;
  }

  async #ask<T>(question: (connection: ServerConnection, facts: SourceFacts) => Promise<T>): Promise<T> {
    const { source } = this.#options;
    const connection = await ServerConnection.connect(
      { endpoint: source, purpose: 'source position' },
      this.#state.signal,
    );
    try {
      return await question(connection, await readSourceFacts(connection));
    } finally {
      await connection.close();
    }
  }

  /** Where in the shared ring a reader that begins at `start` can go on, or null. */
  #placeInShared(reader: FeedReader, start: Position): number | null {
    const shared = this.#shared;
    if (shared === null || shared.isOver || start.at === null) return null;
    const at = shared.findBoundary(start.at, reader.versionIn(shared));
    // File and offset may mean another place on another server: the canonical text decides.
    return at !== null && shared.positionBefore(at).text === start.text ? at : null;
  }

  /** A reader on a feed of its own: into the shared one as soon as that has the place where it stands. */
  #joinIfLevel(reader: FeedReader): void {
    const own = reader.feed;
    const at = reader.position.at;
    if (own === null || own === this.#shared || at === null) return;
    if (this.#shared === null || this.#shared.isOver || this.#shared.ring.readers.length === 0) {
      const idle = this.#shared;
      this.#cancelLinger();
      this.#shared = own;
      reader.move(own, own.ring.cursorsOf(reader).get, true);
      if (idle !== null) this.#discard(idle);
      return;
    }
    const sequence = this.#shared.findBoundary(at, reader.versionIn(this.#shared));
    if (sequence === null || this.#shared.positionBefore(sequence).text !== reader.position.text) return;
    reader.move(this.#shared, sequence, true);
    this.#logger.info({ reader: reader.name }, 'reader is level with the others again');
    this.#discardIfEmpty(own);
  }

  #moveAside(reader: FeedReader, start: Position, readFrom: string | null): void {
    const feed = this.#startFeed(reader.name, start, readFrom, {
      ...this.#limits,
      ringBytes: Math.max(Math.floor(this.#limits.ringBytes / SIDE_SHARE), 2 * this.#limits.partBytes),
    });
    reader.move(feed, 0, false);
  }

  async #replaceShared(start: Position, readFrom: string | null): Promise<void> {
    const old = this.#shared;
    this.#cancelLinger();
    this.#shared = null;
    if (old !== null) {
      this.#feeds.delete(old);
      // Its server id is used again.
      await old.stop();
    }
    this.#shared = this.#startFeed('shared', start, readFrom, this.#limits);
  }

  #startFeed(name: string, start: Position, readFrom: string | null, limits: FeedLimits): SourceFeed {
    const slot = this.#freeSlot();
    const wants = (schema: string, table: string): boolean =>
      [...this.#readers].some((one) => one.wants(schema, table));
    const facts = new FactsCache({ source: this.#schemaReader, logger: this.#logger });
    facts.lookAhead(wants);
    const feed = new SourceFeed({
      name,
      start,
      limits,
      schema: new SchemaBook({ wants, facts }),
      openDump: (resume) => this.#dump(slot, start, readFrom, resume),
      onHeldUp: (from, blocking) => this.#release(from, blocking),
      logger: this.#logger.child({ feed: name }),
      clock: this.#clock,
    });
    this.#feeds.set(feed, slot);
    return feed;
  }

  #freeSlot(): number {
    const used = new Set(this.#feeds.values());
    for (let slot = 0; slot <= SIDE_FEEDS; slot++) if (!used.has(slot)) return slot;
    throw new HoltError(
      'HOLT_SOURCE_TOO_MANY_READERS',
      `${SIDE_FEEDS + 1} dump connections to ${this.#options.source.name} are in use`,
      { disposition: 'retry' },
    );
  }

  #dump(slot: number, start: Position, readFrom: string | null, resume: () => PositionText): EventFeed {
    return new ReconnectingDump({
      resume,
      open: (text, signal) => {
        const isFirst = text === start.text;
        return this.#openChecked(
          slot,
          isFirst ? start : { text, at: null, lastEvent: null },
          readFrom,
          signal,
        );
      },
      onTrouble: (trouble, attempt) => {
        this.#trouble = trouble;
        this.#options.onTrouble?.(trouble, attempt);
      },
      logger: this.#logger,
      clock: this.#clock,
    });
  }

  /** Before each dump: still the same server, and still with the history we are in. */
  async #openChecked(
    slot: number,
    position: Position,
    readFrom: string | null,
    signal: AbortSignal,
  ): Promise<DumpStream> {
    const { source } = this.#options;
    const connection = await ServerConnection.connect({ endpoint: source, purpose: 'source check' }, signal);
    try {
      const facts = await readSourceFacts(connection);
      const known = this.#facts.identity;
      this.#facts = facts;
      if (facts.identity !== known) {
        // Tables are asked about at the server that the address leads to now.
        await this.#session.close();
        throw new HoltError(
          'HOLT_SOURCE_CHANGED',
          `${source.name} is another server now: ${facts.identity}, and was ${known}`,
          { disposition: 'rewind', facts: { source: source.name, identity: facts.identity, was: known } },
        );
      }
      await checkPosition(
        { endpoint: source, connection, facts, position, readFrom, clock: this.#clock },
        signal,
      );
    } finally {
      await connection.close();
    }
    return await openDump(
      { endpoint: source, serverId: source.serverId + slot, start: position.text, clock: this.#clock },
      signal,
    );
  }

  /** Readers that keep others waiting go on over a connection of their own. */
  #release(feed: SourceFeed, blocking: readonly FeedMember[]): void {
    for (const reader of this.#readers) {
      if (!blocking.includes(reader) || reader.feed !== feed) continue;
      this.#logger.info(
        { reader: reader.name, position: reader.position.text },
        'reader fell behind and goes on over a connection of its own',
      );
      try {
        this.#moveAside(reader, reader.position, this.#facts.identity);
      } catch (error) {
        // No connection to be had: the others wait, and it is tried again.
        this.#logger.warn({ reader: reader.name, reason: String(error) }, 'no connection for a slow reader');
      }
    }
  }

  async #closeReader(reader: FeedReader): Promise<void> {
    this.#readers.delete(reader);
    const feed = reader.detach();
    if (feed === null) return;
    if (feed !== this.#shared || feed.isOver) {
      if (feed.ring.readers.length > 0) return;
      if (feed === this.#shared) this.#shared = null;
      this.#feeds.delete(feed);
      await feed.stop();
    } else if (feed.ring.readers.length === 0) this.#startLinger(feed);
  }

  #startLinger(feed: SourceFeed): void {
    this.#cancelLinger();
    const linger = new AbortController();
    this.#linger = linger;
    const either = AbortSignal.any([linger.signal, this.#state.signal]);
    this.#clock.sleep(this.#options.lingerMs ?? 10_000, either).then(
      () => {
        if (this.#shared === feed && feed.ring.readers.length === 0) {
          this.#shared = null;
          this.#discard(feed);
        }
      },
      () => {},
    );
  }

  #cancelLinger(): void {
    this.#linger?.abort();
    this.#linger = null;
  }

  #discardIfEmpty(feed: SourceFeed): void {
    if (feed.ring.readers.length === 0 && feed !== this.#shared) this.#discard(feed);
  }

  /** Ends a feed in the background; its slot is free once its connection is gone. */
  #discard(feed: SourceFeed): void {
    feed.stop().then(
      () => this.#feeds.delete(feed),
      (error) => {
        this.#feeds.delete(feed);
        this.#logger.warn({ feed: feed.name, reason: String(error) }, 'a feed did not end well');
      },
    );
  }

  async #shutDown(): Promise<void> {
    this.#cancelLinger();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    const feeds = [...this.#feeds.keys()];
    this.#feeds.clear();
    this.#shared = null;
    await Promise.all(feeds.map((feed) => feed.stop()));
    await this.#session.close();
  }
}
