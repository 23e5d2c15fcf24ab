import { expect, test, vi } from 'vitest';
import { systemClock } from '../../../lib/clock.ts';

test('the wall clock is followed when somebody sets it; the monotonic one knows nothing of it', () => {
  const real = Date.now;
  const before = systemClock.nowMs();
  expect(Math.abs(before - real())).toBeLessThan(1000);
  const monotonic = systemClock.monotonicMs();
  const set = vi.spyOn(Date, 'now').mockImplementation(() => real() + 3_600_000);
  try {
    const after = systemClock.nowMs();
    expect(after - before).toBeGreaterThan(3_590_000);
    expect(systemClock.nowMs()).toBeGreaterThanOrEqual(after - 1);
    expect(systemClock.monotonicMs() - monotonic).toBeLessThan(3_000_000);
  } finally {
    set.mockRestore();
  }
  expect(systemClock.nowMs() - before).toBeLessThan(3_000_000);
});
