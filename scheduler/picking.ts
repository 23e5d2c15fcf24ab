/**
 * Which task a node claims next: a pure function of what the board knows.
 *
 * - Lowest sequence first, and only tasks of the reign that rules.
 * - The node of the hint claims at once, others after `othersDelayMs`, or at once if the hinted node is not there.
 * - Load in order: a batch may be claimed by the holder of the batch before it, by the node that finished that one, or
 *   when it is the next after the row's seq. Else the flow tells: no lower batch stands at any stage (`isFlowClear`).
 */
import type { BatchHeader } from '../model/batch.ts';
import type { NodeId, Tenure } from '../model/ids.ts';
import type { TaskStage } from '../model/stage.ts';
import type { TaskKey } from './paths.ts';

export interface PickTask {
  readonly name: string;
  readonly key: TaskKey;
  /** Null until read; `foreign` when it cannot be read. */
  readonly header: BatchHeader | 'foreign' | null;
  readonly lock: 'unknown' | 'free' | 'ours' | 'taken';
  /** When this node first saw it without a lock of somebody, monotonic. */
  readonly freeSinceMs: number;
  /** Load: no lower batch stood at any stage when last looked; null when that was not looked at. */
  readonly isFlowClear: boolean | null;
  /** A claim on it is being made by a hand-over of this node. */
  readonly isExpected: boolean;
}

export interface PickView {
  readonly stage: TaskStage;
  /** In order. */
  readonly tasks: readonly PickTask[];
  readonly ruling: { readonly epoch: number; readonly tenure: Tenure; readonly seq: bigint };
  /** Load: highest seq of the ruling tenure that this node finished; null when none. */
  readonly finishedSeq: bigint | null;
  readonly node: NodeId;
  readonly nowMs: number;
  readonly othersDelayMs: number;
  readonly isPresent: (node: NodeId) => boolean;
  readonly admits: (header: BatchHeader, lowest: boolean) => boolean;
}

export type Picked =
  | { readonly kind: 'claim'; readonly name: string; readonly header: BatchHeader; readonly isFirst: boolean }
  | { readonly kind: 'read-header'; readonly name: string }
  /** Look whether lower batches stand at any stage. */
  | { readonly kind: 'look-at-flow'; readonly name: string }
  /** Nothing now; look again at this time, or when something changes. */
  | { readonly kind: 'wait'; readonly untilMs: number | null };

/** The node that goes first: where the payload is for Extract, where placement predicted for the target side. */
export function firstChoice(stage: TaskStage, header: BatchHeader): NodeId | null {
  return stage === 'extract' ? header.payload.node : header.hint;
}

type Order = 'next' | 'unknown' | 'not-yet';

export function pickTask(view: PickView): Picked {
  // Of an epoch that we have not heard of yet, or that nobody ever had: a stranger's task is known by its header.
  const early = view.tasks.find((task) => task.key.epoch > view.ruling.epoch && task.header === null);
  if (early !== undefined) return { kind: 'read-header', name: early.name };
  const standing = view.tasks.filter((task) => task.key.epoch === view.ruling.epoch);
  let untilMs: number | null = null;
  let previous: PickTask | null = null;
  for (const task of standing) {
    const before = previous;
    previous = task;
    if (task.lock === 'ours' || task.lock === 'taken' || task.isExpected) continue;
    if (task.header === null) return { kind: 'read-header', name: task.name };
    if (task.header === 'foreign' || task.header.tenure !== view.ruling.tenure) continue;
    const { header } = task;
    const order = view.stage === 'load' ? loadOrder(view, task, before) : 'next';
    if (order === 'not-yet') break;
    if (order === 'unknown') {
      if (task.isFlowClear === null) return { kind: 'look-at-flow', name: task.name };
      if (!task.isFlowClear) break;
    }
    const isFirst = goesFirst(view, task, header, before);
    const dueMs = isFirst ? task.freeSinceMs : task.freeSinceMs + view.othersDelayMs;
    if (dueMs > view.nowMs) {
      untilMs = untilMs === null ? dueMs : Math.min(untilMs, dueMs);
      if (view.stage === 'load') break;
      continue;
    }
    if (!view.admits(header, task === standing[0])) break;
    return { kind: 'claim', name: task.name, header, isFirst };
  }
  return { kind: 'wait', untilMs };
}

/** Whether a Load task's turn has come for this node, given the task before it on the board. */
export function loadOrder(
  view: Pick<PickView, 'ruling' | 'finishedSeq'>,
  task: Pick<PickTask, 'key'>,
  before: PickTask | null,
): Order {
  const { seq, part } = task.key;
  if (part > 0) {
    // A part goes to the holder of the part before. One that stands alone is what was left of a finished batch.
    if (before === null) return 'unknown';
    const isNext = before.key.seq === seq && before.key.part === part - 1;
    return isNext && before.lock === 'ours' ? 'next' : 'not-yet';
  }
  if (before !== null) return follows(before, seq) && before.lock === 'ours' ? 'next' : 'not-yet';
  const last = view.finishedSeq ?? view.ruling.seq;
  return seq <= last + 1n ? 'next' : 'unknown';
}

function follows(before: PickTask, seq: bigint): boolean {
  if (before.key.seq !== seq - 1n) return false;
  return before.header !== null && before.header !== 'foreign' && before.header.lastPart;
}

/** Load prefers the node that has the run already. */
function goesFirst(view: PickView, task: PickTask, header: BatchHeader, before: PickTask | null): boolean {
  if (view.stage === 'load' && (before?.lock === 'ours' || view.finishedSeq === task.key.seq - 1n))
    return true;
  const first = firstChoice(view.stage, header);
  return first === null || first === view.node || !view.isPresent(first);
}
