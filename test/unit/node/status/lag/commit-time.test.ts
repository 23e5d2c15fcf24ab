import { describe, expect, test } from 'vitest';
import { commitMoment } from '../../../../../node/status/lag/commit-time.ts';

/** Our monotonic clock shows 0 when the source's shows one million seconds. */
const clock = { offsetMs: 1e9, errorMs: 2, measuredMs: 0 };
const us = (ms: number) => (1e9 + ms) * 1_000;
const bracket = { fromMs: 1_200, toMs: 1_300 };
const open = { fromMs: null, toMs: null };

describe('commitMoment()', () => {
  test('is what the log says, where it says it exactly', () => {
    const facts = { commitUs: us(1_250.5), isExact: true, bracket, takenMs: 1_320, clock };
    expect(commitMoment(facts)).toEqual({ atMs: 1_250.5, errorMs: 2 });
    expect(commitMoment({ ...facts, bracket: open })).toEqual({ atMs: 1_250.5, errorMs: 2 });
  });

  test('what is noted a moment before the log has it is not before the look that did not see it', () => {
    const facts = { commitUs: us(1_180), isExact: true, bracket, takenMs: 1_320, clock };
    expect(commitMoment(facts)).toEqual({ atMs: 1_200, errorMs: 20 });
  });

  test("is between two looks, when the source's clock was set since it was measured", () => {
    const facts = { commitUs: us(-1_750), isExact: true, bracket, takenMs: 1_320, clock };
    expect(commitMoment(facts)).toEqual({ atMs: 1_250, errorMs: 50 });
  });

  test('is between two looks, where the log says the second only', () => {
    const facts = { commitUs: us(1_000), isExact: false, bracket, takenMs: 1_320, clock };
    expect(commitMoment(facts)).toEqual({ atMs: 1_250, errorMs: 50 });
    // The second may begin after the first look, and what was taken was committed.
    expect(commitMoment({ ...facts, commitUs: us(1_262) })).toEqual({ atMs: 1_280, errorMs: 20 });
    expect(commitMoment({ ...facts, takenMs: 1_240 })).toEqual({ atMs: 1_220, errorMs: 20 });
  });

  test('is in its second, where nobody looked and the log says no more', () => {
    const facts = { commitUs: us(1_000), isExact: false, bracket: open, takenMs: 9_000, clock };
    expect(commitMoment(facts)).toEqual({ atMs: 1_500, errorMs: 502 });
  });

  test("says that it does not know, where neither looks nor the source's clock are known", () => {
    const facts = { commitUs: us(1_000), isExact: true, bracket: open, takenMs: 9_000, clock: null };
    expect(commitMoment(facts)).toEqual({ atMs: 9_000, errorMs: null });
    expect(commitMoment({ ...facts, bracket })).toEqual({ atMs: 1_250, errorMs: 50 });
  });

  test('a clock that says a time after the transaction was read is not believed', () => {
    const facts = { commitUs: us(4_000), isExact: false, bracket, takenMs: 1_320, clock };
    expect(commitMoment(facts)).toEqual({ atMs: 1_250, errorMs: 50 });
  });
});
