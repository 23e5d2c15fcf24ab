import { describe, expect, test } from 'vitest';
import type { BatchBeginning } from '../../../../../model/batch.ts';
import {
  bytesBehind,
  LagMeter,
  type ReadFacts,
  type SourceView,
} from '../../../../../node/status/lag/lag-meter.ts';
import { SourceTimeline } from '../../../../../node/status/lag/source-timeline.ts';

const place = (offset: number, file = 'bin.000001') => ({ file, offset });

/** A source that logs exact times, by a clock that is the monotonic one plus a million seconds. */
const CLOCK = { offsetMs: 1e9, errorMs: 1, measuredMs: 0 };
const source = (timeline: SourceTimeline, more: Partial<SourceView> = {}): SourceView => ({
  timeline,
  sinceMs: 0,
  clock: CLOCK,
  files: [],
  exactCommitTimes: true,
  heartbeatMs: null,
  heartbeatBytes: 200,
  ...more,
});

const transaction = (offset: number, committedMs: number, takenMs = committedMs + 2): BatchBeginning => ({
  end: place(offset),
  commitUs: (1e9 + committedMs) * 1_000,
  commitIsExact: true,
  takenMs,
});

/** A batch that is not in parts. */
const whole = { part: 0, lastPart: true } as const;

const reading = (offset: number | null, more: Partial<ReadFacts> = {}): ReadFacts => ({
  at: offset === null ? null : place(offset),
  last: offset === null ? null : transaction(offset, 0),
  pending: null,
  upstreamMs: null,
  ...more,
});

function looked(...heads: readonly (readonly [offset: number, ms: number])[]): SourceTimeline {
  const timeline = new SourceTimeline();
  for (const [offset, ms] of heads) timeline.look(place(offset), ms - 1, ms);
  return timeline;
}

