import { afterAll, beforeAll, expect, it } from 'vitest';
import { currentPosition } from '../../../canal/source/current-position.ts';
import { checkPosition } from '../../../canal/source/position-check.ts';
import { resolveStart } from '../../../canal/source/resolve-start.ts';
import type { SourceFacts } from '../../../canal/source/source-facts.ts';
import type { TransactionEnd } from '../../../canal/source/transaction-ends.ts';
import type { StartConfig } from '../../../model/config.ts';
import { gtidSetOf } from '../../../model/gtid-set.ts';
import { filePosition, type LastEvent, type Position, type PositionText } from '../../../model/position.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { connectTo, dumpFrom, endpointFor, factsOf, pullAll, transactionsOf } from './source-fixture.ts';

const FOREIGN = expect.objectContaining({ code: 'HOLT_SOURCE_POSITION_FOREIGN', disposition: 'pause' });
const PURGED = expect.objectContaining({ code: 'HOLT_SOURCE_POSITION_PURGED', disposition: 'pause' });
const INVALID = expect.objectContaining({ code: 'HOLT_SOURCE_START_INVALID', disposition: 'pause' });

for (const flavour of DATABASE_FLAVOURS) {
  describeWithOwn([flavour], `positions at ${flavour}`, () => {
    let server: DatabaseServer;
    let facts: SourceFacts;
    /** All transactions of the log. */
    let all: TransactionEnd[];
    const endpoint = () => endpointFor(server);

    const insert = (count = 1) =>
      Array.from({ length: count }).reduce<Promise<unknown>>(
        (before) => before.then(() => server.db.query("INSERT INTO d.t (v) VALUES ('x')")),
        Promise.resolve(),
      );
    const resolve = async (start: StartConfig): Promise<Position> => {
      await using connection = await connectTo(endpoint());
      return await resolveStart({ endpoint: endpoint(), connection, facts, start });
    };
    const check = async (position: Position, readFrom: string | null = facts.identity) => {
      await using connection = await connectTo(endpoint());
      await checkPosition({ endpoint: endpoint(), connection, facts, position, readFrom, graceMs: 300 });
    };
    const transactionsFrom = async (position: PositionText): Promise<TransactionEnd[]> => {
      const dump = await dumpFrom(endpoint(), position);
      try {
        return transactionsOf(await pullAll(dump));
      } finally {
        await dump.close();
      }
    };
    const earliest = async () => await transactionsFrom((await resolve({ kind: 'earliest' })).text);
    const resetLog = () =>
      server.db.query(flavour === 'mysql' ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER');

    beforeAll(async () => {
      server = await startDatabase(flavour);
      facts = await factsOf(endpoint());
      await server.db.query('CREATE DATABASE d');
      await server.db.query('CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v TEXT) ENGINE=InnoDB');
      await resetLog();
      await insert(3);
      await server.db.query('ALTER TABLE d.t ADD a INT');
      await server.db.query('FLUSH BINARY LOGS');
      await insert(2);
      await new Promise((done) => setTimeout(done, 2_100));
      await server.db.query('FLUSH BINARY LOGS');
      await insert(2);
      await new Promise((done) => setTimeout(done, 2_100));
      await insert(2);
      all = await earliest();
    });
    afterAll(() => server.dispose());

    it('earliest begins with the first transaction of the log, now with the next one', async () => {
      expect(all.length).toBe(10);
      const now = await resolve({ kind: 'now' });
      await insert();
      const next = await transactionsFrom(now.text);
      expect(next.length).toBe(1);
      all.push(...next);
    });

    it('a place in a file gives the position after the transactions before it', async () => {
      for (const [index, one] of all.entries()) {
        const position = await resolve({ kind: 'file', ...one.end });
        expect(position.lastEvent).toEqual(one.lastEvent);
        expect(await transactionsFrom(position.text)).toEqual(all.slice(index + 1));
        await check(position);
      }
      const fileStart = await resolve({ kind: 'file', file: all[4]?.end.file ?? '', offset: 4 });
      expect(await transactionsFrom(fileStart.text)).toEqual(all.slice(4));
    });

    it('a place that is none is refused, naming the last one before it', async () => {
      const [, second] = all;
      const { file, offset } = second?.end ?? { file: '', offset: 0 };
      const last = all[0]?.end.offset;
      for (const wrong of [offset - 1, offset - 31, (second?.start.offset ?? 0) + 1])
        await expect(resolve({ kind: 'file', file, offset: wrong })).rejects.toEqual(
          expect.objectContaining({
            code: 'HOLT_SOURCE_START_INVALID',
            message: expect.stringContaining(`ends at ${last}`),
          }),
        );
      await expect(resolve({ kind: 'file', file: 'nonsense.000009', offset: 4 })).rejects.toEqual(INVALID);
      await expect(resolve({ kind: 'file', file, offset: 2 ** 30 })).rejects.toEqual(INVALID);
      await expect(resolve({ kind: 'file', file, offset: 0 })).rejects.toEqual(INVALID);
    });

    it('a time gives the first transaction at or after it, from whichever file', async () => {
      for (const one of all) {
        const iso = new Date(Math.floor(one.commitUs / 1_000)).toISOString();
        const position = await resolve({ kind: 'time', iso });
        const bound = one.commitIsExact ? Math.floor(one.commitUs / 1_000) * 1_000 : one.commitUs;
        const index = all.findIndex(({ commitUs }) => commitUs >= bound);
        expect(await transactionsFrom(position.text), iso).toEqual(all.slice(index));
      }
      const future = await resolve({ kind: 'time', iso: '2099-01-01T00:00:00Z' });
      expect(await transactionsFrom(future.text)).toEqual([]);
      const past = await resolve({ kind: 'time', iso: '2001-01-01T00:00:00Z' });
      expect(await transactionsFrom(past.text)).toEqual(all);
      await expect(resolve({ kind: 'time', iso: 'yesterday' })).rejects.toEqual(INVALID);
    });

    if (flavour === 'mysql56') {
      it('a GTID start is refused where there are none', async () => {
        await expect(
          resolve({ kind: 'gtid', set: '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3' }),
        ).rejects.toEqual(INVALID);
      });
    } else {
      it('a GTID start begins after it; one that the source does not have is refused', async () => {
        const position = await resolve({ kind: 'file', ...(all[2]?.end ?? { file: '', offset: 0 }) });
        const set = position.text.slice(position.text.indexOf(':') + 1);
        const same = await resolve({ kind: 'gtid', set: ` ${set.toUpperCase()} ` });
        expect(same.text).toBe(position.text);
        expect(await transactionsFrom(same.text)).toEqual(all.slice(3));
        const foreign = flavour === 'mysql' ? '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3' : '0-4242-1';
        await expect(resolve({ kind: 'gtid', set: foreign })).rejects.toEqual(FOREIGN);
        await expect(resolve({ kind: 'gtid', set: 'nonsense' })).rejects.toMatchObject({
          code: 'HOLT_POSITION_INVALID',
        });
      });
    }

    it('the event before a position is looked at: time and checksum must be the same', async () => {
      for (const one of all) {
        const position: Position = {
          ...(await resolve({ kind: 'file', ...one.end })),
          at: one.end,
          lastEvent: one.lastEvent,
        };
        const { length: _, ...short } = one.lastEvent;
        await check(position);
        // Without its length the event is found too, whatever kind it is.
        await check({ ...position, lastEvent: short });
        const wrong: LastEvent[] = [
          { ...one.lastEvent, crc32: (one.lastEvent.crc32 ?? 0) ^ 1 },
          { ...one.lastEvent, timestamp: one.lastEvent.timestamp + 1 },
          { ...short, timestamp: one.lastEvent.timestamp + 1 },
          { ...one.lastEvent, length: (one.lastEvent.length ?? 0) + 8 },
        ];
        for (const lastEvent of wrong)
          await expect(check({ ...position, lastEvent })).rejects.toEqual(FOREIGN);
        // Read from another server, its places mean nothing here; only a position by place holds to them.
        const elsewhere = check({ ...position, lastEvent: wrong[0] ?? null }, 'another-server');
        if (facts.gtids) await elsewhere;
        else await expect(elsewhere).rejects.toEqual(FOREIGN);
      }
    });

    it('a position of another server is refused', async () => {
      const strangers: PositionText[] = [
        filePosition('another-server', { file: 'binlog.000001', offset: 4 }),
        filePosition(facts.identity, { file: 'binlog.009999', offset: 4 }),
        filePosition(facts.identity, { file: 'log-bin.000001', offset: 4 }),
        filePosition(facts.identity, { file: 'binlog.000001', offset: 2 ** 31 }),
        'mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3' as PositionText,
        'mariadb:0-4242-7' as PositionText,
        'mariadb:9-1-7' as PositionText,
      ];
      for (const text of strangers)
        await expect(check({ text, at: null, lastEvent: null }), text).rejects.toEqual(FOREIGN);
    });

    it('what the source has purged is refused, by the check or by the dump', async () => {
      const [first] = all;
      const position = await resolve({ kind: 'file', ...(first?.end ?? { file: '', offset: 0 }) });
      const newest = (await currentPositionOf()).at?.file ?? '';
      await server.db.query(`PURGE BINARY LOGS TO '${newest}'`);
      if (flavour !== 'mariadb') await expect(check(position)).rejects.toEqual(PURGED);
      await expect(transactionsFrom(position.text)).rejects.toEqual(PURGED);
      const left = await earliest();
      expect(left).toEqual(all.filter(({ end }) => end.file === newest));
      await expect(resolve({ kind: 'time', iso: '2001-01-01T00:00:00Z' })).rejects.toEqual(INVALID);
    });

    it('a server that was reset and filled anew is noticed', async () => {
      await resetLog();
      await insert(4);
      const before = await earliest();
      const position: Position = {
        ...(await resolve({ kind: 'file', ...(before[2]?.end ?? { file: '', offset: 0 }) })),
        at: before[2]?.end ?? null,
        lastEvent: before[2]?.lastEvent ?? null,
      };
      await check(position);
      await new Promise((done) => setTimeout(done, 1_100));
      await resetLog();
      await insert(6);
      // The same numbers, the same file, the same offsets, another history.
      const after = await earliest();
      if (flavour !== 'mysql') expect(after[2]?.end).toEqual(before[2]?.end);
      if (facts.gtids) expect(after[2]?.gtid).toEqual(before[2]?.gtid);
      await expect(check(position)).rejects.toEqual(FOREIGN);
    });

    it('a time is found in its file, though the next one bears the time of a session that replayed what is old', async () => {
      await resetLog();
      await insert(2);
      const connection = await server.db.connect();
      try {
        await connection.query('SET SESSION timestamp = 1000000000');
        await connection.query('FLUSH BINARY LOGS');
      } finally {
        await connection.end();
      }
      await new Promise((done) => setTimeout(done, 1_100));
      await insert(2);
      const written = await earliest();
      const [, second] = written;
      const iso = new Date(Math.floor((second?.commitUs ?? 0) / 1_000)).toISOString();
      const found = await transactionsFrom((await resolve({ kind: 'time', iso })).text);
      expect(found.slice(-3)).toEqual(written.slice(1));
    });

    async function currentPositionOf(): Promise<Position> {
      await using connection = await connectTo(endpoint());
      const position = await currentPosition(connection, facts);
      if (flavour === 'mysql') expect(gtidSetOf(position.text).isEmpty).toBe(false);
      return position;
    }
  });
}
