/**
 * Events in, whole transactions out.
 *
 *     MySQL     GTID|ANONYMOUS_GTID  BEGIN … XID|COMMIT|ROLLBACK        GTID  statement
 *               GTID  XA START … XA END  XA_PREPARE                     GTID  XA COMMIT|XA ROLLBACK
 *               GTID  TRANSACTION_PAYLOAD ( BEGIN … XID )
 *     5.6       BEGIN … XID|COMMIT|ROLLBACK                             statement
 *     MariaDB   GTID … XID|COMMIT|ROLLBACK        GTID(standalone) statement
 *               GTID(prepared) … XA_PREPARE       GTID(completed) XA COMMIT|XA ROLLBACK
 *               GTID(START ALTER) statement, later GTID(COMMIT ALTER|ROLLBACK ALTER) statement
 *
 * Pure and synchronous: coordinates come with each event, shapes from a lookup that must already know them (see
 * `canal/schema`). Holds at most `partBytes` of rows and a little more: a larger transaction leaves in parts before its
 * COMMIT is seen.
 */
import { HoltError } from '../../lib/errors.ts';
import { CHECKPOINT_TABLE, HOLT_SCHEMA } from '../../model/holt-tables.ts';
import { LogRows } from '../../model/log-rows.ts';
import type { LastEvent } from '../../model/position.ts';
import { ROW_FLAG } from '../../model/rows.ts';
import type {
  LoadMark,
  SourceItem,
  SourceRows,
  SourceStatement,
  SourceTransactionBase,
  StatementNature,
  StatementSession,
  TransactionGtid,
  XaBranch,
  XaOutcome,
} from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import type { BinlogEvent, EventHeader, TableMap } from '../event/event.ts';
import type { QueryParts } from '../event/query.ts';
import { parseQueryStatus, type QueryStatus } from '../event/query-status.ts';
import type { RowsEvent } from '../event/rows.ts';
import { RowSlab } from './row-slab.ts';
import { queryVerb, xidOf } from './statement.ts';

type EventOf<K extends BinlogEvent['kind']> = Extract<BinlogEvent, { kind: K }>;

