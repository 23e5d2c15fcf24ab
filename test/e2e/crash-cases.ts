/** The kills of issue and design: one suite, run for several pairs of servers. */
import { expect, it } from 'vitest';
import { withDeadline } from '../../lib/abort.ts';
import { ServerUnavailable } from '../support/inventory.ts';
import { Replication, type ReplicationOptions } from '../support/replication.ts';

/** Named failpoints, and the site whose nodes pass them. */
export const KILLS = [
  ['after Select, before its batch is published', 'select:before-publish', 'east'],
  ['after Select, with its batch just published', 'select:after-publish', 'east'],
  ['in Extract', 'extract:after', 'east'],
  ['in Transform', 'transform:after', 'west'],
  ['in Load before COMMIT', 'load:before-commit', 'west'],
  ['in Load after COMMIT, before the receipt', 'load:after-commit', 'west'],
  ['in Load with the receipt not yet given', 'load:before-receipt', 'west'],
] as const;

/** Kills a node at each failpoint under a live writer; nothing is lost, repeated, or seen half. */
export function killsAtEveryStage(options: ReplicationOptions): void {
  it(`kill -9 at every stage loses nothing, repeats nothing, shows nothing half: ${options.source} → ${options.target}`, async (context) => {
    let replication: Replication;
    try {
      replication = await Replication.create(options);
    } catch (error) {
      if (error instanceof ServerUnavailable) return context.skip(`SKIPPED: ${error.message}`);
      throw error;
    }
    await using run = replication;
    const { holt, writer, reader } = run;
    await holt.start();
    await run.reigning();
    writer.start();
    reader.start();
    await run.flows();
    for (const [what, failpoint, site] of KILLS) {
      // One node stands at that site, so that it is the one that passes the failpoint.
      const victim = holt.node(`${site}-1`);
      const other = holt.node(`${site}-2`);
      if (other.isRunning) await other.stop();
      if (victim.isRunning) await victim.stop();
      await victim.start({ failpoints: `${failpoint}=kill@3` });
      const end = await withDeadline(
        victim.process.ended,
        60_000,
        `${what}: the node to be killed at ${failpoint}`,
      );
      expect(end.signal).toBe('SIGKILL');
      expect(victim.logText()).toContain(`failpoint ${failpoint} kill`);
      await Promise.all([victim.start(), other.start()]);
      await run.flows();
    }
    await run.settle();
    expect(reader.reads).toBeGreaterThan(100);
  });
}
