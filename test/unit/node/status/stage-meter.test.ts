import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../../lib/clock.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { StageMeter } from '../../../../node/status/local-status.ts';

describe('StageMeter', () => {
  let ms = 10_000;
  const clock: Clock = { nowMs: () => ms, monotonicMs: () => ms, sleep: () => Promise.resolve() };
  const trouble = new HoltError('HOLT_TREE_SESSION_LOST', 'the session is over', { disposition: 'retry' });

  it('shows trouble while something is at hand, however long it takes', () => {
    const meter = new StageMeter(clock);
    meter.activeFrom(() => 1);
    meter.trouble(trouble);
    ms += 3_600_000;
    expect(meter.report().problem?.code).toBe('HOLT_TREE_SESSION_LOST');
    meter.trouble(null);
    expect(meter.report().problem).toBeNull();
  });

  it('shows it between two attempts, and forgets it when the work went elsewhere', () => {
    const meter = new StageMeter(clock);
    meter.activeFrom(() => 0);
    meter.trouble(trouble);
    ms += 1_000;
    expect(meter.report().problem?.code).toBe('HOLT_TREE_SESSION_LOST');
    ms += 10_000;
    expect(meter.report().problem).toBeNull();
  });
});
