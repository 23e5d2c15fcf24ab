/**
 * Source items in, batches out: the pure core of Select.
 *
 * Batches are cut at transaction boundaries only, have one origin each, and chain: a batch starts, byte for byte, where
 * the one before ended, and what was passed over in between (filtered, foreign, Holt's own rows) lies inside the range of the next.
 * A transaction that comes in parts goes on in parts: they share one sequence number, and only the last moves the position.
 *
 * With `chunked`, each part becomes a batch of its own, and a target transaction of its own. Its position is inside the source's
 * transaction: how many rows of the log are done. After a restart those are left out, whatever the parts are then; with the last rows the
 * transaction joins the position.
 *
 * The rows of a prepared XA transaction are put aside. If its outcome comes before the batch is cut, they are written at that place or
 * forgotten; else they go with the batch that covers the PREPARE, as a body for Load to hold, and the outcome follows in a later one.
 * Whatever moves the position behind a PREPARE brings its body along, an empty one too: an XA COMMIT without a body
 * is one whose PREPARE was never read.
 *
 *     take(item) ─► 'taken'        it is in the pending batch, or passed over
 *                ─► 'cut-first'    cut the pending batch, then offer the item again
 *                ─► throws         pause: nothing of the item was taken; the pending batch is good and goes first
 */
import {
  type DdlRowChange,
  type Heartbeat,
  type LaneStart,
  readDdlRows,
  readHeartbeats,
  readLaneStarts,
} from '../../canal/assembler/holt-rows.ts';
import { compileRowScanner } from '../../canal/value/row-scanner.ts';
import { HoltError } from '../../lib/errors.ts';
import { type OpenChunk, splitChunk, withChunk } from '../../model/chunk-position.ts';
import type { BatchLimits } from '../../model/config.ts';
import { type DdlPolicy, type DdlPolicyKind, type DdlStatement, ddlActionOf } from '../../model/ddl.ts';
import type { SqlServer } from '../../model/ddl-kind.ts';
import { formatMysqlGtid } from '../../model/gtid-set.ts';
import { CHECKPOINT_TABLE, DDL_TABLE, HEARTBEAT_TABLE, HOLT_SCHEMA } from '../../model/holt-tables.ts';
import type { SiteId } from '../../model/ids.ts';
import { formatMariadbGtid } from '../../model/mariadb-gtid.ts';
import { PayloadWriter } from '../../model/payload.ts';
import type { BinlogCoordinates, Position, PositionText } from '../../model/position.ts';
import { ROW_FLAG } from '../../model/rows.ts';
import { RunningPosition } from '../../model/running-position.ts';
import type {
  LoadMark,
  SourceItem,
  SourceRows,
  SourceStatement,
  TableDefinition,
} from '../../model/source-item.ts';
import { changedTables, concernsReplicated, type ReplicatedTables } from './ddl.ts';
import { type DdlMark, DdlMarks } from './ddl-marks.ts';
import { judgeDdl } from './judge-ddl.ts';
import { MarkLedger } from './mark-ledger.ts';
import type { OnlineSchemaChanges, OnlineVerdict } from './online-schema-change.ts';

export type RowsItem = Extract<SourceItem, { kind: 'rows' }>;
export type StatementItem = Extract<SourceItem, { kind: 'statement' }>;
export type OutcomeItem = Extract<SourceItem, { kind: 'xa-outcome' }>;

export interface FormerOptions {
  readonly start: Position;
  /** The source's own site: origin of every transaction without a mark. */
  readonly site: SiteId;
  readonly origins: readonly SiteId[];
  readonly tables: ReplicatedTables;
  readonly limits: BatchLimits;
  /** Large transactions are cut into several. Default: they are not. */
  readonly chunked?: boolean;
  /** Default: stop at every one. */
  readonly ddl?: DdlPolicy;
  /** The source's words and how it compares names; needed where the policy replicates. */
  readonly server?: SqlServer;
  readonly caseSensitive?: boolean;
  /** The source's own explicit_defaults_for_timestamp, for statements whose event does not say; null where it has none. */
  readonly explicitDefaults?: boolean | null;
  /** gh-ost and pt-online-schema-change at the source; without it their statements are statements like others. */
  readonly onlineChanges?: OnlineSchemaChanges;
  /** Schema changes of Holt's own that were under way at the source at `start`. */
  readonly openDdl?: readonly DdlMark[];
  /** Name of the installation: heartbeats of another one say nothing here. */
  readonly cluster: string;
  /** Told of every heartbeat that was read. */
  readonly onHeartbeat?: (beat: ReadHeartbeat) => void;
  /** Reads Holt's own rows; real ones by default. */
  readonly holtRows?: {
    readonly heartbeats: (rows: SourceRows) => readonly Heartbeat[];
    readonly laneStarts: (rows: SourceRows) => readonly LaneStart[];
    readonly ddlRows?: (rows: SourceRows) => readonly DdlRowChange[];
  };
}

const HOLT_ROWS = { heartbeats: readHeartbeats, laneStarts: readLaneStarts, ddlRows: readDdlRows };

export interface FormedBatch {
  readonly origin: SiteId;
  readonly part: number;
  readonly lastPart: boolean;
  readonly start: PositionText;
  /** For a part that is not the last: the start. */
  readonly end: Position;
  readonly transactions: number;
  readonly rows: number;
  /** µs since 1970. */
  readonly firstCommitUs: number;
  readonly lastCommitUs: number;
  /** Behind its first transaction, and whether the log says that one's commit time to the µs. */
  readonly firstEnd: BinlogCoordinates;
  readonly firstIsExact: boolean;
  readonly payload: Buffer;
  /** Kind of the schema change that the batch is; null for rows. */
  readonly ddl: DdlPolicyKind | null;
  /** Online schema changes under way at `end`; absent where nothing has changed. */
  readonly onlineChanges?: string | null;
}

