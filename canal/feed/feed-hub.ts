/**
 * Which reader reads from which feed.
 *
 *     readers ──┬──► shared feed: one dump connection, one ring        the normal case
 *               └──► feeds of their own: readers that start elsewhere or fell behind
 *                        │
 *                        └── level with the shared feed at a boundary between transactions ──► back into it
 *
 * The shared feed begins with the first reader. Whoever keeps the ring full while others have nothing to read gets a feed of its
 * own. A reader that comes back within a few seconds, as on a rewind, finds the shared feed still running.
 */
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import type { Position } from '../../model/position.ts';
import type { TableDefinition } from '../../model/source-item.ts';
import type { CanalReader, ReaderOptions } from '../canal.ts';
import { FeedReader } from './feed-reader.ts';
import type { FeedLimits, FeedMember, SourceFeed } from './source-feed.ts';

export interface FeedRequest {
  readonly name: string;
  /** Tells the feeds of one hub apart while they run: 0 to `maxFeeds` - 1. */
  readonly slot: number;
  readonly start: Position;
  /** Identity of the server on which `start.at` was read; null where it is not known. */
  readonly readFrom: string | null;
  readonly limits: FeedLimits;
  /** What any reader wants; may change while the feed runs. */
  readonly wants: (schema: string, table: string) => boolean;
  /** Whether any reader counts rows. */
  readonly countsRows: boolean;
  /** What is known of tables at `start`. */
  readonly given: readonly TableDefinition[];
  readonly onHeldUp: (feed: SourceFeed, blocking: readonly FeedMember[]) => void;
}

export interface FeedHubOptions {
  /** Begins to read. */
  readonly startFeed: (request: FeedRequest) => SourceFeed;
  /** Identity of the server that is read from, for readers that are moved. */
  readonly identity: () => string;
  readonly limits: FeedLimits;
  readonly maxFeeds: number;
  /** How long the shared feed goes on without readers. */
  readonly lingerMs: number;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** A feed of one reader needs less room than one of all. */
const SIDE_SHARE = 4;

export class FeedHub {
  readonly #options: FeedHubOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #readers = new Set<FeedReader>();
  /** With their slots. */
  readonly #feeds = new Map<SourceFeed, number>();
  #shared: SourceFeed | null = null;
  #linger: AbortController | null = null;
  #opening: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: FeedHubOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
  }

