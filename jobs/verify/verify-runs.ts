/** Runs of `verify` on this node: cuts tables into chunks, compares them as jobs, looks again at what differs. */
import { randomBytes } from 'node:crypto';
import { AbortError, abortable } from '../../lib/abort.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Job, JobQueue, JobQueueOptions } from '../job-queue.ts';
import { type ChunkRange, selectBoundary, selectKeys, selectRange } from './chunk-sql.ts';
import { compareBags, compareRows, type Finding, formatKey } from './compare-rows.ts';
import type { Difference, RowReader, VerifyReport, VerifyTable } from './verify.ts';

/** Ids only: what keys a chunk spans stays in the memory of the node that runs the check. */
export interface ChunkJob {
  readonly run: string;
  readonly table: number;
  readonly chunk: number;
}

export interface VerifyInput {
  readonly pipeline: string;
  readonly tables: readonly VerifyTable[];
  /** Opens readers of one's own; they are closed when the run is over. */
  readonly open: () => Promise<{
    readonly source: RowReader;
    readonly target: RowReader;
    close(): Promise<void>;
  }>;
}

export interface VerifyRunsOptions {
  readonly queue: (options: JobQueueOptions<ChunkJob>) => JobQueue<ChunkJob>;
  readonly node: string;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly chunkRows?: number;
  /** Pauses between looks at what differs, ms; a row that differs the same way at two looks in a row is a difference. */
  readonly looksMs?: readonly number[];
}

const CHUNK_ROWS = 2_000;
const LOOKS_MS = [200, 500, 1_000, 2_000, 4_000, 8_000] as const;
/** Keys looked at again in one statement. */
const KEYS_AT_ONCE = 100;
/** Differences kept; more are only counted. */
const MAX_DIFFERENCES = 200;
const KEEP_MS = 24 * 3_600_000;

interface Run {
  readonly id: string;
  readonly input: VerifyInput;
  readonly chunks: Map<string, ChunkRange>;
  readonly differences: Difference[];
  readonly done: Set<string>;
  readonly readers: Awaited<ReturnType<VerifyInput['open']>>[];
  differencesTotal: number;
  rowsCompared: number;
  planned: boolean;
  error: string | null;
  endedMs: number | null;
}

export class VerifyRuns {
  readonly #queue: JobQueue<ChunkJob>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #chunkRows: number;
  readonly #looksMs: readonly number[];
  readonly #runs = new Map<string, Run>();
  readonly #stop = new AbortController();

