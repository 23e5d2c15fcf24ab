import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { currentPosition } from '../../../canal/source/current-position.ts';
import type { RawEvent } from '../../../canal/source/dump-stream.ts';
import type { SourceFacts } from '../../../canal/source/source-facts.ts';
import type { TransactionEnd } from '../../../canal/source/transaction-ends.ts';
import { GtidSet } from '../../../model/gtid-set.ts';
import { MariadbPosition } from '../../../model/mariadb-gtid.ts';
import { filePosition, type PositionText } from '../../../model/position.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import {
  connectTo,
  dumpFrom,
  endpointFor,
  factsOf,
  isHeartbeat,
  pullAll,
  pullUntil,
  transactionsOf,
} from './source-fixture.ts';

/** A position after each of the transactions, in the form that the server has. */
function positionsAfter(facts: SourceFacts, transactions: readonly TransactionEnd[]): PositionText[] {
  const set = new GtidSet();
  const mariadb = new MariadbPosition();
  return transactions.map(({ gtid, end }) => {
    if (gtid?.flavour === 'mysql') set.add(gtid);
    if (gtid?.flavour === 'mariadb') mariadb.advance(gtid);
    if (!facts.gtids) return filePosition(facts.identity, end);
    return facts.flavour === 'mysql' ? set.toPosition() : mariadb.toPosition();
  });
}

const beginning = (facts: SourceFacts): PositionText =>
  (facts.gtids ? `${facts.flavour}:` : `file:${facts.identity}:binlog.000001:4`) as PositionText;

const isPlaced = (event: RawEvent): boolean => event.start < event.end;

