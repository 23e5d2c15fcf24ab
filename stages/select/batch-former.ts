/**
 * Source items in, batches out: the pure core of Select.
 *
 * Batches are cut at transaction boundaries only, have one origin each, and chain: a batch starts, byte for byte, where
 * the one before ended, and what was passed over in between (filtered, foreign, Holt's own rows) lies inside the range of the next.
 * A transaction that comes in parts goes on in parts: they share one sequence number, and only the last moves the position.
 *
 *     take(item) ─► 'taken'        it is in the pending batch, or passed over
 *                ─► 'cut-first'    cut the pending batch, then offer the item again
 *                ─► throws         pause: nothing of the item was taken; the pending batch is good and goes first
 */
import {
  type Heartbeat,
  type LaneStart,
  readHeartbeats,
  readLaneStarts,
} from '../../canal/assembler/holt-rows.ts';
import { HoltError } from '../../lib/errors.ts';
import type { BatchLimits } from '../../model/config.ts';
import { formatMysqlGtid } from '../../model/gtid-set.ts';
import { CHECKPOINT_TABLE, HEARTBEAT_TABLE, HOLT_SCHEMA } from '../../model/holt-tables.ts';
import type { SiteId } from '../../model/ids.ts';
import { formatMariadbGtid } from '../../model/mariadb-gtid.ts';
import { PayloadWriter } from '../../model/payload.ts';
import type { BinlogCoordinates, Position, PositionText } from '../../model/position.ts';
import { RunningPosition } from '../../model/running-position.ts';
import type { LoadMark, SourceItem, SourceRows, SourceStatement } from '../../model/source-item.ts';
import { concernsReplicated, type ReplicatedTables } from './ddl.ts';
import { MarkLedger } from './mark-ledger.ts';

export type RowsItem = Extract<SourceItem, { kind: 'rows' }>;
export type StatementItem = Extract<SourceItem, { kind: 'statement' }>;

export interface FormerOptions {
  readonly start: Position;
  /** The source's own site: origin of every transaction without a mark. */
  readonly site: SiteId;
  readonly origins: readonly SiteId[];
  readonly tables: ReplicatedTables;
  readonly limits: BatchLimits;
  /** Name of the installation: heartbeats of another one say nothing here. */
  readonly cluster: string;
  /** Reads Holt's own rows; real ones by default. */
  readonly holtRows?: {
    readonly heartbeats: (rows: SourceRows) => readonly Heartbeat[];
    readonly laneStarts: (rows: SourceRows) => readonly LaneStart[];
  };
}

const HOLT_ROWS = { heartbeats: readHeartbeats, laneStarts: readLaneStarts };

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
  readonly payload: Buffer;
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
}

export interface SelectCounts {
  taken: number;
  filtered: number;
  foreign: number;
  own: number;
  statementsIgnored: number;
}

interface Pending {
  readonly origin: SiteId;
  readonly part: number;
  readonly lastPart: boolean;
  firstCommitUs: number;
  lastCommitUs: number;
}

/** A transaction in parts, between its first part and its last. */
interface Large {
  readonly carried: boolean;
  readonly origin: string;
  emitted: number;
}

/** Ids of XA transactions that were prepared without touching a replicated table, newest last. */
const MAX_HARMLESS_XA = 10_000;

export class BatchFormer {
  readonly #options: FormerOptions;
  readonly #origins: ReadonlySet<string>;
  readonly #running: RunningPosition;
  readonly #marks = new MarkLedger();
  readonly #writer: PayloadWriter;
  readonly #harmlessXa = new Set<string>();
  readonly counts: SelectCounts = { taken: 0, filtered: 0, foreign: 0, own: 0, statementsIgnored: 0 };
  /** End of the last batch or advance. */
  #start: Position;
  #pending: Pending | null = null;
  #large: Large | null = null;
  #passedTransactions = 0;
  #passedBytes = 0;
  #passedOwnOnly = true;
  #lastCommitUs = 0;
  #heartbeatUs: number | null = null;

  constructor(options: FormerOptions) {
    this.#options = options;
    this.#origins = new Set(options.origins);
    this.#running = RunningPosition.from(options.start);
    this.#start = options.start;
    this.#writer = new PayloadWriter();
  }

  get hasPending(): boolean {
    return this.#pending !== null;
  }

  get pendingRows(): number {
    return this.#pending === null ? 0 : this.#writer.rows;
  }

  get pendingBytes(): number {
    return this.#pending === null ? 0 : this.#writer.bytes;
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
      (!this.#pending.lastPart ||
        this.#pending.part > 0 ||
        this.#writer.rows >= maxRows ||
        this.#writer.bytes >= maxBytes)
    );
  }

