import { describe, expect, test } from 'vitest';
import type { SelectReport, StageReport } from '../../../../node/status/node-report.ts';
import { type PipelineFacts, pipelineStatus, readLagMs } from '../../../../node/status/pipeline-status.ts';

const NOW = 1_700_000_000_000;

const select: SelectReport = {
  state: 'reigning',
  epoch: 3,
  position: 'mariadb:0-1-9',
  file: 'bin.000001',
  offset: 4,
  sourceConnected: true,
  lastReadSourceMs: NOW - 300,
  lastReadMs: NOW - 290,
  heartbeatPeriodMs: 1000,
  oldestUnappliedMs: null,
  inFlight: 0,
  inFlightBytes: 0,
  rows: { total: 0, perSecond: 0 },
  skipped: { loop: 0, filtered: 0, ddl: 0 },
  chunks: 0,
  rewinds: 0,
  problem: null,
};

const stage: StageReport = {
  active: 0,
  rows: { total: 10, perSecond: 0 },
  batches: 1,
  lastDurationMs: 5,
  waiting: null,
  problem: null,
};

const none = { tasks: 0, oldestCommitMs: null, holder: null };

function facts(overrides: Partial<PipelineFacts> = {}): PipelineFacts {
  return {
    pipeline: 'p',
    nowMs: NOW,
    desired: { desired: 'running', by: 'someone', why: '', code: null },
    foreign: null,
    epoch: 3,
    mainstem: 'east-1',
    stages: { extract: none, transform: none, load: none },
    select,
    hindrance: null,
    refusals: new Map(),
    selectAnsweredMs: NOW,
    reports: { extract: [], transform: [], load: [{ node: 'west-1', report: stage }] },
    appliedSeq: '9',
    parked: [],
    appliedMs: NOW - 60_000,
    lastCommitMs: NOW - 60_000,
    ...overrides,
  };
}

