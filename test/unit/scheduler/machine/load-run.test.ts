import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  heldBy,
  initialLoadRun,
  type LoadItem,
  type LoadRunAction,
  type LoadRunEvent,
  type LoadRunState,
  loadRunTransition,
} from '../../../../scheduler/machine/load-run.ts';
import { type Cells, cellsOf } from '../../../support/transition-cells.ts';
import { itemOf, loadRunExamples } from './examples.ts';

/** Every cell, in words. A state or an event without its row or column does not compile. */
const CELLS: Cells<LoadRunState, LoadRunEvent> = {
  idle: {
    claimed: 'taking: take',
    took: 'stay',
    'lost-run': 'stay',
    superseded: 'stay',
    rewind: 'stay',
    stop: 'stay',
    applied: 'stay',
    'part-done': 'stay',
    'claim-lost': 'stay',
    leave: 'stay',
  },
  taking: {
    claimed: 'taking',
    took: 'loading: load',
    'lost-run': 'idle: close, let-go',
    superseded: 'idle: close, let-go',
    rewind: 'idle: close, request-rewind, let-go',
    stop: 'idle: close, request-pause, let-go',
    applied: 'stay',
    'part-done': 'stay',
    'claim-lost': 'taking',
    leave: 'idle: close, let-go',
  },
  ready: {
    claimed: 'loading: load',
    took: 'stay',
    'lost-run': 'stay',
    superseded: 'stay',
    rewind: 'idle: close',
    stop: 'idle: close',
    applied: 'stay',
    'part-done': 'stay',
    'claim-lost': 'stay',
    leave: 'idle: close',
  },
  loading: {
    claimed: 'loading',
    took: 'stay',
    'lost-run': 'idle: close, let-go',
    superseded: 'idle: close, let-go',
    rewind: 'idle: close, request-rewind, let-go',
    stop: 'idle: close, request-pause, let-go',
    applied: 'ready: finish',
    'part-done': 'ready: part-progress',
    'claim-lost': 'idle: close',
    leave: 'idle: close, let-go',
  },
};

describe('load run, cell by cell', () => {
  it.each(Object.keys(CELLS) as LoadRunState['name'][])('%s', (name) => {
    expect(cellsOf(loadRunTransition, loadRunExamples)[name]).toEqual(CELLS[name]);
  });
});

const seqs = fc.bigInt({ min: 1n, max: 4n });
/** Batches of even seq have three parts, whoever claims them and whenever. */
const items = fc
  .record({
    isNewer: fc.constantFrom(false, false, false, true),
    seq: seqs,
    part: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ isNewer, seq, part }) =>
    itemOf(seq, {
      ...(isNewer ? { epoch: 8, tenure: 'b' } : {}),
      ...(seq % 2n === 0n ? { part, lastPart: part === 2 } : {}),
    }),
  );
const events: fc.Arbitrary<LoadRunEvent> = fc.oneof(
  { weight: 6, arbitrary: items.map((item): LoadRunEvent => ({ type: 'claimed', item })) },
  { weight: 3, arbitrary: fc.constant<LoadRunEvent>({ type: 'took' }) },
  { weight: 4, arbitrary: fc.constantFrom<LoadRunEvent>({ type: 'applied' }, { type: 'part-done' }) },
  {
    weight: 1,
    arbitrary: fc
      .record({ seq: seqs, part: fc.integer({ min: 0, max: 2 }) })
      .map((lost): LoadRunEvent => ({ type: 'claim-lost', ...lost })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...Object.values<LoadRunEvent>(loadRunExamples.events).filter(({ type }) => type !== 'claimed'),
    ),
  },
);

/** Answers come only to what was asked, and parts are answered as parts. */
function isAnswerable(state: LoadRunState, event: LoadRunEvent): boolean {
  if (event.type === 'applied') return state.name === 'loading';
  if (event.type === 'part-done') return state.name === 'loading' && !state.item.lastPart;
  return true;
}

function walk(
  path: readonly LoadRunEvent[],
  look: (
    before: LoadRunState,
    event: LoadRunEvent,
    after: LoadRunState,
    actions: readonly LoadRunAction[],
  ) => void,
) {
  let state: LoadRunState = initialLoadRun;
  for (const event of path) {
    if (!isAnswerable(state, event)) continue;
    const next = loadRunTransition(state, event);
    look(state, event, next.state, next.actions);
    state = next.state;
  }
}

const nameOf = ({ epoch, seq, part }: LoadItem) => `${epoch}-${seq}.${part}`;

describe('load run, along any way', () => {
  const ways = fc.array(events, { maxLength: 60 });

  it('no claim is forgotten: each is held, finished, given back or lost', () => {
    fc.assert(
      fc.property(ways, (path) => {
        const open = new Set<string>();
        walk(path, (_, event, after, actions) => {
          if (event.type === 'claimed') open.add(nameOf(event.item));
          for (const action of actions) {
            if (action.type === 'let-go') for (const item of action.items) open.delete(nameOf(item));
            // The receipt takes all parts of its batch away.
            if (action.type === 'finish')
              for (const name of open)
                if (name.startsWith(`${action.item.epoch}-${action.item.seq}.`)) open.delete(name);
          }
          const held = new Set(heldBy(after).map(nameOf));
          if (event.type === 'claim-lost')
            for (const name of open)
              if (name.endsWith(`-${event.seq}.${event.part}`) && !held.has(name)) open.delete(name);
          for (const name of held) expect(open).toContain(name);
          for (const name of open)
            if (!held.has(name)) expect.unreachable(`${name} is forgotten after ${event.type}`);
        });
      }),
    );
  });

  it('within a run only the next part follows a part, and only the lowest batch begins', () => {
    fc.assert(
      fc.property(ways, (path) => {
        walk(path, (_before, _event, after, actions) => {
          for (const action of actions) {
            if (action.type !== 'load' || after.name !== 'loading') continue;
            for (const other of after.waiting)
              expect(
                other.seq > action.item.seq ||
                  (other.seq === action.item.seq && other.part > action.item.part),
              ).toBe(true);
            if (after.open !== null) {
              expect(action.item.seq).toBe(after.open.seq);
              expect(action.item.part).toBe(1 + (after.open.parts.at(-1)?.part ?? -1));
            }
          }
        });
      }),
    );
  });

  it('whatever was open is closed before the run goes to another reign, and when it ends', () => {
    fc.assert(
      fc.property(ways, (path) => {
        walk(path, (before, _, after, actions) => {
          const isOver = before.name !== 'idle' && after.name === 'idle';
          const isOther =
            before.name !== 'idle' && after.name !== 'idle' && before.reign.tenure !== after.reign.tenure;
          const types = actions.map(({ type }) => type);
          if (!isOver && !isOther) return;
          expect(types).toContain('close');
          expect(types.slice(0, types.indexOf('close'))).not.toContain('take');
          expect(types.slice(0, types.indexOf('close'))).not.toContain('let-go');
        });
      }),
    );
  });
});
