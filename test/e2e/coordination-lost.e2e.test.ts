import { describe, expect, it } from 'vitest';
import { Replication } from '../support/replication.ts';

describe('G7 who, what, how far', () => {
  it("ZooKeeper's data wiped under load: no gap, no repeat", async () => {
    await using run = await Replication.create({ source: 'mariadb', target: 'mariadb' });
    const { holt, writer, reader, zookeeper } = run;
    await holt.start();
    await run.reigning();
    writer.start();
    reader.start();
    await run.flows();
    const epoch = Number(await run.target.db.value('SELECT epoch FROM holt.checkpoint WHERE lane = 0'));
    await zookeeper.kill();
    await zookeeper.wipe();
    await zookeeper.start();
    await run.flows();
    await run.settle();
    // The row decides: the reign after the wipe is above the one before.
    expect(
      Number(await run.target.db.value('SELECT epoch FROM holt.checkpoint WHERE lane = 0')),
    ).toBeGreaterThan(epoch);
  });

  it('ZooKeeper away for longer than the sessions: everything stands still, then goes on', async () => {
    await using run = await Replication.create({ source: 'mariadb', target: 'mariadb' });
    const { holt, writer, reader, zookeeper } = run;
    await holt.start();
    await run.reigning();
    writer.start();
    reader.start();
    await run.flows();
    await zookeeper.freeze();
    const node = holt.node('east-1');
    await expect
      .poll(async () => (await fetch(`${node.apiUrl}/readyz`)).status, { timeout: 20_000, interval: 100 })
      .toBe(503);
    zookeeper.thaw();
    await run.flows();
    await run.settle();
  });
});
