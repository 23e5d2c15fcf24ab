import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { literalSecret } from '../../../../conf/secret.ts';
import { InProcessQueue } from '../../../../jobs/in-process-queue.ts';
import { waitFor } from '../../../../lib/abort.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import type { AlarmChannel, AlarmsConfig } from '../../../../model/alarm.ts';
import { nodeId } from '../../../../model/ids.ts';
import { AlarmDesk } from '../../../../node/alarms/alarm-desk.ts';
import { AlarmStore, type KnownNode } from '../../../../node/alarms/alarm-store.ts';
import type { Notice } from '../../../../node/alarms/alarms.ts';
import { AlarmEvaluator } from '../../../../node/alarms/evaluator.ts';
import type { AlarmEyes } from '../../../../node/alarms/eyes.ts';
import type { Readings } from '../../../../node/alarms/readings.ts';
import { alarmPaths, lockOf } from '../../../../scheduler/paths.ts';
import { EmbeddedServer } from '../../../../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../../../../scheduler/tree/embedded/embedded-tree.ts';
import type { CoordinationTree } from '../../../../scheduler/tree/tree.ts';
import { readings, rule, status } from './alarm-cases.ts';

const OPS: AlarmChannel = {
  name: 'ops',
  kind: 'webhook',
  severity: 'info',
  url: literalSecret('http://127.0.0.1:9/'),
  secret: null,
};
const ALARMS: AlarmsConfig = {
  enabled: true,
  everyMs: 20,
  timezone: 'UTC',
  rules: [rule('stuck', { threshold: 1_000, forMs: 0, clearForMs: 0 })],
  channels: [OPS],
  historyDays: 30,
  link: null,
};
const PATIENCE = { timeoutMs: 30_000, pollMs: 10 } as const;

/** What every evaluator of a test sees. */
class Scene {
  readonly server = new EmbeddedServer();
  readonly delivered: string[] = [];
  stalledMs = 0;
  nodes: readonly KnownNode[] = [];
  /** The queue is away. */
  isQueueAway = false;
  readonly #trees: { readonly tree: CoordinationTree; readonly running: Promise<void> }[] = [];

  async tree(): Promise<CoordinationTree> {
    const tree = embeddedTree({ server: this.server });
    this.#trees.push({ tree, running: tree.run() });
    await tree.whenConnected();
    return tree;
  }

  now(): Readings {
    const shop = status('shop', {
      lag: { stalledMs: this.stalledMs, stage: this.stalledMs > 0 ? 'transform' : null },
    });
    return readings(systemClock.nowMs(), { pipelines: [shop] });
  }

  async evaluator(name: string): Promise<{
    readonly evaluator: AlarmEvaluator;
    readonly store: AlarmStore;
    readonly knew: readonly string[][];
    stop(): Promise<void>;
    die(): Promise<void>;
  }> {
    const tree = await this.tree();
    const store = new AlarmStore({ tree, log: silentLogger });
    const knew: string[][] = [];
    const now = () => this.now();
    const nodes = () => this.nodes;
    const queue = new InProcessQueue<{ readonly notice: Notice; readonly channel: string }>({
      name: 'alarms',
      concurrency: 1,
      attempts: 1,
      backoffMs: 1,
      process: async ({ data: { notice, channel } }) => {
        if ((await store.delivery(notice.id, channel))?.state === 'delivered') return;
        this.delivered.push(`${notice.kind} ${notice.group} to ${channel}`);
        await store.writeDelivery(notice.id, channel, {
          state: 'delivered',
          atMs: 1,
          attempts: 1,
          error: null,
        });
      },
      onFailed: () => {},
    });
    const evaluator = new AlarmEvaluator({
      alarms: ALARMS,
      node: nodeId(name),
      instance: randomBytes(4).toString('hex'),
      tree,
      store,
      eyes: (before) => {
        knew.push(before.map((one) => one.node));
        return {
          get nodes() {
            return nodes();
          },
          look: () => Promise.resolve(now()),
        } as unknown as AlarmEyes;
      },
      deliverer: {
        add: (notice, channels) =>
          this.isQueueAway
            ? Promise.reject(new HoltError('HOLT_JOBS_UNREACHABLE', 'Redis is away'))
            : queue.add(
                channels.map((channel) => ({ id: `${notice.id}-${channel}`, data: { notice, channel } })),
              ),
      },
      clock: systemClock,
      log: silentLogger,
    });
    void evaluator.run();
    return {
      evaluator,
      store,
      knew,
      stop: () => evaluator.stop(),
      die: async () => {
        await tree.stop();
        await evaluator.stop();
      },
    };
  }

