/** What goes wrong, within a budget; and what time brings by itself: sessions of the dead and frozen expire, the dead are started again. */
import { initialMainstem } from '../../../../scheduler/machine/mainstem-life.ts';
import { newLoader } from './loader-steps.ts';
import { newSource, type StepTaken, stepped, type Walk, withSource } from './source-steps.ts';
import { executeCommit, killOpen, LOADER_BASE, withLoader } from './target-steps.ts';
import type { Budget, World } from './world.ts';

export function worldSteps(world: World, walk: Walk): readonly StepTaken[] {
  return [...serverSteps(world, walk), ...nodeFaults(world), ...greatFaults(world)];
}

function spend(world: World, kind: keyof Budget): World {
  return { ...world, budget: { ...world.budget, [kind]: world.budget[kind] - 1 } };
}

/** The target server executes what was sent, and notices clients that are gone. */
function serverSteps(world: World, walk: Walk): readonly StepTaken[] {
  const { open } = world.db;
  if (open === null) return [];
  const steps: StepTaken[] = [];
  if (open.isCommitSent) {
    steps.push(stepped('the target commits', executeCommit(world, walk, false)));
    if (world.budget.loseReply > 0 && !open.isOrphan)
      steps.push(
        stepped(
          'the target commits, the reply is lost',
          executeCommit(spend(world, 'loseReply'), walk, true),
          true,
        ),
      );
  }
  if (walk.rules.shortWaitTimeout && !open.isCommitSent && isFrozen(world, open.by))
    steps.push(stepped('the target ends an idle session', killOpen(world)));
  if (open.isOrphan) steps.push(stepped('the target notices that the client is gone', killOpen(world)));
  return steps;
}

function isFrozen(world: World, by: number): boolean {
  const node = by < LOADER_BASE ? world.sources[by] : world.loaders[by - LOADER_BASE];
  return node?.isFrozen ?? false;
}

function nodeFaults(world: World): readonly StepTaken[] {
  const steps: StepTaken[] = [];
  const { budget } = world;
  world.sources.forEach((node, index) => {
    const name = `source ${index}`;
    const hasLock = world.tree.lock?.node === index;
    if (hasLock && !node.isExpired) {
      const expired = withSource({ ...world, tree: { ...world.tree, lock: null } }, index, {
        isExpired: node.isAlive,
      });
      if (!node.isAlive || node.isFrozen) steps.push(stepped(`the session of ${name} expires`, expired));
      else if (budget.expire > 0)
        steps.push(stepped(`the session of ${name} expires`, spend(expired, 'expire'), true));
    }
    if (node.isFrozen)
      steps.push(stepped(`${name} wakes up`, withSource(world, index, { isFrozen: false }), true));
    if (!node.isAlive && !hasLock)
      steps.push(stepped(`${name} is started`, withSource(world, index, newSource)));
    if (!node.isAlive || node.isFrozen || node.life.name === 'follower') return;
    if (budget.freeze > 0 && world.sources.length > 1)
      steps.push(
        stepped(`${name} freezes`, spend(withSource(world, index, { isFrozen: true }), 'freeze'), true),
      );
    if (budget.kill > 0) {
      const dead = { ...newSource, isAlive: false, life: initialMainstem };
      const rolledBack = node.isInRaise && world.db.open?.by === index ? killOpen(world) : world;
      steps.push(stepped(`${name} is killed`, spend(withSource(rolledBack, index, dead), 'kill'), true));
    }
  });
  world.loaders.forEach((node, index) => {
    const name = `loader ${index}`;
    const hasClaims = world.tree.tasks.some((task) => task.claim === index);
    if (hasClaims && !node.isExpired) {
      const tasks = world.tree.tasks.map((task) => (task.claim === index ? { ...task, claim: null } : task));
      const expired = withLoader({ ...world, tree: { ...world.tree, tasks } }, index, {
        isExpired: node.isAlive,
      });
      if (!node.isAlive || node.isFrozen) steps.push(stepped(`the session of ${name} expires`, expired));
      else if (budget.expire > 0)
        steps.push(stepped(`the session of ${name} expires`, spend(expired, 'expire'), true));
    }
    if (node.isFrozen)
      steps.push(stepped(`${name} wakes up`, withLoader(world, index, { isFrozen: false }), true));
    if (!node.isAlive && !hasClaims)
      steps.push(stepped(`${name} is started`, withLoader(world, index, newLoader)));
    if (!node.isAlive || node.isFrozen || node.run.name === 'idle') return;
    if (budget.freeze > 0 && world.loaders.length > 1)
      steps.push(
        stepped(`${name} freezes`, spend(withLoader(world, index, { isFrozen: true }), 'freeze'), true),
      );
    if (budget.kill > 0) {
      const dead = { ...newLoader, isAlive: false };
      const left = orphan(world, index);
      steps.push(stepped(`${name} is killed`, spend(withLoader(left, index, dead), 'kill'), true));
    }
  });
  return steps;
}

/** What a killed process leaves at the server: its transaction, until the server notices; a COMMIT sent may come through. */
function orphan(world: World, index: number): World {
  const { open } = world.db;
  if (open === null || open.isOrphan || open.by !== index + LOADER_BASE) return world;
  return { ...world, db: { ...world.db, open: { ...open, isOrphan: true } } };
}

function greatFaults(world: World): readonly StepTaken[] {
  const { budget, db } = world;
  const steps: StepTaken[] = [];
  if (budget.wipe > 0 && world.tree.takings > 0)
    steps.push(
      stepped(
        'ZooKeeper loses its data',
        {
          ...spend(world, 'wipe'),
          tree: { takings: 0, lock: null, epoch: null, tasks: [], rewind: null, receipt: null },
          sources: world.sources.map((node) => ({ ...node, isExpired: node.isAlive })),
          loaders: world.loaders.map((node) => ({ ...node, isExpired: node.isAlive })),
        },
        true,
      ),
    );
  if (budget.failover > 0 && db.replica.row !== null)
    steps.push(
      stepped(
        'the target fails over to a replica that lacks the last transaction',
        {
          ...spend(world, 'failover'),
          db: {
            ...db,
            identity: `${db.identity}'`,
            row: db.replica.row,
            table: db.replica.table,
            open: null,
          },
        },
        true,
      ),
    );
  if (budget.dropRow > 0 && db.row !== null && db.table.length > 0 && db.open === null)
    steps.push(stepped('the row is deleted', { ...spend(world, 'dropRow'), db: { ...db, row: null } }, true));
  return steps;
}
