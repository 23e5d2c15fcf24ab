import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import type { HoltNode } from '../support/holt-installation.ts';
import { Replication } from '../support/replication.ts';

/** ZooKeeper sessions last 4 s in these tests; after that the others may not wait longer than 10 s. */
const TAKE_OVER_MS = 4_000 + 10_000;

async function frozenAt(node: HoltNode, failpoint: string): Promise<number> {
  await waitFor(() => node.logText().includes(`failpoint ${failpoint} stop`), {
    timeoutMs: 60_000,
    pollMs: 10,
    what: `${node.name} to freeze at ${failpoint}`,
  });
  return performance.now();
}

describe('G2 no zombie', () => {
  it.each([['load:guarded'], ['load:before-commit'], ['load:after-commit']])(
    'a node frozen at %s past its session, and woken after another took over, changes nothing',
    async (failpoint) => {
      await using run = await Replication.create({ source: 'mariadb', target: 'mariadb' });
      const { holt, writer, reader } = run;
      await holt.start(['east-1', 'east-2']);
      await holt.node('west-1').start({ failpoints: `${failpoint}=stop@40` });
      await run.reigning();
      writer.start();
      reader.start();
      // The node that has Load keeps it; the other stands by.
      await run.flows();
      await holt.start(['west-2']);
      const frozenMs = await frozenAt(holt.node('west-1'), failpoint);
      const before = await run.appliedSeq();
      await waitFor(async () => (await run.appliedSeq()) > before, {
        timeoutMs: 60_000,
        pollMs: 20,
        what: 'the other node to go on',
      });
      const tookMs = performance.now() - frozenMs;
      await run.flows();
      holt.node('west-1').thaw();
      await run.flows();
      await holt.node('west-1').ready();
      await run.settle();
      expect(tookMs).toBeLessThan(TAKE_OVER_MS);
    },
  );

  it.each([['raise:locked'], ['raise:before-commit'], ['raise:after-commit']])(
    'a node frozen in a raise at %s, and woken after another raised, changes nothing',
    async (failpoint) => {
      await using run = await Replication.create({ source: 'mariadb', target: 'mariadb' });
      const { holt, writer, reader } = run;
      await holt.start(['west-1', 'west-2']);
      await holt.node('east-1').start({ failpoints: `${failpoint}=stop@1` });
      const frozenMs = await frozenAt(holt.node('east-1'), failpoint);
      await holt.node('east-2').start();
      await run.reigning();
      const tookMs = performance.now() - frozenMs;
      writer.start();
      reader.start();
      await run.flows();
      holt.node('east-1').thaw();
      await run.flows();
      await holt.node('east-1').ready();
      await run.settle();
      // A node that starts, and Canal's grace of 5 s for an owner that vanished, come on top.
      expect(tookMs).toBeLessThan(TAKE_OVER_MS + 10_000);
    },
  );
});