for (const flavour of DATABASE_FLAVOURS) {
  describeWithOwn([flavour], `a dump from ${flavour}`, () => {
    let server: DatabaseServer;
    let facts: SourceFacts;
    const endpoint = () => endpointFor(server);

    beforeAll(async () => {
      server = await startDatabase(flavour, {
        settings: flavour === 'mysql56' ? {} : { binlog_row_metadata: 'FULL' },
      });
      facts = await factsOf(endpoint());
      await server.db.query('CREATE DATABASE d');
      await server.db.query('CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB) ENGINE=InnoDB');
      for (let i = 0; i < 12; i += 1) {
        await server.db.query('INSERT INTO d.t (v) VALUES (?), (?)', [randomBytes(20), randomBytes(3_000)]);
        if (i === 3) await server.db.query('FLUSH BINARY LOGS');
        if (i === 5) await server.db.query('ALTER TABLE d.t ADD n INT');
        if (i === 7) await server.db.query('FLUSH BINARY LOGS');
        if (i === 8 && flavour === 'mysql') {
          const connection = await server.db.connect();
          await connection.query("SET SESSION gtid_next = 'AUTOMATIC:night'");
          await connection.query("INSERT INTO d.t (v) VALUES ('tagged')");
          await connection.end();
        }
        if (i === 9 && flavour === 'mariadb') {
          const connection = await server.db.connect();
          await connection.query('SET SESSION gtid_domain_id = 7');
          await connection.query("INSERT INTO d.t (v) VALUES ('another domain')");
          await connection.end();
        }
      }
    });
    afterAll(() => server.dispose());

    it('gives the whole log, event after event without a gap, and ends where the server is', async () => {
      await using connection = await connectTo(endpoint());
      const dump = await dumpFrom(endpoint(), beginning(facts));
      const events = await pullAll(dump);
      // Asked afterwards: MariaDB notes in the log, some time after a change of file, that it will not need the old one again.
      const now = await currentPosition(connection, facts);
      expect(dump.at).toEqual(now.at);
      await dump.close();
      const files = await server.binlogFiles();
      let place = { file: '', offset: 0 };
      for (const event of events.filter(isPlaced)) {
        if (event.file !== place.file) place = { file: event.file, offset: 4 };
        // MariaDB leaves out the statements that it notes before rows.
        if (flavour === 'mariadb') expect(event.start).toBeGreaterThanOrEqual(place.offset);
        else expect(event.start).toBe(place.offset);
        place = { file: event.file, offset: event.end };
        expect(event.header.crc32).not.toBe(null);
      }
      expect(new Set(events.filter(isPlaced).map(({ file }) => file)).size).toBe(files.length);
      const last = positionsAfter(facts, transactionsOf(events)).at(-1);
      expect(last).toBe(now.text);
    });

    it('goes on from any transaction, in the middle of files too', async () => {
      const dump = await dumpFrom(endpoint(), beginning(facts));
      const transactions = transactionsOf(await pullAll(dump));
      await dump.close();
      const positions = positionsAfter(facts, transactions);
      expect(transactions.length).toBeGreaterThan(14);
      for (const [index, position] of positions.entries()) {
        const again = await dumpFrom(endpoint(), position);
        const rest = transactionsOf(await pullAll(again));
        await again.close();
        expect(rest, position).toEqual(transactions.slice(index + 1));
        // The same by place, which every server takes.
        if (!facts.gtids || index % 4 !== 0) continue;
        const end = transactions[index]?.end ?? { file: '', offset: 0 };
        const byPlace = await dumpFrom(endpoint(), filePosition(facts.identity, end));
        expect(transactionsOf(await pullAll(byPlace))).toEqual(transactions.slice(index + 1));
        await byPlace.close();
      }
    });

    it('heartbeats come, in the time asked for', async () => {
      await using connection = await connectTo(endpoint());
      const dump = await dumpFrom(endpoint(), (await currentPosition(connection, facts)).text, {
        heartbeatMs: 100,
      });
      await pullUntil(dump, isHeartbeat);
      const start = performance.now();
      for (let i = 0; i < 5; i += 1) await pullUntil(dump, isHeartbeat);
      expect(performance.now() - start).toBeGreaterThan(300);
      expect(performance.now() - start).toBeLessThan(5_000);
      await dump.close();
    });

    it('what is written now comes now', async () => {
      await using connection = await connectTo(endpoint());
      const dump = await dumpFrom(endpoint(), (await currentPosition(connection, facts)).text);
      await pullUntil(dump, isHeartbeat);
      for (let i = 0; i < 3; i += 1) {
        await server.db.query("INSERT INTO d.t (v) VALUES ('now')");
        const events = await pullUntil(dump, ({ header }) => header.typeCode === 16);
        expect(transactionsOf(events).length).toBe(1);
      }
      await dump.close();
    });

    it('events above 16 MiB come whole', async () => {
      await using connection = await connectTo(endpoint());
      const { text } = await currentPosition(connection, facts);
      await server.db.query(`SET GLOBAL max_allowed_packet = ${128 * 1024 * 1024}`);
      // A small redo log does not take such rows.
      await server.db.query('CREATE TABLE d.big (v LONGBLOB) ENGINE=MyISAM');
      const writer = await server.db.connect();
      const sizes = [16 * 1024 * 1024 - 60, 16 * 1024 * 1024, 34 * 1024 * 1024];
      for (const size of sizes)
        await writer.query(`INSERT INTO d.big VALUES (REPEAT('0123456789abcdef', ${size / 16}))`);
      await writer.end();
      const dump = await dumpFrom(endpoint(), text);
      const events = await pullAll(dump);
      await dump.close();
      const large = events.filter(({ bytes }) => bytes.length > 1024 * 1024);
      expect(large.length).toBe(sizes.length);
      for (const [index, event] of large.entries()) {
        const size = Math.floor((sizes[index] ?? 0) / 16) * 16;
        const begin = event.bytes.indexOf('0123456789abcdef');
        const value = event.bytes.subarray(begin, begin + size);
        expect(value.equals(Buffer.alloc(size, '0123456789abcdef'))).toBe(true);
      }
      expect(transactionsOf(events).length).toBe(sizes.length + 1);
    });

    it('files with and without checksums follow each other', async () => {
      await using connection = await connectTo(endpoint());
      const { text } = await currentPosition(connection, facts);
      for (const checksum of ['NONE', 'CRC32']) {
        // Set globally, it begins a new file.
        await server.db.query(`SET GLOBAL binlog_checksum = '${checksum}'`);
        await server.db.query("INSERT INTO d.t (v) VALUES ('x')");
        for (const start of [text, beginning(facts)]) {
          const dump = await dumpFrom(endpoint(), start);
          const events = await pullAll(dump);
          await dump.close();
          expect(transactionsOf(events).length).toBeGreaterThan(0);
        }
      }
      const dump = await dumpFrom(endpoint(), text);
      const sums = transactionsOf(await pullAll(dump)).map(({ lastEvent }) => lastEvent.crc32 !== null);
      await dump.close();
      expect(sums).toEqual([false, true]);
    });
  });
}
