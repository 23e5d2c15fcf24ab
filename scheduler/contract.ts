/**
 * The contract of the scheduler: who works on what, over the coordination tree (protocol.md, sections 1 to 3).
 *
 * One tree (one session) per node. Above it
 *
 *     NodeRegistry                     who is there
 *     PipelineStore     per pipeline   config, desired state, epoch, receipt, progress, termination
 *     SourceOwnership   per source     `running`, then the mainstems of the source's pipelines
 *       └─ Mainstem     per pipeline   raise → Reign → publish batches, Window of those in flight
 *     PipelineTasks     per pipeline   the tasks of the stages this node serves
 *       └─ TaskBoard    per stage      next() → Claim → handOver() | finish() | release()
 *
 * Nothing here writes to the tree while nothing happens. What must not happen twice is fenced in the target; the `lost`
 * signals below only make a process stop early. They are right by our own lease clock: `isHeld()` is false, even in
 * the first instruction after a freeze, before the servers can give the lock to somebody else.
 */
import type { HoltError } from '../lib/errors.ts';
import type { Service } from '../lib/service.ts';
import type { BatchHeader, LoadReceipt } from '../model/batch.ts';
import type { DataSourceId, NodeId, PipelineId, Tenure } from '../model/ids.ts';
import type { Position } from '../model/position.ts';
import type { TaskStage } from '../model/stage.ts';
import type {
  DesiredRecord,
  EpochRecord,
  NodePresence,
  PartProgress,
  StoredConfig,
  TerminationRequest,
} from './records.ts';

/** What a znode of ours holds. `foreign`: something there is not ours; it stops this pipeline only. */
export type Reading<T> =
  | { readonly kind: 'absent' }
  | { readonly kind: 'value'; readonly value: T; readonly version: number }
  | { readonly kind: 'foreign'; readonly version: number; readonly error: HoltError };

/** Ends a subscription; calling it again does nothing. */
export type Unwatch = () => void;

// ── who is there ───────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Presence of nodes. `run` registers this node in every session and lists the others; `stop` takes the own presence away at once.
 * A name that another living process holds is waited for, and told by `conflict`.
 */
export interface NodeRegistry extends Service {
  readonly self: NodePresence;
  /** By the last listing; empty until the first. Sorted by name. */
  readonly nodes: readonly NodePresence[];
  /** Set while another process is registered under our name. */
  readonly conflict: HoltError | null;
  isPresent(node: NodeId): boolean;
  /** Called after every change with the nodes present. */
  watch(listener: (nodes: readonly NodePresence[]) => void): Unwatch;
  /** Resolves once this node is registered and the others are listed. */
  ready(signal: AbortSignal): Promise<void>;
}

// ── what is wanted, and which reign rules ──────────────────────────────────────────────────────────────────────────

/** One record in one znode. Reads go to the tree; `set` with a version is compare-and-set, `'any'` overwrites or creates. */
export interface RecordNode<T> {
  readonly path: string;
  read(signal?: AbortSignal): Promise<Reading<T>>;
  /** As `read`; null when absent. @throws HoltError HOLT_ZNODE_FOREIGN naming the path. */
  get(signal?: AbortSignal): Promise<{ readonly value: T; readonly version: number } | null>;
  /** `'new'`: only where none is. @returns the version now. @throws TreeError node-exists, bad-version, no-node. */
  set(value: T, version: number | 'any' | 'new', signal?: AbortSignal): Promise<number>;
  /** Takes it away if it is there in this version. @returns whether it was. */
  remove(version: number | 'any', signal?: AbortSignal): Promise<boolean>;
  watch(listener: (reading: Reading<T>) => void | Promise<void>): Unwatch;
}

/** A configuration that ruled, with its name in the history. */
export interface KeptConfig {
  readonly id: string;
  readonly config: StoredConfig;
}

/** The newest configurations of a pipeline; decides nothing. */
export interface ConfigHistory {
  /** Does nothing where it is kept already. */
  keep(config: StoredConfig, signal?: AbortSignal): Promise<void>;
  /** Newest first. */
  list(signal?: AbortSignal): Promise<readonly KeptConfig[]>;
  get(id: string, signal?: AbortSignal): Promise<KeptConfig | null>;
}

export interface PipelineStore {
  readonly pipeline: PipelineId;
  readonly config: RecordNode<StoredConfig>;
  readonly configHistory: ConfigHistory;
  readonly desired: RecordNode<DesiredRecord>;
  /** Written only by a raise; its version is what hand-overs check. */
  readonly epoch: RecordNode<EpochRecord>;
  /** Written only together with the removal of a Load task. */
  readonly receipt: RecordNode<LoadReceipt>;
  /** How far the open target transaction of a large source transaction is; frees memory, decides nothing. */
  readonly progress: RecordNode<PartProgress>;
  /** A worker's request to the mainstem. The newest overwrites; the mainstem takes it away. */
  readonly termination: RecordNode<TerminationRequest>;
  /** Takes every znode of the pipeline away, tasks too; for `pipeline delete`, after it was stopped. */
  destroy(signal?: AbortSignal): Promise<void>;
}

