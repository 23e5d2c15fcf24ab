import { expect, it } from 'vitest';
import { settleByHand } from '../../../stages/load/ddl/ddl-commands.ts';
import { readDdlRows } from '../../../stages/load/ddl/journal.ts';
import { readOpenMarks } from '../../../stages/load/ddl/open-marks.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import { describeDatabase } from '../../support/shared-servers.ts';
import { DdlProcess, ddlBatch, logEnd, statementsSince } from './ddl-fixture.ts';
import { CASES, DdlTrial } from './ddl-kill-cases.ts';
import { kindOf, noSignal, Pipeline } from './load-fixture.ts';

const [ALTER] = CASES;

describeDatabase(['mariadb', 'mysql', 'mysql56'], 'a schema change at the target', (context) => {
  it('is done once, under the session of the source, and leaves that of Load as it was', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    const from = await logEnd(pipeline);
    const table = [context.schema, pipeline.name] as const;
    // Double quotes are names under ANSI_QUOTES, and a backslash is itself under NO_BACKSLASH_ESCAPES.
    const batch = ddlBatch(pipeline, reign, 1, {
      kind: 'alter-table',
      sql: `ALTER TABLE "${context.schema}"."${pipeline.name}" ADD COLUMN note VARCHAR(20) DEFAULT 'a\\b'`,
      tables: [table],
    });
    const ddl = batch.batch.ddl;
    if (ddl === undefined) throw new Error('no schema change');
    const statement = { ...ddl.statement, sqlMode: 0x4n | 0x10_0000n };
    const outcome = await run.load(
      { ...batch, batch: { ...batch.batch, ddl: { ...ddl, statement } } },
      noSignal,
    );
    expect(outcome).toMatchObject({ kind: 'applied' });
    // Shown by name, however long it takes.
    expect(pipeline.states).toContainEqual(
      expect.objectContaining({ kind: 'running-ddl', statement: expect.stringContaining('ADD COLUMN note') }),
    );
    expect(await statementsSince(pipeline, from, pipeline.name)).toHaveLength(1);
    await context.db.query(`INSERT INTO ${pipeline.table} (id, v) VALUES (9, 9)`);
    expect(await context.db.value(`SELECT HEX(note) FROM ${pipeline.table} WHERE id = 9`)).toBe('615C62');
    await context.db.query(`DELETE FROM ${pipeline.table} WHERE id = 9`);
    // Load's own statements read as before.
    expect(kindOf(await run.load(pipeline.batch(reign, 2), noSignal))).toBe('applied');
    expect(await pipeline.values()).toEqual([1, 0]);
    await run.close();
  });

  it('that the target refuses stops the pipeline with the statement and the server’s word, and is tried again when resumed', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign);
    const step = {
      kind: 'alter-table',
      sql: `ALTER TABLE ${pipeline.table} DROP COLUMN missing`,
      tables: [[context.schema, pipeline.name]],
    } as const;
    const refused = await run.load(ddlBatch(pipeline, reign, 1, step), noSignal);
    expect(refused).toMatchObject({ kind: 'stop', error: { code: 'HOLT_DDL_FAILED' } });
    expect(refused.kind === 'stop' && refused.error.message).toContain(step.sql);
    expect(await pipeline.seq()).toBe(0);
    await run.close();
    await context.db.query(`ALTER TABLE ${pipeline.table} ADD COLUMN missing INT`);
    const again = await pipeline.reign();
    const second = await pipeline.taken(again);
    expect(kindOf(await second.run.load(ddlBatch(pipeline, again, 1, step), noSignal))).toBe('applied');
    expect(await pipeline.seq()).toBe(1);
    await second.run.close();
  });

  it('that the target refuses parks its table where the pipeline says so, and the others go on', async () => {
    const pipeline = await Pipeline.on(context);
    const reign = await pipeline.reign();
    const { run } = await pipeline.taken(reign, { onTableError: 'park' });
    const step = (sql: string) =>
      ({ kind: 'alter-table', sql, tables: [[context.schema, pipeline.name]] }) as const;
    const first = step(`ALTER TABLE ${pipeline.table} DROP COLUMN missing`);
    expect(kindOf(await run.load(ddlBatch(pipeline, reign, 1, first), noSignal))).toBe('applied');
    const parked = 'SELECT CAST(code AS CHAR) FROM holt.parked WHERE pipeline = ? AND table_name = ?';
    expect(await context.db.value(parked, [pipeline.name, pipeline.name])).toBe('HOLT_DDL_FAILED');
    // What follows on the same table would be out of order.
    const next = step(`ALTER TABLE ${pipeline.table} ADD COLUMN later INT`);
    expect(kindOf(await run.load(ddlBatch(pipeline, reign, 2, next), noSignal))).toBe('applied');
    const states = await context.db.query<{ state: Buffer }>(
      'SELECT state FROM holt.ddl WHERE pipeline = ? ORDER BY id',
      [pipeline.name],
    );
    expect(states.map(({ state }) => state.toString())).toEqual(['failed', 'failed']);
    const columns = 'SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_NAME = ?';
    expect(await context.db.value(columns, [pipeline.name])).toBe('2');
    expect(kindOf(await run.load(pipeline.batch(reign, 3), noSignal))).toBe('applied');
    await run.close();
  });
});

