/** What a loader does: the shipped picking and load run, the shipped decisions on a guard that did not match. */

import type { BatchHeader } from '../../../../model/batch.ts';
import { type NodeId, nodeId, type Tenure } from '../../../../model/ids.ts';
import {
  heldBy,
  initialLoadRun,
  type LoadItem,
  type LoadRunAction,
  type LoadRunEvent,
  type LoadRunState,
  loadRunTransition,
} from '../../../../scheduler/machine/load-run.ts';
import { pickTask } from '../../../../scheduler/picking.ts';
import {
  decideMismatch,
  decideTake,
  type MismatchDecision,
  type RowState,
} from '../../../../stages/load/target/decide-mismatch.ts';
import { type StepTaken, stepped, type Walk } from './source-steps.ts';
import { applyUnguarded, killOpen, LOADER_BASE, withLoader } from './target-steps.ts';
import type { LoaderNode, Row, Task, World } from './world.ts';

export const newLoader: LoaderNode = {
  isAlive: true,
  isFrozen: false,
  isExpired: false,
  run: initialLoadRun,
  batches: [],
  todo: [],
  phase: 'start',
  loader: null,
};

export function loaderSteps(world: World, index: number, walk: Walk): readonly StepTaken[] {
  const node = at(world, index);
  if (!node.isAlive || node.isFrozen) return [];
  const name = `loader ${index}`;
  const steps: StepTaken[] = [];
  if (node.isExpired)
    steps.push(
      stepped(
        `${name} learns that its session is over`,
        loseClaims(withLoader(world, index, { isExpired: false }), index, heldBy(node.run)),
      ),
    );
  const over = heldBy(node.run).filter((item) => item.epoch < (world.tree.epoch?.epoch ?? 0));
  if (over.length > 0 && !node.isExpired)
    steps.push(stepped(`${name} is told of the raise`, loseClaims(world, index, over)));
  const task = node.isExpired ? null : pick(world, index, walk);
  if (task !== null) {
    const tree = {
      ...world.tree,
      tasks: world.tree.tasks.map((other) => (other === task ? { ...task, claim: index } : other)),
    };
    const batches = [
      ...node.batches.filter((other) => !isItem(other, itemOf(task))),
      { ...task, claim: null },
    ];
    const claimed = withLoader({ ...world, tree }, index, { batches });
    steps.push(
      stepped(
        `${name} claims ${nameOf(task)}`,
        drive(claimed, index, { type: 'claimed', item: itemOf(task) }),
      ),
    );
  }
  const [action] = node.todo;
  if (action !== undefined) {
    const next = perform(world, index, action, walk);
    if (next !== null) steps.push(stepped(`${name}: ${action.type}, ${node.phase}`, next));
  }
  return steps.map((taken) => ({ ...taken, world: tidied(taken.world, index, walk) }));
}

/**
 * What is left to do in the tree is done in the same step. Being killed or frozen before it is the same as being killed or
 * frozen before the answer that led to it.
 */
function tidied(world: World, index: number, walk: Walk): World {
  let next = world;
  for (;;) {
    const [action] = at(next, index).todo;
    if (action === undefined || action.type === 'take' || action.type === 'load') return next;
    next = perform(next, index, action, walk) ?? next;
  }
}

const nameOf = ({ epoch, seq, part }: Task | LoadItem): string => `${epoch}-${seq}.${part}`;

const itemOf = ({ epoch, tenure, seq, part, lastPart }: Task): LoadItem => ({
  epoch,
  tenure,
  seq: BigInt(seq),
  part,
  lastPart,
});

const isItem = (task: Task, item: LoadItem): boolean =>
  task.epoch === item.epoch &&
  task.tenure === item.tenure &&
  task.part === item.part &&
  BigInt(task.seq) === item.seq;

