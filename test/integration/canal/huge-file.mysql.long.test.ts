import { expect, it } from 'vitest';
import { filePosition, type PositionText } from '../../../model/position.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { dumpFrom, endpointFor, factsOf, isHeartbeat, pullUntil, transactionsOf } from './source-fixture.ts';

const ROW_BYTES = 1_000_000;
const ROWS = 4_400;

// MariaDB's engine without rows is a package of its own; its offsets are read by the same code.
for (const flavour of ['mysql56', 'mysql'] as const) {
  describeWithOwn([flavour], `a binlog file beyond 4 GiB at ${flavour}`, () => {
    it('is followed to its end, and begun behind it', async () => {
      await using server = await startDatabase(flavour, { settings: { max_allowed_packet: '64M' } });
      await server.db.query('CREATE DATABASE d');
      await server.db.query('CREATE TABLE d.n (i INT)');
      await server.db.query(`INSERT INTO d.n VALUES ${'(1),'.repeat(ROWS - 1)}(1)`);
      // Keeps no rows, logs them all: one transaction, and so one file.
      await server.db.query('CREATE TABLE d.hole (v LONGBLOB) ENGINE=BLACKHOLE');
      await server.db.query(`INSERT INTO d.hole SELECT REPEAT('x', ${ROW_BYTES}) FROM d.n`);
      await server.db.query('CREATE TABLE d.after (i INT)');
      const endpoint = endpointFor(server);
      const facts = await factsOf(endpoint);
      const [huge] = (await server.db.query('SHOW BINARY LOGS')).filter(
        (row) => Number(row.File_size) > 2 ** 32,
      );
      const file = String(huge?.Log_name);

      const beginning = facts.gtids ? `${facts.flavour}:` : `file:${facts.identity}:binlog.000001:4`;
      const dump = await dumpFrom(endpoint, beginning as PositionText, { heartbeatMs: 1_000 });
      // What is kept of each event is small: 4 GiB are not.
      const places: { file: string; end: number }[] = [];
      const slim = {
        next: () => {
          const event = dump.next();
          if (event !== null && event.file === file) places.push({ file, end: event.end });
          if (event === null || event.to - event.from < 1_000) return event;
          const { kind, file: of, start, end } = event;
          const { timestamp, typeCode, serverId, eventLength, logPos, flags, crc32 } = event.header;
          const header = { timestamp, typeCode, serverId, eventLength, logPos, flags, crc32 };
          const bytes = Buffer.alloc(0);
          return { kind, header, bytes, memory: bytes, from: 0, to: 0, file: of, start, end };
        },
        fill: (signal: AbortSignal) => dump.fill(signal),
        close: () => dump.close(),
      };
      const events = await pullUntil(slim, isHeartbeat, 300_000);
      await dump.close();
      expect(Math.max(...places.map(({ end }) => end))).toBe(Number(huge?.File_size));

      const transactions = transactionsOf(events.filter(({ bytes }) => bytes.length > 0));
      const last = transactions.findLast(({ end }) => end.file === file);
      expect(last?.end.offset).toBeGreaterThan(2 ** 32);
      // The place behind the huge transaction, which no dump command can name.
      const behind = filePosition(facts.identity, last?.end ?? { file, offset: 0 });
      const again = await dumpFrom(endpoint, behind, { heartbeatMs: 1_000 });
      const rest = transactionsOf(await pullUntil(again, isHeartbeat, 300_000));
      await again.close();
      expect(rest).toEqual(transactions.slice(transactions.findIndex(({ end }) => end === last?.end) + 1));
      expect(rest.length).toBe(1);
    });
  });
}
