/** Gathers what a trace is told from: the source's log, the rules, the target's own tables, the boards and the kept history. */
import { ServerConnection } from '../../canal/protocol/server-connection.ts';
import { SourceSession } from '../../canal/schema/source-session.ts';
import { readSourceFacts } from '../../canal/source/source-facts.ts';
import type { Clock } from '../../lib/clock.ts';
import { quoteTable } from '../../lib/sql-name.ts';
import { taskName } from '../../model/batch.ts';
import type { DataSourceConfig, PipelineConfig } from '../../model/config.ts';
import type { ClockReading } from '../../model/lag.ts';
import { PayloadReader, PayloadWriter } from '../../model/payload.ts';
import type { PositionText } from '../../model/position.ts';
import { coveredBy } from '../../model/position-cover.ts';
import { parseRowExpression } from '../../model/row-expression.ts';
import { RowFilter } from '../../stages/extract/row-filter.ts';
import { readCheckpoint } from '../../stages/load/checkpoint.ts';
import { nextHeld } from '../../stages/load/held.ts';
import { ledgerOf, readLedgerEntry } from '../../stages/load/ledger.ts';
import { heldSubject } from '../../stages/load/parked/parked.ts';
import { readParked } from '../../stages/load/parked/parked-rows.ts';
import type { TargetConnection } from '../../stages/load/target/target-connection.ts';
import { TableFilter } from '../../stages/select/table-filter.ts';
import { TableMapping } from '../../stages/transform/table-mapping.ts';
import type { StandingTask } from '../cluster.ts';
import type { AppliedBatch, AppliedBatches } from '../history/applied-batches.ts';
import { withSession } from '../runtime/target-half.ts';
import type { ReadSoFar } from '../wait/arrivals.ts';
import { describeRow } from './key-conditions.ts';
import { type FoundChange, type SearchProgress, searchLog } from './log-search.ts';
import type { TraceRequest, TraceView } from './trace.ts';
import { KeyReader, type ResolvedKey, whereClause } from './typed-key.ts';
import { type BatchTimes, type FilterVerdict, type TraceFacts, traceVerdict } from './verdict.ts';

export interface TracerOptions {
  /** As it rules now. */
  readonly pipeline: (name: string) => Promise<PipelineConfig>;
  readonly dataSource: (name: DataSourceConfig['name']) => DataSourceConfig;
  readonly tasks: (pipeline: string) => Promise<readonly StandingTask[]>;
  readonly readSoFar: (pipeline: string, signal: AbortSignal) => Promise<ReadSoFar | null>;
  readonly applied: Pick<AppliedBatches, 'find'>;
  /** How far the source's clock is ahead of the nodes'. */
  readonly sourceClock: (source: string) => ClockReading | null;
  /** What the pipeline is doing, where that is not its work. */
  readonly standstill: (pipeline: string) => Promise<string | null>;
  readonly clock: Clock;
}

export type TraceAnswer = Pick<
  TraceView,
  'target' | 'state' | 'change' | 'outcome' | 'steps' | 'rowAt' | 'searchedBackToMs' | 'notes'
>;

/** What of the log is searched. */
const MAX_TRACE_MS = 15 * 60_000;
/** What of a parked table's held changes is looked through. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
const TARGET_MS = 60_000;
/** A batch may go from one board to the next between two looks. */
const LOOKS = 4;
const LOOK_MS = 100;

