import { describe } from 'vitest';
import { embeddedHarness } from './scheduler-harness.ts';
import { schedulerSuite } from './scheduler-suite.ts';

describe('scheduler on the embedded tree', () => {
  schedulerSuite(embeddedHarness);
});
