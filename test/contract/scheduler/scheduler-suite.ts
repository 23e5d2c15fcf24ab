import { idlenessSuite } from './idleness-suite.ts';
import { loadSuite } from './load-suite.ts';
import { mainstemSuite } from './mainstem-suite.ts';
import { recordsSuite } from './records-suite.ts';
import { registrySuite } from './registry-suite.ts';
import { useBench } from './scheduler-bench.ts';
import type { SchedulerHarness } from './scheduler-harness.ts';
import { sourceSuite } from './source-suite.ts';
import { tasksSuite } from './tasks-suite.ts';
import { unlockedSuite } from './unlocked-suite.ts';

/** What the scheduler has to do on every coordination tree. */
export function schedulerSuite(start: () => Promise<SchedulerHarness>): void {
  const here = useBench(start);
  registrySuite(here);
  recordsSuite(here);
  mainstemSuite(here);
  sourceSuite(here);
  tasksSuite(here);
  unlockedSuite(here);
  loadSuite(here);
  idlenessSuite(here);
}