/** Where an event stands: those of a RawEvent. */
export interface EventPlace {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export interface AssemblerOptions {
  /** The shape of a table whose rows are wanted; null for one nobody wants. Must know every map by the time it is pushed. */
  readonly shapeOf: (map: TableMap) => TableShape | null;
  /** Number of rows in a rows event's images. */
  readonly countRows: (shape: TableShape, event: RowsEvent) => number;
  /** Whether rows are counted in the transaction that begins now, those of tables nobody wants too. */
  readonly countsAll?: () => boolean;
  /** Number of rows in an event of a table nobody wants; where `countsAll`. */
  readonly countUnwanted?: (map: TableMap, event: RowsEvent) => number;
  /** Reads the loop mark from a change of `holt.checkpoint`; null when seq did not change. */
  readonly readMark: (rows: SourceRows) => LoadMark | null;
  /** Rows of a transaction beyond this many bytes leave as a part. */
  readonly partBytes: number;
  /** Called for each item, in order, from within `push`. */
  readonly emit: (item: SourceItem) => void;
}

/** Memory of the objects around an item and around a rows event, roughly; so that many small ones count for what they hold. */
const ITEM_BYTES = 400;
const ROWS_BYTES = 250;

/** What comes with every transaction, without making anything of it. */
const BEGIN = Buffer.from('BEGIN');
const BEGIN_VERB = { kind: 'begin' } as const;

/** The table id of the row event without rows that only says "end of statement". */
const DUMMY_TABLE_IDS = new Set([0x00ff_ffff, 0xffff_ffff, 0xffff_ffff_ffff]);

interface Savepoint {
  readonly name: string;
  /** Rows of the present part when it was set. */
  readonly rows: number;
  /** Parts handed out when it was set. */
  readonly parts: number;
}

interface OpenTransaction {
  readonly gtid: TransactionGtid | null;
  readonly startFile: string;
  readonly startOffset: number;
  /** From the GTID event; null where the server does not log it. */
  readonly commitUs: number | null;
  /** Likewise, of the server where it was first made; null where that is this one. */
  originalCommitUs: number | null;
  /** `single`: one statement is all, and ends it. `group`: ends with XID, COMMIT, ROLLBACK or XA_PREPARE. */
  form: 'single' | 'group';
  readonly alter: EventOf<'mariadb-gtid'>['alter'];
  /** Of an XA transaction: its rows wait for an XA COMMIT, as far as is known yet. */
  xid: string | null;
  rows: SourceRows[];
  /** Null while there are none. */
  statements: SourceStatement[] | null;
  savepoints: Savepoint[] | null;
  bytes: number;
  /** Parts handed out. */
  parts: number;
  /** Rows so far, of any table; null where nobody counts. */
  rawRows: number | null;
  /** Until the first row event of the transaction was seen. */
  fresh: boolean;
  mark: LoadMark | null;
}

interface MappedTable {
  readonly map: TableMap;
  /** Null: nobody wants it. */
  readonly shape: TableShape | null;
  /** Of the transaction that had the map last. */
  number: number;
}

/** Remembered from one transaction to the next. */
const MAX_TABLES = 4096;

const NO_STATEMENTS: readonly SourceStatement[] = [];

export class TransactionAssembler {
  readonly #options: AssemblerOptions;
  readonly #slab = new RowSlab();
  /** By table id; of the open transaction where they say so. Most come again in the next, so that they stay. */
  readonly #tables = new Map<number, MappedTable>();
  /** The one met last. */
  #lastTable: MappedTable | null = null;
  /** Counts transactions. */
  #number = 0;
  #open: OpenTransaction | null = null;
  /** The next item is the first since the server was started. */
  #serverStarted = false;

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  /** True between the first event of a transaction and its last. */
  get isOpen(): boolean {
    return this.#open !== null;
  }

  /**
   * Takes the next event of the log. For one out of a payload `outer` is the payload's header and `place` its place.
   * @throws HOLT_TRANSACTION_MALFORMED when the order of events is none that a server writes,
   *   HOLT_TRANSACTION_UNDO_IN_PARTS when rows already handed out are rolled back.
   */
  push(event: BinlogEvent, place: EventPlace, outer: EventHeader = event.header): void {
    this.#take(event, place, outer);
  }

  /** As `push` for an event with rows. */
  pushRows(event: RowsEvent, place: EventPlace, outer: EventHeader): void {
    this.#rows(event, place, outer);
  }

