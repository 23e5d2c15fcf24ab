/** A process of its own that loads schema changes; its task comes as JSON in HOLT_TEST_TASK, its end by a failpoint. */
import type { Tenure } from '../../../model/ids.ts';
import { Database } from '../../support/database.ts';
import { type DdlTask, ddlBatch } from './ddl-fixture.ts';
import { noSignal, Pipeline } from './load-fixture.ts';

const task = JSON.parse(process.env.HOLT_TEST_TASK ?? 'null') as DdlTask;
const pipeline = Pipeline.existing(new Database(task.endpoint), task);

async function work(): Promise<void> {
  const reign = {
    ...task.reign,
    tenure: task.reign.tenure as Tenure,
    seq: 0n,
    position: { text: '' as never, at: null, lastEvent: null },
  };
  const { run } = await pipeline.taken(reign);
  for (const [index, step] of task.steps.entries()) {
    const outcome = await run.load(ddlBatch(pipeline, reign, index + 1, step), noSignal);
    console.log(`outcome ${outcome.kind}`);
    if (outcome.kind !== 'applied' && outcome.kind !== 'repeat') return;
  }
}

work().then(
  () => process.exit(0),
  (error: unknown) => {
    console.log(`outcome error ${String(error)}`);
    process.exit(0);
  },
);
