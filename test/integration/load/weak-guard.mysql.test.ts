/**
 * Why each condition of the guard is there: with it taken out, the scene beside it loses or repeats a change. What is
 * asserted of the weak guard is the harm.
 */
import { expect, it } from 'vitest';
import type { BatchHeader } from '../../../model/batch.ts';
import { type GuardStatement, guardStatement } from '../../../stages/load/target/guard.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { at, kindOf, noSignal, Pipeline, type RaisedReign } from './load-fixture.ts';

/** The guard without the conditions that begin with one of these columns. */
function without(...columns: string[]): GuardStatement {
  return (guard) => {
    const [set, where] = guardStatement(guard).split(' WHERE ');
    const kept = (where ?? '')
      .split(' AND ')
      .filter((condition) => !columns.some((column) => condition.startsWith(`${column} =`)));
    return `${set} WHERE ${kept.join(' AND ')}`;
  };
}

interface Scene {
  readonly title: string;
  /** Where others would stop it as well, they are out, too. */
  readonly weak: GuardStatement;
  readonly play: (
    pipeline: Pipeline,
    guard: GuardStatement | undefined,
  ) => Promise<{ readonly late: string; readonly values: number[] }>;
  readonly right: number[];
  readonly wrong: number[];
}

/** A source of three changes, each adding 1 to row 1: a batch from a to b adds b − a. */
function span(pipeline: Pipeline, reign: RaisedReign, seq: number, from: number, to: number) {
  const header: Partial<BatchHeader> = { start: at(from).text, end: at(to).text };
  return pipeline.batch(reign, seq, {
    header,
    sql: [`UPDATE ${pipeline.table} SET v = v + ${to - from} WHERE id = 1`],
  });
}

/** Sessions that no raise finds, so that nothing but the guard stands between a late Load and the rows. */
async function hideWriters(pipeline: Pipeline): Promise<void> {
  await pipeline.db.query('DELETE FROM holt.writer WHERE pipeline = ?', [pipeline.name]);
}

const scenes: readonly Scene[] = [
  {
    title: 'seq and position: a batch that comes twice is not applied twice',
    weak: without('seq', 'position_digest'),
    right: [1, 0],
    wrong: [2, 0],
    async play(pipeline, guard) {
      const reign = await pipeline.reign();
      const { run } = await pipeline.taken(reign, guard === undefined ? {} : { guard });
      await run.load(span(pipeline, reign, 1, 0, 1), noSignal);
      const late = kindOf(await run.load(span(pipeline, reign, 1, 0, 1), noSignal));
      await run.close();
      return { late, values: await pipeline.values() };
    },
  },
  {
    title:
      'tenure (and the position): a late batch of an older reign with other boundaries does not skip changes',
    weak: without('tenure', 'loader', 'position_digest'),
    // Changes 1 to 3: the new reign has applied 1, and will go on at 2.
    right: [1, 0],
    wrong: [2, 0],
    async play(pipeline, guard) {
      const old = await pipeline.reign();
      const { run } = await pipeline.taken(old, guard === undefined ? {} : { guard });
      await hideWriters(pipeline);
      const now = await pipeline.reign();
      const next = await pipeline.taken(now);
      await next.run.load(span(pipeline, now, 1, 0, 1), noSignal);
      // In the old reign batch 1 was 0…2, and batch 2 is 2…3: change 2 would be lost, the position be 3.
      const late = kindOf(await run.load(span(pipeline, old, 2, 2, 3), noSignal));
      await run.close();
      await next.run.close();
      return { late, values: await pipeline.values() };
    },
  },
  {
    title: 'tenure: a late batch of an older config does not pass as its namesake',
    weak: without('tenure', 'loader'),
    right: [0, 0],
    wrong: [0, 1],
    async play(pipeline, guard) {
      const old = await pipeline.reign();
      const { run } = await pipeline.taken(old, guard === undefined ? {} : { guard });
      await hideWriters(pipeline);
      const now = await pipeline.reign();
      // Same number, same boundaries; but what it maps to was decided under the old config.
      const batch = pipeline.batch(old, 1, { sql: [pipeline.increment(2)] });
      const late = kindOf(await run.load(batch, noSignal));
      await run.close();
      expect(now.epoch).toBe(2);
      return { late, values: await pipeline.values() };
    },
  },
  {
    title: 'loader: one that lost the run does not write beside the one that has it',
    weak: without('loader'),
    right: [0, 0],
    wrong: [1, 0],
    async play(pipeline, guard) {
      const reign = await pipeline.reign();
      const first = await pipeline.taken(reign, guard === undefined ? {} : { guard });
      await hideWriters(pipeline);
      const second = await pipeline.taken(reign);
      const late = kindOf(await first.run.load(span(pipeline, reign, 1, 0, 1), noSignal));
      await first.run.close();
      await second.run.close();
      return { late, values: await pipeline.values() };
    },
  },
  {
    title: 'target identity: a batch does not go to another server than the one that was raised',
    weak: without('target_identity'),
    right: [0, 0],
    wrong: [1, 0],
    async play(pipeline, guard) {
      const reign = await pipeline.reign();
      const { run } = await pipeline.taken(reign, guard === undefined ? {} : { guard });
      await pipeline.db.query("UPDATE holt.checkpoint SET target_identity = 'elsewhere' WHERE pipeline = ?", [
        pipeline.name,
      ]);
      const late = kindOf(await run.load(span(pipeline, reign, 1, 0, 1), noSignal));
      await run.close();
      return { late, values: await pipeline.values() };
    },
  },
];

describeDatabase(['mariadb', 'mysql'], 'the guard', (context) => {
  for (const scene of scenes)
    it(scene.title, async () => {
      const real = await scene.play(await Pipeline.on(context), undefined);
      expect(real.late).not.toBe('applied');
      expect(real.values).toEqual(scene.right);
      const weak = await scene.play(await Pipeline.on(context), scene.weak);
      expect(weak.values).toEqual(scene.wrong);
    });

  it('that matches nothing is no error to the server: nothing may be sent after it', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign);
    await run.load(pipeline.batch(reign, 2), noSignal);
    expect(applier.sent).toEqual([]);
    // What would come of it.
    const careless = await context.db.connect({ multipleStatements: true });
    const [guard] = ['UPDATE holt.checkpoint SET seq = 2 WHERE pipeline = ? AND lane = 0 AND seq = 1'];
    await careless.query(`START TRANSACTION; ${guard}; ${pipeline.increment(1)}; COMMIT`, [pipeline.name]);
    await careless.end();
    expect(await pipeline.values()).toEqual([1, 0]);
    await run.close();
  });
});
