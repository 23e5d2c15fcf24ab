import { isAbort } from '../lib/errors.ts';
import { claimLost } from './refusals.ts';
import type { CoordinationTree, Watch } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';

export interface HoldingOptions {
  readonly tree: CoordinationTree;
  readonly path: string;
  /** Session epoch in which the lock was made. */
  readonly sessionEpoch: number;
  /** Transaction that made it: another lock at the same path has another. */
  readonly czxid: bigint;
}

/**
 * A lock of this session, for as long as it is surely ours. `lost` fires with the end of the session (which the tree
 * declares by its own clock, before the servers can give the lock away) and when the lock is seen to be gone;
 * `isHeld` looks at the lease itself, so it is right even before any event could be delivered.
 */
export class Holding {
  readonly path: string;
  readonly sessionEpoch: number;
  readonly czxid: bigint;
  readonly #tree: CoordinationTree;
  readonly #controller = new AbortController();
  readonly #forgetState: () => void;
  readonly #watch: Watch;

  constructor(options: HoldingOptions) {
    const { tree, path, sessionEpoch, czxid } = options;
    this.#tree = tree;
    this.path = path;
    this.sessionEpoch = sessionEpoch;
    this.czxid = czxid;
    this.#forgetState = tree.onState(() => this.#look());
    this.#watch = tree.watchData(path, (node) => {
      return node?.stat.czxid === czxid ? undefined : this.#verify();
    });
    this.#look();
  }

  /** A watch shared with others may give a value from before the lock was made; a read of this session cannot. */
  async #verify(): Promise<void> {
    if (this.lost.aborted) return;
    try {
      const stat = await this.#tree.exists(this.path, { epoch: this.sessionEpoch, signal: this.lost });
      if (stat === null) this.lose('the lock is gone');
      else if (stat.czxid !== this.czxid) this.lose("another's lock stands in its place");
    } catch (error) {
      // The session's end is told by its state; a read that did not come through is made again by the watch's owner.
      if (isTreeError(error, 'deadline', 'connection-loss')) return this.#verify();
      if (!isTreeError(error) && !isAbort(error)) throw error;
    }
  }

  get lost(): AbortSignal {
    return this.#controller.signal;
  }

  isHeld(): boolean {
    return !this.#controller.signal.aborted && this.#isLeaseGood();
  }

  /** Fires `lost`; only the first call counts. */
  lose(why: string): void {
    this.close();
    if (!this.#controller.signal.aborted) this.#controller.abort(claimLost(this.path, why));
  }

  /** Stops looking, without firing `lost`. */
  close(): void {
    this.#forgetState();
    this.#watch.close();
  }

  #isLeaseGood(): boolean {
    return this.#tree.sessionEpoch === this.sessionEpoch && this.#tree.leaseRemainingMs() > 0;
  }

  #look(): void {
    const state = this.#tree.sessionState;
    if (state === 'lost' || state === 'closed' || this.#tree.sessionEpoch !== this.sessionEpoch)
      this.lose('the session in which it was made is over');
  }
}
