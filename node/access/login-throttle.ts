/**
 * Slows down whoever guesses: after some failures each further one locks for twice as long, up to a quarter of an hour. Counted for a
 * name from an address, for an address, and for a name from anywhere. In this node's memory: nodes count apart.
 */
import type { Clock } from '../../lib/clock.ts';

const LIMITS = { pair: 5, address: 20, name: 50 } as const;
const FIRST_LOCK_MS = 1_000;
const LONGEST_LOCK_MS = 15 * 60_000;
/** Failures are forgotten after so long without another. */
const FORGET_MS = 60 * 60_000;
const MAX_KEYS = 20_000;

interface Entry {
  failures: number;
  lastMs: number;
  lockedUntilMs: number;
}

export class LoginThrottle {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds to wait before another attempt is even looked at; 0 for none. */
  waitMs(name: string, from: string): number {
    const now = this.#clock.monotonicMs();
    let wait = 0;
    for (const [key] of keysOf(name, from))
      wait = Math.max(wait, (this.#entries.get(key)?.lockedUntilMs ?? 0) - now);
    return Math.max(0, Math.ceil(wait));
  }

  /** @returns whether this failure locked. */
  failed(name: string, from: string): boolean {
    const now = this.#clock.monotonicMs();
    let locked = false;
    for (const [key, limit] of keysOf(name, from)) {
      const known = this.#entries.get(key);
      const entry =
        known === undefined || now - known.lastMs > FORGET_MS
          ? { failures: 0, lastMs: now, lockedUntilMs: 0 }
          : known;
      entry.failures += 1;
      entry.lastMs = now;
      const above = entry.failures - limit;
      if (above >= 0) {
        entry.lockedUntilMs = now + Math.min(LONGEST_LOCK_MS, FIRST_LOCK_MS * 2 ** Math.min(above, 20));
        locked = true;
      }
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= MAX_KEYS) break;
      this.#entries.delete(key);
    }
    return locked;
  }

  /** The address keeps its count: one good account must not pay for guesses at others. */
  succeeded(name: string, from: string): void {
    for (const [key] of keysOf(name, from)) if (!key.startsWith('address ')) this.#entries.delete(key);
  }
}

function keysOf(name: string, from: string): readonly (readonly [string, number])[] {
  return [
    [`pair ${from} ${name}`, LIMITS.pair],
    [`address ${from}`, LIMITS.address],
    [`name ${name}`, LIMITS.name],
  ];
}