// ── the mainstem ───────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Ownership of a source: the one node that reads its binlog, and holds the mainstems of all pipelines that read it.
 *
 * `run` contends for `/otter/canal/destinations/{source}/running`. When it has it, it calls `lead`, which works until its
 * signal aborts (lost, switched off by `"active":false`, or stopped); afterwards the znode is released cleanly if it is still ours,
 * and it stands by. A standby waits `graceMs` (5 s) after the owner vanished, unless the owner left cleanly; the
 * previous owner may come back at once.
 */
export interface SourceOwnership extends Service {
  readonly source: DataSourceId;
  readonly state: 'standby' | 'waiting-grace' | 'owner';
  /** Node that holds `running` by the last reading; null when none. */
  readonly owner: NodeId | null;
}

export type Lead = (owned: OwnedSource, signal: AbortSignal) => Promise<void>;

export interface OwnedSource {
  readonly source: DataSourceId;
  /** Aborts when `running` is, or may soon be, somebody else's. */
  readonly lost: AbortSignal;
  isHeld(): boolean;
  /** Waits for the pipeline's mainstem lock and takes it. One at a time for a pipeline. */
  takeMainstem(options: TakeMainstemOptions): Promise<Mainstem>;
}

export interface TakeMainstemOptions {
  readonly pipeline: PipelineId;
  readonly target: TargetHalf;
  readonly signal: AbortSignal;
}

/** What of a raise happens in the target; the node composes it from the stages' fence. */
export interface TargetHalf {
  /** Epoch in the target's row now, null when there is no row. Called right after the lock was made. */
  readEpoch(signal: AbortSignal): Promise<number | null>;
  /** Steps 2 and 3 of the raise, and killing again in step 4. */
  raise(request: TargetRaiseRequest, signal: AbortSignal): Promise<TargetRaiseResult>;
}

export interface TargetRaiseRequest {
  /** True for the first raise after taking the lock. */
  readonly takeOver: boolean;
  /** Take-over: the row's epoch as read right after the lock was made (null: no row). Otherwise: the epoch of the reign that ends. */
  readonly seenEpoch: number | null;
  /** Tenure of the reign that ends here; null at take-over. */
  readonly ownTenure: Tenure | null;
  /** Epoch in `/seda/pipeline/{p}/epoch`; 0 when there is none. The new epoch is above it. */
  readonly treeEpoch: number;
  /** `/epoch` exists: the pipeline has run before, a missing row is a loss. */
  readonly hasRun: boolean;
}

export type TargetRaiseResult =
  | {
      readonly kind: 'raised';
      readonly epoch: number;
      readonly tenure: Tenure;
      /** The row's seq: batches count on from here. */
      readonly seq: bigint;
      readonly position: Position;
    }
  /** Somebody else raised since. */
  | { readonly kind: 'let-go'; readonly why: string }
  /** Not without a person: no row, undecidable DDL… */
  | { readonly kind: 'stop'; readonly error: HoltError };

export type RaiseResult =
  | { readonly kind: 'reign'; readonly reign: Reign }
  | { readonly kind: 'let-go'; readonly why: string }
  | { readonly kind: 'stop'; readonly error: HoltError };

/** The claim on Select of one pipeline. */
export interface Mainstem extends AsyncDisposable {
  readonly pipeline: PipelineId;
  /** Aborts when the lock is, or may soon be, somebody else's; the reason is a HoltError HOLT_CLAIM_LOST. */
  readonly lost: AbortSignal;
  isHeld(): boolean;
  /** The present reign; null before the first raise, during a raise and after `lost`. */
  readonly reign: Reign | null;
  /**
   * Begins a reign (on taking over, and on every rewind): ends the present one, lets the target half raise, then in one
   * multi checks the own lock and sets `/epoch`, then deletes older tasks with their claims. Errors of the target half pass through
   * (the caller decides by disposition and may call again). After `let-go` release the mainstem.
   */
  raise(signal: AbortSignal): Promise<RaiseResult>;
  /** Clean: others may take it at once. Also `[Symbol.asyncDispose]`. */
  release(): Promise<void>;
}

/** One reign of a mainstem, from raise to raise. */
export interface Reign {
  readonly pipeline: PipelineId;
  readonly epoch: number;
  readonly tenure: Tenure;
  /** Row's seq at the raise; the first batch has the next. */
  readonly seq: bigint;
  /** Where Select starts. */
  readonly position: Position;
  /** Version of the `/epoch` znode under this reign. */
  readonly epochVersion: number;
  /** Aborts when the reign ends: mainstem lost, raised again (by us or others), released. */
  readonly over: AbortSignal;
}

/**
 * Batches in flight under one reign. Freed by receipts, in order; parts of a large transaction free their bytes when Load has
 * executed them, and their place at the receipt.
 */