/** The task that the shipped picking would claim, for a node that holds fewer than two and works on at most one. */
function pick(world: World, index: number, { rules }: Walk): Task | null {
  const { epoch } = world.tree;
  const mine = world.tree.tasks.filter((task) => task.claim === index && task.tenure === epoch?.tenure);
  if (epoch === null || mine.length >= 2 || world.tree.tasks.every((task) => task.claim !== null))
    return null;
  const ordered = [...world.tree.tasks].sort((a, b) => a.epoch - b.epoch || a.seq - b.seq || a.part - b.part);
  if (!rules.loadInOrder)
    return ordered.find((task) => task.claim === null && task.epoch === epoch.epoch) ?? null;
  const picked = pickTask({
    stage: 'load',
    tasks: ordered.map((task) => ({
      name: nameOf(task),
      key: { epoch: task.epoch, seq: BigInt(task.seq), part: task.part },
      header: { tenure: task.tenure, lastPart: task.lastPart, hint: null } as BatchHeader,
      lock: task.claim === null ? 'free' : task.claim === index ? 'ours' : 'taken',
      freeSinceMs: 0,
      // What the flow shows: tasks come to Load in order here, so none below stands elsewhere.
      isFlowClear: true,
      isExpected: false,
    })),
    ruling: { epoch: epoch.epoch, tenure: epoch.tenure as Tenure, seq: 0n },
    finishedSeq: null,
    node: NODES[index] ?? nodeId('none'),
    nowMs: 0,
    othersDelayMs: 0,
    isPresent: () => true,
    admits: () => true,
  });
  if (picked.kind !== 'claim') return null;
  return ordered.find((task) => nameOf(task) === picked.name && task.tenure === epoch.tenure) ?? null;
}

const NODES: readonly NodeId[] = [nodeId('west-0'), nodeId('west-1')];

/** One event through the shipped machine; `close` puts an end to whatever the run was doing. */
function drive(world: World, index: number, event: LoadRunEvent): World {
  const node = at(world, index);
  const { state, actions } = loadRunTransition(node.run, event);
  const isClosing = actions.some(({ type }) => type === 'close');
  const kept = isClosing ? node.todo.filter(({ type }) => type !== 'take' && type !== 'load') : node.todo;
  const todo = [...kept, ...actions.filter(({ type }) => type !== 'close')];
  const next = withLoader(world, index, {
    run: state,
    todo,
    batches: batchesOf(node, state, todo),
    ...(isClosing ? { phase: 'start' as const, loader: null } : {}),
  });
  return isClosing ? closeConnection(next, index) : next;
}

/** A process forgets the batches that it neither holds nor works on. */
function batchesOf(
  { batches }: LoaderNode,
  run: LoadRunState,
  todo: readonly LoadRunAction[],
): readonly Task[] {
  const items = [...heldBy(run), ...todo.flatMap((action) => ('item' in action ? [action.item] : []))];
  return batches.filter((batch) => items.some((item) => isItem(batch, item)));
}

/** What is open rolls back, unless its COMMIT is on its way: that may still come through. */
function closeConnection(world: World, index: number): World {
  const { open } = world.db;
  if (open === null || open.isOrphan || open.by !== index + LOADER_BASE) return world;
  if (!open.isCommitSent) return killOpen(world);
  return { ...world, db: { ...world.db, open: { ...open, isOrphan: true } } };
}

function loseClaims(world: World, index: number, items: readonly LoadItem[]): World {
  return items.reduce((next, { seq, part }) => drive(next, index, { type: 'claim-lost', seq, part }), world);
}

/** The action at the head is done; `event` tells the machine. */
function finishAction(world: World, index: number, event: LoadRunEvent | null): World {
  const node = at(world, index);
  const next = withLoader(world, index, { todo: node.todo.slice(1), phase: 'start' });
  return event === null ? next : drive(next, index, event);
}

function perform(world: World, index: number, action: LoadRunAction, walk: Walk): World | null {
  const node = at(world, index);
  switch (action.type) {
    case 'take':
      return take(world, index, action.reign, walk);
    case 'load':
      return load(world, index, action.item, walk);
    case 'finish':
      return finishAction(node.isExpired ? world : withReceipt(world, index, action.item), index, null);
    case 'part-progress': {
      const { item } = action;
      const tasks = world.tree.tasks.filter((task) => !isItem(task, item));
      const next = walk.rules.partsStayUntilCommit ? world : { ...world, tree: { ...world.tree, tasks } };
      return finishAction(next, index, null);
    }
    case 'let-go': {
      const tasks = world.tree.tasks.map((task) =>
        task.claim === index && action.items.some((item) => isItem(task, item))
          ? { ...task, claim: null }
          : task,
      );
      return finishAction(node.isExpired ? world : { ...world, tree: { ...world.tree, tasks } }, index, null);
    }
    case 'request-rewind': {
      const isRuling = world.tree.epoch?.epoch === action.item.epoch;
      const tree = isRuling ? { ...world.tree, rewind: action.item.epoch } : world.tree;
      return finishAction({ ...world, tree }, index, null);
    }
    case 'request-pause':
      return finishAction({ ...world, hasStopped: true }, index, null);
    case 'close':
      return finishAction(world, index, null);
    default:
      return action satisfies never;
  }
}

