/** What a schema change takes for now is what the source took for it, however late it comes and however often it is begun. */
import { expect, it } from 'vitest';
import { startDatabase } from '../../support/servers.ts';
import { describeDatabase, describeWithOwn } from '../../support/shared-servers.ts';
import { ddlBatch } from './ddl-fixture.ts';
import { type DdlCase, DdlTrial, killedAndFinished } from './ddl-kill-cases.ts';
import { kindOf, noSignal } from './load-fixture.ts';

const SESSION = { timestamp: 1_600_000_000, microseconds: 123_456, timeZone: '+02:00' };
const AT = '2020-09-13 12:26:40.123456';

const STAMPED: DdlCase = {
  name: 'ALTER that adds columns of now',
  before: (s, t) => [
    `CREATE TABLE \`${s}\`.\`${t}-n\` (id INT PRIMARY KEY)`,
    `INSERT INTO \`${s}\`.\`${t}-n\` VALUES (1)`,
  ],
  steps: (s, t) => [
    {
      kind: 'alter-table',
      sql: `ALTER TABLE \`${s}\`.\`${t}-n\` ADD COLUMN at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), ADD COLUMN d DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3)`,
      tables: [[s, `${t}-n`]],
      session: SESSION,
    },
    {
      kind: 'alter-table',
      sql: `ALTER TABLE \`${s}\`.\`${t}-n\` ADD COLUMN later TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP`,
      tables: [[s, `${t}-n`]],
    },
  ],
};

describeDatabase(['mysql', 'mysql56', 'mariadb'], 'the time of a schema change', (context) => {
  const columns = (name: string): Promise<string | null | undefined> =>
    context.db.value(
      `SELECT CONCAT_WS(' | ', CONVERT_TZ(at, @@session.time_zone, '+00:00'), d, later > '2021-01-01') FROM \`${context.schema}\`.\`${name}-n\``,
    );

  it('is the source’s, to the microsecond, and no longer than the statement', async () => {
    const trial = await DdlTrial.begin(context, STAMPED);
    await trial.finish();
    const { pipeline } = trial;
    // The zone is the session’s, too.
    expect(await columns(pipeline.name)).toBe(`${AT} | 2020-09-13 14:26:40.123 | 1`);
    const times = await context.db.query(
      'SELECT CAST(session_time AS CHAR) AS t FROM holt.ddl WHERE pipeline = ? ORDER BY id',
      [pipeline.name],
    );
    expect(times).toEqual([{ t: '1600000000.123456' }, { t: null }]);
    await trial.expectOnce();
  });

  for (const failpoint of ['ddl:executing', 'ddl:executed'])
    it(`is the same when the process is killed at ${failpoint} and another goes on`, async () => {
      const name = await killedAndFinished(context, STAMPED, failpoint);
      expect(await columns(name)).toBe(`${AT} | 2020-09-13 14:26:40.123 | 1`);
    });
});

describeDatabase(['mysql'], 'utf8mb4 without a collation', (context) => {
  it('has the collation that it has at the source', async () => {
    const make = (s: string, t: string, n: number) =>
      ({
        kind: 'create-table',
        sql: `CREATE TABLE \`${s}\`.\`${t}-u${n}\` (a VARCHAR(9)) CHARSET utf8mb4`,
        tables: [],
      }) as const;
    const one: DdlCase = {
      name: 'CREATE',
      steps: (s, t) => [
        { ...make(s, t, 1), server: { flavour: 'mariadb', version: 101_100 } },
        { ...make(s, t, 2), session: { defaultCollationForUtf8mb4: 45 } },
        { ...make(s, t, 3), session: { defaultCollationForUtf8mb4: 255 } },
        make(s, t, 4),
      ],
    };
    const trial = await DdlTrial.begin(context, one);
    await trial.finish();
    const collations = await context.db.query(
      'SELECT TABLE_COLLATION AS c FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME LIKE ? ORDER BY TABLE_NAME',
      [context.schema, `${trial.pipeline.name}-u%`],
    );
    expect(collations.map(({ c }) => c)).toEqual([
      'utf8mb4_general_ci',
      'utf8mb4_general_ci',
      'utf8mb4_0900_ai_ci',
      'utf8mb4_0900_ai_ci',
    ]);
  });
});

describeWithOwn(['mariadb'], 'a MariaDB that lets nobody set the time (secure_timestamp)', () => {
  it('does schema changes that do not ask for it, and refuses those that do', async () => {
    const server = await startDatabase('mariadb', { settings: { secure_timestamp: 'YES' } });
    try {
      const target = { db: server.db, schema: await server.db.freshSchema('secure') };
      const plain: DdlCase = {
        name: 'ALTER',
        ...(STAMPED.before === undefined ? {} : { before: STAMPED.before }),
        steps: (s, t) => [
          {
            kind: 'alter-table',
            sql: `ALTER TABLE \`${s}\`.\`${t}-n\` ADD COLUMN v INT`,
            tables: [[s, `${t}-n`]],
            session: SESSION,
          },
          ...STAMPED.steps(s, t).slice(0, 1),
        ],
      };
      const { pipeline, reign, steps } = await DdlTrial.begin(target, plain);
      const { run } = await pipeline.taken(reign);
      const [first, second] = steps;
      if (first === undefined || second === undefined) throw new Error('no steps');
      expect(kindOf(await run.load(ddlBatch(pipeline, reign, 1, first), noSignal))).toBe('applied');
      const stop = new AbortController();
      const outcome = run.load(ddlBatch(pipeline, reign, 2, second), stop.signal).catch(() => null);
      await expect
        .poll(
          () => JSON.stringify(pipeline.states, (_, one) => (typeof one === 'bigint' ? String(one) : one)),
          { timeout: 30_000 },
        )
        .toContain('blocked');
      stop.abort();
      await outcome;
      await run.close();
      const column = `SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '${target.schema}' AND TABLE_NAME LIKE '%-n' AND COLUMN_NAME IN ('v', 'at')`;
      expect(await server.db.value(column)).toBe('1');
    } finally {
      await server.dispose();
    }
  });
});
