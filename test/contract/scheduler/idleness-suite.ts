import { describe, expect, it } from 'vitest';
import { untilAborted, waitFor } from '../../../lib/abort.ts';
import type { DataSourceId } from '../../../model/ids.ts';
import { TASK_STAGES } from '../../../model/stage.ts';
import type { OwnedSource, Reign } from '../../../scheduler/contract.ts';
import { TreeNodeRegistry } from '../../../scheduler/node-registry.ts';
import { TreeSourceOwnership } from '../../../scheduler/source-ownership.ts';
import { freshName, freshPipeline, presenceOf, RowInMemory } from '../../support/scheduler-fixtures.ts';
import { type Bench, nextWithin, raised, settle, soon } from './scheduler-bench.ts';

export function idlenessSuite(here: () => Bench): void {
  describe('idleness', () => {
    it('costs no writes and no lists', async () => {
      const bench = here();
      const source = freshName('source') as DataSourceId;
      const pipeline = freshPipeline();
      const target = new RowInMemory();
      const [one, two] = [await bench.harness.open(), await bench.harness.open()];
      let reign: Reign | null = null;
      for (const { tree, node, instance } of [one, two]) {
        bench.started(new TreeNodeRegistry({ tree, self: presenceOf(node, { instance }) }));
        const lead = async (owned: OwnedSource, signal: AbortSignal) => {
          const mainstem = await owned.takeMainstem({ pipeline, target, signal });
          reign = await raised(mainstem);
          await untilAborted(signal);
        };
        bench.started(new TreeSourceOwnership({ tree, source, node, instance, address: 'a:1', lead }));
      }
      const boards = [bench.tasksOn(one, pipeline), bench.tasksOn(two, pipeline)];
      const takers = boards.flatMap((tasks) => TASK_STAGES.map((stage) => nextWithin(tasks, stage, 30_000)));
      await waitFor(() => reign !== null && boards.every(({ ruling }) => ruling?.record.epoch === 1), {
        ...soon,
        what: 'all is running',
      });
      const writes = () =>
        [one, two].map(({ tree: { counters } }) =>
          (['create', 'set', 'remove', 'multi', 'children'] as const).map((op) => counters.ops[op].sent),
        );
      await settle(writes);
      const before = writes();
      await new Promise((resolve) => setTimeout(resolve, 2 * bench.harness.sessionTimeoutMs));
      expect(writes()).toEqual(before);
      await Promise.all(boards.map((tasks) => tasks.stop()));
      expect(await Promise.all(takers)).toEqual(takers.map(() => null));
    });
  });
}
