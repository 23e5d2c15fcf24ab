/**
 * The history of lag, throughput and state. Each pipeline is looked at by one node, the one that holds its mainstem (or, while nobody
 * does, the first of those present), which keeps what it saw on its own disk: all of it for two days, and the worst of every minute
 * for the whole retention. Whoever is asked asks all nodes and joins what they have.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { PeerQuestion, Peers } from '../api/peers.ts';
import type { PipelineStatusView } from '../operations.ts';
import { type HistoryPoint, isResting, merged, pointsOf, type Sample, sample, sampleOf } from './samples.ts';
import { SegmentStore } from './segment-store.ts';

const LOOK_MS = 5_000;
const MINUTE_MS = 60_000;
const RAW_DAYS = 2;
const DAY_MS = 86_400_000;
/** What rests is written no more often than this; it stands for a little longer. */
const REST_MS = { raw: 60_000, minutes: 5 * MINUTE_MS } as const;
const HOLD_MS = { raw: 90_000, minutes: 7 * MINUTE_MS } as const;
/** Of one node's answer. */
const MAX_SAMPLES = 20_000;
export const MAX_POINTS = 2_000;

const question = z.strictObject({
  pipeline: z.string(),
  fromMs: z.number(),
  toMs: z.number(),
  stepMs: z.number().positive(),
});
type Question = z.infer<typeof question>;

export const HISTORY_QUESTION: PeerQuestion<Question, { samples: Sample[] }> = {
  name: 'history',
  question,
  answer: z.strictObject({ samples: z.array(sample).max(MAX_SAMPLES) }),
};

export interface HistoryOptions {
  readonly folder: string;
  readonly retentionDays: number;
  readonly maxBytes: number;
  /** The pipelines that this node has to look at now, as they are. */
  readonly look: () => Promise<readonly PipelineStatusView[]>;
  readonly peers: Pick<Peers, 'askAll'>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface HistoryAnswer {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
  readonly points: readonly HistoryPoint[];
  /** Nodes that did not answer: what they saw is missing. */
  readonly silent: readonly string[];
}

interface Last {
  readonly raw: Sample;
  readonly minutes: Sample | null;
}

export class History {
  readonly #options: HistoryOptions;
  /** Null where the folder cannot be used: then nothing is kept here. */
  readonly #stores: { readonly raw: SegmentStore<Sample>; readonly minutes: SegmentStore<Sample> } | null;
  readonly #last = new Map<string, Last>();
  readonly #minute = new Map<string, [Sample, ...Sample[]]>();
  readonly #stop = new AbortController();
  #minuteStart = 0;
  #isFailing = false;

  constructor(options: HistoryOptions) {
    this.#options = options;
    const { folder, retentionDays, maxBytes, log } = options;
    try {
      this.#stores = {
        raw: new SegmentStore({
          folder: join(folder, 'samples'),
          schema: sample,
          retentionMs: Math.min(RAW_DAYS, retentionDays) * DAY_MS,
          maxBytes: maxBytes / 4,
        }),
        minutes: new SegmentStore({
          folder: join(folder, 'minutes'),
          schema: sample,
          retentionMs: retentionDays * DAY_MS,
          maxBytes: maxBytes / 4,
        }),
      };
    } catch (error) {
      log.warn(
        { event: 'history:unkept', reason: messageOf(error) },
        'this node keeps no history: its folder cannot be used',
      );
      this.#stores = null;
    }
  }