describeDatabase(['mariadb', 'mysql'], 'a schema change that cannot be settled', (context) => {
  it('stops the pipeline until somebody says whether it ran, and is then done once', async () => {
    if (ALTER === undefined) throw new Error('no case');
    for (const ran of [false, true]) {
      const trial = await DdlTrial.begin(context, ALTER);
      const { pipeline } = trial;
      await using child = new DdlProcess(trial.task, `${ran ? 'ddl:executed' : 'ddl:executing'}=kill`);
      await child.killed();
      // As if the log were purged, the tables of another engine, and there were no GTIDs.
      await context.db.query(
        "UPDATE holt.ddl SET log_file = NULL, tables_before = '[]', own_gtid = NULL WHERE pipeline = ?",
        [pipeline.name],
      );
      expect(await pipeline.takeOver()).toMatchObject({
        kind: 'stop',
        error: { code: 'HOLT_DDL_UNSETTLED', message: expect.stringContaining('ADD COLUMN extra') },
      });
      const session = await connectTarget(pipeline.config);
      const [row] = await readDdlRows(session, pipeline.name, 1);
      if (row === undefined) throw new Error('no row');
      const said = await settleByHand(session, pipeline.name, { id: row.id, ran, by: 'ann' });
      expect(said).toMatchObject({ state: ran ? 'ran' : 'void', settledBy: 'ann' });
      await expect(
        settleByHand(session, pipeline.name, { id: row.id, ran, by: 'ann' }),
      ).rejects.toMatchObject({ code: 'HOLT_DDL_SETTLED' });
      await session.close();
      await trial.finish();
      expect(await pipeline.seq()).toBe(1);
      const columns =
        "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_NAME = ? AND COLUMN_NAME = 'extra'";
      expect(await context.db.value(columns, [pipeline.name])).toBe('1');
    }
  });

  it('that was under way where reading begins is known, however many came since', async () => {
    const pipeline = await Pipeline.on(context);
    const session = await connectTarget(pipeline.config);
    const { identity } = session.server;
    const columns =
      'pipeline, state, origin, connection_id, registration, seq, epoch, tenure, kind, source_ref, default_schema, statement, mapped, server_identity, server_started, log_file, log_offset, tables_before, opened_at, settled_file, settled_offset';
    const row = (threadId: number, file: string, offset: number) =>
      `('${pipeline.name}', 'done', 'west', ${threadId}, REPEAT('r', 16), 1, 1, REPEAT('t', 16), 'alter-table', '', '', '', '', '${identity}', '0', '${file}', ${offset}, '', NOW(6), '${file}', ${offset + 50})`;
    const later = Array.from({ length: 300 }, (_, i) => row(1_000 + i, 'binlog.900003', 100 * i));
    await context.db.query(
      `INSERT INTO holt.ddl (${columns}) VALUES ${[row(7, 'binlog.900002', 100), ...later].join(', ')}`,
    );
    const threads = async (file: string, offset: number) =>
      (await readOpenMarks(session, identity, { file, offset })).map(({ threadId }) => threadId);
    try {
      // Rows from before the server was started do not count beyond their file; these are within it.
      expect(await threads('binlog.900002', 120)).toEqual([7]);
      expect(await threads('binlog.900003', 29_910)).toEqual([1_299]);
      expect(await threads('binlog.900002', 150)).toEqual([]);
    } finally {
      await context.db.query(`DELETE FROM holt.ddl WHERE pipeline = '${pipeline.name}'`);
      await session.close();
    }
  });
});
