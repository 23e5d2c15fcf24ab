/**
 * The session's own lease clock: until when the servers cannot have given our ephemerals away.
 *
 * A server starts counting a session's timeout when it hears from it, which is after we sent. So sending time plus
 * timeout is a lower bound, if the *leader* heard: it alone expires sessions. A follower or observer answers reads
 * and pings by itself even when it is cut off from the leader (until `syncLimit` ends its life), so only answers
 * that took part of the leader count: writes, `sync`, and the granting of the session.
 *
 * A follower tells which sessions it heard of in its next answer to the leader's ping, so the leader's knowledge can
 * be older than the request by one activity interval of ours: the margin covers that interval (a sixth of the
 * timeout between ping and probe) and some for clocks that run at different speed.
 *
 * All times are monotonic milliseconds.
 */
export class LeaseClock {
  #timeoutMs = 0;
  #marginMs = 0;
  #confirmedAtMs = Number.NEGATIVE_INFINITY;
  /** Before the first session, and from the end of one to the beginning of the next. */
  #isOver = true;

  /** A new session, which gets its lease by `grant`. */
  begin(): void {
    this.#isOver = false;
    this.#confirmedAtMs = Number.NEGATIVE_INFINITY;
  }

  /** The servers granted or resumed the session on a request sent at `sentAtMs`. */
  grant(timeoutMs: number, sentAtMs: number, nowMs: number): void {
    if (this.#isOver) return;
    if (this.#confirmedAtMs !== Number.NEGATIVE_INFINITY && this.remainingMs(nowMs) <= 0) return;
    this.#timeoutMs = timeoutMs;
    this.#marginMs = leaseMarginMs(timeoutMs);
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, sentAtMs);
  }

  /** The leader answered a request that was sent at `sentAtMs`. False if the lease is over, which this cannot mend. */
  confirm(sentAtMs: number, nowMs: number): boolean {
    if (this.remainingMs(nowMs) <= 0) return false;
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, sentAtMs);
    return true;
  }

  /** The session is over: nothing is ours. */
  revoke(): void {
    this.#isOver = true;
  }

  remainingMs(nowMs: number): number {
    if (this.#isOver) return Number.NEGATIVE_INFINITY;
    return this.#confirmedAtMs + this.#timeoutMs - this.#marginMs - nowMs;
  }
}

/** Safety margin of a lease: a quarter of the session timeout. */
export function leaseMarginMs(timeoutMs: number): number {
  return timeoutMs / 4;
}
