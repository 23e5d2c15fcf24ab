import { it } from 'vitest';
import { withServer } from '../../support/servers.ts';
import { describeDatabase, describeWithOwn } from '../../support/shared-servers.ts';
import { CASES, FAILPOINTS, frozenAndWoken, killedAndFinished, type Target } from './ddl-kill-cases.ts';

async function killEverywhere(target: Target, name: string): Promise<void> {
  const one = CASES.find((candidate) => candidate.name === name);
  if (one === undefined) throw new Error(`there is no case ${name}`);
  const statements = one.steps('s', 't').length;
  for (let nth = 1; nth <= statements; nth++)
    for (const failpoint of FAILPOINTS) await killedAndFinished(target, one, failpoint, nth);
}

describeDatabase(['mariadb', 'mysql'], 'a schema change whose process ends in the middle', (context) => {
  for (const { name } of CASES)
    it(`${name}: killed at each step of the journal, it is done once`, () => killEverywhere(context, name));

  for (const one of CASES)
    it(`${one.name}: frozen at each step, and woken after another has taken over, it is done once`, async () => {
      for (const failpoint of FAILPOINTS.slice(0, -1)) await frozenAndWoken(context, one, failpoint);
    });
});

describeWithOwn(['mysql'], 'a schema change at a MySQL without GTIDs', () => {
  it('is settled by the log, wherever its process was killed', async () => {
    const settings = { gtid_mode: 'OFF', enforce_gtid_consistency: 'OFF' };
    await withServer('mysql', { settings }, async (server) => {
      const target = { db: server.db, schema: await server.db.freshSchema('ddl') };
      for (const { name } of CASES) await killEverywhere(target, name);
    });
  });
});
