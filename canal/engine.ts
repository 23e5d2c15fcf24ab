/**
 * The canal engine of one source: what it takes to read from this server, made once and given to the feeds.
 *
 *     openReader ─► FeedHub ─► SourceFeed ─► ReconnectingDump ─► check of identity and position, dump
 *                                  └───────► SchemaBook ─► FactsCache ─► SchemaReader ─► one ordinary session
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
import { FeedHub, type FeedRequest } from './feed/feed-hub.ts';
import { type FeedLimits, SourceFeed } from './feed/source-feed.ts';
import { ServerConnection } from './protocol/server-connection.ts';
import { Certainty } from './schema/certainty.ts';
import { parseDefinition } from './schema/definition.ts';
import { FactsCache } from './schema/facts-cache.ts';
import { SchemaBook } from './schema/schema-book.ts';
import { SchemaReader } from './schema/schema-reader.ts';
import { SourceSession } from './schema/source-session.ts';
import { READ_NOTHING, type ReadTableChanges } from './schema/table-changes.ts';
import { currentPosition } from './source/current-position.ts';
import type { DumpStream, EventFeed } from './source/dump-stream.ts';
import { openDump } from './source/open-dump.ts';
import { checkPosition } from './source/position-check.ts';
import { ReconnectingDump } from './source/reconnecting-dump.ts';
import { resolveStart } from './source/resolve-start.ts';
import { scanStatements } from './source/scan-statements.ts';
import { checkSource } from './source/source-check.ts';
import { logStatusQuery, readSourceFacts, type SourceFacts } from './source/source-facts.ts';

export interface EngineOptions {
  readonly source: DataSourceConfig;
  /** Tables that will be replicated: the check at start tries to read them. Default: all that the account can see. */
  readonly wants?: (schema: string, table: string) => boolean;
  readonly limits?: Partial<FeedLimits>;
  /** How long the shared feed goes on without readers; default 10 s. */
  readonly lingerMs?: number;
  /** Told when a dump is lost and with null when it flows again. */
  readonly onTrouble?: (trouble: HoltError | null, attempt: number) => void;
  /** Reads what statements make of tables; without it, each that names a table makes it unknown. */
  readonly changes?: (
    source: SourceIdentity & { readonly versionNumber: readonly number[] },
  ) => ReadTableChanges;
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
  // What is kept long is dear to collect.
  historyBytes: 128 * 1024,
  partBytes: 8 * 1024 * 1024,
  heldUpMs: 500,
};

/** Dump connections to one source; each uses a server id of its own, from the source's `serverId` on upwards. */
export const MAX_FEEDS = 16;

export class BinlogEngine implements CanalEngine {
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #state: RunningState;
  readonly #session: SourceSession;
  readonly #schemaReader: SchemaReader;
  readonly #hub: FeedHub;
  #facts: SourceFacts;
  #trouble: HoltError | null = null;

  private constructor(options: EngineOptions, facts: SourceFacts, namesAreCaseSensitive: boolean) {
    this.#options = options;
    this.#facts = facts;
    this.namesAreCaseSensitive = namesAreCaseSensitive;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#state = new RunningState({ clock: this.#clock });
    this.#session = new SourceSession({ endpoint: options.source });
    this.#schemaReader = new SchemaReader({
      query: (sql) => this.#session.query(sql, this.#state.signal),
    });
    this.#hub = new FeedHub({
      startFeed: (request) => this.#startFeed(request),
      identity: () => this.#facts.identity,
      limits: { ...DEFAULT_FEED_LIMITS, ...options.limits },
      maxFeeds: MAX_FEEDS,
      lingerMs: options.lingerMs ?? 10_000,
      logger: this.#logger,
      clock: this.#clock,
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

  /** The statement whose answer begins with the file and offset where the source's log ends. */
  get logStatusSql(): string {
    return logStatusQuery(this.#facts);
  }

  get status(): EngineStatus {
    return {
      feeds: this.#hub.feeds.map((feed) => ({
        name: feed.name,
        isShared: feed === this.#hub.shared,
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
    return this.#hub.open(options);
  }

  resolveStart(start: StartConfig): Promise<Position> {
    return this.#ask((connection, facts) =>
      resolveStart({ endpoint: this.#options.source, connection, facts, start }, this.#state.signal),
    );
  }

  mustHave(text: PositionText): Promise<void> {
    const position: Position = { text, at: null, lastEvent: null };
    const { source } = this.#options;
    return this.#ask((connection, facts) =>
      checkPosition({ endpoint: source, connection, facts, position, readFrom: null, clock: this.#clock }),
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

  #startFeed(request: FeedRequest): SourceFeed {
    const { slot, start, readFrom, wants, countsRows } = request;
    const changes = this.#options.changes?.(this.#facts) ?? READ_NOTHING;
    const facts = new FactsCache({
      source: this.#schemaReader,
      certainty: {
        judge: new Certainty({
          scan: (from, to, maxBytes) =>
            scanStatements(this.#options.source, from, to, maxBytes, this.#state.signal),
          changes,
          timeIsWitness: this.#facts.flavour === 'mariadb' || this.#facts.versionNumber[0] < 8,
        }),
        end: () => this.#endOfLog(),
      },
      changes,
      given: request.given.flatMap(({ schema, table, definition }) => {
        const known = definition === null ? null : parseDefinition(definition);
        return known === null ? [] : [{ schema, table, facts: known }];
      }),
      logger: this.#logger,
    });
    facts.lookAhead(wants);
    return new SourceFeed({
      name: request.name,
      start,
      limits: request.limits,
      schema: new SchemaBook({ wants, facts, countsRows }),
      openDump: (resume) => this.#dump(slot, start, readFrom, resume),
      onHeldUp: request.onHeldUp,
      logger: this.#logger.child({ feed: request.name }),
      clock: this.#clock,
    });
  }

  async #endOfLog(): Promise<BinlogCoordinates> {
    const [row] = await this.#session.query(logStatusQuery(this.#facts), this.#state.signal);
    const [file, offset] = row ?? [];
    if (!file || !offset)
      throw new HoltError('HOLT_SOURCE_BINLOG_OFF', 'the source says no end of its log', {
        disposition: 'retry',
      });
    return { file, offset: Number(offset) };
  }

  #dump(slot: number, start: Position, readFrom: string | null, resume: () => Position): EventFeed {
    return new ReconnectingDump({
      resume: () => resume().text,
      open: (text, signal) => {
        // What this feed has read itself, it has read on the server that is known.
        const from = text === start.text ? readFrom : this.#facts.identity;
        return this.#openChecked(slot, text === start.text ? start : resume(), from, signal);
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
      {
        // A feed is done with an event before it asks for the next.
        isPassing: true,
        endpoint: source,
        serverId: source.serverId + slot,
        start: position.text,
        clock: this.#clock,
      },
      signal,
    );
  }

  async #shutDown(): Promise<void> {
    await this.#hub.close();
    await this.#session.close();
  }
}
