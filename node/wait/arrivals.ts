/**
 * Waiting until the target of a pipeline has what was committed at the source up to a position: for applications that must read
 * there what they wrote here.
 *
 * A position is reached when the checkpoint at the target covers it, or when Select has read to it and nothing that it has read is
 * on its way any more: what comes last in a log may be nothing that the pipeline carries, and the checkpoint moves over that only now
 * and then. All that wait for one pipeline at this node share one session with the target, which ends a little after the last of them.
 */
import type { Clock } from '../../lib/clock.ts';
import { HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { Waiters } from '../../lib/waiters.ts';
import type { PositionText } from '../../model/position.ts';
import { covers } from '../../model/position-cover.ts';

/** What the node that reads the source says of a pipeline. */
export interface ReadSoFar {
  /** Behind the last transaction that was read; empty before the first. */
  readonly position: string;
  /** Something that was read is not at the target, as far as that node knows. */
  readonly isBusy: boolean;
}

/** The target's checkpoint, again and again over one session. */
export interface CheckpointReader {
  /** Null where there is none. */
  read(signal: AbortSignal): Promise<PositionText | null>;
  close(): Promise<void>;
}

export interface ArrivalsOptions {
  readonly openReader: (pipeline: string, signal: AbortSignal) => Promise<CheckpointReader>;
  /** Null when nobody leads, or whoever does is silent. */
  readonly readSoFar: (pipeline: string, signal: AbortSignal) => Promise<ReadSoFar | null>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Who waits for one pipeline at once; default 1000. */
  readonly maxWaiting?: number;
}

export interface Arrival {
  /** Null when the time was up first. */
  readonly by: 'checkpoint' | 'reading' | null;
  /** As last read; null when it never was. */
  readonly checkpoint: PositionText | null;
  /** Why nobody could look, where that is how it is. */
  readonly problem: string | null;
}

const MAX_WAITING = 1_000;
/** Between two looks: a tenth of what the youngest has waited, within these. */
const LOOK_MS = { least: 10, most: 250 } as const;
const RETRY_MS = 250;
/** How long the session stays when nobody waits. */
const LINGER_MS = 5_000;
/** A node that leads and did not answer is asked again after so long. */
const SILENT_MS = 1_000;

interface Waiting {
  readonly wanted: PositionText;
  readonly sinceMs: number;
  by: Arrival['by'];
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #watches = new Map<string, Watch>();

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /** Settles when the position is reached or `timeoutMs` are over; rejects with the signal's reason when it aborts. */
  async wait(
    pipeline: string,
    wanted: PositionText,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Arrival> {
    signal.throwIfAborted();
    const watch = this.#watches.get(pipeline) ?? this.#open(pipeline);
    if (watch.waiting.size >= (this.#options.maxWaiting ?? MAX_WAITING))
      throw new HoltError(
        'HOLT_RATE_LIMIT',
        `${watch.waiting.size} wait for ${pipeline} at this node already`,
        {
          disposition: 'retry',
        },
      );
    const { clock } = this.#options;
    const one: Waiting = { wanted, sinceMs: clock.monotonicMs(), by: null };
    watch.waiting.add(one);
    watch.joined.wake();
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const timer = clock.sleep(timeoutMs, either).then(
      () => over.abort(),
      () => {},
    );
    try {
      while (one.by === null && !over.signal.aborted) {
        await watch.moved.wait(either).catch((error: unknown) => {
          if (!over.signal.aborted) throw error;
        });
      }
      return { by: one.by, checkpoint: watch.checkpoint, problem: watch.problem };
    } finally {
      over.abort();
      await timer;
      watch.waiting.delete(one);
    }
  }

  /** Ends every look; who waits waits for nothing, and is told so when the time is up. */
  async stop(): Promise<void> {
    const watches = [...this.#watches.values()];
    for (const watch of watches) watch.stop.abort();
    await Promise.all(watches.map((one) => one.done));
  }

  #open(pipeline: string): Watch {
    const watch: Watch = {
      waiting: new Set(),
      moved: new Waiters(),
      joined: new Waiters(),
      stop: new AbortController(),
      checkpoint: null,
      problem: null,
      askFromMs: Number.NEGATIVE_INFINITY,
      done: Promise.resolve(),
    };
    this.#watches.set(pipeline, watch);
    watch.done = this.#run(pipeline, watch);
    return watch;
  }

  async #run(pipeline: string, watch: Watch): Promise<void> {
    const { openReader, clock, log } = this.#options;
    const { signal } = watch.stop;
    let reader: CheckpointReader | null = null;
    while (!signal.aborted) {
      try {
        if (watch.waiting.size === 0) await this.#orJoined(watch, LINGER_MS, signal);
        // In the same turn: whoever comes now opens another one.
        if (watch.waiting.size === 0) break;
        reader ??= await openReader(pipeline, signal);
        watch.checkpoint = await reader.read(signal);
        watch.problem = null;
        await this.#settle(pipeline, watch, signal);
        await this.#pause(watch, signal);
      } catch (error) {
        if (signal.aborted) break;
        watch.problem = messageOf(error);
        log.debug(
          { event: 'wait:look:failed', pipeline, reason: watch.problem },
          'the checkpoint could not be read for those who wait',
        );
        await reader?.close().catch(() => {});
        reader = null;
        await clock.sleep(RETRY_MS, signal).catch(() => {});
      }
    }
    if (this.#watches.get(pipeline) === watch) this.#watches.delete(pipeline);
    await reader?.close().catch(() => {});
  }

  async #settle(pipeline: string, watch: Watch, signal: AbortSignal): Promise<void> {
    const { readSoFar, clock } = this.#options;
    const { checkpoint } = watch;
    if (checkpoint !== null) reached(watch, checkpoint, 'checkpoint');
    const nowMs = clock.monotonicMs();
    if (nowMs < watch.askFromMs || ![...watch.waiting].some(({ by }) => by === null)) return;
    const read = await readSoFar(pipeline, signal);
    // Whoever is silent must not keep us from looking at the checkpoint.
    if (read === null) watch.askFromMs = nowMs + SILENT_MS;
    else if (!read.isBusy && read.position !== '') reached(watch, read.position as PositionText, 'reading');
  }

  /** Until the next look, or somebody joins. */
  async #pause(watch: Watch, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    const youngestMs = Math.min(...[...watch.waiting].map((one) => nowMs - one.sinceMs), 60_000);
    const pauseMs = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, youngestMs / 10));
    await this.#orJoined(watch, pauseMs, signal);
  }

  async #orJoined(watch: Watch, pauseMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.race([
        clock.sleep(pauseMs, either).catch(ignoreAbort),
        watch.joined.wait(either).catch(ignoreAbort),
      ]);
    } finally {
      over.abort();
    }
  }
}

/** What those that wait for one pipeline share. */
interface Watch {
  readonly waiting: Set<Waiting>;
  /** Somebody's position is reached. */
  readonly moved: Waiters;
  readonly joined: Waiters;
  readonly stop: AbortController;
  checkpoint: PositionText | null;
  problem: string | null;
  /** When the node that leads is asked again, monotonic. */
  askFromMs: number;
  done: Promise<void>;
}

function reached(watch: Watch, position: PositionText, by: NonNullable<Arrival['by']>): void {
  let some = false;
  for (const one of watch.waiting) {
    if (one.by !== null || !covers(position, one.wanted)) continue;
    one.by = by;
    some = true;
  }
  if (some) watch.moved.wake();
}

function ignoreAbort(error: unknown): void {
  if (!isAbort(error)) throw error;
}
