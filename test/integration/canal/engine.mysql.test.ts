import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { Position } from '../../../model/position.ts';
import type { SourceItem } from '../../../model/source-item.ts';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import {
  dumpThreads,
  engineOn,
  inSchema,
  killDumps,
  LiveWriter,
  MirrorTables,
  positionNow,
  readUntilMarker,
  tableRows,
  writeMarker,
} from './engine-fixture.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];

/** What an item is, comparable between two readings. */
function summary(item: SourceItem): string {
  if (item.kind === 'interrupted') return 'interrupted';
  const gtid = JSON.stringify(item.gtid, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  const place = `${item.start.file}:${item.start.offset}-${item.end.offset} ${gtid}`;
  if (item.kind === 'statement') return `${place} ${item.sql}`;
  if (item.kind === 'xa-outcome') return `${place} ${item.outcome} ${item.xid}`;
  const rows = item.rows.map((one) => `${one.op} ${one.shape.table} ${one.rows} ${one.data.toString('hex')}`);
  return `${place} ${item.part} ${item.lastPart} ${item.commitUs} ${rows.join('; ')}`;
}

for (const flavour of FLAVOURS)
  describeWithOwn([flavour], `the canal engine on ${flavour}`, () => {
    let server: DatabaseServer;
    let db: Database;
    beforeAll(async () => {
      server = await startDatabase(flavour);
      db = server.db;
    });
    afterAll(async () => {
      await server?.dispose();
    });

    it('reads every change of a live writer, through lost connections and new binlog files', async () => {
      const schema = await db.freshSchema('live');
      const writer = new LiveWriter(db, schema);
      await writer.createTables();
      await using host = await engineOn(db);
      const { engine } = host;
      const reader = await engine.openReader({
        name: 'p',
        start: await positionNow(engine),
        wants: inSchema(schema),
      });
      writer.start();
      const disturbing = (async () => {
        for (let i = 0; i < 3; i++) {
          await writer.wrote(60);
          await killDumps(db);
          await writer.wrote(60);
          await db.query('FLUSH LOGS');
        }
        await writer.stop();
        await writeMarker(db, schema, 1);
      })();
      const mirror = new MirrorTables();
      await readUntilMarker(reader, 1, (item) => mirror.apply(item));
      await disturbing;
      for (const table of ['a', 'b', 'c'])
        expect(mirror.rows(table)).toEqual(await tableRows(db, schema, table));
    });

    it('goes on at any boundary without gap or repeat', async () => {
      const schema = await db.freshSchema('resume');
      const writer = new LiveWriter(db, schema, 7);
      await writer.createTables();
      await using host = await engineOn(db, { lingerMs: 0 });
      const { engine } = host;
      const start = await positionNow(engine);
      writer.start();
      await writer.wrote(40);
      await db.query('FLUSH LOGS');
      await db.query(`ALTER TABLE \`${schema}\`.a ADD INDEX (n)`);
      await writer.wrote(40);
      await writer.stop();
      await writeMarker(db, schema, 1);

      const positions: Position[] = [];
      const reader = await engine.openReader({ name: 'all', start, wants: inSchema(schema) });
      const all = await readUntilMarker(reader, 1, () => {
        positions.push(reader.position);
      });
      await reader.close();
      const expected = all.map(summary);
      for (let at = 0; at < all.length - 1; at += 7) {
        const from = positions[at];
        if (from === undefined) throw new Error('no position');
        const again = await engine.openReader({
          name: `from ${at}`,
          start: from,
          readFrom: engine.source.identity,
          wants: inSchema(schema),
        });
        const rest = await readUntilMarker(again, 1);
        expect(rest.map(summary)).toEqual(expected.slice(at + 1));
        expect(again.position.text).toBe(positions.at(-1)?.text);
        await again.close();
      }
    });

    it('two readers share a dump connection, and each gets its own tables', async () => {
      const schema = await db.freshSchema('two');
      const writer = new LiveWriter(db, schema, 3);
      await writer.createTables();
      await using host = await engineOn(db);
      const { engine } = host;
      const start = await positionNow(engine);
      const wants = (table: string) => (s: string, t: string) =>
        s === schema && (t === table || t === 'marker');
      const one = await engine.openReader({ name: 'one', start, wants: wants('a') });
      const two = await engine.openReader({ name: 'two', start, wants: wants('b') });
      writer.start();
      await writer.wrote(50);
      await writer.stop();
      await writeMarker(db, schema, 1);
      const [a, b] = [new MirrorTables(), new MirrorTables()];
      await Promise.all([
        readUntilMarker(one, 1, (item) => a.apply(item)),
        readUntilMarker(two, 1, (item) => b.apply(item)),
      ]);
      expect(await dumpThreads(db)).toBe(1);
      expect(a.rows('a')).toEqual(await tableRows(db, schema, 'a'));
      expect(b.rows('b')).toEqual(await tableRows(db, schema, 'b'));
      expect([a.rows('b'), b.rows('a')]).toEqual([[], []]);
      expect(one.position).toEqual(two.position);
    });

    it('a slow reader does not hold the other up, and is level again later', async () => {
      const schema = await db.freshSchema('slow');
      const writer = new LiveWriter(db, schema, 5);
      await writer.createTables();
      await using host = await engineOn(db, {
        limits: { ringBytes: 64 * 1024, ringItems: 64, partBytes: 16 * 1024, heldUpMs: 50 },
      });
      const { engine } = host;
      const start = await positionNow(engine);
      const fast = await engine.openReader({ name: 'fast', start, wants: inSchema(schema) });
      const slow = await engine.openReader({ name: 'slow', start, wants: inSchema(schema) });
      const [f, s] = [new MirrorTables(), new MirrorTables()];
      writer.start();
      await writer.wrote(300);
      await writer.stop();
      await writeMarker(db, schema, 1);
      await readUntilMarker(fast, 1, (item) => f.apply(item));
      for (const table of ['a', 'b', 'c']) expect(f.rows(table)).toEqual(await tableRows(db, schema, table));
      await readUntilMarker(slow, 1, (item) => s.apply(item));
      for (const table of ['a', 'b', 'c']) expect(s.rows(table)).toEqual(f.rows(table));
      // Once more something is written, both read it, and one connection is left.
      await writeMarker(db, schema, 2);
      await Promise.all([readUntilMarker(fast, 2), readUntilMarker(slow, 2)]);
      await writeMarker(db, schema, 3);
      await Promise.all([readUntilMarker(fast, 3), readUntilMarker(slow, 3)]);
      await waitFor(() => engine.status.feeds.length === 1, { timeoutMs: 10_000, what: 'one feed' });
      // A server without waiting changes notices a closed replica when it has something to send.
      await waitFor(
        async () => {
          await writeMarker(db, schema, 100 + Math.floor(Math.random() * 1e9));
          return (await dumpThreads(db)) === 1;
        },
        { timeoutMs: 30_000, what: 'one dump connection', pollMs: 200 },
      );
    });
  });