  /** Where reading has come to: behind the last whole transaction taken or passed over. */
  get position(): Position {
    return this.#running.position;
  }

  /** Source time (µs) of this site's newest heartbeat row that was read: everything committed before it has been read. */
  get heartbeatUs(): number | null {
    return this.#heartbeatUs;
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

  take(item: SourceItem): 'taken' | 'cut-first' {
    switch (item.kind) {
      case 'rows':
        return this.#takeRows(item);
      case 'statement':
        this.#takeStatement(item);
        return 'taken';
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
    const end = pending.lastPart ? this.#running.position : this.#start;
    const batch: FormedBatch = {
      ...pending,
      start: this.#start.text,
      end,
      transactions: pending.lastPart ? this.#writer.transactions : 0,
      rows: this.#writer.rows,
      payload: this.#writer.finish(),
    };
    this.#writer.reset();
    this.#pending = null;
    if (pending.lastPart) this.#restart(end);
    return batch;
  }

  /** Ends what was passed over, without a batch; the next one starts behind it. */
  advance(): Advance | null {
    if (this.passed === null) return null;
    const start = this.#start.text;
    const end = this.#running.position;
    this.#restart(end);
    return { start, end, lastCommitUs: this.#lastCommitUs };
  }

  #restart(end: Position): void {
    this.#start = end;
    this.#passedTransactions = 0;
    this.#passedBytes = 0;
    this.#passedOwnOnly = true;
  }

  #takeRows(item: RowsItem): 'taken' | 'cut-first' {
    const dataRows = item.rows.some((rows) => rows.shape.schema !== HOLT_SCHEMA);
    const inParts = this.#large !== null || !item.lastPart;
    const origin = this.#large?.origin ?? item.mark?.origin ?? this.#options.site;
    const carried = this.#large?.carried ?? this.#origins.has(origin);
    const isRest = this.#large !== null && this.#large.emitted > 0;
    // The last part of what has gone out in parts must go out even if nothing of it is wanted.
    const wanted = carried && (dataRows || (isRest && item.lastPart));
    if (wanted && !this.#fits(item, origin, inParts)) return 'cut-first';
    if (carried) this.#checkStatements(item, dataRows);
    if (item.part === 0 && item.mark !== null) this.#checkMark(item.mark, item.start);

    if (!item.lastPart) this.#large ??= { carried, origin, emitted: 0 };
    if (wanted) this.#write(item, origin as SiteId, dataRows);
    if (!item.lastPart) {
      if (wanted && this.#large !== null) this.#large.emitted += 1;
      return 'taken';
    }
    this.#large = null;
    this.#running.advance(item.gtid, item.end, item.lastEvent);
    this.#lastCommitUs = item.commitUs;
    this.#noteHoltRows(item.rows);
    if (wanted) this.counts.taken += 1;
    else this.#pass(item, this.#kindOfPassed(item, carried, dataRows));
    return 'taken';
  }

  #fits(item: RowsItem, origin: string, inParts: boolean): boolean {
    const pending = this.#pending;
    if (pending === null) return true;
    if (inParts || this.isFull || pending.origin !== origin) return false;
    const { maxRows, maxBytes } = this.#options.limits;
    let rows = this.#writer.rows;
    for (const one of item.rows) rows += one.rows;
    return rows <= maxRows && this.#writer.bytes + item.bytes <= maxBytes;
  }

  #write(item: RowsItem, origin: SiteId, dataRows: boolean): void {
    const emitted = this.#large?.emitted ?? 0;
    if (this.#pending === null)
      this.#pending = {
        origin,
        part: emitted,
        lastPart: item.lastPart,
        firstCommitUs: item.commitUs,
        lastCommitUs: item.commitUs,
      };
    this.#pending.lastCommitUs = item.commitUs;
    if (!dataRows) return;
    this.#writer.transaction(item.commitUs, gtidText(item));
    for (const rows of item.rows) if (rows.shape.schema !== HOLT_SCHEMA) this.#writer.sourceRows(rows);
  }

  #takeStatement(item: StatementItem): void {
    if (item.nature === 'incident') throw this.#refuse(item, item, 'HOLT_SOURCE_INCIDENT');
    if (item.nature === 'xa') this.#checkXaOutcome(item);
    else if (concernsReplicated(item, this.#options.tables)) throw this.#refuse(item, item, refusalOf(item));
    this.#running.advance(item.gtid, item.end, item.lastEvent);
    this.#lastCommitUs = item.commitUs;
    this.counts.statementsIgnored += 1;
    this.#pass(item, 'filtered');
  }

  /** Statements inside a transaction of rows. */
  #checkStatements(item: RowsItem, dataRows: boolean): void {
    for (const statement of item.statements) {
      if (statement.nature !== 'xa') {
        if (concernsReplicated(statement, this.#options.tables))
          throw this.#refuse(item, statement, refusalOf(statement));
        this.counts.statementsIgnored += 1;
      } else if (dataRows) throw this.#refuse(item, statement, 'HOLT_XA_UNSUPPORTED');
      else this.#rememberHarmlessXa(statement.sql.toString('latin1'));
    }
  }

  #rememberHarmlessXa(sql: string): void {
    const xid = /^XA PREPARE (.+)$/.exec(sql)?.[1];
    if (xid === undefined) return;
    this.#harmlessXa.add(xid);
    const [oldest] = this.#harmlessXa;
    if (this.#harmlessXa.size > MAX_HARMLESS_XA && oldest !== undefined) this.#harmlessXa.delete(oldest);
  }

  /** XA COMMIT of something whose PREPARE was not read here may commit rows of replicated tables; XA ROLLBACK commits none. */
  #checkXaOutcome(item: StatementItem): void {
    const text = item.sql.toString('latin1');
    const match = /^\s*XA\s+(COMMIT|ROLLBACK)\s+(.*?)(?:\s+ONE\s+PHASE)?[\s;]*$/is.exec(text);
    const xid = (match?.[2] ?? '').replace(/\s+/g, '').toLowerCase();
    if (match?.[1]?.toUpperCase() !== 'ROLLBACK' && !this.#harmlessXa.has(xid))
      throw this.#refuse(item, item, 'HOLT_XA_UNSUPPORTED');
    this.#harmlessXa.delete(xid);
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

  #pass(item: RowsItem | StatementItem, kind: 'foreign' | 'own' | 'filtered'): void {
    this.counts[kind] += 1;
    this.#passedTransactions += 1;
    this.#passedBytes +=
      item.start.file === item.end.file ? item.end.offset - item.start.offset : item.end.offset;
    if (kind !== 'own') this.#passedOwnOnly = false;
  }

  #noteHoltRows(all: readonly SourceRows[]): void {
    for (const rows of all) {
      if (rows.shape.schema !== HOLT_SCHEMA) continue;
      const { heartbeats, laneStarts } = this.#options.holtRows ?? HOLT_ROWS;
      if (rows.shape.table === CHECKPOINT_TABLE) for (const lane of laneStarts(rows)) this.#marks.begin(lane);
      if (rows.shape.table !== HEARTBEAT_TABLE) continue;
      for (const beat of heartbeats(rows))
        if (beat.site === this.#options.site && beat.cluster === this.#options.cluster)
          this.#heartbeatUs = Math.max(this.#heartbeatUs ?? 0, beat.atUs);
    }
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

  #refuse(
    item: RowsItem | StatementItem,
    statement: SourceStatement,
    code: ReturnType<typeof refusalOf> | 'HOLT_SOURCE_INCIDENT' | 'HOLT_XA_UNSUPPORTED',
  ): HoltError {
    // In the midst of a transaction in parts its end is not known yet.
    const behind = item.kind === 'rows' && !item.lastPart ? null : this.#running.clone();
    behind?.advance(item.gtid, item.end, item.lastEvent);
    const shown = shownStatement(statement);
    const place = `${item.start.file}:${item.start.offset}`;
    return new HoltError(code, `${REFUSALS[code]} at ${place}: ${shown}`, {
      disposition: 'pause',
      remedy: `Bring the target to the same state, set the position ${behind === null ? 'behind this transaction' : `to ${behind.text}`}, and resume.`,
      facts: {
        position: this.#running.text,
        behind: behind?.text ?? null,
        file: item.start.file,
        offset: item.start.offset,
        schema: statement.schema,
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
  HOLT_XA_UNSUPPORTED: 'a two-phase XA transaction that may concern a replicated table',
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

/** The transaction's GTID as its server writes it; where it has none, the place of its first event. */
function gtidText(item: RowsItem): string {
  const { gtid } = item;
  if (gtid === null) return `${item.start.file}:${item.start.offset}`;
  return gtid.flavour === 'mysql' ? formatMysqlGtid(gtid) : formatMariadbGtid(gtid);
}

const MAX_SHOWN = 2000;

/** The statement, as far as it may be shown: changes in statement form hold values of rows, so of those only the first words. */
function shownStatement(statement: SourceStatement): string {
  const text = statement.sql.toString('utf8', 0, 4 * MAX_SHOWN).trim();
  if (statement.nature === 'dml' || statement.nature === 'load-data')
    return `${/^(?:[a-z_`][\w`.$]*\s*){1,6}/i.exec(text)?.[0].trim() ?? ''} … (${statement.sql.length} bytes)`;
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
