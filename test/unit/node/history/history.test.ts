import { appendFileSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../lib/clock.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import { UNKNOWN_LAG } from '../../../../model/lag.ts';
import type { PipelineState } from '../../../../model/status.ts';
import { History } from '../../../../node/history/history.ts';
import { merged, pointsOf, type Sample, sample as schema } from '../../../../node/history/samples.ts';
import { SegmentStore } from '../../../../node/history/segment-store.ts';
import type { PipelineStatusView } from '../../../../node/operations.ts';

const START = Date.UTC(2026, 0, 5, 12);
const HOUR = 3_600_000;
const never = new AbortController().signal;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holt-history-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function seen(
  state: PipelineState,
  lagMs: number,
  rowsPerSecond: number,
  pipeline = 'p',
): PipelineStatusView {
  return {
    pipeline,
    state,
    reason: null,
    code: null,
    sinceMs: null,
    asOfMs: 0,
    epoch: 1,
    lagMs,
    lagStage: lagMs > 0 ? 'load' : null,
    lag: UNKNOWN_LAG,
    rowsPerSecond,
    rowsTotal: 0,
    stages: [],
    position: null,
    appliedSeq: null,
    rewinds: 0,
    parked: [],
  };
}

const sample = (t: number, l: number | null, s: PipelineState = 'running', v = 10): Sample => ({
  ...{ t, p: 'p', s, l, e: 1, r: l, v },
  ...(l !== null && l > 0 ? { g: 'load' as const } : {}),
});

function opened(nowMs: () => number): History {
  return new History({
    folder,
    retentionDays: 30,
    maxBytes: 1e9,
    look: () => Promise.resolve([]),
    peers: {
      askAll: async (_question, _asked, own) => ({ answers: new Map([['n1', await own()]]), silent: ['n2'] }),
    },
    clock: { ...systemClock, nowMs },
    log: silentLogger,
  });
}

describe('the history', () => {
  test('is there again after a restart, in fine steps and in wide ones, and says who did not answer', async () => {
    let now = START;
    const first = opened(() => now);
    for (let look = 0; look < 240; look++, now += 5_000)
      await first.take([seen('running', look * 100, look % 7), seen('idle', 0, 0, 'other')], now);
    await first.stop();
    const second = opened(() => now);
    for (const stepMs of [5_000, 60_000, 300_000]) {
      const { points, silent } = await second.query({ pipeline: 'p', fromMs: START, toMs: now, stepMs });
      expect(silent).toEqual(['n2']);
      // The minute that was open when it stopped is in the fine steps only.
      const lost = stepMs === 5_000 ? 0 : 1;
      expect(points.length).toBeGreaterThanOrEqual((20 * 60_000) / stepMs - lost);
      expect(points.map((one) => one.fromMs)).toEqual(points.map((_, index) => START + index * stepMs));
      expect(points.every((one) => one.state === 'running' && one.stage !== undefined)).toBe(true);
      const worst = Math.max(...points.map((one) => one.lagMaxMs ?? 0));
      expect(worst).toBeGreaterThanOrEqual(23_900 - lost * 1_200);
    }
    await second.stop();
  });

  test('keeps little of what rests, and shows it as resting all the time', async () => {
    let now = START;
    const history = opened(() => now);
    for (let look = 0; look < 720; look++, now += 5_000) await history.take([seen('idle', 0, 0)], now);
    await history.stop();
    const store = new SegmentStore({
      folder: join(folder, 'samples'),
      schema,
      retentionMs: 1e12,
      maxBytes: 1e9,
    });
    let kept = 0;
    for await (const _ of store.read('p', 0, Number.MAX_SAFE_INTEGER, never)) kept += 1;
    expect(kept).toBeLessThan(80);
    const again = opened(() => now);
    for (const stepMs of [5_000, 60_000]) {
      const { points } = await again.query({ pipeline: 'p', fromMs: START, toMs: now - 10 * 60_000, stepMs });
      expect(points).toHaveLength((50 * 60_000) / stepMs);
      expect(new Set(points.map((one) => one.state))).toEqual(new Set(['idle']));
    }
    await again.stop();
  });

  test('does not keep a node from working whose folder cannot be used', async () => {
    writeFileSync(join(folder, 'samples'), 'a file in its place');
    const history = opened(() => START);
    await history.take([seen('running', 1, 1)], START);
    expect((await history.query({ pipeline: 'p', fromMs: 0, toMs: START, stepMs: HOUR })).points).toEqual([]);
    await history.stop();
  });
});

describe('points', () => {
  test('show the worst state and the greatest lag of their step, and leave out what nobody knows', () => {
    const samples = [
      sample(1_000, 10),
      sample(2_000, 500),
      sample(3_000, 20, 'failed', 0),
      sample(25_000, null, 'unknown', 0),
    ];
    expect(pointsOf(samples, { fromMs: 0, toMs: 40_000, stepMs: 10_000, holdMs: 5_000 })).toMatchObject([
      { fromMs: 0, state: 'failed', lagMaxMs: 500, lagMeanMs: 177, stage: 'load', samples: 3 },
      { fromMs: 20_000, state: 'unknown', lagMaxMs: null, lagMeanMs: null },
    ]);
  });

  test('what rests stands until the next look, and no longer than it may', () => {
    const points = pointsOf([sample(0, 0, 'paused', 0), sample(32_000, 5)], {
      ...{ fromMs: 0, toMs: 60_000, stepMs: 10_000, holdMs: 25_000 },
    });
    expect(points.map((one) => [one.fromMs, one.state])).toEqual([
      [0, 'paused'],
      [10_000, 'paused'],
      [20_000, 'paused'],
      [30_000, 'running'],
    ]);
  });

  test('merging in two rounds is merging in one, but for the mean', () => {
    const all: [Sample, ...Sample[]] = [
      sample(1, 5),
      sample(2, 9, 'degraded'),
      sample(3, null),
      sample(4, 2),
    ];
    const { v: _one, ...once } = merged(all);
    const { v: _two, ...twice } = merged([
      merged([sample(1, 5), sample(2, 9, 'degraded')]),
      merged([sample(3, null), sample(4, 2)]),
    ]);
    expect(twice).toEqual(once);
  });
});

describe('the files', () => {
  const open = (retentionMs: number, maxBytes: number) =>
    new SegmentStore({ folder, schema, retentionMs, maxBytes });
  const times = async (store: SegmentStore<Sample>) => {
    const found: number[] = [];
    for await (const one of store.read('p', 0, Number.MAX_SAFE_INTEGER, never)) found.push(one.t);
    return found;
  };

  test('older than the retention are removed', async () => {
    const store = open(3 * HOUR, 1e9);
    for (let hour = 0; hour < 10; hour++) await store.append([sample(START + hour * HOUR, 1)]);
    const left = await times(store);
    expect(left.length).toBeLessThanOrEqual(5);
    expect(left.at(-1)).toBe(START + 9 * HOUR);
  });

  test('never take much more than they may', async () => {
    const store = open(1e12, 10_000);
    for (let minute = 0; minute < 60 * 24; minute++) await store.append([sample(START + minute * 60_000, 1)]);
    const bytes = (await times(store)).length * 60;
    expect(bytes).toBeLessThan(25_000);
    expect(readdirSync(folder).length).toBeLessThan(6);
  });

  test('that a crash tore, or somebody wrote into, lose the torn line only', async () => {
    const first = open(1e12, 1e9);
    await first.append([sample(START, 1), sample(START + 1_000, 2)]);
    await first.close();
    const [name = ''] = readdirSync(folder);
    const path = join(folder, name);
    appendFileSync(path, 'garbage\n{"t":1,"p":"p"}\n');
    const text = JSON.stringify(sample(START + 2_000, 3));
    appendFileSync(path, text.slice(0, 20));
    const second = open(1e12, 1e9);
    await second.append([sample(START + 3_000, 4)]);
    expect(await times(second)).toEqual([START, START + 1_000, START + 3_000]);
    truncateSync(path, 0);
    expect(await times(second)).toEqual([]);
  });
});
