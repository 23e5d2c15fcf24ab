import { expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { at, kindOf, noSignal, Pipeline } from './load-fixture.ts';

describeDatabase(DATABASE_FLAVOURS, 'a run of Load', (context) => {
  it('applies batch after batch, each with its position', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    expect(reign).toMatchObject({ epoch: 1, seq: 0n, position: at(0) });
    const { run } = await pipeline.taken(reign);
    expect(run.nextSeq).toBe(1n);
    for (const seq of [1, 2, 3]) {
      const outcome = await run.load(pipeline.batch(reign, seq), noSignal);
      expect(outcome).toMatchObject({
        kind: 'applied',
        receipt: { seq: String(seq), tenure: reign.tenure, end: at(seq).text },
        stats: { rows: 1, careful: false },
      });
    }
    expect(run.nextSeq).toBe(4n);
    expect(await pipeline.values()).toEqual([3, 0]);
    expect(await pipeline.seq()).toBe(3);
    expect(await pipeline.positionNow()).toBe(at(3).text);
    await run.close();
    expect(await context.db.query('SELECT * FROM holt.writer WHERE pipeline = ?', [pipeline.name])).toEqual(
      [],
    );
  });

  it('answers a repeated batch with its receipt and changes nothing', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign);
    await run.load(pipeline.batch(reign, 1), noSignal);
    applier.sent.length = 0;
    expect(await run.load(pipeline.batch(reign, 1), noSignal)).toMatchObject({
      kind: 'repeat',
      receipt: { seq: '1' },
    });
    expect(applier.sent).toEqual([]);
    expect(await pipeline.values()).toEqual([1, 0]);
    await run.close();
  });

  it('does not pass a gap, nor a batch that starts elsewhere', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    expect(kindOf(await run.load(pipeline.batch(reign, 2), noSignal))).toBe('rewind');
    expect(
      kindOf(await run.load(pipeline.batch(reign, 1, { header: { start: at(7).text } }), noSignal)),
    ).toBe('rewind');
    expect(await pipeline.values()).toEqual([0, 0]);
    expect(await pipeline.seq()).toBe(0);
    await run.close();
  });

  it('leaves nothing of a batch whose statement fails in the middle, and nothing after the failure is sent', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign);
    const batch = pipeline.batch(reign, 1, {
      sql: [pipeline.increment(1), `INSERT INTO ${pipeline.table} VALUES (2, 5)`, pipeline.increment(2)],
      careful: [pipeline.increment(1)],
    });
    let seen: number[] = [];
    applier.before = async () => {
      if (applier.sent.length === 2) seen = await pipeline.values();
    };
    const outcome = await run.load(batch, noSignal);
    // The duplicate sends the whole batch to the careful path; what was done before it is gone.
    expect(outcome).toMatchObject({ kind: 'applied', stats: { careful: true } });
    expect(applier.sent).toEqual([batch.sql[0], batch.sql[1], batch.careful[0]]);
    expect(seen).toEqual([0, 0]);
    expect(await pipeline.values()).toEqual([1, 0]);
    await run.close();
  });

  it('goes row by row after a divergence, within one transaction from the guard on', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    const outcome = await run.load(
      pipeline.batch(reign, 1, {
        sql: [pipeline.increment(1), pipeline.increment(99)],
        careful: [pipeline.increment(2)],
      }),
      noSignal,
    );
    expect(outcome).toMatchObject({ kind: 'applied', stats: { careful: true } });
    expect(await pipeline.values()).toEqual([0, 1]);
    expect(await pipeline.seq()).toBe(1);
    await run.close();
  });

  it('does the whole batch again after a lock wait timeout', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign, { lockWaitTimeoutS: 1 });
    const other = await context.db.connect();
    await other.query('START TRANSACTION');
    await other.query(pipeline.increment(2));
    let attempts = 0;
    applier.before = async (sql) => {
      if (sql === pipeline.increment(1) && ++attempts === 2) await other.query('ROLLBACK');
    };
    const batch = pipeline.batch(reign, 1, { sql: [pipeline.increment(1), pipeline.increment(2)] });
    expect(kindOf(await run.load(batch, noSignal))).toBe('applied');
    expect(attempts).toBe(2);
    expect(await pipeline.values()).toEqual([1, 1]);
    await other.end();
    await run.close();
  });

  it('does the whole batch again after a deadlock', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign);
    const other = await context.db.connect();
    // More rows changed make the other the worse victim.
    await context.db.query(`INSERT INTO ${pipeline.table} SELECT id + 10, 0 FROM ${pipeline.table}`);
    await context.db.query(`INSERT INTO ${pipeline.table} SELECT id + 100, 0 FROM ${pipeline.table}`);
    await other.query('START TRANSACTION');
    await other.query(`UPDATE ${pipeline.table} SET v = 7 WHERE id > 10`);
    await other.query(pipeline.increment(2));
    let attempts = 0;
    let crossed: Promise<unknown> = Promise.resolve();
    applier.before = (sql) => {
      if (sql !== pipeline.increment(2) || ++attempts > 1) return;
      // Waits for row 1, which the batch holds; the batch then asks for row 2.
      crossed = other.query(pipeline.increment(1)).finally(() => other.query('ROLLBACK'));
    };
    const batch = pipeline.batch(reign, 1, { sql: [pipeline.increment(1), pipeline.increment(2)] });
    expect(kindOf(await run.load(batch, noSignal))).toBe('applied');
    await crossed;
    expect(attempts).toBe(2);
    expect((await pipeline.values()).slice(0, 2)).toEqual([1, 1]);
    expect(await pipeline.seq()).toBe(1);
    await other.end();
    await run.close();
  });

  it('takes another connection when its own is killed in mid-batch, and applies the batch once', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign);
    let killed = false;
    applier.before = async (sql) => {
      if (killed || sql !== pipeline.increment(2)) return;
      killed = true;
      const id = await context.db.value('SELECT connection_id FROM holt.writer WHERE pipeline = ?', [
        pipeline.name,
      ]);
      await context.db.query(`KILL ${id}`);
    };
    const outcome = await run.load(
      pipeline.batch(reign, 1, { sql: [pipeline.increment(1), pipeline.increment(2)] }),
      noSignal,
    );
    expect(outcome.kind).toBe('applied');
    expect(await pipeline.values()).toEqual([1, 1]);
    await run.close();
  });

  it('is lost to a loader that takes Load later, and does not take it back', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const first = await pipeline.taken(reign);
    await first.run.load(pipeline.batch(reign, 1), noSignal);
    const second = await pipeline.taken(reign);
    expect(second.run.nextSeq).toBe(2n);
    expect(kindOf(await first.run.load(pipeline.batch(reign, 2), noSignal))).toBe('lost-run');
    expect(kindOf(await first.run.take(reign.tenure, reign.epoch, noSignal))).toBe('lost-run');
    expect(kindOf(await second.run.load(pipeline.batch(reign, 2), noSignal))).toBe('applied');
    expect(await pipeline.values()).toEqual([2, 0]);
    await first.run.close();
    await second.run.close();
  });

  it('takes over from a loader that hangs in an open transaction, which then changes nothing', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const first = await pipeline.taken(reign);
    let release = () => {};
    const hanging = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached = () => {};
    const inside = new Promise<void>((resolve) => {
      reached = resolve;
    });
    first.applier.before = (sql) => {
      if (sql !== pipeline.increment(2)) return;
      reached();
      return hanging;
    };
    const late = first.run.load(
      pipeline.batch(reign, 1, { sql: [pipeline.increment(1), pipeline.increment(2)] }),
      noSignal,
    );
    await inside;
    const started = performance.now();
    const second = await pipeline.taken(reign);
    expect(performance.now() - started).toBeLessThan(5000);
    expect(kindOf(await second.run.load(pipeline.batch(reign, 1), noSignal))).toBe('applied');
    release();
    expect(kindOf(await late)).not.toBe('applied');
    expect(await pipeline.values()).toEqual([1, 0]);
    await first.run.close();
    await second.run.close();
  });

  it('says that the row is gone', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    await context.db.query('DELETE FROM holt.checkpoint WHERE pipeline = ?', [pipeline.name]);
    expect(await run.load(pipeline.batch(reign, 1), noSignal)).toMatchObject({
      kind: 'stop',
      error: { code: 'HOLT_CHECKPOINT_MISSING' },
    });
    expect(await pipeline.values()).toEqual([0, 0]);
    await run.close();
  });

  it('asks for a rewind when the row was raised on another server, and discards the task of an older reign', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    await context.db.query("UPDATE holt.checkpoint SET target_identity = 'elsewhere' WHERE pipeline = ?", [
      pipeline.name,
    ]);
    expect(kindOf(await run.load(pipeline.batch(reign, 1), noSignal))).toBe('rewind');
    await pipeline.reign();
    expect(kindOf(await run.load(pipeline.batch(reign, 1), noSignal))).toBe('superseded');
    expect(await pipeline.values()).toEqual([0, 0]);
    await run.close();
  });

  it('rolls back and lets go when it is stopped in mid-batch', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign);
    const stop = new AbortController();
    applier.before = (sql) => {
      if (sql === pipeline.increment(2)) stop.abort(new Error('stopped'));
    };
    await expect(
      run.load(
        pipeline.batch(reign, 1, { sql: [pipeline.increment(1), pipeline.increment(2)] }),
        stop.signal,
      ),
    ).rejects.toThrow('stopped');
    await run.close();
    await waitFor(async () => (await pipeline.values())[0] === 0, { timeoutMs: 5000, what: 'nothing stays' });
    expect(await pipeline.seq()).toBe(0);
  });

  it('loads a transaction in parts as one, or not at all', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run, applier } = await pipeline.taken(reign);
    const part = (seq: number, number: number, lastPart: boolean, sql: string[], careful = sql) =>
      pipeline.batch(reign, seq, { sql, careful, header: { part: number, lastPart } });
    expect(await run.loadPart(part(1, 0, false, [pipeline.increment(1)]), noSignal)).toBe(null);
    expect(run.open).toMatchObject({ seq: '1', part: 0 });
    // A divergence in a part undoes the part, and no more.
    expect(
      await run.loadPart(
        part(1, 1, false, [pipeline.increment(1), pipeline.increment(99)], [pipeline.increment(2)]),
        noSignal,
      ),
    ).toBe(null);
    expect(await pipeline.values()).toEqual([0, 0]);
    expect(await run.loadPart(part(1, 2, true, [pipeline.increment(1)]), noSignal)).toMatchObject({
      kind: 'applied',
      stats: { rows: 3, careful: true },
      receipt: { seq: '1', end: at(1).text },
    });
    expect(await pipeline.values()).toEqual([2, 1]);
    expect(await pipeline.positionNow()).toBe(at(1).text);
    expect(run.nextSeq).toBe(2n);

    // Lost in mid-transaction: a rewind, and nothing of it stays.
    expect(await run.loadPart(part(2, 0, false, [pipeline.increment(1)]), noSignal)).toBe(null);
    const id = await context.db.value('SELECT connection_id FROM holt.writer WHERE pipeline = ?', [
      pipeline.name,
    ]);
    await context.db.query(`KILL ${id}`);
    expect(kindOf(await run.loadPart(part(2, 1, true, [pipeline.increment(1)]), noSignal))).toBe('rewind');
    expect(await pipeline.values()).toEqual([2, 1]);
    expect(await pipeline.seq()).toBe(1);
    // A part that does not follow.
    expect(kindOf(await run.loadPart(part(2, 1, true, []), noSignal))).toBe('rewind');
    applier.sent.length = 0;
    expect(kindOf(await run.load(pipeline.batch(reign, 2), noSignal))).toBe('applied');
    await run.close();
  });
});