export class Tracer {
  readonly #options: TracerOptions;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  /** @throws HoltError HOLT_TRACE_TABLE, HOLT_TRACE_KEY; what source and target answer */
  async trace(
    name: string,
    request: TraceRequest,
    onProgress: (progress: SearchProgress) => void,
    given: AbortSignal,
  ): Promise<TraceAnswer> {
    const signal = AbortSignal.any([given, AbortSignal.timeout(MAX_TRACE_MS)]);
    const { clock, dataSource } = this.#options;
    const pipeline = await this.#options.pipeline(name);
    const endpoint = dataSource(pipeline.source);
    const session = new SourceSession({ endpoint });
    const query = (sql: string) => session.query(sql, signal);
    try {
      const reader = new KeyReader(query);
      const [schema = '', ...rest] = request.table.split('.');
      const { key = null, where = null } = request;
      const resolved = await reader.resolve({ schema, table: rest.join('.'), key, where });
      const [[lowerCase] = []] = await query('SELECT @@global.lower_case_table_names');
      const isCaseSensitive = lowerCase === '0';
      const connection = await ServerConnection.connect({ endpoint, purpose: 'trace' }, signal);
      try {
        const { identity } = await readSourceFacts(connection);
        const sinceMs = clock.nowMs() - request.lastMs;
        const found = await searchLog(
          {
            ...{ endpoint, connection, query, reader, isCaseSensitive, sinceMs, onProgress, clock },
            key: resolved,
            maxBytes: request.maxBytes,
          },
          signal,
        );
        const notes = [...endNotes(found.end, request, found.searchedBackToMs), ...found.notes];
        const common = { searchedBackToMs: found.searchedBackToMs, target: targetOf(pipeline, resolved) };
        const { change } = found;
        if (change === null) {
          const rowAt = await this.#rowAt(pipeline, resolved, query, signal);
          return { ...common, state: 'not-found', change: null, outcome: null, steps: [], rowAt, notes };
        }
        const facts = await this.#facts(pipeline, resolved, change, { identity, isCaseSensitive }, signal);
        const rowAt = await this.#rowAt(pipeline, resolved, query, signal);
        const shown = describeRow(change.rows, resolved.columns);
        return {
          ...common,
          state: 'found',
          change: {
            op: change.rows.op,
            file: change.file,
            offset: change.offset,
            endOffset: change.endOffset,
            gtid: change.gtid,
            commitMs: change.commitUs / 1000,
            commitIsExact: change.commitIsExact,
            ...shown,
            origin: change.mark?.origin ?? null,
            xid: change.xa?.xid ?? null,
          },
          ...traceVerdict(facts),
          rowAt,
          notes: [...notes, ...keyNotes(change), ...filterNotes(facts)],
        };
      } finally {
        await connection.close();
      }
    } finally {
      await session.close();
    }
  }

  async #facts(
    pipeline: PipelineConfig,
    key: ResolvedKey,
    change: FoundChange,
    source: { readonly identity: string; readonly isCaseSensitive: boolean },
    signal: AbortSignal,
  ): Promise<TraceFacts> {
    const { clock, applied, sourceClock, standstill } = this.#options;
    const rule = new TableMapping(pipeline.rules).ruleFor(key.schema, key.table);
    const aheadMs = sourceClock(pipeline.source)?.aheadMs ?? 0;
    const origin = change.mark?.origin ?? null;
    const where = rule?.where ?? null;
    const place = await this.#place(pipeline, change, signal);
    const kept = await applied.find({
      pipeline: pipeline.name,
      source: source.identity,
      file: change.file,
      offset: change.endOffset,
      commitMs: change.commitUs / 1000,
    });
    const target =
      place.isCovered === true
        ? await withSession(this.#target(pipeline), timely(signal), (session) =>
            atTarget(session, pipeline.name, key, change),
          )
        : { ledger: null, parked: null };
    return {
      pipeline: pipeline.name,
      commitMs: change.commitUs / 1000 - aheadMs,
      nowMs: clock.nowMs(),
      leftOutBy: leftOutBy(pipeline, key, source.isCaseSensitive),
      origin,
      carriesOrigin: (pipeline.origins as readonly string[]).includes(origin ?? pipeline.sourceSite),
      filter:
        where === null ? null : { rule: rule?.match ?? '', where, verdict: filterVerdict(change, where) },
      processor: rule?.processor ?? null,
      preparedXid: change.xa?.isPrepared === true ? change.xa.xid : null,
      isCovered: place.isCovered,
      isRead: place.isRead,
      inFlight: place.task === null ? null : flightOf(place.task),
      applied: kept.batch === null ? null : appliedOf(kept.batch),
      ...target,
      standstill: place.isCovered === true ? null : await standstill(pipeline.name),
    };
  }

  /** How far the change is. Things move on meanwhile: each is asked from the front of the flow to its end, and the checkpoint last. */
  async #place(
    pipeline: PipelineConfig,
    change: FoundChange,
    signal: AbortSignal,
  ): Promise<{
    readonly isCovered: boolean | null;
    readonly isRead: boolean | null;
    readonly task: StandingTask | null;
  }> {
    const { tasks, readSoFar, clock } = this.#options;
    for (let look = 1; ; look += 1) {
      const read = await readSoFar(pipeline.name, signal);
      const standing = await tasks(pipeline.name);
      const row = await withSession(this.#target(pipeline), timely(signal), (session) =>
        readCheckpoint(session, pipeline.name),
      );
      const isCovered = row === null ? null : has(row.position.text, change);
      const isRead =
        read === null || read.position === '' ? null : has(read.position as PositionText, change);
      const task = standing.find((one) => holds(one, change)) ?? partOf(standing, change);
      const isPlaced = isCovered !== false || task !== null || isRead === false;
      if (isPlaced || look >= LOOKS) return { isCovered, isRead, task: isCovered === true ? null : task };
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** Whether a row with the key stands at both ends now; asked only where an index finds it. */
  async #rowAt(
    pipeline: PipelineConfig,
    key: ResolvedKey,
    query: (sql: string) => Promise<readonly (readonly (string | null)[])[]>,
    signal: AbortSignal,
  ): Promise<TraceView['rowAt']> {
    if (!key.isKey) return { source: null, target: null };
    const own = whereClause(key.literals, (column) => column);
    const here = await query(`SELECT 1 FROM ${quoteTable(key.schema, key.table)} WHERE ${own} LIMIT 1`).then(
      (rows) => rows.length > 0,
      () => null,
    );
    const mapping = new TableMapping(pipeline.rules);
    const columns = mapping.ruleFor(key.schema, key.table)?.columns ?? null;
    const there = whereClause(key.literals, (column) =>
      columns?.drop.includes(column) === true ? null : (columns?.rename[column] ?? column),
    );
    if (there === null || leftOutBy(pipeline, key, true) !== null) return { source: here, target: null };
    const { schema, table } = mapping.target(key.schema, key.table);
    const at = await withSession(this.#target(pipeline), timely(signal), (session) =>
      session.rows(`SELECT 1 FROM ${quoteTable(schema, table)} WHERE ${there} LIMIT 1`),
    ).then(
      (rows) => rows.length > 0,
      () => null,
    );
    signal.throwIfAborted();
    return { source: here, target: at };
  }

  #target(pipeline: PipelineConfig): DataSourceConfig {
    return this.#options.dataSource(pipeline.target);
  }
}

