import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { ApiClient } from '../../node/api/client.ts';
import { compareSchemas } from '../support/compare-schemas.ts';
import { freePort } from '../support/free-port.ts';
import { repositoryRoot } from '../support/inventory.ts';
import { KeptProcess, temporaryFolder } from '../support/kept-process.ts';
import { startDatabase } from '../support/servers.ts';
import { createShop, SCHEMA, ShopWriter, TABLES } from '../support/shop.ts';

describe('holt run', () => {
  it('needs two databases and nothing else; goes on from the checkpoint after kill -9; stops cleanly', async () => {
    await using east = await startDatabase('mariadb');
    await using west = await startDatabase('mariadb');
    for (const { db } of [east, west]) await createShop(db, { sites: ['east'] });
    const folder = await temporaryFolder('run');
    // The example of the README, with these servers' ports and accounts.
    const example = readFileSync(join(repositoryRoot(), 'conf/examples/quick.yaml'), 'utf8')
      .replace('port: 3306, user: holt', `port: ${east.port}, user: root`)
      .replace('port: 3307, user: holt', `port: ${west.port}, user: root`)
      .replace('  dataSources:', '  api: { token: "${env:HOLT_API_TOKEN}" }\n  dataSources:');
    const token = 'a-token-of-twenty-four-characters-and-more';
    const config = join(folder, 'quick.yaml');
    writeFileSync(config, example);
    const listen = `127.0.0.1:${await freePort()}`;
    const start = () =>
      KeptProcess.start({
        command: [
          process.execPath,
          join(repositoryRoot(), 'bin/holt.mjs'),
          'run',
          '-c',
          config,
          '--listen',
          listen,
        ],
        cwd: folder,
        env: { EAST_PASSWORD: east.db.password, WEST_PASSWORD: west.db.password, HOLT_API_TOKEN: token },
        logFile: join(folder, 'run.log'),
      });
    const api = new ApiClient({ server: `http://${listen}`, timeoutMs: 5_000, token });
    const idle = () =>
      waitFor(async () => (await api.pipeline('east-west').catch(() => null))?.state === 'idle', {
        timeoutMs: 60_000,
        pollMs: 100,
        what: 'the pipeline to be idle',
      });

    const first = await start();
    await idle();
    const writer = new ShopWriter({ db: east.db, site: 'east', index: 0, count: 1, rate: 100 });
    writer.start();
    await waitFor(async () => Number((await api.position('east-west')).seq) > 10, {
      timeoutMs: 60_000,
      pollMs: 50,
      what: 'rows to flow',
    });
    await first.kill();
    const second = await start();
    await waitFor(async () => Number((await api.position('east-west').catch(() => null))?.epoch) > 1, {
      timeoutMs: 60_000,
      pollMs: 50,
      what: 'the next reign',
    });
    await writer.stop();
    await idle();
    expect(
      await waitFor(
        async () => (await compareSchemas(east.db, west.db, SCHEMA, TABLES)).differences.length === 0,
        { timeoutMs: 30_000, pollMs: 500, what: 'both to be equal' },
      ),
    ).toBe(true);
    const check = await api.startVerify('east-west');
    await waitFor(async () => (await api.verify('east-west', check.id)).state === 'equal', {
      timeoutMs: 60_000,
      pollMs: 100,
      what: 'verify to find both equal',
    });
    expect(await second.stop(30_000)).toEqual({ code: 0, signal: null });
  });
});
