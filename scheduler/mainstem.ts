import { assert } from '../lib/assert.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { HoltError, messageOf } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { parseTaskName } from '../model/batch.ts';
import type { NodeId, PipelineId } from '../model/ids.ts';
import type { Position } from '../model/position.ts';
import { TASK_STAGES } from '../model/stage.ts';
import type { Mainstem, RaiseResult, Reign, TargetHalf, TargetRaiseResult, Unwatch } from './contract.ts';
import { Holding } from './holding.ts';
import {
  initialMainstem,
  type MainstemAction,
  type MainstemEvent,
  type MainstemState,
  mainstemTransition,
  type TreeEpoch,
} from './machine/mainstem-life.ts';
import { lockOf, mainLockPath, mainPath, pipelinePath, recordPath, stagePath } from './paths.ts';
import { epochCodec, TreePipelineStore } from './pipeline-store.ts';
import { jsonRecord } from './record.ts';
import { lockRecord } from './records.ts';
import { claimLost, epochSuperseded } from './refusals.ts';
import type { CoordinationTree, MultiOp } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';
import { isOutcomeUnknown } from './unknown-outcome.ts';

export const lockCodec = jsonRecord(lockRecord);

export interface TreeMainstemOptions {
  readonly tree: CoordinationTree;
  readonly pipeline: PipelineId;
  readonly node: NodeId;
  /** Of this process, as in its presence. */
  readonly instance: string;
  readonly target: TargetHalf;
  readonly clock?: Clock;
  readonly log?: Logger;
}

type Raised = Extract<TargetRaiseResult, { readonly kind: 'raised' }>;

/**
 * The claim on Select of one pipeline: the shell of `machine/mainstem-life.ts`. It makes the lock, and does of every
 * raise what belongs to the tree; the target half is given.
 */
export class TreeMainstem implements Mainstem {
  readonly pipeline: PipelineId;
  readonly #tree: CoordinationTree;
  readonly #node: NodeId;
  readonly #instance: string;
  readonly #target: TargetHalf;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #store: TreePipelineStore;
  readonly #gone = new AbortController();
  #state: MainstemState = initialMainstem;
  #holding: Holding | null = null;
  #taking = -1;
  #reign: Reign | null = null;
  #reignEnd: AbortController | null = null;
  #unwatchEpoch: Unwatch | null = null;

  // What the actions of a raise leave for its end: the machine carries what decides, these carry what is handed out.
  #raised: Raised | null = null;
  #refusal: RaiseResult | null = null;
  #failure: unknown = null;

  private constructor(options: TreeMainstemOptions) {
    this.pipeline = options.pipeline;
    this.#tree = options.tree;
    this.#node = options.node;
    this.#instance = options.instance;
    this.#target = options.target;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? silentLogger).child({ pipeline: options.pipeline });
    this.#store = new TreePipelineStore(options.tree, options.pipeline);
  }

  /**
   * One attempt at the lock, in the present session. Null while another's stands.
   * @throws TreeError when the tree gives no clear answer; an own lock that turns up later is found by the next attempt
   */
  static async attempt(options: TreeMainstemOptions, signal: AbortSignal): Promise<TreeMainstem | null> {
    const mainstem = new TreeMainstem(options);
    await mainstem.#drive({ type: 'want' }, signal);
    const failure = mainstem.#takeFailure();
    if (failure !== null) throw failure;
    return mainstem.#state.name === 'reading' ? mainstem : null;
  }

  get lost(): AbortSignal {
    return this.#gone.signal;
  }

  get reign(): Reign | null {
    return this.#reign;
  }

  isHeld(): boolean {
    return !this.#gone.signal.aborted && this.#holding !== null && this.#holding.isHeld();
  }

