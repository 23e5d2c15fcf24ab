import { expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { HoltError } from '../../../lib/errors.ts';
import { DivergenceSignal } from '../../../stages/load/load.ts';
import { insertParked } from '../../../stages/load/parked/parked-rows.ts';
import { guardStatement } from '../../../stages/load/target/guard.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { GTID_SOURCE, LanedPipeline } from './lanes-fixture.ts';
import { kindOf, noSignal } from './load-fixture.ts';
import { Sessions } from './target-fixture.ts';

describeDatabase(DATABASE_FLAVOURS, 'parallel lanes', (context) => {
  it('apply every change once and in order, each lane with marks of its own without a gap', async () => {
    const laned = await LanedPipeline.on(context);
    const reign = await laned.reign(4);
    const told: number[] = [];
    const { run, prepare } = await laned.taken(reign, 4, { onLane: (lane) => told.push(lane) });
    for (const [seq, from, to] of [
      [1, 0, 20],
      [2, 20, 21],
      [3, 21, 60],
    ] as const) {
      const outcome = await run.load(await prepare(laned.batch(reign, seq, from, to)), noSignal);
      expect(outcome).toMatchObject({
        kind: 'applied',
        receipt: { seq: String(seq) },
        stats: { careful: false },
      });
    }
    expect(await laned.tables()).toEqual(laned.expected(60));
    expect(laned.ledgered).toEqual([]);
    const [stream, ...lanes] = await laned.lanes();
    expect(stream).toEqual([0, 3, 60]);
    expect(lanes.map(([lane]) => lane)).toEqual([1, 2, 3, 4]);
    // Seq counts what the lane has written, nothing else: a mark each, one after the other.
    for (const [lane, seq] of lanes) expect(seq).toBe(told.filter((one) => one === lane).length);
    expect(told.length).toBeGreaterThan(6);
    const writers = await context.db.query<{ lane: number }>(
      "SELECT lane FROM holt.writer WHERE pipeline = ? AND role = 'load' ORDER BY lane",
      [laned.pipeline.name],
    );
    expect(writers.map(({ lane }) => Number(lane))).toEqual([0, 1, 2, 3, 4]);
    await run.close();
    expect(
      await context.db.query('SELECT * FROM holt.writer WHERE pipeline = ?', [laned.pipeline.name]),
    ).toEqual([]);
  });

  it('that were cut off between two commits are level again before they go on, and nothing is done twice', async () => {
    const laned = await LanedPipeline.on(context);
    const first = await laned.reign(4);
    const before = await laned.taken(first, 4);
    await before.run.load(await before.prepare(laned.batch(first, 1, 0, 10)), noSignal);
    // Two lanes get through, the others never write; then the node is gone.
    const cut = new AbortController();
    let written = 0;
    before.shares.before = async () => {
      written += 1;
      if (written <= 2) return;
      await waitFor(async () => (await aheadOf(laned)) >= 2, {
        timeoutMs: 30_000,
        what: 'two lanes to commit',
      });
      cut.abort(new Error('killed'));
      throw new DivergenceSignal('never written');
    };
    await expect(
      before.run.load(await before.prepare(laned.batch(first, 2, 10, 30)), cut.signal),
    ).rejects.toThrow();
    await before.run.close();
    expect(await laned.place()).toBe(10);
    expect(await aheadOf(laned)).toBe(2);

    // Read again from the lowest, cut elsewhere: beyond where the lanes stood, and with another number of them.
    const second = await laned.reign(2);
    const after = await laned.taken(second, 2);
    expect(after.run.ahead).toHaveLength(2);
    let shares = 0;
    after.shares.before = () => {
      shares += 1;
    };
    const seq = Number(second.seq);
    await after.run.load(await after.prepare(laned.batch(second, seq + 1, 10, 17)), noSignal);
    expect(after.run.ahead).toHaveLength(2);
    // Again a fault: what is left out does not depend on the reign.
    await after.run.close();
    const third = await laned.reign(3);
    const last = await laned.taken(third, 3);
    expect(last.run.ahead).toHaveLength(2);
    await last.run.load(await last.prepare(laned.batch(third, seq + 2, 17, 34)), noSignal);
    expect(last.run.ahead).toEqual([]);
    expect(shares).toBe(0);
    expect(await laned.tables()).toEqual(laned.expected(34));
    await last.run.load(await last.prepare(laned.batch(third, seq + 3, 34, 50)), noSignal);
    expect(await laned.tables()).toEqual(laned.expected(50));
    expect(laned.ledgered).toEqual([]);
    const plan = await context.db.value('SELECT lanes FROM holt.lane_plan WHERE pipeline = ?', [
      laned.pipeline.name,
    ]);
    expect(Number(plan)).toBe(3);
    await last.run.close();
  });

  it('may be given up for one connection while some are ahead', async () => {
    const laned = await LanedPipeline.on(context);
    const first = await laned.reign(3);
    const before = await laned.taken(first, 3);
    await leaveApart(laned, before, laned.batch(first, 1, 0, 20));
    const second = await laned.reign(0);
    const after = await laned.taken(second, 0);
    expect(after.run.ahead.length).toBeGreaterThan(0);
    for (const [seq, from, to] of [
      [1, 0, 8],
      [2, 8, 25],
    ] as const)
      await after.run.load(
        await after.prepare(laned.batch(second, Number(second.seq) + seq, from, to)),
        noSignal,
      );
    expect(after.run.ahead).toEqual([]);
    expect(await laned.tables()).toEqual(laned.expected(25));
    expect(laned.ledgered).toEqual([]);
    await after.run.close();
  });

  it('ahead without the plan they wrote by stop the pipeline', async () => {
    const laned = await LanedPipeline.on(context);
    const first = await laned.reign(3);
    const before = await laned.taken(first, 3);
    await leaveApart(laned, before, laned.batch(first, 1, 0, 20));
    await context.db.query('DELETE FROM holt.lane_plan WHERE pipeline = ?', [laned.pipeline.name]);
    const second = await laned.reign(3);
    const { run } = laned.node(3);
    expect(await run.take(second.tenure, second.epoch, noSignal)).toMatchObject({
      kind: 'stop',
      error: { code: 'HOLT_LANES_UNCLEAR' },
    });
    await run.close();
  });

  it('ahead of a source that lacks what they have done let nobody reign', async () => {
    const laned = await LanedPipeline.on(context);
    const first = await laned.reign(3);
    await leaveApart(laned, await laned.taken(first, 3), laned.batch(first, 1, 0, 20));
    const asked: string[] = [];
    const lacking = laned.raiser(3, {
      sourceHas: async (position) => {
        asked.push(position);
        throw new HoltError('HOLT_SOURCE_POSITION_FOREIGN', 'it lacks them', { disposition: 'pause' });
      },
    });
    await expect(laned.pipeline.takeOver(lacking)).rejects.toMatchObject({
      code: 'HOLT_SOURCE_POSITION_FOREIGN',
    });
    expect(asked).toEqual([`mysql:${GTID_SOURCE}:1-20`]);
    // Nobody has raised: a source that has them may.
    expect((await laned.reign(3)).epoch).toBe(first.epoch + 1);
  });

  it('write nothing while a table is parked: its changes are held in the order of the source', async () => {
    const laned = await LanedPipeline.on(context);
    const reign = await laned.reign(3);
    const { run, prepare } = await laned.taken(reign, 3);
    await run.load(await prepare(laned.batch(reign, 1, 0, 10)), noSignal);
    const before = (await laned.lanes()).slice(1);
    await using sessions = new Sessions();
    const name = { schema: 'elsewhere', table: 't' };
    const park = { name, target: name, root: name, code: 'HOLT_TABLE_PARKED', why: 'a test', by: 'test' };
    await insertParked(await sessions.to(laned.pipeline.config), laned.pipeline.name, park);
    expect(kindOf(await run.load(await prepare(laned.batch(reign, 2, 10, 30)), noSignal))).toBe('applied');
    expect((await laned.lanes()).slice(1)).toEqual(before);
    expect(await laned.tables()).toEqual(laned.expected(30));
    await context.db.query('DELETE FROM holt.parked WHERE pipeline = ?', [laned.pipeline.name]);
    expect(kindOf(await run.load(await prepare(laned.batch(reign, 3, 30, 50)), noSignal))).toBe('applied');
    expect((await laned.lanes()).slice(1)).not.toEqual(before);
    expect(await laned.tables()).toEqual(laned.expected(50));
    await run.close();
  });

  it('one of which has lost its row let nothing go on', async () => {
    const laned = await LanedPipeline.on(context);
    const first = await laned.reign(3);
    const { run, prepare } = await laned.taken(first, 3);
    await run.load(await prepare(laned.batch(first, 1, 0, 20)), noSignal);
    await run.close();
    await context.db.query('DELETE FROM holt.checkpoint WHERE pipeline = ? AND lane = 2', [
      laned.pipeline.name,
    ]);
    expect(await laned.pipeline.takeOver(laned.pipeline.raiser({ lanes: () => 3 }))).toMatchObject({
      kind: 'stop',
      error: { code: 'HOLT_CHECKPOINT_MISSING' },
    });
  });

  it('of an older reign write nothing any more, whatever they had begun', async () => {
    const laned = await LanedPipeline.on(context);
    const first = await laned.reign(4);
    const zombie = await laned.taken(first, 4);
    await zombie.run.load(await zombie.prepare(laned.batch(first, 1, 0, 5)), noSignal);
    // All lanes have passed their guard; then another reign begins, which ends their connections.
    let held = 0;
    let go = () => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    zombie.shares.before = async () => {
      held += 1;
      await gate;
    };
    const batch = await zombie.prepare(laned.batch(first, 2, 5, 25));
    const late = zombie.run.load(batch, noSignal);
    await waitFor(async () => held >= 3, { timeoutMs: 30_000, what: 'the lanes to be held' });
    const second = await laned.reign(4);
    go();
    expect(kindOf(await late)).toBe('superseded');
    expect(await laned.tables()).toEqual(laned.expected(5));
    // And with new connections: the door is shut.
    expect(kindOf(await zombie.run.load(batch, noSignal))).toBe('superseded');
    expect(await laned.tables()).toEqual(laned.expected(5));
    const heir = await laned.taken(second, 4);
    expect(heir.run.ahead).toEqual([]);
    await heir.run.load(await heir.prepare(laned.batch(second, Number(second.seq) + 1, 5, 25)), noSignal);
    expect(await laned.tables()).toEqual(laned.expected(25));
    await heir.run.close();
    await zombie.run.close();
  });

  it('lose to another holder of the same reign, lane by lane', async () => {
    const laned = await LanedPipeline.on(context);
    const reign = await laned.reign(4);
    const loser = await laned.taken(reign, 4);
    await loser.run.load(await loser.prepare(laned.batch(reign, 1, 0, 5)), noSignal);
    const winner = await laned.taken(reign, 4);
    expect(kindOf(await loser.run.load(await loser.prepare(laned.batch(reign, 2, 5, 25)), noSignal))).toBe(
      'lost-run',
    );
    expect(await laned.tables()).toEqual(laned.expected(5));
    await winner.run.load(await winner.prepare(laned.batch(reign, 2, 5, 25)), noSignal);
    expect(await laned.tables()).toEqual(laned.expected(25));
    await Promise.all([loser.run.close(), winner.run.close()]);
  });

  it('leave what does not fit to the careful way, in the order of the source', async () => {
    const laned = await LanedPipeline.on(context);
    const reign = await laned.reign(4);
    const { run, prepare } = await laned.taken(reign, 4);
    await run.load(await prepare(laned.batch(reign, 1, 0, 10)), noSignal);
    // Someone else's row is in the way of transaction 15.
    await context.db.query(`INSERT INTO ${laned.table(0)} VALUES (15, 99)`);
    const outcome = await run.load(await prepare(laned.batch(reign, 2, 10, 30)), noSignal);
    expect(outcome).toMatchObject({ kind: 'applied', stats: { careful: true } });
    expect(await laned.tables()).toEqual(laned.expected(30));
    expect(laned.ledgered).toHaveLength(1);
    // Level, so that the next batch goes over lanes again.
    expect(run.ahead).toEqual([]);
    const next = await run.load(await prepare(laned.batch(reign, 3, 30, 50)), noSignal);
    expect(next).toMatchObject({ kind: 'applied', stats: { careful: false } });
    expect(await laned.tables()).toEqual(laned.expected(50));
    await run.close();
  });

  // MySQL 5.6 may keep a killed session for `wait_timeout` (60 s): see `untilGone` of the writer registry.
  const untilKilledIsGoneMs = context.flavour === 'mysql56' ? 180_000 : 60_000;
  it('find out what became of a commit that was not answered', { timeout: untilKilledIsGoneMs }, async () => {
    const laned = await LanedPipeline.on(context);
    const reign = await laned.reign(2);
    const { run, prepare, shares } = await laned.taken(reign, 2);
    await run.load(await prepare(laned.batch(reign, 1, 0, 10)), noSignal);
    let killed = 0;
    shares.before = async () => {
      if (killed > 0) return;
      killed += 1;
      const id = await context.db.value(
        "SELECT connection_id FROM holt.writer WHERE pipeline = ? AND role = 'load' AND lane = 1",
        [laned.pipeline.name],
      );
      await context.db.query(`KILL ${id}`);
    };
    expect(kindOf(await run.load(await prepare(laned.batch(reign, 2, 10, 30)), noSignal))).toBe('applied');
    expect(killed).toBe(1);
    expect(await laned.tables()).toEqual(laned.expected(30));
    expect(kindOf(await run.load(await prepare(laned.batch(reign, 3, 30, 50)), noSignal))).toBe('applied');
    expect(await laned.tables()).toEqual(laned.expected(50));
    expect(laned.ledgered).toEqual([]);
    await run.close();
  });

  it('would let an older reign write, were it not for tenure and loader in the guard of each', async () => {
    const laned = await LanedPipeline.on(context);
    const first = await laned.reign(2);
    const zombie = await laned.taken(first, 2, {
      // What the protocol's guard would be without the two.
      laneGuard: (guard) =>
        guardStatement({ ...guard, loader: null }).replace(/ AND tenure = x'[0-9a-f]+'/, ''),
    });
    await zombie.run.load(await zombie.prepare(laned.batch(first, 1, 0, 5)), noSignal);
    const second = await laned.reign(2);
    // Its connections are gone; registering is what stops it then, not the guard.
    expect(kindOf(await zombie.run.load(await zombie.prepare(laned.batch(first, 2, 5, 9)), noSignal))).toBe(
      'superseded',
    );
    expect(await laned.tables()).toEqual(laned.expected(5));
    expect(second.epoch).toBeGreaterThan(first.epoch);
    await zombie.run.close();
  });
});

async function aheadOf(laned: LanedPipeline): Promise<number> {
  const [stream, ...lanes] = await laned.lanes();
  return lanes.filter(([, , place]) => (place ?? 0) > (stream?.[2] ?? 0)).length;
}

/** One lane commits its share of the batch, the others do not, and the node is gone. */
async function leaveApart(
  laned: LanedPipeline,
  node: Awaited<ReturnType<LanedPipeline['taken']>>,
  batch: ReturnType<LanedPipeline['batch']>,
): Promise<void> {
  const cut = new AbortController();
  let written = 0;
  node.shares.before = async () => {
    written += 1;
    if (written === 1) return;
    await waitFor(async () => (await aheadOf(laned)) >= 1, { timeoutMs: 30_000, what: 'a lane to commit' });
    cut.abort(new Error('killed'));
    throw new DivergenceSignal('never written');
  };
  await expect(node.run.load(await node.prepare(batch), cut.signal)).rejects.toThrow();
  await node.run.close();
}