/** What lies between the end of the last batch (or empty advance) and the place reached. */
export interface Passed {
  readonly transactions: number;
  readonly bytes: number;
  /** True when all of it was Holt's own: marks alone and heartbeats. */
  readonly ownOnly: boolean;
  /** True when the place reached is in another binlog file. */
  readonly fileChanged: boolean;
}

export interface Advance {
  readonly start: PositionText;
  readonly end: Position;
  /** Commit time of the last transaction passed over, µs since 1970. */
  readonly lastCommitUs: number;
  /** Online schema changes under way at `end`; absent where nothing has changed. */
  readonly onlineChanges?: string | null;
  /** What tables of the source are at the end, where that is new. */
  readonly definitions: readonly TableDefinition[];
}

export interface SelectCounts {
  taken: number;
  filtered: number;
  foreign: number;
  own: number;
  statementsIgnored: number;
  /** Batches that hold a piece of a transaction, which commits by itself at the target. */
  chunks: number;
  /** Schema changes of replicated tables that the policy passes over. */
  ddlIgnored: number;
}

interface Pending {
  readonly origin: SiteId;
  readonly part: number;
  readonly lastPart: boolean;
  readonly ddl: DdlPolicyKind | null;
  firstCommitUs: number;
  lastCommitUs: number;
  readonly firstEnd: BinlogCoordinates;
  readonly firstIsExact: boolean;
}

/** The last transaction read, whatever became of it. */
export interface LastRead {
  readonly end: BinlogCoordinates;
  readonly commitUs: number;
  readonly commitIsExact: boolean;
}

/** A heartbeat row of the source's own site. */
export interface ReadHeartbeat {
  /** µs since 1970 by the source's clock. */
  readonly atUs: number;
  /** Behind its transaction. */
  readonly end: BinlogCoordinates;
  /** Of its transaction in the log. */
  readonly bytes: number;
}

/** A transaction in parts, between its first part and its last. */
interface Large {
  readonly carried: boolean;
  readonly origin: string;
  /** Parts handed on under one sequence number; none where each is a batch of its own. */
  emitted: number;
}

/** A prepared XA transaction whose outcome was not read yet, and whose body is in no batch yet. */
interface Prepared {
  readonly commitUs: number;
  readonly gtid: string;
  /** Those of replicated tables; may be none. */
  readonly rows: readonly SourceRows[];
  readonly rowCount: number;
  readonly bytes: number;
}

/** XA transactions that are remembered as held at the target; the outcome of one that is not goes alone in its batch. */
const MAX_HELD_XA = 10_000;

const STOP_AT_DDL: DdlPolicy = { default: 'stop', kinds: {} };
/** Executes every comment. */
const UNKNOWN_SERVER: SqlServer = { flavour: 'mysql', version: 0 };

interface DdlInside {
  readonly statement: SourceStatement;
  readonly kind: DdlPolicyKind;
}

export class BatchFormer {
  /** By table: what it is at the place reached, and is not written at the target yet. */
  readonly #definitions = new Map<string, TableDefinition>();
  /** By table: what is written at the target, or on its way there. */
  readonly #recorded = new Map<string, string | null>();
  readonly #options: FormerOptions;
  readonly #origins: ReadonlySet<string>;
  readonly #running: RunningPosition;
  readonly #marks = new MarkLedger();
  readonly #ddlMarks: DdlMarks;
  readonly #policy: DdlPolicy;
  readonly #writer: PayloadWriter;
  /** By id, in the order of the log. */
  readonly #prepared = new Map<string, Prepared>();
  #preparedRows = 0;
  #preparedBytes = 0;
  /** Ids of XA transactions whose bodies went out under this reign, newest last. */
  readonly #heldXa = new Set<string>();
  readonly counts: SelectCounts = {
    taken: 0,
    filtered: 0,
    foreign: 0,
    own: 0,
    statementsIgnored: 0,
    chunks: 0,
    ddlIgnored: 0,
  };
  /** End of the last batch or advance. */
  #start: Position;
  #pending: Pending | null = null;
  /** Nothing more goes into the pending batch. */
  #alone = false;
  #large: Large | null = null;
  /** The transaction of which a beginning is done, or pending, and the rest is not. */
  #chunk: OpenChunk | null;
  #passedTransactions = 0;
  #passedBytes = 0;
  #passedOwnOnly = true;
  #lastCommitUs = 0;
  #lastEnd: BinlogCoordinates | null = null;
  #lastReadUs = 0;
  #lastIsExact = false;
  #upstreamMs: number | null = null;
  #onlineJudged: { readonly item: StatementItem; readonly verdict: OnlineVerdict } | null = null;
  /** State of online schema changes behind the last item taken, and as the last batch or advance told it. */
  #onlineHere: string | null;
  #onlineTold: string | null;
  #heartbeatUs: number | null = null;

  constructor(options: FormerOptions) {
    this.#options = options;
    this.#origins = new Set(options.origins);
    const { base, chunk } = splitChunk(options.start);
    this.#running = RunningPosition.from(base);
    this.#chunk = chunk;
    this.#start = options.start;
    this.#onlineHere = options.onlineChanges?.state ?? null;
    this.#onlineTold = this.#onlineHere;
    this.#ddlMarks = new DdlMarks(options.openDdl);
    this.#policy = options.ddl ?? STOP_AT_DDL;
    this.#writer = new PayloadWriter();
  }

