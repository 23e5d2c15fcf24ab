import { afterAll, beforeAll, expect, it } from 'vitest';
import { HeartbeatWriter } from '../../../canal/heartbeat.ts';
import { waitFor } from '../../../lib/abort.ts';
import type { SourceItem } from '../../../model/source-item.ts';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { migrated } from '../load/target-fixture.ts';
import {
  engineOn,
  inSchema,
  killDumps,
  positionNow,
  readUntilMarker,
  rowsOf,
  sourceOf,
  writeMarker,
} from './engine-fixture.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];
const MiB = 1024 * 1024;

const signal = (): AbortSignal => AbortSignal.timeout(60_000);

for (const flavour of FLAVOURS)
  describeWithOwn([flavour], `the canal engine in trouble on ${flavour}`, () => {
    let server: DatabaseServer;
    let db: Database;
    beforeAll(async () => {
      server = await startDatabase(flavour);
      db = server.db;
    });
    afterAll(async () => {
      await server?.dispose();
    });

    it('rows of a table that was altered since travel raw, with the reason; again when it is as it was, they are good', async () => {
      const schema = await db.freshSchema('altered');
      await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v INT)`);
      await db.query(`CREATE TABLE \`${schema}\`.u (id INT PRIMARY KEY)`);
      await using host = await engineOn(db);
      const { engine } = host;
      const start = await positionNow(engine);
      await db.query(`INSERT INTO \`${schema}\`.u VALUES (1)`);
      await db.query(`INSERT INTO \`${schema}\`.t VALUES (1, 2), (3, 4)`);
      await db.query(`ALTER TABLE \`${schema}\`.t MODIFY v BIGINT`);
      await writeMarker(db, schema, 1);
      const all = await engine.openReader({ name: 'all', start, wants: inSchema(schema) });
      const first = await readUntilMarker(all, 1);
      const rows = first.flatMap((item) => (item.kind === 'rows' ? item.rows : []));
      expect(rows.find(({ shape }) => shape.table === 'u')?.shape.fault).toBeUndefined();
      const faulty = rows.find(({ shape }) => shape.table === 't');
      expect(faulty).toMatchObject({
        rows: 2,
        shape: {
          columns: [{ name: '@1' }, { name: '@2' }],
          fault: {
            code: 'HOLT_SCHEMA_MISMATCH',
            why: expect.stringContaining(`${schema}.t was altered since`),
          },
        },
      });
      await all.close();

      await db.query(`ALTER TABLE \`${schema}\`.t MODIFY v INT`);
      await using another = await engineOn(db);
      const again = await another.engine.openReader({ name: 'again', start, wants: inSchema(schema) });
      const items = await readUntilMarker(again, 1);
      const good = items.flatMap((item) => (item.kind === 'rows' ? item.rows : []));
      expect(good.filter((one) => one.shape.table === 't').flatMap(rowsOf)).toEqual([
        { before: null, after: ['1', '2'] },
        { before: null, after: ['3', '4'] },
      ]);
    });

    it('a table that is gone is named', async () => {
      const schema = await db.freshSchema('gone');
      await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY)`);
      await using host = await engineOn(db);
      const start = await positionNow(host.engine);
      await db.query(`INSERT INTO \`${schema}\`.t VALUES (1)`);
      await db.query(`DROP TABLE \`${schema}\`.t`);
      const reader = await host.engine.openReader({ name: 'p', start, wants: inSchema(schema) });
      const item = await reader.next(signal());
      expect(item).toMatchObject({
        kind: 'rows',
        rows: [
          {
            shape: {
              fault: { code: 'HOLT_SCHEMA_UNREADABLE', why: expect.stringContaining(`${schema}.t`) },
            },
          },
        ],
      });
    });

    if (flavour !== 'mysql56')
      it('names come from the log where it has them, whatever the table is now', async () => {
        await db.query('SET GLOBAL binlog_row_metadata = FULL');
        try {
          const schema = await db.freshSchema('full');
          await using host = await engineOn(db);
          const start = await positionNow(host.engine);
          await db.query(`CREATE TABLE \`${schema}\`.t (a INT, b INT UNSIGNED, PRIMARY KEY (b, a))`);
          await db.query(`INSERT INTO \`${schema}\`.t VALUES (1, 2)`);
          await db.query(`ALTER TABLE \`${schema}\`.t RENAME COLUMN a TO c, RENAME COLUMN b TO a`);
          await db.query(`INSERT INTO \`${schema}\`.t VALUES (3, 4)`);
          await db.query(`DROP TABLE \`${schema}\`.t`);
          await writeMarker(db, schema, 1);
          const reader = await host.engine.openReader({ name: 'p', start, wants: inSchema(schema) });
          const items = await readUntilMarker(reader, 1);
          const shapes = items.flatMap((item) =>
            item.kind === 'rows' ? item.rows.map((one) => one.shape) : [],
          );
          expect(shapes.slice(0, 2).map((shape) => shape.columns.map((one) => one.name))).toEqual([
            ['a', 'b'],
            ['c', 'a'],
          ]);
          expect(shapes[0]).toMatchObject({ key: [1, 0], hasPrimaryKey: true });
          expect(shapes[0]?.columns.map((one) => one.unsigned)).toEqual([false, true]);
        } finally {
          await db.query(`SET GLOBAL binlog_row_metadata = ${flavour === 'mysql' ? 'MINIMAL' : 'NO_LOG'}`);
        }
      });

    it('a large transaction comes in parts, with flat memory, and says so when the link is lost half-way', async () => {
      const schema = await db.freshSchema('large');
      await db.query(`CREATE TABLE \`${schema}\`.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(2000))`);
      const connection = await db.connect({ schema });
      await using host = await engineOn(db, { lingerMs: 0 });
      const start = await positionNow(host.engine);
      await connection.beginTransaction();
      await connection.query(
        `INSERT INTO t (v) SELECT REPEAT('x', 1600) FROM information_schema.COLLATIONS LIMIT 100`,
      );
      for (let rows = 100; rows < 140_000; rows *= 2)
        await connection.query(`INSERT INTO t (v) SELECT v FROM t LIMIT 40000`);
      await connection.commit();
      const [counted] = await db.query(`SELECT COUNT(*) AS n FROM \`${schema}\`.t`);
      const total = Number(counted?.n);
      expect(total * 1600).toBeGreaterThan(200 * 1000 * 1000);
      await writeMarker(db, schema, 1);
      await connection.end();

      const reader = await host.engine.openReader({ name: 'p', start, wants: inSchema(schema) });
      let rows = 0;
      let parts = 0;
      let interruptions = 0;
      let base = 0;
      let peak = 0;
      let expectedPart = 0;
      await readUntilMarkerLean(reader, 1, async (item) => {
        if (item.kind === 'interrupted') {
          interruptions += 1;
          rows = 0;
          expectedPart = 0;
          return;
        }
        if (item.kind !== 'rows') return;
        expect(item.part).toBe(expectedPart);
        expectedPart = item.lastPart ? 0 : expectedPart + 1;
        if (item.rows.some((one) => one.shape.table === 't')) parts += 1;
        for (const one of item.rows) if (one.shape.table === 't') rows += one.rows;
        const used = process.memoryUsage();
        const held = used.external + used.heapUsed;
        if (parts === 3) base = held;
        peak = Math.max(peak, held);
        if (parts === 6 && interruptions === 0) await killDumps(db);
      });
      expect(interruptions).toBe(1);
      expect(rows).toBe(total);
      expect(parts).toBeGreaterThan(20);
      expect(peak - base).toBeLessThan(160 * MiB);
    });

    it('writes heartbeats that say how far reading is', async () => {
      await migrated(sourceOf(db));
      await using host = await engineOn(db);
      const start = await positionNow(host.engine);
      const writer = new HeartbeatWriter({
        cluster: 'test',
        site: 'east',
        node: 'n1',
        idleMs: 50,
        connect: async () => {
          const connection = await db.connect();
          return {
            execute: async (sql) => {
              await connection.query(sql);
            },
            close: () => connection.end(),
          };
        },
      });
      const running = writer.run();
      const { readHeartbeats } = await import('../../../canal/assembler/holt-rows.ts');
      const reader = await host.engine.openReader({ name: 'p', start, wants: () => false });
      const beats: number[] = [];
      while (beats.length < 5) {
        const item = await reader.next(signal());
        if (item.kind !== 'rows') continue;
        for (const one of item.rows) beats.push(...readHeartbeats(one).map((beat) => beat.atUs));
      }
      const now = Date.now() * 1000;
      for (const [index, at] of beats.entries()) {
        expect(Math.abs(now - at)).toBeLessThan(10_000_000);
        if (index > 0) expect(at).toBeGreaterThan(beats[index - 1] ?? 0);
      }
      // A lost session is replaced.
      for (const row of await db.query('SHOW PROCESSLIST'))
        if (String(row.Command) === 'Sleep') await db.query(`KILL ${row.Id}`).catch(() => {});
      const last = writer.lastBeatMs ?? 0;
      await waitFor(() => (writer.lastBeatMs ?? 0) > last + 100, { timeoutMs: 10_000, what: 'beats again' });
      await writer.stop();
      await running;
    });
  });

/** As `readUntilMarker`, keeping nothing. */
async function readUntilMarkerLean(
  reader: Parameters<typeof readUntilMarker>[0],
  marker: number,
  onItem: (item: SourceItem) => Promise<void>,
): Promise<void> {
  for (;;) {
    const item = await reader.next(signal());
    reader.ack();
    await onItem(item);
    if (item.kind !== 'rows') continue;
    const isMarker = item.rows.some(
      (rows) =>
        rows.shape.table === 'marker' && rowsOf(rows).some(({ after }) => after?.[0] === String(marker)),
    );
    if (isMarker) return;
  }
}