  /** As `push` for a table map. */
  pushMap(map: TableMap, place: EventPlace): void {
    if (this.#open === null) throw outside('table-map', place);
    this.#map(map);
  }

  /** The connection was replaced: what is unfinished comes again from its first event. */
  interrupted(): void {
    this.#drop();
  }

  #take(event: BinlogEvent, place: EventPlace, outer: EventHeader): void {
    switch (event.kind) {
      case 'rows':
        this.#rows(event, place, outer);
        return;
      case 'table-map':
        this.#inTransaction(event, place);
        this.#map(event.map);
        return;
      case 'gtid':
        this.#begin(event.gtid, place, event.immediateCommitUs, 'single', 'none');
        if (this.#open !== null && event.originalCommitUs !== event.immediateCommitUs)
          this.#open.originalCommitUs = event.originalCommitUs;
        return;
      case 'mariadb-gtid':
        this.#begin(event.gtid, place, null, event.standalone ? 'single' : 'group', event.alter);
        if (event.preparedXa && event.xa !== null && this.#open !== null) this.#open.xid = xidOf(event.xa);
        return;
      case 'query':
        this.#query(event, place, outer);
        return;
      case 'xid':
        this.#inTransaction(event, place);
        this.#close(place, outer);
        return;
      case 'xa-prepare': {
        const open = this.#inTransaction(event, place);
        // This event names it in every server; the ones before only where the server writes them.
        open.xid = xidOf(event);
        this.#close(place, outer, event.onePhase ? 'one-phase' : 'prepared');
        return;
      }
      case 'transaction-payload':
        for (const inner of event.events) this.#take(inner, place, outer);
        return;
      case 'load-data':
        // The last of its events carries the statement; those before only the file's bytes.
        if (event.sql !== null && event.session !== null) {
          const open = this.#open;
          // A table without a schema is one of the session's.
          const statement = statementOf(
            { ...event.session, sql: event.sql },
            'load-data',
            event.header.timestamp,
          );
          if (open !== null && open.form === 'group') keepStatement(open, statement);
          else this.#emitStatement(statement, place, outer);
        } else this.#open ??= this.#begun(null, place, null, 'single', 'none');
        return;
      case 'incident':
        // Stands alone, or in front of what is lost: whatever is open, the log itself says that it is incomplete.
        this.#emitStatement(plainStatement('incident', Buffer.from(event.message, 'utf8')), place, outer);
        return;
      case 'format-description':
        // One made up for this connection says nothing; one in the file ends the file before, and what that left open
        // the server has rolled back when it recovered.
        if (place.start !== place.end) {
          this.#drop();
          // A file that was begun by rotation has no time of creation.
          if (event.createdAt !== 0) this.#serverStarted = true;
        }
        return;
      case 'statement-context':
        // INTVAR, RAND, USER_VAR stand before the statement they belong to, which decides.
        this.#open ??= this.#begun(null, place, null, 'single', 'none');
        return;
      case 'rotate':
      case 'stop':
      case 'mariadb-gtid-list':
      case 'previous-gtids':
      case 'rows-query':
      case 'heartbeat':
      case 'ignored':
        return;
      default:
        event satisfies never;
    }
  }

  #begun(
    gtid: TransactionGtid | null,
    place: EventPlace,
    commitUs: number | null,
    form: OpenTransaction['form'],
    alter: OpenTransaction['alter'],
  ): OpenTransaction {
    return {
      gtid,
      startFile: place.file,
      startOffset: place.start,
      commitUs,
      originalCommitUs: null,
      form,
      alter,
      xid: null,
      rows: [],
      statements: null,
      savepoints: null,
      bytes: ITEM_BYTES,
      parts: 0,
      rawRows: this.#options.countsAll?.() === true ? 0 : null,
      fresh: true,
      mark: null,
    };
  }

  #map(map: TableMap): void {
    const shape = this.#options.shapeOf(map);
    let table = this.#tables.get(map.tableId);
    if (table === undefined || table.map !== map || table.shape !== shape) {
      table = { map, shape, number: this.#number };
      this.#tables.set(map.tableId, table);
    } else table.number = this.#number;
    this.#lastTable = table;
  }

  /** What the open transaction has said that the id means. */
  #tableOf(tableId: number): MappedTable | null {
    const last = this.#lastTable;
    const table = last !== null && last.map.tableId === tableId ? last : this.#tables.get(tableId);
    return table?.number === this.#number ? table : null;
  }

  #countUnwanted(open: OpenTransaction, map: TableMap, event: RowsEvent): void {
    if (open.rawRows !== null) open.rawRows += this.#options.countUnwanted?.(map, event) ?? 0;
  }

