/**
 * One dump connection, the assembler behind it, and the ring that its readers share.
 *
 *     dump ─► decoder ─► (schema) ─► assembler ─► ring ─► readers
 *
 * When the ring is full the feed stops pulling, and the source waits: back-pressure reaches the socket. A reader that keeps others
 * waiting that way is reported through `onHeldUp`; the engine gives it a feed of its own.
 */
import { Breather } from '../../lib/breather.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import { Waiters } from '../../lib/waiters.ts';
import type { BinlogCoordinates, Position, PositionText } from '../../model/position.ts';
import { RunningPosition } from '../../model/running-position.ts';
import type { SourceItem, TableDefinition } from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { readMark } from '../assembler/holt-rows.ts';
import { TransactionAssembler } from '../assembler/transaction-assembler.ts';
import { EventDecoder } from '../event/decoder.ts';
import type { BinlogEvent, EventHeader, TableMap } from '../event/event.ts';
import type { SchemaBook } from '../schema/schema-book.ts';
import type { EventFeed, RawEvent } from '../source/dump-stream.ts';
import { RingStore } from '../store/ring-store.ts';
import { compileRowScanner, type RowScanner } from '../value/row-scanner.ts';
import { compareCoordinates } from './coordinates.ts';

export interface FeedLimits {
  readonly ringBytes: number;
  /** A power of two. */
  readonly ringItems: number;
  /** What all readers have read stays so long, for one that comes back. */
  readonly historyBytes: number;
  readonly partBytes: number;
  /** How long a full ring may keep a reader waiting that has read everything. */
  readonly heldUpMs: number;
}

/** An item in the ring. */
export interface FeedEntry {
  readonly item: SourceItem;
  readonly bytes: number;
  /** Which version of "who wants what" it was assembled under; see `SchemaBook.wantsVersion`. */
  readonly wantsVersion: number;
}

/** A reader's place in a feed: its identity as far as the ring is concerned. */
export interface FeedMember {
  readonly name: string;
  /** In `next`, with nothing to read. */
  readonly isStarved: boolean;
}

export interface SourceFeedOptions {
  readonly name: string;
  readonly start: Position;
  /** Makes the shapes; the feed's own, since what a table map means depends on the place in the log. */
  readonly schema: SchemaBook;
  /** A dump that reconnects by itself, going on from what `resume` says. */
  readonly openDump: (resume: () => Position) => EventFeed;
  readonly limits: FeedLimits;
  /** Readers that hold a full ring back while others have nothing to read. */
  readonly onHeldUp: (feed: SourceFeed, blocking: readonly FeedMember[]) => void;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

type PayloadEvent = Extract<BinlogEvent, { kind: 'transaction-payload' }>;

/** Bytes of log between two looks at whether the thread was held for long. */
const LOOK_BYTES = 32 * 1024;
/** Bytes of log after which readers that wait get their turn: what they take is then still in the processor's cache, and dies young. */
const TURN_BYTES = 128 * 1024;

const MAX_UNWANTED = 1000;

const SCHEMA_RETRY_MS = { first: 100, most: 5_000 };

export class SourceFeed {
  readonly name: string;
  readonly ring: RingStore<FeedEntry, FeedMember>;
  readonly #options: SourceFeedOptions;
  readonly #dump: EventFeed;
  readonly #assembler: TransactionAssembler;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #breather = new Breather();
  /** Items came, or the feed ended. */
  readonly #news = new Waiters();
  /** Readers acknowledged, left or came. */
  readonly #freed = new Waiters();
  readonly #assembled: SourceItem[] = [];
  readonly #scanners = new WeakMap<TableShape, RowScanner>();
  #lastShape: TableShape | null = null;
  #lastScanner: RowScanner | null = null;
  /** Of tables nobody wants, by their map. */
  readonly #unwanted = new Map<string, RowScanner>();
  readonly #done: Promise<void>;
  #decoder = new EventDecoder();
  /** Behind the last whole transaction that was assembled: where a new connection goes on. */
  readonly #head: RunningPosition;
  /** Before the oldest item in the ring. */
  readonly #tail: RunningPosition;
  /** The first parts of a transaction have left the ring, and the rest has not: its start cannot be read here any more. */
  #tailIsInside = false;
  #failure: HoltError | null = null;
  /** Version under which the open transaction began. */
  #openVersion: number;
  #transactions = 0;
  #passed: BinlogCoordinates | null = null;

