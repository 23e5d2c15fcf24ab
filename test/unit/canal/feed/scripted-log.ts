import { FeedHub, type FeedHubOptions } from '../../../../canal/feed/feed-hub.ts';
import { type FeedLimits, SourceFeed } from '../../../../canal/feed/source-feed.ts';
import { FactsCache } from '../../../../canal/schema/facts-cache.ts';
import { SchemaBook } from '../../../../canal/schema/schema-book.ts';
import type { TableFacts } from '../../../../canal/schema/table-facts.ts';
import type { EventFeed, FeedItem, RawEvent } from '../../../../canal/source/dump-stream.ts';
import { LogEvent } from '../../../../canal/source/log-event.ts';
import { Waiters } from '../../../../lib/waiters.ts';
import { type Position, type PositionText, parseFilePosition } from '../../../../model/position.ts';
import type { SourceItem } from '../../../../model/source-item.ts';
import { tableMapBody, u16, u48 } from '../../../support/binlog-bytes.ts';
import { LogWriter } from '../../../support/raw-events.ts';

const FILE = 'binlog.000001';
const INT = 3;

export const INT_TABLE: TableFacts = {
  columns: [{ name: 'id', declared: 'int', nullable: true, octetLength: null, collation: 0 }],
  primaryKey: ['id'],
  uniqueKeys: [],
  type: 'BASE TABLE',
};

/** A log without GTIDs, of tables with one INT column, that grows while feeds read it. */
export class ScriptedLog {
  readonly events: RawEvent[] = [];
  readonly grown = new Waiters();
  readonly #writer = new LogWriter();
  readonly #tables = new Map<string, number>();
  /** Feeds that are open now. */
  readonly open = new Set<ScriptedFeed>();

  constructor() {
    this.#add(this.#writer.formatDescription());
  }

  get end(): Position {
    return at(this.#writer.offset);
  }

  /** BEGIN, an event per row (`table id`), XID. */
  transaction(...rows: readonly (readonly [table: string, id: number])[]): void {
    this.#add(this.#writer.query('BEGIN'));
    for (const [table, id] of rows) this.row(table, id);
    this.#add(this.#writer.xid());
  }

  begin(): void {
    this.#add(this.#writer.query('BEGIN'));
  }

  row(table: string, id: number): void {
    const tableId = this.#tables.get(table) ?? this.#tables.size + 1;
    this.#tables.set(table, tableId);
    this.#add(this.#writer.event({ type: 'tableMap', body: tableMapBody({ tableId, table, types: [INT] }) }));
    const value = Buffer.alloc(5);
    value.writeInt32LE(id, 1);
    const body = Buffer.concat([u48(tableId), u16(1), u16(2), Buffer.of(1, 0xff), value]);
    this.#add(this.#writer.event({ type: 'writeRowsV2', body }));
  }

  commit(): void {
    this.#add(this.#writer.xid());
  }

  /** An event of no transaction. */
  stop(): void {
    this.#add(this.#writer.event({ type: 'stop', body: Buffer.alloc(0) }));
  }

  statement(sql: string): void {
    this.#add(this.#writer.query(sql));
  }

  #add(bytes: Buffer): void {
    const end = this.#writer.offset;
    this.events.push(new LogEvent(bytes, 0, bytes.length, true).placed(FILE, end - bytes.length, end));
    this.grown.wake();
  }
}

/** One dump of the log. */
export class ScriptedFeed implements EventFeed {
  readonly #log: ScriptedLog;
  readonly #resume: () => Position;
  #next: number;
  #isClosed = false;
  #interruption: FeedItem | null = null;
  #isLost = false;
  #isFirst = true;

  constructor(log: ScriptedLog, resume: () => Position) {
    this.#log = log;
    this.#resume = resume;
    this.#next = this.#indexOf(resume());
    log.open.add(this);
  }

  /** Loses the connection; as with a real one, the next is made when everything handed out has been taken. */
  interrupt(): void {
    this.#isLost = true;
    this.#log.grown.wake();
  }

  next(): FeedItem | null {
    if (this.#isClosed) throw new Error('closed');
    if (this.#isLost) return null;
    const interruption = this.#interruption;
    this.#interruption = null;
    if (interruption !== null) return interruption;
    // Every dump begins with the format of the file.
    const [format] = this.#log.events;
    if (this.#isFirst && format !== undefined) {
      this.#isFirst = false;
      if (this.#next > 0)
        return new LogEvent(format.memory, format.from, format.to, true).placed(format.file, 4, 4);
    }
    const event = this.#log.events[this.#next];
    if (event === undefined) return null;
    this.#next += 1;
    return event;
  }

  async fill(signal: AbortSignal): Promise<void> {
    if (this.#isLost) {
      this.#isLost = false;
      this.#isFirst = true;
      this.#next = this.#indexOf(this.#resume());
      this.#interruption = { kind: 'interrupted', reason: 'test' };
    }
    if (this.#interruption === null && this.#next >= this.#log.events.length)
      await this.#log.grown.wait(signal);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#log.open.delete(this);
    this.#log.grown.wake();
    return Promise.resolve();
  }

  #indexOf(position: Position): number {
    const { offset } = parseFilePosition(position.text);
    return this.#log.events.findIndex((event) => event.start >= offset) < 0
      ? this.#log.events.length
      : this.#log.events.findIndex((event) => event.start >= offset);
  }
}

export function at(offset: number): Position {
  return {
    text: `file:srv:${FILE}:${offset}` as PositionText,
    at: { file: FILE, offset },
    lastEvent: null,
  };
}

export const LIMITS: FeedLimits = {
  ringBytes: 100_000,
  ringItems: 64,
  historyBytes: 100_000,
  partBytes: 50_000,
  heldUpMs: 10,
};

export function hubOn(
  log: ScriptedLog,
  change: Partial<FeedHubOptions> & { readonly feedLimits?: Partial<FeedLimits> } = {},
): FeedHub {
  const { feedLimits, ...options } = change;
  return new FeedHub({
    startFeed: ({ name, start, limits, wants, onHeldUp }) =>
      new SourceFeed({
        name,
        start,
        limits,
        schema: new SchemaBook({
          wants,
          facts: new FactsCache({
            source: { read: () => Promise.resolve(INT_TABLE), readAll: () => Promise.resolve([]) },
          }),
        }),
        openDump: (resume) => new ScriptedFeed(log, resume),
        onHeldUp,
      }),
    identity: () => 'srv',
    limits: { ...LIMITS, ...feedLimits },
    maxFeeds: 4,
    lingerMs: 10_000,
    ...options,
  });
}

/** `table id` of every row of the item. */
export function rowsIn(item: SourceItem): string[] {
  if (item.kind !== 'rows') return [item.kind];
  return item.rows.map((rows) => `${rows.shape.table} ${rows.data.readInt32LE(1)}`);
}
