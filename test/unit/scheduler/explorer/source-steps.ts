/** What a source node does: the shipped life of a mainstem, with the shipped decision of a raise, and a Select that cuts as it likes. */

import type { Tenure } from '../../../../model/ids.ts';
import {
  initialMainstem,
  type MainstemAction,
  type MainstemEvent,
  mainstemTransition,
} from '../../../../scheduler/machine/mainstem-life.ts';
import { decideMismatch } from '../../../../stages/load/target/decide-mismatch.ts';
import { decideRaise } from '../../../../stages/load/target/decide-raise.ts';
import type { Rules } from './rules.ts';
import { damageOf, killOpen } from './target-steps.ts';
import type { Row, Select, SourceLog, SourceNode, Task, World } from './world.ts';

export interface Walk {
  readonly rules: Rules;
  readonly log: SourceLog;
  /** Batches in flight. */
  readonly window: number;
}

export interface StepTaken {
  readonly label: string;
  readonly world: World;
  /** Faults may happen but need not: progress must not rest on them. */
  readonly isFault: boolean;
}

export const stepped = (label: string, world: World, isFault = false): StepTaken => ({
  label,
  world,
  isFault,
});

export const newSource: SourceNode = {
  isAlive: true,
  isFrozen: false,
  isExpired: false,
  life: initialMainstem,
  todo: null,
  isInRaise: false,
  select: null,
  raised: null,
  hasStopped: false,
};

export function withSource(world: World, index: number, change: Partial<SourceNode>): World {
  return {
    ...world,
    sources: world.sources.map((node, at) => (at === index ? { ...node, ...change } : node)),
  };
}

export function sourceSteps(world: World, index: number, walk: Walk): readonly StepTaken[] {
  const node = at(world, index);
  if (!node.isAlive || node.isFrozen || node.hasStopped) return [];
  const name = `source ${index}`;
  const steps: StepTaken[] = [];
  if (node.isExpired) steps.push(stepped(`${name} learns that its session is over`, learnLoss(world, index)));
  const { todo } = node;
  if (todo === null) steps.push(...idleSteps(world, index, walk));
  else {
    const next = perform(world, index, todo, walk);
    if (next !== null) steps.push(stepped(`${name}: ${describe(todo, node)}`, next));
  }
  return steps.map((taken) => ({ ...taken, world: tidied(taken.world, index, walk) }));
}

/** Reading and clearing in the tree are part of the step before: being stopped between them is the same as before or after both. */
function tidied(world: World, index: number, walk: Walk): World {
  let next = world;
  for (;;) {
    const { todo } = at(next, index);
    if (todo === null || !['read-tree', 'clear', 'remove-lock'].includes(todo.type)) return next;
    const done = perform(next, index, todo, walk);
    if (done === null) return next;
    next = done;
  }
}

function describe(todo: MainstemAction, node: SourceNode): string {
  return todo.type === 'raise-target' && node.isInRaise ? 'raise-target, decides' : todo.type;
}

function idleSteps(world: World, index: number, walk: Walk): readonly StepTaken[] {
  const node = at(world, index);
  const name = `source ${index}`;
  switch (node.life.name) {
    case 'follower':
      if (node.isExpired || world.tree.lock !== null) return [];
      return [stepped(`${name} takes the mainstem`, makeLock(drive(world, index, { type: 'want' }), index))];
    case 'holding':
      return [stepped(`${name} raises`, drive(world, index, { type: 'raise' }))];
    case 'reigning':
      return node.select === null ? [] : reignSteps(world, index, node.select, walk);
    default:
      return [];
  }
}

function reignSteps(world: World, index: number, select: Select, walk: Walk): readonly StepTaken[] {
  const name = `source ${index}`;
  const steps: StepTaken[] = [];
  const { rules } = walk;
  const ruling = world.tree.epoch;
  if (ruling === null || ruling.version !== select.version) {
    if (!at(world, index).isExpired)
      steps.push(stepped(`${name} sees another epoch`, drive(world, index, { type: 'superseded' })));
    return steps;
  }
  if (world.tree.rewind === select.epoch)
    steps.push(stepped(`${name} rewinds as asked`, drive(world, index, { type: 'raise' })));
  if (world.budget.rewind > 0)
    steps.push(
      stepped(
        `${name} rewinds by itself`,
        drive({ ...world, budget: { ...world.budget, rewind: world.budget.rewind - 1 } }, index, {
          type: 'raise',
        }),
        true,
      ),
    );
  if (at(world, index).isExpired) return steps;
  if (rules.idleLook) steps.push(...idleLookSteps(world, index, select));
  for (const [label, task, next] of batches(world, index, select, walk)) {
    const tree = { ...world.tree, tasks: [...world.tree.tasks, task] };
    steps.push(
      stepped(`${name} publishes ${label}`, withSource({ ...world, tree }, index, { select: next })),
    );
  }
  return steps;
}

