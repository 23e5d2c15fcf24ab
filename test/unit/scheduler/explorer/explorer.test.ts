/**
 * The protocol, walked through exhaustively in small cases: the shipped machines of mainstem and load run, the shipped
 * picking, the shipped decisions of a raise and of a guard that did not match, around a model of tree, target and log.
 * Rules and what each prevents: scheduler/SPEC.md.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { type Exploration, explore, type Scenario } from './explore.ts';
import type { Rules } from './rules.ts';
import { logOf } from './world.ts';

const TIMEOUT = 60_000;
let states = 0;
let cpuMs = 0;

function explored(scenario: Scenario): Exploration {
  const before = process.cpuUsage();
  const result = explore(scenario);
  const { user, system } = process.cpuUsage(before);
  states += result.states;
  cpuMs += (user + system) / 1000;
  return result;
}

const traceOf = ({ finding }: Exploration): string =>
  finding === null ? '' : `${finding.what}\n  ${finding.trace.join('\n  ')}`;

afterAll(() => {
  console.info(`explorer: ${states} states in ${Math.round(cpuMs)} ms of CPU`);
});

/** A pair of source transactions each, so that a rewind can cut them otherwise. */
const two = logOf(1, 1);
/** Source 0 has raised twice; the replica has not heard of the second raise; loader 0 holds a batch of two units. */
const AFTER_A_REWIND = [
  'source 0 takes the mainstem',
  'source 0: read-row',
  'source 0: raise-target',
  'source 0: raise-target, decides',
  'source 0: proclaim',
  'source 0 rewinds by itself',
  'source 0: raise-target',
  'source 0: raise-target, decides',
  'source 0: proclaim',
  'source 0 publishes batch 2-1.0, units 0 to 2',
  'loader 0 claims 2-1.0',
  'loader 0: take, start',
];

const SCENARIOS = {
  'no faults': { log: logOf(1, 2, 1), sources: 2, loaders: 2 },
  'a loader is killed, a reply to COMMIT is lost': {
    log: two,
    sources: 1,
    loaders: 2,
    faults: { kill: 1, loseReply: 1 },
  },
  'a loader freezes, a reply to COMMIT is lost': {
    log: two,
    sources: 1,
    loaders: 2,
    faults: { freeze: 1, loseReply: 1 },
  },
  'a rewind cuts other batches while a loader is slow': {
    log: two,
    sources: 1,
    loaders: 2,
    faults: { rewind: 1 },
  },
  'a rewind, an expired session and a lost reply': {
    log: two,
    sources: 1,
    loaders: 1,
    faults: { rewind: 1, expire: 1, loseReply: 1 },
  },
  'a large transaction in two parts, and a session expires': {
    log: logOf(2, 1),
    sources: 1,
    loaders: 2,
    faults: { expire: 1 },
  },
  'a source node freezes, also inside its raise': { log: two, sources: 2, loaders: 1, faults: { freeze: 1 } },
  'any one process is killed': { log: two, sources: 2, loaders: 2, faults: { kill: 1 } },
  'the target fails over to a lagging replica while a session expires': {
    log: two,
    sources: 1,
    loaders: 2,
    window: 1,
    faults: { expire: 1, failover: 1 },
  },
  'the target fails over to a replica without the last raise': {
    log: two,
    sources: 1,
    loaders: 2,
    window: 1,
    faults: { rewind: 1, failover: 1 },
  },
  'ZooKeeper loses its data': { log: two, sources: 1, loaders: 2, faults: { wipe: 1 } },
  'the row is deleted': { log: two, sources: 1, loaders: 1, faults: { dropRow: 1, rewind: 1 } },
} as const satisfies Record<string, Scenario>;

type ScenarioName = keyof typeof SCENARIOS;

describe('with every rule', () => {
  it.each(Object.keys(SCENARIOS) as ScenarioName[])(
    '%s: no gap, no repeat, a prefix, nothing of an older tenure, and it gets on',
    (name) => {
      const result = explored(SCENARIOS[name]);
      expect(traceOf(result)).toBe('');
      expect(result.isComplete).toBe(true);
    },
    TIMEOUT,
  );

  it(
    'ids of a reign that was lost with the target come again, and do no harm',
    () => {
      const result = explored(REIGN_LOST);
      expect(traceOf(result)).toBe('');
      expect(result.isComplete).toBe(true);
    },
    TIMEOUT,
  );
});

const REIGN_LOST: Scenario = {
  log: two,
  sources: 1,
  loaders: 2,
  window: 1,
  faults: { rewind: 1, failover: 1, expire: 1 },
  prelude: AFTER_A_REWIND,
};

interface Hole {
  /** Switched off together: where two rules cover the same hole, only both of them off show it. */
  readonly without: readonly (keyof Rules)[];
  readonly in: Scenario;
  readonly finds: RegExp;
}

const REPEAT = /applied twice/;
const LOST = /lost/;
const STUCK = /stuck/;
const ZOMBIE = /committed under/;
const UNGUARDED = /the row says 0, the table has 1/;

