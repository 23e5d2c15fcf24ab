import { describe, expect, it } from 'vitest';
import { withDeadline } from '../../lib/abort.ts';
import type { Database, DatabaseFlavour } from '../support/database.ts';
import { ServerUnavailable } from '../support/inventory.ts';
import { Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

const PAIRS: readonly (readonly [DatabaseFlavour, DatabaseFlavour])[] = [
  ['mariadb', 'mariadb'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
  ['mysql', 'mariadb'],
];

const FAILPOINTS = ['ddl:journaled', 'ddl:executing', 'ddl:executed', 'ddl:before-done', 'ddl:done'] as const;

/** For each step of the journal a table of its own, so that each statement is one that only fits once. */
function script(name: string): readonly string[] {
  return [
    `CREATE TABLE ${SCHEMA}.${name} (id INT PRIMARY KEY, v INT NULL)`,
    `INSERT INTO ${SCHEMA}.${name} VALUES (1, 1)`,
    `ALTER TABLE ${SCHEMA}.${name} ADD COLUMN extra VARCHAR(20) NULL`,
    `INSERT INTO ${SCHEMA}.${name} VALUES (2, 2, 'two')`,
    `ALTER TABLE ${SCHEMA}.${name} ADD INDEX (v)`,
    `TRUNCATE TABLE ${SCHEMA}.${name}`,
    `INSERT INTO ${SCHEMA}.${name} VALUES (3, 3, 'three')`,
    `CREATE TABLE ${SCHEMA}.${name}_b LIKE ${SCHEMA}.${name}`,
    `RENAME TABLE ${SCHEMA}.${name} TO ${SCHEMA}.${name}_x, ${SCHEMA}.${name}_b TO ${SCHEMA}.${name}, ${SCHEMA}.${name}_x TO ${SCHEMA}.${name}_b`,
    `INSERT INTO ${SCHEMA}.${name}_b VALUES (4, 4, 'four')`,
    // The row that is there gets the time of the statement at the source.
    `ALTER TABLE ${SCHEMA}.${name}_b ADD COLUMN at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), ADD COLUMN day DATETIME DEFAULT CURRENT_TIMESTAMP`,
    `DROP TABLE ${SCHEMA}.${name}`,
    `CREATE TABLE ${SCHEMA}.${name} (id INT PRIMARY KEY)`,
    `INSERT INTO ${SCHEMA}.${name} VALUES (5)`,
  ];
}
const STATEMENTS = script('t').filter((one) => !one.startsWith('INSERT')).length;

async function contentOf(db: Database, table: string): Promise<string> {
  const columns = await db.query<{ name: string; type: string }>(
    `SELECT COLUMN_NAME AS name, DATA_TYPE AS type FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = '${SCHEMA}' AND TABLE_NAME = '${table}' ORDER BY ORDINAL_POSITION`,
  );
  const indexes = await db.query<{ name: string; columns: string }>(
    `SELECT INDEX_NAME AS name, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) AS columns FROM information_schema.STATISTICS
     WHERE TABLE_SCHEMA = '${SCHEMA}' AND TABLE_NAME = '${table}' GROUP BY INDEX_NAME ORDER BY INDEX_NAME`,
  );
  const rows = await db.query(`SELECT * FROM ${SCHEMA}.${table} ORDER BY id`).catch(String);
  return JSON.stringify({ columns, indexes, rows });
}

describe('schema changes in a live stream, with kill -9 of the node that does them', () => {
  for (const [source, target] of PAIRS)
    it(`leave schema and rows equal: ${source} → ${target}`, async (context) => {
      let replication: Replication;
      try {
        replication = await Replication.create({
          source,
          target,
          // A backlog with schema changes in it: the log has to say which columns its rows have.
          sourceSettings: { binlog_row_metadata: 'FULL' },
          nodes: { 'east-1': 'east', 'west-1': 'west', 'west-2': 'west' },
        });
      } catch (error) {
        if (error instanceof ServerUnavailable) return context.skip(`SKIPPED: ${error.message}`);
        throw error;
      }
      await using run = replication;
      const { holt, writer, reader } = run;
      await holt.start(['east-1', 'west-1']);
      await run.reigning();
      writer.start();
      reader.start();
      await run.flows();
      for (const [index, failpoint] of FAILPOINTS.entries()) {
        const [victim, other] = [holt.node('west-1'), holt.node('west-2')];
        if (other.isRunning) await other.stop();
        if (victim.isRunning) await victim.stop();
        // Another statement each time: the counts of the journal go through all of them.
        const nth = 1 + ((index * 2) % STATEMENTS);
        await victim.start({ failpoints: `${failpoint}=kill@${nth}` });
        for (const statement of script(`t${index}`)) await run.source.db.query(statement);
        const end = await withDeadline(
          victim.process.ended,
          120_000,
          `the node to be killed at ${failpoint}`,
        ).catch(async (error: unknown) => {
          throw new Error(`${String(error)}; ${JSON.stringify(await run.status())}; ${victim.log(10)}`);
        });
        expect(end.signal).toBe('SIGKILL');
        await Promise.all([victim.start(), other.start()]);
        await run.flows();
      }
      await run.settle();
      for (const index of FAILPOINTS.keys())
        for (const table of [`t${index}`, `t${index}_b`])
          expect(await contentOf(run.target.db, table)).toBe(await contentOf(run.source.db, table));
      const states = await run.target.db.query<{ state: Buffer | string; n: number | string }>(
        "SELECT state, COUNT(*) AS n FROM holt.ddl WHERE state <> 'void' GROUP BY state",
      );
      expect(states.map(({ state, n }) => `${state.toString()} ${n}`)).toEqual([
        `done ${STATEMENTS * FAILPOINTS.length}`,
      ]);
    });
});

// Its log says neither names of columns nor GTIDs: rows are decoded by what the tables are, so each statement arrives before the next.
it('schema changes of a MySQL 5.6 arrive at the newest, session and all', async (context) => {
  let replication: Replication;
  try {
    replication = await Replication.create({
      source: 'mysql56',
      target: 'mysql',
      nodes: { 'east-1': 'east', 'west-1': 'west' },
    });
  } catch (error) {
    if (error instanceof ServerUnavailable) return context.skip(`SKIPPED: ${error.message}`);
    throw error;
  }
  await using run = replication;
  await run.holt.start();
  await run.reigning();
  run.writer.start();
  await run.flows();
  await run.writer.stop();
  const tables = ['old', 'old_b', 'quoted'];
  const all = (db: Database) => Promise.all(tables.map((table) => contentOf(db, table)));
  const connection = await run.source.db.connect({ schema: SCHEMA });
  try {
    for (const statement of [
      ...script('old'),
      // Without explicit_defaults_for_timestamp this column is NOT NULL and keeps itself up to date.
      'CREATE TABLE stamped (id INT PRIMARY KEY, at TIMESTAMP)',
      "SET SESSION sql_mode = 'ANSI_QUOTES'",
      'CREATE TABLE "quoted" ("id" INT PRIMARY KEY, "select" VARCHAR(10) DEFAULT \'x\')',
      'INSERT INTO "quoted" ("id") VALUES (1)',
    ]) {
      await connection.query(statement);
      const there = await all(run.source.db);
      await expect.poll(() => all(run.target.db), { timeout: 60_000, interval: 50 }).toEqual(there);
    }
  } finally {
    await connection.end();
  }
  await run.settle();
  const stamped = `SELECT CONCAT(IS_NULLABLE, ' ', UPPER(EXTRA)) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '${SCHEMA}' AND COLUMN_NAME = 'at' AND TABLE_NAME = 'stamped'`;
  expect(await run.target.db.value(stamped)).toMatch(/^NO .*ON UPDATE CURRENT_TIMESTAMP/);
});
