import { assert } from '../lib/assert.ts';
import { Backoff } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { deferred } from '../lib/deferred.ts';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { BatchHeader, LoadReceipt } from '../model/batch.ts';
import { batchHeader } from '../model/batch.ts';
import type { PipelineId } from '../model/ids.ts';
import { nextStage, type TaskStage } from '../model/stage.ts';
import type { Claim } from './contract.ts';
import {
  type ClaimAction,
  type ClaimEvent,
  type ClaimState,
  claimTransition,
  initialClaim,
} from './machine/claim-life.ts';
import { lockOf, recordPath, type TaskKey, taskPath } from './paths.ts';
import { progressCodec, receiptCodec } from './pipeline-store.ts';
import { jsonRecord } from './record.ts';
import { claimLost, epochSuperseded } from './refusals.ts';
import type { CoordinationTree, MultiOp, MultiResult } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';
import { isOutcomeUnknown, isUnsent } from './unknown-outcome.ts';

export const headerCodec = jsonRecord(batchHeader);

export const keyOf = (header: BatchHeader): TaskKey => ({
  epoch: header.epoch,
  seq: BigInt(header.seq),
  part: header.part,
});

/** What a claim needs of the pipeline it belongs to. */
export interface ClaimGround {
  readonly tree: CoordinationTree;
  readonly pipeline: PipelineId;
  readonly clock: Clock;
  readonly log: Logger;
  /** Data of locks of this node. */
  lockData(): Buffer;
  /**
   * Whether a hand-over may make the next stage's claim too, here and now. A promise: on the heels of the claim before, which is on its
   * way; resolves to whether that one was made.
   */
  mayClaimNext(stage: TaskStage, header: BatchHeader): boolean | Promise<boolean>;
  /** A hand-over is about to make this claim: resolves to whether it has. */
  expect(stage: TaskStage, header: BatchHeader, isMade: Promise<boolean>): void;
  /** Counts a claim that a hand-over made. `czxid` of its task, null when it was found out later. */
  adopt(claim: TreeClaim, czxid: bigint | null): void;
  /** The receipt of the highest batch of that reign that is committed, given that this one is. */
  highestReceipt(receipt: LoadReceipt): LoadReceipt;
  /** Claims of other parts of the same batch that this node holds. */
  partsOf(claim: TreeClaim): readonly TreeClaim[];
  /** The claim has settled. */
  forget(claim: TreeClaim, how: 'handed-over' | 'other'): void;
}

export interface TreeClaimOptions {
  readonly ground: ClaimGround;
  readonly stage: TaskStage;
  readonly header: BatchHeader;
  /** Session in which the lock was made. */
  readonly sessionEpoch: number;
  /** Version of `/epoch` under the reign of the batch. */
  readonly epochVersion: number;
  /** False: there is no lock, see `NextOptions.unlocked`. Default true. */
  readonly isLocked?: boolean;
}

/** Operations of one multi, and which of them speak of what. */
interface Plan {
  readonly ops: readonly MultiOp[];
  /** Index of the operation that makes the next task; -1 when there is none. */
  readonly nextTask: number;
}

/** Parts of a batch deleted in one multi, so that it stays far below the size a server takes. */
const PARTS_PER_MULTI = 200;

/** The shell of `machine/claim-life.ts`: a held lock under a task. */
export class TreeClaim implements Claim {
  readonly pipeline: PipelineId;
  readonly stage: TaskStage;
  readonly header: BatchHeader;
  readonly seq: bigint;
  readonly key: TaskKey;
  readonly path: string;
  readonly sessionEpoch: number;
  readonly epochVersion: number;
  readonly isLocked: boolean;
  readonly #ground: ClaimGround;
  readonly #lost = new AbortController();
  #goneAt: bigint | null = null;
  #state: ClaimState = claimTransition(initialClaim, { type: 'made' }).state;

  constructor(options: TreeClaimOptions) {
    this.#ground = options.ground;
    this.pipeline = options.ground.pipeline;
    this.stage = options.stage;
    this.header = options.header;
    this.key = keyOf(options.header);
    this.seq = this.key.seq;
    this.path = taskPath(this.pipeline, options.stage, this.key);
    this.sessionEpoch = options.sessionEpoch;
    this.epochVersion = options.epochVersion;
    this.isLocked = options.isLocked ?? true;
  }