  get hasPending(): boolean {
    return this.#pending !== null;
  }

  get pendingRows(): number {
    return this.#pending === null ? 0 : this.#writer.rows + this.#preparedRows;
  }

  get pendingBytes(): number {
    return this.#pending === null ? 0 : this.#writer.bytes + this.#preparedBytes;
  }

  /** True when the pending batch is a schema change: it goes alone. */
  get pendingIsDdl(): boolean {
    return this.#pending !== null && this.#pending.ddl !== null;
  }

  /** Commit time (µs) of the first transaction of the pending batch; 0 without one. */
  get firstCommitUs(): number {
    return this.#pending?.firstCommitUs ?? 0;
  }

  /** True when nothing more goes into the pending batch. */
  get isFull(): boolean {
    const { maxRows, maxBytes } = this.#options.limits;
    return (
      this.#pending !== null &&
      (this.#alone ||
        !this.#pending.lastPart ||
        this.#pending.part > 0 ||
        this.#pending.ddl !== null ||
        this.pendingRows >= maxRows ||
        this.pendingBytes >= maxBytes)
    );
  }

  /** Where reading has come to: behind the last whole transaction taken or passed over, and what is done of the next in chunks. */
  get position(): Position {
    return withChunk(this.#running.position, this.#chunk);
  }

  /** The transaction that is being cut into several. */
  get chunk(): OpenChunk | null {
    return this.#chunk;
  }

  /** Source time (µs) of this site's newest heartbeat row that was read: everything committed before it has been read. */
  get heartbeatUs(): number | null {
    return this.#heartbeatUs;
  }

  /** What the pending batch begins with; null without one. */
  get pendingFirst(): LastRead | null {
    const pending = this.#pending;
    if (pending === null) return null;
    return { end: pending.firstEnd, commitUs: pending.firstCommitUs, commitIsExact: pending.firstIsExact };
  }

  get lastRead(): LastRead | null {
    if (this.#lastEnd === null) return null;
    return { end: this.#lastEnd, commitUs: this.#lastReadUs, commitIsExact: this.#lastIsExact };
  }

  /** Delay that the source itself had, as a replica, with the last transaction that says so; ms. */
  get upstreamMs(): number | null {
    return this.#upstreamMs;
  }

  /** Commit time (µs) of the last transaction read. */
  get lastCommitUs(): number {
    return this.#lastCommitUs;
  }

  /** Null when nothing was passed over since the last batch or advance, or a batch is pending. */
  get passed(): Passed | null {
    if (this.#passedTransactions === 0 || this.#pending !== null || this.#large !== null) return null;
    return {
      transactions: this.#passedTransactions,
      bytes: this.#passedBytes,
      ownOnly: this.#passedOwnOnly,
      fileChanged: this.#start.at?.file !== this.#running.at?.file,
    };
  }

  /** What stands at the target of tables of the source. */
  recorded(definitions: readonly TableDefinition[]): void {
    for (const one of definitions) this.#recorded.set(definitionKey(one), one.definition);
  }

  /** What was known where reading began, of tables that nothing else was heard of since. */
  knewAtStart(definitions: readonly TableDefinition[]): void {
    this.#note(definitions.filter((one) => !this.#recorded.has(definitionKey(one))));
  }

  /** What is written of these tables is to go. */
  knewNothingOf(definitions: readonly TableDefinition[]): void {
    this.#note(definitions.map(({ schema, table }) => ({ schema, table, definition: null })));
  }

  /** True when the target is to learn what tables of the source are. */
  get hasDefinitions(): boolean {
    return this.#definitions.size > 0;
  }

  #note(definitions: readonly TableDefinition[]): void {
    for (const one of definitions) {
      const key = definitionKey(one);
      if (this.#recorded.get(key) === one.definition) continue;
      this.#recorded.set(key, one.definition);
      this.#definitions.set(key, one);
    }
  }

  #takeDefinitions(): readonly TableDefinition[] {
    const definitions = [...this.#definitions.values()];
    this.#definitions.clear();
    return definitions;
  }

  take(item: SourceItem): 'taken' | 'cut-first' {
    const taken = this.#take(item);
    if (taken === 'taken' && item.kind !== 'interrupted') {
      if (item.definitions !== undefined) this.#note(item.definitions);
      this.#lastEnd = item.end;
      this.#lastReadUs = item.commitUs;
      this.#lastIsExact = item.commitIsExact;
      if (item.commitIsExact)
        this.#upstreamMs = Math.max(0, item.commitUs - (item.originalCommitUs ?? item.commitUs)) / 1000;
    }
    return taken;
  }

  #take(item: SourceItem): 'taken' | 'cut-first' {
    if (item.kind !== 'interrupted' && item.afterServerStart === true) this.#ddlMarks.serverStarted();
    switch (item.kind) {
      case 'rows':
        return this.#takeRows(item);
      case 'statement':
        return this.#takeOnline(item);
      case 'xa-outcome':
        return this.#takeOutcome(item);
      case 'interrupted':
        this.#interrupted();
        return 'taken';
      default:
        return item satisfies never;
    }
  }

  /** Ends the pending batch. */
  cut(): FormedBatch | null {
    const pending = this.#pending;
    if (pending === null) return null;
    this.#writeBodies();
    for (const one of this.#takeDefinitions()) this.#writer.definition(one);
    const end = pending.lastPart ? this.position : this.#start;
    const batch: FormedBatch = {
      ...pending,
      ...this.#changedOnline(),
      start: this.#start.text,
      end,
      transactions: pending.lastPart ? this.#writer.transactions : 0,
      rows: this.#writer.rows,
      payload: this.#writer.finish(),
    };
    this.#writer.reset();
    this.#pending = null;
    this.#alone = false;
    if (pending.lastPart) this.#restart(end);
    return batch;
  }

  /**
   * Ends what was passed over, without a batch; the next one starts behind it. Null when there is nothing, or when it takes
   * a batch: one is pending then.
   */
  advance(): Advance | null {
    if (this.passed === null) return null;
    if (this.#prepared.size > 0) {
      this.#pendAtEnd();
      return null;
    }
    const start = this.#start.text;
    const end = this.position;
    this.#restart(end);
    const definitions = this.#takeDefinitions();
    return { start, end, lastCommitUs: this.#lastCommitUs, definitions, ...this.#changedOnline() };
  }

  #restart(end: Position): void {
    this.#start = end;
    this.#passedTransactions = 0;
    this.#passedBytes = 0;
    this.#passedOwnOnly = true;
  }

  #takeRows(whole: RowsItem): 'taken' | 'cut-first' {
    if (whole.part > 0 && this.#large === null)
      throw new HoltError(
        'HOLT_SOURCE_INTERRUPTED',
        `part ${whole.part} of a transaction came without those before it`,
        { disposition: 'rewind', facts: { position: this.#running.text, part: whole.part } },
      );
    const item = this.#withoutDone(whole);
    const dataRows = item.rows.some((rows) => this.#isData(rows));
    const inParts = this.#large !== null || !item.lastPart;
    const origin = this.#large?.origin ?? item.mark?.origin ?? this.#options.site;
    const carried = this.#large?.carried ?? this.#origins.has(origin);
    const isRest = this.#large !== null && this.#large.emitted > 0;
    // Rows of XA wait for their COMMIT, and then come at once.
    const asChunk = this.#options.chunked === true && carried && !item.lastPart && item.xa === undefined;
    // The last part of what has gone out in parts must go out even if nothing of it is wanted.
    const ddl = carried ? this.#ddlInside(item, inParts) : null;
    const wanted = carried && (dataRows || ddl !== null || (isRest && item.lastPart));
    if (ddl !== null && !this.#isClear()) return 'cut-first';
    if (wanted && !this.#fits(item, origin, inParts)) return 'cut-first';
    if (carried) this.#checkGhosts(item);
    if (carried) this.#checkStatements(item, ddl?.statement ?? null);
    if (item.part === 0 && item.mark !== null) this.#checkMark(item.mark, item.start);
    const aside = carried && !isRest && item.xa?.phase === 'prepared' ? item.xa : null;
    if (aside !== null) this.#putAside(item, aside.xid);

    if (!item.lastPart) this.#large ??= { carried, origin, emitted: 0 };
    if (asChunk) {
      if (wanted) this.#writeChunk(item, origin as SiteId);
      // Read again from its first row, it comes to what is done only after a while.
      const done = this.#chunk?.transaction === gtidText(item) ? this.#chunk.rawRows : 0;
      this.#chunk = { transaction: gtidText(item), rawRows: Math.max(done, rawRowsOf(item)) };
      return 'taken';
    }
    // What is put aside is written with its outcome, or when the batch is cut.
    if (aside !== null && wanted) this.#pend(item, origin as SiteId);
    else if (wanted) this.#write(item, origin as SiteId, dataRows, ddl);
    if (!item.lastPart) {
      if (wanted && this.#large !== null) this.#large.emitted += 1;
      return 'taken';
    }
    this.#large = null;
    this.#endChunk(item);
    this.#running.advance(item.gtid, item.end, item.lastEvent);
    this.#lastCommitUs = item.commitUs;
    this.#noteHoltRows(item);
    if (wanted) this.counts.taken += 1;
    else this.#pass(item, this.#kindOfPassed(item, carried, dataRows));
    return 'taken';
  }

  /** Rows to be carried: neither Holt's own, nor those of the ghost of an online schema change. */
  #isData({ shape }: SourceRows): boolean {
    if (shape.schema === HOLT_SCHEMA) return false;
    const online = this.#options.onlineChanges;
    return online?.isActive !== true || online.rowsOf(shape.schema, shape.table) !== 'ghost';
  }

  /** Nobody fills the ghost of pt-online-schema-change before its triggers are there: then it is none. */
  #checkGhosts(item: RowsItem): void {
    const online = this.#options.onlineChanges;
    if (online?.isActive !== true) return;
    for (const { shape } of item.rows)
      if (online.rowsOf(shape.schema, shape.table) === 'unclear')
        throw this.#refuseOnline(item, {
          code: 'HOLT_DDL_ONLINE_CHANGE_UNCLEAR',
          why: `rows come for ${shape.schema}.${shape.table}, which was made as pt-online-schema-change makes its ghosts, but there are no triggers`,
        });
  }

  /** What is known behind the last item taken, if it is not what the last batch or advance said. */
  #changedOnline(): { readonly onlineChanges?: string | null } {
    if (this.#onlineHere === this.#onlineTold) return {};
    this.#onlineTold = this.#onlineHere;
    return { onlineChanges: this.#onlineHere };
  }

  /**
   * What a statement is to an online schema change. An item that has to wait for a cut comes again: what was found out about it stands, and
   * what is known behind it counts when it is taken.
   */
  #judgeOnline(item: StatementItem): OnlineVerdict {
    if (this.#onlineJudged?.item !== item) {
      const verdict = this.#options.onlineChanges?.take(item) ?? { kind: 'ordinary' };
      this.#onlineJudged = { item, verdict };
    }
    return this.#onlineJudged.verdict;
  }

  #refuseOnline(
    item: RowsItem | StatementItem,
    { code, why }: Pick<Extract<OnlineVerdict, { kind: 'refused' }>, 'code' | 'why'>,
  ): HoltError {
    const behind = item.kind === 'rows' && !item.lastPart ? null : this.#running.clone();
    behind?.advance(item.gtid, item.end, item.lastEvent);
    return new HoltError(code, `${why} (${item.start.file}:${item.start.offset})`, {
      disposition: 'pause',
      remedy: `Bring the target to the same state, set the position ${behind === null ? 'behind this transaction' : `to ${behind.text}`}, and resume.`,
      facts: {
        position: this.#running.text,
        behind: behind?.text ?? null,
        file: item.start.file,
        offset: item.start.offset,
      },
    });
  }

  #writeChunk(item: RowsItem, origin: SiteId): void {
    // A batch as any other: whatever it holds commits by itself.
    this.#pend({ ...timesOf(item), lastPart: true }, origin);
    this.#alone = true;
    this.counts.chunks += 1;
    this.#writer.transaction(item.commitUs, gtidText(item));
    for (const rows of item.rows) if (this.#isData(rows)) this.#writer.sourceRows(rows);
  }

  /** Without the rows that are done already, where the position is inside this transaction. */
  #withoutDone(item: RowsItem): RowsItem {
    const done = this.#chunk?.transaction === gtidText(item) ? this.#chunk.rawRows : 0;
    if (done === 0) return item;
    return { ...item, rows: item.rows.flatMap((rows) => rowsBehind(rows, done)) };
  }

  #endChunk(item: RowsItem): void {
    const chunk = this.#chunk;
    if (chunk === null || chunk.transaction !== gtidText(item)) return;
    if (rawRowsOf(item) < chunk.rawRows)
      throw new HoltError(
        'HOLT_POSITION_CHUNK',
        `the position says that ${chunk.rawRows} rows of ${chunk.transaction} are done, and it has ${rawRowsOf(item)} at this source`,
        { disposition: 'pause', facts: { position: this.position.text, rows: rawRowsOf(item) } },
      );
    this.#chunk = null;
  }

  #fits(item: RowsItem, origin: string, inParts: boolean): boolean {
    const pending = this.#pending;
    if (pending === null) return true;
    if (inParts || this.isFull || pending.origin !== origin) return false;
    const { maxRows, maxBytes } = this.#options.limits;
    let rows = this.#writer.rows;
    for (const one of item.rows) rows += one.rows;
    return rows + this.#preparedRows <= maxRows && this.pendingBytes + item.bytes <= maxBytes;
  }

  #write(item: RowsItem, origin: SiteId, dataRows: boolean, ddl: DdlInside | null): void {
    const emitted = this.#large?.emitted ?? 0;
    this.#pend(item, origin, ddl?.kind ?? null);
    const { xa, commitUs } = item;
    const gtid = gtidText(item);
    if (xa !== undefined) {
      this.#writer.xaBody(xa.xid, emitted === 0, commitUs, gtid);
    } else if (dataRows || ddl !== null) this.#writer.transaction(commitUs, gtid);
    if (ddl !== null) this.#writer.statement(this.#ddlStatement(ddl.statement, ddl.kind, gtid));
    for (const rows of item.rows) if (this.#isData(rows)) this.#writer.sourceRows(rows);
    if (xa?.phase === 'one-phase') this.#writer.xaOutcome(xa.xid, 'commit', commitUs, gtid);
    if (xa?.phase === 'prepared') this.#rememberHeld(xa.xid);
  }

  #pend(
    item: Pick<RowsItem, 'commitUs' | 'commitIsExact' | 'end' | 'lastPart'>,
    origin: SiteId,
    ddl: DdlPolicyKind | null = null,
  ): void {
    this.#pending ??= {
      origin,
      part: this.#large?.emitted ?? 0,
      lastPart: item.lastPart,
      ddl,
      firstCommitUs: item.commitUs,
      lastCommitUs: item.commitUs,
      firstEnd: item.end,
      firstIsExact: item.commitIsExact,
    };
    this.#pending.lastCommitUs = item.commitUs;
  }