  async close(): Promise<void> {
    for (const { tree, running } of this.#trees) {
      await tree.stop();
      await running;
    }
  }
}

let scene: Scene;
beforeEach(() => {
  scene = new Scene();
});
afterEach(() => scene.close());

const until = (what: string, probe: () => unknown) =>
  waitFor(async () => (await probe()) === true, { ...PATIENCE, what });

describe('the evaluator', () => {
  test('what begins and ends is told once each, and stands in the history', async () => {
    const one = await scene.evaluator('n1');
    await until('an evaluation', () => one.evaluator.evaluations > 0);
    scene.stalledMs = 5_000;
    await until('the alarm', () => scene.delivered.length === 1);
    expect((await one.store.alarms()).map(({ id, stage, state }) => [id, stage, state])).toEqual([
      ['stuck~shop', 'transform', 'firing'],
    ]);
    scene.stalledMs = 0;
    await until('its end', () => scene.delivered.length === 2);
    expect(scene.delivered).toEqual(['firing pipeline shop to ops', 'resolved pipeline shop to ops']);
    expect(await one.store.alarms()).toEqual([]);
    expect(
      (await one.store.told(10, null)).map((told) => [told.notice.kind, told.deliveries.ops?.state]),
    ).toEqual([
      ['resolved', 'delivered'],
      ['firing', 'delivered'],
    ]);
    await one.stop();
  });

  test('one evaluates; when it leaves or dies another goes on where it was, and tells nothing again', async () => {
    const first = await scene.evaluator('n1');
    await until('the first', () => first.evaluator.isEvaluating);
    scene.nodes = ['n1', 'n2'].map((node) => ({ node, site: 'east', stages: [] }));
    const second = await scene.evaluator('n2');
    scene.stalledMs = 5_000;
    await until('the alarm', () => scene.delivered.length === 1);
    expect(second.evaluator.isEvaluating).toBe(false);
    await first.die();
    await until('the second', () => second.evaluator.evaluations > 2);
    // The one that died without a word is missed.
    expect(second.knew).toEqual([['n1', 'n2']]);
    expect(scene.delivered).toEqual(['firing pipeline shop to ops']);
    const third = await scene.evaluator('n3');
    await second.stop();
    await until('the third', () => third.evaluator.evaluations > 2);
    // The one that took leave is not.
    expect(third.knew).toEqual([['n1']]);
    scene.stalledMs = 0;
    await until('the end', () => scene.delivered.length === 2);
    await third.stop();
    expect(scene.delivered).toEqual(['firing pipeline shop to ops', 'resolved pipeline shop to ops']);
  });

  test('while the queue is away alarms are evaluated and kept, and told when it is back, by a successor too', async () => {
    scene.isQueueAway = true;
    const first = await scene.evaluator('n1');
    scene.stalledMs = 5_000;
    await until('the alarm', async () => (await first.store.alarms()).length === 1);
    scene.stalledMs = 0;
    await until('its end', async () => (await first.store.told(10, null)).length === 2);
    expect(scene.delivered).toEqual([]);
    await first.die();
    scene.isQueueAway = false;
    const second = await scene.evaluator('n2');
    await until('both', () => scene.delivered.length === 2);
    await second.stop();
    expect(scene.delivered).toEqual(['firing pipeline shop to ops', 'resolved pipeline shop to ops']);
  });

  test('one whose term is over writes nothing more', async () => {
    const one = await scene.evaluator('n1');
    await until('an evaluation', () => one.evaluator.evaluations > 0);
    const tree = await scene.tree();
    // Another's taking, that the frozen one has not heard of.
    const record = await one.store.record();
    await tree.set(
      alarmPaths.evaluator,
      one.store.encode({ ...(record?.value ?? expect.fail()), node: 'other' }),
      'any',
    );
    scene.stalledMs = 5_000;
    // It finds out at its first write, lets go, and takes the lock anew with a term of its own.
    await until('the alarm', async () => (await one.store.alarms()).length === 1);
    expect((await one.store.record())?.value.node).toBe('n1');
    expect(await tree.exists(lockOf(alarmPaths.evaluator))).not.toBeNull();
    await one.stop();
    expect(scene.delivered).toEqual(['firing pipeline shop to ops']);
  });
});

