/** What could make the lag shown wrong, or let somebody name a stage that does not hold it (G9); each case is one that did, or might. */
import { afterEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import type { StageName } from '../../model/stage.ts';
import type { PipelineStatusView } from '../../node/operations.ts';
import type { HoltNode } from '../support/holt-installation.ts';
import { PIPELINE, Replication, type ReplicationOptions } from '../support/replication.ts';
import { startDatabase } from '../support/servers.ts';
import { SCHEMA } from '../support/shop.ts';
import {
  type AccuracyPhase,
  accuracyRun,
  isOff,
  nodeOf,
  STAGE_NODES,
  witnessOf,
  worstOf,
} from './lag-cases.ts';

const WELL: ReadonlySet<string> = new Set(['running', 'idle', 'catching-up']);
const always = () => true;
const NODES = { nodes: { 'east-1': 'east', 'west-1': 'west' } } as const;

describe('G9 under attack', () => {
  let run: Replication;
  afterEach(async () => {
    await run?.[Symbol.asyncDispose]();
  });

  async function begin(options: Partial<ReplicationOptions> = {}): Promise<void> {
    run = await Replication.create({ source: 'mariadb', target: 'mariadb', ...options });
    await run.holt.start();
    await run.reigning();
  }

  /** Every answer for a while. */
  async function shown(ms: number, node: HoltNode, pipeline = PIPELINE): Promise<PipelineStatusView[]> {
    const answers: PipelineStatusView[] = [];
    const endMs = performance.now() + ms;
    while (performance.now() < endMs) {
      answers.push(await node.api.pipeline(pipeline));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return answers;
  }

  const told = (answers: readonly PipelineStatusView[]) =>
    answers
      .map(({ state, reason, lag, lagStage }) => JSON.stringify({ state, reason, lagStage, lag }))
      .join('\n');

  /** `stage` is named within 2 s, and nobody says anything else for a while. */
  async function expectStuckAt(
    stage: StageName,
    node: HoltNode,
    ms = 6_000,
    pipeline = PIPELINE,
  ): Promise<void> {
    const startedMs = performance.now();
    await waitFor(
      async () => {
        const { state, lagStage } = await node.api.pipeline(pipeline);
        return !WELL.has(state) && lagStage === stage;
      },
      { timeoutMs: 30_000, pollMs: 20, what: `${stage} to be named` },
    ).catch(async (error: unknown) => {
      throw new Error(`${stage} was not named: ${told([await node.api.pipeline(pipeline)])}`, {
        cause: error,
      });
    });
    expect(performance.now() - startedMs).toBeLessThan(2_500);
    const answers = await shown(ms, node, pipeline);
    const otherwise = answers.filter(({ state, lagStage }) => WELL.has(state) || lagStage !== stage);
    expect(otherwise.length, told(otherwise)).toBe(0);
    const ages = answers.map(({ lag }) => lag.endToEnd?.ms ?? -1);
    expect(ages.at(-1)).toBeGreaterThan(ms);
    // It grows as time does.
    expect(ages.every((age, at) => at === 0 || age > (ages[at - 1] ?? 0))).toBe(true);
  }

  it('a stage that stands still under a writer of one transaction a second, in a window of 64', async () => {
    await begin({ rate: 1, ...STAGE_NODES, pipeline: { batch: { window: 64 } } });
    run.writer.start();
    await run.flows();
    for (const stage of ['load', 'extract'] as const) {
      await run.holt.node(nodeOf(stage)).freeze();
      // From the next change on: before it nothing waits.
      await waitFor(
        async () => ((await witnessOf(run, stage).api.pipeline(PIPELINE)).lag.endToEnd?.ms ?? 0) > 100,
        {
          timeoutMs: 20_000,
          pollMs: 10,
          what: 'a change to wait',
        },
      );
      await expectStuckAt(stage, witnessOf(run, stage));
      run.holt.node(nodeOf(stage)).thaw();
      await run.flows();
    }
  });

  it('an idle source whose log is rotated stays idle', async () => {
    for (const source of ['mariadb', 'mysql', 'mysql56'] as const) {
      await begin({ source, ...NODES });
      await waitFor(async () => (await run.status())?.state === 'idle', { timeoutMs: 30_000, what: 'idle' });
      for (let turn = 0; turn < 4; turn++) {
        await run.source.db.query('FLUSH BINARY LOGS');
        const answers = await shown(1_300, run.holt.node('west-1'));
        const wrong = answers.filter(({ state, lag }) => state !== 'idle' || lag.endToEnd?.ms !== 0);
        expect(wrong.length, `${source}: ${told(wrong)}`).toBe(0);
      }
      await run[Symbol.asyncDispose]();
    }
  });

  it('rows, a table and a schema change that somebody keeps waiting at the target', async () => {
    await begin({ rate: 30, ...NODES });
    run.writer.start();
    await run.flows();
    const node = run.holt.node('east-1');
    for (const lock of [`SELECT * FROM ${SCHEMA}.accounts FOR UPDATE`, 'FLUSH TABLES WITH READ LOCK']) {
      const other = await run.target.db.connect();
      await other.query('BEGIN');
      // Whoever comes second in a deadlock tries again.
      await waitFor(() => other.query(lock).then(always, () => null), {
        timeoutMs: 30_000,
        what: 'the lock',
      });
      await expectStuckAt('load', node, 8_000);
      await other.end();
      await run.flows();
    }
    await run.writer.stop();
    await run.until('idle', ({ state }) => state === 'idle');
    const reader = await run.target.db.connect();
    await reader.query('BEGIN');
    await reader.query(`SELECT COUNT(*) FROM ${SCHEMA}.notes`);
    await run.source.db.query(`ALTER TABLE ${SCHEMA}.notes ADD COLUMN more INT`);
    await expectStuckAt('load', node, 8_000);
    await reader.end();
    await run.until('idle again', ({ state, lagMs }) => state === 'idle' && lagMs === 0);
  });

  it('a transaction that is open for long is none before its commit', async () => {
    for (const source of ['mariadb', 'mysql', 'mysql56'] as const) {
      await begin({ source, ...NODES });
      const node = run.holt.node('east-1');
      const writer = await run.source.db.connect();
      await writer.query('BEGIN');
      await writer.query(`INSERT INTO ${SCHEMA}.journal VALUES (NOW(6), 'long', 'east')`);
      const open = await shown(3_500, node);
      const wrong = open.filter(({ lag }) => lag.endToEnd?.ms !== 0);
      expect(wrong.length, told(wrong)).toBe(0);
      await run.holt.node('west-1').freeze();
      const beganMs = performance.now();
      await writer.query('COMMIT');
      const committedMs = performance.now();
      const after = await waitFor(
        async () => {
          const askedMs = performance.now();
          const { lag } = await node.api.pipeline(PIPELINE);
          const answeredMs = performance.now();
          return lag.endToEnd !== null && lag.endToEnd.ms > 0
            ? { ...lag.endToEnd, askedMs, answeredMs }
            : null;
        },
        { timeoutMs: 20_000, pollMs: 5, what: 'the change to be seen' },
      );
      expect(after.ms + (after.errorMs ?? 0) + 50).toBeGreaterThan(after.askedMs - committedMs);
      expect(after.ms - (after.errorMs ?? 0) - 50).toBeLessThan(after.answeredMs - beganMs);
      run.holt.node('west-1').thaw();
      await writer.end();
      await run.until('it to arrive', ({ state, lagMs }) => state === 'idle' && lagMs === 0);
      await run[Symbol.asyncDispose]();
    }
  });

  it.for<[string, Partial<ReplicationOptions>, readonly AccuracyPhase[]]>([
    [
      'transactions in parts, and such as are open for long',
      { pipeline: { batch: { partBytes: '256KiB' } } },
      [
        { name: 'huge', ms: 6_000, everyMs: 1_500, rows: 20_000 },
        { name: 'open', ms: 8_000, everyMs: 100, openMs: 2_500 },
        { name: 'huge and frozen', ms: 4_000, everyMs: 1_500, rows: 20_000, frozen: true },
        { name: 'after', ms: 3_000, everyMs: 50 },
      ],
    ],
    [
      'clocks of nodes that are set while they run',
      {},
      [
        { name: 'light', ms: 3_000, everyMs: 50 },
        { name: 'west ahead', ms: 3_000, everyMs: 50, nodeClocks: { 'west-1': 20_000 } },
        { name: 'east behind', ms: 3_000, everyMs: 50, nodeClocks: { 'west-1': 0, 'east-1': -20_000 } },
        { name: 'idle', ms: 3_000, everyMs: null, nodeClocks: { 'west-1': -10_000, 'east-1': 10_000 } },
        { name: 'heavy', ms: 4_000, everyMs: 20, rows: 500 },
        { name: 'both right', ms: 3_000, everyMs: 50, nodeClocks: { 'west-1': 0, 'east-1': 0 } },
      ],
    ],
    [
      'the thread of the node that reads is held up over and over',
      {},
      [
        { name: 'light', ms: 8_000, everyMs: 30, stuttering: true },
        { name: 'idle', ms: 4_000, everyMs: null, stuttering: true },
        { name: 'heavy', ms: 6_000, everyMs: 20, rows: 500, stuttering: true },
      ],
    ],
  ])('the lag shown is the measured one: %s', async ([_, options, phases]) => {
    for (const source of ['mariadb', 'mysql'] as const) {
      const samples = await accuracyRun({ source, target: 'mariadb', ...options }, phases);
      const off = samples.filter(isOff);
      expect(off.length, `${source}: ${worstOf(off)}`).toBe(0);
      const longestMs = Math.max(...samples.map(({ lag }) => lag?.ms ?? 0));
      const strange = samples.filter(
        ({ apply }) => apply !== null && apply.ms - (apply.errorMs ?? 0) > longestMs + 500,
      );
      expect(strange.map(({ apply }) => apply)).toEqual([]);
    }
  });

  const TWO_WAY = {
    ...NODES,
    winner: 'east',
    morePipelines: {
      'west-east': { source: 'west-db', target: 'east-db', start: 'now', tables: [`${SCHEMA}.*`] },
    },
  } as const;

  it('of two pipelines one stands still: that one, and not the other', async () => {
    await begin({ rate: 40, ...TWO_WAY });
    run.writer.start();
    await run.flows();
    const other = await run.target.db.connect();
    await other.query('BEGIN');
    await waitFor(() => other.query(`SELECT * FROM ${SCHEMA}.accounts FOR UPDATE`).then(always, () => null), {
      timeoutMs: 30_000,
      what: 'the lock',
    });
    const node = run.holt.node('east-1');
    let over = false;
    const back = (async () => {
      while (!over) {
        await run.target.db.query(`INSERT INTO ${SCHEMA}.journal VALUES (NOW(6), 'back', 'west')`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const stuck = expectStuckAt('load', node, 8_000);
    const answers = await shown(8_000, node, 'west-east');
    await stuck;
    over = true;
    await back;
    const wrong = answers.filter(
      ({ state, lag }) => !WELL.has(state) || !((lag.endToEnd?.ms ?? 1e9) < 1_000),
    );
    expect(wrong.length, told(wrong)).toBe(0);
    expect(answers.at(-1)?.rowsPerSecond).toBeGreaterThan(0);
    await other.end();
    await run.flows();
    await run.writer.stop();
  });

  it('the way back of a two-way channel is idle, whatever goes the other way', async () => {
    await begin({ rate: 200, ...TWO_WAY });
    run.writer.start();
    await run.flows();
    const answers = await shown(10_000, run.holt.node('west-1'), 'west-east');
    const wrong = answers.filter(({ state, lag }) => {
      const { ms = 1e9, errorMs = 0 } = lag.endToEnd ?? {};
      return !WELL.has(state) || ms - (errorMs ?? 0) > 50;
    });
    expect(wrong.length, told(wrong)).toBe(0);
    await run.writer.stop();
  });

  it('a site that is cut off from ZooKeeper: nothing is well there, nor on its word', async () => {
    const nodes = { 'east-1': 'east', 'east-2': 'east', 'west-1': 'west' };
    await begin({ rate: 30, nodes, linked: Object.keys(nodes) });
    run.writer.start();
    await run.flows();
    run.links.get('west-1')?.stall();
    const cut = run.holt.node('west-1');
    // What the one who is cut off says, if it says anything, is not that all is well.
    const saysWell = async (node: HoltNode) => {
      const status = await node.api.pipeline(PIPELINE).catch(() => null);
      return status !== null && WELL.has(status.state) ? status : null;
    };
    await waitFor(async () => (await saysWell(cut)) === null, {
      timeoutMs: 20_000,
      pollMs: 50,
      what: 'the loss',
    });
    for (let turn = 0; turn < 5; turn++) {
      const well = await saysWell(cut);
      expect(well, JSON.stringify(well)).toBeNull();
    }
    run.links.get('west-1')?.heal();
    await run.flows();
    const leader = (await run.holt.holderOf(PIPELINE, 'select')) ?? '';
    const witness = cut;
    run.links.get(leader)?.stall();
    const cutMs = performance.now();
    // The lease ends before the session does: from then on nobody believes the one who held it.
    await waitFor(async () => (await saysWell(witness)) === null, {
      timeoutMs: 20_000,
      pollMs: 20,
      what: 'doubt',
    });
    expect(performance.now() - cutMs).toBeLessThan(6_000);
    const again = await waitFor(() => saysWell(witness), { timeoutMs: 120_000, pollMs: 50, what: 'another' });
    expect(again.stages.find(({ stage }) => stage === 'select')?.holder).not.toBe(leader);
    run.links.get(leader)?.heal();
    await run.settle();
  });

  it('a target that stands still, and one that is gone, is named as Load', async () => {
    await begin({ rate: 30, ...NODES });
    run.writer.start();
    await run.flows();
    const node = run.holt.node('east-1');
    await run.target.freeze();
    await expectStuckAt('load', node, 15_000);
    run.target.thaw();
    await run.flows();
    await run.target.kill();
    await expectStuckAt('load', node, 15_000);
    await run.target.start();
    await run.flows();
    await run.settle();
  });

  it('heartbeats that cannot be written: said so, and the lag is right without them', async () => {
    await begin({ ...NODES });
    const locker = await run.source.db.connect();
    await locker.query('LOCK TABLES holt.heartbeat WRITE');
    const node = run.holt.node('east-1');
    const answers = await shown(9_000, node);
    const wrong = answers.filter(({ lag }) => lag.endToEnd?.ms !== 0);
    expect(wrong.length, told(wrong)).toBe(0);
    expect(answers.at(-1)?.lag.heartbeatAgoMs).toBeGreaterThan(6_000);
    await waitFor(async () => (await node.api.pipeline(PIPELINE)).code === 'HOLT_HEARTBEAT_FAILED', {
      timeoutMs: 30_000,
      what: 'the heartbeat to be missed',
    });
    await run.holt.node('west-1').freeze();
    await run.source.db.query(`INSERT INTO ${SCHEMA}.journal VALUES (NOW(6), 'now', 'east')`);
    const writtenMs = performance.now();
    await waitFor(async () => ((await node.api.pipeline(PIPELINE)).lag.endToEnd?.ms ?? 0) > 3_000, {
      timeoutMs: 20_000,
      pollMs: 5,
      what: '3 s',
    });
    expect(performance.now() - writtenMs).toBeGreaterThan(2_850);
    run.holt.node('west-1').thaw();
    await locker.end();
    await run.until('idle', ({ state, lagMs }) => state === 'idle' && lagMs === 0);
  });

  it('a pause is no standstill and no idleness; behind it the time to catch up is foretold', async () => {
    await begin({ rate: 400, ...NODES, pipeline: { batch: { maxRows: 40, window: 1 } } });
    const node = run.holt.node('east-1');
    await node.api.setDesired(PIPELINE, { desired: 'paused', by: 'ann', why: 'upgrade' });
    await run.until('the pause', ({ state }) => state === 'paused');
    run.writer.start();
    const paused = await shown(20_000, node);
    expect(paused.filter(({ state }) => state !== 'paused')).toEqual([]);
    await run.writer.stop();
    await node.api.setDesired(PIPELINE, { desired: 'running', by: 'ann', why: '' });
    const foretold: { readonly atMs: number; readonly inMs: number | null; readonly state: string }[] = [];
    const levelMs = await waitFor(
      async () => {
        const { state, lag } = await node.api.pipeline(PIPELINE);
        const atMs = performance.now();
        foretold.push({ atMs, inMs: lag.catchUpMs, state });
        return state === 'idle' && lag.endToEnd?.ms === 0 ? atMs : null;
      },
      { timeoutMs: 120_000, pollMs: 50, what: 'the pipeline to catch up' },
    );
    const judged = foretold.filter(({ atMs, inMs }) => inMs !== null && inMs > 0 && levelMs - atMs > 2_000);
    const right = judged.filter(
      ({ atMs, inMs }) => Math.abs((inMs ?? 0) - (levelMs - atMs)) < 2_000 + (levelMs - atMs) / 2,
    );
    const lines = judged.map(({ atMs, inMs, state }) => `${state} ${Math.round(levelMs - atMs)}: ${inMs}`);
    expect(judged.length, lines.join('\n')).toBeGreaterThan(20);
    expect(right.length / judged.length, lines.join('\n')).toBeGreaterThan(0.8);
  });

  it('a source that is a lagging replica: its own delay is shown as that, and heartbeats do not hide it', async () => {
    await begin({ source: 'mysql', ...NODES });
    await using primary = await startDatabase('mysql');
    await primary.db.query(`CREATE DATABASE ${SCHEMA}; CREATE TABLE ${SCHEMA}.far (id INT PRIMARY KEY)`);
    await run.source.db.query(`CREATE TABLE ${SCHEMA}.far (id INT PRIMARY KEY)`);
    const [at] = await primary.db.query<{ File: string; Position: number }>('SHOW BINARY LOG STATUS');
    const { host, port, user, password } = primary.db.endpoint;
    await run.source.db.query(
      `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_PORT = ${port}, SOURCE_USER = '${user}', SOURCE_PASSWORD = '${password}', SOURCE_LOG_FILE = '${at?.File}', SOURCE_LOG_POS = ${at?.Position}, SOURCE_DELAY = 4, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA`,
    );
    await primary.db.query(`INSERT INTO ${SCHEMA}.far VALUES (1)`);
    const node = run.holt.node('west-1');
    const first = await waitFor(
      async () => {
        const { lag } = await node.api.pipeline(PIPELINE);
        return (lag.upstream?.ms ?? 0) > 0 ? lag : null;
      },
      { timeoutMs: 30_000, pollMs: 5, what: 'the row to come from the primary' },
    );
    expect(first.upstream?.ms).toBeGreaterThan(3_900);
    expect(first.endToEnd?.ms).toBeLessThan(1_000);
    const answers = await shown(4_000, node);
    const wrong = answers.filter(({ lag }) => !((lag.upstream?.ms ?? 0) > 3_900));
    expect(wrong.length, told(wrong)).toBe(0);
  });
});