  /** A batch of what was put aside: as old as what was read last. */
  #pendAtEnd(): void {
    const end = this.#lastEnd ?? { file: '', offset: 0 };
    const times = { commitUs: this.#lastCommitUs, commitIsExact: this.#lastIsExact, end };
    this.#pend({ ...times, lastPart: true }, this.#options.site);
  }

  #putAside(item: RowsItem, xid: string): void {
    const rows = item.rows.filter((one) => this.#isData(one));
    const rowCount = rows.reduce((sum, one) => sum + one.rows, 0);
    this.#forget(xid);
    this.#prepared.set(xid, {
      commitUs: item.commitUs,
      gtid: gtidText(item),
      rows,
      rowCount,
      bytes: item.bytes,
    });
    this.#preparedRows += rowCount;
    this.#preparedBytes += item.bytes;
  }

  #forget(xid: string): Prepared | null {
    const prepared = this.#prepared.get(xid);
    if (prepared === undefined) return null;
    this.#prepared.delete(xid);
    this.#preparedRows -= prepared.rowCount;
    this.#preparedBytes -= prepared.bytes;
    return prepared;
  }

  /** Of what is prepared and undecided when the batch ends. */
  #writeBodies(): void {
    for (const [xid, { commitUs, gtid, rows }] of this.#prepared) {
      this.#writer.xaBody(xid, true, commitUs, gtid);
      for (const one of rows) this.#writer.sourceRows(one);
      this.#forget(xid);
      this.#rememberHeld(xid);
    }
  }

  #rememberHeld(xid: string): void {
    this.#heldXa.delete(xid);
    this.#heldXa.add(xid);
    const [oldest] = this.#heldXa;
    if (this.#heldXa.size > MAX_HELD_XA && oldest !== undefined) this.#heldXa.delete(oldest);
  }

  /**
   * Outcomes have no mark: Holt writes no XA, so they are the site's own. One whose PREPARE was read under an earlier reign, or never,
   * goes alone in its batch: if Load finds no body for it, the position behind it can be set without losing anything else.
   */
  #takeOutcome(item: OutcomeItem): 'taken' | 'cut-first' {
    const { site } = this.#options;
    const { xid, outcome, commitUs } = item;
    const carried = this.#origins.has(site);
    const prepared = this.#prepared.get(xid);
    const isKnown = prepared !== undefined || this.#heldXa.has(xid);
    const nothing = !carried || (prepared !== undefined && prepared.rows.length === 0);
    if (this.#pending !== null && !nothing) {
      const fits = prepared !== undefined || (isKnown && !this.isFull && this.#pending.origin === site);
      if (!fits) return 'cut-first';
    }
    this.#forget(xid);
    this.#heldXa.delete(xid);
    if (nothing) this.#pass(item, carried ? 'filtered' : 'foreign');
    else {
      this.#pend({ ...timesOf(item), lastPart: true }, site);
      if (prepared === undefined) {
        this.#writer.xaOutcome(xid, outcome, commitUs, gtidText(item));
        this.#alone ||= !isKnown;
      } else if (outcome === 'commit') {
        this.#writer.transaction(commitUs, gtidText(item));
        for (const rows of prepared.rows) this.#writer.sourceRows(rows);
      }
    }
    this.#running.advance(item.gtid, item.end, item.lastEvent);
    this.#lastCommitUs = commitUs;
    return 'taken';
  }

  /** A statement, or what stands for it where it belongs to an online schema change of the site's own. */
  #takeOnline(item: StatementItem): 'taken' | 'cut-first' {
    const origin = this.#ddlMarks.of(item.threadId)?.origin ?? this.#options.site;
    const verdict: OnlineVerdict = this.#origins.has(origin) ? this.#judgeOnline(item) : { kind: 'ordinary' };
    const taken = this.#takeAs(item, verdict);
    if (taken === 'taken') {
      this.#onlineHere = this.#options.onlineChanges?.state ?? null;
      this.#onlineJudged = null;
    }
    return taken;
  }

  #takeAs(item: StatementItem, verdict: OnlineVerdict): 'taken' | 'cut-first' {
    switch (verdict.kind) {
      case 'ordinary':
        return this.#takeStatement(item);
      case 'becomes':
        return this.#takeStatement({ ...item, ...verdict.statement, threadId: item.threadId });
      case 'passed':
        this.#running.advance(item.gtid, item.end, item.lastEvent);
        this.#lastCommitUs = item.commitUs;
        this.counts.statementsIgnored += 1;
        this.#pass(item, 'filtered');
        return 'taken';
      case 'refused':
        throw this.#refuseOnline(item, verdict);
      default:
        return verdict satisfies never;
    }
  }

  #takeStatement(item: StatementItem): 'taken' | 'cut-first' {
    if (item.nature === 'incident') throw this.#refuse(item, item, 'HOLT_SOURCE_INCIDENT');
    const mark = item.nature === 'ddl' ? this.#ddlMarks.of(item.threadId) : null;
    const origin = mark?.origin ?? this.#options.site;
    const carried = this.#origins.has(origin);
    let passedAs: 'filtered' | 'foreign' = 'filtered';
    if (!carried) passedAs = 'foreign';
    else if (item.nature !== 'ddl') {
      if (concernsReplicated(item, this.#options.tables)) throw this.#refuse(item, item, refusalOf(item));
    } else {
      const kind = this.#judge(item);
      const action = kind === null ? 'ignore' : ddlActionOf(this.#policy, kind);
      if (action === 'stop') throw this.#refuse(item, item, refusalOf(item));
      if (action === 'replicate' && kind !== null) return this.#takeDdl(item, kind, origin as SiteId);
      if (kind !== null) this.counts.ddlIgnored += 1;
    }
    this.#running.advance(item.gtid, item.end, item.lastEvent);
    this.#lastCommitUs = item.commitUs;
    if (passedAs === 'filtered') this.counts.statementsIgnored += 1;
    this.#pass(item, passedAs);
    return 'taken';
  }

  /** False when a batch has to be cut before a schema change; what is put aside goes out with it. */
  #isClear(): boolean {
    if (this.#pending === null && this.#prepared.size > 0) this.#pendAtEnd();
    return this.#pending === null;
  }

  /** A schema change, alone in its batch. */
  #takeDdl(item: StatementItem, kind: DdlPolicyKind, origin: SiteId): 'taken' | 'cut-first' {
    if (!this.#isClear()) return 'cut-first';
    this.#pend({ ...timesOf(item), lastPart: true }, origin, kind);
    const sourceRef = gtidText(item);
    this.#writer.transaction(item.commitUs, sourceRef);
    this.#writer.statement(this.#ddlStatement(item, kind, sourceRef));
    this.#running.advance(item.gtid, item.end, item.lastEvent);
    this.#lastCommitUs = item.commitUs;
    this.counts.taken += 1;
    return 'taken';
  }

  /**
   * The schema change in a transaction of rows that is to be replicated with it: CREATE TABLE … SELECT, which must be whole. Null for none,
   * or one that is not to be; those are judged by `#checkStatements`.
   */
  #ddlInside(item: RowsItem, inParts: boolean): DdlInside | null {
    if (inParts || item.statements.length !== 1) return null;
    const [statement] = item.statements;
    if (statement === undefined || statement.nature !== 'ddl') return null;
    const kind = this.#judge(statement);
    if (kind === null || ddlActionOf(this.#policy, kind) !== 'replicate') return null;
    return { statement, kind };
  }

  #judge(statement: SourceStatement): DdlPolicyKind | null {
    return judgeDdl(statement, this.#options.tables, this.#options.server ?? UNKNOWN_SERVER);
  }

  #ddlStatement(statement: SourceStatement, kind: DdlPolicyKind, sourceRef: string): DdlStatement {
    const { server = UNKNOWN_SERVER, caseSensitive = true } = this.#options;
    const { explicitDefaults = null } = this.#options;
    const session =
      explicitDefaults === null
        ? statement.session
        : { explicitDefaultsForTimestamp: explicitDefaults, ...statement.session };
    return {
      ...bare(statement),
      kind,
      sourceRef,
      server,
      caseSensitive,
      ...(session === undefined ? {} : { session }),
    };
  }

  /** Statements inside a transaction of rows. */
  #checkStatements(item: RowsItem, replicated: SourceStatement | null): void {
    for (const statement of item.statements) {
      if (statement === replicated) continue;
      if (concernsReplicated(statement, this.#options.tables))
        throw this.#refuse(item, statement, refusalOf(statement));
      this.counts.statementsIgnored += 1;
    }
  }

  #checkMark(mark: LoadMark, at: BinlogCoordinates): void {
    const missing = this.#marks.note(mark);
    if (missing === null) return;
    throw new HoltError(
      'HOLT_MARK_GAP',
      `after seq ${missing.last} of ${mark.pipeline} lane ${mark.lane} the log of this source has seq ${mark.seq} at ${at.file}:${at.offset}`,
      {
        disposition: 'pause',
        remedy:
          'Take holt out of binlog-ignore-db and of every filter, and do not truncate its tables; then resume. Changes could go round in circles.',
        facts: {
          markPipeline: mark.pipeline,
          lane: mark.lane,
          lastSeq: missing.last,
          seq: mark.seq,
          position: this.#running.text,
        },
      },
    );
  }

  #kindOfPassed(item: RowsItem, carried: boolean, dataRows: boolean): 'foreign' | 'own' | 'filtered' {
    if (!carried && dataRows) return 'foreign';
    return item.rows.length > 0 && !dataRows && item.statements.length === 0 ? 'own' : 'filtered';
  }

  #pass(item: RowsItem | StatementItem | OutcomeItem, kind: 'foreign' | 'own' | 'filtered'): void {
    this.counts[kind] += 1;
    this.#passedTransactions += 1;
    this.#passedBytes +=
      item.start.file === item.end.file ? item.end.offset - item.start.offset : item.end.offset;
    if (kind !== 'own') this.#passedOwnOnly = false;
  }

  #noteHoltRows({ rows: all, start, end }: RowsItem): void {
    for (const rows of all) {
      if (rows.shape.schema !== HOLT_SCHEMA) continue;
      const { heartbeats, laneStarts, ddlRows = readDdlRows } = this.#options.holtRows ?? HOLT_ROWS;
      if (rows.shape.table === DDL_TABLE) for (const change of ddlRows(rows)) this.#noteDdl(change);
      if (rows.shape.table === CHECKPOINT_TABLE) for (const lane of laneStarts(rows)) this.#marks.begin(lane);
      if (rows.shape.table !== HEARTBEAT_TABLE) continue;
      for (const beat of heartbeats(rows))
        if (beat.site === this.#options.site && beat.cluster === this.#options.cluster) {
          this.#heartbeatUs = Math.max(this.#heartbeatUs ?? 0, beat.atUs);
          this.#options.onHeartbeat?.({ atUs: beat.atUs, end, bytes: end.offset - start.offset });
        }
    }
  }

  #noteDdl({ id, state, origin, connectionId }: DdlRowChange): void {
    if (state !== 'open') this.#ddlMarks.note({ kind: 'ended', id });
    else if (origin !== null && connectionId !== null)
      this.#ddlMarks.note({ kind: 'opened', mark: { id, origin, threadId: connectionId } });
  }

  #interrupted(): void {
    const large = this.#large;
    this.#large = null;
    if (large === null) return;
    if (large.emitted > 0)
      throw new HoltError(
        'HOLT_SOURCE_INTERRUPTED',
        `the link to the source was lost after ${large.emitted} parts of a transaction had been handed on`,
        { disposition: 'rewind', facts: { position: this.#running.text, parts: large.emitted } },
      );
  }

  /** Null where no position says it: the end of a transaction in parts is not known yet, an incident may have no GTID. */
  #behind(item: RowsItem | StatementItem): RunningPosition | null {
    if (item.kind === 'rows' && !item.lastPart) return null;
    if (item.gtid === null && !this.#running.isByFile) return null;
    const behind = this.#running.clone();
    behind.advance(item.gtid, item.end, item.lastEvent);
    return behind;
  }

  #refuse(
    item: RowsItem | StatementItem,
    statement: SourceStatement,
    code: ReturnType<typeof refusalOf> | 'HOLT_SOURCE_INCIDENT',
  ): HoltError {
    const behind = this.#behind(item);
    const shown = shownStatement(statement);
    const place = `${item.start.file}:${item.start.offset}`;
    const changed = changedTables(statement, this.#options.tables);
    const of = changed.length === 0 ? '' : ` (${changed.slice(0, MAX_NAMED).join(', ')})`;
    // Whoever sets the position behind it must not lose what was put aside before it.
    this.#isClear();
    return new HoltError(code, `${REFUSALS[code]}${of} at ${place}: ${shown}`, {
      disposition: 'pause',
      remedy: `Bring the target to the same state, ${wayOn(item, behind)}, and resume.`,
      facts: {
        position: this.#running.text,
        behind: behind?.text ?? null,
        file: item.start.file,
        offset: item.start.offset,
        schema: statement.schema,
        tables: changed.slice(0, MAX_NAMED),
        statement: shown,
      },
    });
  }
}