  constructor(options: SourceFeedOptions) {
    this.#options = options;
    this.name = options.name;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#head = RunningPosition.from(options.start);
    this.#tail = RunningPosition.from(options.start);
    this.#openVersion = options.schema.wantsVersion;
    this.ring = new RingStore({
      maxBytes: options.limits.ringBytes,
      maxItems: options.limits.ringItems,
      historyBytes: options.limits.historyBytes,
      onDrop: ({ item }) => {
        advance(this.#tail, item);
        this.#tailIsInside = item.kind === 'rows' && !item.lastPart;
      },
    });
    this.#assembler = new TransactionAssembler({
      shapeOf: (map) => options.schema.find(map) ?? null,
      countRows: (shape, event) =>
        shape.fault?.uncounted === true ? 1 : countRows(this.#scannerOf(shape), event),
      countsAll: () => options.schema.countsRows,
      countUnwanted: (map, event) => countRows(this.#unwantedScannerOf(map), event),
      readMark,
      partBytes: options.limits.partBytes,
      emit: (item) => this.#assembled.push(this.#withDefinitions(item)),
    });
    this.#dump = options.openDump(() => this.#head.position);
    this.#done = this.#run();
  }

  /** Tables whose definition where the feed began is known for sure. */
  async definitionsAtStart(): Promise<readonly TableDefinition[]> {
    const { at, lastEvent } = this.#options.start;
    if (at === null) return [];
    return await this.#options.schema.sureAt({ ...at, timestamp: lastEvent?.timestamp ?? null });
  }

  get schema(): SchemaBook {
    return this.#options.schema;
  }

  /** Why the feed ended; what is in the ring can still be read. Null while it runs, and after `stop`. */
  get failure(): HoltError | null {
    return this.#failure;
  }

  get isOver(): boolean {
    return this.#failure !== null || this.#stop.signal.aborted;
  }

  /** Behind the last transaction put into the ring. */
  get position(): Position {
    return this.#head.position;
  }

  get transactions(): number {
    return this.#transactions;
  }

  /**
   * How far the log has come, what is no transaction included (the beginning of a file, a checkpoint of the server): all before it is in the
   * ring. Null in the middle of a transaction, and of what has arrived.
   */
  get passed(): BinlogCoordinates | null {
    return this.#passed;
  }

  /** Resolves when there may be more to read, or the feed has ended. */
  news(signal: AbortSignal): Promise<void> {
    return this.#news.wait(signal);
  }

  /** Makes everybody in `news` look again. */
  wakeReaders(): void {
    this.#news.wake();
  }

  /** Called after a reader has acknowledged, left or joined: the ring may have room now. */
  released(): void {
    this.#freed.wake();
  }

  /**
   * Sequence from which a reader that stands at `at` can go on in this ring, or null: `at` must be a boundary between
   * transactions that is still there, and everything behind it assembled with what the reader wants.
   */
  findBoundary(at: BinlogCoordinates, wantsVersion: number): number | null {
    const { ring } = this;
    // Lowest sequence whose item ends behind `at`: the reader's next item, if the one before ends exactly there.
    let low = ring.oldest;
    let high = ring.putCursor;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { item } = ring.at(middle);
      const end = item.kind === 'interrupted' ? null : item.end;
      // An interruption stands inside a transaction that comes again: it ends where what is before it ends.
      const isBehind = end === null ? this.#endsBehind(middle, at) : compareCoordinates(end, at) > 0;
      if (isBehind) high = middle;
      else low = middle + 1;
    }
    const tail = this.#tailIsInside ? null : this.#tail.at;
    const before = low === ring.oldest ? tail : boundaryBehind(ring.at(low - 1).item);
    if (before === null || compareCoordinates(before, at) !== 0) return null;
    const version = low === ring.putCursor ? this.#nextVersion() : ring.at(low).wantsVersion;
    return version >= wantsVersion ? low : null;
  }

  /** The position before the item `sequence`: what lies between the oldest item and it, added up. */
  positionBefore(sequence: number): Position {
    if (sequence === this.ring.putCursor && this.#assembled.length === 0) return this.#head.position;
    const running = this.#tail.clone();
    for (let at = this.ring.oldest; at < sequence; at++) advance(running, this.ring.at(at).item);
    return running.position;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#dump.close();
    await this.#done;
  }

  /** Under which version the next item to be put will have been assembled. */
  #nextVersion(): number {
    return this.#assembler.isOpen ? this.#openVersion : this.#options.schema.wantsVersion;
  }

