import { expect, it } from 'vitest';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { FrozenProcess } from './frozen-process.ts';
import { at, kindOf, noSignal, Pipeline } from './load-fixture.ts';
import { dataSourceOf, Sessions } from './target-fixture.ts';

describeDatabase(DATABASE_FLAVOURS, 'a raise', (context) => {
  it('makes the rows at the first start, and later raises them without touching seq and position', async () => {
    const pipeline = await Pipeline.on(context);
    const marked: string[] = [];
    const raiser = pipeline.raiser({ markRunAtSource: async () => void marked.push('marked') });
    const first = await pipeline.reign(raiser);
    expect(first).toMatchObject({ epoch: 1, seq: 0n, position: at(0) });
    expect(marked).toEqual(['marked']);
    const { run } = await pipeline.taken(first);
    await run.load(pipeline.batch(first, 1), noSignal);
    const second = await pipeline.reign(raiser);
    expect(second).toMatchObject({
      epoch: 2,
      seq: 1n,
      position: { text: at(1).text, at: at(1).at, lastEvent: at(1).lastEvent },
    });
    expect(second.tenure).not.toBe(first.tenure);
    const rows = await context.db.query(
      'SELECT lane, epoch, HEX(tenure) AS tenure, loader FROM holt.checkpoint WHERE pipeline = ? ORDER BY lane',
      [pipeline.name],
    );
    const raised = { epoch: 2, tenure: second.tenure.toUpperCase(), loader: null };
    expect(rows).toEqual([
      { lane: 0, ...raised },
      { lane: 1_000_002, ...raised },
      { lane: 1_000_003, ...raised },
    ]);
    expect(await context.db.query('SELECT * FROM holt.writer WHERE pipeline = ?', [pipeline.name])).toEqual(
      [],
    );
    await run.close();
  });

  it('keeps file, offset and last event only while the source is the server on which they were read', async () => {
    const pipeline = await Pipeline.on(context);
    const first = await pipeline.reign();
    const { run } = await pipeline.taken(first);
    await run.load(pipeline.batch(first, 1), noSignal);
    await run.close();
    const moved = pipeline.raiser({ sourceIdentity: async () => 'source-2' });
    expect((await pipeline.reign(moved)).position).toEqual({ text: at(1).text, at: null, lastEvent: null });
    // Another raise on the new source must not take the old one's place for its own.
    expect((await pipeline.reign(moved)).position).toEqual({ text: at(1).text, at: null, lastEvent: null });
  });

  it('is above the epoch of the tree and of the rows, whichever is higher', async () => {
    const pipeline = await Pipeline.on(context);
    await pipeline.reign();
    pipeline.treeEpoch = 40;
    expect((await pipeline.reign()).epoch).toBe(41);
    pipeline.treeEpoch = 3;
    // A tree that was wiped: what the row says counts.
    expect((await pipeline.reign()).epoch).toBe(42);
  });

  it('stops every session of the reign before, and lets none of it in any more', async () => {
    const pipeline = await Pipeline.on(context);
    const old = await pipeline.reign();
    const { run } = await pipeline.taken(old);
    const other = pipeline.run();
    await run.load(pipeline.batch(old, 1), noSignal);
    const now = await pipeline.reign();
    // The late Load of the old reign, under its namesake's number.
    expect(kindOf(await run.load(pipeline.batch(old, 2), noSignal))).toBe('superseded');
    // One that takes Load for a reign that is over.
    expect(kindOf(await other.run.take(old.tenure, old.epoch, noSignal))).toBe('superseded');
    const { run: next } = await pipeline.taken(now);
    expect(kindOf(await next.load(pipeline.batch(now, 2), noSignal))).toBe('applied');
    expect(await pipeline.values()).toEqual([2, 0]);
    await Promise.all([run.close(), other.run.close(), next.close()]);
  });

  it('lets go when somebody else has raised since the lock was taken, at the first start too', async () => {
    const pipeline = await Pipeline.on(context);
    const contend = async () => {
      const seenEpoch = await pipeline.raiser().readEpoch(noSignal);
      const request = {
        takeOver: true,
        seenEpoch,
        ownTenure: null,
        treeEpoch: pipeline.treeEpoch,
        hasRun: false,
      };
      return await Promise.all([1, 2, 3].map(() => pipeline.raiser().raise(request, noSignal)));
    };
    for (let round = 1; round <= 3; round++) {
      const results = await contend();
      expect(results.map(({ kind }) => kind).sort()).toEqual(['let-go', 'let-go', 'raised']);
      const [raised] = results.filter((result) => result.kind === 'raised');
      // More than one above the last where its session was killed by another after its COMMIT: it raises once more then.
      expect(raised?.epoch).toBe(await pipeline.raiser().readEpoch(noSignal));
      expect(raised?.epoch).toBeGreaterThanOrEqual(round);
    }
  });

  it('of a rewind goes on from the own reign, and lets go when that is not the last', async () => {
    const pipeline = await Pipeline.on(context);
    const raiser = pipeline.raiser();
    const first = await pipeline.reign(raiser);
    const rewind = { takeOver: false, hasRun: true, treeEpoch: first.epoch };
    const second = await raiser.raise(
      { ...rewind, seenEpoch: first.epoch, ownTenure: first.tenure },
      noSignal,
    );
    expect(second).toMatchObject({ kind: 'raised', epoch: 2 });
    // The tree was not told of it: asked again, it is still our own.
    expect(
      await raiser.raise({ ...rewind, seenEpoch: first.epoch, ownTenure: first.tenure }, noSignal),
    ).toMatchObject({
      kind: 'raised',
      epoch: 3,
    });
    expect(
      await pipeline.raiser().raise({ ...rewind, seenEpoch: first.epoch, ownTenure: first.tenure }, noSignal),
    ).toMatchObject({ kind: 'let-go' });
  });

  it('goes on where the target lost the last raise', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    // A replica that lags took over: the row is as it was before.
    await context.db.query(
      "UPDATE holt.checkpoint SET epoch = 0, tenure = x'00', target_identity = 'elsewhere' WHERE pipeline = ?",
      [pipeline.name],
    );
    const { run } = pipeline.run();
    expect(kindOf(await run.take(reign.tenure, reign.epoch, noSignal))).toBe('rewind');
    const again = await pipeline.raiser().raise(
      {
        takeOver: false,
        seenEpoch: reign.epoch,
        ownTenure: reign.tenure,
        treeEpoch: reign.epoch,
        hasRun: true,
      },
      noSignal,
    );
    expect(again).toMatchObject({ kind: 'raised', epoch: 2 });
    await run.close();
  });

  it('stops when the row of a pipeline that has run is gone, until somebody sets the position', async () => {
    const pipeline = await Pipeline.on(context);
    await pipeline.reign();
    await context.db.query('DELETE FROM holt.checkpoint WHERE pipeline = ?', [pipeline.name]);
    const gone = { kind: 'stop', error: { code: 'HOLT_CHECKPOINT_MISSING' } };
    expect(await pipeline.takeOver()).toMatchObject(gone);
    // The tree was wiped as well: the row at the source remembers.
    pipeline.treeEpoch = 0;
    expect(await pipeline.takeOver(pipeline.raiser({ hasRunAtSource: async () => true }))).toMatchObject(
      gone,
    );
    const set = await pipeline.takeOver(pipeline.raiser({ hasRunAtSource: async () => true }), {
      position: at(9),
    });
    expect(set).toMatchObject({ kind: 'raised', epoch: 1, position: at(9) });
  });

  it('sets a position, and nothing of the old one can be loaded', async () => {
    const pipeline = await Pipeline.on(context);
    const old = await pipeline.reign();
    const { run } = await pipeline.taken(old);
    await run.load(pipeline.batch(old, 1), noSignal);
    const set = await pipeline.takeOver(pipeline.raiser(), { position: at(7) });
    expect(set).toMatchObject({ kind: 'raised', epoch: 2, seq: 1n, position: at(7) });
    expect(await pipeline.positionNow()).toBe(at(7).text);
    expect(kindOf(await run.load(pipeline.batch(old, 2), noSignal))).toBe('superseded');
    await run.close();
  });

  it('refuses the row of another installation, and one with an unsettled schema change', async () => {
    const pipeline = await Pipeline.on(context);
    await pipeline.reign();
    expect(await pipeline.takeOver(pipeline.raiser({ cluster: 'other' }))).toMatchObject({
      kind: 'stop',
      error: { code: 'HOLT_CHECKPOINT_FOREIGN' },
    });
    await context.db.query(
      "INSERT INTO holt.ddl SET pipeline = ?, state = 'open', origin = 'east', connection_id = 1, registration = '', seq = 1, epoch = 1, tenure = '', kind = 'alter-table', source_ref = 'x:1', default_schema = '', statement = 'ALTER', mapped = 'ALTER', server_identity = '', server_started = '', tables_before = '[]', opened_at = NOW()",
      [pipeline.name],
    );
    expect(await pipeline.takeOver()).toMatchObject({ kind: 'stop', error: { code: 'HOLT_DDL_UNSETTLED' } });
    const reign = {
      epoch: 1,
      tenure: String(
        await context.db.value(
          'SELECT LOWER(HEX(tenure)) FROM holt.checkpoint WHERE pipeline = ? AND lane = 0',
          [pipeline.name],
        ),
      ),
    };
    const { run } = pipeline.run();
    expect(await run.take(reign.tenure, reign.epoch, noSignal)).toMatchObject({
      kind: 'stop',
      error: { code: 'HOLT_DDL_UNSETTLED' },
    });
    await run.close();
  });

  it('says where to start only when it has to, and passes on that nobody does', async () => {
    const pipeline = await Pipeline.on(context);
    const startPosition = () => Promise.reject(new Error('no start'));
    await expect(pipeline.takeOver(pipeline.raiser({ startPosition }))).rejects.toThrow('no start');
    expect(await pipeline.raiser().readEpoch(noSignal)).toBe(null);
    await pipeline.reign();
    expect((await pipeline.takeOver(pipeline.raiser({ startPosition }))).kind).toBe('raised');
  });

  it('kills no stranger whose connection id stands in a row of a session that is gone', async () => {
    const pipeline = await Pipeline.on(context);
    await pipeline.reign();
    await using sessions = new Sessions();
    const stranger = await sessions.to(dataSourceOf(context.db));
    await context.db.query(
      "INSERT INTO holt.writer SET registration = x'000102030405060708090a0b0c0d0e0f', pipeline = ?, lane = 0, role = 'load', connection_id = ?, user = '', node = 'gone', epoch = 1, tenure = NULL, registered_at = NOW()",
      [pipeline.name, stranger.threadId],
    );
    expect((await pipeline.takeOver()).kind).toBe('raised');
    expect(await stranger.rows('SELECT 1')).toHaveLength(1);
    expect(await context.db.query('SELECT * FROM holt.writer WHERE pipeline = ?', [pipeline.name])).toEqual(
      [],
    );
  });
});