/** With nothing in flight the mainstem looks at the row, and its empty advance meets it: the table of section 4 decides. */
function idleLookSteps(world: World, index: number, select: Select): readonly StepTaken[] {
  if (select.part > 0 || select.seq > receivedSeq(world, index, select) || world.db.open !== null) return [];
  const { row, identity } = world.db;
  const { tenure, seq, at } = select;
  if (row?.tenure === tenure && row.seq === seq && row.at === at && row.identity === identity) return [];
  const state = row && { ...row, seq: BigInt(row.seq), targetIdentity: row.identity };
  const decision = decideMismatch(state, {
    epoch: select.epoch,
    tenure: select.tenure,
    loader: row?.loader ?? '',
    seq: BigInt(select.seq + 1),
    targetIdentity: identity,
    beforeInFlight: false,
  });
  const label = `source ${index}: looks at the row while idle: ${decision.kind}`;
  switch (decision.kind) {
    case 'rewind':
      return [stepped(label, drive(world, index, { type: 'raise' }))];
    case 'superseded':
      return [stepped(label, drive(world, index, { type: 'superseded' }))];
    case 'stop':
      return [stepped(label, withSource({ ...world, hasStopped: true }, index, { hasStopped: true }))];
    case 'repeat':
    case 'wait':
    case 'lost-run':
      return [];
    default:
      return decision satisfies never;
  }
}

function receivedSeq(world: World, index: number, select: Select): number {
  const { receipt } = world.tree;
  return receipt?.tenure === select.tenure ? receipt.seq : (at(world, index).raised?.seq ?? select.seq);
}

/** Every batch that Select may cut next. */
function batches(world: World, index: number, select: Select, walk: Walk): [string, Task, Select][] {
  const { log, window } = walk;
  if (select.at >= log.length) return [];
  const received = receivedSeq(world, index, select);
  if (select.part === 0 && select.seq - received >= window) return [];
  const [part, count] = log.parts[select.at] ?? [0, 1];
  const isSmall = count === 1;
  const ends = [select.at + 1];
  if (isSmall && log.parts[select.at + 1]?.[1] === 1) ends.push(select.at + 2);
  return ends.map((to) => {
    const seq = part === 0 ? select.seq + 1 : select.seq;
    const lastPart = part === count - 1;
    const { epoch, tenure } = select;
    const task: Task = { epoch, tenure, seq, part, lastPart, from: select.at, to, claim: null };
    const next: Select = { ...select, seq, part: lastPart ? 0 : part + 1, at: to };
    return [`batch ${epoch}-${seq}.${part}, units ${select.at} to ${to}`, task, next];
  });
}

/** One action at the outside; null while it has to wait. */
function perform(world: World, index: number, todo: MainstemAction, walk: Walk): World | null {
  const node = at(world, index);
  const { rules } = walk;
  const done = withSource(world, index, { todo: null });
  switch (todo.type) {
    case 'make-lock':
      return makeLock(world, index);
    case 'read-row': {
      // The lease clock is asked after the row was read: an ended session makes the reading worthless.
      if (node.isExpired && rules.seenEpoch) return null;
      const read = drive(done, index, { type: 'row-read', epoch: world.db.row?.epoch ?? null });
      return drive(read, index, { type: 'raise' });
    }
    case 'read-tree': {
      if (node.isExpired) return null;
      const ruling = world.tree.epoch;
      const epoch =
        ruling === null ? { epoch: 0, version: null } : { epoch: ruling.epoch, version: ruling.version };
      return drive(done, index, { type: 'tree-read', epoch });
    }
    case 'raise-target':
      return node.isInRaise ? decide(world, index, todo, walk) : lockRows(world, index, rules);
    case 'proclaim': {
      const { lock, epoch } = world.tree;
      if (node.isExpired && rules.proclaimChecksLock) return null;
      const isOurs = lock?.node === index && lock.taking === todo.taking;
      const isAsRead = (epoch?.version ?? null) === todo.treeEpoch.version;
      if ((rules.proclaimChecksLock && !isOurs) || !isAsRead)
        return drive(done, index, { type: 'proclaim-refused', why: 'check failed' });
      const version = (epoch?.version ?? -1) + 1;
      const { raised } = todo;
      const tree = { ...world.tree, epoch: { epoch: raised.epoch, tenure: raised.tenure, version } };
      return drive({ ...done, tree }, index, { type: 'proclaimed', version });
    }
    case 'clear': {
      if (node.isExpired && rules.proclaimChecksLock) return null;
      if (world.tree.epoch?.version !== todo.version) return drive(done, index, { type: 'superseded' });
      const tree = { ...world.tree, rewind: null, ...(rules.clearTasks ? { tasks: [] } : {}) };
      return drive({ ...done, tree }, index, { type: 'cleared' });
    }
    case 'remove-lock': {
      const isOurs = world.tree.lock?.node === index && !node.isExpired;
      const tree = isOurs ? { ...world.tree, lock: null } : world.tree;
      return drive({ ...done, tree }, index, { type: 'released' });
    }
    case 'begin-reign':
    case 'end-reign':
      return done;
    default:
      return todo satisfies never;
  }
}