  #endsBehind(sequence: number, at: BinlogCoordinates): boolean {
    for (let index = sequence; index < this.ring.putCursor; index++) {
      const { item } = this.ring.at(index);
      if (item.kind !== 'interrupted') return compareCoordinates(item.end, at) > 0;
    }
    return true;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let sinceLook = 0;
    let sinceTurn = 0;
    try {
      while (!signal.aborted) {
        let last: RawEvent | null = null;
        for (let item = this.#dump.next(); item !== null; item = this.#dump.next()) {
          last = item.kind === 'event' ? item : null;
          if (item.kind === 'interrupted') {
            this.#decoder = new EventDecoder();
            this.#assembler.interrupted();
          } else {
            const { memory, header, from, to } = item;
            const rows = this.#decoder.passingRows(memory, header, from, to);
            if (rows !== null) this.#assembler.pushRows(rows, item, header);
            else {
              const map = this.#decoder.passingMap(memory, header, from, to);
              if (map === null) {
                const taking = this.#takeOther(item);
                if (taking !== null) await taking;
              } else {
                if (this.#isUnknown(map)) await this.#learn(map, item, header);
                this.#assembler.pushMap(map, item);
              }
            }
          }
          if (this.#assembled.length > 0 && !this.#store()) await this.#storeWhenRoom();
          // Most events are smaller than a look at the clock is dear.
          sinceLook += item.kind === 'interrupted' ? LOOK_BYTES : item.to - item.from;
          if (sinceLook >= LOOK_BYTES) {
            sinceTurn += sinceLook;
            sinceLook = 0;
            if (this.#breather.due()) await this.#breather.breathe();
            else if (sinceTurn >= TURN_BYTES) await null;
            if (sinceTurn >= TURN_BYTES) sinceTurn = 0;
            if (signal.aborted) return;
          }
        }
        if (last !== null)
          this.#passed = this.#assembler.isOpen ? null : { file: last.file, offset: last.end };
        await this.#dump.fill(signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#failure = asHoltError(error, this.#head.text);
      this.#logger.warn(
        { feed: this.name, code: this.#failure.code, reason: this.#failure.message },
        'reading the source ended',
      );
    } finally {
      this.#stop.abort();
      this.#news.wake();
      await this.#dump.close();
    }
  }

  /** What is neither rows nor a map that is known. Null where it is done: most is done at once. */
  #takeOther(item: RawEvent): Promise<void> | null {
    const event = this.#decoder.decodeVerified(item.memory, item.header, item.from, item.to);
    if (event.kind === 'transaction-payload') return this.#takePayload(event, item);
    if (event.kind === 'table-map' && this.#isUnknown(event.map))
      return this.#learn(event.map, item, event.header).then(() => this.#push(event, item, event.header));
    this.#push(event, item, event.header);
    return null;
  }

  /** A compressed transaction unpacks while it is read: what is assembled of it goes on before the rest is unpacked. */
  async #takePayload(payload: PayloadEvent, place: RawEvent): Promise<void> {
    for (const event of payload.events) {
      if (event.kind === 'table-map' && this.#isUnknown(event.map))
        await this.#learn(event.map, place, payload.header);
      this.#push(event, place, payload.header);
      if (this.#assembled.length > 0 && !this.#store()) await this.#storeWhenRoom();
      if (this.#breather.due()) await this.#breather.breathe();
      if (this.#stop.signal.aborted) return;
    }
  }

  #push(event: BinlogEvent, place: RawEvent, outer: EventHeader): void {
    if (!this.#assembler.isOpen) this.#openVersion = this.#options.schema.wantsVersion;
    this.#assembler.push(event, place, outer);
  }

  /** Moves what is assembled into the ring; false when it is full first. */
  #store(): boolean {
    let stored = 0;
    for (const item of this.#assembled) {
      const entry: FeedEntry = { item, bytes: item.bytes, wantsVersion: this.#openVersion };
      if (!this.ring.put(entry)) break;
      if (advance(this.#head, item)) this.#transactions += 1;
      stored += 1;
    }
    const all = stored === this.#assembled.length;
    if (all) this.#assembled.length = 0;
    else this.#assembled.splice(0, stored);
    if (stored > 0) this.#news.wake();
    return all;
  }

  async #storeWhenRoom(): Promise<void> {
    const { heldUpMs } = this.#options.limits;
    const { signal } = this.#stop;
    let since = this.#clock.monotonicMs();
    while (!this.#store()) {
      const waiting = new AbortController();
      const either = AbortSignal.any([signal, waiting.signal]);
      try {
        await Promise.race([
          this.#freed.wait(either).catch(ignoreAbort),
          this.#clock.sleep(heldUpMs, either).catch(ignoreAbort),
        ]);
      } finally {
        waiting.abort();
      }
      if (signal.aborted) return;
      const bytes = this.#assembled[0]?.bytes ?? 0;
      const blocking = this.ring.blocking(bytes);
      const heldUp = this.ring.readers.some((one) => one.isStarved && !blocking.includes(one));
      if (!heldUp) since = this.#clock.monotonicMs();
      else if (this.#clock.monotonicMs() - since >= heldUpMs) {
        this.#options.onHeldUp(this, blocking);
        since = this.#clock.monotonicMs();
      }
    }
  }

  /** With what it makes of tables, and what was met of them in it. */
  #withDefinitions(item: SourceItem): SourceItem {
    const { schema } = this.#options;
    let definitions: readonly TableDefinition[] = [];
    if (item.kind === 'statement') definitions = schema.passed(item);
    else if (item.kind === 'rows') {
      for (const one of item.statements) definitions = [...definitions, ...schema.passed(one)];
      const learned = schema.takeLearned();
      if (learned.length > 0) definitions = [...definitions, ...learned];
    }
    return item.kind === 'interrupted' || definitions.length === 0 ? item : { ...item, definitions };
  }

  #isUnknown(map: TableMap): boolean {
    return this.#options.schema.mustResolve(map);
  }

  /** Looks up a table that is not known yet; waits for a source that cannot be asked now. */
  async #learn(map: TableMap, place: RawEvent, header: EventHeader): Promise<void> {
    let delayMs = SCHEMA_RETRY_MS.first;
    while (this.#isUnknown(map)) {
      try {
        await this.#options.schema.resolve(map, {
          file: place.file,
          offset: place.start,
          timestamp: header.timestamp === 0 ? null : header.timestamp,
        });
      } catch (error) {
        if (!(error instanceof HoltError) || error.disposition !== 'retry') throw error;
        this.#logger.warn(
          { table: `${map.schema}.${map.table}`, code: error.code, reason: error.message },
          'a table cannot be looked up at the source, trying again',
        );
        await this.#clock.sleep(delayMs, this.#stop.signal);
        delayMs = Math.min(delayMs * 2, SCHEMA_RETRY_MS.most);
      }
    }
  }

  #unwantedScannerOf(map: TableMap): RowScanner {
    const key = map.raw.toString('latin1');
    const known = this.#unwanted.get(key);
    if (known !== undefined) return known;
    const scanner = compileRowScanner(this.schema.countingShape(map));
    if (this.#unwanted.size >= MAX_UNWANTED) this.#unwanted.clear();
    this.#unwanted.set(key, scanner);
    return scanner;
  }

  #scannerOf(shape: TableShape): RowScanner {
    if (shape === this.#lastShape && this.#lastScanner !== null) return this.#lastScanner;
    let scanner = this.#scanners.get(shape);
    if (scanner === undefined) {
      scanner = compileRowScanner(shape);
      this.#scanners.set(shape, scanner);
    }
    this.#lastShape = shape;
    this.#lastScanner = scanner;
    return scanner;
  }
}

function countRows(scanner: RowScanner, event: Extract<BinlogEvent, { kind: 'rows' }>): number {
  const { memory, before, after, partialJson, from, to } = event;
  return scanner.countRows(memory, before, after, partialJson, from, to);
}

/** Where the next transaction begins, if the item is the end of one. */
export function boundaryBehind(item: SourceItem): BinlogCoordinates | null {
  switch (item.kind) {
    case 'rows':
      return item.lastPart ? item.end : null;
    case 'statement':
    case 'xa-outcome':
      return item.end;
    case 'interrupted':
      return null;
    default:
      return item satisfies never;
  }
}

/** Moves a position behind the item; false if the item is not the end of a transaction. */
export function advance(running: RunningPosition, item: SourceItem): boolean {
  if (item.kind === 'interrupted' || (item.kind === 'rows' && !item.lastPart)) return false;
  // MariaDB logs an incident between transactions, without a GTID: no set of GTIDs says that it was read.
  if (item.kind === 'statement' && item.nature === 'incident' && item.gtid === null && !running.isByFile)
    return false;
  running.advance(item.gtid, item.end, item.lastEvent);
  return true;
}

function asHoltError(error: unknown, position: PositionText): HoltError {
  if (!(error instanceof HoltError))
    return new HoltError('HOLT_SOURCE_PROTOCOL', messageOf(error), {
      disposition: 'pause',
      facts: { position },
      cause: error,
    });
  // What fails once in the bytes of the log fails again at the same place.
  return error.disposition === 'retry' || error.facts.position !== undefined
    ? error
    : new HoltError(error.code, error.message, {
        disposition: error.disposition,
        ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
        facts: { ...error.facts, position },
        cause: error,
      });
}

function ignoreAbort(error: unknown): void {
  if (!isAbort(error)) throw error;
}
