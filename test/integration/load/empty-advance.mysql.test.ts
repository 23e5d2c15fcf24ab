import { expect, it } from 'vitest';
import { EmptyAdvance } from '../../../stages/load/empty-advance.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { mysqlPackets, TcpProxy } from '../../support/tcp-proxy.ts';
import { at, kindOf, noSignal, Pipeline, type RaisedReign } from './load-fixture.ts';
import { dataSourceOf } from './target-fixture.ts';

function advanceOf(pipeline: Pipeline, reign: RaisedReign, target = pipeline.config): EmptyAdvance {
  return new EmptyAdvance({
    pipeline: pipeline.name,
    node: 'node-a',
    target,
    epoch: reign.epoch,
    tenure: reign.tenure,
    origin: 'east',
  });
}

const step = (seq: number) => ({
  seq: BigInt(seq),
  start: at(seq - 1).text,
  end: at(seq),
  sourceCommittedUs: 1,
});

describeDatabase(DATABASE_FLAVOURS, 'an empty advance', (context) => {
  it('moves the row beside a run of Load, which goes on from there', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    await run.load(pipeline.batch(reign, 1), noSignal);
    const advance = advanceOf(pipeline, reign);
    expect(await advance.advance(step(2), noSignal)).toEqual({ kind: 'advanced' });
    expect(await advance.advance(step(3), noSignal)).toEqual({ kind: 'advanced' });
    expect(await pipeline.positionNow()).toBe(at(3).text);
    // The run learns of it from the row, or from the guard.
    expect(run.nextSeq).toBe(2n);
    expect(await run.take(reign.tenure, reign.epoch, noSignal)).toBe(null);
    expect(run.nextSeq).toBe(4n);
    expect(kindOf(await run.load(pipeline.batch(reign, 4), noSignal))).toBe('applied');
    expect(await pipeline.values()).toEqual([2, 0]);
    await advance.close();
    await run.close();
  });

  it('of a batch that came meanwhile, of another position, of an older reign, of a row that is gone changes nothing', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const advance = advanceOf(pipeline, reign);
    expect((await advance.advance({ ...step(1), start: at(5).text }, noSignal)).kind).toBe('rewind');
    expect((await advance.advance(step(2), noSignal)).kind).toBe('rewind');
    const now = await pipeline.reign();
    expect((await advance.advance(step(1), noSignal)).kind).toBe('superseded');
    expect(await pipeline.seq()).toBe(0);
    const next = advanceOf(pipeline, now);
    expect(await next.advance(step(1), noSignal)).toEqual({ kind: 'advanced' });
    await context.db.query('DELETE FROM holt.checkpoint WHERE pipeline = ?', [pipeline.name]);
    expect(await next.advance(step(2), noSignal)).toMatchObject({
      kind: 'stop',
      error: { code: 'HOLT_CHECKPOINT_MISSING' },
    });
    await advance.close();
    await next.close();
  });

  it('whose answer is lost asks for a rewind', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await using proxy = await TcpProxy.start({ target: context.db, framing: mysqlPackets });
    const advance = advanceOf(pipeline, reign, dataSourceOf(context.db, { port: proxy.port }));
    expect(await advance.advance(step(1), noSignal)).toEqual({ kind: 'advanced' });
    let committed = false;
    proxy.onPacket = ({ direction, bytes }) => {
      committed ||= direction === 'up' && bytes.subarray(5).toString('latin1') === 'COMMIT';
      return committed && direction === 'down' ? 'cut' : 'pass';
    };
    expect((await advance.advance(step(2), noSignal)).kind).toBe('rewind');
    proxy.onPacket = undefined;
    expect((await pipeline.reign()).position.text).toBe(at(2).text);
    await advance.close();
  });
});