function makeLock(world: World, index: number): World {
  const done = withSource(world, index, { todo: null });
  if (world.tree.lock !== null) return drive(done, index, { type: 'lock-refused' });
  const taking = world.tree.takings + 1;
  const tree = { ...world.tree, takings: taking, lock: { node: index, taking } };
  return drive({ ...done, tree }, index, { type: 'lock-made', taking });
}

function lockRows(world: World, index: number, rules: Rules): World | null {
  const { open } = world.db;
  if (open !== null && !rules.raiseKills) return null;
  const free = killOpen(world);
  const raising = {
    by: index,
    kind: 'raise' as const,
    tenure: '',
    seq: 0,
    units: [],
    at: 0,
    nextPart: 0,
    isCommitSent: false,
    isOrphan: false,
  };
  return withSource({ ...free, db: { ...free.db, open: raising } }, index, { isInRaise: true });
}

function decide(
  world: World,
  index: number,
  todo: Extract<MainstemAction, { readonly type: 'raise-target' }>,
  { rules, log }: Walk,
): World {
  const done = withSource(world, index, { todo: null, isInRaise: false });
  const { open, row } = world.db;
  if (open?.by !== index || open.kind !== 'raise') return drive(done, index, { type: 'target-failed' });
  const unlocked = killOpen(done);
  const { basis, treeEpoch } = todo;
  const hasRun = treeEpoch.version !== null;
  const decision = decideRaise({
    cluster: 'c',
    rows: row === null ? [] : [{ lane: 0, epoch: row.epoch, tenure: row.tenure, cluster: 'c' }],
    takeOver: rules.seenEpoch ? basis.takeOver : true,
    seenEpoch:
      row === null && !rules.missingRowStops
        ? null
        : rules.seenEpoch
          ? basis.seenEpoch
          : (row?.epoch ?? basis.seenEpoch),
    ownTenures: basis.ownTenure === null ? [] : [basis.ownTenure],
    treeEpoch: rules.aboveTree ? treeEpoch.epoch : 0,
    hasRun: rules.missingRowStops && hasRun,
    openDdl: false,
    setsPosition: false,
  });
  switch (decision.kind) {
    case 'let-go':
      return drive(unlocked, index, { type: 'target-refused', why: decision.why });
    case 'stop':
      return withSource({ ...drive(unlocked, index, { type: 'target-failed' }), hasStopped: true }, index, {
        hasStopped: true,
      });
    case 'raise': {
      const isSame = !rules.rewindRaises && !basis.takeOver && row !== null;
      const raises = world.raises + 1;
      const tenure = (
        isSame ? row.tenure : rules.randomTenure ? `t${raises}` : `e${decision.epoch}`
      ) as Tenure;
      const raisedRow: Row = {
        epoch: isSame ? row.epoch : decision.epoch,
        tenure,
        loader: isSame ? row.loader : null,
        seq: row?.seq ?? 0,
        at: row?.at ?? 0,
        identity: world.db.identity,
      };
      const raised = { epoch: raisedRow.epoch, tenure, seq: raisedRow.seq, at: raisedRow.at };
      const { table } = unlocked.db;
      const db = { ...unlocked.db, row: raisedRow, replica: { row, table } };
      const next = withSource(
        { ...unlocked, raises, db, violation: damageOf(log, db.table, raisedRow.at) },
        index,
        { raised },
      );
      return drive(next, index, { type: 'target-raised', raised: { epoch: raised.epoch, tenure } });
    }
    default:
      return decision satisfies never;
  }
}

/** One event through the shipped machine; what it asks for at the outside waits as `todo`. */
export function drive(world: World, index: number, event: MainstemEvent): World {
  const node = at(world, index);
  const { state, actions } = mainstemTransition(node.life, event);
  let next = withSource(world, index, { life: state });
  for (const action of actions) {
    if (action.type === 'begin-reign') {
      const raised = at(next, index).raised;
      const { epoch, tenure } = action.raised;
      const select: Select = {
        epoch,
        tenure,
        version: action.version,
        seq: raised?.seq ?? 0,
        part: 0,
        at: raised?.at ?? 0,
      };
      next = withSource(next, index, { select });
    } else if (action.type === 'end-reign') next = withSource(next, index, { select: null });
    else next = withSource(next, index, { todo: action });
  }
  return next;
}

/** The process gives up what rested on the session; a raise under way is cut off. */
function learnLoss(world: World, index: number): World {
  const node = at(world, index);
  const free = node.isInRaise && world.db.open?.by === index ? killOpen(world) : world;
  const reset = withSource(free, index, { isExpired: false, todo: null, isInRaise: false });
  const lost = drive(reset, index, { type: 'lost', why: 'session over' });
  return withSource(lost, index, { raised: null });
}

function at(world: World, index: number): SourceNode {
  const node = world.sources[index];
  if (node === undefined) throw new RangeError(`no source ${index}`);
  return node;
}
