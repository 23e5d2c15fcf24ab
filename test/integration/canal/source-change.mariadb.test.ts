import { expect, it } from 'vitest';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import {
  engineOn,
  inSchema,
  killDumps,
  positionNow,
  readUntilMarker,
  sourceOf,
  writeMarker,
} from './engine-fixture.ts';

describeWithOwn(['mariadb'], 'an address that leads to another server', () => {
  it('ends all readers with a rewind, and the engine knows the new server from then on', async () => {
    await using east = await startDatabase('mariadb');
    await using west = await startDatabase('mariadb');
    let { port } = east.db;
    const source = {
      ...sourceOf(east.db),
      get port() {
        return port;
      },
    };
    await using host = await engineOn(east.db, { source });
    const { engine } = host;
    const before = engine.source.identity;
    const start = await positionNow(engine);
    const schema = await east.db.freshSchema('moved');
    const one = await engine.openReader({ name: 'one', start, wants: inSchema(schema) });
    const two = await engine.openReader({ name: 'two', start, wants: inSchema(schema) });
    await writeMarker(east.db, schema, 1);
    await readUntilMarker(one, 1);

    ({ port } = west.db);
    await killDumps(east.db);
    const changed = { code: 'HOLT_SOURCE_CHANGED', disposition: 'rewind' };
    const signal = AbortSignal.timeout(30_000);
    await expect(one.next(signal)).rejects.toMatchObject(changed);
    // What the other has not read yet is still good.
    await readUntilMarker(two, 1);
    await expect(two.next(signal)).rejects.toMatchObject(changed);
    await Promise.all([one.close(), two.close()]);

    expect(engine.source.identity).not.toBe(before);
    const schemaThere = await west.db.freshSchema('moved');
    const again = await engine.openReader({
      name: 'again',
      start: await positionNow(engine),
      wants: inSchema(schemaThere),
    });
    await writeMarker(west.db, schemaThere, 1);
    await readUntilMarker(again, 1);
  });
});