  get feeds(): readonly SourceFeed[] {
    return [...this.#feeds.keys()];
  }

  /** The feed that readers share; null when there is none. */
  get shared(): SourceFeed | null {
    return this.#shared;
  }

  open(options: ReaderOptions): Promise<CanalReader> {
    // One after another: which feed a reader joins depends on those before.
    const opened = this.#opening.then(() => this.#open(options));
    this.#opening = opened.catch(() => {});
    return opened;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelLinger();
    await Promise.all([...this.#readers].map((reader) => reader.close()));
    const feeds = this.feeds;
    this.#feeds.clear();
    this.#shared = null;
    await Promise.all(feeds.map((feed) => feed.stop()));
  }

  async #open(options: ReaderOptions): Promise<CanalReader> {
    if (this.#isClosed)
      throw new HoltError('HOLT_SOURCE_READER_CLOSED', `the engine is closed to ${options.name}`, {
        disposition: 'retry',
      });
    const reader = new FeedReader({
      reader: options,
      onMayJoin: (one) => this.#joinIfLevel(one),
      onClose: (one) => this.#closeReader(one),
    });
    this.#readers.add(reader);
    try {
      await this.#place(reader, options.start, options.readFrom ?? null);
    } catch (error) {
      this.#readers.delete(reader);
      throw error;
    }
    this.#logger.info(
      { reader: options.name, position: options.start.text, shared: reader.isShared },
      'reader opened',
    );
    return reader;
  }

  async #place(reader: FeedReader, start: Position, readFrom: string | null): Promise<void> {
    for (const feed of this.#feeds.keys()) reader.admitTo(feed);
    const shared = this.#shared;
    const at = shared === null ? null : sequenceOf(shared, start, reader);
    if (shared !== null && at !== null) {
      this.#cancelLinger();
      reader.move(shared, at, true);
    } else if (shared === null || shared.isOver || shared.ring.readers.length === 0) {
      this.#cancelLinger();
      this.#shared = null;
      if (shared !== null) await this.#end(shared);
      this.#shared = this.#start('shared', start, readFrom, this.#options.limits, reader.given);
      reader.beginsWith(this.#shared);
      reader.move(this.#shared, 0, true);
    } else reader.beginsWith(this.#moveAside(reader, start, readFrom, reader.given));
  }

  /** A reader on a feed of its own: into the shared one as soon as that has the place where it stands. */
  #joinIfLevel(reader: FeedReader): void {
    const own = reader.feed;
    const shared = this.#shared;
    if (own === null || own === shared) return;
    if (shared === null || shared.isOver || shared.ring.readers.length === 0) {
      // The others are gone: this feed is the one to be shared from now on.
      this.#cancelLinger();
      this.#shared = own;
      reader.share();
      if (shared !== null) this.#discard(shared);
      return;
    }
    const sequence = sequenceOf(shared, reader.position, reader);
    if (sequence === null) return;
    reader.move(shared, sequence, true);
    this.#logger.info({ reader: reader.name }, 'reader is level with the others again');
    if (own.ring.readers.length === 0) this.#discard(own);
  }

  #moveAside(
    reader: FeedReader,
    start: Position,
    readFrom: string | null,
    given: readonly TableDefinition[],
  ): SourceFeed {
    const { limits } = this.#options;
    const ringBytes = Math.max(Math.floor(limits.ringBytes / SIDE_SHARE), 2 * limits.partBytes);
    const feed = this.#start(reader.name, start, readFrom, { ...limits, ringBytes }, given);
    reader.move(feed, 0, false);
    return feed;
  }

  #start(
    name: string,
    start: Position,
    readFrom: string | null,
    limits: FeedLimits,
    given: readonly TableDefinition[],
  ): SourceFeed {
    const slot = this.#freeSlot();
    const feed = this.#options.startFeed({
      name,
      slot,
      start,
      readFrom,
      limits,
      wants: (schema, table) => [...this.#readers].some((one) => one.wants(schema, table)),
      countsRows: [...this.#readers].some((one) => one.countsRows),
      given,
      onHeldUp: (from, blocking) => this.#release(from, blocking),
    });
    this.#feeds.set(feed, slot);
    return feed;
  }

  #freeSlot(): number {
    const used = new Set(this.#feeds.values());
    for (let slot = 0; slot < this.#options.maxFeeds; slot++) if (!used.has(slot)) return slot;
    throw new HoltError(
      'HOLT_SOURCE_TOO_MANY_READERS',
      `all ${this.#options.maxFeeds} dump connections are in use`,
      { disposition: 'retry' },
    );
  }

  /** Readers that keep others waiting go on over a connection of their own. */
  #release(feed: SourceFeed, blocking: readonly FeedMember[]): void {
    for (const reader of this.#readers) {
      if (!blocking.includes(reader) || reader.feed !== feed) continue;
      try {
        // What was given is true where it began, and it is further by now.
        this.#moveAside(reader, reader.position, this.#options.identity(), []);
      } catch (error) {
        // None to be had: the others wait, and it is tried again.
        this.#logger.warn(
          { reader: reader.name, reason: messageOf(error) },
          'no connection for a reader that fell behind',
        );
        return;
      }
      this.#logger.info(
        { reader: reader.name, position: reader.position.text },
        'reader fell behind and goes on over a connection of its own',
      );
    }
  }

  async #closeReader(reader: FeedReader): Promise<void> {
    this.#readers.delete(reader);
    const feed = reader.detach();
    if (feed === null || feed.ring.readers.length > 0) return;
    if (feed === this.#shared && !feed.isOver && !this.#isClosed) {
      this.#startLinger(feed);
      return;
    }
    if (feed === this.#shared) this.#shared = null;
    await this.#end(feed);
  }

  #startLinger(feed: SourceFeed): void {
    this.#cancelLinger();
    const linger = new AbortController();
    this.#linger = linger;
    this.#clock.sleep(this.#options.lingerMs, linger.signal).then(
      () => {
        if (this.#shared !== feed || feed.ring.readers.length > 0) return;
        this.#shared = null;
        this.#discard(feed);
      },
      () => {},
    );
  }

  #cancelLinger(): void {
    this.#linger?.abort();
    this.#linger = null;
  }

  /** Ends a feed in the background. */
  #discard(feed: SourceFeed): void {
    this.#end(feed).catch((error: unknown) => {
      this.#logger.warn({ feed: feed.name, reason: messageOf(error) }, 'a feed did not end well');
    });
  }

  /** Its slot is free once its connection is gone. */
  async #end(feed: SourceFeed): Promise<void> {
    try {
      await feed.stop();
    } finally {
      this.#feeds.delete(feed);
    }
  }
}

/** Where in the feed's ring a reader that stands at `position` can go on, or null. */
function sequenceOf(feed: SourceFeed, position: Position, reader: FeedReader): number | null {
  if (feed.isOver || position.at === null) return null;
  const sequence = feed.findBoundary(position.at, reader.versionIn(feed));
  // File and offset may mean another place on another server: the canonical text decides.
  return sequence !== null && feed.positionBefore(sequence).text === position.text ? sequence : null;
}
