/**
 * What the mainstem's node knows of one pipeline's lag: batches in flight with the time of their oldest change, how far reading is, and what
 * the last receipts said. State without clocks: every time is given, on the node's monotonic clock.
 */
import type { BatchBeginning } from '../../../model/batch.ts';
import type { ApplyLag, Measured } from '../../../model/lag.ts';
import type { BinlogCoordinates } from '../../../model/position.ts';
import type { LagReport } from '../node-report.ts';
import { catchUpMs, type LagSample } from './catch-up.ts';
import type { ClockOffset } from './clock-estimate.ts';
import { commitMoment, type Moment } from './commit-time.ts';
import { comparePlaces, type SourceTimeline } from './source-timeline.ts';

/** What Select has come to. */
export interface ReadFacts {
  /** Behind the last transaction read; null where only its GTIDs are known. */
  readonly at: BinlogCoordinates | null;
  /** The last transaction read; null before the first. */
  readonly last: BatchBeginning | null;
  /** The oldest transaction read that is in no batch of the window yet. */
  readonly pending: BatchBeginning | null;
  /** Original commit to commit at the source of the last transaction that says so, ms. */
  readonly upstreamMs: number | null;
}

export interface SourceView {
  readonly timeline: SourceTimeline;
  /** When somebody began to look. */
  readonly sinceMs: number;
  readonly clock: ClockOffset | null;
  /** Length in bytes of each file of the source's log, in order, as last listed; empty before. */
  readonly files: readonly { readonly file: string; readonly bytes: number }[];
  readonly exactCommitTimes: boolean;
  readonly heartbeatMs: number | null;
  /** Length of a heartbeat's transaction in the log; null before one was read. */
  readonly heartbeatBytes: number | null;
}

/** A batch that the window counts. */
export interface NewFlight {
  readonly seq: bigint;
  readonly part: number;
  /** Nothing of its transaction follows. */
  readonly lastPart: boolean;
  readonly first: BatchBeginning;
  /** Behind its last transaction. */
  readonly end: BinlogCoordinates;
  readonly sinceMs: number;
}

interface Flight extends NewFlight {
  published: boolean;
  /** A part that is in the target's open transaction. */
  executed: boolean;
}

/** What is younger is on its way, not late. */
const ON_THE_WAY_MS = 50;
/** Heartbeats that may be unread and nobody waits for them. More, and reading is behind whatever else there is. */
const HEARTBEATS_UNREAD = 2;
/** Without a look for so long, nobody knows where the log ends. */
const LOOK_FRESH_MS = 1_500;
/** Before a heartbeat was read nobody knows how long they are; what is no longer than this, and no older than the next one, may be some. */
const MAYBE_HEARTBEATS = { bytes: 1_024, ms: 1_000 };
const KEPT_SAMPLES_MS = 20_000;
const SAMPLE_EVERY_MS = 500;
/** What a report lists of the flights; the oldest are what matters. */
const MAX_LISTED = 64;

export class LagMeter {
  #flights: Flight[] = [];
  #samples: LagSample[] = [];
  /** When what everything else waits for last moved: the oldest batch was published, a part of it executed, a receipt came. */
  #movedMs = Number.NEGATIVE_INFINITY;
  #readMovedMs = Number.NEGATIVE_INFINITY;
  #readAt: BinlogCoordinates | null = null;
  #applied: { readonly lag: Measured; readonly seq: string; readonly atMs: number } | null = null;
  /** The durable position. */
  #durable: BinlogCoordinates | null = null;

  /** A reign begins at `at`: nothing is in flight. */
  begin(at: BinlogCoordinates | null, nowMs: number): void {
    this.#flights = [];
    this.#samples = [];
    this.#movedMs = nowMs;
    this.#readMovedMs = nowMs;
    this.#readAt = null;
    this.#durable = at;
  }

  /** A batch is in flight: the window counts it. */
  flight(flight: NewFlight): void {
    this.#flights.push({ ...flight, published: false, executed: false });
  }

