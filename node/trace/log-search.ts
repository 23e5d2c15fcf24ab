/**
 * The latest change of a row in a source's log: files newest first, each from its head to its end, over connections of their own. It ends
 * with the first file that has a change, or at a bound. What it holds in memory is one transaction's part and some candidates.
 */
import type { ServerConnection, ServerEndpoint } from '../../canal/protocol/server-connection.ts';
import { mentions } from '../../canal/schema/certainty.ts';
import type { SchemaQuery } from '../../canal/schema/schema-reader.ts';
import { type ScannedItem, scanTransactions } from '../../canal/source/scan-transactions.ts';
import { listBinlogFiles } from '../../canal/source/source-facts.ts';
import type { Clock } from '../../lib/clock.ts';
import { formatMysqlGtid } from '../../model/gtid-set.ts';
import { HOLT_SCHEMA } from '../../model/holt-tables.ts';
import { formatMariadbGtid } from '../../model/mariadb-gtid.ts';
import type { LoadMark, SourceItem, SourceStatement } from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { type FoundRow, KeyMatcher, openQuestions, settled, Verdicts } from './key-conditions.ts';
import { type SearchEnd, searchEnd, searchPlan } from './search-plan.ts';
import type { KeyReader, ResolvedKey } from './typed-key.ts';

/** The change itself, out of the log. */
export interface FoundChange {
  readonly rows: FoundRow['rows'];
  /** Which of its images is the row that was asked about. */
  readonly is: { readonly before: boolean; readonly after: boolean };
  /** As payloads and the ledger name it: the GTID, or file:offset. */
  readonly transaction: string;
  readonly gtid: string | null;
  readonly file: string;
  readonly offset: number;
  readonly endOffset: number;
  readonly commitUs: number;
  readonly commitIsExact: boolean;
  /** Holt's own, at the head of its transaction. */
  readonly mark: LoadMark | null;
  /** Of an XA transaction; `prepared` while no outcome of it was found. */
  readonly xa: { readonly xid: string; readonly isPrepared: boolean } | null;
}

export interface SearchProgress {
  readonly file: string | null;
  readonly filesDone: number;
  readonly bytesRead: number;
  readonly bytesToRead: number;
}

export interface SearchResult {
  readonly change: FoundChange | null;
  readonly end: SearchEnd | 'found';
  readonly searchedBackToMs: number | null;
  readonly notes: readonly string[];
}

export interface SearchOptions {
  readonly endpoint: ServerEndpoint;
  /** For questions; not in use by anybody else. */
  readonly connection: ServerConnection;
  readonly query: SchemaQuery;
  readonly key: ResolvedKey;
  readonly reader: KeyReader;
  readonly isCaseSensitive: boolean;
  readonly sinceMs: number;
  readonly maxBytes: number;
  readonly onProgress: (progress: SearchProgress) => void;
  readonly clock: Clock;
}

/** Candidates that wait for the server's word on their texts. */
const MAX_PENDING = 200;
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
/** The source sends to its replicas meanwhile: no faster than this. */
const BYTES_PER_SECOND = 160 * 1024 * 1024;
const MAX_STATEMENTS = 5;

type RowsItem = Extract<SourceItem, { kind: 'rows' }>;
type OutcomeItem = Extract<SourceItem, { kind: 'xa-outcome' }>;

/** @throws what the source answers, and AbortError */
export async function searchLog(options: SearchOptions, signal: AbortSignal): Promise<SearchResult> {
  const { connection, clock, onProgress, sinceMs, maxBytes } = options;
  const plan = searchPlan(await listBinlogFiles(connection), maxBytes);
  const search = new Search(options);
  const startedMs = clock.monotonicMs();
  let doneBytes = 0;
  let backToMs: number | null = null;
  for (const [index, file] of plan.files.entries()) {
    const tell = async (offset: number) => {
      const bytesRead = doneBytes + offset;
      onProgress({ file: file.name, filesDone: index, bytesRead, bytesToRead: plan.bytes });
      const aheadMs = (bytesRead / BYTES_PER_SECOND) * 1000 - (clock.monotonicMs() - startedMs);
      if (aheadMs > 5) await clock.sleep(aheadMs, signal);
    };
    await tell(0);
    const reachedMs = await search.file(file.name, tell, signal);
    doneBytes += file.bytes;
    onProgress({ file: null, filesDone: index + 1, bytesRead: doneBytes, bytesToRead: plan.bytes });
    backToMs = reachedMs ?? backToMs;
    if (search.latest !== null) return search.result('found', backToMs);
    const end = searchEnd(plan, file.name, backToMs, sinceMs);
    if (end !== null) return search.result(end, backToMs);
  }
  return search.result('beginning', backToMs);
}

