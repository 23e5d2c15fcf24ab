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
import { HoltError } from '../../lib/errors.ts';
import { type OpenChunk, splitChunk, withChunk } from '../../model/chunk-position.ts';
import type { BatchLimits } from '../../model/config.ts';
import { type DdlPolicy, type DdlPolicyKind, type DdlStatement, ddlActionOf } from '../../model/ddl.ts';
import type { SqlServer } from '../../model/ddl-kind.ts';
import { CHECKPOINT_TABLE, DDL_TABLE, HEARTBEAT_TABLE, HOLT_SCHEMA } from '../../model/holt-tables.ts';
import type { SiteId } from '../../model/ids.ts';
import { PayloadWriter } from '../../model/payload.ts';
import type { BinlogCoordinates, Position } from '../../model/position.ts';
import { RunningPosition } from '../../model/running-position.ts';
import type {
  LoadMark,
  SourceItem,
  SourceRows,
  SourceStatement,
  TableDefinition,
} from '../../model/source-item.ts';
import { ChunkProgress } from './chunk-progress.ts';
import { concernsReplicated, type ReplicatedTables } from './ddl.ts';
import { type DdlMark, DdlMarks } from './ddl-marks.ts';
import { DefinitionNotes } from './definition-notes.ts';
import {
  type Advance,
  type FormedBatch,
  gtidText,
  type LastRead,
  type OutcomeItem,
  type Passed,
  type ReadHeartbeat,
  type RowsItem,
  type SelectCounts,
  type StatementItem,
} from './formed-batch.ts';
import { judgeDdl } from './judge-ddl.ts';
import { MarkLedger } from './mark-ledger.ts';
import type { OnlineSchemaChanges, OnlineVerdict } from './online-schema-change.ts';
import { PreparedXa } from './prepared-xa.ts';
import { type RefusalCode, refusalOf, refusedStatement } from './refused-statement.ts';

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

/** After so long without a transaction from elsewhere nobody knows how far behind a replica is. */
const UPSTREAM_KNOWN_US = 60_000_000;

const HOLT_ROWS = { heartbeats: readHeartbeats, laneStarts: readLaneStarts, ddlRows: readDdlRows };

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

/** A transaction in parts, between its first part and its last. */
interface Large {
  readonly carried: boolean;
  readonly origin: string;
  /** Parts handed on under one sequence number; none where each is a batch of its own. */
  emitted: number;
}

const STOP_AT_DDL: DdlPolicy = { default: 'stop', kinds: {} };
/** Executes every comment. */
const UNKNOWN_SERVER: SqlServer = { flavour: 'mysql', version: 0 };

interface DdlInside {
  readonly statement: SourceStatement;
  readonly kind: DdlPolicyKind;
}

