import { AbortError, untilAborted } from '../lib/abort.ts';
import { assert } from '../lib/assert.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { deferred } from '../lib/deferred.ts';
import { type HoltError, messageOf } from '../lib/errors.ts';
import { type Logger, silentLogger } from '../lib/logger.ts';
import { RunningState } from '../lib/service.ts';
import type { BatchHeader, LoadReceipt } from '../model/batch.ts';
import type { NodeId, PipelineId } from '../model/ids.ts';
import type { TaskStage } from '../model/stage.ts';
import { headerCodec, keyOf, TreeClaim } from './claim.ts';
import type { Claim, PipelineTasks, Reading, Reign } from './contract.ts';
import { lockCodec } from './mainstem.ts';
import { lockOf, recordPath, stagePath, type TaskKey, taskPath } from './paths.ts';
import { TreePipelineStore } from './pipeline-store.ts';
import type { EpochRecord, TerminationRequest } from './records.ts';
import { epochSuperseded } from './refusals.ts';
import { type BoardGround, TreeTaskBoard } from './task-board.ts';
import type { CoordinationTree, MultiOp } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';
import { isOutcomeUnknown } from './unknown-outcome.ts';

export interface TreePipelineTasksOptions {
  readonly tree: CoordinationTree;
  readonly pipeline: PipelineId;
  readonly node: NodeId;
  /** Of this process, as in its presence. */
  readonly instance: string;
  /** Stages of this pipeline that this node works on. */
  readonly stages: readonly TaskStage[];
  /** As `NodeRegistry.isPresent`: a hint to a node that is away counts for nothing. */
  readonly isPresent: (node: NodeId) => boolean;
  /** How long the others leave a task to the node of its hint. Default 150 ms. */
  readonly othersDelayMs?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** The tasks of one pipeline over the tree. */
export class TreePipelineTasks implements PipelineTasks {
  readonly pipeline: PipelineId;
  readonly #options: TreePipelineTasksOptions;
  readonly #tree: CoordinationTree;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #store: TreePipelineStore;
  readonly #running = new RunningState();
  readonly #finished = deferred<void>();
  readonly #boards = new Map<TaskStage, TreeTaskBoard>();
  readonly #foreign = new Map<string, HoltError>();
  #ruling: PipelineTasks['ruling'] = null;
  #highestReceipt: LoadReceipt | null = null;
  #started = false;

  constructor(options: TreePipelineTasksOptions) {
    this.#options = options;
    this.pipeline = options.pipeline;
    this.#tree = options.tree;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? silentLogger).child({ pipeline: options.pipeline });
    this.#store = new TreePipelineStore(options.tree, options.pipeline);
    const ground = this.#ground();
    for (const stage of options.stages) this.#boards.set(stage, new TreeTaskBoard(ground, stage));
  }

  get ruling(): PipelineTasks['ruling'] {
    return this.#ruling;
  }

  get foreign(): HoltError | null {
    return this.#foreign.values().next().value ?? null;
  }

  board(stage: TaskStage): TreeTaskBoard {
    const board = this.#boards.get(stage);
    assert(board !== undefined, `stage ${stage} of ${this.pipeline} is not served by this node`);
    return board;
  }

  serves(stage: TaskStage): boolean {
    return this.#boards.has(stage);
  }

