import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { nodeId } from '../../../model/ids.ts';
import { PayloadReader } from '../../../model/payload.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { deleteCheckpoint, readCheckpoint } from '../../../stages/load/checkpoint.ts';
import { countLedger, listLedger, readLedgerEntry, TargetLedger } from '../../../stages/load/ledger.ts';
import type { LedgerEntry } from '../../../stages/load/ledger-contract.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../../../stages/load/load.ts';
import { ReplayLedger, type ReplayOptions, replayLedgerEntry } from '../../../stages/load/replay.ts';
import type { TargetConnection } from '../../../stages/load/target/target-connection.ts';
import type { TransformedBatch } from '../../../stages/stage.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { mysqlPackets, TcpProxy } from '../../support/tcp-proxy.ts';
import { kindOf, noSignal, Pipeline, type RaisedReign, SqlApplier, type SqlBatch } from './load-fixture.ts';
import { dataSourceOf, Sessions } from './target-fixture.ts';

const SHAPE: TableShape = {
  schema: 'shop',
  table: 'orders',
  columns: [
    {
      name: 'id',
      type: 3,
      meta: 0,
      nullable: false,
      unsigned: false,
      collation: 0,
      carrier: 'binlog',
      declared: 'int',
    },
    {
      name: 'body',
      type: 252,
      meta: 4,
      nullable: true,
      unsigned: false,
      collation: 63,
      carrier: 'binlog',
      declared: 'longblob',
    },
  ],
  key: [0],
  hasPrimaryKey: true,
};

function entry(change: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    kind: 'update-missing',
    decision: 'target',
    op: 'update',
    flags: 1,
    shape: SHAPE,
    route: {
      table: 5,
      schema: 'shop_west',
      name: 'orders',
      columns: [
        { kind: 'column', name: 'id', index: 0 },
        { kind: 'constant', name: 'site', text: null },
      ],
    },
    before: Buffer.from([0b11]),
    after: Buffer.from([0b10]),
    data: Buffer.from('both images'),
    gtid: '00000000-0000-0000-0000-000000000001:7',
    commitUs: 1_700_000_000_000_001,
    rowKey: '{"id":"7"}',
    found: null,
    why: 'the row is not there',
    ...change,
  };
}

/** Writes ledger entries from within a batch, as the careful path does. */
class LedgerApplier extends SqlApplier {
  readonly ledger = new TargetLedger();
  entries: LedgerEntry[] = [];

  override async execute(prepared: SqlBatch, connection: TargetConnection): Promise<ApplyResult> {
    const result = await super.execute(prepared, connection);
    for (const one of this.entries) await this.ledger.append(connection, prepared.batch.header, one);
    return { ...result, ledgered: this.entries.length };
  }
}

async function withEntries(
  pipeline: Pipeline,
  reign: RaisedReign,
  entries: LedgerEntry[],
  seq = 1,
): Promise<void> {
  const applier = new LedgerApplier();
  applier.entries = entries;
  const { run } = await pipeline.taken(reign, { applier });
  const outcome = await run.load(pipeline.batch(reign, seq), noSignal);
  expect(outcome).toMatchObject({ kind: 'applied', stats: { ledgered: entries.length } });
  await run.close();
}

/** Applies any kept change as one more of row 2, or refuses. */
class ReplayApplier implements BatchApplier<PreparedBatch> {
  readonly ledger = new ReplayLedger();
  refuses = false;
  applied = 0;
  during: () => Promise<void> | void = () => {};
  readonly #statement: string;

  constructor(statement: string) {
    this.#statement = statement;
  }

  async prepare(batch: TransformedBatch): Promise<PreparedBatch> {
    return { batch, bytes: 1 };
  }

  execute(): Promise<ApplyResult> {
    throw new Error('a replay goes the careful way');
  }