  constructor(options: VerifyRunsOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
    this.#chunkRows = options.chunkRows ?? CHUNK_ROWS;
    this.#looksMs = options.looksMs ?? LOOKS_MS;
    this.#queue = options.queue({
      name: `holt-verify-${options.node}`,
      concurrency: 2,
      attempts: 5,
      backoffMs: 200,
      process: (job, signal) => this.#chunk(job, signal),
      onFailed: (job, error) => {
        const run = this.#runs.get(job.data.run);
        if (run !== undefined) this.#fail(run, error);
      },
    });
  }

  start(input: VerifyInput): VerifyReport {
    this.#forgetOld();
    const run: Run = {
      id: randomBytes(8).toString('hex'),
      input,
      chunks: new Map(),
      differences: [],
      done: new Set(),
      readers: [],
      differencesTotal: 0,
      rowsCompared: 0,
      planned: false,
      error: null,
      endedMs: null,
    };
    this.#runs.set(run.id, run);
    this.#plan(run).catch((error: unknown) => this.#fail(run, error));
    return this.#report(run);
  }

  report(id: string): VerifyReport {
    const run = this.#runs.get(id);
    if (run === undefined)
      throw new HoltError('HOLT_VERIFY_UNKNOWN', `there is no check ${id} on this node`, {
        disposition: 'fatal',
        remedy: 'Checks are kept for a day on the node that runs them; start a new one with `holt verify`.',
      });
    return this.#report(run);
  }

  /** Null for a run that is not of this node. */
  find(id: string): VerifyReport | null {
    const run = this.#runs.get(id);
    return run === undefined ? null : this.#report(run);
  }

  /** Oldest first. */
  list(): readonly VerifyReport[] {
    return [...this.#runs.values()].map((run) => this.#report(run));
  }

  async close(): Promise<void> {
    this.#stop.abort(new AbortError('stopped'));
    await this.#queue.close();
    await Promise.all([...this.#runs.values()].map((run) => this.#closeReaders(run)));
  }

  async #plan(run: Run): Promise<void> {
    const readers = await this.#readers(run);
    try {
      for (const [table, one] of run.input.tables.entries()) {
        let after: ChunkRange['after'] = null;
        for (let chunk = 0; ; chunk++) {
          this.#stop.signal.throwIfAborted();
          if (run.error !== null) return;
          let upTo: ChunkRange['upTo'] = null;
          if (one.key.length > 0)
            [upTo = null] = await readers.source.rows(selectBoundary(one, after, this.#chunkRows));
          run.chunks.set(chunkId(run.id, table, chunk), { after, upTo });
          await this.#queue.add([{ id: chunkId(run.id, table, chunk), data: { run: run.id, table, chunk } }]);
          if (upTo === null) break;
          after = upTo;
        }
      }
    } finally {
      run.readers.push(readers);
    }
    run.planned = true;
    await this.#end(run);
  }

  async #chunk(job: Job<ChunkJob>, signal: AbortSignal): Promise<void> {
    const run = this.#runs.get(job.data.run);
    const table = run?.input.tables[job.data.table];
    const range = run?.chunks.get(job.id);
    // A job of a process that is gone: its run is not known here, and nobody waits for it.
    if (
      run === undefined ||
      table === undefined ||
      range === undefined ||
      run.done.has(job.id) ||
      run.endedMs !== null
    )
      return;
    const readers = await this.#readers(run);
    let healthy = false;
    try {
      const { rows, findings } = await abortable(this.#compare(table, range, readers, signal), signal);
      run.rowsCompared += rows;
      run.differencesTotal += findings.length;
      for (const finding of findings) {
        if (run.differences.length >= MAX_DIFFERENCES) break;
        run.differences.push({
          table: `${table.targetSchema}.${table.targetTable}`,
          key: formatKey(table, finding),
          kind: finding.kind,
          columns: finding.columns,
        });
      }
      run.done.add(job.id);
      healthy = true;
    } finally {
      if (healthy) run.readers.push(readers);
      else await readers.close();
    }
    await this.#end(run);
  }

  async #compare(
    table: VerifyTable,
    range: ChunkRange,
    readers: { readonly source: RowReader; readonly target: RowReader },
    signal: AbortSignal,
  ): Promise<{ readonly rows: number; readonly findings: readonly Finding[] }> {
    const look = async (
      keys: readonly Finding[] | null,
    ): Promise<{ readonly rows: number; readonly findings: Finding[] }> => {
      if (keys === null || table.key.length === 0) {
        const source = await readers.source.rows(selectRange(table, 'source', range));
        const target = await readers.target.rows(selectRange(table, 'target', range));
        const findings =
          table.key.length === 0 ? compareBags(table, source, target) : compareRows(table, source, target);
        return { rows: source.length, findings };
      }
      const findings: Finding[] = [];
      for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
        const some = keys.slice(at, at + KEYS_AT_ONCE).map((finding) => finding.key);
        const source = await readers.source.rows(selectKeys(table, 'source', some));
        const target = await readers.target.rows(selectKeys(table, 'target', some));
        findings.push(...compareRows(table, source, target));
      }
      return { rows: 0, findings };
    };
    const first = await look(null);
    let open = first.findings;
    const settled: Finding[] = [];
    for (const [number, pauseMs] of this.#looksMs.entries()) {
      if (open.length === 0) break;
      await this.#clock.sleep(pauseMs, signal);
      const seen = tally(open);
      const { findings } = await look(open);
      const last = number === this.#looksMs.length - 1;
      // Two looks in rest, the last pause being long enough for what is in flight: a difference. In motion to the end:
      // what the pipeline has not caught up with, which the last look must show at rest to count.
      if (last) settled.push(...findings.filter((finding) => take(seen, finding.signature)));
      open = findings;
    }
    return { rows: first.rows, findings: settled };
  }

  async #readers(run: Run) {
    return run.readers.pop() ?? (await run.input.open());
  }

  async #end(run: Run): Promise<void> {
    if (!run.planned || run.endedMs !== null || run.done.size < run.chunks.size) return;
    run.endedMs = this.#clock.nowMs();
    run.chunks.clear();
    await this.#closeReaders(run);
  }

  #fail(run: Run, error: unknown): void {
    if (run.endedMs !== null || this.#stop.signal.aborted) return;
    this.#log.error(
      { event: 'verify:run:failed', run: run.id, pipeline: run.input.pipeline, err: error },
      'a check failed',
    );
    run.error = messageOf(error);
    run.endedMs = this.#clock.nowMs();
    this.#closeReaders(run).catch(() => {});
  }

  async #closeReaders(run: Run): Promise<void> {
    await Promise.allSettled(run.readers.splice(0).map((readers) => readers.close()));
  }

  #report(run: Run): VerifyReport {
    const ended = run.endedMs !== null;
    return {
      id: run.id,
      pipeline: run.input.pipeline,
      state: !ended
        ? 'running'
        : run.error !== null
          ? 'failed'
          : run.differencesTotal > 0
            ? 'different'
            : 'equal',
      chunksDone: run.done.size,
      chunksTotal: run.planned ? Math.max(run.chunks.size, run.done.size) : null,
      rowsCompared: run.rowsCompared,
      differences: run.differences,
      differencesTotal: run.differencesTotal,
      error: run.error,
    };
  }

  #forgetOld(): void {
    const now = this.#clock.nowMs();
    for (const [id, run] of this.#runs)
      if (run.endedMs !== null && now - run.endedMs > KEEP_MS) this.#runs.delete(id);
  }
}

function chunkId(run: string, table: number, chunk: number): string {
  return `${run}-${table}-${chunk}`;
}

function tally(findings: readonly Finding[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { signature } of findings) counts.set(signature, (counts.get(signature) ?? 0) + 1);
  return counts;
}

/** Takes one of the kind, if there is one left. */
function take(counts: Map<string, number>, signature: string): boolean {
  const count = counts.get(signature) ?? 0;
  if (count === 0) return false;
  counts.set(signature, count - 1);
  return true;
}
