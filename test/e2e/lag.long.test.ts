import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { STAGES, type StageName } from '../../model/stage.ts';
import type { HoltNode } from '../support/holt-installation.ts';
import { repositoryRoot, ServerUnavailable } from '../support/inventory.ts';
import { PIPELINE, Replication, type ReplicationOptions } from '../support/replication.ts';
import {
  type AccuracyPhase,
  type AccuracySample,
  accuracyRun,
  expectFrozen,
  isOff,
  nodeOf,
  STAGE_NODES,
  untilNamed,
  witnessOf,
  worstOf,
} from './lag-cases.ts';

const HOLT = join(repositoryRoot(), 'bin/holt.mjs');

/** Where each stage stops, and goes on answering. */
const PLACES: Readonly<Record<StageName, string>> = {
  select: 'select:before-publish',
  extract: 'extract:before',
  transform: 'transform:before',
  load: 'load:before',
};

/** With load changes, idle times and a stage that stands still. */
const PHASES: readonly AccuracyPhase[] = [
  { name: 'idle', ms: 5_000, everyMs: null },
  { name: 'light', ms: 6_000, everyMs: 50 },
  { name: 'heavy', ms: 8_000, everyMs: 5, rows: 2_000 },
  { name: 'idle after', ms: 5_000, everyMs: null },
  { name: 'frozen', ms: 3_000, everyMs: 100, frozen: true },
  { name: 'after', ms: 4_000, everyMs: 20, rows: 10 },
  { name: 'sparse', ms: 8_000, everyMs: 900 },
  { name: 'idle at last', ms: 5_000, everyMs: null },
];

