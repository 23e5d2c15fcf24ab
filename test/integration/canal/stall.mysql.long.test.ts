import { expect, it } from 'vitest';
import { currentPosition } from '../../../canal/source/current-position.ts';
import { waitFor } from '../../../lib/abort.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { expectNoGap, Follower } from './follower.ts';
import { connectTo, endpointFor, factsOf, PATIENCE_MS } from './source-fixture.ts';

const STALL_MS = 90_000;

for (const flavour of DATABASE_FLAVOURS) {
  describeWithOwn([flavour], `a consumer of ${flavour} that takes nothing for 90 s`, () => {
    it.concurrent.each(['holds', 'is cut'] as const)(
      'goes on without a gap when the link %s',
      async (fate) => {
        await using server = await startDatabase(flavour, { settings: { net_write_timeout: 1 } });
        await using proxy = await TcpProxy.start({ target: { host: '127.0.0.1', port: server.port } });
        await server.db.query('CREATE DATABASE d');
        await server.db.query(
          'CREATE TABLE d.t (id INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB) ENGINE=InnoDB',
        );
        const facts = await factsOf(endpointFor(server));
        const connection = await connectTo(endpointFor(server));
        const { text } = await currentPosition(connection, facts);
        await connection.close();
        const follower = new Follower(proxy.port, facts, text).start();
        await waitFor(() => follower.heartbeats > 0, { timeoutMs: PATIENCE_MS, what: 'the first heartbeat' });
        follower.stalled = true;
        const before = proxy.accepted;
        const start = performance.now();
        // More than all buffers between hold, and a little more at every moment of the stall.
        const writeOne = (bytes: number) =>
          server.db.query('INSERT INTO d.t (v) VALUES (REPEAT(?, ?))', ['x', bytes]);
        let written = 0;
        for (; written < 40; written += 1) await writeOne(1_000_000);
        while (performance.now() - start < STALL_MS) {
          await writeOne(50_000);
          written += 1;
          if (fate === 'is cut' && performance.now() - start > STALL_MS / 2) proxy.cut();
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
        follower.stalled = false;
        await follower.reaches(written);
        expect(follower.transactions.length).toBe(written);
        expectNoGap(follower.transactions);
        if (fate === 'holds') {
          expect(follower.troubles).toEqual([]);
          expect(proxy.accepted).toBe(before);
        } else expect(follower.troubles).toContain('HOLT_SOURCE_LINK_LOST');
        await follower.stop();
      },
    );
  });
}