  /** Transaction that took the task away, once it is handed over and where its answer told. */
  get goneAt(): bigint | null {
    return this.#goneAt;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  isHeld(): boolean {
    const { tree } = this.#ground;
    return (
      this.#state.name !== 'settled' &&
      this.#state.name !== 'releasing' &&
      tree.sessionEpoch === this.sessionEpoch &&
      tree.leaseRemainingMs() > 0
    );
  }

  /** What the board sees: session over, task gone, epoch raised. */
  tell(event: 'lost' | 'superseded', reason: Error): void {
    this.#dispatch({ type: event }, reason);
  }

  async handOver(next: BatchHeader, options: { readonly claimNext: boolean }): Promise<Claim | null> {
    const stage = nextStage(this.stage);
    assert(stage !== null, 'Load finishes, it does not hand over');
    const key = keyOf(next);
    assert(
      key.epoch === this.key.epoch && key.seq === this.key.seq && key.part === this.key.part,
      `task ${this.path} handed over as ${key.epoch}-${key.seq}.${key.part}`,
    );
    const data = headerCodec.encode(next);
    const path = taskPath(this.pipeline, stage, key);
    const before = options.claimNext && this.#ground.mayClaimNext(stage, next);
    let claims = before !== false;
    let isTwin = false;
    const plan = (): Plan => {
      const ops = this.#removal();
      if (isTwin) return { ops, nextTask: -1 };
      const nextTask = ops.length;
      ops.push({ op: 'create', path, data });
      if (claims)
        ops.push({ op: 'create', path: lockOf(path), data: this.#ground.lockData(), ephemeral: true });
      return { ops, nextTask };
    };
    const isMade = deferred<boolean>();
    if (claims) this.#ground.expect(stage, next, isMade.promise);
    try {
      const answers = await this.#conclude(
        plan,
        () => {
          // The same batch stands there already: an answer to its publishing was lost and it was published twice.
          isTwin = true;
          claims = false;
        },
        undefined,
        () => (claims ? lockOf(path) : null),
      );
      if (!claims) return null;
      const made = answers?.at(-2);
      const claim = new TreeClaim({
        ground: this.#ground,
        stage,
        header: next,
        sessionEpoch: this.sessionEpoch,
        epochVersion: this.epochVersion,
      });
      this.#ground.adopt(claim, made?.op === 'create' ? made.stat.czxid : null);
      if (await before) {
        isMade.resolve(claim.isHeld());
        return claim;
      }
      // It came on the heels of one that was not made: whoever has the batch before goes on.
      await claim.release();
      return null;
    } finally {
      isMade.resolve(false);
    }
  }

  async finish(receipt: LoadReceipt): Promise<void> {
    assert(this.stage === 'load', `${this.path} is handed over, not finished`);
    const parts = this.#ground.partsOf(this);
    // From the highest down, so that what is left after a crash is a batch whose first part tells that it is done.
    const others = [...parts].sort((a, b) => b.key.part - a.key.part);
    while (others.length > PARTS_PER_MULTI) {
      const chunk = others.splice(0, PARTS_PER_MULTI);
      for (const part of chunk) await part.#conclude(() => ({ ops: part.#removal(), nextTask: -1 }));
    }
    const path = recordPath(this.pipeline, 'receipt');
    this.#ground.highestReceipt(receipt);
    let exists = true;
    const plan = (): Plan => {
      // Several batches are finished side by side: one that is sent again must not put back what a later one has told.
      const data = receiptCodec.encode(this.#ground.highestReceipt(receipt));
      const ops = this.#removal();
      for (const part of others) ops.push(...part.#removal().slice(1));
      ops.push(exists ? { op: 'set', path, data, version: 'any' } : { op: 'create', path, data });
      return { ops, nextTask: -1 };
    };
    await this.#conclude(plan, undefined, (failedPath) => {
      if (failedPath !== path) return false;
      exists = !exists;
      return true;
    });
    for (const part of others) part.#settleWith(this.#goneAt);
  }

  async partDone(): Promise<void> {
    const { tree } = this.#ground;
    const { epoch, tenure, seq, part } = this.header;
    const path = recordPath(this.pipeline, 'progress');
    const data = progressCodec.encode({ version: 1, epoch, tenure, seq, part });
    const rule: MultiOp = {
      op: 'check',
      path: recordPath(this.pipeline, 'epoch'),
      version: this.epochVersion,
    };
    let exists = true;
    for (;;) {
      this.lost.throwIfAborted();
      const write: MultiOp = exists
        ? { op: 'set', path, data, version: 'any' }
        : { op: 'create', path, data };
      try {
        await tree.multi([rule, write], { epoch: this.sessionEpoch, signal: this.lost });
        return;
      } catch (error) {
        if (isTreeError(error, 'no-node', 'node-exists') && error.failedIndex === 1) exists = !exists;
        else if (isTreeError(error, 'no-node', 'bad-version')) throw this.#superseded(null);
        else if (!isOutcomeUnknown(error)) throw error;
      }
    }
  }

  async release(): Promise<void> {
    const actions = this.#dispatch({ type: 'release' });
    if (!actions.some((action) => action.type === 'remove-lock')) return;
    if (this.isLocked) await this.#removeLock();
    this.#dispatch({ type: 'released' });
  }

  /** Until the lock is surely gone, or the session is: a lock left standing in a living session would hold the task up for good. */
  async #removeLock(): Promise<void> {
    const { tree, clock, log } = this.#ground;
    const session = { epoch: this.sessionEpoch };
    const lock = lockOf(this.path);
    const backoff = new Backoff({ initialMs: 50, maxMs: 1000 });
    let wasUnknown = false;
    while (this.#state.name === 'releasing') {
      try {
        if (wasUnknown) {
          // The first removal may have happened, and the lock that stands now be another's.
          await tree.barrier(session);
          const stat = await tree.exists(lock, session);
          if (stat?.ephemeralOwner !== tree.sessionId) return;
        }
        await tree.remove(lock, 0, session);
        return;
      } catch (error) {
        wasUnknown ||= isOutcomeUnknown(error);
        if (!isOutcomeUnknown(error) && !isUnsent(error)) {
          if (!isTreeError(error, 'no-node', 'session-lost'))
            log.info(
              { path: this.path, reason: messageOf(error) },
              'a claim is left to the end of the session',
            );
          return;
        }
        await clock.sleep(backoff.nextMs());
      }
    }
  }