const REFUSALS = {
  HOLT_DDL_ON_REPLICATED_TABLE: 'DDL that may concern a replicated table',
  HOLT_STATEMENT_FORMAT: 'a change in statement form that may concern a replicated table',
  HOLT_LOAD_DATA_STATEMENT: 'LOAD DATA in statement form that may concern a replicated table',
  HOLT_SOURCE_INCIDENT: 'the source logged an incident: changes may be missing',
} as const;

function refusalOf(
  statement: SourceStatement,
): 'HOLT_DDL_ON_REPLICATED_TABLE' | 'HOLT_STATEMENT_FORMAT' | 'HOLT_LOAD_DATA_STATEMENT' {
  switch (statement.nature) {
    case 'dml':
      return 'HOLT_STATEMENT_FORMAT';
    case 'load-data':
      return 'HOLT_LOAD_DATA_STATEMENT';
    default:
      return 'HOLT_DDL_ON_REPLICATED_TABLE';
  }
}

function timesOf({
  commitUs,
  commitIsExact,
  end,
}: Pick<RowsItem, 'commitUs' | 'commitIsExact' | 'end'>): LastRead {
  return { commitUs, commitIsExact, end };
}

function rawRowsOf(item: RowsItem): number {
  if (item.rawRows === undefined) throw uncounted(gtidText(item));
  return item.rawRows;
}

