/** The clocks of other parties against this node's: what was measured last, and what it is good for now. */
import type { Clock } from '../../../lib/clock.ts';
import type { ClockReading } from '../../../model/lag.ts';
import { ClockEstimate, type ClockOffset, type ClockProbe } from './clock-estimate.ts';

export type Party = `node ${string}` | `database ${string}`;

/** Who was not heard of for so long is told no more. */
const FORGOTTEN_MS = 300_000;

export class Clocks {
  readonly #clock: Clock;
  readonly #node: string;
  readonly #estimates = new Map<Party, ClockEstimate>();

  constructor(options: { readonly clock: Clock; readonly node: string }) {
    this.#clock = options.clock;
    this.#node = options.node;
  }

  add(party: Party, probe: ClockProbe): void {
    const known = this.#estimates.get(party) ?? new ClockEstimate();
    known.add(probe);
    this.#estimates.set(party, known);
  }

  /** Null where it was never measured. */
  offset(party: Party): ClockOffset | null {
    return this.#estimates.get(party)?.at(this.#clock.monotonicMs()) ?? null;
  }

  /** Milliseconds that a party's wall clock is ahead of this node's; 0 where it was never measured. */
  aheadMs(party: Party): number {
    const offset = this.offset(party);
    return offset === null ? 0 : offset.offsetMs - this.#ownOffsetMs();
  }

  /** A wall-clock time of the party on our monotonic clock; null where its clock was never measured. */
  moment(party: Party, atMs: number): { readonly atMs: number; readonly errorMs: number } | null {
    if (party === `node ${this.#node}`) return { atMs: atMs - this.#ownOffsetMs(), errorMs: 1 };
    const offset = this.offset(party);
    return offset === null ? null : { atMs: atMs - offset.offsetMs, errorMs: offset.errorMs };
  }

  reading(party: Party): ClockReading | null {
    const offset = this.offset(party);
    if (offset === null) return null;
    const agoMs = this.#clock.monotonicMs() - offset.measuredMs;
    if (agoMs > FORGOTTEN_MS) return null;
    const { offsetMs, errorMs } = offset;
    return { party, aheadMs: offsetMs - this.#ownOffsetMs(), errorMs, by: this.#node, agoMs };
  }

  readings(): readonly ClockReading[] {
    return [...this.#estimates.keys()].flatMap((party) => this.reading(party) ?? []);
  }

  /** Our wall clock less our monotonic one. */
  #ownOffsetMs(): number {
    return this.#clock.nowMs() - this.#clock.monotonicMs();
  }
}
