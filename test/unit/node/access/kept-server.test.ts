import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { waitFor } from '../../../../lib/abort.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import { Accounts } from '../../../../node/access/accounts.ts';
import { keptServer } from '../../../../node/access/kept-server.ts';
import { embeddedTree } from '../../../../scheduler/tree/embedded/embedded-tree.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holt-kept-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The accounts of one process that coordinates itself, from its start to its end. */
async function during<T>(work: (accounts: Accounts) => Promise<T>): Promise<T> {
  const tree = embeddedTree({ server: keptServer({ dataDir: join(folder, 'data'), log: silentLogger }) });
  const running = tree.run();
  await tree.whenConnected();
  try {
    return await work(
      new Accounts({
        ...{ tree, key: Buffer.alloc(32, 1), node: 'local', clock: systemClock, log: silentLogger },
        api: { auth: true, token: null, sessionMs: 60_000 },
        passwordCost: { n: 1024, r: 8, p: 1 },
      }),
    );
  } finally {
    await tree.stop();
    await running;
  }
}

describe('the accounts of a single process', () => {
  test('are there again after a restart, in a file that nobody else reads', async () => {
    const file = join(folder, 'data', 'access.json');
    await during(async (accounts) => {
      expect(await accounts.offerSetup()).not.toBeNull();
      await accounts.createUser(
        { name: 'ann', role: 'admin', pipelines: null, password: 'Correct-Horse-9' },
        'test',
      );
      await waitFor(() => statSync(file, { throwIfNoEntry: false }) !== undefined, {
        timeoutMs: 30_000,
        what: 'the file',
      });
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await during(async (accounts) => {
      expect(await accounts.offerSetup()).toBeNull();
      expect((await accounts.login('ann', 'Correct-Horse-9', 'here')).principal).toMatchObject({
        name: 'ann',
      });
    });
  });

  test('do not seem to be gone when their file is damaged: the process does not start', async () => {
    await during(async (accounts) => {
      await accounts.createUser(
        { name: 'ann', role: 'admin', pipelines: null, password: 'Correct-Horse-9' },
        'test',
      );
      await systemClock.sleep(0);
    });
    writeFileSync(join(folder, 'data', 'access.json'), '{"version":1,"nodes":');
    await expect(during(() => Promise.resolve())).rejects.toMatchObject({ code: 'HOLT_DATA_DIR' });
  });
});
