import { expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import type { LoadState } from '../../../stages/load/load-run.ts';
import { TargetLinkError } from '../../../stages/load/target/target-connection.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { kindOf, noSignal, Pipeline, SqlApplier, type SqlBatch } from './load-fixture.ts';
import { dataSourceOf } from './target-fixture.ts';

/** An account that a read-only server and a missing grant stop. */
async function plainAccount(server: DatabaseServer, schema: string) {
  await server.db.query("CREATE USER 'plain'@'%' IDENTIFIED BY 'plain'");
  await server.db.query("GRANT SELECT, INSERT, UPDATE, DELETE ON holt.* TO 'plain'@'%'");
  await server.db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON \`${schema}\`.* TO 'plain'@'%'`);
  return dataSourceOf({ ...server.db.endpoint, user: 'plain', password: 'plain' });
}

/** Waits until the run says that it is stopped by an error with this code. */
function blockedBy(states: readonly LoadState[], code: string): Promise<unknown> {
  return waitFor(() => states.find((state) => state.kind === 'blocked' && state.error.code === code), {
    timeoutMs: 20_000,
    what: `blocked by ${code}`,
  });
}

for (const flavour of ['mariadb', 'mysql'] as const)
  describeWithOwn([flavour], `a target in trouble (${flavour})`, () => {
    it('is waited for, shown by its code, and the batch is applied once when the trouble is gone', async () => {
      await using server = await startDatabase(flavour);
      const schema = await server.db.freshSchema('trouble');
      const pipeline = await Pipeline.on({ db: server.db, schema });
      const target = await plainAccount(server, schema);
      const reign = await pipeline.reign(pipeline.raiser({ target }));
      class PatientApplier extends SqlApplier {
        prepared = 0;
        last: SqlBatch | null = null;
        override async prepare(): Promise<SqlBatch> {
          this.prepared++;
          if (this.last === null) throw new Error('nothing to prepare');
          return this.last;
        }
      }
      const applier = new PatientApplier();
      const { run } = await pipeline.taken(reign, { target, applier });
      let seq = 0;
      const during = async (code: string, begin: string[], end: string[]) => {
        seq++;
        pipeline.states.length = 0;
        for (const sql of begin) await server.db.query(sql);
        applier.last = pipeline.batch(reign, seq);
        const loading = run.load(applier.last, noSignal);
        await blockedBy(pipeline.states, code);
        for (const sql of end) await server.db.query(sql);
        expect(kindOf(await loading)).toBe('applied');
        expect(await pipeline.values()).toEqual([seq, 0]);
      };
      await during('HOLT_TARGET_READ_ONLY', ['SET GLOBAL read_only = 1'], ['SET GLOBAL read_only = 0']);
      await during(
        'HOLT_TARGET_ACCESS_DENIED',
        [`REVOKE UPDATE ON \`${schema}\`.* FROM 'plain'@'%'`],
        [`GRANT UPDATE ON \`${schema}\`.* TO 'plain'@'%'`],
      );
      const [, name] = pipeline.table.split('.');
      await during(
        'HOLT_TARGET_TABLE',
        [`RENAME TABLE ${pipeline.table} TO \`${schema}\`.away`],
        [`RENAME TABLE \`${schema}\`.away TO \`${schema}\`.${name}`],
      );
      expect(applier.prepared).toBeGreaterThan(0);

      // The server crashes with the batch open.
      seq++;
      applier.before = async () => {
        applier.before = () => {};
        await server.kill();
      };
      pipeline.states.length = 0;
      const loading = run.load(pipeline.batch(reign, seq), noSignal);
      await blockedBy(pipeline.states, 'HOLT_TARGET_UNREACHABLE');
      await server.start();
      expect(kindOf(await loading)).toBe('applied');
      expect(await pipeline.values()).toEqual([seq, 0]);
      expect(await pipeline.seq()).toBe(seq);
      await run.close();
    });

    it('that closes the connection again and again gets the batch prepared anew', async () => {
      await using server = await startDatabase(flavour);
      const schema = await server.db.freshSchema('smaller');
      const pipeline = await Pipeline.on({ db: server.db, schema });
      const reign = await pipeline.reign();
      const batch = pipeline.batch(reign, 1);
      class Anew extends SqlApplier {
        prepared = 0;
        override async prepare(): Promise<SqlBatch> {
          this.prepared++;
          return batch;
        }
      }
      const applier = new Anew();
      // What a server does with a statement larger than it takes.
      applier.before = () => {
        if (applier.prepared === 0) throw new TargetLinkError('west-db', 'read ECONNRESET');
      };
      const { run } = await pipeline.taken(reign, { applier });
      expect(kindOf(await run.load(batch, noSignal))).toBe('applied');
      expect(applier.prepared).toBe(1);
      expect(await pipeline.values()).toEqual([1, 0]);
      await run.close();
    });

    it('that is frozen and goes on later has applied the batch once', async () => {
      await using server = await startDatabase(flavour);
      const schema = await server.db.freshSchema('frozen');
      const pipeline = await Pipeline.on({ db: server.db, schema });
      const reign = await pipeline.reign();
      const target = dataSourceOf(server.db, { connectTimeoutMs: 300 });
      const { run, applier } = await pipeline.taken(reign, { target, tickMs: 100 });
      applier.before = () => {
        applier.before = () => {};
        server.freeze();
        setTimeout(() => server.thaw(), 2500);
      };
      expect(kindOf(await run.load(pipeline.batch(reign, 1), noSignal))).toBe('applied');
      expect(kindOf(await run.load(pipeline.batch(reign, 2), noSignal))).toBe('applied');
      expect(await pipeline.values()).toEqual([2, 0]);
      await run.close();
    });

    it('that rolls a large transaction back is waited for, and says so', async () => {
      await using server = await startDatabase(flavour);
      const schema = await server.db.freshSchema('rollback');
      const pipeline = await Pipeline.on({ db: server.db, schema });
      await server.db.query(
        `CREATE TABLE \`${schema}\`.big (id INT AUTO_INCREMENT PRIMARY KEY, v CHAR(200) NOT NULL, KEY (v)) ENGINE=InnoDB`,
      );
      const old = await pipeline.reign();
      const late = await pipeline.taken(old);
      let inside = () => {};
      const reached = new Promise<void>((resolve) => {
        inside = resolve;
      });
      let release = () => {};
      const hanging = new Promise<void>((resolve) => {
        release = resolve;
      });
      const double = `INSERT INTO \`${schema}\`.big (v) SELECT UUID() FROM \`${schema}\`.big`;
      const sql = [
        `INSERT INTO \`${schema}\`.big (v) VALUES ('a'), ('b'), ('c')`,
        ...Array.from({ length: 16 }, () => double),
        'DO 1',
      ];
      late.applier.before = (statement) => {
        if (statement !== 'DO 1') return;
        inside();
        return hanging;
      };
      const loading = late.run.load(pipeline.batch(old, 1, { sql }), noSignal);
      await reached;
      const waits: string[] = [];
      const now = await pipeline.reign(pipeline.raiser({ onState: ({ kind }) => waits.push(kind) }));
      // However long it took: nothing is left of it once the raise is done.
      expect(await server.db.value(`SELECT COUNT(*) FROM \`${schema}\`.big`)).toBe('0');
      expect(now.seq).toBe(0n);
      expect(waits.filter((kind) => kind === 'waiting-for-rollback').length).toBeGreaterThan(0);
      release();
      expect(kindOf(await loading)).toBe('superseded');
      await late.run.close();
    });
  });
