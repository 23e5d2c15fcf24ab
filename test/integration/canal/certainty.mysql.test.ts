/**
 * What a server says of when a table was last altered, where the session that alters it has a time of its own, as Holt's has when it
 * carries a schema change from another site. Nobody who reads this server's log may be misled.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Certainty } from '../../../canal/schema/certainty.ts';
import { SchemaReader } from '../../../canal/schema/schema-reader.ts';
import { scanStatements } from '../../../canal/source/scan-statements.ts';
import { tableChangesOf } from '../../../stages/select/table-changes.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { engineOn, positionNow, sourceOf } from './engine-fixture.ts';

for (const flavour of DATABASE_FLAVOURS)
  describeWithOwn([flavour], `a table altered in a session with a time of its own (${flavour})`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await startDatabase(flavour);
    });
    afterAll(() => server?.dispose());

    /** As an engine judges, with as much of the log as given. */
    async function judge(schema: string, sql: string, maxBytes: number) {
      const { db } = server;
      await using host = await engineOn(db);
      const name = { schema, table: 't' };
      await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, a INT, b INT)`);
      const { at } = await positionNow(host.engine);
      if (at === null) throw new Error('no place');
      const place = { ...at, timestamp: Math.floor(Date.now() / 1000) };
      const connection = await db.connect({ schema });
      try {
        await connection.query('SET SESSION timestamp = 1600000000');
        await connection.query(sql);
      } finally {
        await connection.end();
      }
      await db.query(`INSERT INTO \`${schema}\`.t VALUES (1, 2, 3)`);
      const reader = new SchemaReader({
        query: async (text) =>
          (await db.query(text)).map((row) =>
            Object.values(row).map((one) => (one === null ? null : String(one))),
          ),
      });
      const facts = await reader.read(schema, 't');
      const end = (await positionNow(host.engine)).at;
      if (facts === null || end === null) throw new Error('no facts');
      const { source } = host.engine;
      const one = new Certainty({
        scan: (from, to) => scanStatements(sourceOf(db), from, to, maxBytes),
        changes: tableChangesOf({ ...source, versionNumber: [9, 0, 0] }),
        timeIsWitness: flavour !== 'mysql',
      });
      return { doubt: await one.doubt(name, facts, place, end), changedAt: facts.changedAt ?? 0 };
    }
    const SWAP =
      flavour === 'mysql56'
        ? 'ALTER TABLE t CHANGE a c INT, CHANGE b a INT'
        : 'ALTER TABLE t RENAME COLUMN a TO b, RENAME COLUMN b TO a';

    it('is not taken for unaltered where the log is looked through', async () => {
      const schema = await server.db.freshSchema('altered');
      const { doubt, changedAt } = await judge(schema, SWAP, 1e9);
      // What is measured of each kind of server, and what `timeIsWitness` rests on.
      expect(changedAt < 1_700_000_000).toBe(flavour === 'mysql');
      expect(doubt).toBe('changed');
    });

    it('nor where there is too much of it', async () => {
      const schema = await server.db.freshSchema('far');
      expect((await judge(schema, SWAP, 1)).doubt).toBe('too-far');
    });
  });