export interface BatchWindow {
  readonly inFlight: number;
  readonly inFlightBytes: number;
  readonly isEmpty: boolean;
  /** Highest seq with a receipt; the row's seq at the raise before the first. */
  readonly receivedSeq: bigint;
  /** Resolves when a batch of this size may be published; one larger than the bound passes alone. */
  room(bytes: number, signal: AbortSignal): Promise<void>;
  hasRoom(bytes: number): boolean;
  add(header: BatchHeader): void;
  /** @returns headers now done, in order. Receipts of other tenures are ignored. */
  receive(receipt: LoadReceipt): readonly BatchHeader[];
  progress(progress: PartProgress): void;
  /** An empty advance took a seq of its own; only with an empty window. */
  advance(seq: bigint): void;
  /** Resolves when nothing is in flight. */
  empty(signal: AbortSignal): Promise<void>;
}

// ── tasks and claims ───────────────────────────────────────────────────────────────────────────────────────────────

/** The tasks of one pipeline, as far as this node works on them. `run` watches; `stop` releases every claim. */
export interface PipelineTasks extends Service {
  readonly pipeline: PipelineId;
  /** `/epoch` by the last reading; null while there is none or it is not ours to read. */
  readonly ruling: { readonly record: EpochRecord; readonly version: number } | null;
  /** Foreign data in this pipeline's znodes, the oldest still there; null when all is well. */
  readonly foreign: HoltError | null;
  /** @throws AssertionError for a stage this node does not serve. */
  board(stage: TaskStage): TaskBoard;
  serves(stage: TaskStage): boolean;
  /**
   * Mainstem: puts a new batch on Extract's board, claimed by this node if asked and Extract is served here.
   * @throws HoltError HOLT_EPOCH_SUPERSEDED when the reign does not rule any more.
   */
  publish(reign: Reign, header: BatchHeader, options: { readonly claim: boolean }): Promise<Claim | null>;
  /** Asks the mainstem for a rewind or a pause. Overwrites an earlier request. */
  terminate(request: Omit<TerminationRequest, 'version' | 'node' | 'requestedMs'>): Promise<void>;
}

export interface NextOptions {
  readonly signal: AbortSignal;
  /**
   * Whether there is memory for it. Asked before each attempt; while it says no for the lowest, nothing is claimed.
   * `lowest` is true for the lowest sequence of this stage: there must always be room for that (see `ClaimBudget`).
   */
  readonly admits?: (header: BatchHeader, lowest: boolean) => boolean;
  /**
   * Takes a task that is announced to this node without a lock: nothing is written before the hand-over, whose multi claims and hands over
   * at once, and is refused where anybody holds the lock. For work without effect on others (SPEC.md section 7). Default false.
   */
  readonly unlocked?: boolean;
}

/** The tasks of one stage of one pipeline. */
export interface TaskBoard {
  readonly pipeline: PipelineId;
  readonly stage: TaskStage;
  /** Tasks standing, in order, by the last listing. */
  readonly tasks: readonly TaskView[];
  /** When this node first saw a task, on its monotonic clock; null for one that it does not see. */
  seenMs(key: { readonly epoch: number; readonly seq: bigint; readonly part: number }): number | null;
  /** Claims held by this node, in order. */
  readonly claims: readonly Claim[];
  /**
   * Claims the lowest task that is free and may be claimed here. Whoever waits in `next` offers capacity: nothing is
   * claimed without. Load: in order only, and ahead only while this node holds the batch before.
   */
  next(options: NextOptions): Promise<Claim>;
  /** Looks again at what `admits` refused. */
  poke(): void;
  /** A task stands that no listing may have shown yet: the header as it is in the tree, by whoever put it there. */
  announce(header: BatchHeader): void;
  watch(listener: () => void): Unwatch;
}

export interface TaskView {
  readonly epoch: number;
  readonly seq: bigint;
  readonly part: number;
  /** `unknown` until somebody had reason to look. */
  readonly lock: 'unknown' | 'free' | 'ours' | 'taken';
}

/** A task that is ours until it is handed over, released or lost. */
export interface Claim {
  readonly pipeline: PipelineId;
  readonly stage: TaskStage;
  readonly header: BatchHeader;
  readonly seq: bigint;
  /** Session lost, lock gone, or the epoch was raised. The reason is a HoltError HOLT_CLAIM_LOST or HOLT_EPOCH_SUPERSEDED. */
  readonly lost: AbortSignal;
  isHeld(): boolean;
  /**
   * Stage done: one multi that checks `/epoch`'s version, deletes claim and task, and creates the next stage's task, with its
   * claim if asked, served here and allowed. Not for Load.
   * @throws HoltError HOLT_EPOCH_SUPERSEDED, HOLT_CLAIM_LOST; TreeError when the outcome cannot be found out (the claim is then lost).
   */
  handOver(next: BatchHeader, options: { readonly claimNext: boolean }): Promise<Claim | null>;
  /** Load done, after COMMIT: deletes claim and task, and those of all parts of the same seq, and sets the receipt. */
  finish(receipt: LoadReceipt): Promise<void>;
  /** Part of a large transaction executed in the open target transaction: frees its bytes in the mainstem's window. */
  partDone(): Promise<void>;
  /** Gives the task back: others may claim it at once. Never throws. */
  release(): Promise<void>;
}