  async executeCarefully(prepared: PreparedBatch, connection: TargetConnection): Promise<ApplyResult> {
    this.applied++;
    if (this.refuses)
      await this.ledger.append(connection, prepared.batch.header, entry({ kind: 'unique-taken' }));
    else await connection.execute(this.#statement);
    await this.during();
    return { rows: 1, inserted: 0, updated: 1, deleted: 0, statements: 1, ledgered: 0, careful: true };
  }
}

function replayOf(pipeline: Pipeline, id: bigint, change: Partial<ReplayOptions<PreparedBatch>> = {}) {
  const applier = new ReplayApplier(pipeline.increment(2));
  const replay = () =>
    replayLedgerEntry<PreparedBatch>({
      pipeline: pipeline.name,
      id,
      by: 'ada',
      node: nodeId('node-w'),
      target: pipeline.config,
      applier,
      ledger: applier.ledger,
      signal: noSignal,
      ...change,
    });
  return { applier, replay };
}

describeDatabase(DATABASE_FLAVOURS, 'the ledger', (context) => {
  it('keeps a change with both images, exactly, in the transaction of its batch', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await using sessions = new Sessions();
    const session = await sessions.to(pipeline.config);
    // Larger than a piece, and than 5.6's default packet in all its pieces.
    const large = randomBytes(3_000_000);
    await withEntries(pipeline, reign, [
      entry(),
      entry({
        kind: 'insert-present',
        op: 'insert',
        before: null,
        data: large,
        found: '{"id":"7","body":{"hex":"00ff"}}',
        decision: 'source',
      }),
    ]);
    const [newest, oldest] = await listLedger(session, { pipeline: pipeline.name, limit: 10 });
    expect(oldest).toMatchObject({
      seq: 1n,
      origin: 'east',
      kind: 'update-missing',
      decision: 'target',
      op: 'update',
      source: { schema: 'shop', table: 'orders' },
      target: { schema: 'shop_west', table: 'orders' },
      rowKey: '{"id":"7"}',
      state: 'open',
      commitUs: 1_700_000_000_000_001,
      replayedBy: null,
    });
    expect(await countLedger(session, pipeline.name, 'open')).toBe(2);
    expect(
      await listLedger(session, { pipeline: pipeline.name, limit: 10, before: newest?.id ?? 0n }),
    ).toHaveLength(1);
    expect(await listLedger(session, { pipeline: pipeline.name, limit: 10, state: 'replayed' })).toEqual([]);

    const stored = await readLedgerEntry(session, { pipeline: pipeline.name, id: newest?.id ?? 0n });
    expect(stored.found).toBe('{"id":"7","body":{"hex":"00ff"}}');
    expect(stored.route).toEqual({ ...entry().route, table: 0 });
    const reader = new PayloadReader(stored.change);
    expect(reader.next()).toBe('transaction');
    expect(reader.gtid).toBe(entry().gtid);
    while (reader.next() !== 'rows');
    expect(reader.shapes).toEqual([SHAPE]);
    expect(stored.change.subarray(reader.dataStart, reader.dataEnd).equals(large)).toBe(true);
    await expect(readLedgerEntry(session, { pipeline: pipeline.name, id: 1n << 60n })).rejects.toMatchObject({
      code: 'HOLT_LEDGER_MISSING',
    });
    await expect(readLedgerEntry(session, { pipeline: 'other', id: newest?.id ?? 0n })).rejects.toMatchObject(
      { code: 'HOLT_LEDGER_MISSING' },
    );
  });

  it('holds nothing of a batch that was rolled back', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const applier = new LedgerApplier();
    applier.entries = [entry()];
    const { run } = await pipeline.taken(reign, { applier });
    await expect(run.load(pipeline.batch(reign, 1), AbortSignal.timeout(1))).rejects.toThrow();
    expect(kindOf(await run.load(pipeline.batch(reign, 5), noSignal))).toBe('rewind');
    await using sessions = new Sessions();
    expect(await countLedger(await sessions.to(pipeline.config), pipeline.name, 'open')).toBe(0);
    await run.close();
  });