  /** That younger batches come along is no movement of the oldest. */
  published(seq: bigint, part: number, nowMs: number): void {
    const flight = this.#flights.find((one) => one.seq === seq && one.part === part);
    if (flight === undefined) return;
    flight.published = true;
    if (flight === this.#flights.find((one) => !one.executed)) this.#movedMs = nowMs;
  }

  /** The parts of a large transaction up to `part` are executed at the target. */
  progressed(seq: bigint, part: number, nowMs: number): void {
    for (const flight of this.#flights)
      if (flight.seq === seq && flight.part <= part && !flight.executed) {
        flight.executed = true;
        this.#movedMs = nowMs;
      }
  }

  /** Everything up to `seq` is durable at the target since `applied`. */
  received(seq: bigint, applied: Moment, nowMs: number, source: SourceView): void {
    const done = this.#flights.filter((one) => one.seq <= seq);
    const oldest = done[0];
    const newest = done.at(-1);
    if (oldest === undefined || newest === undefined) return;
    this.#flights = this.#flights.filter((one) => one.seq > seq);
    this.#movedMs = nowMs;
    this.#durable = newest.end;
    const committed = momentOf(oldest.first, source);
    const then = appliedAt(applied, newest.sinceMs, nowMs);
    const ms = Math.max(0, then.atMs - committed.atMs);
    const lag = { ms, errorMs: sum(then.errorMs, committed.errorMs) };
    this.#applied = { lag, seq: String(seq), atMs: nowMs };
  }

  /** The position moved without a batch. */
  advanced(end: BinlogCoordinates | null, nowMs: number): void {
    this.#durable = end;
    this.#movedMs = nowMs;
  }

  /** Now and then: what the time to catch up is told from. */
  sample(read: ReadFacts, source: SourceView, nowMs: number): void {
    this.#noteReading(read, nowMs);
    const newest = this.#samples.at(-1);
    if (newest !== undefined && nowMs - newest.atMs < SAMPLE_EVERY_MS) return;
    const lag = this.#oldest(read, source, nowMs)?.ms ?? this.#read(read, source, nowMs)?.ms ?? null;
    if (lag === null) return;
    this.#samples = [
      ...this.#samples.filter((one) => one.atMs > nowMs - KEPT_SAMPLES_MS),
      { atMs: nowMs, lagMs: lag, bytes: this.#bytesLeft(read, source) },
    ];
  }

  report(read: ReadFacts, source: SourceView, nowMs: number): LagReport {
    this.#noteReading(read, nowMs);
    const oldest = this.#oldest(read, source, nowMs);
    const readLag = this.#read(read, source, nowMs);
    const flights = this.#listed(source, nowMs);
    const isStuckSince = oldest !== null ? Math.max(this.#movedMs, oldest.sinceMs) : this.#readMovedMs;
    const somethingWaits = oldest !== null || (readLag !== null && readLag.ms > 0);
    return {
      flights,
      pending: read.pending === null ? null : ageOf(momentOf(read.pending, source), nowMs),
      read: readLag,
      readBytes: bytesBehind(read.at, source),
      upstreamMs: read.upstreamMs,
      apply: this.#applied === null ? null : applyLagOf(this.#applied, nowMs),
      checkpoint: this.#checkpoint(source, nowMs),
      catchUpMs: this.#catchUpMs(oldest?.ms ?? readLag?.ms ?? null, this.#bytesLeft(read, source), nowMs),
      stalledMs: somethingWaits ? Math.max(0, nowMs - isStuckSince) : 0,
      lookedAgoMs: nowMs - (source.timeline.lookedMs ?? source.sinceMs),
      heartbeatAgoMs: source.heartbeatMs === null ? null : nowMs - source.heartbeatMs,
      exactCommitTimes: source.exactCommitTimes,
    };
  }

  #noteReading({ at }: ReadFacts, nowMs: number): void {
    if (at === null || (this.#readAt !== null && comparePlaces(at, this.#readAt) === 0)) return;
    this.#readAt = at;
    this.#readMovedMs = nowMs;
  }

  #catchUpMs(lagMs: number | null, bytes: number | null, nowMs: number): number | null {
    return lagMs === null ? null : catchUpMs([...this.#samples, { atMs: nowMs, lagMs, bytes }]);
  }

  /** What is passed over without a batch does not move the durable position, and is done with all the same. */
  #bytesLeft(read: ReadFacts, source: SourceView): number | null {
    return bytesBehind(this.#flights.length === 0 ? read.at : this.#durable, source);
  }

  /** Behind what is known to be at the target, while something is in flight; null otherwise. */
  get appliedAt(): BinlogCoordinates | null {
    return this.#flights.length === 0 ? null : this.#durable;
  }

  /** One a batch, whatever its parts. */
  #listed(source: SourceView, nowMs: number): LagReport['flights'] {
    const listed: LagReport['flights'] = [];
    let last: bigint | null = null;
    for (const { seq, first } of this.#flights) {
      if (seq === last) continue;
      if (listed.length === MAX_LISTED) break;
      last = seq;
      const published = this.#isPublished(seq);
      listed.push({ seq: String(seq), published, ...ageOf(momentOf(first, source), nowMs) });
    }
    return listed;
  }

  /** False also where all parts that there are have been executed, and the rest is still to be read. */
  #isPublished(seq: bigint): boolean {
    const parts = this.#flights.filter((one) => one.seq === seq);
    const next = parts.find((one) => !one.executed) ?? parts.at(-1);
    return next === undefined ? false : next.published && (!next.executed || next.lastPart);
  }

  /** The oldest change read and not applied. */
  #oldest(
    read: ReadFacts,
    source: SourceView,
    nowMs: number,
  ): (Measured & { readonly sinceMs: number }) | null {
    const [flight] = this.#flights;
    if (flight !== undefined)
      return { ...ageOf(momentOf(flight.first, source), nowMs), sinceMs: flight.sinceMs };
    if (read.pending === null) return null;
    return { ...ageOf(momentOf(read.pending, source), nowMs), sinceMs: read.pending.takenMs };
  }

  /** Age of the oldest change that Select has not read; 0 when it has read all. Null before it has read anything. */
  #read({ at, last }: ReadFacts, source: SourceView, nowMs: number): Measured | null {
    const { timeline } = source;
    if (at === null || timeline.lookedMs === null) return null;
    const behind = timeline.behind(at);
    if (behind === null) {
      // Nothing was there when somebody last looked. If nobody can look any more, something may be.
      const blindMs = nowMs - timeline.lookedMs;
      return blindMs <= LOOK_FRESH_MS ? { ms: 0, errorMs: 0 } : { ms: blindMs, errorMs: blindMs };
    }
    // Heartbeats are no changes: nobody waits for them.
    if (this.#isHeartbeatsOnly(at, source)) return { ms: 0, errorMs: 0 };
    const toMs = behind.toMs ?? nowMs;
    if (behind.fromMs !== null) {
      const age = ageOf({ atMs: (behind.fromMs + toMs) / 2, errorMs: (toMs - behind.fromMs) / 2 }, nowMs);
      if (this.#mayBeHeartbeats(at, source) && nowMs - toMs < MAYBE_HEARTBEATS.ms)
        return { ms: 0, errorMs: nowMs - behind.fromMs };
      return nowMs - toMs < ON_THE_WAY_MS ? { ms: 0, errorMs: ON_THE_WAY_MS } : age;
    }
    // Older than anything that was looked at: what was read last says how far back we are.
    if (last === null) return null;
    return ageOf(momentOf(last, source), nowMs);
  }

  /** By the length of what is unread: one or two heartbeats to the byte. */
  #isHeartbeatsOnly(at: BinlogCoordinates, source: SourceView): boolean {
    const { heartbeatBytes } = source;
    const unread = bytesBehind(at, source);
    if (heartbeatBytes === null || unread === null) return false;
    return unread % heartbeatBytes === 0 && unread / heartbeatBytes <= HEARTBEATS_UNREAD;
  }

  #mayBeHeartbeats(at: BinlogCoordinates, source: SourceView): boolean {
    const unread = bytesBehind(at, source);
    return source.heartbeatBytes === null && unread !== null && unread <= MAYBE_HEARTBEATS.bytes;
  }

  #checkpoint(source: SourceView, nowMs: number): Measured | null {
    if (this.#durable === null || source.timeline.lookedMs === null) return null;
    const behind = source.timeline.behind(this.#durable);
    if (behind === null) return { ms: 0, errorMs: 0 };
    const toMs = behind.toMs ?? nowMs;
    if (behind.fromMs === null) return { ms: Math.max(0, nowMs - toMs), errorMs: null };
    return ageOf({ atMs: (behind.fromMs + toMs) / 2, errorMs: (toMs - behind.fromMs) / 2 }, nowMs);
  }
}

function momentOf(one: BatchBeginning, { timeline, clock }: SourceView): Moment {
  const { commitUs, commitIsExact: isExact, end, takenMs } = one;
  return commitMoment({ commitUs, isExact, bracket: timeline.committed(end), takenMs, clock });
}

function ageOf({ atMs, errorMs }: Moment, nowMs: number): Measured {
  return { ms: Math.max(0, nowMs - atMs), errorMs };
}

/** By the clock of the node that applied it. One that was set since it was measured says a time before the batch was there, or to come. */
function appliedAt(told: Moment, sinceMs: number, nowMs: number): Moment {
  const slackMs = told.errorMs ?? Number.POSITIVE_INFINITY;
  if (told.atMs >= sinceMs - slackMs && told.atMs <= nowMs + slackMs)
    return { atMs: Math.min(told.atMs, nowMs), errorMs: told.errorMs };
  return { atMs: (sinceMs + nowMs) / 2, errorMs: (nowMs - sinceMs) / 2 };
}

function applyLagOf(
  { lag, seq, atMs }: { readonly lag: Measured; readonly seq: string; readonly atMs: number },
  nowMs: number,
): ApplyLag {
  return { ...lag, seq, agoMs: Math.max(0, nowMs - atMs) };
}

function sum(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : a + b;
}

/** Null where a file between is not listed. */
export function bytesBehind(
  at: BinlogCoordinates | null,
  { timeline, files }: Pick<SourceView, 'timeline' | 'files'>,
): number | null {
  const { head } = timeline;
  if (at === null || head === null) return null;
  if (at.file === head.file) return Math.max(0, head.offset - at.offset);
  const from = files.findIndex((one) => one.file === at.file);
  const to = files.findIndex((one) => one.file === head.file);
  if (from < 0 || to < from) return null;
  const between = files.slice(from, to).reduce((bytes, one) => bytes + one.bytes, 0);
  return Math.max(0, between - at.offset) + head.offset;
}
