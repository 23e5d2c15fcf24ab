/** Breadth first through every world that can come about; the shortest way to the first one that is wrong. */
import { worldSteps } from './faults.ts';
import { loaderSteps, newLoader } from './loader-steps.ts';
import { PROTOCOL, type Rules } from './rules.ts';
import { newSource, type StepTaken, sourceSteps, type Walk } from './source-steps.ts';
import { type Budget, type SourceLog, type World, WorldKeys } from './world.ts';

export interface Scenario {
  readonly log: SourceLog;
  readonly window?: number;
  readonly sources?: number;
  readonly loaders?: number;
  readonly faults?: Partial<Budget>;
  /** The number of raises after which a world is not walked on: repeated raising has no end by itself. */
  readonly maxRaises?: number;
  readonly rules?: Partial<Rules>;
  readonly maxStates?: number;
  /** Labels of the steps taken first, in order: where the walk begins. */
  readonly prelude?: readonly string[];
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  readonly isComplete: boolean;
  /** What is wrong, and the way there. */
  readonly finding: { readonly what: string; readonly trace: readonly string[] } | null;
}

const NO_FAULTS: Budget = {
  kill: 0,
  freeze: 0,
  expire: 0,
  loseReply: 0,
  rewind: 0,
  wipe: 0,
  failover: 0,
  dropRow: 0,
};

export function initialWorld(scenario: Scenario): World {
  return {
    budget: { ...NO_FAULTS, ...scenario.faults },
    tree: { takings: 0, lock: null, epoch: null, tasks: [], rewind: null, receipt: null },
    db: { identity: 's', row: null, table: [], open: null, replica: { row: null, table: [] } },
    sources: Array.from({ length: scenario.sources ?? 2 }, () => newSource),
    loaders: Array.from({ length: scenario.loaders ?? 2 }, () => newLoader),
    raises: 0,
    hasStopped: false,
    violation: null,
  };
}

interface Visited {
  readonly world: World;
  readonly from: number;
  readonly label: string;
}

export function explore(scenario: Scenario): Exploration {
  const { log, window = 2, maxRaises = 3, maxStates = 400_000 } = scenario;
  const walk: Walk = { rules: { ...PROTOCOL, ...scenario.rules }, log, window };
  const keys = new WorldKeys();
  const numbers = new Map<string, number>();
  const visited: Visited[] = [];
  /** Steps that need no fault, backwards: for progress. */
  const before: number[][] = [];
  const goals: number[] = [];
  let steps = 0;

  const number = (world: World, from: number, label: string): number => {
    const key = keys.keyOf(world);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const fresh = visited.length;
    numbers.set(key, fresh);
    visited.push({ world, from, label });
    before.push([]);
    return fresh;
  };
  const report = (what: string | null, at: number): Exploration => ({
    states: visited.length,
    steps,
    isComplete: visited.length < maxStates,
    finding: what === null ? null : { what, trace: traceTo(visited, at) },
  });

  number(begin(scenario, walk), -1, 'the beginning');
  for (let at = 0; at < visited.length && visited.length < maxStates; at++) {
    const { world } = visited[at] as Visited;
    if (world.violation !== null) return report(world.violation, at);
    const isDone = world.db.table.length === log.length && world.tree.tasks.length === 0;
    const isOver = world.hasStopped || isDone;
    if (isOver || world.raises >= maxRaises) goals.push(at);
    if (world.hasStopped || world.raises > maxRaises) continue;
    for (const taken of stepsOf(world, walk)) {
      steps += 1;
      const next = number(taken.world, at, taken.label);
      if (!taken.isFault && next !== at) before[next]?.push(at);
    }
  }
  if (visited.length >= maxStates) return report(null, 0);
  const stuck = firstStuck(visited.length, before, goals);
  return stuck === null ? report(null, 0) : report('stuck: without further faults it never gets on', stuck);
}

function begin(scenario: Scenario, walk: Walk): World {
  return (scenario.prelude ?? []).reduce((world, label) => {
    const steps = [...stepsOf(world, walk)];
    const taken = steps.find((step) => step.label === label);
    if (taken === undefined)
      throw new Error(`no step ${label}; there are ${steps.map((step) => step.label).join('; ')}`);
    return taken.world;
  }, initialWorld(scenario));
}

function* stepsOf(world: World, walk: Walk): Generator<StepTaken> {
  for (let index = 0; index < world.sources.length; index++) yield* sourceSteps(world, index, walk);
  for (let index = 0; index < world.loaders.length; index++) yield* loaderSteps(world, index, walk);
  yield* worldSteps(world, walk);
}

/** The first world from which no way without faults leads to the end; null when there is none. */
function firstStuck(count: number, before: readonly number[][], goals: readonly number[]): number | null {
  const isGood = new Uint8Array(count);
  const open = [...goals];
  for (const goal of goals) isGood[goal] = 1;
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const earlier of before[at] ?? [])
      if (isGood[earlier] === 0) {
        isGood[earlier] = 1;
        open.push(earlier);
      }
  const stuck = isGood.indexOf(0);
  return stuck === -1 ? null : stuck;
}

function traceTo(visited: readonly Visited[], at: number): readonly string[] {
  const labels: string[] = [];
  for (let one = visited[at]; one !== undefined && one.from >= 0; one = visited[one.from])
    labels.unshift(one.label);
  return labels;
}
