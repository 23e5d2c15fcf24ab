import { expect, it } from 'vitest';
import { PIPELINE, Replication } from '../support/replication.ts';

it('a raise that the tree knows nothing of does not leave Load waiting for good', async () => {
  await using run = await Replication.create({
    source: 'mariadb',
    target: 'mariadb',
    nodes: { 'east-1': 'east', 'west-1': 'west' },
  });
  const { holt, writer, reader } = run;
  await holt.start();
  await run.reigning();
  writer.start();
  reader.start();
  await run.flows();
  // What a node does that has the same configuration and another ZooKeeper.
  await run.target.db.query(
    `UPDATE holt.checkpoint SET epoch = epoch + 1, tenure = RANDOM_BYTES(16), loader = NULL
     WHERE pipeline = '${PIPELINE}'`,
  );
  await run.flows();
  await run.settle();
  const epoch = await run.target.db.value(
    `SELECT epoch FROM holt.checkpoint WHERE pipeline = '${PIPELINE}' AND lane = 0`,
  );
  expect(Number(epoch)).toBeGreaterThan(2);
});
