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

const MEAN_OVER_MS = 10_000;
const MEAN_OF = 64;

/** The mean of the values of the last seconds, and of the last 64 at most. */
export class MeanMeter {
  readonly #clock: Clock;
  #values: { readonly atMs: number; readonly value: number }[] = [];

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  add(value: number): void {
    if (this.#values.length >= MEAN_OF) this.#values.shift();
    this.#values.push({ atMs: this.#clock.monotonicMs(), value });
  }

  /** Null when there were none of late. */
  mean(): number | null {
    const fromMs = this.#clock.monotonicMs() - MEAN_OVER_MS;
    this.#values = this.#values.filter((one) => one.atMs >= fromMs);
    if (this.#values.length === 0) return null;
    return this.#values.reduce((sum, one) => sum + one.value, 0) / this.#values.length;
  }
}
