/** gh-ost and pt-online-schema-change on a table that is being written to, with Holt behind: one ALTER at the target. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Connection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import type { Database } from '../support/database.ts';
import { programOf } from '../support/inventory.ts';
import { Replication } from '../support/replication.ts';
import { describeWithOwn } from '../support/shared-servers.ts';
import { SCHEMA } from '../support/shop.ts';

async function replication(): Promise<Replication> {
  const run = await Replication.create({
    source: 'mariadb',
    target: 'mariadb',
    nodes: { 'east-1': 'east', 'west-1': 'west' },
    rate: 50,
    // Rows older than the exchange are read with the columns they had.
    sourceSettings: { binlog_row_metadata: 'FULL' },
  });
  await run.holt.start();
  await run.reigning();
  run.writer.start();
  await flows(run);
  return run;
}

/** Until more has been applied; says what stands in the way. */
async function flows(run: Replication): Promise<void> {
  await run.flows().catch(async (error: unknown) => {
    throw new Error(`nothing flows: ${JSON.stringify(await run.status())}`, { cause: error });
  });
}

async function definition(db: Database, table: string): Promise<string> {
  const [row] = await db.query<Record<string, string>>(`SHOW CREATE TABLE ${SCHEMA}.${table}`);
  return (Object.values(row ?? {})[1] ?? '').replace(/ AUTO_INCREMENT=\d+/, '');
}

/** Statements that changed something at the target, as they were sent. */
async function done(db: Database): Promise<readonly string[]> {
  const rows = await db.query<{ mapped: Buffer | string; kind: Buffer | string }>(
    "SELECT mapped, kind FROM holt.ddl WHERE state = 'done' ORDER BY id",
  );
  return rows.filter(({ kind }) => kind.toString() !== 'drop-table').map(({ mapped }) => mapped.toString());
}

async function tablesOf(db: Database): Promise<readonly string[]> {
  const rows = await db.query<{ name: string }>(
    'SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY 1',
    [SCHEMA],
  );
  return rows.map(({ name }) => name);
}

/**
 * What gh-ost sends, in its order and words (https://github.com/github/gh-ost, go/logic/applier.go). It follows the log to keep its copy up
 * to date; here the copy is made again under the locks of the exchange, which leaves the same in the log: rows of the ghost.
 */
class GhostRun {
  readonly #db: Database;
  readonly #table: string;

  constructor(db: Database, table: string) {
    this.#db = db;
    this.#table = table;
  }

  async prepare(alter: string): Promise<void> {
    const { ghost, changelog } = this.#names;
    await this.#db.query(`drop /* gh-ost */ table if exists ${ghost}`);
    await this.#db.query(`drop /* gh-ost */ table if exists ${changelog}`);
    await this.#db.query(`create /* gh-ost */ table ${changelog} (
			id bigint auto_increment,
			last_update timestamp not null DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
			hint varchar(64) charset ascii not null,
			value varchar(4096) charset ascii not null,
			primary key(id),
			unique key hint_uidx(hint)
		) auto_increment=256`);
    await this.#db.query(`create /* gh-ost */ table ${ghost} like ${this.#names.table}`);
    await this.#db.query(`alter /* gh-ost */ table ${ghost} ${alter}`);
    await this.#say('GhostTableMigrated');
  }

  async copy(columns: string): Promise<void> {
    const { table, ghost } = this.#names;
    await this.#db.query(
      `insert /* gh-ost ${table} */ ignore into ${ghost} (${columns}) (select ${columns} from ${table} limit 500)`,
    );
    await this.#say('copy 500/1000');
  }

  /**
   * The atomic exchange: one connection holds the lock, another waits with the RENAME, which goes before every waiting change. What gh-ost
   * does to keep others from making the old table in between (a sentry under that lock) shows in the log as its creation and its drop.
   */
  async exchange(columns: string): Promise<void> {
    const { table, ghost, old } = this.#names;
    await this.#db.query(
      `create /* gh-ost */ table ${old} (id int auto_increment primary key) engine=InnoDB comment='ghost-cut-over-sentry'`,
    );
    await this.#db.query(`drop /* gh-ost */ table if exists ${old}`);
    const holder = await this.#db.connect();
    const renamer = await this.#db.connect();
    try {
      await holder.query(`lock /* gh-ost */ tables ${table} write`);
      const [rows] = await holder.query({ sql: `select ${columns} from ${table}`, rowsAsArray: true });
      await this.#db.query(`delete from ${ghost}`);
      await this.#db.query(`insert into ${ghost} (${columns}) values ?`, [rows]);
      const renamed = renamer.query(`rename /* gh-ost */ table ${table} to ${old}, ${ghost} to ${table}`);
      renamed.catch(() => {});
      await this.#waitsForLock(renamer);
      await holder.query('unlock tables');
      await renamed;
    } finally {
      await Promise.all([holder.end(), renamer.end()]);
    }
    await this.#db.query(`drop /* gh-ost */ table if exists ${this.#names.changelog}`);
    await this.#db.query(`drop /* gh-ost */ table if exists ${old}`);
  }

  get #names() {
    const named = (suffix: string) => `\`${SCHEMA}\`.\`_${this.#table}_${suffix}\``;
    return {
      table: `\`${SCHEMA}\`.\`${this.#table}\``,
      ghost: named('gho'),
      changelog: named('ghc'),
      old: named('del'),
    };
  }

  async #say(value: string): Promise<void> {
    await this.#db.query(
      `insert /* gh-ost */ into ${this.#names.changelog} (id, hint, value) values (NULLIF(?, 0), ?, ?)
       on duplicate key update last_update=NOW(), value=VALUES(value)`,
      [2, 'state', value],
    );
  }

  async #waitsForLock(connection: Connection): Promise<void> {
    await waitFor(
      async () =>
        (await this.#db.value(
          'SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID = ? AND STATE LIKE ?',
          [connection.threadId, '%metadata lock%'],
        )) === '1',
      { timeoutMs: 30_000, pollMs: 20, what: 'the RENAME to wait' },
    );
  }
}