  /** Check of the reign, then claim and task away. */
  #removal(): MultiOp[] {
    return [
      { op: 'check', path: recordPath(this.pipeline, 'epoch'), version: this.epochVersion },
      // Without a lock of our own: a task under which somebody's lock stands is not removed.
      ...(this.isLocked ? [{ op: 'remove', path: lockOf(this.path), version: 0 } as const] : []),
      { op: 'remove', path: this.path, version: 'any' },
    ];
  }

  /** Sends the multi until it is done or refused. @returns its answers; null when it was found done. */
  async #conclude(
    plan: () => Plan,
    onTwin?: () => void,
    adjust?: (failedPath: string) => boolean,
    nextLock: () => string | null = () => null,
  ): Promise<Awaited<ReturnType<CoordinationTree['multi']>> | null> {
    const { tree } = this.#ground;
    const backoff = new Backoff({ initialMs: 50, maxMs: 1000 });
    let wasUnknown = false;
    this.#dispatch({ type: 'hand-over' });
    for (;;) {
      const state = this.#state;
      if (state.name === 'settled') throw this.#endReason();
      assert(
        state.name === 'handing' || state.name === 'finding-out',
        `a hand-over of ${this.path} while it is ${state.name}`,
      );
      try {
        if (state.name === 'finding-out') {
          const found = await this.#findOut(nextLock());
          this.#dispatch({ type: found }, found === 'epoch-refused' ? this.#superseded(null) : undefined);
          if (found === 'found-done') return null;
          continue;
        }
        const { ops, nextTask } = plan();
        try {
          const answers = await tree.multi(ops, { epoch: this.sessionEpoch });
          this.#goneAt = zxidOf(answers);
          this.#dispatch({ type: 'done' });
          return answers;
        } catch (error) {
          if (isTreeError(error, 'node-exists') && error.failedIndex === nextTask && onTwin !== undefined) {
            onTwin();
            continue;
          }
          if (isTreeError(error, 'no-node', 'node-exists') && adjust?.(error.path) === true) continue;
          let event = eventOf(error);
          // Refused after an answer was lost: it may be that first multi, late, that took the claim.
          if (event?.type === 'claim-refused' && wasUnknown) event = { type: 'unknown' };
          if (event?.type === 'unknown') wasUnknown = true;
          if (event === null) {
            this.#dispatch({ type: 'rejected' });
            throw error;
          }
          this.#dispatch(event, event.type === 'epoch-refused' ? this.#superseded(null) : undefined);
          if (event.type === 'unsent') await this.#ground.clock.sleep(backoff.nextMs(), this.lost);
        }
      } catch (error) {
        if (this.lost.aborted) throw this.#endReason();
        if (this.#state.name !== 'finding-out' || !isTreeError(error)) throw error;
        await this.#ground.clock.sleep(backoff.nextMs(), this.lost).catch(() => {});
      }
    }
  }

  /** What became of a multi whose answer is missing; `nextLock` is the lock that it makes, if any. */
  async #findOut(
    nextLock: string | null,
  ): Promise<'found-done' | 'found-undone' | 'claim-refused' | 'epoch-refused'> {
    const { tree } = this.#ground;
    const session = { epoch: this.sessionEpoch };
    // The server we come back to may be behind the one that took the multi.
    await tree.barrier(session);
    const task = await tree.exists(this.path, session);
    const lock = task === null ? null : await tree.exists(lockOf(this.path), session);
    const ruling = await tree.exists(recordPath(this.pipeline, 'epoch'), session);
    if (ruling?.version !== this.epochVersion) return 'epoch-refused';
    if (!this.isLocked) {
      if (task !== null) return lock === null ? 'found-undone' : 'claim-refused';
      // Anybody may have handed it over. If it was this multi, the next claim is ours; one that makes no claim leaves nothing to do.
      const next = nextLock === null ? null : await tree.exists(nextLock, session);
      return next?.ephemeralOwner === tree.sessionId ? 'found-done' : 'claim-refused';
    }
    // Under one reign only the holder of its claim takes a task away.
    if (task === null) return 'found-done';
    return lock?.ephemeralOwner === tree.sessionId ? 'found-undone' : 'claim-refused';
  }

  /** Taken away in the multi of another part. */
  #settleWith(goneAt: bigint | null): void {
    this.#goneAt = goneAt;
    this.#dispatch({ type: 'hand-over' });
    this.#dispatch({ type: 'done' });
  }

  #dispatch(event: ClaimEvent, reason?: Error): readonly ClaimAction[] {
    const was = this.#state;
    const { state, actions } = claimTransition(was, event);
    this.#state = state;
    for (const action of actions)
      if (action.type === 'abort')
        this.#lost.abort(reason ?? claimLost(lockOf(this.path), 'the claim is gone', this.#facts()));
    if (state.name === 'settled' && was.name !== 'settled')
      this.#ground.forget(this, state.end === 'handed-over' ? 'handed-over' : 'other');
    return actions;
  }

  #endReason(): Error {
    if (this.lost.aborted && this.lost.reason instanceof Error) return this.lost.reason;
    return claimLost(lockOf(this.path), 'the claim was given back', this.#facts());
  }

  #superseded(ruling: number | null): Error {
    return epochSuperseded(this.path, this.header.epoch, ruling);
  }

  #facts() {
    return { pipeline: this.pipeline, stage: this.stage, seq: this.header.seq };
  }
}

/** What a failed multi says of the claim; null for what is no answer about it. */
function eventOf(error: unknown): ClaimEvent | null {
  if (!isTreeError(error)) return null;
  if (error.outcomeUnknown) return { type: 'unknown' };
  if (error.kind === 'session-lost' || error.kind === 'closed') return { type: 'lost' };
  if (error.kind === 'connection-loss' || error.kind === 'deadline') return { type: 'unsent' };
  if (error.failedIndex === 0) return { type: 'epoch-refused' };
  if (error.kind === 'no-node' || error.kind === 'bad-version' || error.kind === 'not-empty')
    return { type: 'claim-refused' };
  return null;
}

/** The number of the transaction, where an answer tells it. */
function zxidOf(answers: readonly MultiResult[]): bigint | null {
  for (const answer of answers) {
    if (answer.op === 'create') return answer.stat.czxid;
    if (answer.op === 'set') return answer.stat.mzxid;
  }
  return null;
}