describe('pipelineStatus()', () => {
  test('idle is 0, however long ago the last change was', () => {
    expect(pipelineStatus(facts())).toMatchObject({ state: 'idle', lagMs: 0, lagStage: null });
  });

  test('names the stage that holds the oldest change, with its holder', () => {
    const status = pipelineStatus(
      facts({
        stages: {
          extract: { tasks: 2, oldestCommitMs: NOW - 100, holder: 'east-1' },
          transform: none,
          load: { tasks: 1, oldestCommitMs: NOW - 700, holder: 'west-2' },
        },
      }),
    );
    expect(status).toMatchObject({ state: 'running', lagMs: 700, lagStage: 'load' });
    expect(status.stages.map((one) => [one.stage, one.holder, one.lagMs])).toEqual([
      ['select', 'east-1', 0],
      ['extract', 'east-1', 100],
      ['transform', null, 0],
      ['load', 'west-2', 700],
    ]);
  });

  test('is never running while the owner does not answer', () => {
    const status = pipelineStatus(facts({ select: null, selectAnsweredMs: NOW - 30_000 }));
    expect(status).toMatchObject({ state: 'unknown', lagMs: null });
    expect(status.reason).toContain('last heard 30 s ago');
  });

  test("a znode that is not ours is named, whatever else is so; a person's pause is shown before it", () => {
    const foreign = { code: 'HOLT_ZNODE_FOREIGN', message: '/seda/x does not hold what Holt writes there' };
    expect(pipelineStatus(facts({ foreign, mainstem: null }))).toMatchObject({
      state: 'degraded',
      code: 'HOLT_ZNODE_FOREIGN',
      reason: foreign.message,
    });
    const desired = { desired: 'paused', by: 'ann', why: 'upgrade', code: null } as const;
    expect(pipelineStatus(facts({ foreign, desired })).state).toBe('paused');
  });

  test('is not idle before anything was read: nobody knows how far behind that is', () => {
    const unread = { ...select, lastReadSourceMs: null, lastReadMs: null };
    expect(pipelineStatus(facts({ select: unread }))).toMatchObject({
      state: 'catching-up',
      lagMs: null,
      reason: 'nothing has been read since the reign began',
    });
  });

  test('a node that refuses our calls is quoted', () => {
    const refusal = { code: 'HOLT_PIPE_REFUSED', message: 'its clock differs by 120 s' };
    const refusals = new Map([
      ['east-1', refusal],
      ['west-1', refusal],
    ]);
    expect(pipelineStatus(facts({ select: null, refusals }))).toMatchObject({
      state: 'unknown',
      code: 'HOLT_PIPE_REFUSED',
      reason: 'node east-1 holds the mainstem: its clock differs by 120 s',
    });
    const stages = {
      extract: none,
      transform: { tasks: 1, oldestCommitMs: NOW - 20_000, holder: 'west-1' },
      load: none,
    };
    expect(pipelineStatus(facts({ stages, refusals }))).toMatchObject({
      state: 'degraded',
      code: 'HOLT_PIPE_REFUSED',
      reason: 'nothing has been applied for seconds: transform on west-1: its clock differs by 120 s',
    });
  });

  test('why nobody takes the mainstem is said when a node knows it', () => {
    const free = { mainstem: null, select: null, selectAnsweredMs: null };
    expect(pipelineStatus(facts(free))).toMatchObject({
      state: 'degraded',
      code: null,
      reason: 'no node holds the mainstem',
    });
    const hindrance = { code: 'HOLT_SOURCE_ACCESS_DENIED', message: 'login as holt: Access denied' };
    expect(pipelineStatus(facts({ ...free, hindrance }))).toMatchObject({
      state: 'degraded',
      code: 'HOLT_SOURCE_ACCESS_DENIED',
      reason: 'select: login as holt: Access denied',
    });
  });

  test('a pause without a reason names who asked for it, and nothing more', () => {
    const desired = { desired: 'paused', by: 'ann', why: '', code: null } as const;
    expect(pipelineStatus(facts({ desired })).reason).toBe('by ann');
  });

  test('a stop by a person is paused, one by Holt is failed with its code', () => {
    expect(
      pipelineStatus(facts({ desired: { desired: 'paused', by: 'ann', why: 'upgrade', code: null } })),
    ).toMatchObject({
      state: 'paused',
      reason: 'by ann: upgrade',
    });
    expect(
      pipelineStatus(facts({ desired: { desired: 'paused', by: 'holt', why: 'no table', code: 'HOLT_X' } })),
    ).toMatchObject({ state: 'failed', code: 'HOLT_X' });
  });

  test('old tasks without rows flowing are degraded, with rows flowing catching up', () => {
    const stages = {
      extract: none,
      transform: none,
      load: { tasks: 1, oldestCommitMs: NOW - 20_000, holder: 'west-1' },
    };
    expect(pipelineStatus(facts({ stages }))).toMatchObject({
      state: 'degraded',
      reason: 'nothing has been applied for seconds: load on west-1 is at it',
    });
    const waiting = [{ node: 'west-1', report: { ...stage, waiting: 'waiting for a lock at the target' } }];
    expect(
      pipelineStatus(facts({ stages, reports: { extract: [], transform: [], load: waiting } })).reason,
    ).toBe('nothing has been applied for seconds: load on west-1 is waiting for a lock at the target');
    const reports = {
      extract: [],
      transform: [],
      load: [{ node: 'west-1', report: { ...stage, rows: { total: 99, perSecond: 50 } } }],
    };
    expect(pipelineStatus(facts({ stages, reports }))).toMatchObject({
      state: 'catching-up',
      rowsPerSecond: 50,
    });
  });

  test('tasks that nobody takes are degraded, naming the stage', () => {
    const stages = {
      extract: none,
      transform: { tasks: 1, oldestCommitMs: NOW - 20_000, holder: null },
      load: none,
    };
    expect(pipelineStatus(facts({ stages }))).toMatchObject({
      state: 'degraded',
      reason: 'no node takes transform',
    });
  });
});

describe('readLagMs()', () => {
  test('is the delay of the last heartbeat while they come, and grows when they stop', () => {
    expect(readLagMs(select, NOW)).toBe(0);
    expect(readLagMs({ ...select, lastReadSourceMs: NOW - 5300 }, NOW)).toBe(5010);
    expect(readLagMs(select, NOW + 60_000)).toBe(60_300);
    expect(readLagMs({ ...select, lastReadSourceMs: null }, NOW)).toBeNull();
  });
});
