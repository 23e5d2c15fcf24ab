import { abortable } from '../lib/abort.ts';
import { assert } from '../lib/assert.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { type Deferred, deferred } from '../lib/deferred.ts';
import type { BatchHeader, LoadReceipt } from '../model/batch.ts';
import type { Tenure } from '../model/ids.ts';
import type { BatchWindow } from './contract.ts';
import type { PartProgress } from './records.ts';

export interface WindowOptions {
  readonly tenure: Tenure;
  /** The row's seq at the raise. */
  readonly seq: bigint;
  readonly maxBatches: number;
  readonly maxBytes: number;
  readonly clock?: Clock;
}

/** Flights that are looked back on. */
const FLIGHTS = 8;
/** Share of the bytes up to which a long flight has spare places. */
const SPARE_SHARE = 1 / 4;
/** Receipts that come sooner need no spreading: a place is free again before anybody notices. */
const LONG_FLIGHT_MS = 100;

interface InFlight {
  readonly header: BatchHeader;
  readonly seq: bigint;
  /** What it still counts; 0 once Load has executed it as part of an open transaction. */
  bytes: number;
  executed: boolean;
  /** Monotonic. */
  readonly sinceMs: number;
}

/**
 * Batches in flight under one reign, bounded by count and bytes (G6). Parts that Load has executed in the open target
 * transaction no longer count, so that a transaction larger than the window passes; they leave with their receipt.
 */
export class Window implements BatchWindow {
  readonly #tenure: Tenure;
  readonly #maxBatches: number;
  readonly #maxBytes: number;
  readonly #batches: InFlight[] = [];
  readonly #waiters: { readonly isDue: () => boolean; readonly done: Deferred<void> }[] = [];
  #receivedSeq: bigint;
  #bytes = 0;
  #counted = 0;
  readonly #clock: Clock;
  /** How long the last batches were in flight, ms. */
  readonly #flightsMs: number[] = [];
  #paceMs = 0;

  constructor(options: WindowOptions) {
    this.#tenure = options.tenure;
    this.#receivedSeq = options.seq;
    this.#maxBatches = options.maxBatches;
    this.#maxBytes = options.maxBytes;
    this.#clock = options.clock ?? systemClock;
  }

  get inFlight(): number {
    return this.#batches.length;
  }

  /** Header of the oldest batch in flight. */
  get oldest(): BatchHeader | null {
    return this.#batches[0]?.header ?? null;
  }

  get inFlightBytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  get receivedSeq(): bigint {
    return this.#receivedSeq;
  }

  /**
   * Least time between two batches with which those that the window takes are spread over the time that their receipts need. Without it
   * they would leave in a burst, come back in one, and what is committed in between would wait for almost a whole flight. 0 where
   * receipts come soon.
   */
  get paceMs(): number {
    return this.#paceMs;
  }

  hasRoom(bytes: number): boolean {
    if (this.#counted === 0) return true;
    const all = this.#bytes + bytes;
    // What is spread over a long flight keeps its pace though a receipt is late: small batches have as many places again.
    const spares = this.#paceMs > 0 && all <= this.#maxBytes * SPARE_SHARE ? this.#maxBatches : 0;
    return this.#counted < this.#maxBatches + spares && all <= this.#maxBytes;
  }

  room(bytes: number, signal: AbortSignal): Promise<void> {
    return this.#wait(() => this.hasRoom(bytes), signal);
  }

  empty(signal: AbortSignal): Promise<void> {
    return this.#wait(() => this.isEmpty, signal);
  }

  add(header: BatchHeader): void {
    const seq = BigInt(header.seq);
    const last = this.#batches.at(-1);
    const [lastSeq, nextPart] =
      last === undefined
        ? [this.#receivedSeq, 0]
        : [last.seq, last.header.lastPart ? 0 : last.header.part + 1];
    const expected = nextPart === 0 ? lastSeq + 1n : lastSeq;
    assert(
      header.tenure === this.#tenure && seq === expected && header.part === nextPart,
      `batch ${seq}.${header.part} of tenure ${header.tenure} after ${lastSeq}, expected ${expected}.${nextPart} of ${this.#tenure}`,
    );
    const bytes = header.payload.bytes;
    this.#batches.push({ header, seq, bytes, executed: false, sinceMs: this.#clock.monotonicMs() });
    this.#bytes += bytes;
    this.#counted += 1;
  }

  receive(receipt: LoadReceipt): readonly BatchHeader[] {
    if (receipt.tenure !== this.#tenure) return [];
    const seq = BigInt(receipt.seq);
    const done: BatchHeader[] = [];
    for (;;) {
      const first = this.#batches[0];
      if (first === undefined || first.seq > seq) break;
      this.#batches.shift();
      this.#discount(first);
      this.#receivedSeq = first.seq;
      this.#noteFlight(this.#clock.monotonicMs() - first.sinceMs);
      done.push(first.header);
    }
    if (done.length > 0) this.#wake();
    return done;
  }

  progress(progress: PartProgress): void {
    if (progress.tenure !== this.#tenure) return;
    const seq = BigInt(progress.seq);
    for (const batch of this.#batches)
      if (batch.seq === seq && batch.header.part <= progress.part) this.#discount(batch);
    this.#wake();
  }

  advance(seq: bigint): void {
    assert(
      this.isEmpty && seq === this.#receivedSeq + 1n,
      `an empty advance to ${seq} with ${this.inFlight} batches in flight after ${this.#receivedSeq}`,
    );
    this.#receivedSeq = seq;
  }

  #noteFlight(ms: number): void {
    this.#flightsMs.push(ms);
    if (this.#flightsMs.length > FLIGHTS) this.#flightsMs.shift();
    // The shortest: what is longer waited for others as well.
    const flightMs = Math.min(...this.#flightsMs);
    this.#paceMs = flightMs < LONG_FLIGHT_MS ? 0 : flightMs / this.#maxBatches;
  }

  #discount(batch: InFlight): void {
    if (batch.executed) return;
    this.#bytes -= batch.bytes;
    this.#counted -= 1;
    batch.bytes = 0;
    batch.executed = true;
  }

  async #wait(isDue: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (isDue()) return;
    const waiter = { isDue, done: deferred<void>() };
    this.#waiters.push(waiter);
    try {
      await abortable(waiter.done.promise, signal);
    } finally {
      const at = this.#waiters.indexOf(waiter);
      if (at >= 0) this.#waiters.splice(at, 1);
    }
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) if (waiter.isDue()) waiter.done.resolve();
  }
}