/** One multi: the epoch is checked, claims and tasks of the batch go, the receipt is set. */
function withReceipt(world: World, index: number, item: LoadItem): World {
  const { tree } = world;
  if (tree.epoch?.epoch !== item.epoch || tree.epoch.tenure !== item.tenure) return world;
  if (!tree.tasks.some((task) => isItem(task, item) && task.claim === index)) return world;
  const tasks = tree.tasks.filter(
    (task) => task.claim !== index || task.epoch !== item.epoch || BigInt(task.seq) !== item.seq,
  );
  return { ...world, tree: { ...tree, tasks, receipt: { tenure: item.tenure, seq: Number(item.seq) } } };
}

function take(
  world: World,
  index: number,
  reign: { readonly epoch: number; readonly tenure: string },
  { rules }: Walk,
): World | null {
  const { open } = world.db;
  // The lock is another's: only a former loader is killed, a raise is waited for.
  if (open !== null && (open.kind === 'raise' || !rules.takeKills)) return null;
  const free = killOpen(world);
  const { row, identity } = free.db;
  const decision = decideTake(rowState(row), { ...reign, targetIdentity: identity });
  if (decision !== null) return finishAction(free, index, eventOf(decision, rules));
  if (row === null) return null;
  // One id for each loader will do: a run that ended holds none any more, and what it left at the server has passed its guard.
  const loader = `l${index}`;
  const taken: World = { ...free, db: { ...free.db, row: { ...row, loader } } };
  return finishAction(withLoader(taken, index, { loader }), index, { type: 'took' });
}

function load(world: World, index: number, item: LoadItem, walk: Walk): World | null {
  const node = at(world, index);
  const { open } = world.db;
  const isOpenHere = open !== null && open.by === index + LOADER_BASE && !open.isOrphan;
  switch (node.phase) {
    case 'start':
      return begin(world, index, item, walk, isOpenHere);
    case 'opened':
      if (!isOpenHere) return cutOff(world, index, item);
      return withLoader({ ...world, db: { ...world.db, open: { ...open, isCommitSent: true } } }, index, {
        phase: 'sent',
      });
    case 'sent':
      return isOpenHere ? null : withLoader(world, index, { phase: 'unanswered' });
    case 'answered':
      return finishAction(world, index, { type: 'applied' });
    case 'unanswered': {
      if (isOpenHere && !walk.rules.settleLostCommit) return decideAfterLoss(world, index, item, walk);
      const settled = isOpenHere ? killOpen(world) : world;
      return settled.db.open === null ? decideAfterLoss(settled, index, item, walk) : null;
    }
    default:
      return node.phase satisfies never;
  }
}

/** The connection went before COMMIT: a whole batch begins again, a part cannot. */
function cutOff(world: World, index: number, item: LoadItem): World {
  if (item.part === 0) return withLoader(world, index, { phase: 'start' });
  return finishAction(world, index, { type: 'rewind', why: 'the transaction in parts was cut off' });
}

function decideAfterLoss(world: World, index: number, item: LoadItem, walk: Walk): World {
  const { row } = world.db;
  if (row !== null && isMatch(world, index, item, row, walk)) {
    const orphaned = closeConnection(world, index);
    return cutOff(orphaned, index, item);
  }
  return finishAction(world, index, eventOf(mismatch(world, index, item), walk.rules));
}

