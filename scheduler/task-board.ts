import { type Deferred, deferred } from '../lib/deferred.ts';
import { type HoltError, isAbort } from '../lib/errors.ts';
import type { BatchHeader } from '../model/batch.ts';
import { parseTaskName, taskName } from '../model/batch.ts';
import type { NodeId, PipelineId } from '../model/ids.ts';
import { TASK_STAGES, type TaskStage } from '../model/stage.ts';
import { type ClaimGround, headerCodec, keyOf, TreeClaim } from './claim.ts';
import type { Claim, NextOptions, PipelineTasks, TaskBoard, TaskView, Unwatch } from './contract.ts';
import { lockOf, stagePath, type TaskKey } from './paths.ts';
import { firstChoice, loadOrder, type Picked, type PickTask, pickTask } from './picking.ts';
import { foreignZnode } from './record.ts';
import { claimLost, epochSuperseded, isHoltError } from './refusals.ts';
import type { Children, CoordinationTree, Watch } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';
import { isOutcomeUnknown } from './unknown-outcome.ts';

/** What the board asks of the pipeline it belongs to. */
export interface BoardGround extends ClaimGround {
  readonly node: NodeId;
  readonly othersDelayMs: number;
  readonly isPresent: (node: NodeId) => boolean;
  ruling(): PipelineTasks['ruling'];
  /** A znode of the stage that cannot be read; null takes it back. */
  reportForeign(path: string, error: HoltError | null): void;
  /** A task of this reign cannot be read: only forming it again helps. */
  askRewind(stage: TaskStage, key: TaskKey, error: HoltError): void;
}

interface Task {
  readonly name: string;
  readonly key: TaskKey;
  readonly path: string;
  header: BatchHeader | 'foreign' | null;
  lock: 'unknown' | 'free' | 'taken';
  claim: TreeClaim | null;
  /** When this node first saw it, monotonic. */
  readonly seenMs: number;
  freeSinceMs: number;
  isFlowClear: boolean | null;
  isExpected: boolean;
  lockWatch: Watch | null;
  /** Transaction that made it, when a hand-over of ours did: listings from before it do not know it. */
  czxid: bigint | null;
  /** A listing has shown it. */
  isListed: boolean;
  /** It was taken without a lock, in vain or given back: the next claim makes one. */
  wantsLock: boolean;
}

/** A claim that a hand-over of this node is making. */
interface Expected {
  readonly key: TaskKey;
  readonly lastPart: boolean;
  readonly isMade: Promise<boolean>;
}

interface Taker {
  readonly options: NextOptions;
  readonly granted: Deferred<Claim>;
}

const RETRY_MS = 100;

/**
 * The board of one stage: keeps the list of its tasks, and for those who wait in `next` claims one after another as
 * `picking.ts` decides. It writes only to claim.
 */
