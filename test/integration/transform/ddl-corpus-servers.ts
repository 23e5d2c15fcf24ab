import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlServer } from '../../../model/ddl-kind.ts';
import { DDL_CORPUS } from '../../cases/ddl/corpus.ts';
import type { DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { CorpusRunner } from './ddl-corpus.ts';

/** The corpus on a server of its own: each statement that the flavour takes, group by group. */
export function describeCorpus(flavour: Extract<DatabaseFlavour, 'mariadb' | 'mysql'>): void {
  let server: DatabaseServer;
  let runner: CorpusRunner;

  beforeAll(async () => {
    server = await startDatabase(flavour);
    const [major = 0, minor = 0, patch = 0] = ((await server.db.value('SELECT VERSION()')) ?? '')
      .split(/[.-]/)
      .map(Number);
    const kind: SqlServer = { flavour, version: major * 10_000 + minor * 100 + patch };
    runner = new CorpusRunner(server.db, kind);
  });

  afterAll(async () => {
    await server?.dispose();
  });

  describe.each(Object.entries(DDL_CORPUS))('%s', (_, cases) => {
    const here = cases.filter(
      (one) => 'kind' in one.reading && (one.servers === 'both' || one.servers === flavour),
    );
    it('is at the target what it is at the source, statement by statement', {
      timeout: 600_000,
    }, async () => {
      const problems: string[] = [];
      for (const one of here) {
        const { refusal, differences } = await runner.try(one);
        if (refusal !== null) problems.push(`${one.sql}\n  the server refuses it: ${refusal}`);
        for (const difference of differences) problems.push(`${one.sql}\n  ${difference}`);
      }
      expect(problems.join('\n\n')).toBe('');
    });
  });
}