describe('LagMeter', () => {
  test('nothing in flight and all read is 0', () => {
    const meter = new LagMeter();
    meter.begin(place(100), 0);
    const report = meter.report(reading(900), source(looked([900, 5_000])), 5_050);
    expect(report).toMatchObject({
      flights: [],
      pending: null,
      read: { ms: 0, errorMs: 0 },
      readBytes: 0,
      stalledMs: 0,
      catchUpMs: 0,
    });
  });

  test('the oldest batch in flight is as old as its first transaction, until its receipt comes', () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 5_000]));
    meter.begin(place(100), 4_000);
    meter.flight({ seq: 5n, ...whole, first: transaction(300, 4_500), end: place(500), sinceMs: 4_503 });
    meter.flight({ seq: 6n, ...whole, first: transaction(700, 4_900), end: place(900), sinceMs: 4_903 });
    meter.published(5n, 0, 4_510);
    expect(meter.report(reading(900), sight, 5_000).flights).toEqual([
      { seq: '5', ms: 500, errorMs: 1, published: true },
      { seq: '6', ms: 100, errorMs: 1, published: false },
    ]);
    meter.received(5n, { atMs: 5_005, errorMs: 2 }, 5_010, sight);
    const report = meter.report(reading(900), sight, 5_100);
    expect(report.flights).toMatchObject([{ seq: '6', ms: 200 }]);
    // From the commit of the batch's first transaction to the target's commit.
    expect(report.apply).toEqual({ ms: 505, errorMs: 3, seq: '5', agoMs: 90 });
    // What stands behind the durable position was first seen at 5 000.
    expect(report.checkpoint).toEqual({ ms: 100, errorMs: null });
  });

  test('parts of a transaction are one batch, which is as old as the first', () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 5_000]));
    meter.begin(place(100), 4_000);
    const first = transaction(300, 4_500);
    for (const part of [0, 1, 2])
      meter.flight({
        seq: 5n,
        part,
        lastPart: part === 2,
        first,
        end: place(300 + part),
        sinceMs: 4_600 + part,
      });
    expect(meter.report(reading(900), sight, 5_000).flights).toHaveLength(1);
    meter.received(5n, { atMs: 5_000, errorMs: 0 }, 5_000, sight);
    expect(meter.report(reading(900), sight, 5_000).flights).toEqual([]);
  });

  test('says how long nothing has moved, and nothing while there is nothing to move', () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 9_900]));
    meter.begin(place(100), 1_000);
    expect(meter.report(reading(900), sight, 9_000).stalledMs).toBe(0);
    meter.flight({ seq: 5n, ...whole, first: transaction(900, 8_990), end: place(900), sinceMs: 9_000 });
    expect(meter.report(reading(900), sight, 9_400).stalledMs).toBe(400);
    meter.published(5n, 0, 9_500);
    expect(meter.report(reading(900), sight, 9_900).stalledMs).toBe(400);
  });

  test('younger batches that come along do not make the oldest move', () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 9_900]));
    meter.begin(place(100), 1_000);
    for (const [seq, ms] of [
      [5n, 2_000],
      [6n, 3_000],
      [7n, 4_000],
    ] as const) {
      meter.flight({ seq, ...whole, first: transaction(900, ms), end: place(900), sinceMs: ms });
      meter.published(seq, 0, ms + 1);
    }
    expect(meter.report(reading(900), sight, 5_000).stalledMs).toBe(2_999);
    meter.received(5n, { atMs: 5_100, errorMs: 0 }, 5_101, sight);
    expect(meter.report(reading(900), sight, 5_201).stalledMs).toBe(100);
  });

  test('parts that are executed move; a transaction of which the rest is still to be read is at Select', () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 4_900]));
    meter.begin(place(100), 1_000);
    const first = transaction(900, 1_990);
    const part = (number: number, lastPart: boolean, sinceMs: number) => {
      meter.flight({ seq: 5n, part: number, lastPart, first, end: place(300 + number), sinceMs });
      meter.published(5n, number, sinceMs + 1);
    };
    const shown = (nowMs: number) => {
      const { flights, stalledMs } = meter.report(reading(900), sight, nowMs);
      return [flights.map((one) => one.published), stalledMs];
    };
    part(0, false, 2_000);
    part(1, false, 2_500);
    // Load has the first, and stands still: that the second was read changes nothing.
    expect(shown(3_001)).toEqual([[true], 1_000]);
    meter.progressed(5n, 0, 3_100);
    expect(shown(3_300)).toEqual([[true], 200]);
    meter.progressed(5n, 1, 3_400);
    meter.progressed(5n, 1, 3_900);
    expect(shown(4_400)).toEqual([[false], 1_000]);
    part(2, true, 4_500);
    expect(shown(4_601)).toEqual([[true], 100]);
    meter.progressed(5n, 2, 4_700);
    expect(shown(4_800)).toEqual([[true], 100]);
  });

  test("a clock of Load's node that was set does not get into the way of the last batch", () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 4_900]));
    meter.begin(place(100), 1_000);
    const apply = (seq: bigint, appliedMs: number) => {
      meter.flight({ seq, ...whole, first: transaction(900, 4_800), end: place(900), sinceMs: 4_900 });
      meter.received(seq, { atMs: appliedMs, errorMs: 2 }, 5_000, sight);
      return meter.report(reading(900), sight, 5_000).apply;
    };
    expect(apply(5n, 4_980)).toMatchObject({ ms: 180, errorMs: 3 });
    expect(apply(6n, 5_001)).toMatchObject({ ms: 200, errorMs: 3 });
    for (const hour of [3_600_000, -3_600_000])
      expect(apply(BigInt(7 + hour), 4_980 + hour)).toMatchObject({ ms: 150, errorMs: 51 });
  });

  test('before the length of a heartbeat is known, what may be one is told as that', () => {
    const meter = new LagMeter();
    meter.begin(place(100), 4_000);
    const shown = (bytes: number, nowMs: number) =>
      meter.report(
        reading(900),
        source(looked([900, 5_000], [900 + bytes, 5_500]), { heartbeatBytes: null }),
        nowMs,
      ).read;
    expect(shown(300, 5_700)).toEqual({ ms: 0, errorMs: 701 });
    expect(shown(300, 6_600)?.ms).toBeCloseTo(1_350, -1);
    expect(shown(3_000, 5_700)?.ms).toBeCloseTo(450, -1);
  });

  test('what is not read is as old as the looks that bound it, and reading that stands still is stalled', () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 5_000], [900, 5_100], [1_777, 5_200]));
    meter.begin(place(100), 4_000);
    meter.report(reading(500), sight, 4_900);
    expect(meter.report(reading(900), sight, 5_220)).toMatchObject({
      read: { ms: 0, errorMs: 50 },
      readBytes: 877,
    });
    // Between 5 099, when it was not there, and 5 200, when it was.
    const report = meter.report(reading(900), sight, 7_000);
    expect(report.read).toEqual({ ms: 1_850.5, errorMs: 50.5 });
    expect(report.stalledMs).toBe(1_780);
  });

  test('one or two heartbeats that are not read are no lag, more are', () => {
    const meter = new LagMeter();
    meter.begin(place(100), 4_000);
    for (const [bytes, lag] of [
      [200, 0],
      [400, 0],
      [600, 750.5],
      [210, 750.5],
    ] as const) {
      const sight = source(looked([900, 5_000], [900 + bytes, 5_500]));
      expect(meter.report(reading(900), sight, 6_000).read?.ms).toBeCloseTo(lag, 0);
    }
  });

  test('a log that nobody can look at any more may have something: that is not idle', () => {
    const meter = new LagMeter();
    const sight = source(looked([900, 5_000]));
    meter.begin(place(100), 4_000);
    expect(meter.report(reading(900), sight, 6_400).read).toEqual({ ms: 0, errorMs: 0 });
    expect(meter.report(reading(900), sight, 9_000).read).toEqual({ ms: 4_000, errorMs: 4_000 });
  });

  test('a log that nobody could look at yet is not seen, however well it is read', () => {
    const meter = new LagMeter();
    meter.begin(place(100), 4_000);
    const report = meter.report(reading(900), source(new SourceTimeline(), { sinceMs: 3_000 }), 5_000);
    expect(report).toMatchObject({ read: null, lookedAgoMs: 2_000 });
  });

  test('behind all that was looked at, what was read last says how far back that is', () => {
    const meter = new LagMeter();
    const sight = source(looked([90_000, 5_000]));
    meter.begin(place(100), 4_000);
    const last = transaction(500, -3_600_000, 5_400);
    expect(meter.report(reading(500, { last }), sight, 5_500).read).toEqual({ ms: 3_605_500, errorMs: 1 });
    expect(meter.report(reading(null), sight, 5_500).read).toBeNull();
  });

  test('predicts when it will be level', () => {
    const meter = new LagMeter();
    const sight = source(looked([90_000, 100_000]));
    meter.begin(place(100), 0);
    // Every second two seconds' worth of the backlog arrive.
    for (let second = 0; second < 12; second++) {
      const nowMs = 100_000 + second * 1_000;
      const at = 30_000 + second * 1_000;
      meter.sample(reading(at, { last: transaction(at, 40_000 + second * 2_000, nowMs) }), sight, nowMs);
    }
    const last = transaction(42_000, 40_000 + 24_000, 112_000);
    const { catchUpMs, read } = meter.report(reading(42_000, { last }), sight, 112_000);
    expect(read?.ms).toBe(48_000);
    expect(Math.abs((catchUpMs ?? 0) - 48_000)).toBeLessThan(500);
  });
});

describe('bytesBehind()', () => {
  const timeline = new SourceTimeline();
  timeline.look(place(1_000, 'bin.000003'), 0, 1);
  const files = [
    { file: 'bin.000001', bytes: 5_000 },
    { file: 'bin.000002', bytes: 7_000 },
    { file: 'bin.000003', bytes: 900 },
  ];

  test('counts the files between', () => {
    expect(bytesBehind(place(400, 'bin.000003'), { timeline, files })).toBe(600);
    expect(bytesBehind(place(400, 'bin.000002'), { timeline, files })).toBe(7_600);
    expect(bytesBehind(place(400, 'bin.000001'), { timeline, files })).toBe(12_600);
  });

  test('does not know what is not listed', () => {
    expect(bytesBehind(place(400, 'bin.000001'), { timeline, files: [] })).toBeNull();
    expect(bytesBehind(null, { timeline, files })).toBeNull();
  });
});
