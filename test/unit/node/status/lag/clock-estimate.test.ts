import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClockEstimate, offsetOf } from '../../../../../node/status/lag/clock-estimate.ts';

describe('ClockEstimate', () => {
  test('halves the round trip, and is wrong by half of it at most', () => {
    expect(offsetOf({ theirsMs: 5_000, askedMs: 1_000, answeredMs: 1_200 })).toEqual({
      offsetMs: 3_900,
      errorMs: 100,
      measuredMs: 1_100,
    });
  });

  test('takes the shortest round trip of the last ones, and trusts it less as it ages', () => {
    const clock = new ClockEstimate();
    expect(clock.at(0)).toBeNull();
    clock.add({ theirsMs: 3_010, askedMs: 0, answeredMs: 40 });
    clock.add({ theirsMs: 3_101, askedMs: 100, answeredMs: 102 });
    clock.add({ theirsMs: 3_215, askedMs: 200, answeredMs: 240 });
    expect(clock.at(240)).toMatchObject({ offsetMs: 3_000 });
    expect(clock.at(240)?.errorMs).toBeCloseTo(1, 1);
    expect(clock.at(30_101)?.errorMs).toBeCloseTo(4, 1);
  });

  test('a clock that was set makes what was measured before void', () => {
    const clock = new ClockEstimate();
    clock.add({ theirsMs: 101, askedMs: 100, answeredMs: 100.2 });
    clock.add({ theirsMs: -2_700, askedMs: 299, answeredMs: 309 });
    expect(clock.at(310)).toMatchObject({ offsetMs: -3_004 });
  });

  test('holds the truth, whichever way the delays fall', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -5_000, max: 5_000, noNaN: true }),
        fc.array(
          fc.record({
            there: fc.double({ min: 0, max: 80, noNaN: true }),
            back: fc.double({ min: 0, max: 80, noNaN: true }),
          }),
          { minLength: 1, maxLength: 30 },
        ),
        (offset, trips) => {
          const clock = new ClockEstimate();
          let nowMs = 0;
          for (const { there, back } of trips) {
            const askedMs = nowMs;
            clock.add({ theirsMs: askedMs + there + offset, askedMs, answeredMs: askedMs + there + back });
            nowMs = askedMs + there + back + 100;
          }
          const found = clock.at(nowMs);
          expect(Math.abs((found?.offsetMs ?? 0) - offset)).toBeLessThanOrEqual((found?.errorMs ?? 0) + 1e-6);
        },
      ),
    );
  });
});