  async raise(signal: AbortSignal): Promise<RaiseResult> {
    this.#raised = null;
    this.#refusal = null;
    this.#failure = null;
    if (this.#state.name === 'reading') await this.#drive(await this.#readRow(signal), signal);
    if (this.#state.name === 'holding' || this.#state.name === 'reigning')
      await this.#drive({ type: 'raise' }, signal);
    const failure = this.#takeFailure();
    if (failure !== null) throw failure;
    if (this.#refusal !== null) return this.#refusal;
    if (this.#reign !== null) return { kind: 'reign', reign: this.#reign };
    return { kind: 'let-go', why: `the mainstem is ${this.#state.name}: ${this.#lossReason()}` };
  }

  async release(): Promise<void> {
    await this.#drive({ type: 'release' }, this.lost).catch((error: unknown) =>
      this.#log.info({ reason: messageOf(error) }, 'the mainstem lock is left to the end of the session'),
    );
    this.#fall('released');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** One event, and what its actions lead to. */
  async #drive(event: MainstemEvent, signal: AbortSignal): Promise<void> {
    const { state, actions } = mainstemTransition(this.#state, event);
    this.#state = state;
    for (const action of actions) {
      const next = await this.#perform(action, signal);
      if (next !== null) await this.#drive(next, signal);
    }
  }

  async #perform(action: MainstemAction, signal: AbortSignal): Promise<MainstemEvent | null> {
    switch (action.type) {
      case 'make-lock':
        return this.#makeLock(signal);
      case 'read-row':
        // Done by the first call of `raise`, so that its errors reach whoever retries it.
        return null;
      case 'read-tree':
        return this.#attempt(async () => ({ type: 'tree-read', epoch: await this.#readTree(signal) }));
      case 'raise-target':
        return this.#attempt(() => this.#raiseTarget(action, signal));
      case 'proclaim':
        return this.#attempt(() => this.#proclaim(action, signal));
      case 'clear':
        return this.#attempt(() => this.#clear(action.version, signal));
      case 'begin-reign':
        this.#beginReign(action.version);
        return null;
      case 'end-reign':
        this.#endReign(action.why);
        return null;
      case 'remove-lock':
        await this.#removeLock();
        return { type: 'released' };
      default:
        return action satisfies never;
    }
  }

  /** A failure lets the raise fall back to holding the lock; the caller gets the error. */
  async #attempt(work: () => Promise<MainstemEvent>): Promise<MainstemEvent> {
    try {
      return await work();
    } catch (error) {
      this.#failure = error;
      return { type: 'target-failed' };
    }
  }

  #takeFailure(): unknown {
    const failure = this.#failure;
    this.#failure = null;
    return failure;
  }

  // ── the lock ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #makeLock(signal: AbortSignal): Promise<MainstemEvent> {
    const parent = mainPath(this.pipeline);
    const path = mainLockPath(this.pipeline);
    const record = lockCodec.encode({
      version: 1,
      node: this.#node,
      instance: this.#instance,
      sinceMs: this.#clock.nowMs(),
    });
    await this.#tree.whenConnected({ signal });
    const session = { epoch: this.#tree.sessionEpoch, signal };
    for (;;) {
      try {
        const [set, created] = await this.#tree.multi(
          [
            { op: 'set', path: parent, data: record, version: 'any' },
            { op: 'create', path, data: record, ephemeral: true },
          ],
          session,
        );
        assert(set?.op === 'set' && created?.op === 'create', 'the answers of a multi match its operations');
        return this.#lockMade(set.stat.version, session.epoch, created.stat.czxid);
      } catch (error) {
        if (isTreeError(error, 'no-node')) {
          await this.#tree.ensurePath(parent, session);
          continue;
        }
        if (!isTreeError(error, 'node-exists') && !isOutcomeUnknown(error)) {
          this.#failure = error;
          return { type: 'lock-refused' };
        }
        if (isOutcomeUnknown(error)) await this.#tree.barrier(session);
      }
      // Whose is it? An own one comes from an attempt whose answer was lost.
      const before = await this.#tree.get(path, session);
      if (before === null) continue;
      if (before.stat.ephemeralOwner !== this.#tree.sessionId) return { type: 'lock-refused' };
      const taken = await this.#tree.exists(parent, session);
      const after = await this.#tree.exists(path, session);
      if (taken !== null && after?.czxid === before.stat.czxid)
        return this.#lockMade(taken.version, session.epoch, after.czxid);
    }
  }

  #lockMade(taking: number, sessionEpoch: number, czxid: bigint): MainstemEvent {
    const holding = new Holding({ tree: this.#tree, path: mainLockPath(this.pipeline), sessionEpoch, czxid });
    this.#holding = holding;
    this.#taking = taking;
    const onLost = () => this.#fall(messageOf(holding.lost.reason));
    if (holding.lost.aborted) queueMicrotask(onLost);
    else holding.lost.addEventListener('abort', onLost, { once: true });
    return { type: 'lock-made', taking };
  }

  async #removeLock(): Promise<void> {
    const holding = this.#holding;
    if (holding === null || !holding.isHeld()) return;
    const ops: readonly MultiOp[] = [
      { op: 'check', path: mainPath(this.pipeline), version: this.#taking },
      { op: 'remove', path: holding.path, version: 0 },
    ];
    try {
      await this.#tree.multi(ops, { epoch: holding.sessionEpoch });
    } catch (error) {
      if (!isTreeError(error, 'no-node', 'bad-version')) throw error;
    }
  }

  /** The end of this object, however it comes. */
  #fall(why: string): void {
    const { state, actions } = mainstemTransition(this.#state, { type: 'lost', why });
    this.#state = state;
    for (const action of actions) if (action.type === 'end-reign') this.#endReign(action.why);
    this.#holding?.close();
    if (!this.#gone.signal.aborted)
      this.#gone.abort(claimLost(mainLockPath(this.pipeline), why, { pipeline: this.pipeline }));
  }

  #lossReason(): string {
    return this.#gone.signal.aborted ? messageOf(this.#gone.signal.reason) : 'nothing reigns';
  }

  // ── the raise ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Step 1. An epoch that was read when the lock was no longer surely ours may be another's: it must not be used. */
  async #readRow(signal: AbortSignal): Promise<MainstemEvent> {
    const epoch = await this.#target.readEpoch(AbortSignal.any([signal, this.lost]));
    if (this.isHeld()) return { type: 'row-read', epoch };
    const why = 'the lease ran out while the row was read';
    this.#holding?.lose(why);
    return { type: 'lost', why };
  }

  async #readTree(signal: AbortSignal): Promise<TreeEpoch> {
    for (const stage of TASK_STAGES)
      await this.#tree.ensurePath(stagePath(this.pipeline, stage), this.#options(signal));
    await this.#tree.ensurePath(pipelinePath(this.pipeline), this.#options(signal));
    const found = await this.#store.epoch.get(signal);
    return found === null
      ? { epoch: 0, version: null }
      : { epoch: found.value.epoch, version: found.version };
  }