  #begin(
    gtid: TransactionGtid | null,
    place: EventPlace,
    commitUs: number | null,
    form: OpenTransaction['form'],
    alter: OpenTransaction['alter'],
  ): void {
    if (this.#open !== null) throw malformed('a transaction begins inside another', place);
    this.#open = this.#begun(gtid, place, commitUs, form, alter);
  }

  #query(event: EventOf<'query'>, place: EventPlace, outer: EventHeader): void {
    const verb = event.says(BEGIN) ? BEGIN_VERB : queryVerb(event.sql);
    switch (verb.kind) {
      case 'begin':
      case 'xa-start': {
        this.#open ??= this.#begun(null, place, null, 'single', 'none');
        this.#open.form = 'group';
        if (verb.kind === 'xa-start') this.#open.xid = verb.xid;
        return;
      }
      case 'commit':
        this.#inTransaction(event, place);
        this.#close(place, outer);
        return;
      case 'rollback': {
        const open = this.#inTransaction(event, place);
        if (open.parts > 0) throw undoInParts(open, 'ROLLBACK', place);
        open.rows = [];
        open.mark = null;
        this.#close(place, outer);
        return;
      }
      case 'savepoint': {
        const open = this.#inTransaction(event, place);
        open.savepoints = (open.savepoints ?? []).filter((one) => one.name !== verb.name);
        open.savepoints.push({ name: verb.name, rows: open.rows.length, parts: open.parts });
        return;
      }
      case 'rollback-to':
        this.#rollbackTo(this.#inTransaction(event, place), verb.name, place);
        return;
      case 'release-savepoint':
      case 'xa-end':
        return;
      case 'xa-commit':
        this.#emitOutcome(verb.xid, 'commit', place, outer);
        return;
      case 'xa-rollback':
        this.#emitOutcome(verb.xid, 'rollback', place, outer);
        return;
      case 'other':
        this.#statement(statementOf(event, verb.nature, event.header.timestamp), place, outer);
        return;
      default:
        verb satisfies never;
    }
  }

  #statement(statement: SourceStatement, place: EventPlace, outer: EventHeader): void {
    const open = this.#open;
    if (open !== null && open.form === 'group') {
      keepStatement(open, statement);
      open.bytes += statement.sql.length + ROWS_BYTES;
      return;
    }
    // A two-phase ALTER counts when it is committed; that event has the whole statement again.
    if (open?.alter === 'start' || open?.alter === 'rollback') this.#close(place, outer);
    else this.#emitStatement(statement, place, outer);
  }

  /**
   * Undoes rows back to a savepoint. The log has this statement only when the transaction also did something that cannot be rolled back;
   * its rows are of transactional tables all the same: those of others are written to the log at once, apart from it.
   */
  #rollbackTo(open: OpenTransaction, name: string, place: EventPlace): void {
    const savepoints = open.savepoints ?? [];
    const index = savepoints.findIndex((one) => one.name === name);
    const savepoint = savepoints[index];
    if (savepoint === undefined) throw malformed('ROLLBACK TO an unknown savepoint', place);
    if (savepoint.parts !== open.parts) throw undoInParts(open, 'ROLLBACK TO SAVEPOINT', place);
    open.rows.length = savepoint.rows;
    savepoints.length = index + 1;
  }

  #rows(event: RowsEvent, place: EventPlace, outer: EventHeader): void {
    const open = this.#open;
    if (open === null) throw outside('rows', place);
    const table = this.#tableOf(event.tableId);
    if (table === null) {
      if (DUMMY_TABLE_IDS.has(event.tableId)) return;
      throw malformed(`rows of table id ${event.tableId} without a table map`, place);
    }
    const first = open.fresh;
    open.fresh = false;
    const { shape } = table;
    if (shape === null) {
      this.#countUnwanted(open, table.map, event);
      return;
    }
    const slab = this.#slab;
    slab.keep(event.memory, event.from, event.to);
    const rows = new LogRows({
      shape,
      op: event.op,
      flags: event.partialJson ? event.flags | ROW_FLAG.partialJson : event.flags,
      before: event.before,
      after: event.after,
      rows: this.#options.countRows(shape, event),
      rawBefore: open.rawRows ?? undefined,
      memory: slab.memory,
      from: slab.from,
      to: slab.to,
    });
    if (first && shape.schema === HOLT_SCHEMA && shape.table === CHECKPOINT_TABLE)
      open.mark = this.#options.readMark(rows);
    if (open.rawRows !== null) open.rawRows += rows.rows;
    open.rows.push(rows);
    open.bytes += event.to - event.from + ROWS_BYTES;
    if (open.bytes >= this.#options.partBytes) this.#part(open, place, outer);
  }

  #part(open: OpenTransaction, place: EventPlace, outer: EventHeader): void {
    // Whether rows of an XA transaction count is not known before its end: named, so that they are not taken for committed.
    this.#options.emit(this.#item(open, place, outer, { lastPart: false, phase: 'open' }));
    open.parts += 1;
    open.rows = [];
    open.statements = null;
    open.bytes = ITEM_BYTES;
  }

  #close(place: EventPlace, outer: EventHeader, phase: 'prepared' | 'one-phase' = 'one-phase'): void {
    const open = this.#inTransaction(null, place);
    this.#emitWhole(this.#item(open, place, outer, { lastPart: true, phase }));
    this.#end();
  }

  /** The end of a transaction. */
  #emitWhole(item: Exclude<SourceItem, { kind: 'interrupted' }>): void {
    this.#options.emit(this.#serverStarted ? { ...item, afterServerStart: true } : item);
    this.#serverStarted = false;
  }

  #item(
    open: OpenTransaction,
    place: EventPlace,
    outer: EventHeader,
    { lastPart, phase }: { readonly lastPart: boolean; readonly phase: XaBranch['phase'] },
  ): Extract<SourceItem, { kind: 'rows' }> {
    const { xid } = open;
    // Whole and in one phase it is a transaction as any other.
    const isPlain = xid === null || (phase === 'one-phase' && open.parts === 0);
    const item: Extract<SourceItem, { kind: 'rows' }> = {
      kind: 'rows',
      gtid: open.gtid,
      start: { file: open.startFile, offset: open.startOffset },
      end: { file: place.file, offset: place.end },
      lastEvent: lastEventOf(outer),
      commitUs: open.commitUs ?? outer.timestamp * 1_000_000,
      commitIsExact: open.commitUs !== null,
      ...(open.originalCommitUs === null ? {} : { originalCommitUs: open.originalCommitUs }),
      bytes: open.bytes,
      part: open.parts,
      lastPart,
      mark: open.mark,
      rows: open.rows,
      statements: open.statements ?? NO_STATEMENTS,
    };
    if (open.rawRows === null && isPlain) return item;
    return {
      ...item,
      ...(open.rawRows === null ? {} : { rawRows: open.rawRows }),
      ...(isPlain ? {} : { xa: { xid, phase } }),
    };
  }

  /** A statement that is a transaction of its own. */
  #emitStatement(statement: SourceStatement, place: EventPlace, outer: EventHeader): void {
    const base = this.#alone(place, outer, statement.sql.length);
    this.#emitWhole({ kind: 'statement', ...base, ...statement });
    this.#end();
  }

  #emitOutcome(xid: string, outcome: XaOutcome, place: EventPlace, outer: EventHeader): void {
    this.#emitWhole({ kind: 'xa-outcome', ...this.#alone(place, outer, xid.length), xid, outcome });
    this.#end();
  }

  /** Of what is a transaction of its own. */
  #alone(place: EventPlace, outer: EventHeader, bytes: number): SourceTransactionBase {
    const open = this.#open ?? this.#begun(null, place, null, 'single', 'none');
    if (open.parts > 0) this.#options.emit({ kind: 'interrupted', bytes: ITEM_BYTES });
    return {
      gtid: open.gtid,
      start: { file: open.startFile, offset: open.startOffset },
      end: { file: place.file, offset: place.end },
      lastEvent: lastEventOf(outer),
      commitUs: open.commitUs ?? outer.timestamp * 1_000_000,
      commitIsExact: open.commitUs !== null,
      ...(open.originalCommitUs === null ? {} : { originalCommitUs: open.originalCommitUs }),
      bytes: ITEM_BYTES + bytes,
    };
  }

  /** Forgets what is open; says so where parts of it are out. */
  #drop(): void {
    if (this.#open !== null && this.#open.parts > 0)
      this.#options.emit({ kind: 'interrupted', bytes: ITEM_BYTES });
    this.#end();
  }

  #end(): void {
    this.#open = null;
    this.#number += 1;
    if (this.#tables.size > MAX_TABLES) this.#tables.clear();
  }

  #inTransaction(event: BinlogEvent | null, place: EventPlace): OpenTransaction {
    if (this.#open === null) throw outside(event?.kind ?? 'an end', place);
    return this.#open;
  }
}