describe('while the evaluator does not answer', () => {
  test('a node that is asked looks in its place, names the stage, and tells nobody', async () => {
    const one = await scene.evaluator('n1');
    await until('an evaluation', () => one.evaluator.evaluations > 0);
    await one.stop();
    let silent: ReadonlySet<string> = new Set();
    const desk = new AlarmDesk({
      alarms: ALARMS,
      where: { cluster: 'test', link: null },
      store: one.store,
      deliverer: { test: () => Promise.resolve() },
      standIn: { silent: () => Promise.resolve(silent), look: () => Promise.resolve(scene.now()) },
      clock: systemClock,
      log: silentLogger,
    });
    scene.stalledMs = 5_000;
    const held = await scene.tree();
    await held.create(lockOf(alarmPaths.evaluator), Buffer.from('{}'), { ephemeral: true });
    expect(await desk.list()).toEqual([]);
    silent = new Set(['n1']);
    expect(await desk.list()).toMatchObject([{ id: 'stuck~shop', stage: 'transform', state: 'pending' }]);
    scene.stalledMs = 0;
    expect(await desk.list()).toEqual([]);
    expect(await one.store.alarms()).toEqual([]);
    expect(scene.delivered).toEqual([]);
  });
});

describe('what people order', () => {
  test('an acknowledgement is of the whole group, a silence hides, and both are forgotten when they are over', async () => {
    const one = await scene.evaluator('n1');
    const desk = new AlarmDesk({
      alarms: ALARMS,
      where: { cluster: 'test', link: null },
      store: one.store,
      deliverer: { test: () => Promise.reject(new HoltError('HOLT_ALARM_REFUSED', 'the answer is 500')) },
      clock: systemClock,
      log: silentLogger,
    });
    scene.stalledMs = 5_000;
    await until('the alarm', () => scene.delivered.length === 1);
    expect((await desk.acknowledge('stuck~shop', 'ann', 'on it')).ack).toMatchObject({
      by: 'ann',
      why: 'on it',
    });
    const made = await desk.silence({
      by: 'ann',
      why: 'work',
      forMs: 60_000,
      rules: ['stuck'],
      subjects: ['sh?p'],
    });
    expect(await desk.list()).toMatchObject([{ id: 'stuck~shop', silence: made.id, ack: { by: 'ann' } }]);
    await desk.endSilence(made.id, 'ann');
    expect(await desk.silences()).toEqual([]);
    await expect(desk.endSilence(made.id, 'ann')).rejects.toMatchObject({
      code: 'HOLT_ALARM_SILENCE_UNKNOWN',
    });
    await expect(desk.acknowledge('none', 'ann', '')).rejects.toMatchObject({ code: 'HOLT_ALARM_UNKNOWN' });
    expect(await desk.test('ops', 'ann')).toMatchObject({ ok: false, error: 'the answer is 500' });
    await expect(desk.test('none', 'ann')).rejects.toMatchObject({ code: 'HOLT_ALARM_CHANNEL_UNKNOWN' });
    expect(JSON.stringify([desk.channels(), desk.rules()])).not.toContain('127.0.0.1');
    await one.stop();
  });
});