/** Those of the rows that stand behind the first `done` of their transaction. */
function rowsBehind(rows: SourceRows, done: number): readonly SourceRows[] {
  const { rawBefore } = rows;
  if (rawBefore === undefined) throw uncounted(`${rows.shape.schema}.${rows.shape.table}`);
  if (rawBefore >= done) return [rows];
  const left = rawBefore + rows.rows - done;
  if (left <= 0) return [];
  const scanner = compileRowScanner(rows.shape);
  const partial = (rows.flags & ROW_FLAG.partialJson) !== 0;
  const { data, before, after } = rows;
  let at = 0;
  for (let skipped = rawBefore; skipped < done; skipped++) {
    if (before !== null) at = scanner.skip(data, at, data.length, before);
    if (after !== null) at = scanner.skip(data, at, data.length, after, partial);
  }
  return [{ ...rows, rows: left, rawBefore: done, data: data.subarray(at) }];
}

/** A defect of ours: Select asks for the count whenever it may need it. */
function uncounted(of: string): HoltError {
  return new HoltError('HOLT_INTERNAL', `rows of ${of} were not counted`, { disposition: 'pause' });
}

/** A statement without what says where it stands. */
function bare(statement: SourceStatement): SourceStatement {
  const { schema, sql, threadId, nature, sqlMode, charset, session, errorCode } = statement;
  return {
    schema,
    sql,
    threadId,
    nature,
    sqlMode,
    charset,
    ...(session === undefined ? {} : { session }),
    ...(errorCode === undefined ? {} : { errorCode }),
  };
}

