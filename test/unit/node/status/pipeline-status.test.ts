import { describe, expect, test } from 'vitest';
import type { LagReport, SelectReport, StageReport } from '../../../../node/status/node-report.ts';
import { type PipelineFacts, pipelineStatus, STALLED_MS } from '../../../../node/status/pipeline-status.ts';

const NOW = 1_700_000_000_000;

const lag: LagReport = {
  flights: [],
  pending: null,
  read: { ms: 0, errorMs: 0 },
  readBytes: 0,
  upstreamMs: null,
  apply: null,
  checkpoint: { ms: 500, errorMs: 20 },
  catchUpMs: 0,
  stalledMs: 0,
  lookedAgoMs: 40,
  heartbeatAgoMs: 300,
  exactCommitTimes: false,
};

const select: SelectReport = {
  state: 'reigning',
  epoch: 3,
  position: 'mariadb:0-1-9',
  file: 'bin.000001',
  offset: 4,
  sourceConnected: true,
  lag,
  sourceClock: null,
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
  standing: null,
  work: null,
  applied: null,
  queueMs: null,
  busyMs: null,
  waiting: null,
  problem: null,
};

const none = { tasks: 0, lowest: null, holder: null };
const nobody = { by: 'someone', why: '', code: null, sinceMs: null } as const;

/** Tasks at a stage, the oldest of which has this number. */
const tasks = (seq: string, holder: string | null, count = 1) => ({
  tasks: count,
  lowest: { seq, part: 0, commitMs: NOW - 60_000, payloadNode: null },
  holder,
});

/** What the mainstem reports of batches in flight, by number and age. */
const inFlight = (ages: Readonly<Record<string, number>>, more: Partial<LagReport> = {}): SelectReport => {
  const flights = Object.entries(ages).map(([seq, ms]) => ({ seq, ms, errorMs: 5, published: true }));
  return { ...select, inFlight: flights.length, lag: { ...lag, flights, ...more } };
};

function facts(overrides: Partial<PipelineFacts> = {}): PipelineFacts {
  return {
    pipeline: 'p',
    nowMs: NOW,
    desired: { desired: 'running', ...nobody },
    foreign: null,
    epoch: 3,
    mainstem: 'east-1',
    stages: { extract: none, transform: none, load: none },
    select,
    hindrance: null,
    refusals: new Map(),
    selectAgeMs: 0,
    session: { state: 'connected', leaseMs: 3_000 },
    silent: new Map(),
    reports: { extract: [], transform: [], load: [{ node: 'west-1', report: stage, uptimeMs: 3_600_000 }] },
    appliedSeq: '9',
    parked: [],
    appliedMs: NOW - 60_000,
    lastCommitMs: NOW - 60_000,
    ...overrides,
  };
}

