import { HoltError } from '../../lib/errors.ts';
import { HOLT_SCHEMA } from '../../model/holt-tables.ts';
import type { BinlogCoordinates, Position } from '../../model/position.ts';
import { RunningPosition } from '../../model/running-position.ts';
import type { SourceItem, SourceRows, TableDefinition } from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import type { CanalReader, ReaderOptions } from '../canal.ts';
import type { FeedMember, SourceFeed } from './source-feed.ts';
import { advance } from './source-feed.ts';

export interface FeedReaderOptions {
  readonly reader: ReaderOptions;
  /** Called before the reader takes an item from a feed that is not the one all others share, and when it has nothing to read there. */
  readonly onMayJoin: (reader: FeedReader) => void;
  readonly onClose: (reader: FeedReader) => Promise<void>;
}

/** How many items a reader takes from a feed of its own between two looks at whether it is level. */
const LOOK_EVERY = 16;

/**
 * One consumer's way through feeds: usually the shared one; one of its own while it is behind. Moving between them, at
 * boundaries between transactions, is not seen from outside.
 */
export class FeedReader implements CanalReader, FeedMember {
  readonly #options: FeedReaderOptions;
  /** By feed: the version from which on its items have all that this reader wants. */
  readonly #admitted = new WeakMap<SourceFeed, number>();
  readonly #running: RunningPosition;
  readonly #verdicts = new Map<TableShape, boolean>();
  #lastShape: TableShape | null = null;
  #lastVerdict = false;
  #feed: SourceFeed | null = null;
  #isShared = false;
  #isStarved = false;
  #isClosed = false;
  /** Parts of a transaction have been handed out, and its end has not. */
  #isInParts = false;
  /** The next item: a transaction of which parts were handed out will come again. */
  #owesInterruption = false;
  #sinceLook = 0;
  #failure: unknown = null;
  #begun: SourceFeed | null = null;

  constructor(options: FeedReaderOptions) {
    this.#options = options;
    this.#running = RunningPosition.from(options.reader.start);
  }

  get name(): string {
    return this.#options.reader.name;
  }

  get wants(): ReaderOptions['wants'] {
    return this.#options.reader.wants;
  }

  /** What is known of tables where it begins. */
  get given(): readonly TableDefinition[] {
    return this.#options.reader.definitions ?? [];
  }

  /** A feed begins with it, where it begins itself. */
  beginsWith(feed: SourceFeed): void {
    this.#begun = feed;
  }