describe('G9 true lag', () => {
  it.for<[string, ReplicationOptions, readonly AccuracyPhase[]]>([
    ['MariaDB, its clock 3 s ahead', { source: 'mariadb', target: 'mariadb', sourceClock: '+3s' }, PHASES],
    ['MariaDB, its clock 3 s behind', { source: 'mariadb', target: 'mariadb', sourceClock: '-3s' }, PHASES],
    [
      'MariaDB, its clock set back and forth',
      { source: 'mariadb', target: 'mariadb', sourceClock: '+0' },
      PHASES.map((phase, i) => (i % 2 === 0 ? phase : { ...phase, clock: i % 4 === 1 ? '+3s' : '-7s' })),
    ],
    ['MySQL, to a target 3 s behind', { source: 'mysql', target: 'mariadb', targetClock: '-3s' }, PHASES],
    ['MySQL 5.6', { source: 'mysql56', target: 'mariadb' }, PHASES],
  ])(
    'the lag shown is the measured one, to ±50 ms and what is shown beside it: %s',
    async ([_, options, phases], context) => {
      let samples: readonly AccuracySample[];
      try {
        samples = await accuracyRun(options, phases);
      } catch (error) {
        if (error instanceof ServerUnavailable) return context.skip(`SKIPPED: ${error.message}`);
        throw error;
      }
      const off = samples.filter(isOff);
      expect(off, worstOf(off)).toEqual([]);
      expect(samples.length).toBeGreaterThan(200);
      for (const name of ['idle', 'idle at last']) {
        const idle = samples.filter(({ phase }) => phase === name);
        const zero = idle.filter(
          ({ lag, state }) => lag?.ms === 0 && (state === 'idle' || state === 'running'),
        );
        expect(zero.length / idle.length, worstOf(idle)).toBeGreaterThan(0.9);
      }
    },
  );

  it('names the stage whose holder is frozen within 2 s, in status, command line and metrics alike', async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      rate: 50,
      ...STAGE_NODES,
    });
    const { holt, writer } = run;
    await holt.start();
    await run.reigning();
    writer.start();
    await run.flows();
    for (const stage of STAGES) {
      const slowMs = 20 * (await answerMs(witnessOf(run, stage)));
      await holt.node(nodeOf(stage)).freeze();
      const { status, tookMs } = await untilNamed(run, stage);
      expectFrozen(status, stage);
      await expectAlike(witnessOf(run, stage), stage);
      expect(tookMs, `${stage} was named after ${Math.round(tookMs)} ms`).toBeLessThan(2_000 + slowMs);
      holt.node(nodeOf(stage)).thaw();
      await run.flows();
    }
    await run.settle();
  });

  it('names the stage that hangs, while its node goes on answering', async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      rate: 50,
      ...STAGE_NODES,
    });
    const { holt, writer } = run;
    await holt.start();
    await run.reigning();
    writer.start();
    await run.flows();
    for (const stage of STAGES) {
      const node = holt.node(nodeOf(stage));
      const slowMs = 20 * (await answerMs(witnessOf(run, stage)));
      await node.stop();
      await node.start({ failpoints: `${PLACES[stage]}=sleep600000@20` });
      await waitFor(() => node.logText().includes(`failpoint ${PLACES[stage]} sleep`), {
        timeoutMs: 120_000,
        pollMs: 10,
        what: `${stage} to hang`,
      });
      const { status, tookMs } = await untilNamed(run, stage);
      expect(status).toMatchObject({ state: 'degraded', lagStage: stage });
      expect(status.reason).toContain(`${stage} on ${nodeOf(stage)}`);
      await expectAlike(witnessOf(run, stage), stage);
      expect(tookMs, `${stage} was named after ${Math.round(tookMs)} ms`).toBeLessThan(2_000 + slowMs);
      await node.kill();
      await node.start();
      await run.flows();
    }
    await run.settle();
  });

  it('an owner that is lost is unknown, and a source that stands still is not idle', async () => {
    await using run = await Replication.create({ source: 'mariadb', target: 'mariadb', rate: 50 });
    const { holt } = run;
    await holt.start();
    await run.reigning();
    const owner = await holt.holderOf(PIPELINE, 'select');
    if (owner === null) throw new Error('nobody leads');
    const witness = holt.node('west-1');
    const seen = async (what: string, state: string, why: string | null) => {
      const startedMs = performance.now();
      await waitFor(
        async () => {
          const status = await witness.api.pipeline(PIPELINE);
          const told = status.reason !== null && (why === null || status.reason.includes(why));
          return status.state === state && told && status.lagStage === 'select';
        },
        { timeoutMs: 30_000, pollMs: 20, what },
      );
      return performance.now() - startedMs;
    };
    const slowMs = 20 * (await answerMs(witness));
    await holt.node(owner).freeze();
    expect(await seen('the owner to be unknown', 'unknown', owner)).toBeLessThan(2_000 + slowMs);
    await expectAlike(witness, 'select');
    // The other takes over: what it says counts from then on.
    await waitFor(async () => (await witness.api.pipeline(PIPELINE)).state === 'idle', {
      timeoutMs: 60_000,
      pollMs: 50,
      what: 'another to lead',
    });
    holt.node(owner).thaw();
    await run.source.freeze();
    expect(await seen('the source to be missed', 'degraded', null)).toBeLessThan(2_000 + slowMs);
    await expectAlike(witness, 'select');
    run.source.thaw();
    await run.until('idle again', ({ state, lagMs }) => state === 'idle' && lagMs === 0);
  });
});

/** What an answer takes when all is well: on a machine that is busy with other things, more. */
async function answerMs(witness: HoltNode): Promise<number> {
  const startedMs = performance.now();
  await witness.api.nodes();
  return performance.now() - startedMs;
}

async function expectAlike(witness: HoltNode, stage: StageName): Promise<void> {
  expect(await witness.metrics()).toContain(
    `holt_pipeline_lag_stage{pipeline="${PIPELINE}",stage="${stage}"} 1`,
  );
  const { stdout } = await promisify(execFile)(process.execPath, [HOLT, 'lag', '--server', witness.apiUrl], {
    env: { ...process.env, HOLT_TOKEN: witness.token },
  });
  expect(stdout.split('\n')[1]).toMatch(new RegExp(`^${PIPELINE} .* ${stage} `));
}