export class TreeTaskBoard implements TaskBoard {
  readonly stage: TaskStage;
  readonly #ground: BoardGround;
  readonly #tree: CoordinationTree;
  readonly #path: string;
  readonly #tasks = new Map<string, Task>();
  readonly #expected = new Map<string, Expected>();
  /** Tasks that hand-overs of ours took away → the transaction that did: a listing from before it still shows them. */
  readonly #gone = new Map<string, bigint>();
  readonly #takers: Taker[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #foreign = new Set<string>();
  readonly #closed = new AbortController();
  #order: readonly Task[] = [];
  #finished: { readonly tenure: string; readonly seq: bigint } | null = null;
  /** The highest task handed over by this node. */
  #handedOver: { readonly tenure: string; readonly key: TaskKey } | null = null;
  #watch: Watch | null = null;
  #tending: Promise<void> | null = null;
  #again = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(ground: BoardGround, stage: TaskStage) {
    this.#ground = ground;
    this.#tree = ground.tree;
    this.stage = stage;
    this.#path = stagePath(ground.pipeline, stage);
  }

  get pipeline(): PipelineId {
    return this.#ground.pipeline;
  }

  get tasks(): readonly TaskView[] {
    return this.#order.map(({ key, lock, claim }) => ({ ...key, lock: claim === null ? lock : 'ours' }));
  }

  seenMs(key: TaskKey): number | null {
    return this.#tasks.get(taskName(key.epoch, key.seq, key.part))?.seenMs ?? null;
  }

  get claims(): readonly TreeClaim[] {
    return this.#order.flatMap(({ claim }) => (claim === null ? [] : [claim]));
  }

  open(): void {
    this.#watch = this.#tree.watchChildren(this.#path, (children) => this.#list(children));
  }

  /** Gives back every claim, and turns takers away. */
  async close(reason: Error): Promise<void> {
    this.#closed.abort(reason);
    this.#watch?.close();
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const taker of this.#takers.splice(0)) taker.granted.reject(reason);
    await this.#tending;
    for (const task of this.#order) task.lockWatch?.close();
    await Promise.all(this.claims.map((claim) => claim.release()));
  }

  next(options: NextOptions): Promise<Claim> {
    const { signal } = options;
    if (this.#closed.signal.aborted) return Promise.reject(this.#closed.signal.reason);
    if (signal.aborted) return Promise.reject(signal.reason);
    const taker: Taker = { options, granted: deferred() };
    const onAbort = () => {
      this.#drop(taker);
      taker.granted.reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#takers.push(taker);
    this.tend();
    return taker.granted.promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  poke(): void {
    this.tend();
  }

  watch(listener: () => void): Unwatch {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // ── what others tell ─────────────────────────────────────────────────────────────────────────────────────────────

  /** The session is over: nothing is held, and what is known of locks is void until the next listing. */
  sessionLost(): void {
    for (const claim of this.claims)
      claim.tell('lost', claimLost(claim.path, 'the session in which it was made is over'));
    for (const task of this.#order) this.#unknow(task);
  }

  rulingChanged(): void {
    const ruling = this.#ground.ruling();
    for (const claim of this.claims) {
      const { epoch, tenure } = claim.header;
      const isOver =
        ruling === null ||
        ruling.record.epoch > epoch ||
        (ruling.record.epoch === epoch && ruling.record.tenure !== tenure);
      if (isOver) claim.tell('superseded', epochSuperseded(claim.path, epoch, ruling?.record.epoch ?? null));
    }
    for (const task of this.#order)
      if (!task.isListed && task.claim === null && task.key.epoch !== ruling?.record.epoch)
        this.#remove(task);
    this.#sort();
    this.tend();
  }

  expect(header: BatchHeader, isMade: Promise<boolean>): void {
    const key = keyOf(header);
    const name = taskName(key.epoch, key.seq, key.part);
    const expected = { key, lastPart: header.lastPart, isMade };
    this.#expected.set(name, expected);
    this.#markExpected(name);
    void isMade.then(() => {
      if (this.#expected.get(name) === expected) this.#expected.delete(name);
      this.#markExpected(name);
      this.tend();
    });
  }

  #markExpected(name: string): void {
    const task = this.#tasks.get(name);
    if (task !== undefined) task.isExpected = this.#expected.has(name);
  }

  announce(header: BatchHeader): void {
    const ruling = this.#ground.ruling();
    const key = keyOf(header);
    if (ruling?.record.epoch !== key.epoch || ruling.record.tenure !== header.tenure) return;
    // Word of a task that this node has handed over already. One below that stands all the same is listed.
    const last = this.#handedOver;
    if (last?.tenure === header.tenure && !isBelow(last.key, key)) return;
    const task = this.#know(key);
    if (task.header !== null || task.claim !== null) return;
    task.header = header;
    this.#sort();
    this.#changed();
    this.tend();
  }

  adopt(claim: TreeClaim, czxid: bigint | null): void {
    const task = this.#know(claim.key);
    task.header = claim.header;
    task.claim = claim;
    task.czxid = czxid;
    this.#sort();
    // The session may have ended between the answer and this turn: nobody else would tell.
    if (!claim.isHeld()) claim.tell('lost', claimLost(task.path, 'the session in which it was made is over'));
    this.#changed();
  }

  forget(claim: TreeClaim, how: 'handed-over' | 'other'): void {
    const task = this.#tasks.get(taskName(claim.key.epoch, claim.key.seq, claim.key.part));
    if (task?.claim !== claim) return;
    task.claim = null;
    if (how === 'handed-over') {
      if (this.stage === 'load' && claim.header.lastPart) this.#finish(claim);
      if (claim.goneAt !== null) this.#gone.set(task.name, claim.goneAt);
      this.#noteHandedOver(claim);
      this.#remove(task);
      this.#sort();
    } else {
      this.#unknow(task);
      if (!claim.isLocked) {
        // Perhaps somebody else has it, or it is gone: that is read before anything is written.
        task.wantsLock = true;
        task.header = null;
        // If it stands, it will be listed.
        if (!task.isListed) this.#remove(task);
        this.#sort();
      }
    }
    this.#changed();
    this.tend();
  }

  /** It may be newer than a listing that does not show it. Whether it stands is told by its hand-over. */
  #isOnlyAnnounced({ key, isListed, claim, czxid }: Task): boolean {
    if (isListed || czxid !== null || claim?.isLocked === true) return false;
    return key.epoch === this.#ground.ruling()?.record.epoch;
  }

  #noteHandedOver({ header: { tenure }, key }: TreeClaim): void {
    const last = this.#handedOver;
    if (last?.tenure !== tenure || isBelow(last.key, key)) this.#handedOver = { tenure, key };
  }

  /**
   * Whether this node may claim a Load task together with creating it (protocol section 3). A promise while the claim on the batch before
   * is on its way: the ensemble takes a session's writes in the order in which they were sent.
   */
  mayClaimAhead(header: BatchHeader): boolean | Promise<boolean> {
    const ruling = this.#ground.ruling();
    if (ruling === null || this.#closed.signal.aborted) return false;
    if (this.stage !== 'load') return true;
    const { epoch, seq, part } = keyOf(header);
    for (const { key, lastPart, isMade } of this.#expected.values()) {
      const isBefore = part > 0 ? key.seq === seq && key.part === part - 1 : key.seq === seq - 1n && lastPart;
      if (key.epoch === epoch && isBefore) return isMade;
    }
    const view = { ruling: rulingOf(ruling), finishedSeq: this.#finishedSeq(header.tenure) };
    const standing = this.#order.filter((task) => task.key.epoch === epoch);
    const before = standing.findLast(({ key }) => key.seq < seq || (key.seq === seq && key.part < part));
    const task = { key: { epoch, seq, part } };
    return loadOrder(view, task, before === undefined ? null : this.#view(before)) === 'next';
  }

  // ── the list ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #list(children: Children | null): void {
    const names = new Set(children?.names ?? []);
    for (const [name, goneAt] of this.#gone)
      if (children === null || children.stat.pzxid >= goneAt) this.#gone.delete(name);
      else names.delete(name);
    for (const task of [...this.#order]) {
      if (names.has(task.name)) continue;
      if (this.#isOnlyAnnounced(task)) continue;
      // A listing made before our own hand-over created the task says nothing about it.
      if (task.czxid !== null && children !== null && children.stat.pzxid < task.czxid) continue;
      task.claim?.tell('lost', claimLost(task.path, 'the task is gone'));
      this.#remove(task);
    }
    for (const name of names) {
      const key = parseTaskName(name);
      if (key !== null) this.#know(key).isListed = true;
      else this.#sayForeign(`${this.#path}/${name}`, foreignZnode(`${this.#path}/${name}`, 'no task name'));
    }
    for (const path of [...this.#foreign])
      if (!names.has(path.slice(this.#path.length + 1))) {
        this.#foreign.delete(path);
        this.#ground.reportForeign(path, null);
      }
    for (const task of this.#tasks.values()) task.isFlowClear = null;
    this.#sort();
    this.#changed();
    this.tend();
  }

  #know(key: TaskKey): Task {
    const name = taskName(key.epoch, key.seq, key.part);
    const known = this.#tasks.get(name);
    if (known !== undefined) return known;
    const task: Task = {
      name,
      key,
      path: `${this.#path}/${name}`,
      header: null,
      lock: 'unknown',
      claim: null,
      seenMs: this.#ground.clock.monotonicMs(),
      freeSinceMs: this.#ground.clock.monotonicMs(),
      isFlowClear: null,
      isExpected: this.#expected.has(name),
      lockWatch: null,
      czxid: null,
      isListed: false,
      wantsLock: false,
    };
    this.#tasks.set(name, task);
    return task;
  }

  #remove(task: Task): void {
    task.lockWatch?.close();
    task.lockWatch = null;
    this.#tasks.delete(task.name);
  }

  #unknow(task: Task): void {
    task.lockWatch?.close();
    task.lockWatch = null;
    task.lock = 'unknown';
    task.freeSinceMs = this.#ground.clock.monotonicMs();
  }

  #sort(): void {
    // The name orders as its numbers do.
    this.#order = [...this.#tasks.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #sayForeign(path: string, error: HoltError): void {
    this.#foreign.add(path);
    this.#ground.reportForeign(path, error);
  }

  // ── claiming ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Looks whether something can be claimed; one look at a time. */
  tend(): void {
    this.#again = true;
    if (this.#tending !== null || this.#closed.signal.aborted) return;
    this.#tending = this.#tend().finally(() => {
      this.#tending = null;
      if (this.#again && !this.#closed.signal.aborted) this.tend();
    });
  }

  async #tend(): Promise<void> {
    while (this.#again && !this.#closed.signal.aborted) {
      this.#again = false;
      try {
        if (await this.#look()) this.#again = true;
      } catch (error) {
        if (isAbort(error) || this.#closed.signal.aborted) return;
        // The session's end starts over with its next listing; anything else is tried again soon.
        if (!isTreeError(error)) this.#ground.log.error({ err: error, path: this.#path }, 'claiming failed');
        this.#lookAgainAt(this.#ground.clock.monotonicMs() + RETRY_MS);
      }
    }
  }

  /** One decision, done. True when it makes sense to look again at once. */
  async #look(): Promise<boolean> {
    const ruling = this.#ground.ruling();
    const taker = this.#takers[0];
    if (ruling === null || taker === undefined || this.#tree.sessionState !== 'connected') {
      // A session that is away comes back with a listing or, if it resumes, with the retry.
      if (taker !== undefined && ruling !== null)
        this.#lookAgainAt(this.#ground.clock.monotonicMs() + RETRY_MS);
      return false;
    }
    const picked = pickTask({
      stage: this.stage,
      tasks: this.#order.map((task) => this.#view(task)),
      ruling: rulingOf(ruling),
      finishedSeq: this.#finishedSeq(ruling.record.tenure),
      node: this.#ground.node,
      nowMs: this.#ground.clock.monotonicMs(),
      othersDelayMs: this.#ground.othersDelayMs,
      isPresent: this.#ground.isPresent,
      admits: taker.options.admits ?? (() => true),
    });
    switch (picked.kind) {
      case 'wait':
        if (picked.untilMs !== null) this.#lookAgainAt(picked.untilMs);
        return false;
      case 'read-header':
        await this.#readHeader(picked.name);
        return true;
      case 'look-at-flow':
        await this.#lookAtFlow(picked.name);
        return true;
      case 'claim':
        if (!this.#takeUnlocked(picked, ruling, taker)) await this.#claim(picked, ruling);
        return true;
      default:
        return picked satisfies never;
    }
  }

  async #readHeader(name: string): Promise<void> {
    const task = this.#tasks.get(name);
    if (task === undefined) return;
    const found = await this.#tree.get(task.path, { signal: this.#closed.signal });
    if (found === null) {
      if (task.claim === null) this.#remove(task);
      this.#sort();
      return;
    }
    try {
      const header = headerCodec.decode(found.data, task.path);
      const key = keyOf(header);
      const isItsOwn =
        header.pipeline === this.pipeline && taskName(key.epoch, key.seq, key.part) === task.name;
      if (!isItsOwn) throw foreignZnode(task.path, 'the header of another task');
      task.header = header;
    } catch (error) {
      if (!isHoltError(error, 'HOLT_ZNODE_FOREIGN')) throw error;
      task.header = 'foreign';
      this.#sayForeign(task.path, error);
      this.#ground.askRewind(this.stage, task.key, error);
    }
  }

  /**
   * Batches move Extract → Transform → Load, so looking in that order misses none that is not done. New ones are
   * always above.
   */
  async #lookAtFlow(name: string): Promise<void> {
    const task = this.#tasks.get(name);
    if (task === undefined) return;
    let isClear = true;
    for (const stage of TASK_STAGES) {
      const path = stagePath(this.pipeline, stage);
      const listed = await this.#tree.children(path, { signal: this.#closed.signal });
      const lower = (listed?.names ?? []).some((other) => {
        const key = parseTaskName(other);
        return key !== null && key.epoch === task.key.epoch && isBelow(key, task.key);
      });
      if (lower) isClear = false;
    }
    task.isFlowClear = isClear;
    // What is below comes to this board, or is finished on it: either way it is listed again. A task that is dropped
    // as a twin is not, so look again after a while.
    if (!isClear) {
      this.#lookAgainAt(this.#ground.clock.monotonicMs() + 10 * RETRY_MS, () => {
        task.isFlowClear = null;
      });
    }
  }

  /** Whether the taker has got it: others leave a task to the node that its header announces, and it needs no lock to begin. */
  #takeUnlocked(
    { name, header }: Extract<Picked, { readonly kind: 'claim' }>,
    ruling: NonNullable<PipelineTasks['ruling']>,
    taker: Taker,
  ): boolean {
    const task = this.#tasks.get(name);
    const isAnnounced = firstChoice(this.stage, header) === this.#ground.node;
    // Load is no work without effect on others.
    if (
      this.stage === 'load' ||
      taker.options.unlocked !== true ||
      !isAnnounced ||
      task === undefined ||
      task.wantsLock
    )
      return false;
    const claim = new TreeClaim({
      ground: this.#ground,
      stage: this.stage,
      header,
      sessionEpoch: this.#tree.sessionEpoch,
      epochVersion: ruling.version,
      isLocked: false,
    });
    task.claim = claim;
    this.#changed();
    this.#drop(taker);
    taker.granted.resolve(claim);
    return true;
  }

  async #claim(
    picked: Extract<Picked, { readonly kind: 'claim' }>,
    ruling: NonNullable<PipelineTasks['ruling']>,
  ): Promise<void> {
    const task = this.#tasks.get(picked.name);
    if (task === undefined) return;
    const session = { epoch: this.#tree.sessionEpoch };
    const lock = lockOf(task.path);
    // Who comes second looks before it leaps: a read costs the ensemble nothing.
    if (!picked.isFirst && task.lock === 'unknown') {
      const stat = await this.#tree.exists(lock, session);
      if (stat !== null && stat.ephemeralOwner !== this.#tree.sessionId) return this.#followLock(task);
    }
    switch (await this.#makeLock(lock, session)) {
      case 'ours':
        break;
      case 'taken':
        return this.#followLock(task);
      case 'gone':
        this.#remove(task);
        return this.#sort();
    }
    const claim = new TreeClaim({
      ground: this.#ground,
      stage: this.stage,
      header: picked.header,
      sessionEpoch: session.epoch,
      epochVersion: ruling.version,
    });
    task.claim = claim;
    task.lock = 'unknown';
    if (!claim.isHeld()) claim.tell('lost', claimLost(task.path, 'the session in which it was made is over'));
    else if (this.#tasks.get(task.name) !== task)
      claim.tell('lost', claimLost(task.path, 'the task is gone'));
    else this.rulingChanged();
    this.#changed();
    if (!claim.isHeld()) return;
    const taker = this.#takers.shift();
    if (taker === undefined || this.#closed.signal.aborted) await claim.release();
    else taker.granted.resolve(claim);
  }

  /** Until the answer is clear: a lock of ours that nobody here knows of would hold the task up for good. */
  async #makeLock(lock: string, session: { readonly epoch: number }): Promise<'ours' | 'taken' | 'gone'> {
    for (;;) {
      try {
        await this.#tree.create(lock, this.#ground.lockData(), { ...session, ephemeral: true });
        return 'ours';
      } catch (error) {
        if (isTreeError(error, 'no-node')) return 'gone';
        if (!isTreeError(error, 'node-exists') && !isOutcomeUnknown(error)) throw error;
        if (isOutcomeUnknown(error)) await this.#tree.barrier(session);
      }
      const stat = await this.#tree.exists(lock, session);
      if (stat !== null) return stat.ephemeralOwner === this.#tree.sessionId ? 'ours' : 'taken';
    }
  }

  /** Somebody else has it: its holder's death shows in the lock. */
  #followLock(task: Task): void {
    task.lock = 'taken';
    // A new watch begins with a reading, so that a lock that went in the meantime is noticed.
    task.lockWatch?.close();
    task.lockWatch = this.#tree.watchData(lockOf(task.path), (node) => {
      if (node !== null || task.lock !== 'taken') return;
      task.lock = 'free';
      task.freeSinceMs = this.#ground.clock.monotonicMs();
      this.#changed();
      this.tend();
    });
  }

  #view(task: Task): PickTask {
    return {
      name: task.name,
      key: task.key,
      header: task.header,
      lock: task.claim === null ? task.lock : 'ours',
      freeSinceMs: task.freeSinceMs,
      isFlowClear: task.isFlowClear,
      isExpected: task.isExpected,
    };
  }

  #finish({ header: { tenure }, seq }: TreeClaim): void {
    const last = this.#finishedSeq(tenure);
    this.#finished = { tenure, seq: last !== null && last > seq ? last : seq };
  }

  #finishedSeq(tenure: string): bigint | null {
    return this.#finished?.tenure === tenure ? this.#finished.seq : null;
  }

  #lookAgainAt(monotonicMs: number, before: () => void = () => {}): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const delayMs = Math.max(1, Math.ceil(monotonicMs - this.#ground.clock.monotonicMs()));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      before();
      this.tend();
    }, delayMs);
  }

  #drop(taker: Taker): void {
    const at = this.#takers.indexOf(taker);
    if (at >= 0) this.#takers.splice(at, 1);
  }
}

function isBelow(a: TaskKey, b: TaskKey): boolean {
  return a.seq < b.seq || (a.seq === b.seq && a.part < b.part);
}

function rulingOf({ record }: NonNullable<PipelineTasks['ruling']>) {
  return { epoch: record.epoch, tenure: record.tenure, seq: BigInt(record.seq) };
}