class Search {
  readonly #options: SearchOptions;
  readonly #verdicts = new Verdicts();
  readonly #matchers = new Map<TableShape, KeyMatcher>();
  latest: FoundChange | null = null;
  /** Of the file at hand, in order. */
  #pending: { readonly row: FoundRow; readonly item: RowsItem }[] = [];
  #pendingBytes = 0;
  /** Parts of XA transactions and prepared ones whose outcome was not met, by their id. */
  readonly #prepared = new Map<string, FoundChange>();
  /** Outcomes of those whose PREPARE lies before what was read. */
  readonly #outcomes = new Map<string, OutcomeItem>();
  /** Schema changes that name the table, behind the latest change. */
  #statements: { readonly what: string; readonly at: string }[] = [];
  #fault: string | null = null;
  /** Of the transaction at hand, while it comes in parts. */
  #openStart: string | null = null;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** Reads a file; when its oldest transaction was committed, null where it has none and says nothing. */
  async file(
    file: string,
    onProgress: (offset: number) => Promise<void>,
    signal: AbortSignal,
  ): Promise<number | null> {
    const { endpoint, query, key, isCaseSensitive } = this.#options;
    const same = (a: string, b: string) => (isCaseSensitive ? a === b : a.toLowerCase() === b.toLowerCase());
    const wants = (schema: string, table: string) => same(schema, key.schema) && same(table, key.table);
    let oldestMs: number | null = null;
    let begunMs: number | null = null;
    const later = this.#statements;
    this.#statements = [];
    for await (const item of scanTransactions({ endpoint, file, wants, query, onProgress }, signal)) {
      if (item.kind === 'begun') begunMs = item.atSeconds * 1000;
      else oldestMs ??= item.commitUs / 1000;
      await this.#take(item);
    }
    await this.#flush();
    // What a newer file had stands behind what this one has.
    this.#statements = [...this.#statements, ...later].slice(-MAX_STATEMENTS);
    return oldestMs ?? begunMs;
  }

  result(end: SearchResult['end'], searchedBackToMs: number | null): SearchResult {
    const prepared = this.latest === null ? ([...this.#prepared.values()].at(-1) ?? null) : null;
    return { change: this.latest ?? prepared, end, searchedBackToMs, notes: this.#notes() };
  }

  async #take(item: ScannedItem): Promise<void> {
    switch (item.kind) {
      case 'begun':
        return;
      case 'statement':
        this.#statement(item, item);
        return;
      case 'xa-outcome':
        await this.#outcome(item);
        return;
      case 'rows':
        await this.#rows(item);
        return;
      default:
        item satisfies never;
    }
  }

  async #rows(item: RowsItem): Promise<void> {
    for (const statement of item.statements) this.#statement(statement, item);
    const start = `${item.start.file}:${item.start.offset}`;
    for (const rows of item.rows) {
      if (rows.shape.schema === HOLT_SCHEMA) continue;
      if (rows.shape.fault !== undefined) {
        this.#fault = rows.shape.fault.why;
        continue;
      }
      for (const row of this.#matcher(rows.shape).find(rows)) {
        this.#pending.push({ row, item: { ...item, rows: [], statements: [] } });
        this.#pendingBytes += row.rows.data.length;
        if (this.#pending.length >= MAX_PENDING || this.#pendingBytes >= MAX_PENDING_BYTES)
          await this.#flush();
      }
    }
    if (!item.lastPart) this.#openStart = start;
    else if (this.#openStart === start) {
      // Where a transaction ends is known with its last part.
      await this.#flush();
      this.#openStart = null;
      if (this.latest !== null && `${this.latest.file}:${this.latest.offset}` === start)
        this.latest = { ...this.latest, endOffset: item.end.offset };
    }
    if (item.xa !== undefined) await this.#xa(item, item.xa);
  }

  /** Asks the server about what is open, and takes what is a change of the row, in order. */
  async #flush(): Promise<void> {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#options.reader.ask(
      pending.flatMap(({ row }) => openQuestions(row.verdict)),
      this.#verdicts,
    );
    for (const { row, item } of pending) {
      const is = settled(row.verdict, this.#verdicts);
      if (!is.before && !is.after) continue;
      const change = changeOf(row, is, item);
      if (item.xa === undefined) this.#found(change);
      else this.#prepared.set(item.xa.xid, change);
    }
  }

  #found(change: FoundChange): void {
    this.latest = change;
    this.#statements = [];
  }

