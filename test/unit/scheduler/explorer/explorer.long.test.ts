/** The larger cases, two faults of different kinds at a time: minutes of CPU. See `explorer.test.ts`. */
import { expect, it } from 'vitest';
import { explore, type Scenario } from './explore.ts';
import { logOf } from './world.ts';

const CASES: Record<string, Scenario> = {
  'a loader killed, one frozen, a reply lost': {
    log: logOf(1, 1),
    sources: 1,
    loaders: 2,
    faults: { kill: 1, freeze: 1, loseReply: 1 },
  },
  'rewind and freeze': { log: logOf(1, 1), sources: 1, loaders: 2, faults: { freeze: 1, rewind: 1 } },
  'parts, killed and frozen': { log: logOf(2), sources: 1, loaders: 2, faults: { freeze: 1, kill: 1 } },
  'parts, rewind and expiry': { log: logOf(2, 1), sources: 1, loaders: 2, faults: { rewind: 1, expire: 1 } },
  'two of each, frozen and expired': {
    log: logOf(1),
    sources: 2,
    loaders: 2,
    faults: { freeze: 1, expire: 1 },
  },
  'failover and lost tree': { log: logOf(1, 1), sources: 1, loaders: 2, faults: { failover: 1, wipe: 1 } },
  'failover and freeze': { log: logOf(1, 1), sources: 1, loaders: 2, faults: { failover: 1, freeze: 1 } },
  'two of each, killed and rewound': {
    log: logOf(1, 1),
    sources: 2,
    loaders: 2,
    faults: { kill: 1, rewind: 1 },
  },
  'three transactions, rewound and frozen': {
    log: logOf(1, 1, 1),
    sources: 1,
    loaders: 2,
    faults: { freeze: 1, rewind: 1 },
  },
};

it.each(Object.entries(CASES))(
  '%s: no gap, no repeat, a prefix, and it gets on',
  (name, scenario) => {
    const before = process.cpuUsage();
    const result = explore({ ...scenario, maxStates: 1_500_000 });
    const { user, system } = process.cpuUsage(before);
    console.info(
      `explorer: ${name}: ${result.states} states in ${Math.round((user + system) / 1000)} ms of CPU`,
    );
    expect(result.finding).toBeNull();
    expect(result.isComplete).toBe(true);
  },
  600_000,
);
