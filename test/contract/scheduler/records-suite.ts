import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { TASK_STAGES } from '../../../model/stage.ts';
import { recordPath, stagePath } from '../../../scheduler/paths.ts';
import { TreePipelineStore } from '../../../scheduler/pipeline-store.ts';
import type { DesiredRecord } from '../../../scheduler/records.ts';
import { isHoltError } from '../../../scheduler/refusals.ts';
import { batchHeaderOf, freshPipeline } from '../../support/scheduler-fixtures.ts';
import { type Bench, soon } from './scheduler-bench.ts';

export function recordsSuite(here: () => Bench): void {
  describe('pipeline records', () => {
    const wanted = (desired: DesiredRecord['desired']): DesiredRecord => ({
      version: 1,
      desired,
      by: 'test',
      why: '',
      code: null,
      sinceMs: 1,
    });

    it('are compared and set by version, version 0 too', async () => {
      const bench = here();
      const { tree } = await bench.harness.open();
      const { desired } = new TreePipelineStore(tree, freshPipeline());
      expect(await desired.get()).toBeNull();
      expect(await desired.set(wanted('running'), 'new')).toBe(0);
      expect(await desired.set(wanted('paused'), 0)).toBe(1);
      await expect(desired.set(wanted('stopped'), 0)).rejects.toMatchObject({ kind: 'bad-version' });
      await expect(desired.set(wanted('stopped'), 'new')).rejects.toMatchObject({ kind: 'node-exists' });
      expect(await desired.set(wanted('stopped'), 'any')).toBe(2);
      expect((await desired.get())?.value.desired).toBe('stopped');
      expect(await desired.remove(1)).toBe(false);
      expect(await desired.remove(2)).toBe(true);
    });

    it('name the path of foreign data, tell watchers, and heal', async () => {
      const bench = here();
      const { tree } = await bench.harness.open();
      const pipeline = freshPipeline();
      const { desired } = new TreePipelineStore(tree, pipeline);
      const path = recordPath(pipeline, 'state');
      await desired.set(wanted('running'), 'new');
      const seen: string[] = [];
      const unwatch = desired.watch(({ kind }) => void seen.push(kind));
      await waitFor(() => seen.at(-1) === 'value', { ...soon, what: 'the value' });
      await tree.set(path, Buffer.from('{"version":7}'), 'any');
      await waitFor(() => seen.at(-1) === 'foreign', { ...soon, what: 'the foreign data' });
      await expect(desired.get()).rejects.toSatisfy(
        (error) => isHoltError(error, 'HOLT_ZNODE_FOREIGN') && error.message.includes(path),
      );
      await desired.set(wanted('paused'), 'any');
      await waitFor(() => seen.at(-1) === 'value', { ...soon, what: 'the value again' });
      unwatch();
    });

    it('keep the newest fifty configurations that ruled, each once', async () => {
      const { tree } = await here().harness.open();
      const { configHistory } = new TreePipelineStore(tree, freshPipeline());
      expect(await configHistory.list()).toEqual([]);
      const config = (n: number) => ({
        version: 1 as const,
        digest: String(n).padStart(64, '0'),
        text: `{"n":${n}}`,
        by: 'test',
        writtenMs: 1_000 + n,
      });
      await Promise.all([configHistory.keep(config(1)), configHistory.keep(config(1))]);
      expect((await configHistory.list()).map((one) => one.config.text)).toEqual(['{"n":1}']);
      for (let n = 2; n <= 52; n++) await configHistory.keep(config(n));
      const kept = await configHistory.list();
      expect(kept).toHaveLength(50);
      expect([kept[0]?.config.text, kept.at(-1)?.config.text]).toEqual(['{"n":52}', '{"n":3}']);
      expect(await configHistory.get(kept[0]?.id ?? '')).toEqual(kept[0]);
      expect(await configHistory.get('../state')).toBeNull();
      expect(await configHistory.get('000000000001001-000000000000')).toBeNull();
    });

    it('go with the pipeline', async () => {
      const bench = here();
      const { pipeline, east, reign } = await bench.reigning();
      const tasks = bench.tasksOn(east, pipeline);
      await tasks.publish(reign, batchHeaderOf(reign, 1n), { claim: false });
      await new TreePipelineStore(east.tree, pipeline).destroy();
      for (const stage of TASK_STAGES) expect(await east.tree.exists(stagePath(pipeline, stage))).toBeNull();
      expect(await east.tree.exists(recordPath(pipeline, 'epoch'))).toBeNull();
    });
  });
}