  async run(): Promise<void> {
    this.#started = true;
    const unlisten = this.#tree.onState(({ state }) => {
      if (state === 'lost' || state === 'closed')
        for (const board of this.#boards.values()) board.sessionLost();
    });
    const unwatch = this.#store.epoch.watch((reading) => this.#readEpoch(reading));
    for (const board of this.#boards.values()) board.open();
    try {
      await untilAborted(this.#running.signal);
      await Promise.all([...this.#boards.values()].map((board) => board.close(new AbortError())));
    } finally {
      unwatch();
      unlisten();
      this.#finished.resolve();
    }
  }

  async stop(): Promise<void> {
    this.#running.requestStop();
    if (this.#started) await this.#finished.promise;
  }

  async publish(
    reign: Reign,
    header: BatchHeader,
    options: { readonly claim: boolean },
  ): Promise<Claim | null> {
    assert(
      header.tenure === reign.tenure && header.epoch === reign.epoch && header.pipeline === this.pipeline,
      `batch ${header.seq} of ${header.pipeline}, epoch ${header.epoch}, published in epoch ${reign.epoch}`,
    );
    this.#learn(reign);
    const key = keyOf(header);
    const path = taskPath(this.pipeline, 'extract', key);
    const board = options.claim ? this.#boards.get('extract') : undefined;
    const ops: MultiOp[] = [
      { op: 'check', path: recordPath(this.pipeline, 'epoch'), version: reign.epochVersion },
      { op: 'create', path, data: headerCodec.encode(header) },
    ];
    if (board !== undefined)
      ops.push({ op: 'create', path: lockOf(path), data: this.#lockData(), ephemeral: true });
    const isMade = deferred<boolean>();
    board?.expect(header, isMade.promise);
    try {
      const sessionEpoch = this.#tree.sessionEpoch;
      const czxid = await this.#create(ops, path, sessionEpoch, reign);
      if (board === undefined) return null;
      const claim = new TreeClaim({
        ground: this.#ground(),
        stage: 'extract',
        header,
        sessionEpoch,
        epochVersion: reign.epochVersion,
      });
      board.adopt(claim, czxid);
      isMade.resolve(true);
      return claim;
    } finally {
      isMade.resolve(false);
    }
  }

  async terminate(request: Omit<TerminationRequest, 'version' | 'node' | 'requestedMs'>): Promise<void> {
    await this.#store.termination.set(
      { ...request, version: 1, node: this.#options.node, requestedMs: this.#clock.nowMs() },
      'any',
      this.#running.signal,
    );
  }

  /** Makes the task; null when its making had to be found out. */
  async #create(
    ops: readonly MultiOp[],
    path: string,
    sessionEpoch: number,
    reign: Reign,
  ): Promise<bigint | null> {
    let mayBeOurs = false;
    for (;;) {
      reign.over.throwIfAborted();
      try {
        const answers = await this.#tree.multi(ops, { epoch: sessionEpoch, signal: reign.over });
        const created = answers[1];
        assert(created?.op === 'create', 'the answers of a multi match its operations');
        return created.stat.czxid;
      } catch (error) {
        if (isTreeError(error, 'no-node', 'bad-version') && error.failedIndex === 0)
          throw epochSuperseded(path, reign.epoch, null);
        if (isTreeError(error, 'no-node'))
          await this.#tree.ensurePath(stagePath(this.pipeline, 'extract'), { epoch: sessionEpoch });
        else if (isTreeError(error, 'node-exists') && mayBeOurs) return null;
        else if (!isOutcomeUnknown(error)) throw error;
        else mayBeOurs = true;
      }
    }
  }

  #readEpoch(reading: Reading<EpochRecord>): void {
    const path = recordPath(this.pipeline, 'epoch');
    this.#setForeign(path, reading.kind === 'foreign' ? reading.error : null);
    this.#ruling = reading.kind === 'value' ? { record: reading.value, version: reading.version } : null;
    for (const board of this.#boards.values()) board.rulingChanged();
  }

  /** The mainstem's own node need not wait for its watch. */
  #learn(reign: Reign): void {
    if (this.#ruling !== null && this.#ruling.record.epoch >= reign.epoch) return;
    this.#ruling = {
      record: {
        version: 1,
        epoch: reign.epoch,
        tenure: reign.tenure,
        seq: String(reign.seq),
        node: this.#options.node,
        raisedMs: this.#clock.nowMs(),
      },
      version: reign.epochVersion,
    };
  }

  #setForeign(path: string, error: HoltError | null): void {
    if (error === null) this.#foreign.delete(path);
    else if (!this.#foreign.has(path)) {
      this.#log.error({ err: error, path }, 'foreign data in a znode');
      this.#foreign.set(path, error);
    }
  }

  #lockData(): Buffer {
    const { node, instance } = this.#options;
    return lockCodec.encode({ version: 1, node, instance, sinceMs: this.#clock.nowMs() });
  }

  #ground(): BoardGround {
    const { node, isPresent, othersDelayMs = 150 } = this.#options;
    return {
      tree: this.#tree,
      pipeline: this.pipeline,
      clock: this.#clock,
      log: this.#log,
      node,
      isPresent,
      othersDelayMs,
      ruling: () => this.#ruling,
      lockData: () => this.#lockData(),
      mayClaimNext: (stage, header) => this.#boards.get(stage)?.mayClaimAhead(header) ?? false,
      expect: (stage, header, isMade) => this.#boards.get(stage)?.expect(header, isMade),
      highestReceipt: (receipt) => this.#highest(receipt),
      adopt: (claim, czxid) => this.#boards.get(claim.stage)?.adopt(claim, czxid),
      partsOf: (claim) =>
        this.#boards
          .get(claim.stage)
          ?.claims.filter(
            (other) => other !== claim && other.seq === claim.seq && other.key.epoch === claim.key.epoch,
          ) ?? [],
      forget: (claim, how) => this.#boards.get(claim.stage)?.forget(claim, how),
      reportForeign: (path, error) => this.#setForeign(path, error),
      askRewind: (stage, key, error) => this.#askRewind(stage, key, error),
    };
  }

  #highest(receipt: LoadReceipt): LoadReceipt {
    const known = this.#highestReceipt;
    if (known?.tenure !== receipt.tenure || BigInt(known.seq) < BigInt(receipt.seq))
      this.#highestReceipt = receipt;
    return this.#highestReceipt ?? receipt;
  }

  #askRewind(stage: TaskStage, key: TaskKey, error: HoltError): void {
    const ruling = this.#ruling;
    if (ruling === null || ruling.record.epoch !== key.epoch) return;
    this.terminate({
      kind: 'rewind',
      code: error.code,
      why: error.message,
      stage,
      epoch: key.epoch,
      tenure: ruling.record.tenure,
      seq: String(key.seq),
    }).catch((failure: unknown) =>
      this.#log.warn({ reason: messageOf(failure) }, 'the rewind could not be asked for'),
    );
  }
}
