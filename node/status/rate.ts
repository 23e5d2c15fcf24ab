import { type Clock, systemClock } from '../../lib/clock.ts';

const SLOTS = 6;

/** Counts, and the rate over the last five whole seconds. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #slots = new Float64Array(SLOTS);
  #second = 0;
  #startedSecond: number;
  #total = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.#second = this.#now();
    this.#startedSecond = this.#second;
  }

  get total(): number {
    return this.#total;
  }

  add(count: number): void {
    this.#advance();
    const slot = this.#second % SLOTS;
    this.#slots[slot] = (this.#slots[slot] ?? 0) + count;
    this.#total += count;
  }

  /** Per second, over at most the last five seconds that are over. */
  perSecond(): number {
    this.#advance();
    const seconds = Math.min(SLOTS - 1, this.#second - this.#startedSecond);
    if (seconds <= 0) return 0;
    let sum = 0;
    for (let back = 1; back <= seconds; back++) sum += this.#slots[(this.#second - back) % SLOTS] ?? 0;
    return sum / seconds;
  }

  report(): { readonly total: number; readonly perSecond: number } {
    return { total: this.#total, perSecond: this.perSecond() };
  }

  #now(): number {
    return Math.floor(this.#clock.monotonicMs() / 1000) + SLOTS;
  }

  #advance(): void {
    const now = this.#now();
    for (let steps = Math.min(now - this.#second, SLOTS); steps > 0; steps--)
      this.#slots[(now - steps + 1) % SLOTS] = 0;
    this.#second = now;
  }
}