function begin(world: World, index: number, item: LoadItem, walk: Walk, isOpenHere: boolean): World | null {
  const { open, row } = world.db;
  const { rules } = walk;
  const units = unitsOf(world, index, item);
  if (item.part > 0 && isOpenHere && BigInt(open?.seq ?? -1) === item.seq && open?.nextPart === item.part) {
    const grown = {
      ...open,
      units: [...open.units, ...units],
      at: endOf(units, open.at),
      nextPart: item.part + 1,
    };
    return opened({ ...world, db: { ...world.db, open: grown } }, index, item);
  }
  const matches = row !== null && isMatch(world, index, item, row, walk);
  if (open !== null) {
    // The lock wait ends; the committed row tells whether somebody else has taken the run meanwhile.
    if (matches || !rules.lockWaitLooks) return null;
    return finishAction(world, index, eventOf(mismatch(world, index, item), rules));
  }
  if (item.part > 0 && rules.partsInOneTransaction) {
    const decision: MismatchDecision = matches
      ? { kind: 'rewind', why: 'the parts before it are missing' }
      : mismatch(world, index, item);
    return finishAction(world, index, eventOf(decision, rules));
  }
  if (!matches) {
    const next = rules.commitAfterGuard ? world : applyUnguarded(world, walk.log, units);
    return finishAction(next, index, eventOf(mismatch(world, index, item), rules));
  }
  const transaction = {
    by: index + LOADER_BASE,
    kind: 'load' as const,
    tenure: item.tenure,
    seq: Number(item.seq),
    units,
    at: endOf(units, row.at),
    nextPart: item.part + 1,
    isCommitSent: false,
    isOrphan: false,
  };
  return opened({ ...world, db: { ...world.db, open: transaction } }, index, item);
}

function opened(world: World, index: number, item: LoadItem): World {
  if (item.lastPart) return withLoader(world, index, { phase: 'opened' });
  return finishAction(world, index, { type: 'part-done' });
}

const endOf = (units: readonly number[], otherwise: number): number => {
  const last = units.at(-1);
  return last === undefined ? otherwise : last + 1;
};

function unitsOf(world: World, index: number, item: LoadItem): readonly number[] {
  const batch = at(world, index).batches.find((known) => isItem(known, item));
  if (batch === undefined) throw new Error(`loader ${index} does not have ${nameOf(item)}`);
  return Array.from({ length: batch.to - batch.from }, (_, offset) => batch.from + offset);
}

/** The guard. */
function isMatch(world: World, index: number, item: LoadItem, row: Row, walk: Walk): boolean {
  const { rules } = walk;
  const [start] = unitsOf(world, index, item);
  return (
    (!rules.guardTenure || row.tenure === item.tenure) &&
    (!rules.guardSeq || BigInt(row.seq) === item.seq - 1n) &&
    (!rules.guardPosition || item.part > 0 || row.at === start) &&
    (!rules.guardLoader || row.loader === at(world, index).loader) &&
    row.identity === world.db.identity
  );
}

function mismatch(world: World, index: number, item: LoadItem): MismatchDecision {
  const { row, identity } = world.db;
  return decideMismatch(rowState(row), {
    epoch: item.epoch,
    tenure: item.tenure,
    loader: at(world, index).loader ?? '',
    seq: item.seq,
    targetIdentity: identity,
    beforeInFlight: false,
  });
}

function rowState(row: Row | null): RowState | null {
  if (row === null) return null;
  const { epoch, tenure, loader, seq, identity } = row;
  return { epoch, tenure, loader, seq: BigInt(seq), targetIdentity: identity };
}

function eventOf(decision: MismatchDecision, rules: { readonly lowerEpochRewinds: boolean }): LoadRunEvent {
  switch (decision.kind) {
    case 'repeat':
      return { type: 'applied' };
    case 'lost-run':
      return { type: 'lost-run' };
    case 'superseded':
      return { type: 'superseded' };
    case 'rewind':
      return rules.lowerEpochRewinds ? { type: 'rewind', why: decision.why } : { type: 'superseded' };
    case 'stop':
      return { type: 'stop', code: 'HOLT_CHECKPOINT_MISSING', why: 'no row' };
    case 'wait':
      throw new Error('nothing is in flight before a batch that is loaded here');
    default:
      return decision satisfies never;
  }
}

function at(world: World, index: number): LoaderNode {
  const node = world.loaders[index];
  if (node === undefined) throw new RangeError(`no loader ${index}`);
  return node;
}