function keepStatement(open: OpenTransaction, statement: SourceStatement): void {
  open.statements ??= [];
  open.statements.push(statement);
}

function lastEventOf(header: EventHeader): LastEvent {
  return { timestamp: header.timestamp, crc32: header.crc32, length: header.eventLength };
}

export function statementOf(
  event: QueryParts & { readonly sql: Buffer },
  nature: StatementNature,
  /** Of the event: when the statement began, by its session. */
  timestamp: number,
): SourceStatement {
  const status = sessionOf(event.statusVars);
  return {
    schema: event.schema,
    // The event's buffer is a view of what came from the network.
    sql: Buffer.from(event.sql),
    threadId: event.threadId,
    nature,
    sqlMode: status.sqlMode ?? null,
    charset: status.charset?.client ?? null,
    session: statementSession(status, timestamp),
    ...(event.errorCode === 0 ? {} : { errorCode: event.errorCode }),
  };
}

function statementSession(status: QueryStatus, timestamp: number): StatementSession {
  const { flags, charset, databaseCollation, timeZone, explicitDefaultsForTimestamp } = status;
  const { defaultCollationForUtf8mb4, microseconds } = status;
  return {
    ...(flags === undefined ? {} : { flags }),
    ...(charset === undefined ? {} : { charset }),
    ...(databaseCollation === undefined ? {} : { databaseCollation }),
    ...(timeZone === undefined ? {} : { timeZone }),
    // An event that was made up has none.
    ...(timestamp === 0 ? {} : { timestamp }),
    ...(microseconds === undefined ? {} : { microseconds }),
    ...(explicitDefaultsForTimestamp === undefined ? {} : { explicitDefaultsForTimestamp }),
    ...(defaultCollationForUtf8mb4 === undefined ? {} : { defaultCollationForUtf8mb4 }),
  };
}