  it('is replayed once, however many ask at once', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await withEntries(pipeline, reign, [entry()]);
    await using sessions = new Sessions();
    const session = await sessions.to(pipeline.config);
    const [one] = await listLedger(session, { pipeline: pipeline.name, limit: 1 });
    const { replay } = replayOf(pipeline, one?.id ?? 0n);
    const results = await Promise.allSettled([replay(), replay(), replay()]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'HOLT_LEDGER_REPLAYED' });
    expect(await pipeline.values()).toEqual([1, 1]);
    expect(await listLedger(session, { pipeline: pipeline.name, limit: 1 })).toMatchObject([
      { state: 'replayed', replayedBy: 'ada' },
    ]);
    // A mark of its own lane; the stream's row is where it was.
    const lanes = await context.db.query(
      'SELECT lane, seq FROM holt.checkpoint WHERE pipeline = ? ORDER BY lane',
      [pipeline.name],
    );
    expect(lanes).toEqual([
      { lane: 0, seq: 1 },
      { lane: 1_000_002, seq: 1 },
      { lane: 1_000_003, seq: 0 },
    ]);
  });

  it('stays open when the change cannot be applied', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await withEntries(pipeline, reign, [entry()]);
    await using sessions = new Sessions();
    const session = await sessions.to(pipeline.config);
    const [one] = await listLedger(session, { pipeline: pipeline.name, limit: 1 });
    const { replay, applier } = replayOf(pipeline, one?.id ?? 0n);
    applier.refuses = true;
    await expect(replay()).rejects.toMatchObject({
      code: 'HOLT_REPLAY_REFUSED',
      facts: { kind: 'unique-taken' },
    });
    expect(await listLedger(session, { pipeline: pipeline.name, limit: 1 })).toMatchObject([
      { state: 'open' },
    ]);
    applier.refuses = false;
    await replay();
    expect(await pipeline.values()).toEqual([1, 1]);
  });

  it('is replayed once when the answer to COMMIT is lost, both ways', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await withEntries(pipeline, reign, [entry(), entry()]);
    await using sessions = new Sessions();
    const session = await sessions.to(pipeline.config);
    const entries = await listLedger(session, { pipeline: pipeline.name, limit: 2 });
    for (const [index, request] of (['pass', 'cut'] as const).entries()) {
      await using proxy = await TcpProxy.start({ target: context.db, framing: mysqlPackets });
      const { replay, applier } = replayOf(pipeline, entries[index]?.id ?? 0n, {
        target: dataSourceOf(context.db, { port: proxy.port }),
      });
      applier.during = () => {
        let committed = false;
        applier.during = () => {};
        proxy.onPacket = ({ direction, bytes }) => {
          if (direction === 'up' && bytes.subarray(5).toString('latin1') === 'COMMIT') {
            committed = true;
            return request;
          }
          if (!committed || direction === 'up') return 'pass';
          proxy.onPacket = undefined;
          return 'cut';
        };
      };
      expect(await replay()).toMatchObject({ state: 'replayed' });
      expect(await pipeline.values()).toEqual([1, index + 1]);
    }
  });

  it('is not replayed by a session that a raise has overtaken', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await withEntries(pipeline, reign, [entry()]);
    await using sessions = new Sessions();
    const [one] = await listLedger(await sessions.to(pipeline.config), { pipeline: pipeline.name, limit: 1 });
    const { replay, applier } = replayOf(pipeline, one?.id ?? 0n);
    applier.during = async () => {
      applier.during = () => {};
      // Kills the replay's session; it begins again under the new reign.
      await pipeline.reign();
    };
    expect(await replay()).toMatchObject({ state: 'replayed' });
    expect(applier.applied).toBe(2);
    expect(await pipeline.values()).toEqual([1, 1]);
  });
});

describeDatabase(['mariadb', 'mysql'], 'the checkpoint', (context) => {
  it('is read without a lock, and null where there is none', async () => {
    const pipeline = await Pipeline.on(context);
    await using sessions = new Sessions();
    const session = await sessions.to(pipeline.config);
    expect(await readCheckpoint(session, pipeline.name)).toBe(null);
    const reign = await pipeline.reign();
    expect(await readCheckpoint(session, pipeline.name)).toMatchObject({
      epoch: 1,
      tenure: reign.tenure,
      seq: 0n,
      cluster: 'test',
      sourceIdentity: 'source-1',
      targetIdentity: session.server.identity,
      loader: null,
    });
    await context.db.query("UPDATE holt.checkpoint SET position = 'mysql:else' WHERE pipeline = ?", [
      pipeline.name,
    ]);
    await expect(readCheckpoint(session, pipeline.name)).rejects.toMatchObject({
      code: 'HOLT_CHECKPOINT_CORRUPT',
    });
  });

  it('is deleted with all that belongs to it; who still loads changes nothing', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    await withEntries(pipeline, reign, [entry()]);
    const { run } = await pipeline.taken(reign);
    const options = { pipeline: pipeline.name, node: 'node-a', target: pipeline.config, signal: noSignal };
    await deleteCheckpoint({ ...options, withLedger: false });
    const left = async (table: string) =>
      Number(
        await context.db.value(`SELECT COUNT(*) FROM holt.${table} WHERE pipeline = ?`, [pipeline.name]),
      );
    expect(await left('checkpoint')).toBe(0);
    expect(await left('writer')).toBe(0);
    expect(await left('ledger')).toBe(1);
    expect(await run.load(pipeline.batch(reign, 2), noSignal)).toMatchObject({ kind: 'stop' });
    expect(await pipeline.values()).toEqual([1, 0]);
    await deleteCheckpoint({ ...options, withLedger: true });
    expect(await left('ledger')).toBe(0);
    await run.close();
    await waitFor(async () => (await left('writer')) === 0, { timeoutMs: 5000, what: 'no writer' });
  });
});