const timely = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(TARGET_MS)]);

function has(position: PositionText, { transaction }: FoundChange): boolean | null {
  try {
    return coveredBy(position)(transaction);
  } catch {
    // A source that has changed its form of positions since.
    return null;
  }
}

function holds({ header }: StandingTask, change: FoundChange): boolean {
  return has(header.end, change) === true && has(header.start, change) === false;
}

/** Parts of a large transaction end where they start, but for the last. */
function partOf(standing: readonly StandingTask[], change: FoundChange): StandingTask | null {
  const next = standing.find(
    ({ header }) =>
      (!header.lastPart || header.part > 0) &&
      header.firstCommitUs === change.commitUs &&
      has(header.start, change) === false,
  );
  return next ?? null;
}

function flightOf({ id, stage, holder, header }: StandingTask): NonNullable<TraceFacts['inFlight']> {
  const { selectedMs, extractedMs, transformedMs } = header;
  return { id, stage, holder, selectedMs, extractedMs, transformedMs, appliedMs: null };
}

function appliedOf(batch: AppliedBatch): BatchTimes & { readonly node: string } {
  return {
    id: taskName(batch.e, BigInt(batch.q), 0),
    selectedMs: batch.s,
    extractedMs: batch.x,
    transformedMs: batch.w,
    appliedMs: batch.t,
    node: batch.N,
  };
}

/** The pattern that leaves the table out, in words; null for one that is carried. */
export function leftOutBy(
  { tables }: Pick<PipelineConfig, 'tables'>,
  { schema, table }: Pick<ResolvedKey, 'schema' | 'table'>,
  caseSensitive: boolean,
): string | null {
  if (new TableFilter(tables, { caseSensitive }).matches(schema, table)) return null;
  const included = new TableFilter({ include: tables.include, exclude: [] }, { caseSensitive });
  if (!included.matches(schema, table))
    return `no pattern of tables.include fits it (${tables.include.join(', ')})`;
  const by = tables.exclude.find(
    (one) =>
      !new TableFilter({ include: tables.include, exclude: [one] }, { caseSensitive }).matches(schema, table),
  );
  return `tables.exclude ${by ?? ''} leaves it out`;
}