describe('online schema changes', () => {
  it('of gh-ost become one ALTER, also when every node is killed in the midst of the run', async () => {
    await using run = await replication();
    const { source, target, holt } = run;
    const columns = '`id`, `owner`, `balance`, `changed`, `site`';
    const given = new GhostRun(source.db, 'accounts');
    // A run that is given up leaves nothing.
    await given.prepare('add column never int');
    await given.copy(columns);
    await source.db.query(
      `drop /* gh-ost */ table if exists ${SCHEMA}._accounts_gho, ${SCHEMA}._accounts_ghc`,
    );

    const ghost = new GhostRun(source.db, 'accounts');
    await ghost.prepare(
      "add column channel varchar(10) not null default 'web', modify owner varchar(80) not null, add key (changed)",
    );
    await ghost.copy(columns);
    // The checkpoint is behind the ALTER: nobody will read it again.
    await waitFor(
      async () =>
        (await target.db.value('SELECT CAST(online_changes AS CHAR) FROM holt.select_state'))?.includes(
          '"alters":[{',
        ) === true,
      { timeoutMs: 120_000, pollMs: 50, what: 'the ALTER of the ghost to be kept at the target' },
    );
    await flows(run);
    for (const name of ['east-1', 'west-1']) await holt.node(name).kill();
    await ghost.copy(columns);
    await holt.start();
    await flows(run);
    await ghost.exchange(columns);
    await flows(run);
    await run.settle();

    expect(await definition(target.db, 'accounts')).toBe(await definition(source.db, 'accounts'));
    expect(await definition(target.db, 'accounts')).toContain('`channel`');
    expect(await done(target.db)).toEqual([
      expect.stringMatching(/^alter \/\* gh-ost \*\/ table `shop`.`accounts` add column channel/),
    ]);
    expect(await tablesOf(target.db)).toEqual(await tablesOf(source.db));
    expect(await target.db.value('SELECT COUNT(*) FROM holt.select_state')).toBe('0');
  });
});

describeWithOwn(['percona-toolkit'], 'online schema changes', () => {
  it('of pt-online-schema-change become one ALTER', async () => {
    await using run = await replication();
    const { source, target } = run;
    const program = await programOf('percona-toolkit');
    const [command = '', ...args] = program.command;
    const { host, port, user, password } = source.db;
    await promisify(execFile)(
      command,
      [
        ...args,
        ...['--alter', 'MODIFY article VARCHAR(64) NOT NULL, ADD KEY (site)'],
        ...['--execute', '--recursion-method=none', '--no-check-replication-filters', '--no-version-check'],
        ...['--chunk-size', '50', '--set-vars', 'lock_wait_timeout=30', '--statistics'],
        `h=${host},P=${port},u=${user},p=${password},D=${SCHEMA},t=order_items`,
      ],
      { env: { ...process.env, ...program.env }, timeout: 120_000 },
    );
    await flows(run);
    await run.settle();

    expect(await definition(target.db, 'order_items')).toBe(await definition(source.db, 'order_items'));
    expect(await definition(target.db, 'order_items')).toContain('varchar(64)');
    expect(await done(target.db)).toEqual([
      expect.stringMatching(/^ALTER TABLE `shop`.`order_items` MODIFY article/),
    ]);
    expect(await tablesOf(target.db)).toEqual(await tablesOf(source.db));
    expect(await target.db.value('SELECT COUNT(*) FROM holt.select_state')).toBe('0');
  });
});
