/**
 * The batches that Load of this node has applied, with the times of each stage, on its own disk: for whoever asks later when a change got to
 * the target. A line a batch, for two days and within a share of `api.historySize`; nothing of a row is in it.
 */
import { z } from 'zod';
import { compareCoordinates } from '../../canal/feed/coordinates.ts';
import type { Clock } from '../../lib/clock.ts';
import { isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { BatchHeader } from '../../model/batch.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import type { PeerQuestion, Peers } from '../api/peers.ts';
import { SegmentStore } from './segment-store.ts';

/** Times are ms since 1970, each by the clock of the node (or server) that did it. */
export const appliedBatch = z.strictObject({
  /** When the target's COMMIT was answered. */
  t: z.number(),
  /** Pipeline. */
  p: z.string(),
  /** Epoch, sequence number; of the last part. */
  e: z.number(),
  q: z.string(),
  /** Commit at the source of the first transaction and the last. */
  f: z.number(),
  l: z.number(),
  /** When Select, Extract and Transform were done with it. */
  s: z.number(),
  x: z.number().nullable(),
  w: z.number().nullable(),
  /** How long Load worked on it, ms. */
  d: z.number(),
  /** Transactions, rows, bytes of the payload. */
  n: z.number(),
  r: z.number(),
  b: z.number(),
  /** Identity of the source, and where in its log the batch ends. */
  i: z.string(),
  F: z.string(),
  O: z.number(),
  /** Node that applied it. */
  N: z.string(),
});
export type AppliedBatch = z.infer<typeof appliedBatch>;

const question = z.strictObject({
  pipeline: z.string(),
  source: z.string(),
  file: z.string(),
  /** Behind the transaction that is asked about. */
  offset: z.number(),
  /** Its commit at the source. */
  commitMs: z.number(),
});
export type AppliedQuestion = z.infer<typeof question>;

export const APPLIED_QUESTION: PeerQuestion<AppliedQuestion, { batch: AppliedBatch | null }> = {
  name: 'applied-batch',
  question,
  answer: z.strictObject({ batch: appliedBatch.nullable() }),
};

const recentQuestion = z.strictObject({
  pipeline: z.string(),
  /** Only those applied after it. */
  sinceMs: z.number(),
  limit: z.number(),
  /** One alone; `sinceMs` is then about when it was applied. */
  only: z.strictObject({ epoch: z.number(), seq: z.string() }).nullable(),
});
export type RecentQuestion = z.infer<typeof recentQuestion>;

export const RECENT_QUESTION: PeerQuestion<RecentQuestion, { batches: AppliedBatch[] }> = {
  name: 'recent-batches',
  question: recentQuestion,
  answer: z.strictObject({ batches: z.array(appliedBatch) }),
};

export interface AppliedBatchesOptions {
  readonly folder: string;
  readonly maxBytes: number;
  readonly node: string;
  readonly peers: Pick<Peers, 'askAll'>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Applied {
  readonly header: BatchHeader;
  readonly appliedMs: number;
  readonly durationMs: number;
}

const KEPT_MS = 2 * 86_400_000;
const SEGMENT_MS = 10 * 60_000;
const WRITE_EVERY_MS = 1_000;
/** What waits to be written; beyond it a node that applies faster than its disk writes keeps no more. */
const MAX_WAITING = 20_000;
/** Clocks of source and nodes are apart by less, or nothing is found. */
/** Of each pipeline, in memory: what a page that is looked at shows as it moves. */
const MAX_RECENT = 300;
/** Around the time given, on disk, for one batch. */
const AROUND_MS = 120_000;
const CLOCKS_APART_MS = 300_000;
/** Where the log has whole seconds, and transactions commit side by side. */
const COMMIT_SLACK_MS = 1_500;

export class AppliedBatches {
  readonly #options: AppliedBatchesOptions;
  /** Null where the folder cannot be used: then nothing is kept here. */
  readonly #store: SegmentStore<AppliedBatch> | null;
  readonly #stop = new AbortController();
  readonly #recent = new Map<string, AppliedBatch[]>();
  #waiting: AppliedBatch[] = [];
  #over: Promise<void> = Promise.resolve();
  #isFailing = false;

  constructor(options: AppliedBatchesOptions) {
    this.#options = options;
    try {
      this.#store = new SegmentStore({
        folder: options.folder,
        schema: appliedBatch,
        segmentMs: SEGMENT_MS,
        retentionMs: KEPT_MS,
        maxBytes: options.maxBytes,
      });
    } catch (error) {
      options.log.warn(
        { event: 'history:unkept', reason: messageOf(error) },
        'this node does not keep when batches were applied: its folder cannot be used',
      );
      this.#store = null;
    }
  }

  /** Costs nothing but memory until the next write. */
  add({ header, appliedMs, durationMs }: Applied): void {
    const line = appliedLine(header, appliedMs, durationMs, this.#options.node);
    const recent = this.#recent.get(line.p) ?? [];
    recent.push(line);
    // In one go now and then: a shift of every batch would move all of them.
    if (recent.length >= 2 * MAX_RECENT) recent.splice(0, recent.length - MAX_RECENT);
    this.#recent.set(line.p, recent);
    if (this.#store === null || this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(line);
  }

  /** Those that Load of this node applied last, oldest first; one alone is looked for on disk, too. */
  async ownRecent({ pipeline, sinceMs, limit, only }: RecentQuestion): Promise<{ batches: AppliedBatch[] }> {
    const recent = this.#recent.get(pipeline) ?? [];
    if (only === null) return { batches: recent.filter((one) => one.t > sinceMs).slice(-limit) };
    const isIt = (one: AppliedBatch) => one.e === only.epoch && one.q === only.seq;
    const held = recent.find(isIt);
    if (held !== undefined) return { batches: [held] };
    const [from, to] = [sinceMs - AROUND_MS, sinceMs + AROUND_MS];
    if (this.#store !== null)
      for await (const one of this.#store.read(pipeline, from, to, this.#stop.signal))
        if (isIt(one)) return { batches: [one] };
    return { batches: [] };
  }

  /** Of all nodes, oldest first. */
  async recent(
    asked: RecentQuestion,
  ): Promise<{ readonly batches: readonly AppliedBatch[]; readonly silent: readonly string[] }> {
    const { answers, silent } = await this.#options.peers.askAll(RECENT_QUESTION, asked, () =>
      this.ownRecent(asked),
    );
    const all = [...answers.values()].flatMap(({ batches }) => batches).sort((a, b) => a.t - b.t);
    return { batches: all.slice(-asked.limit), silent };
  }

  /** Writes once a second until it is stopped. */
  run(): Promise<void> {
    this.#over = this.#run();
    return this.#over;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        await clock.sleep(WRITE_EVERY_MS, this.#stop.signal);
        await this.write();
        this.#isFailing = false;
      } catch (error) {
        if (isAbort(error)) break;
        const facts = { event: 'history:missed', reason: messageOf(error) };
        if (this.#isFailing) log.debug(facts, 'applied batches are missing in the history');
        else log.warn(facts, 'applied batches are missing in the history');
        this.#isFailing = true;
      }
    }
  }

  async write(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    await this.#store?.append(waiting);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#over;
    await this.write().catch(() => {});
    await this.#store?.close();
  }

  /** What this node has: the batch that the transaction was in, as far as places and commit times tell. */
  async own(asked: AppliedQuestion): Promise<{ batch: AppliedBatch | null }> {
    const fromMs = asked.commitMs - CLOCKS_APART_MS;
    let best: AppliedBatch | null = null;
    if (this.#store !== null)
      for await (const one of this.#store.read(
        asked.pipeline,
        fromMs,
        Number.POSITIVE_INFINITY,
        this.#stop.signal,
      )) {
        best = nearer(asked, best, one);
        // Batches are applied in order: what follows ends further behind.
        if (best !== null && one.q !== best.q) break;
      }
    for (const one of this.#waiting) if (one.p === asked.pipeline) best = nearer(asked, best, one);
    return { batch: best };
  }

  /** Asked of all nodes; `silent` did not answer. */
  async find(
    asked: AppliedQuestion,
  ): Promise<{ readonly batch: AppliedBatch | null; readonly silent: readonly string[] }> {
    const { answers, silent } = await this.#options.peers.askAll(APPLIED_QUESTION, asked, () =>
      this.own(asked),
    );
    let best: AppliedBatch | null = null;
    for (const { batch } of answers.values()) if (batch !== null) best = nearer(asked, best, batch);
    return { batch: best, silent };
  }
}

/** The better one of two: the first that ends at the transaction or behind it. */
export function nearer(
  asked: AppliedQuestion,
  best: AppliedBatch | null,
  one: AppliedBatch,
): AppliedBatch | null {
  if (one.i !== asked.source) return best;
  const end: BinlogCoordinates = { file: one.F, offset: one.O };
  if (compareCoordinates(end, asked) < 0) return best;
  // One before it may be missing, whose node is gone: then this one began later.
  const mayHold =
    asked.commitMs >= one.f - COMMIT_SLACK_MS && asked.commitMs <= Math.max(one.f, one.l) + COMMIT_SLACK_MS;
  if (!mayHold) return best;
  if (best === null) return one;
  const order = compareCoordinates(end, { file: best.F, offset: best.O });
  // The same batch may have been told twice, when its task could not be taken away the first time.
  return order < 0 || (order === 0 && one.t < best.t) ? one : best;
}

function appliedLine(header: BatchHeader, appliedMs: number, durationMs: number, node: string): AppliedBatch {
  return {
    t: Math.round(appliedMs),
    p: header.pipeline,
    e: header.epoch,
    q: header.seq,
    f: header.firstCommitUs / 1000,
    l: header.lastCommitUs / 1000,
    s: header.selectedMs,
    x: header.extractedMs,
    w: header.transformedMs,
    d: Math.round(durationMs),
    n: header.transactions,
    r: header.rows,
    b: header.payload.bytes,
    i: header.source,
    F: header.endFile,
    O: header.endOffset,
    N: node,
  };
}