  async #xa(item: RowsItem, xa: NonNullable<RowsItem['xa']>): Promise<void> {
    await this.#flush();
    const change = this.#prepared.get(xa.xid);
    if (change === undefined || !item.lastPart) return;
    const whole: FoundChange = { ...change, endOffset: item.end.offset };
    const outcome = this.#outcomes.get(xa.xid);
    if (xa.phase === 'one-phase') {
      this.#prepared.delete(xa.xid);
      this.#found({ ...whole, xa: { xid: xa.xid, isPrepared: false } });
    } else if (outcome !== undefined) this.#settleXa(whole, outcome);
    else this.#prepared.set(xa.xid, whole);
  }

  async #outcome(item: OutcomeItem): Promise<void> {
    await this.#flush();
    const change = this.#prepared.get(item.xid);
    if (change === undefined) this.#outcomes.set(item.xid, item);
    else this.#settleXa(change, item);
  }

  /** It takes effect where its outcome stands. */
  #settleXa(change: FoundChange, item: OutcomeItem): void {
    this.#prepared.delete(item.xid);
    if (item.outcome === 'rollback') return;
    this.#found({ ...change, ...placeOf(item), xa: { xid: item.xid, isPrepared: false } });
  }

  #statement(statement: SourceStatement, item: Extract<SourceItem, { kind: 'rows' | 'statement' }>): void {
    if (statement.nature !== 'ddl' || !mentions(statement, this.#options.key.table)) return;
    // Its first words: what follows may hold values.
    const words = statement.sql.toString('utf8', 0, 200).match(/[A-Za-z]+/g) ?? [];
    const what = words.slice(0, 2).join(' ').toUpperCase();
    const at = `${new Date(item.commitUs / 1000).toISOString()} (${item.start.file}:${item.start.offset})`;
    this.#statements = [...this.#statements, { what, at }].slice(-MAX_STATEMENTS);
  }

  #matcher(shape: TableShape): KeyMatcher {
    const known = this.#matchers.get(shape);
    if (known !== undefined) return known;
    const made = new KeyMatcher(shape, this.#options.key.conditions, this.#verdicts);
    this.#matchers.set(shape, made);
    return made;
  }

  #notes(): string[] {
    const notes = this.#statements.map(({ what, at }) =>
      /^(?:TRUNCATE|DROP)/.test(what)
        ? `${what} at ${at} names the table: rows that it took away have no change of their own in the log`
        : `${what} at ${at} names the table: columns before it may have other names than now`,
    );
    const missing = new Set([...this.#matchers.values()].flatMap((one) => one.blindness.missingColumns));
    if (missing.size > 0)
      notes.push(`some rows were written when the table had no ${[...missing].join(', ')}`);
    const blind = [...this.#matchers.values()].reduce((sum, one) => sum + one.blindness.blindRows, 0);
    if (blind > 0)
      notes.push(`${blind} row images lack a column that was asked about (binlog_row_image is not FULL)`);
    if (this.#fault !== null) notes.push(`some rows of the table could not be decoded: ${this.#fault}`);
    if (this.latest !== null && this.#prepared.size > 0)
      notes.push(`an XA transaction that is prepared and not committed has a change of this row, too`);
    return notes;
  }
}

type Place = Pick<
  FoundChange,
  'transaction' | 'gtid' | 'file' | 'offset' | 'endOffset' | 'commitUs' | 'commitIsExact'
>;

function placeOf({ gtid, start, end, commitUs, commitIsExact }: RowsItem | OutcomeItem): Place {
  const text =
    gtid === null ? null : gtid.flavour === 'mysql' ? formatMysqlGtid(gtid) : formatMariadbGtid(gtid);
  return {
    transaction: text ?? `${start.file}:${start.offset}`,
    gtid: text,
    file: start.file,
    offset: start.offset,
    endOffset: end.offset,
    commitUs,
    commitIsExact,
  };
}

function changeOf(row: FoundRow, is: FoundChange['is'], item: RowsItem): FoundChange {
  return {
    rows: row.rows,
    is,
    ...placeOf(item),
    mark: item.mark,
    xa: item.xa === undefined ? null : { xid: item.xa.xid, isPrepared: true },
  };
}
