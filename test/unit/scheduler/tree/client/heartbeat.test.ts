import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Heartbeat } from '../../../../../scheduler/tree/client/heartbeat.ts';
import type { Refusal } from '../../../../../scheduler/tree/client/link.ts';
import { HeldLink } from './held-link.ts';

const timeoutMs = 6_000;

describe('the heartbeat', () => {
  let link: HeldLink;
  let heartbeat: Heartbeat;
  let answers: {
    readonly sentAtMs: number;
    readonly latencyMs: number;
    readonly refusal: Refusal | undefined;
  }[];
  let silences: string[];
  beforeEach(() => {
    vi.useFakeTimers();
    link = new HeldLink();
    answers = [];
    silences = [];
    heartbeat = new Heartbeat({
      link,
      timeoutMs,
      clock: { nowMs: Date.now, monotonicMs: Date.now, sleep: async () => {} },
      answered: (sentAtMs, latencyMs, refusal) => answers.push({ sentAtMs, latencyMs, refusal }),
      pinged: () => {},
      silent: (reason) => silences.push(reason),
    });
  });
  afterEach(() => {
    heartbeat.stop();
    vi.useRealTimers();
  });

  const ops = () => link.sent.map((sent) => sent.op).join(' ');
  const answer = () => {
    for (const sent of link.sent.splice(0)) sent.ok();
  };

  it('probes at once, then by turns with pings, once each a third of the timeout', async () => {
    expect(ops()).toBe('sync');
    let all = '';
    for (let beat = 0; beat < 12; beat++) {
      all += `${ops()} `;
      answer();
      await vi.advanceTimersByTimeAsync(timeoutMs / 6);
    }
    expect(all.trim()).toBe('sync ping sync ping sync ping sync ping sync ping sync ping');
  });

  it('leaves out pings while other requests go, never probes', async () => {
    let all = '';
    for (let step = 0; step < 24; step++) {
      all += ops();
      answer();
      await vi.advanceTimersByTimeAsync(timeoutMs / 24);
      heartbeat.noteSent();
    }
    expect(all).toBe('syncsyncsync');
  });

  it('tells of an answer when its probe was sent', async () => {
    const sentAtMs = Date.now();
    await vi.advanceTimersByTimeAsync(700);
    answer();
    expect(answers).toEqual([{ sentAtMs, latencyMs: 700, refusal: undefined }]);
  });

  it('finds a server silent after a third of the timeout, and not before', async () => {
    await vi.advanceTimersByTimeAsync(timeoutMs / 3 - 1);
    expect(silences).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(silences).toEqual(['no answer to a probe within 2000 ms']);
  });

  it('gives the socket a last turn: an answer that waits there counts', async () => {
    // After a stall of the process the overdue timer runs first, then the socket is read.
    vi.advanceTimersByTime(timeoutMs / 3);
    answer();
    await vi.advanceTimersByTimeAsync(10);
    expect(silences).toEqual([]);
  });

  it('is over with its stop', async () => {
    heartbeat.stop();
    answer();
    await vi.advanceTimersByTimeAsync(10 * timeoutMs);
    expect(answers).toEqual([]);
    expect(silences).toEqual([]);
    expect(link.sent).toEqual([]);
  });
});
