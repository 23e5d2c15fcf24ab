import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../lib/clock.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import {
  type AppliedBatch,
  AppliedBatches,
  type AppliedQuestion,
  nearer,
} from '../../../../node/history/applied-batches.ts';
import { headerOf } from '../../../support/batch-header.ts';

const T = Date.UTC(2026, 0, 5, 12);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holt-applied-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () =>
  new AppliedBatches({
    folder,
    maxBytes: 1e6,
    node: 'west-1',
    peers: {
      askAll: async (_question, _asked, own) => ({ answers: new Map([['west-1', await own()]]), silent: [] }),
    },
    clock: systemClock,
    log: silentLogger,
  });

const batch = (seq: number, endOffset: number, commitMs = T + seq * 1000) => ({
  header: headerOf({
    seq: String(seq),
    source: 'server-a',
    endFile: 'binlog.000002',
    endOffset,
    firstCommitUs: commitMs * 1000,
    lastCommitUs: commitMs * 1000,
    selectedMs: commitMs + 10,
    extractedMs: commitMs + 20,
    transformedMs: commitMs + 30,
  }),
  appliedMs: commitMs + 40,
  durationMs: 5,
});

const asked = (offset: number, seq: number, rest: Partial<AppliedQuestion> = {}): AppliedQuestion => ({
  pipeline: batch(1, 1).header.pipeline,
  source: 'server-a',
  file: 'binlog.000002',
  offset,
  commitMs: T + seq * 1000,
  ...rest,
});

describe('applied batches', () => {
  test('the batch of a transaction is the first that ends at it or behind it, also after a restart', async () => {
    const before = open();
    for (const seq of [1, 2, 3]) before.add(batch(seq, seq * 100));
    expect((await before.own(asked(150, 2))).batch?.q).toBe('2');
    await before.stop();
    const after = open();
    after.add(batch(4, 400));
    expect((await after.find(asked(200, 2))).batch).toMatchObject({ q: '2', N: 'west-1', d: 5 });
    expect((await after.find(asked(400, 4))).batch?.q).toBe('4');
    expect((await after.find(asked(401, 4))).batch).toBeNull();
    await after.stop();
  });

  test('one that cannot hold the transaction, by its commit times, is not taken for it: the right one is on a node that is gone', async () => {
    const kept = open();
    kept.add(batch(9, 900, T + 60_000));
    expect((await kept.own(asked(150, 2))).batch).toBeNull();
    await kept.stop();
  });

  test('the last ones are at hand, a bounded number of each pipeline; one alone also after a restart', async () => {
    const kept = open();
    const { pipeline } = asked(0, 0);
    for (let seq = 1; seq <= 700; seq++) kept.add(batch(seq, seq * 100));
    const last = { pipeline, sinceMs: 0, limit: 3, only: null };
    expect((await kept.recent(last)).batches.map((one) => one.q)).toEqual(['698', '699', '700']);
    const since = T + 699_000 + 40;
    expect((await kept.recent({ ...last, sinceMs: since })).batches.map((one) => one.q)).toEqual(['700']);
    const all = await kept.recent({ ...last, limit: 10_000 });
    expect(all.batches.length).toBeLessThan(600);
    expect((await kept.recent({ ...last, pipeline: 'another' })).batches).toEqual([]);
    await kept.stop();
    const after = open();
    const only = { epoch: batch(1, 1).header.epoch, seq: '2' };
    const one = { ...last, sinceMs: T + 2_000, only };
    expect((await after.recent(one)).batches.map((found) => found.q)).toEqual(['2']);
    expect((await after.recent({ ...one, sinceMs: T + 3_600_000 })).batches).toEqual([]);
    await after.stop();
  });

  test("another server's places say nothing", async () => {
    const kept = open();
    kept.add(batch(2, 200));
    expect((await kept.own(asked(150, 2, { source: 'server-b' }))).batch).toBeNull();
    await kept.stop();
  });

  test('of a batch that was told twice the first telling counts', () => {
    const line = (t: number): AppliedBatch => ({
      ...{ t, p: 'p', e: 1, q: '2', f: T + 2000, l: T + 2000, s: T, x: T, w: T, d: 1, n: 1, r: 1, b: 1 },
      ...{ i: 'server-a', F: 'binlog.000002', O: 200, N: 'west-1' },
    });
    expect(nearer(asked(150, 2), line(7), line(5))?.t).toBe(5);
    expect(nearer(asked(150, 2), line(5), line(7))?.t).toBe(5);
  });
});
