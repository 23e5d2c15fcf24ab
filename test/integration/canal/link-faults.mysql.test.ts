import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { currentPosition } from '../../../canal/source/current-position.ts';
import type { SourceFacts } from '../../../canal/source/source-facts.ts';
import { waitFor } from '../../../lib/abort.ts';
import { filePosition } from '../../../model/position.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { mysqlPackets, type Packet, TcpProxy } from '../../support/tcp-proxy.ts';
import { expectNoGap, Follower } from './follower.ts';
import { connectTo, dumpFrom, endpointFor, factsOf, PATIENCE_MS } from './source-fixture.ts';

for (const flavour of DATABASE_FLAVOURS) {
  describeWithOwn([flavour], `a dump over a bad link from ${flavour}`, () => {
    let server: DatabaseServer;
    let facts: SourceFacts;
    let proxy: TcpProxy;
    let follower: Follower;

    const write = async (transactions: number, bytes = 100) => {
      for (let i = 0; i < transactions; i += 1)
        await server.db.query('INSERT INTO d.t (v) VALUES (REPEAT(?, ?))', ['x', bytes]);
    };
    const follow = async () => {
      await using connection = await connectTo(endpointFor(server));
      const { text } = await currentPosition(connection, facts);
      follower = new Follower(proxy.port, facts, text).start();
      await waitFor(() => follower.heartbeats > 0, { timeoutMs: PATIENCE_MS, what: 'the first heartbeat' });
    };

    beforeAll(async () => {
      server = await startDatabase(flavour);
      facts = await factsOf(endpointFor(server));
      proxy = await TcpProxy.start({
        target: { host: '127.0.0.1', port: server.port },
        framing: mysqlPackets,
      });
      await server.db.query('CREATE DATABASE d');
      await server.db.query('CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB) ENGINE=InnoDB');
    });
    afterEach(async () => {
      proxy.heal();
      await follower?.stop();
    });
    afterAll(async () => {
      await proxy.dispose();
      await server.dispose();
    });

    it('cut again and again while rows flow: nothing is missing, nothing comes twice', async () => {
      await follow();
      const writing = write(60, 20_000);
      for (let i = 0; i < 5; i += 1) {
        await follower.reaches(5 + i * 8);
        proxy.cut();
      }
      await writing;
      await follower.reaches(60);
      expect(follower.transactions.length).toBe(60);
      expectNoGap(follower.transactions);
      expect(follower.interruptions.length).toBeGreaterThan(0);
    });

    it('a link that goes silent is noticed and replaced', async () => {
      await follow();
      await write(3);
      await follower.reaches(3);
      proxy.lose();
      await write(3);
      await waitFor(() => follower.troubles.includes('HOLT_SOURCE_SILENT'), {
        timeoutMs: PATIENCE_MS,
        what: 'the silence to be noticed',
      });
      proxy.heal();
      // The old connection swallowed what it swallowed; a new one has all.
      await follower.reaches(6);
      expectNoGap(follower.transactions);
    });

    it('a frozen server is noticed, and followed on when it wakes', async () => {
      await follow();
      await write(2);
      await follower.reaches(2);
      await server.freeze();
      try {
        await waitFor(() => follower.troubles.includes('HOLT_SOURCE_SILENT'), {
          timeoutMs: PATIENCE_MS,
          what: 'the silence to be noticed',
        });
      } finally {
        await server.thaw();
      }
      await write(3);
      await follower.reaches(5);
      expectNoGap(follower.transactions);
    });

    it('a server that restarts is followed on', async () => {
      await follow();
      await write(2);
      await follower.reaches(2);
      await server.stop();
      await waitFor(() => follower.troubles.length > 2, {
        timeoutMs: PATIENCE_MS,
        what: 'the server to be missed',
      });
      await server.start();
      await write(2);
      await follower.reaches(4);
      expectNoGap(follower.transactions);
    });

    /** Row events with the text of these tests, on the newest connection: servers go on for a while on those that are closed. */
    const isRows = (packet: Packet) =>
      packet.direction === 'down' &&
      packet.connection === proxy.accepted - 1 &&
      packet.bytes.includes('xxxxxxxxxxxxxxxx');

    it('a byte changed on the way is refused, and comes right the next time', async () => {
      await follow();
      const hurt = new Set<number>();
      proxy.onPacket = (packet) => {
        if (isRows(packet) && hurt.size < 2 && !hurt.has(packet.connection)) {
          hurt.add(packet.connection);
          packet.bytes.write('y', packet.bytes.indexOf('xxxxxxxxxxxxxxxx') + 3);
        }
        return 'pass';
      };
      await write(4);
      await follower.reaches(4);
      expect(follower.troubles.filter((code) => code === 'HOLT_EVENT_CHECKSUM').length).toBe(2);
      expectNoGap(follower.transactions);
    });

    it('a packet lost on the way is noticed', async () => {
      await follow();
      let lost = 0;
      proxy.onPacket = (packet) => {
        if (!isRows(packet) || lost > 0) return 'pass';
        lost += 1;
        return 'drop';
      };
      await write(4);
      await follower.reaches(4);
      expect(lost).toBe(1);
      expect(follower.troubles).toContain('HOLT_SOURCE_PROTOCOL');
      expectNoGap(follower.transactions);
    });

    it('a consumer that stalls for longer than the write timeout of the server keeps its connection', async () => {
      await server.db.query('SET GLOBAL net_write_timeout = 1');
      await follow();
      const before = proxy.accepted;
      follower.stalled = true;
      // More than all buffers between hold.
      await write(40, 1_000_000);
      const passed = proxy.passed.down;
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      expect(proxy.passed.down - passed).toBeLessThan(12_000_000);
      expect(follower.dump.stream?.bufferedBytes ?? 0).toBeLessThan(6 * 1024 * 1024);
      follower.stalled = false;
      await follower.reaches(40);
      expect(proxy.accepted).toBe(before);
      expect(follower.troubles).toEqual([]);
      expectNoGap(follower.transactions);
    });

    it('thrown out by another of its id, it says so where the server does', async () => {
      await follow();
      await write(1);
      await follower.reaches(1);
      const start = filePosition(facts.identity, { file: 'binlog.000001', offset: 4 });
      const other = await dumpFrom(endpointFor(server), start, { serverId: follower.serverId });
      await waitFor(() => follower.troubles.length > 0, { timeoutMs: PATIENCE_MS, what: 'being thrown out' });
      await other.close();
      expect(follower.troubles[0]).toBe(
        flavour === 'mysql56' ? 'HOLT_SOURCE_LINK_LOST' : 'HOLT_SOURCE_SERVER_ID',
      );
    });

    it('does not throw out a replica that is not of Holt', async () => {
      await using stranger = await connectTo(endpointFor(server));
      const serverId = 77_000;
      await stranger.registerReplica({ serverId, host: 'old-replica' });
      const start = filePosition(facts.identity, { file: 'binlog.000001', offset: 4 });
      await expect(dumpFrom(endpointFor(server), start, { serverId })).rejects.toMatchObject({
        code: 'HOLT_SOURCE_SERVER_ID',
        message: expect.stringContaining('old-replica'),
      });
      await stranger.ping();
    });
  });
}
