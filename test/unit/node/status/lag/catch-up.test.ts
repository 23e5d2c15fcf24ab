import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catchUpMs } from '../../../../../node/status/lag/catch-up.ts';

const line = (fromMs: number, slope: number, count = 20) =>
  Array.from({ length: count }, (_, i) => ({
    atMs: i * 500,
    lagMs: fromMs + slope * i * 500,
    bytes: null,
  }));

describe('catchUpMs()', () => {
  test('is 0 when nothing is behind, and not known before it was seen for a while', () => {
    expect(catchUpMs([])).toBeNull();
    expect(catchUpMs([{ atMs: 0, lagMs: 200, bytes: 9_000 }])).toBe(0);
    expect(catchUpMs(line(60_000, -1, 3))).toBeNull();
  });

  test('no end is in sight while the lag grows or stays', () => {
    expect(catchUpMs(line(20_000, 1))).toBeNull();
    expect(catchUpMs(line(20_000, 0))).toBeNull();
  });

  test('a lag that shrinks evenly is over when it says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 20_000, max: 5_000_000 }),
        fc.double({ min: 0.05, max: 1.5, noNaN: true }),
        (fromMs, speed) => {
          const samples = line(fromMs, -speed);
          const last = samples.at(-1)?.lagMs ?? 0;
          const predicted = catchUpMs(samples) ?? Number.NaN;
          expect(Math.abs(predicted - last / speed)).toBeLessThanOrEqual(1 + (last / speed) * 1e-6);
        },
      ),
    );
  });

  test('batches that take steps off a lag that grows in between do not confuse it', () => {
    // Every 2 s a batch of 4 s arrives: in 10 s the lag shrinks by 10 s.
    const samples = Array.from({ length: 31 }, (_, i) => {
      const atMs = i * 500;
      return { atMs, lagMs: 40_000 + atMs - Math.floor(atMs / 2_000) * 4_000, bytes: null };
    });
    const last = samples.at(-1)?.lagMs ?? 0;
    expect(Math.abs((catchUpMs(samples) ?? 0) / last - 1)).toBeLessThan(0.2);
  });

  test('the end of a backlog behind which nothing follows is told by the bytes, while its age still grows', () => {
    const samples = line(20_000, 0.4).map((one, i) => ({ ...one, bytes: 5_000_000 - i * 50_000 }));
    expect(catchUpMs(samples)).toBe(40_500);
    // A source that writes more than is applied.
    expect(catchUpMs(line(20_000, -0.4).map((one, i) => ({ ...one, bytes: i * 50_000 })))).toBeNull();
  });
});
