import { type OpCounters, type TreeOp, treeOps } from '../tree.ts';

interface Tally {
  sent: number;
  succeeded: number;
  failed: number;
  latencyMsSum: number;
}

/** Counts requests by kind; totals only, so that a reader can take differences. */
export class OpTallies {
  readonly #tallies: { readonly [Op in TreeOp]: Tally };

  constructor() {
    const none = (): Tally => ({ sent: 0, succeeded: 0, failed: 0, latencyMsSum: 0 });
    this.#tallies = {
      get: none(),
      exists: none(),
      children: none(),
      create: none(),
      set: none(),
      remove: none(),
      multi: none(),
      sync: none(),
      ping: none(),
      unwatch: none(),
    };
  }

  done(op: TreeOp, isOk: boolean, latencyMs: number, wasSent: boolean): void {
    const tally = this.#tallies[op];
    if (wasSent) {
      tally.sent += 1;
      tally.latencyMsSum += latencyMs;
    }
    if (isOk) tally.succeeded += 1;
    else tally.failed += 1;
  }

  snapshot(): { readonly [Op in TreeOp]: OpCounters } {
    const copy = { ...this.#tallies };
    for (const op of treeOps) copy[op] = { ...copy[op] };
    return copy;
  }
}
