import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  initialMainstem,
  type MainstemEvent,
  type MainstemState,
  mainstemTransition,
} from '../../../../scheduler/machine/mainstem-life.ts';
import { type Cells, cellsOf } from '../../../support/transition-cells.ts';
import { mainstemExamples } from './examples.ts';

/** Every cell, in words. A state or an event without its row or column does not compile. */
const CELLS: Cells<MainstemState, MainstemEvent> = {
  follower: {
    want: 'locking: make-lock',
    'lock-made': 'letting-go: remove-lock',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'stay',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'stay',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'stay',
    release: 'stay',
    released: 'stay',
  },
  locking: {
    want: 'stay',
    'lock-made': 'reading: read-row',
    'lock-refused': 'follower',
    'row-read': 'stay',
    raise: 'stay',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'stay',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'follower',
    release: 'follower',
    released: 'stay',
  },
  reading: {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'holding',
    raise: 'stay',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'stay',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'follower',
    release: 'letting-go: remove-lock',
    released: 'stay',
  },
  holding: {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'preparing: read-tree',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'stay',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'follower',
    release: 'letting-go: remove-lock',
    released: 'stay',
  },
  preparing: {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'stay',
    'tree-read': 'raising: raise-target',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'holding',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'follower',
    release: 'letting-go: remove-lock',
    released: 'stay',
  },
  raising: {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'stay',
    'tree-read': 'stay',
    'target-raised': 'proclaiming: proclaim',
    'target-refused': 'letting-go: remove-lock',
    'target-failed': 'holding',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'follower',
    release: 'letting-go: remove-lock',
    released: 'stay',
  },
  proclaiming: {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'stay',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'holding',
    proclaimed: 'clearing: clear',
    'proclaim-refused': 'letting-go: remove-lock',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'follower',
    release: 'letting-go: remove-lock',
    released: 'stay',
  },
  clearing: {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'stay',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'holding',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'reigning: begin-reign',
    superseded: 'holding',
    lost: 'follower',
    release: 'letting-go: remove-lock',
    released: 'stay',
  },
  reigning: {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'preparing: end-reign, read-tree',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'stay',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'holding: end-reign',
    lost: 'follower: end-reign',
    release: 'letting-go: end-reign, remove-lock',
    released: 'stay',
  },
  'letting-go': {
    want: 'stay',
    'lock-made': 'stay',
    'lock-refused': 'stay',
    'row-read': 'stay',
    raise: 'stay',
    'tree-read': 'stay',
    'target-raised': 'stay',
    'target-refused': 'stay',
    'target-failed': 'stay',
    proclaimed: 'stay',
    'proclaim-refused': 'stay',
    cleared: 'stay',
    superseded: 'stay',
    lost: 'follower',
    release: 'stay',
    released: 'follower',
  },
};

describe('mainstem life, cell by cell', () => {
  it.each(Object.keys(CELLS) as MainstemState['name'][])('%s', (name) => {
    expect(cellsOf(mainstemTransition, mainstemExamples)[name]).toEqual(CELLS[name]);
  });
});

const taking = fc.integer({ min: 1, max: 3 });
const events: fc.Arbitrary<MainstemEvent> = fc.oneof(
  ...Object.values<MainstemEvent>(mainstemExamples.events).map((event) => fc.constant(event)),
  taking.map((number): MainstemEvent => ({ type: 'lock-made', taking: number })),
  // The way of a raise that goes well, so that walks get far.
  ...(
    ['want', 'lock-made', 'row-read', 'raise', 'tree-read', 'target-raised', 'proclaimed', 'cleared'] as const
  ).flatMap((type) => [
    fc.constant(mainstemExamples.events[type]),
    fc.constant(mainstemExamples.events[type]),
  ]),
);

describe('mainstem life, along any way', () => {
  /** Runs the events and gives every action with the state that it led to. */
  function walk(path: readonly MainstemEvent[]) {
    let state: MainstemState = initialMainstem;
    return path.flatMap((event) => {
      const before = state;
      const next = mainstemTransition(state, event);
      state = next.state;
      return next.actions.map((action) => ({ action, before, after: next.state, event }));
    });
  }
  const ways = fc.array(events, { maxLength: 60 });

  it('one reign begins only after the one before has ended', () => {
    fc.assert(
      fc.property(ways, (path) => {
        let reigns = 0;
        for (const { action } of walk(path)) {
          if (action.type === 'begin-reign') reigns += 1;
          if (action.type === 'end-reign') reigns -= 1;
          expect([0, 1]).toContain(reigns);
        }
      }),
    );
  });

  it('a reign begins only when it was proclaimed, and that only after the target was raised under the lock', () => {
    fc.assert(
      fc.property(ways, (path) => {
        const order: string[] = [];
        for (const { action } of walk(path)) {
          if (action.type === 'make-lock' || action.type === 'remove-lock') order.length = 0;
          order.push(action.type);
          if (action.type === 'begin-reign') {
            const way = order.filter((type) => type !== 'end-reign');
            expect(way.slice(-5)).toEqual(['read-tree', 'raise-target', 'proclaim', 'clear', 'begin-reign']);
            expect(way).toContain('make-lock');
          }
        }
      }),
    );
  });

  it('whoever lost the lock does nothing more until it wants it again', () => {
    const isContest = ({ type }: MainstemEvent) => type === 'want' || type === 'lock-made';
    fc.assert(
      fc.property(ways, ways, (before, after) => {
        const lost = [...before, mainstemExamples.events.lost];
        const late = after.filter((event) => !isContest(event));
        expect(walk([...lost, ...late]).length).toBe(walk(lost).length);
      }),
    );
  });

  it('a rewind goes by its own epoch and tenure, never by what it would read anew', () => {
    fc.assert(
      fc.property(ways, (path) => {
        for (const { action, before } of walk(path))
          if (action.type === 'raise-target' && before.name === 'preparing')
            expect(action.basis).toEqual(before.basis);
        const rewinds = walk(path).filter(
          ({ before, event }) => before.name === 'reigning' && event.type === 'raise',
        );
        for (const { before, after } of rewinds)
          if (before.name === 'reigning' && after.name === 'preparing')
            expect(after.basis).toEqual({
              takeOver: false,
              seenEpoch: before.raised.epoch,
              ownTenure: before.raised.tenure,
            });
      }),
    );
  });
});