  async #raiseTarget(
    action: Extract<MainstemAction, { readonly type: 'raise-target' }>,
    signal: AbortSignal,
  ): Promise<MainstemEvent> {
    const { basis, treeEpoch } = action;
    const request = { ...basis, treeEpoch: treeEpoch.epoch, hasRun: treeEpoch.version !== null };
    const result = await this.#target.raise(request, AbortSignal.any([signal, this.lost]));
    switch (result.kind) {
      case 'raised':
        this.#raised = result;
        return { type: 'target-raised', raised: { epoch: result.epoch, tenure: result.tenure } };
      case 'let-go':
        this.#refusal = result;
        return { type: 'target-refused', why: result.why };
      case 'stop':
        this.#refusal = result;
        return { type: 'target-failed' };
      default:
        return result satisfies never;
    }
  }

  async #proclaim(
    action: Extract<MainstemAction, { readonly type: 'proclaim' }>,
    signal: AbortSignal,
  ): Promise<MainstemEvent> {
    const { taking, treeEpoch, raised } = action;
    const path = recordPath(this.pipeline, 'epoch');
    const data = epochCodec.encode({
      version: 1,
      epoch: raised.epoch,
      tenure: raised.tenure,
      seq: String(this.#raisedHere().seq),
      node: this.#node,
      raisedMs: this.#clock.nowMs(),
    });
    const record: MultiOp =
      treeEpoch.version === null
        ? { op: 'create', path, data }
        : { op: 'set', path, data, version: treeEpoch.version };
    const ops: readonly MultiOp[] = [
      { op: 'check', path: mainPath(this.pipeline), version: taking },
      { op: 'check', path: mainLockPath(this.pipeline), version: 0 },
      record,
    ];
    for (;;) {
      try {
        const answers = await this.#tree.multi(ops, this.#options(signal));
        const answer = answers[2];
        assert(
          answer?.op === 'set' || answer?.op === 'create',
          'the answers of a multi match its operations',
        );
        return { type: 'proclaimed', version: answer.stat.version };
      } catch (error) {
        if (isTreeError(error, 'no-node', 'bad-version', 'node-exists')) {
          // A first try whose answer was lost may have come through late.
          const found = await this.#store.epoch.get(signal);
          if (found?.value.tenure === raised.tenure) return { type: 'proclaimed', version: found.version };
          const why =
            error.failedIndex === 2
              ? 'another epoch was proclaimed meanwhile'
              : 'the mainstem lock is no longer ours';
          this.#refusal = { kind: 'let-go', why };
          return { type: 'proclaim-refused', why };
        }
        if (!isOutcomeUnknown(error)) throw error;
        await this.#tree.barrier(this.#options(signal));
      }
      const found = await this.#store.epoch.get(signal);
      if (found?.value.tenure === raised.tenure) return { type: 'proclaimed', version: found.version };
    }
  }

  /**
   * Step 4, its end: no task that stands now is of this reign, whatever its number says. Each goes with its claim in one
   * multi, which also checks that this reign still rules: a mainstem that wakes up late deletes nothing of its successor's.
   */
  async #clear(version: number, signal: AbortSignal): Promise<MainstemEvent> {
    const epochPath = recordPath(this.pipeline, 'epoch');
    const rule: MultiOp = { op: 'check', path: epochPath, version };
    for (const stage of TASK_STAGES) {
      const parent = stagePath(this.pipeline, stage);
      const listed = await this.#tree.children(parent, this.#options(signal));
      for (const name of listed?.names ?? []) {
        if (parseTaskName(name) === null) continue;
        if (!(await this.#clearTask(`${parent}/${name}`, rule, signal))) return { type: 'superseded' };
      }
    }
    for (const record of [this.#store.termination, this.#store.progress]) await record.remove('any', signal);
    return { type: 'cleared' };
  }

  /** False when another epoch rules. */
  async #clearTask(path: string, rule: MultiOp, signal: AbortSignal): Promise<boolean> {
    for (;;) {
      const lock = await this.#tree.exists(lockOf(path), this.#options(signal));
      const ops: MultiOp[] = [rule];
      if (lock !== null) ops.push({ op: 'remove', path: lockOf(path), version: 'any' });
      ops.push({ op: 'remove', path, version: 'any' });
      try {
        await this.#tree.multi(ops, this.#options(signal));
        return true;
      } catch (error) {
        if (isTreeError(error, 'no-node', 'bad-version') && error.failedIndex === 0) return false;
        // The lock came or went since: look again. The task itself gone is what was wanted.
        if (isTreeError(error, 'no-node', 'not-empty')) {
          if ((await this.#tree.exists(path, this.#options(signal))) === null) return true;
          continue;
        }
        if (!isOutcomeUnknown(error)) throw error;
      }
    }
  }

  #beginReign(epochVersion: number): void {
    const { epoch, tenure, seq, position } = this.#raisedHere();
    const end = new AbortController();
    this.#reignEnd = end;
    const reign: Reign = {
      pipeline: this.pipeline,
      epoch,
      tenure,
      seq,
      position: position satisfies Position,
      epochVersion,
      over: end.signal,
    };
    this.#reign = reign;
    this.#log.info({ epoch, seq: String(seq) }, 'the reign begins');
    this.#unwatchEpoch = this.#store.epoch.watch(async (reading) => {
      if (this.#reign !== reign || (reading.kind === 'value' && reading.version === epochVersion)) return;
      // A watch shared with others may give a value from before the proclamation; a read of this session cannot.
      const now = await this.#store.epoch.read(reign.over);
      if (now.kind === 'value' && now.version === epochVersion) return;
      const ruling = now.kind === 'value' ? now.value.epoch : null;
      this.#supersede(epochSuperseded(this.#store.epoch.path, epoch, ruling).message);
    });
  }

  #supersede(why: string): void {
    const { state, actions } = mainstemTransition(this.#state, { type: 'superseded' });
    this.#state = state;
    if (actions.some((action) => action.type === 'end-reign')) this.#endReign(why);
  }

  #endReign(why: string): void {
    const reign = this.#reign;
    if (reign === null) return;
    this.#reign = null;
    this.#unwatchEpoch?.();
    this.#unwatchEpoch = null;
    this.#log.info({ epoch: reign.epoch, reason: why }, 'the reign ends');
    this.#reignEnd?.abort(
      new HoltError('HOLT_EPOCH_SUPERSEDED', `epoch ${reign.epoch} of ${this.pipeline} is over: ${why}`, {
        disposition: 'retry',
        facts: { pipeline: this.pipeline, epoch: reign.epoch },
      }),
    );
  }

  #raisedHere(): Raised {
    assert(this.#raised !== null, 'a proclamation follows a raise in the target');
    return this.#raised;
  }

  #options(signal: AbortSignal): { readonly epoch: number; readonly signal: AbortSignal } {
    const holding = this.#holding;
    assert(holding !== null, 'a raise is made under the lock');
    return { epoch: holding.sessionEpoch, signal };
  }
}
