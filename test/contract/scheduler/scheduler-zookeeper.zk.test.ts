import { describe } from 'vitest';
import { zookeeperHarness } from './scheduler-harness.ts';
import { schedulerSuite } from './scheduler-suite.ts';

describe('scheduler on ZooKeeper', () => {
  schedulerSuite(zookeeperHarness);
});