function wayOn(item: RowsItem | StatementItem, behind: RunningPosition | null): string {
  if (behind !== null) return `set the position to ${behind.text}`;
  if (item.kind === 'rows') return 'set the position behind this transaction';
  // It has no GTID, so that a position cannot tell it from the transaction before.
  return 'up to and with the first transaction after it, and set the position to the GTID of that one';
}

/** The transaction's GTID as its server writes it; where it has none, the place of its first event. */
function gtidText(item: RowsItem | StatementItem | OutcomeItem): string {
  const { gtid } = item;
  if (gtid === null) return `${item.start.file}:${item.start.offset}`;
  return gtid.flavour === 'mysql' ? formatMysqlGtid(gtid) : formatMariadbGtid(gtid);
}

const MAX_SHOWN = 2000;
/** Tables that a message names. */
const MAX_NAMED = 10;

/** The statement, as far as it may be shown: changes in statement form hold values of rows, so of those only the first words. */
function shownStatement(statement: SourceStatement): string {
  const text = statement.sql.toString('utf8', 0, 4 * MAX_SHOWN).trim();
  if (statement.nature === 'dml' || statement.nature === 'load-data') {
    const bare = text.replace(/^(?:\s+|\/\*(?!M?!)[\s\S]*?\*\/|--\s[^\n]*\n|#[^\n]*\n)+/, '');
    return `${/^(?:[a-z_`][\w`.$]*\s*){1,6}/i.exec(bare)?.[0].trim() ?? ''} … (${statement.sql.length} bytes)`;
  }
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function definitionKey({ schema, table }: TableDefinition): string {
  return `${schema}\0${table}`;
}