/** A session that cannot be made out reads as an unknown one: its statements are then read in every way they could be meant. */
function sessionOf(statusVars: Buffer): QueryStatus {
  try {
    return parseQueryStatus(statusVars);
  } catch (error) {
    if (error instanceof HoltError) return {};
    throw error;
  }
}

function plainStatement(nature: StatementNature, sql: Buffer): SourceStatement {
  return { schema: '', sql: Buffer.from(sql), threadId: 0, nature, sqlMode: null, charset: null };
}

function outside(what: string, place: EventPlace): HoltError {
  return malformed(`${what} outside a transaction: the start is inside one`, place);
}

function malformed(what: string, place: EventPlace): HoltError {
  return new HoltError('HOLT_TRANSACTION_MALFORMED', `${place.file}:${place.start}: ${what}`, {
    disposition: 'pause',
    remedy: 'Set the position to the beginning or the end of a transaction; if it was, report this.',
    facts: { file: place.file, offset: place.start },
  });
}

function undoInParts(open: OpenTransaction, what: string, place: EventPlace): HoltError {
  return new HoltError(
    'HOLT_TRANSACTION_UNDO_IN_PARTS',
    `${place.file}:${place.start}: ${what} takes back rows of a large transaction of which ${open.parts} parts have been handed out`,
    {
      disposition: 'pause',
      remedy: 'Raise batch.partBytes above the size of this transaction, then resume the pipeline.',
      facts: { file: place.file, offset: place.start, parts: open.parts },
    },
  );
}
