import { describe, expect, it } from 'vitest';
import { untilAborted, waitFor } from '../../../lib/abort.ts';
import type { DataSourceId } from '../../../model/ids.ts';
import type { OwnedSource } from '../../../scheduler/contract.ts';
import { destinationPath, runningPath } from '../../../scheduler/paths.ts';
import { TreeSourceOwnership } from '../../../scheduler/source-ownership.ts';
import { freshName, freshPipeline, RowInMemory } from '../../support/scheduler-fixtures.ts';
import { type Bench, raised, soon } from './scheduler-bench.ts';
import type { NodeUnderTest } from './scheduler-harness.ts';

export function sourceSuite(here: () => Bench): void {
  describe('source ownership', () => {
    const started = (ownership: TreeSourceOwnership) => here().started(ownership);
    function ownershipOn(
      { tree, node, instance }: NodeUnderTest,
      source: DataSourceId,
      lead: (owned: OwnedSource, signal: AbortSignal) => Promise<void> = (_, signal) => untilAborted(signal),
      graceMs = 1_500,
    ): TreeSourceOwnership {
      const address = '127.0.0.1:1';
      return started(new TreeSourceOwnership({ tree, source, node, instance, address, lead, graceMs }));
    }
    const freshSource = () => freshName('source') as DataSourceId;
    const owns = (ownership: TreeSourceOwnership) => () => ownership.state === 'owner';

    it('is one node, written as Canal writes it, and passes on at once after a clean leave', async () => {
      const bench = here();
      const source = freshSource();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const first = ownershipOn(one, source);
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      const second = ownershipOn(two, source, undefined, 60_000);
      await waitFor(() => second.owner === one.node, { ...soon, what: 'the second sees the owner' });
      const running = await one.tree.get(runningPath(source));
      expect(JSON.parse(String(running?.data))).toMatchObject({
        active: true,
        address: '127.0.0.1:1',
        cid: 1,
      });
      await first.stop();
      await waitFor(owns(second), { ...soon, what: 'the second owns' });
    });

    it('is left alone for the grace time after a death', async () => {
      const bench = here();
      const source = freshSource();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const first = ownershipOn(one, source);
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      const second = ownershipOn(two, source);
      await waitFor(() => second.owner === one.node, { ...soon, what: 'the second sees the owner' });
      one.cutOff();
      await waitFor(() => second.state === 'waiting-grace', { ...soon, what: 'the grace time' });
      const since = performance.now();
      await waitFor(owns(second), { ...soon, what: 'the second owns' });
      expect(performance.now() - since).toBeGreaterThan(1_200);
    });

    it('comes back to its previous owner without grace', async () => {
      const bench = here();
      const source = freshSource();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      let terms = 0;
      const first = ownershipOn(
        one,
        source,
        (_, signal) => {
          terms += 1;
          return untilAborted(signal);
        },
        60_000,
      );
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      ownershipOn(two, source, undefined, 60_000);
      one.cutOff();
      await waitFor(async () => (await two.tree.exists(runningPath(source))) === null, {
        ...soon,
        what: 'the session ended',
      });
      one.resume();
      await waitFor(() => terms === 2 && owns(first)(), { ...soon, what: 'the first owns again' });
    });

    it('is given up by "active":false, and another takes it', async () => {
      const bench = here();
      const source = freshSource();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const first = ownershipOn(one, source);
      await waitFor(owns(first), { ...soon, what: 'the first owns' });
      const second = ownershipOn(two, source);
      await waitFor(() => second.owner === one.node, { ...soon, what: 'the second sees the owner' });
      const running = await two.tree.get(runningPath(source));
      const value = JSON.parse(String(running?.data));
      await two.tree.set(
        runningPath(source),
        Buffer.from(JSON.stringify({ ...value, active: false })),
        'any',
      );
      await waitFor(owns(second), { ...soon, what: 'the second owns' });
      expect(first.state).not.toBe('owner');
    });

    it('holds the mainstems of its pipelines, and lets them go with it', async () => {
      const bench = here();
      const source = freshSource();
      const pipeline = freshPipeline();
      const target = new RowInMemory();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      const reigns: string[] = [];
      const lead = (name: string) => async (owned: OwnedSource, signal: AbortSignal) => {
        const mainstem = await owned.takeMainstem({ pipeline, target, signal });
        await raised(mainstem);
        reigns.push(name);
        await untilAborted(signal);
      };
      const first = ownershipOn(one, source, lead('one'));
      await waitFor(() => reigns.length === 1, { ...soon, what: 'the first reigns' });
      ownershipOn(two, source, lead('two'));
      await first.stop();
      await waitFor(() => reigns.length === 2, { ...soon, what: 'the second reigns' });
      expect(reigns).toEqual(['one', 'two']);
      expect(target.row?.epoch).toBe(2);
    });

    it('stands foreign data beside it', async () => {
      const bench = here();
      const source = freshSource();
      const one = await bench.harness.open();
      await one.tree.ensurePath(destinationPath(source));
      await one.tree.set(destinationPath(source), Buffer.from('canal was here'), 'any');
      const first = ownershipOn(one, source, undefined, 200);
      await waitFor(owns(first), { ...soon, what: 'the node owns' });
    });
  });
}
