import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BatchHeader } from '../../../model/batch.ts';
import { newTenure } from '../../../model/ids.ts';
import { Window } from '../../../scheduler/window.ts';
import { batchHeaderOf, freshPipeline, receiptOf } from '../../support/scheduler-fixtures.ts';

const reign = { pipeline: freshPipeline(), epoch: 3, tenure: newTenure() };
const forever = new AbortController().signal;

function batch(seq: bigint, bytes: number, part = 0, lastPart = true): BatchHeader {
  const header = batchHeaderOf(reign, seq, { part, lastPart });
  return { ...header, payload: { ...header.payload, bytes } };
}

const windowOf = (maxBatches: number, maxBytes: number, seq = 0n) =>
  new Window({ tenure: reign.tenure, seq, maxBatches, maxBytes });

/** Whether a promise has settled by the next turn. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  const turn = new Promise((resolve) => setImmediate(() => resolve(pending)));
  return (await Promise.race([promise.catch(() => {}), turn])) !== pending;
}

describe('Window', () => {
  it('bounds batches by count', async () => {
    const window = windowOf(2, 1_000);
    window.add(batch(1n, 10));
    expect(window.hasRoom(10)).toBe(true);
    window.add(batch(2n, 10));
    expect(window.hasRoom(10)).toBe(false);
    const room = window.room(10, forever);
    expect(await isSettled(room)).toBe(false);
    expect(window.receive(receiptOf(batch(1n, 10))).map(({ seq }) => seq)).toEqual(['1']);
    await room;
  });

  it('bounds batches by bytes, and lets one that is larger pass alone', () => {
    const window = windowOf(10, 100);
    expect(window.hasRoom(5_000)).toBe(true);
    window.add(batch(1n, 5_000));
    expect(window.hasRoom(1)).toBe(false);
    window.receive(receiptOf(batch(1n, 0)));
    window.add(batch(2n, 60));
    expect(window.hasRoom(40)).toBe(true);
    expect(window.hasRoom(41)).toBe(false);
  });

  it('spreads batches over a long flight, by the shortest of late, and leaves short ones alone', () => {
    let nowMs = 0;
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
    const window = new Window({ tenure: reign.tenure, seq: 0n, maxBatches: 5, maxBytes: 100, clock });
    let seq = 0n;
    const fly = (ms: number) => {
      seq += 1n;
      window.add(batch(seq, 1));
      nowMs += ms;
      window.receive(receiptOf(batch(seq, 1)));
      return window.paceMs;
    };
    expect(window.paceMs).toBe(0);
    expect([500, 2_000, 400].map(fly)).toEqual([100, 100, 80]);
    expect(Array.from({ length: 8 }, () => fly(600)).at(-1)).toBe(120);
    expect(fly(99)).toBe(0);
  });

  it('has as many places again over a long flight, while what is in flight is small', () => {
    let nowMs = 0;
    const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.resolve() };
    const window = new Window({ tenure: reign.tenure, seq: 0n, maxBatches: 3, maxBytes: 100, clock });
    window.add(batch(1n, 1));
    nowMs = 300;
    window.receive(receiptOf(batch(1n, 1)));
    const fill = (from: bigint, bytes: number): bigint => {
      let seq = from;
      while (window.hasRoom(bytes)) {
        window.add(batch(seq, bytes));
        seq += 1n;
      }
      return seq - from;
    };
    expect(fill(2n, 2)).toBe(6n);
    nowMs = 600;
    window.receive(receiptOf(batch(7n, 2)));
    // The fourth would be beyond a quarter of the bytes.
    expect(fill(8n, 8)).toBe(3n);
  });

  it('frees all batches up to the receipt, in order', () => {
    const window = windowOf(10, 100);
    for (const seq of [1n, 2n, 3n]) window.add(batch(seq, 10));
    expect(window.receive(receiptOf(batch(2n, 0))).map(({ seq }) => seq)).toEqual(['1', '2']);
    expect(window.receivedSeq).toBe(2n);
    expect(window.inFlightBytes).toBe(10);
    expect(window.receive(receiptOf(batch(1n, 0)))).toEqual([]);
    expect(window.receivedSeq).toBe(2n);
  });

  it('ignores receipts and progress of other tenures', () => {
    const window = windowOf(1, 100);
    window.add(batch(1n, 10));
    expect(window.receive(receiptOf(batch(1n, 0), { tenure: newTenure() }))).toEqual([]);
    window.progress({ version: 1, epoch: 3, tenure: newTenure(), seq: '1', part: 0 });
    expect(window.inFlightBytes).toBe(10);
  });

  it('lets a transaction larger than the window pass in parts, as Load executes them', async () => {
    const window = windowOf(2, 100);
    window.add(batch(1n, 90, 0, false));
    expect(window.hasRoom(90)).toBe(false);
    const room = window.room(90, forever);
    window.progress({ version: 1, epoch: 3, tenure: reign.tenure, seq: '1', part: 0 });
    await room;
    window.add(batch(1n, 90, 1, true));
    expect(window.inFlight).toBe(2);
    expect(window.isEmpty).toBe(false);
    expect(window.receive(receiptOf(batch(1n, 0))).length).toBe(2);
    expect(window.isEmpty).toBe(true);
  });

  it('counts an empty advance, and only when nothing is in flight', () => {
    const window = windowOf(2, 100, 7n);
    window.advance(8n);
    expect(window.receivedSeq).toBe(8n);
    window.add(batch(9n, 1));
    expect(() => window.advance(10n)).toThrow('in flight');
  });

  it('refuses batches out of order, and those of another reign', () => {
    const window = windowOf(9, 100, 4n);
    expect(() => window.add(batch(6n, 1))).toThrow('expected 5.0');
    expect(() => window.add({ ...batch(5n, 1), tenure: newTenure() })).toThrow('of tenure');
    window.add(batch(5n, 1, 0, false));
    expect(() => window.add(batch(6n, 1))).toThrow('expected 5.1');
  });

  it('room() and empty() end with their signal', async () => {
    const window = windowOf(1, 100);
    window.add(batch(1n, 1));
    const stop = new AbortController();
    const waits = [window.room(1, stop.signal), window.empty(stop.signal)];
    stop.abort(new Error('over'));
    for (const wait of waits) await expect(wait).rejects.toThrow('over');
  });

  it('never holds more than its bounds, whatever comes and goes', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.record({ kind: fc.constant('add' as const), bytes: fc.integer({ min: 0, max: 150 }) }),
            fc.record({ kind: fc.constant('receive' as const), upTo: fc.integer({ min: 0, max: 5 }) }),
          ),
          { maxLength: 60 },
        ),
        (commands) => {
          const window = windowOf(4, 100);
          let next = 1n;
          for (const command of commands) {
            if (command.kind === 'add') {
              if (!window.hasRoom(command.bytes)) continue;
              window.add(batch(next, command.bytes));
              next += 1n;
            } else {
              const seq = window.receivedSeq + BigInt(command.upTo);
              if (seq < next) window.receive(receiptOf(batch(seq, 0)));
            }
            expect(window.inFlight).toBeLessThanOrEqual(4);
            if (window.inFlight > 1) expect(window.inFlightBytes).toBeLessThanOrEqual(100);
            expect(window.receivedSeq + BigInt(window.inFlight)).toBe(next - 1n);
          }
        },
      ),
    );
  });
});