  /** Looks every five seconds until it is stopped. */
  async run(): Promise<void> {
    const { clock, look, log } = this.#options;
    while (!this.#stop.signal.aborted && this.#stores !== null) {
      try {
        await clock.sleep(LOOK_MS, this.#stop.signal);
        await this.take(await look(), clock.nowMs());
        this.#isFailing = false;
      } catch (error) {
        if (this.#stop.signal.aborted || isAbort(error)) break;
        // Once until it goes well again: ZooKeeper may be away, or the disk full.
        const facts = { event: 'history:missed', reason: messageOf(error) };
        if (this.#isFailing) log.debug(facts, 'a look at the pipelines is missing in the history');
        else log.warn(facts, 'a look at the pipelines is missing in the history');
        this.#isFailing = true;
      }
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#stores?.raw.close();
    await this.#stores?.minutes.close();
  }

  /** Keeps what was seen at `nowMs`. */
  async take(seen: readonly PipelineStatusView[], nowMs: number): Promise<void> {
    const stores = this.#stores;
    if (stores === null) return;
    const minuteStart = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
    if (minuteStart !== this.#minuteStart) await this.#closeMinute(stores.minutes, minuteStart);
    const fresh: Sample[] = [];
    for (const status of seen) {
      const now = sampleOf(status, nowMs);
      const known = this.#minute.get(now.p);
      if (known === undefined) this.#minute.set(now.p, [now]);
      else known.push(now);
      const last = this.#last.get(now.p);
      if (last !== undefined && isRepeat(last.raw, now, REST_MS.raw)) continue;
      this.#last.set(now.p, { raw: now, minutes: last?.minutes ?? null });
      fresh.push(now);
    }
    await stores.raw.append(fresh);
  }

  async #closeMinute(store: SegmentStore<Sample>, next: number): Promise<void> {
    const over: Sample[] = [];
    for (const [pipeline, samples] of this.#minute) {
      const one = merged(samples);
      const last = this.#last.get(pipeline);
      if (last?.minutes && isRepeat(last.minutes, one, REST_MS.minutes)) continue;
      this.#last.set(pipeline, { raw: last?.raw ?? one, minutes: one });
      over.push(one);
    }
    this.#minute.clear();
    this.#minuteStart = next;
    await store.append(over);
  }

  /** What this node has. */
  async own({ pipeline, fromMs, toMs, stepMs }: Question): Promise<{ samples: Sample[] }> {
    const stores = this.#stores;
    if (stores === null) return { samples: [] };
    const kind = kindFor(stepMs, fromMs, this.#options.clock.nowMs());
    const stepSamples: Sample[] = [];
    let step: [Sample, ...Sample[]] | null = null;
    const close = () => {
      if (step !== null) stepSamples.push(merged(step));
      step = null;
    };
    let at = Number.NaN;
    // What rests may have been written before the range begins.
    for await (const one of stores[kind].read(pipeline, fromMs - HOLD_MS[kind], toMs, this.#stop.signal)) {
      const index = Math.floor((one.t - fromMs) / stepMs);
      if (index !== at || isResting(one) || step === null) {
        close();
        at = index;
        step = [one];
      } else (step as [Sample, ...Sample[]]).push(one);
      if (stepSamples.length > MAX_SAMPLES - 2) break;
    }
    close();
    if (kind === 'minutes')
      for (const one of this.#minute.get(pipeline) ?? []) if (one.t < toMs) stepSamples.push(one);
    return { samples: stepSamples.slice(-MAX_SAMPLES) };
  }

  async query(asked: Question): Promise<HistoryAnswer> {
    const { answers, silent } = await this.#options.peers.askAll(HISTORY_QUESTION, asked, () =>
      this.own(asked),
    );
    const kind = kindFor(asked.stepMs, asked.fromMs, this.#options.clock.nowMs());
    const samples = [...answers.values()].flatMap((one) => one.samples);
    const { fromMs, toMs, stepMs } = asked;
    return {
      ...{ fromMs, toMs, stepMs, silent },
      points: pointsOf(samples, { fromMs, toMs, stepMs, holdMs: HOLD_MS[kind] }),
    };
  }
}

/** Minutes are enough for wide steps, and all there is of what is older than two days. */
function kindFor(stepMs: number, fromMs: number, nowMs: number): 'raw' | 'minutes' {
  return stepMs >= MINUTE_MS || fromMs < nowMs - RAW_DAYS * DAY_MS ? 'minutes' : 'raw';
}

function isRepeat(last: Sample, now: Sample, restMs: number): boolean {
  return (
    isResting(last) &&
    isResting(now) &&
    last.s === now.s &&
    last.c === now.c &&
    now.t - last.t < restMs - LOOK_MS
  );
}
