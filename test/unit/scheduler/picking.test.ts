import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchHeader } from '../../../model/batch.ts';
import { newTenure, nodeId } from '../../../model/ids.ts';
import { type PickTask, type PickView, pickTask } from '../../../scheduler/picking.ts';
import { batchHeaderOf, freshPipeline } from '../../support/scheduler-fixtures.ts';

const reign = { pipeline: freshPipeline(), epoch: 2, tenure: newTenure() };
const self = nodeId('west-1');
const other = nodeId('west-2');

function task(
  seq: bigint,
  over: Omit<Partial<PickTask>, 'header'> & { readonly header?: Partial<BatchHeader> | null } = {},
): PickTask {
  const { header, ...rest } = over;
  const full = batchHeaderOf(reign, seq, header ?? {});
  return {
    name: `${full.epoch}-${seq}.${full.part}`,
    key: { epoch: full.epoch, seq, part: full.part },
    lock: 'unknown',
    freeSinceMs: 0,
    isFlowClear: null,
    isExpected: false,
    ...rest,
    header: header === null ? null : full,
  };
}

function view(tasks: readonly PickTask[], over: Partial<PickView> = {}): PickView {
  return {
    stage: 'transform',
    tasks,
    ruling: { epoch: 2, tenure: reign.tenure, seq: 0n },
    finishedSeq: null,
    node: self,
    nowMs: 1_000,
    othersDelayMs: 100,
    isPresent: () => true,
    admits: () => true,
    ...over,
  };
}

const claimed = (picked: ReturnType<typeof pickTask>) =>
  picked.kind === 'claim' ? picked.name : picked.kind;

describe('pickTask', () => {
  it('reads the header of a task above the reign once, and lets it be', () => {
    const above = task(1n, { header: { epoch: 9 } });
    expect(pickTask(view([task(4n), { ...above, header: null }]))).toEqual({
      kind: 'read-header',
      name: above.name,
    });
    expect(claimed(pickTask(view([task(4n), above])))).toBe('2-4.0');
    expect(claimed(pickTask(view([task(4n), { ...above, header: 'foreign' }])))).toBe('2-4.0');
  });

  it('takes the lowest free task of the reign that rules', () => {
    const tasks = [
      task(9n, { header: { epoch: 1 } }),
      task(1n, { lock: 'taken' }),
      task(2n, { lock: 'ours' }),
      task(3n, { isExpected: true }),
      task(4n),
      task(5n),
    ];
    expect(claimed(pickTask(view(tasks)))).toBe('2-4.0');
  });

  it('reads the header before anything else', () => {
    expect(pickTask(view([task(1n, { header: null }), task(2n)]))).toEqual({
      kind: 'read-header',
      name: '2-1.0',
    });
  });

  it('leaves out what cannot be read and what another tenure of the same number made', () => {
    const tasks = [
      { ...task(1n), header: 'foreign' as const },
      task(2n, { header: { tenure: newTenure() } }),
      task(3n),
    ];
    expect(claimed(pickTask(view(tasks)))).toBe('2-3.0');
  });

  it('leaves a task to the node of its hint for a while', () => {
    const hinted = task(1n, { header: { hint: other }, freeSinceMs: 950 });
    expect(pickTask(view([hinted]))).toEqual({ kind: 'wait', untilMs: 1_050 });
    expect(claimed(pickTask(view([hinted], { nowMs: 1_050 })))).toBe('2-1.0');
    expect(claimed(pickTask(view([hinted], { isPresent: (node) => node !== other })))).toBe('2-1.0');
    expect(claimed(pickTask(view([hinted], { node: other })))).toBe('2-1.0');
    expect(claimed(pickTask(view([hinted, task(2n, { header: { hint: self } })])))).toBe('2-2.0');
  });

  it('lets the node with the payload extract first', () => {
    const place = { ...batchHeaderOf(reign, 1n).payload, node: other };
    const away = task(1n, { header: { payload: place, hint: self }, freeSinceMs: 950 });
    expect(pickTask(view([away], { stage: 'extract' }))).toEqual({ kind: 'wait', untilMs: 1_050 });
  });

  it('claims nothing above a task for which there is no memory', () => {
    const asked: boolean[] = [];
    const picked = pickTask(
      view([task(1n, { lock: 'ours' }), task(2n), task(3n)], {
        admits: (header, lowest) => {
          asked.push(lowest);
          return header.seq !== '2';
        },
      }),
    );
    expect([claimed(picked), asked]).toEqual(['wait', [false]]);
  });

  describe('at Load', () => {
    const load = (tasks: readonly PickTask[], over: Partial<PickView> = {}) =>
      claimed(pickTask(view(tasks, { stage: 'load', ...over })));

    it("claims the next after the row's seq, and after what this node finished", () => {
      expect(load([task(1n)])).toBe('2-1.0');
      expect(load([task(2n)])).toBe('look-at-flow');
      expect(load([task(2n)], { finishedSeq: 1n })).toBe('2-2.0');
      expect(load([task(8n)], { ruling: { epoch: 2, tenure: reign.tenure, seq: 7n } })).toBe('2-8.0');
    });

    it('claims ahead only while it holds the batch before', () => {
      expect(load([task(1n, { lock: 'ours' }), task(2n)])).toBe('2-2.0');
      expect(load([task(1n, { lock: 'taken' }), task(2n)])).toBe('wait');
      expect(load([task(1n, { lock: 'ours' }), task(3n)])).toBe('wait');
      expect(load([task(1n, { lock: 'ours', header: { part: 0, lastPart: false } }), task(2n)])).toBe('wait');
    });

    it('claims a batch alone only when none below stands at any stage', () => {
      expect(load([task(5n, { isFlowClear: false })])).toBe('wait');
      expect(load([task(5n, { isFlowClear: true })])).toBe('2-5.0');
    });

    it('gives parts to the holder of the part before', () => {
      const part = (number: number, over: Pick<Partial<PickTask>, 'lock' | 'isFlowClear'> = {}) =>
        task(1n, { ...over, header: { part: number, lastPart: number === 2 } });
      expect(load([part(0, { lock: 'ours' }), part(1)])).toBe('2-1.1');
      expect(load([part(0, { lock: 'taken' }), part(1)])).toBe('wait');
      expect(load([part(0, { lock: 'ours' }), part(2)])).toBe('wait');
      expect(load([part(2)])).toBe('look-at-flow');
      expect(load([part(2, { isFlowClear: true })])).toBe('2-1.2');
    });

    it('prefers the node that has the run, whatever the hint', () => {
      const hinted = (seq: bigint) => task(seq, { header: { hint: other }, freeSinceMs: 999 });
      expect(load([hinted(1n)])).toBe('wait');
      expect(load([task(1n, { lock: 'ours' }), hinted(2n)])).toBe('2-2.0');
      expect(load([hinted(2n)], { finishedSeq: 1n })).toBe('2-2.0');
    });

    it('never leaves a gap between the batches that one node holds', () => {
      const locks = fc.array(fc.constantFrom('unknown', 'free', 'ours', 'taken'), { maxLength: 6 });
      fc.assert(
        fc.property(locks, (kinds) => {
          const tasks = kinds.map((lock, index) =>
            task(BigInt(index + 1), { lock: lock as PickTask['lock'] }),
          );
          const picked = pickTask(view(tasks, { stage: 'load' }));
          if (picked.kind !== 'claim') return;
          const at = tasks.findIndex(({ name }) => name === picked.name);
          expect(at === 0 || tasks[at - 1]?.lock === 'ours').toBe(true);
        }),
      );
    });
  });
});