export class BatchFormer {
  readonly #definitions = new DefinitionNotes();
  readonly #options: FormerOptions;
  readonly #origins: ReadonlySet<string>;
  readonly #running: RunningPosition;
  readonly #marks = new MarkLedger();
  readonly #ddlMarks: DdlMarks;
  readonly #policy: DdlPolicy;
  readonly #writer: PayloadWriter;
  readonly #prepared = new PreparedXa();
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
  readonly #chunk: ChunkProgress;
  #passedTransactions = 0;
  #passedBytes = 0;
  #passedOwnOnly = true;
  #lastCommitUs = 0;
  #lastEnd: BinlogCoordinates | null = null;
  #lastReadUs = 0;
  #lastIsExact = false;
  #upstreamMs: number | null = null;
  /** When the source committed the last transaction that came from elsewhere; null before the first. */
  #replicatedUs: number | null = null;
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
    this.#chunk = new ChunkProgress(chunk);
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
    return this.#pending === null ? 0 : this.#writer.rows + this.#prepared.rows;
  }

  get pendingBytes(): number {
    return this.#pending === null ? 0 : this.#writer.bytes + this.#prepared.bytes;
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
    return withChunk(this.#running.position, this.#chunk.open);
  }

  /** The transaction that is being cut into several. */
  get chunk(): OpenChunk | null {
    return this.#chunk.open;
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
    this.#definitions.recorded(definitions);
  }

  /** What was known where reading began, of tables that nothing else was heard of since. */
  knewAtStart(definitions: readonly TableDefinition[]): void {
    this.#definitions.noteUnheard(definitions);
  }

  /** What is written of these tables is to go. */
  knewNothingOf(definitions: readonly TableDefinition[]): void {
    this.#definitions.note(definitions.map(({ schema, table }) => ({ schema, table, definition: null })));
  }

  /** True when the target is to learn what tables of the source are. */
  get hasDefinitions(): boolean {
    return !this.#definitions.isEmpty;
  }

  take(item: SourceItem): 'taken' | 'cut-first' {
    const taken = this.#take(item);
    if (taken === 'taken' && item.kind !== 'interrupted') {
      if (item.definitions !== undefined) this.#definitions.note(item.definitions);
      this.#lastEnd = item.end;
      this.#lastReadUs = item.commitUs;
      this.#lastIsExact = item.commitIsExact;
      this.#noteUpstream(item);
    }
    return taken;
  }

  /** What the source itself commits, our heartbeats among it, says nothing of how far it is behind with what it replicates. */
  #noteUpstream({
    commitIsExact,
    commitUs,
    originalCommitUs,
  }: Exclude<SourceItem, { kind: 'interrupted' }>): void {
    if (!commitIsExact) return;
    if (originalCommitUs !== undefined) {
      this.#upstreamMs = Math.max(0, commitUs - originalCommitUs) / 1000;
      this.#replicatedUs = commitUs;
    } else if (this.#replicatedUs === null) this.#upstreamMs = 0;
    else if (commitUs - this.#replicatedUs > UPSTREAM_KNOWN_US) this.#upstreamMs = null;
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
    for (const one of this.#definitions.take()) this.#writer.definition(one);
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
    const definitions = this.#definitions.take();
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
    const item = this.#chunk.restOf(whole);
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
      this.#chunk.done(item);
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
    this.#chunk.end(item);
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

  #fits(item: RowsItem, origin: string, inParts: boolean): boolean {
    const pending = this.#pending;
    if (pending === null) return true;
    if (inParts || this.isFull || pending.origin !== origin) return false;
    const { maxRows, maxBytes } = this.#options.limits;
    let rows = this.#writer.rows;
    for (const one of item.rows) rows += one.rows;
    return rows + this.#prepared.rows <= maxRows && this.pendingBytes + item.bytes <= maxBytes;
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
    if (xa?.phase === 'prepared') this.#prepared.hold(xa.xid);
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
    this.#prepared.add(xid, { commitUs: item.commitUs, gtid: gtidText(item), rows, bytes: item.bytes });
  }

  /** Of what is prepared and undecided when the batch ends. */
  #writeBodies(): void {
    for (const [xid, { commitUs, gtid, rows }] of this.#prepared.takeAll()) {
      this.#writer.xaBody(xid, true, commitUs, gtid);
      for (const one of rows) this.#writer.sourceRows(one);
    }
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
    const isKnown = prepared !== undefined || this.#prepared.isHeld(xid);
    const nothing = !carried || (prepared !== undefined && prepared.rows.length === 0);
    if (this.#pending !== null && !nothing) {
      const fits = prepared !== undefined || (isKnown && !this.isFull && this.#pending.origin === site);
      if (!fits) return 'cut-first';
    }
    this.#prepared.forget(xid);
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
          // The first one ever is an INSERT, and shorter than all that follow.
          const bytes = rows.op === 'update' ? end.offset - start.offset : null;
          this.#options.onHeartbeat?.({ atUs: beat.atUs, end, bytes });
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

  #refuse(item: RowsItem | StatementItem, statement: SourceStatement, code: RefusalCode): HoltError {
    const behind = this.#behind(item);
    // Whoever sets the position behind it must not lose what was put aside before it.
    this.#isClear();
    return refusedStatement({
      item,
      statement,
      code,
      here: this.#running,
      behind,
      tables: this.#options.tables,
    });
  }
}

function timesOf({
  commitUs,
  commitIsExact,
  end,
}: Pick<RowsItem, 'commitUs' | 'commitIsExact' | 'end'>): LastRead {
  return { commitUs, commitIsExact, end };
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