describe('pipelineStatus()', () => {
  test('idle is 0, however long ago the last change was', () => {
    expect(pipelineStatus(facts())).toMatchObject({
      state: 'idle',
      lagMs: 0,
      lagStage: null,
      lag: { endToEnd: { ms: 0, errorMs: 0 }, stalledMs: 0 },
    });
    // Also in a report that is a while old: nothing grows of which there is none.
    expect(pipelineStatus(facts({ selectAgeMs: 400 }))).toMatchObject({ state: 'idle', lagMs: 0 });
  });

  test('names the stage that holds the oldest change, with its holder; ages are those of the mainstem', () => {
    const status = pipelineStatus(
      facts({
        select: inFlight({ 7: 700, 8: 90, 9: 50 }),
        selectAgeMs: 10,
        stages: { extract: tasks('8', 'east-1', 2), transform: none, load: tasks('7', 'west-2') },
      }),
    );
    expect(status).toMatchObject({ state: 'running', lagMs: 710, lagStage: 'load' });
    expect(status.lag.endToEnd).toEqual({ ms: 710, errorMs: 5 });
    expect(status.stages.map((one) => [one.stage, one.holder, one.lagMs, one.lagErrorMs])).toEqual([
      ['select', 'east-1', 0, 0],
      ['extract', 'east-1', 100, 5],
      ['transform', null, 0, 0],
      ['load', 'west-2', 710, 5],
    ]);
  });

  test('what is read and not published is at Select, though others are at work on older ones elsewhere', () => {
    const flights = [{ seq: '4', ms: 300, errorMs: 2, published: false }];
    const unpublished = inFlight({}, { flights });
    expect(pipelineStatus(facts({ select: unpublished }))).toMatchObject({ lagStage: 'select', lagMs: 300 });
    const pending = inFlight({}, { pending: { ms: 200, errorMs: 2 } });
    const status = pipelineStatus(facts({ select: pending }));
    expect(status).toMatchObject({ lagStage: 'select', lagMs: 200 });
    expect(status.stages[0]).toMatchObject({ stage: 'select', batches: 1, lagMs: 200 });
    // Published and at no stage any more: the receipt is under way.
    expect(pipelineStatus(facts({ select: inFlight({ 4: 300 }) })).lagStage).toBe('load');
  });

  test('a batch that has just come to a stage moves, unless that was only just seen by a node that began', () => {
    const slow = inFlight({ 5: 4_000 }, { stalledMs: 3_000 });
    const stages = { extract: none, transform: none, load: tasks('5', 'west-1') };
    const seen = (forMs: number, uptimeMs: number, seq = '5') => ({
      extract: [],
      transform: [],
      load: [{ node: 'west-1', report: { ...stage, standing: { seq, part: 0, forMs } }, uptimeMs }],
    });
    const shown = (...args: Parameters<typeof seen>) =>
      pipelineStatus(facts({ select: slow, stages, reports: seen(...args) }));
    expect(shown(400, 3_600_000)).toMatchObject({
      state: 'running',
      lagStage: 'load',
      lag: { stalledMs: 400 },
    });
    expect(shown(2_000, 3_600_000)).toMatchObject({ state: 'degraded', lag: { stalledMs: 2_000 } });
    expect(shown(400, 900)).toMatchObject({ state: 'degraded', lag: { stalledMs: 3_000 } });
    expect(shown(400, 3_600_000, '6')).toMatchObject({ state: 'degraded', lag: { stalledMs: 3_000 } });
  });

  test('work that takes as long as it did of late is no standstill, if its node answers', () => {
    const slow = inFlight({ 5: 6_000 }, { stalledMs: 3_000 });
    const stages = { extract: none, transform: none, load: tasks('5', 'west-1') };
    const work = { seq: '5', part: 0, forMs: 2_900 };
    const shown = (report: Partial<StageReport>, more: Partial<PipelineFacts> = {}) =>
      pipelineStatus(
        facts({
          select: slow,
          stages,
          reports: {
            extract: [],
            transform: [],
            load: [{ node: 'west-1', report: { ...stage, ...report }, uptimeMs: 3_600_000 }],
          },
          ...more,
        }),
      ).state;
    expect(shown({ work, busyMs: 1_200 })).toBe('running');
    expect(shown({ work, busyMs: 900 })).toBe('degraded');
    expect(shown({ work, busyMs: null })).toBe('degraded');
    expect(shown({ work: { ...work, seq: '6' }, busyMs: 1_200 })).toBe('degraded');
    const silent = new Map([['west-1', { agoMs: 3_000, stages: ['load'] }]]);
    expect(shown({ work, busyMs: 1_200 }, { silent })).toBe('degraded');
    expect(shown({ work, busyMs: 9_000 }, { select: inFlight({ 5: 20_000 }, { stalledMs: 10_100 }) })).toBe(
      'degraded',
    );
  });

  test('the oldest batch counts, though younger ones have overtaken it to stages further down', () => {
    const stuck = inFlight({ 5: 2_000, 6: 1_900 }, { stalledMs: 1_800 });
    const stages = { extract: tasks('5', 'east-1'), transform: none, load: tasks('6', null, 3) };
    const status = pipelineStatus(facts({ select: stuck, stages }));
    expect(status.lagStage).toBe('extract');
    expect(status.reason).toContain('extract on east-1 is ');
  });

  test('what Load has applied counts no more, though its receipt was not heard of yet', () => {
    const applied = (epoch: number, seq: string) => ({
      extract: [],
      transform: [],
      load: [{ node: 'west-1', report: { ...stage, applied: { epoch, seq } }, uptimeMs: 3_600_000 }],
    });
    const flying = inFlight({ 4: 900, 5: 80 });
    expect(pipelineStatus(facts({ select: flying, reports: applied(3, '4') }))).toMatchObject({ lagMs: 80 });
    expect(pipelineStatus(facts({ select: flying, reports: applied(3, '5') }))).toMatchObject({ lagMs: 0 });
    // The numbers of another reign are others.
    expect(pipelineStatus(facts({ select: flying, reports: applied(2, '5') }))).toMatchObject({ lagMs: 900 });
  });

  test('what is not read is at Select', () => {
    const unread = { ...select, lag: { ...lag, read: { ms: 2_400, errorMs: 50 }, readBytes: 9_000 } };
    expect(pipelineStatus(facts({ select: unread }))).toMatchObject({
      state: 'running',
      lagStage: 'select',
      lag: { endToEnd: { ms: 2_400, errorMs: 50 }, readBytes: 9_000 },
    });
  });

  test.each(['select', 'extract', 'transform', 'load'] as const)(
    'what is stuck at %s is not running, and the stage and its holder are named',
    (stage) => {
      const flights = [{ seq: '5', ms: 2_000, errorMs: 5, published: stage !== 'select' }];
      const stuck = inFlight({}, { flights, stalledMs: STALLED_MS + 100 });
      const holder = stage === 'select' ? 'east-1' : 'west-9';
      const stages = { extract: none, transform: none, load: none };
      const status = pipelineStatus(
        facts({
          select: stuck,
          stages: stage === 'select' ? stages : { ...stages, [stage]: tasks('5', holder) },
        }),
      );
      expect(status).toMatchObject({ state: 'degraded', lagStage: stage, code: null });
      expect(status.reason).toContain(`nothing has moved for 1.6 s: ${stage} on ${holder} is `);
    },
  );

  test('a holder that does not answer is said to be the cause', () => {
    const stuck = inFlight({ 5: 2_000 }, { stalledMs: 1_800 });
    const stages = { extract: none, transform: none, load: tasks('5', 'west-1') };
    const silent = new Map([['west-1', { agoMs: 1_900, stages: ['load'] }]]);
    expect(pipelineStatus(facts({ select: stuck, stages, silent }))).toMatchObject({
      state: 'degraded',
      reason: 'nothing has moved for 1.8 s: load on west-1, which has not answered for 1.9 s',
    });
  });

  test('how long the holder has been at work is said, and what it waits for', () => {
    const stuck = inFlight({ 5: 4_000 }, { stalledMs: 3_900 });
    const stages = { extract: none, transform: none, load: tasks('5', 'west-1') };
    const report = { ...stage, active: 1, work: { seq: '5', part: 0, forMs: 3_800 } };
    const loads = (one: StageReport) => ({
      extract: [],
      transform: [],
      load: [{ node: 'west-1', report: one, uptimeMs: 3_600_000 }],
    });
    const status = pipelineStatus(facts({ select: stuck, stages, reports: loads(report) }));
    expect(status.reason).toBe(
      'nothing has moved for 3.9 s: load on west-1 is at work on one batch for 3.8 s',
    );
    expect(status.stages[3]).toMatchObject({ working: 1, workMs: 3_800 });
    const waiting = loads({ ...report, waiting: 'waiting for a lock at the target' });
    expect(pipelineStatus(facts({ select: stuck, stages, reports: waiting })).reason).toBe(
      'nothing has moved for 3.9 s: load on west-1 is waiting for a lock at the target',
    );
  });

  test('reading that stands still while something is to be read is not running either', () => {
    const unread = { ...select, lag: { ...lag, read: { ms: 2_400, errorMs: 50 }, stalledMs: 2_400 } };
    expect(pipelineStatus(facts({ select: unread }))).toMatchObject({
      state: 'degraded',
      lagStage: 'select',
      reason: 'nothing has moved for 2.4 s: select on east-1 is not getting on',
    });
  });

  test('a source that does not answer is not idle', () => {
    const blind = { ...select, lag: { ...lag, lookedAgoMs: 4_000, read: { ms: 4_000, errorMs: 4_000 } } };
    expect(pipelineStatus(facts({ select: blind }))).toMatchObject({
      state: 'degraded',
      reason: 'select: the source has not answered for 4.0 s',
    });
  });

  test('a stage that waits for a payload in the memory of a node that does not answer is not the cause', () => {
    const stuck = inFlight({ 5: 2_000 }, { stalledMs: 1_800 });
    const kept = { seq: '5', part: 0, commitMs: NOW, payloadNode: 'west-2' };
    const stages = { extract: none, transform: none, load: { ...tasks('5', 'west-1'), lowest: kept } };
    const silent = new Map([['west-2', { agoMs: 1_900, stages: ['transform'] }]]);
    expect(pipelineStatus(facts({ select: stuck, stages, silent }))).toMatchObject({
      state: 'degraded',
      lagStage: 'transform',
      reason:
        'nothing has moved for 1.8 s: load waits for a batch of west-2, which has not answered for 1.9 s',
    });
    expect(pipelineStatus(facts({ select: stuck, stages })).lagStage).toBe('load');
  });

  test('is never running while the owner does not answer: nobody reads, and others may wait for what it has', () => {
    const silent = new Map([['east-1', { agoMs: 30_000, stages: ['select'] }]]);
    const gone = { select: null, session: null, silent };
    const status = pipelineStatus(facts(gone));
    expect(status).toMatchObject({ state: 'unknown', lagMs: null, lagStage: 'select' });
    expect(status.reason).toContain('last heard 30 s ago');
    const stages = { extract: none, transform: none, load: tasks('5', 'west-1') };
    expect(pipelineStatus(facts({ ...gone, stages }))).toMatchObject({
      state: 'unknown',
      lagStage: 'select',
    });
  });

  test('is never running on the word of an owner whose lease is over', () => {
    for (const session of [
      { state: 'suspended', leaseMs: 900 },
      { state: 'connected', leaseMs: -1 },
    ]) {
      const status = pipelineStatus(facts({ session, select: inFlight({ 5: 20 }) }));
      expect(status).toMatchObject({ state: 'unknown', lagMs: null });
      expect(status.reason).toContain(`session with the coordination service is ${session.state}`);
    }
  });

  test('a node that was started anew under the lock of the one before does not lead yet', () => {
    expect(pipelineStatus(facts({ select: null }))).toMatchObject({
      state: 'unknown',
      reason: 'node east-1 holds the mainstem from before it was started, and does not lead yet',
    });
  });

  test("a znode that is not ours is named, whatever else is so; a person's pause is shown before it", () => {
    const foreign = { code: 'HOLT_ZNODE_FOREIGN', message: '/seda/x does not hold what Holt writes there' };
    expect(pipelineStatus(facts({ foreign, mainstem: null }))).toMatchObject({
      state: 'degraded',
      code: 'HOLT_ZNODE_FOREIGN',
      reason: foreign.message,
    });
    const desired = { ...nobody, desired: 'paused', by: 'ann', why: 'upgrade' } as const;
    expect(pipelineStatus(facts({ foreign, desired })).state).toBe('paused');
  });

  test('is not idle before anything was read: nobody knows how far behind that is', () => {
    const unread = { ...select, lag: { ...lag, read: null, readBytes: null, checkpoint: null } };
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
    expect(pipelineStatus(facts({ select: null, session: null, refusals }))).toMatchObject({
      state: 'unknown',
      code: 'HOLT_PIPE_REFUSED',
      reason: 'node east-1 holds the mainstem: its clock differs by 120 s',
    });
    const stages = { extract: none, transform: tasks('5', 'west-1'), load: none };
    const stuck = inFlight({ 5: 20_000 }, { stalledMs: 19_000 });
    expect(pipelineStatus(facts({ select: stuck, stages, refusals }))).toMatchObject({
      state: 'degraded',
      code: 'HOLT_PIPE_REFUSED',
      reason: 'nothing has moved for 19 s: transform on west-1: its clock differs by 120 s',
    });
  });

  test('why nobody takes the mainstem is said when a node knows it', () => {
    const free = { mainstem: null, select: null, session: null };
    expect(pipelineStatus(facts(free))).toMatchObject({
      state: 'degraded',
      code: null,
      lagStage: 'select',
      reason: 'no node holds the mainstem',
    });
    const hindrance = { code: 'HOLT_SOURCE_ACCESS_DENIED', message: 'login as holt: Access denied' };
    expect(pipelineStatus(facts({ ...free, hindrance }))).toMatchObject({
      state: 'degraded',
      code: 'HOLT_SOURCE_ACCESS_DENIED',
      reason: 'select: login as holt: Access denied',
    });
  });

  test('a pause says who asked for it, since when, and why if they said', () => {
    const desired = { ...nobody, desired: 'paused', by: 'ann', sinceMs: NOW - 5_000 } as const;
    expect(pipelineStatus(facts({ desired }))).toMatchObject({
      state: 'paused',
      reason: 'by ann',
      sinceMs: NOW - 5_000,
    });
  });

  test('a stop by a person is paused, one by Holt is failed with its code', () => {
    const paused = { ...nobody, desired: 'paused', by: 'ann', why: 'upgrade' } as const;
    expect(pipelineStatus(facts({ desired: paused }))).toMatchObject({
      state: 'paused',
      reason: 'by ann: upgrade',
    });
    const failed = { ...nobody, desired: 'paused', by: 'holt', why: 'no table', code: 'HOLT_X' } as const;
    expect(pipelineStatus(facts({ desired: failed }))).toMatchObject({ state: 'failed', code: 'HOLT_X' });
  });

  test('far behind and moving is catching up, with the time that it will take', () => {
    const stages = { extract: none, transform: none, load: tasks('5', 'west-1') };
    const behind = inFlight({ 5: 20_000 }, { stalledMs: 400, catchUpMs: 12_000 });
    expect(pipelineStatus(facts({ select: behind, stages }))).toMatchObject({
      state: 'catching-up',
      lag: { catchUpMs: 12_000 },
    });
  });

  test('tasks that nobody takes are degraded, naming the stage', () => {
    const stages = { extract: none, transform: tasks('5', null), load: none };
    const stuck = inFlight({ 5: 20_000 }, { stalledMs: 19_000 });
    expect(pipelineStatus(facts({ select: stuck, stages }))).toMatchObject({
      state: 'degraded',
      reason: 'nothing has moved for 19 s: no node takes transform',
    });
    const silent = new Map([['west-1', { agoMs: 20_000, stages: ['transform'] }]]);
    expect(pipelineStatus(facts({ select: stuck, stages, silent })).reason).toBe(
      'nothing has moved for 19 s: no node takes transform; no answer from west-1',
    );
  });

  test('without the mainstem the age of a task is told by the wall clocks, and its error is not known', () => {
    const stages = { extract: tasks('5', 'east-2'), transform: none, load: none };
    const status = pipelineStatus(facts({ select: null, session: null, stages }));
    expect(status.stages[1]).toMatchObject({ stage: 'extract', lagMs: 60_000, lagErrorMs: null });
  });
});