  async definitionsAtStart(): Promise<readonly TableDefinition[]> {
    const known = (await this.#begun?.definitionsAtStart()) ?? [];
    return known.filter(({ schema, table }) => this.wants(schema, table));
  }

  get countsRows(): boolean {
    return this.#options.reader.countsRows === true;
  }

  /** Makes its wishes known to a feed that runs already. */
  admitTo(feed: SourceFeed): void {
    this.#admitted.set(feed, feed.schema.admit(this.wants, this.countsRows));
  }

  /** The version of a feed's items that has all it wants: any, where the feed began after the reader. */
  versionIn(feed: SourceFeed): number {
    return this.#admitted.get(feed) ?? 0;
  }

  get isStarved(): boolean {
    return this.#isStarved;
  }

  get position(): Position {
    return this.#running.position;
  }

  get passed(): BinlogCoordinates | null {
    return this.hasNext || !this.isAtBoundary ? null : (this.#feed?.passed ?? null);
  }

  get feed(): SourceFeed | null {
    return this.#feed;
  }

  /** True while it reads from the feed that readers share. */
  get isShared(): boolean {
    return this.#isShared;
  }

  /** Between two transactions: only there may it change feeds. */
  get isAtBoundary(): boolean {
    return !this.#isInParts && !this.#owesInterruption;
  }

  /** Goes on in `feed` from its item `sequence`, which must begin where this reader stands. */
  move(feed: SourceFeed, sequence: number, isShared: boolean): void {
    this.#feed?.ring.remove(this);
    this.#feed?.released();
    if (this.#isInParts) this.#owesInterruption = true;
    this.#isInParts = false;
    feed.ring.add(this, sequence);
    feed.released();
    this.#feed = feed;
    this.#isShared = isShared;
    this.#sinceLook = 0;
  }

  /** Its feed has become the shared one. */
  share(): void {
    this.#isShared = true;
  }

  get hasNext(): boolean {
    if (this.#failure !== null || this.#owesInterruption) return true;
    return this.#feed !== null && (this.#feed.ring.waiting(this) > 0 || this.#feed.failure !== null);
  }

  async next(signal: AbortSignal): Promise<SourceItem> {
    for (;;) {
      const item = this.take();
      if (item !== null) return item;
      this.#isStarved = true;
      try {
        await this.#feed?.news(signal);
      } finally {
        this.#isStarved = false;
      }
    }
  }

  take(): SourceItem | null {
    if (this.#failure !== null) throw this.#failure;
    const item = this.#take();
    if (item !== null) return item;
    const feed = this.#feed;
    if (feed === null) throw closed(this.name);
    if (feed.failure !== null) throw feed.failure;
    return null;
  }

  ack(): void {
    const feed = this.#feed;
    if (feed === null) return;
    feed.ring.ack(this);
    feed.released();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure ??= closed(this.name);
    this.#feed?.wakeReaders();
    await this.#options.onClose(this);
  }

  /** Leaves its feed; what it has not read is no concern of the feed's any more. */
  detach(): SourceFeed | null {
    const feed = this.#feed;
    feed?.ring.remove(this);
    feed?.released();
    this.#feed = null;
    return feed;
  }

  #take(): SourceItem | null {
    if (this.#owesInterruption) {
      this.#owesInterruption = false;
      return { kind: 'interrupted', bytes: 0 };
    }
    if (!this.#isShared && this.#feed !== null && this.isAtBoundary) {
      this.#sinceLook += 1;
      if (this.#sinceLook >= LOOK_EVERY || this.#feed.ring.waiting(this) === 0) {
        this.#sinceLook = 0;
        this.#options.onMayJoin(this);
      }
    }
    const entry = this.#feed?.ring.get(this) ?? null;
    if (entry === null) return null;
    try {
      const item = this.#withOwnDefinitions(
        entry.item.kind === 'rows' ? this.#filter(entry.item) : entry.item,
      );
      advance(this.#running, item);
      this.#isInParts = item.kind === 'rows' && !item.lastPart;
      return item;
    } catch (error) {
      // What cannot be read now cannot be passed over either: the reader stays here until it is opened anew.
      this.#failure = error;
      throw error;
    }
  }

  /** Without definitions of tables that only others want. */
  #withOwnDefinitions(item: SourceItem): SourceItem {
    if (item.kind === 'interrupted' || item.definitions === undefined) return item;
    return { ...item, definitions: item.definitions.filter((one) => this.wants(one.schema, one.table)) };
  }

  /** Without rows of tables that only others want. */
  #filter(item: Extract<SourceItem, { kind: 'rows' }>): SourceItem {
    const { rows } = item;
    let wanted: SourceRows[] | null = null;
    for (let index = 0; index < rows.length; index++) {
      const one = rows[index];
      if (one === undefined) continue;
      const isWanted = this.#isWanted(one.shape);
      if (!isWanted) wanted ??= rows.slice(0, index);
      else wanted?.push(one);
    }
    return wanted === null ? item : { ...item, rows: wanted };
  }

  #isWanted(shape: TableShape): boolean {
    if (shape === this.#lastShape) return this.#lastVerdict;
    let verdict = this.#verdicts.get(shape);
    if (verdict === undefined) {
      const isOwn = shape.schema === HOLT_SCHEMA;
      verdict = isOwn || this.#options.reader.wants(shape.schema, shape.table);
      this.#verdicts.set(shape, verdict);
    }
    this.#lastShape = shape;
    this.#lastVerdict = verdict;
    return verdict;
  }
}

function closed(name: string): HoltError {
  return new HoltError('HOLT_SOURCE_READER_CLOSED', `the reader ${name} is closed`, { disposition: 'retry' });
}