/** What the rule's row filter makes of the change: the filter itself is asked. */
export function filterVerdict(
  { rows, commitUs }: Pick<FoundChange, 'rows' | 'commitUs'>,
  where: string,
): FilterVerdict {
  try {
    const writer = new PayloadWriter(rows.data.length + 4096);
    writer.transaction(commitUs, '');
    writer.rawRows(
      rows.shape,
      rows.op,
      rows.flags,
      1,
      rows.before,
      rows.after,
      rows.data,
      0,
      rows.data.length,
    );
    const reader = new PayloadReader(writer.finish());
    while (reader.next() !== 'rows');
    const passed = new PayloadWriter(rows.data.length + 4096);
    passed.transaction(commitUs, '');
    new RowFilter(rows.shape, parseRowExpression(where)).rewrite(reader, passed);
    const result = new PayloadReader(passed.finish());
    for (let record = result.next(); record !== null; record = result.next())
      if (record === 'rows') return { kind: 'passes', op: result.op };
    return { kind: 'dropped' };
  } catch (error) {
    return { kind: 'unknown', why: error instanceof Error ? error.message : String(error) };
  }
}

async function atTarget(
  session: TargetConnection,
  pipeline: string,
  key: ResolvedKey,
  change: FoundChange,
): Promise<Pick<TraceFacts, 'ledger' | 'parked'>> {
  const ledger = await ledgerFact(session, pipeline, key, change);
  const table = { schema: key.schema, table: key.table };
  const parked = (await readParked(session, pipeline)).find(
    ({ name }) => name.schema === table.schema && name.table === table.table,
  );
  if (parked === undefined) return { ledger, parked: null };
  const isHeld = await heldHas(session, pipeline, parked.root, change);
  return { ledger, parked: { code: parked.code, why: parked.why, isHeld } };
}

async function ledgerFact(
  session: TargetConnection,
  pipeline: string,
  { schema, table }: ResolvedKey,
  change: FoundChange,
): Promise<TraceFacts['ledger']> {
  const { transaction } = change;
  const ids = await ledgerOf(session, { pipeline, transaction, schema, table });
  for (const id of ids) {
    const entry = await readLedgerEntry(session, { pipeline, id });
    if (!isOfRow(entry.change, change)) continue;
    const { kind, decision, state, why } = entry;
    return { id: String(id), kind, decision, state, why };
  }
  return null;
}

/** Whether a kept change is the one found: its images are, or one of them where a filter has left the other out. */
function isOfRow(kept: Buffer, { rows }: FoundChange): boolean {
  const reader = new PayloadReader(kept);
  for (let record = reader.next(); record !== null && record !== 'rows'; record = reader.next());
  const data = reader.bytes.subarray(reader.dataStart, reader.dataEnd);
  if (data.length === 0 || data.length > rows.data.length) return false;
  return rows.data.subarray(0, data.length).equals(data) || rows.data.subarray(-data.length).equals(data);
}

/** Null where more is held than is looked through. */
async function heldHas(
  session: TargetConnection,
  pipeline: string,
  root: { readonly schema: string; readonly table: string },
  { transaction }: FoundChange,
): Promise<boolean | null> {
  let bytes = 0;
  for (let after = 0n; bytes <= MAX_HELD_BYTES; ) {
    const held = await nextHeld(session, heldSubject(pipeline, root), after);
    if (held === null) return false;
    bytes += held.payload.length;
    after = held.lastId;
    const reader = new PayloadReader(held.payload);
    for (let record = reader.next(); record !== null; record = reader.next())
      if (record === 'transaction' && reader.gtid === transaction) return true;
  }
  return null;
}

function targetOf(pipeline: PipelineConfig, { schema, table }: ResolvedKey): string {
  const to = new TableMapping(pipeline.rules).target(schema, table);
  return `${to.schema}.${to.table}`;
}

function keyNotes({ is, rows }: FoundChange): string[] {
  if (rows.op !== 'update' || is.before === is.after) return [];
  return is.before
    ? [
        'this change gave the row another key: it is a change of both, and what came later is found under the new one',
      ]
    : [
        'this change gave the row this key: before it the row had another one, under which older changes are found',
      ];
}

function filterNotes({ filter, leftOutBy: out }: TraceFacts): string[] {
  if (filter === null || out !== null) return [];
  if (filter.verdict.kind === 'unknown')
    return [`whether the row filter passes it is not known: ${filter.verdict.why}`];
  return [];
}

function endNotes(end: string, { maxBytes }: TraceRequest, backToMs: number | null): string[] {
  const since =
    backToMs === null ? '' : `; what is older than ${new Date(backToMs).toISOString()} is not known`;
  switch (end) {
    case 'purged':
      return [`the source's older logs are purged${since}`];
    case 'bytes':
      return [`no more than ${Math.round(maxBytes / 1024 ** 2)} MiB of log were to be read${since}`];
    default:
      return [];
  }
}
