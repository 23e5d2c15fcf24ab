import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideMismatch,
  decideTake,
  type Expectation,
  type RowState,
} from '../../../../../stages/load/target/decide-mismatch.ts';

const own: Expectation = {
  epoch: 5,
  tenure: 'T',
  loader: 'L',
  seq: 10n,
  targetIdentity: 'S',
  beforeInFlight: false,
};
const row = (change: Partial<RowState> = {}): RowState => ({
  epoch: 5,
  tenure: 'T',
  loader: 'L',
  seq: 9n,
  targetIdentity: 'S',
  ...change,
});

describe('decideMismatch()', () => {
  it.each<[string, RowState | null, Partial<Expectation>, string]>([
    ['own tenure, seq as high', row({ seq: 10n }), {}, 'repeat'],
    ['own tenure, seq higher', row({ seq: 12n }), {}, 'repeat'],
    ['own tenure, seq as high, another loader since', row({ seq: 10n, loader: 'M' }), {}, 'repeat'],
    ['row behind, the batch before in flight', row({ seq: 8n }), { beforeInFlight: true }, 'wait'],
    ['row behind, nothing in flight', row({ seq: 8n }), {}, 'rewind'],
    ['row just before, so the position differs', row(), { beforeInFlight: true }, 'rewind'],
    ['another loader', row({ loader: 'M' }), {}, 'lost-run'],
    ['no loader', row({ loader: null }), {}, 'lost-run'],
    ['higher epoch', row({ epoch: 6, tenure: 'U' }), {}, 'superseded'],
    ['higher epoch on another server', row({ epoch: 6, tenure: 'U', targetIdentity: 'R' }), {}, 'superseded'],
    ['lower epoch', row({ epoch: 4, tenure: 'U' }), {}, 'rewind'],
    ['another server', row({ targetIdentity: 'R', seq: 10n }), {}, 'rewind'],
    ['the same epoch of another tenure', row({ tenure: 'U', seq: 10n }), {}, 'rewind'],
    ['no row', null, {}, 'stop'],
  ])('%s', (_, state, expectation, kind) => {
    expect(decideMismatch(state, { ...own, ...expectation }).kind).toBe(kind);
  });

  const states = fc.record({
    epoch: fc.integer({ min: 4, max: 6 }),
    tenure: fc.constantFrom('T', 'U'),
    loader: fc.constantFrom('L', 'M', null),
    seq: fc.bigInt({ min: 7n, max: 12n }),
    targetIdentity: fc.constantFrom('S', 'R'),
  });

  it('says repeat only of what this tenure has committed on this server', () => {
    fc.assert(
      fc.property(states, fc.boolean(), (state, beforeInFlight) => {
        if (decideMismatch(state, { ...own, beforeInFlight }).kind !== 'repeat') return;
        expect(state).toMatchObject({ epoch: 5, tenure: 'T', targetIdentity: 'S' });
        expect(state.seq >= 10n).toBe(true);
      }),
    );
  });

  it('waits only as the holder of the run, and only for what may still come', () => {
    fc.assert(
      fc.property(states, fc.boolean(), (state, beforeInFlight) => {
        if (decideMismatch(state, { ...own, beforeInFlight }).kind !== 'wait') return;
        expect(beforeInFlight).toBe(true);
        expect(state).toMatchObject({ epoch: 5, tenure: 'T', loader: 'L' });
        expect(state.seq < 9n).toBe(true);
      }),
    );
  });
});

describe('decideTake()', () => {
  it('lets the run be taken exactly from a row of this reign on this server, whoever holds it', () => {
    for (const loader of ['L', 'M', null]) expect(decideTake(row({ loader, seq: 99n }), own)).toBe(null);
    expect(decideTake(null, own)).toEqual({ kind: 'stop' });
    expect(decideTake(row({ epoch: 6 }), own)?.kind).toBe('superseded');
    for (const change of [{ epoch: 4 }, { tenure: 'U' }, { targetIdentity: 'R' }])
      expect(decideTake(row(change), own)?.kind).toBe('rewind');
  });
});
