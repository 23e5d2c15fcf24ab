import { expect, test } from 'vitest';
import type { Clock } from '../../../../lib/clock.ts';
import { RateMeter } from '../../../../node/status/rate.ts';

test('RateMeter gives the rate over the last five whole seconds and forgets older ones', () => {
  let ms = 10_000;
  const clock: Clock = { nowMs: () => ms, monotonicMs: () => ms, sleep: () => Promise.resolve() };
  const meter = new RateMeter(clock);
  expect(meter.perSecond()).toBe(0);
  for (let i = 0; i < 5; i++) {
    meter.add(100);
    ms += 1000;
  }
  expect(meter.perSecond()).toBe(100);
  ms += 2000;
  expect(meter.perSecond()).toBe(60);
  ms += 60_000;
  expect(meter.report()).toEqual({ total: 500, perSecond: 0 });
});
