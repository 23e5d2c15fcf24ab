import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClaimEvent,
  type ClaimState,
  claimTransition,
  initialClaim,
} from '../../../../scheduler/machine/claim-life.ts';
import { type Cells, cellsOf } from '../../../support/transition-cells.ts';
import { claimExamples } from './examples.ts';

/** Every cell, in words. A state or an event without its row or column does not compile. */
const CELLS: Cells<ClaimState, ClaimEvent> = {
  claiming: {
    made: 'held: grant',
    refused: 'settled',
    'hand-over': 'stay',
    done: 'stay',
    'epoch-refused': 'stay',
    'claim-refused': 'stay',
    unknown: 'stay',
    unsent: 'stay',
    rejected: 'stay',
    'found-done': 'stay',
    'found-undone': 'stay',
    release: 'releasing: remove-lock',
    released: 'stay',
    lost: 'settled',
    superseded: 'releasing: remove-lock',
  },
  held: {
    made: 'stay',
    refused: 'stay',
    'hand-over': 'handing: send-hand-over',
    done: 'stay',
    'epoch-refused': 'stay',
    'claim-refused': 'stay',
    unknown: 'stay',
    unsent: 'stay',
    rejected: 'stay',
    'found-done': 'stay',
    'found-undone': 'stay',
    release: 'releasing: remove-lock',
    released: 'stay',
    lost: 'settled: abort',
    superseded: 'settled: abort',
  },
  handing: {
    made: 'stay',
    refused: 'stay',
    'hand-over': 'stay',
    done: 'settled',
    'epoch-refused': 'settled: abort',
    'claim-refused': 'settled: abort',
    unknown: 'finding-out: find-out',
    unsent: 'handing: send-hand-over',
    rejected: 'held',
    'found-done': 'stay',
    'found-undone': 'stay',
    release: 'stay',
    released: 'stay',
    lost: 'settled: abort',
    superseded: 'settled: abort',
  },
  'finding-out': {
    made: 'stay',
    refused: 'stay',
    'hand-over': 'stay',
    done: 'settled',
    'epoch-refused': 'settled: abort',
    'claim-refused': 'settled: abort',
    unknown: 'stay',
    unsent: 'stay',
    rejected: 'stay',
    'found-done': 'settled',
    'found-undone': 'handing: send-hand-over',
    release: 'stay',
    released: 'stay',
    lost: 'settled: abort',
    superseded: 'settled: abort',
  },
  releasing: {
    made: 'stay',
    refused: 'stay',
    'hand-over': 'stay',
    done: 'stay',
    'epoch-refused': 'stay',
    'claim-refused': 'stay',
    unknown: 'stay',
    unsent: 'stay',
    rejected: 'stay',
    'found-done': 'stay',
    'found-undone': 'stay',
    release: 'stay',
    released: 'settled',
    lost: 'settled',
    superseded: 'stay',
  },
  settled: {
    made: 'stay',
    refused: 'stay',
    'hand-over': 'stay',
    done: 'stay',
    'epoch-refused': 'stay',
    'claim-refused': 'stay',
    unknown: 'stay',
    unsent: 'stay',
    rejected: 'stay',
    'found-done': 'stay',
    'found-undone': 'stay',
    release: 'stay',
    released: 'stay',
    lost: 'stay',
    superseded: 'stay',
  },
};

describe('claim life, cell by cell', () => {
  it.each(Object.keys(CELLS) as ClaimState['name'][])('%s', (name) => {
    expect(cellsOf(claimTransition, claimExamples)[name]).toEqual(CELLS[name]);
  });
});

describe('claim life, along any way', () => {
  const events = fc.constantFrom(...Object.values<ClaimEvent>(claimExamples.events));
  const ways = fc.array(events, { maxLength: 40 });

  it('settled is the end, and the lost signal fires once at most', () => {
    fc.assert(
      fc.property(ways, (path) => {
        let state: ClaimState = initialClaim;
        let aborts = 0;
        for (const event of path) {
          const wasSettled = state.name === 'settled';
          const next = claimTransition(state, event);
          if (wasSettled) expect(next).toEqual({ state, actions: [] });
          state = next.state;
          aborts += next.actions.filter(({ type }) => type === 'abort').length;
          if (state.name === 'settled' && aborts > 0) expect(['lost', 'superseded']).toContain(state.end);
        }
        expect(aborts).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('nothing is sent for a claim that is not held', () => {
    fc.assert(
      fc.property(ways, (path) => {
        let state: ClaimState = initialClaim;
        let isHeld = false;
        for (const event of path) {
          const { state: after, actions } = claimTransition(state, event);
          for (const action of actions) {
            if (action.type === 'grant') isHeld = true;
            if (action.type === 'send-hand-over') expect(isHeld).toBe(true);
          }
          if (after.name === 'settled' || after.name === 'releasing') isHeld = false;
          state = after;
        }
      }),
    );
  });

  it('after a lost answer it finds out before it sends again', () => {
    fc.assert(
      fc.property(ways, (path) => {
        let state: ClaimState = initialClaim;
        let isUnknown = false;
        for (const event of path) {
          const next = claimTransition(state, event);
          if (state.name === 'handing' && event.type === 'unknown') isUnknown = true;
          if (event.type === 'found-undone') isUnknown = false;
          if (next.actions.some(({ type }) => type === 'send-hand-over')) expect(isUnknown).toBe(false);
          if (next.state.name === 'settled' || next.state.name === 'held') isUnknown = false;
          state = next.state;
        }
      }),
    );
  });
});
