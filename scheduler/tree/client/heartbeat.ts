import type { Clock } from '../../../lib/clock.ts';
import type { Link, Refusal } from './link.ts';

/** Parts of the session timeout T. A probe every T/3, its answer within T/3: a dead server is left at 2T/3 at the latest. */
export const probeShare = 1 / 3;
/** A ping between two probes if nothing else was sent: the servers hear from us every T/6. */
const beatShare = 1 / 6;

export interface HeartbeatOptions {
  readonly link: Link;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** The probe sent at that time was answered. */
  readonly answered: (sentAtMs: number, latencyMs: number, refusal: Refusal | undefined) => void;
  readonly pinged: () => void;
  /** A probe was not answered in time: the server is not to be relied on. */
  readonly silent: (reason: string) => void;
}

/**
 * Pings and probes of one link. The probe is `sync`: a request that the leader answers, so it shows that the server is
 * alive and still part of the ensemble, and renews the lease. It writes nothing.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #beatMs: number;
  readonly #probeMs: number;
  readonly #timer: NodeJS.Timeout;
  #overdue: NodeJS.Timeout | undefined;
  #probeSentAtMs = Number.NEGATIVE_INFINITY;
  #lastSentAtMs = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  /** Starts with a probe. */
  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#beatMs = options.timeoutMs * beatShare;
    this.#probeMs = options.timeoutMs * probeShare;
    this.#timer = setInterval(() => this.#beat(), this.#beatMs);
    this.#beat();
  }

  /** Something else was sent: the next ping may be left out. */
  noteSent(): void {
    this.#lastSentAtMs = this.#options.clock.monotonicMs();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#overdue);
  }

  #beat(): void {
    const { link, clock, pinged } = this.#options;
    const nowMs = clock.monotonicMs();
    // Timers jitter: a beat that comes a little early counts.
    if (this.#overdue === undefined && nowMs - this.#probeSentAtMs >= this.#probeMs - this.#beatMs / 2) {
      this.#probe(nowMs);
    } else if (nowMs - this.#lastSentAtMs >= this.#beatMs / 2) {
      this.#lastSentAtMs = nowMs;
      pinged();
      link.send('ping', { path: '/' }, { ok: () => {}, no: () => {} });
    }
  }

  #probe(sentAtMs: number): void {
    const { link, clock, answered } = this.#options;
    this.#probeSentAtMs = sentAtMs;
    this.#lastSentAtMs = sentAtMs;
    this.#overdue = setTimeout(() => this.#tooLate(), this.#probeMs);
    const done = (refusal?: Refusal) => {
      if (this.#isStopped) return;
      clearTimeout(this.#overdue);
      this.#overdue = undefined;
      answered(sentAtMs, clock.monotonicMs() - sentAtMs, refusal);
    };
    link.send('sync', { path: '/' }, { ok: () => done(), no: done });
  }

  /** One more turn for the socket: after a stall of this process timers run before the data that waits. */
  #tooLate(): void {
    setImmediate(() => {
      if (this.#isStopped || this.#overdue === undefined) return;
      this.#options.silent(`no answer to a probe within ${Math.round(this.#probeMs)} ms`);
    });
  }
}
