/**
 * A process of its own that loads one batch, or raises, and says on stdout what came of it; the failpoints in its
 * environment freeze it on the way. Its task comes as JSON in HOLT_TEST_TASK.
 */
import type { Tenure } from '../../../model/ids.ts';
import { Database, type DatabaseEndpoint } from '../../support/database.ts';
import { noSignal, Pipeline } from './load-fixture.ts';

export interface FrozenTask {
  readonly what: 'load' | 'raise';
  readonly endpoint: DatabaseEndpoint;
  readonly name: string;
  readonly table: string;
  readonly treeEpoch: number;
  readonly reign: { readonly epoch: number; readonly tenure: string } | null;
  readonly seq: number;
}

const task = JSON.parse(process.env.HOLT_TEST_TASK ?? 'null') as FrozenTask;
const db = new Database(task.endpoint);
const pipeline = Pipeline.existing(db, task);
pipeline.treeEpoch = task.treeEpoch;

async function work(): Promise<string> {
  if (task.what === 'raise') return (await pipeline.takeOver()).kind;
  if (task.reign === null) throw new Error('no reign');
  const reign = {
    ...task.reign,
    tenure: task.reign.tenure as Tenure,
    seq: 0n,
    position: { text: '' as never, at: null, lastEvent: null },
  };
  const { run } = await pipeline.taken(reign);
  const outcome = await run.load(pipeline.batch(reign, task.seq), noSignal);
  return outcome.kind;
}

work().then(
  (kind) => {
    console.log(`outcome ${kind}`);
    process.exit(0);
  },
  (error: unknown) => {
    console.log(`outcome error ${String(error)}`);
    process.exit(0);
  },
);
