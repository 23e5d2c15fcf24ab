import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { nodeId } from '../../../model/ids.ts';
import { TreeNodeRegistry } from '../../../scheduler/node-registry.ts';
import { nodePath } from '../../../scheduler/paths.ts';
import { freshName, presenceOf } from '../../support/scheduler-fixtures.ts';
import { type Bench, soon } from './scheduler-bench.ts';

export function registrySuite(here: () => Bench): void {
  describe('registry', () => {
    it('lists who is there, and takes itself away on a clean stop', async () => {
      const bench = here();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const first = bench.started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      const second = new TreeNodeRegistry({ tree: two.tree, self: presenceOf(two.node) });
      const over = second.run();
      await second.ready(AbortSignal.timeout(5_000));
      await waitFor(() => first.isPresent(two.node) && second.isPresent(one.node), { ...soon, what: 'both' });
      await second.stop();
      await over;
      await waitFor(() => !first.isPresent(two.node), { ...soon, what: 'the second left' });
      expect(first.isPresent(one.node)).toBe(true);
    });

    it('registers again in the next session', async () => {
      const bench = here();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      bench.started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      const other = bench.started(new TreeNodeRegistry({ tree: two.tree, self: presenceOf(two.node) }));
      await waitFor(() => other.isPresent(one.node), { ...soon, what: 'the first is there' });
      one.cutOff();
      await waitFor(() => !other.isPresent(one.node), { ...soon, what: 'the session ended' });
      one.resume();
      await waitFor(() => other.isPresent(one.node), { ...soon, what: 'it came back' });
    });

    it('waits while another process has its name, and says so', async () => {
      const bench = here();
      const name = freshName('node');
      const [one, two] = [await bench.harness.open(name), await bench.harness.open(name)];
      const first = bench.started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      await first.ready(AbortSignal.timeout(5_000));
      const second = bench.started(new TreeNodeRegistry({ tree: two.tree, self: presenceOf(two.node) }));
      await waitFor(() => second.conflict, { ...soon, what: 'the conflict shows' });
      expect(second.conflict?.code).toBe('HOLT_NODE_NAME_TAKEN');
      await first.stop();
      await waitFor(() => second.conflict === null, { ...soon, what: 'the name is free' });
      await second.ready(AbortSignal.timeout(5_000));
    });

    it('leaves foreign znodes among the nodes out', async () => {
      const bench = here();
      const one = await bench.harness.open();
      const registry = bench.started(new TreeNodeRegistry({ tree: one.tree, self: presenceOf(one.node) }));
      await registry.ready(AbortSignal.timeout(5_000));
      const foreign = freshName('foreign');
      await one.tree.create(nodePath(nodeId(foreign)), Buffer.from('hello'), { ephemeral: true });
      const late = await bench.harness.open();
      const other = bench.started(new TreeNodeRegistry({ tree: late.tree, self: presenceOf(late.node) }));
      await other.ready(AbortSignal.timeout(5_000));
      expect(other.nodes.map(({ node }) => node)).not.toContain(foreign);
      expect(other.isPresent(one.node)).toBe(true);
    });
  });
}
