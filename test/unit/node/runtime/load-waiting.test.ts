import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../../lib/clock.ts';
import { LoadWaiting } from '../../../../node/runtime/load-waiting.ts';

class ManualClock implements Clock {
  #ms = 0;
  nowMs = () => this.#ms;
  monotonicMs = () => this.#ms;
  sleep = () => Promise.resolve();
  advance(ms: number): void {
    this.#ms += ms;
  }
}

describe('what Load waits for', () => {
  test('a lock is named from the second second on, also while it is tried again, until the batch is through', () => {
    const clock = new ManualClock();
    const waiting = new LoadWaiting(clock);
    const executing = { kind: 'executing', seq: 7n, careful: false } as const;
    expect(waiting.textOf(executing)).toBeNull();
    clock.advance(10_000);
    expect(waiting.textOf({ kind: 'conflict', seq: 7n, attempt: 0 })).toBe(
      'waiting for a lock at the target',
    );
    expect(waiting.textOf(executing)).toBe('waiting for a lock at the target');
    expect(waiting.textOf({ ...executing, seq: 8n })).toBeNull();
    expect(waiting.textOf({ kind: 'idle' })).toBeNull();
    expect(waiting.textOf(executing)).toBeNull();
  });

  test('a deadlock is no wait', () => {
    const waiting = new LoadWaiting(new ManualClock());
    waiting.textOf({ kind: 'executing', seq: 7n, careful: false });
    expect(waiting.textOf({ kind: 'conflict', seq: 7n, attempt: 0 })).toBeNull();
    expect(waiting.textOf({ kind: 'executing', seq: 7n, careful: false })).toBeNull();
  });
});