const HOLES: readonly Hole[] = [
  {
    without: ['commitAfterGuard'],
    in: SCENARIOS['a source node freezes, also inside its raise'],
    finds: UNGUARDED,
  },
  {
    without: ['guardTenure', 'guardLoader'],
    in: SCENARIOS['a rewind cuts other batches while a loader is slow'],
    finds: ZOMBIE,
  },
  {
    without: ['guardTenure', 'guardLoader', 'guardPosition', 'noZombie'],
    in: SCENARIOS['a rewind cuts other batches while a loader is slow'],
    finds: REPEAT,
  },
  {
    without: ['guardSeq', 'guardPosition'],
    in: { log: two, sources: 1, loaders: 1, faults: { expire: 1, loseReply: 1 } },
    finds: REPEAT,
  },
  {
    without: ['rewindRaises', 'guardPosition'],
    in: SCENARIOS['a rewind cuts other batches while a loader is slow'],
    finds: REPEAT,
  },
  {
    without: ['randomTenure', 'aboveTree', 'guardLoader', 'guardPosition', 'noZombie'],
    in: REIGN_LOST,
    finds: REPEAT,
  },
  { without: ['seenEpoch'], in: SCENARIOS['a source node freezes, also inside its raise'], finds: STUCK },
  {
    without: ['raiseKills', 'shortWaitTimeout'],
    in: SCENARIOS['a source node freezes, also inside its raise'],
    finds: STUCK,
  },
  {
    without: ['takeKills', 'shortWaitTimeout'],
    in: { log: two, sources: 1, loaders: 2, faults: { freeze: 1 } },
    finds: STUCK,
  },
  {
    without: ['lockWaitLooks', 'shortWaitTimeout'],
    in: { log: two, sources: 1, loaders: 2, faults: { freeze: 1 } },
    finds: STUCK,
  },
  {
    without: ['clearTasks'],
    in: SCENARIOS['a rewind cuts other batches while a loader is slow'],
    finds: STUCK,
  },
  { without: ['missingRowStops'], in: SCENARIOS['the row is deleted'], finds: UNGUARDED },
  {
    without: ['partsInOneTransaction'],
    in: SCENARIOS['a large transaction in two parts, and a session expires'],
    finds: LOST,
  },
  {
    without: ['partsStayUntilCommit', 'partsInOneTransaction'],
    in: { log: logOf(2), sources: 1, loaders: 1, faults: { kill: 1 } },
    finds: LOST,
  },
  {
    without: ['lowerEpochRewinds'],
    in: SCENARIOS['the target fails over to a replica without the last raise'],
    finds: STUCK,
  },
  {
    without: ['idleLook'],
    in: SCENARIOS['the target fails over to a replica without the last raise'],
    finds: STUCK,
  },
];

describe('without a rule the explorer finds the hole', () => {
  it.each(HOLES.map((hole) => [hole.without.join(' and '), hole] as const))(
    'without %s',
    (_, { without, in: scenario, finds }) => {
      const rules = Object.fromEntries(without.map((rule) => [rule, false]));
      const result = explored({ ...scenario, rules });
      expect(result.finding?.what ?? 'nothing').toMatch(finds);
    },
    TIMEOUT,
  );
});

/** Rules that other rules cover: off alone, nothing goes wrong; they are there so that one defect of ours is not enough. */
const COVERED: readonly (readonly [keyof Rules, Scenario])[] = [
  ['guardTenure', SCENARIOS['a rewind cuts other batches while a loader is slow']],
  ['guardLoader', SCENARIOS['a rewind cuts other batches while a loader is slow']],
  ['guardPosition', SCENARIOS['a rewind cuts other batches while a loader is slow']],
  ['guardSeq', SCENARIOS['a rewind cuts other batches while a loader is slow']],
  ['rewindRaises', SCENARIOS['a rewind cuts other batches while a loader is slow']],
  ['randomTenure', REIGN_LOST],
  ['aboveTree', REIGN_LOST],
  ['settleLostCommit', SCENARIOS['a loader is killed, a reply to COMMIT is lost']],
  ['proclaimChecksLock', SCENARIOS['any one process is killed']],
  ['loadInOrder', { log: two, sources: 1, loaders: 2, faults: { kill: 1 }, maxRaises: 2 }],
  ['raiseKills', SCENARIOS['a source node freezes, also inside its raise']],
  ['takeKills', SCENARIOS['a loader freezes, a reply to COMMIT is lost']],
  ['partsStayUntilCommit', { log: logOf(2, 1), sources: 1, loaders: 1, faults: { kill: 1 } }],
];

describe('a rule that others cover is missed only together with them', () => {
  it.each(COVERED)(
    'without %s alone nothing is lost, repeated or stuck',
    (rule, scenario) => {
      const result = explored({ ...scenario, rules: { [rule]: false } });
      expect(traceOf(result)).toBe('');
      expect(result.isComplete).toBe(true);
    },
    TIMEOUT,
  );
});