// Each of these starts a process; what they show of 5.6 the tests above and of random reigns show too.
describeDatabase(['mariadb', 'mysql'], 'a raise beside a process that is frozen', (context) => {
  it('gets past a loader frozen with its transaction open, in time; woken, that changes nothing', async () => {
    const pipeline = await Pipeline.on(context);
    const old = await pipeline.reign();
    await using frozen = await FrozenProcess.at('load:before-commit', pipeline, { what: 'load', reign: old });
    expect(await pipeline.values()).toEqual([0, 0]);
    const started = performance.now();
    const now = await pipeline.reign();
    const { run } = await pipeline.taken(now);
    expect(kindOf(await run.load(pipeline.batch(now, 1), noSignal))).toBe('applied');
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await frozen.wake()).toBe('superseded');
    expect(await pipeline.values()).toEqual([1, 0]);
    expect(await pipeline.seq()).toBe(1);
    await run.close();
  });

  // Found by the explorer (rule lockWaitLooks): the run went elsewhere and froze there; who had it before must not wait for its lock.
  it('tells a loader at once that the run was taken from it by a process that froze with the row locked', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    await using frozen = await FrozenProcess.at('load:before-commit', pipeline, { what: 'load', reign });
    const started = performance.now();
    expect(kindOf(await run.load(pipeline.batch(reign, 1), noSignal))).toBe('lost-run');
    expect(performance.now() - started).toBeLessThan(3_000);
    await run.close();
    const again = await pipeline.taken(reign);
    expect(kindOf(await again.run.load(pipeline.batch(reign, 1), noSignal))).toBe('applied');
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(await frozen.wake()).toBe('lost-run');
    expect(await pipeline.values()).toEqual([1, 0]);
    await again.run.close();
  });

  it('finds the batch of a loader frozen after its COMMIT in the position', async () => {
    const pipeline = await Pipeline.on(context);
    const old = await pipeline.reign();
    await using frozen = await FrozenProcess.at('load:after-commit', pipeline, { what: 'load', reign: old });
    const now = await pipeline.reign();
    expect(now).toMatchObject({ seq: 1n, position: { text: at(1).text } });
    expect(await frozen.wake()).toBe('applied');
    expect(await pipeline.values()).toEqual([1, 0]);
  });

  for (const failpoint of ['raise:registered', 'raise:locked', 'raise:before-commit', 'raise:after-commit'])
    it(`gets past a raise frozen at ${failpoint}, in time; woken, that changes nothing`, async () => {
      const pipeline = await Pipeline.on(context);
      await pipeline.reign();
      await using frozen = await FrozenProcess.at(failpoint, pipeline, { what: 'raise' });
      const started = performance.now();
      const now = await pipeline.reign();
      const { run } = await pipeline.taken(now);
      expect(performance.now() - started).toBeLessThan(10_000);
      // It notices that its connection is gone, looks, and finds that it does not reign.
      expect(await frozen.wake()).toBe('let-go');
      expect(kindOf(await run.load(pipeline.batch(now, 1), noSignal))).toBe('applied');
      expect(await pipeline.values()).toEqual([1, 0]);
      await run.close();
    });

  it('gets past a raise frozen while it makes the rows for the first time', async () => {
    const pipeline = await Pipeline.on(context);
    await using frozen = await FrozenProcess.at('raise:before-commit', pipeline, { what: 'raise' });
    const now = await pipeline.reign();
    expect(now.epoch).toBe(1);
    expect(await frozen.wake()).toBe('let-go');
    const { run } = await pipeline.taken(now);
    expect(kindOf(await run.load(pipeline.batch(now, 1), noSignal))).toBe('applied');
    await run.close();
  });
});
