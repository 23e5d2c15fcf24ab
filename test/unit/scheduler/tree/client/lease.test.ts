import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeaseClock, leaseMarginMs } from '../../../../../scheduler/tree/client/lease.ts';

function granted(timeoutMs: number, atMs: number): LeaseClock {
  const lease = new LeaseClock();
  lease.begin();
  lease.grant(timeoutMs, atMs, atMs);
  return lease;
}

describe('the lease', () => {
  it('is over before there is a session', () => {
    expect(new LeaseClock().remainingMs(0)).toBe(Number.NEGATIVE_INFINITY);
  });

  it('counts from the sending, less a margin', () => {
    const lease = granted(4_000, 100);
    expect(lease.remainingMs(100)).toBe(3_000);
    expect(lease.confirm(1_000, 1_900)).toBe(true);
    expect(lease.remainingMs(1_900)).toBe(2_100);
  });

  it('does not take an older confirmation for a newer one', () => {
    const lease = granted(4_000, 0);
    lease.confirm(1_000, 1_100);
    lease.confirm(500, 1_200);
    expect(lease.remainingMs(1_200)).toBe(2_800);
  });

  it('does not come back once it has run out', () => {
    const lease = granted(4_000, 0);
    expect(lease.remainingMs(3_000)).toBe(0);
    expect(lease.confirm(2_999, 3_000)).toBe(false);
    expect(lease.remainingMs(3_000)).toBeLessThanOrEqual(0);
    lease.grant(4_000, 3_000, 3_000);
    expect(lease.remainingMs(3_000)).toBeLessThanOrEqual(0);
  });

  it('runs out between two looks', () => {
    const lease = granted(4_000, 0);
    expect(lease.confirm(10, 5_000)).toBe(false);
    expect(lease.remainingMs(5_000)).toBeLessThanOrEqual(0);
  });

  it('begins anew with a session', () => {
    const lease = granted(4_000, 0);
    lease.revoke();
    expect(lease.remainingMs(1)).toBeLessThanOrEqual(0);
    lease.begin();
    lease.grant(2_000, 10_000, 10_000);
    expect(lease.remainingMs(10_000)).toBe(1_500);
  });

  it('never promises more than the last confirmed sending and the margin allow', () => {
    const step = fc.record({ waitMs: fc.nat(3_000), roundTripMs: fc.nat(2_000), answers: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const timeoutMs = 4_000;
        const lease = granted(timeoutMs, 0);
        let nowMs = 0;
        let lastSentMs = 0;
        let wasOver = false;
        for (const { waitMs, roundTripMs, answers } of steps) {
          nowMs += waitMs;
          const sentMs = nowMs;
          nowMs += roundTripMs;
          if (answers && lease.confirm(sentMs, nowMs)) lastSentMs = sentMs;
          const remainingMs = lease.remainingMs(nowMs);
          expect(remainingMs).toBeLessThanOrEqual(lastSentMs + timeoutMs - leaseMarginMs(timeoutMs) - nowMs);
          if (wasOver) expect(remainingMs).toBeLessThanOrEqual(0);
          wasOver = remainingMs <= 0;
        }
      }),
    );
  });
});
