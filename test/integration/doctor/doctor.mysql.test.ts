import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataSourceConfig, HoltConfig, PipelineConfig } from '../../../model/config.ts';
import { grantStatements } from '../../../node/cli/grants.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { freePort } from '../../support/free-port.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { type Account, diagnose, troubles } from './doctor-fixture.ts';

const PASSWORD = 'Never-To-Be-Shown-7';

for (const flavour of ['mariadb', 'mysql', 'mysql56'] as const)
  describeWithOwn([flavour], `holt doctor on ${flavour}`, () => {
    let source: DatabaseServer;
    let target: DatabaseServer;
    const at = (server: DatabaseServer, password = PASSWORD): Account => ({
      host: '127.0.0.1',
      port: server.port,
      user: 'holt',
      password,
    });
    const both = () => ({ source: at(source), target: at(target) });

    beforeAll(async () => {
      [source, target] = await Promise.all([startDatabase(flavour), startDatabase(flavour)]);
      for (const server of [source, target]) {
        await server.db.query('CREATE DATABASE shop; CREATE DATABASE other');
        for (const name of SOUND) await server.db.query(`CREATE TABLE shop.${name} ${COLUMNS}`);
        await createAccount(server);
      }
      await grant(source, 'east-db');
      await grant(target, 'west-db');
    });
    afterAll(async () => {
      await Promise.all([source?.dispose(), target?.dispose()]);
    });

    it('finds nothing wrong where everything is right, with the grants that `grants print` gives', async () => {
      const found = await diagnose(both());
      expect(troubles(found).filter((one) => !one.includes('HOLT_SOURCE_SETTING'))).toEqual([]);
      expect(found.exitCode).toBe(0);
      expect(found.printed).toContain(`${SOUND.length} of ${SOUND.length} tables fit the target`);
      expect(found.printed).not.toContain(PASSWORD);
    });

    it('leaves nothing behind at either server', async () => {
      for (const server of [source, target]) {
        const before = await schemasOf(server);
        await diagnose(both());
        expect(await schemasOf(server)).toEqual(before);
        expect(before).not.toContain('holt');
      }
    });

    describe('with planted problems in the tables', () => {
      beforeAll(async () => {
        for (const name of Object.keys(PLANTED)) {
          await source.db.query(`CREATE TABLE shop.${name} ${COLUMNS}`);
          for (const sql of PLANTED[name] ?? []) await target.db.query(sql);
        }
        await source.db.query('CREATE TABLE shop.keyless (a INT, b INT)');
        await target.db.query('CREATE TABLE shop.keyless (a INT, b INT)');
      });
      afterAll(async () => {
        for (const server of [source, target])
          for (const name of [...Object.keys(PLANTED), 'keyless'])
            await server.db.query(`DROP TABLE IF EXISTS shop.${name}`);
      });

      it('names each by its code and table', async () => {
        const found = await diagnose(both());
        const tables = troubles(found).filter((one) => one.includes(' shop.'));
        expect(tables.toSorted()).toEqual(
          [
            'error HOLT_TARGET_TRIGGER shop.triggered of pipeline p',
            'error HOLT_TARGET_ENGINE shop.myisam of pipeline p',
            'error HOLT_TARGET_TABLE_MISSING shop.missing of pipeline p',
            'error HOLT_TARGET_COLUMN_MISSING shop.narrow of pipeline p',
            'error HOLT_TARGET_COLUMN_TYPE shop.misfit of pipeline p',
            'error HOLT_TARGET_COLUMN_UNFILLED shop.unfilled of pipeline p',
            'warn HOLT_TARGET_KEY_MISSING shop.nokey of pipeline p',
            'warn HOLT_TABLE_WITHOUT_KEY shop.keyless of pipeline p',
            'error HOLT_TARGET_ENGINE shop.several of pipeline p',
            'error HOLT_TARGET_TRIGGER shop.several of pipeline p',
            'error HOLT_TARGET_COLUMN_MISSING shop.several of pipeline p',
            'error HOLT_TARGET_COLUMN_TYPE shop.several of pipeline p',
          ].toSorted(),
        );
        expect(found.exitCode).toBe(8);
        expect(found.printed).toContain('further unique keys at the target (second)');
        for (const one of found.findings)
          if (one.level !== 'ok') expect(one.remedy, one.message).toMatch(/\S{3,}/);
      });
    });

    it('tells patterns, rules, filters and processors that cannot work', async () => {
      const found = await diagnose({
        ...both(),
        pipeline: {
          tables: ['shop.plain', 'shop.nowhere'],
          rules: [
            { match: 'shop.elsewhere', to: { table: 'x' } },
            { match: 'shop.plain', where: "region = 'EU'" },
          ],
        },
      });
      expect(troubles(found).filter((one) => /pipeline p/.test(one))).toEqual([
        'warn HOLT_TABLES_UNMATCHED pipeline p',
        'warn HOLT_TABLES_UNMATCHED pipeline p',
        'error HOLT_ROW_FILTER_COLUMN shop.plain of pipeline p',
      ]);
    });

    it('tells a wrong password at either side, and goes on with the other', async () => {
      const found = await diagnose({ source: at(source, 'wrong'), target: at(target, 'wrong') });
      expect(troubles(found)).toEqual([
        'error HOLT_SOURCE_ACCESS_DENIED east-db (source)',
        'error HOLT_TARGET_ACCESS_DENIED west-db (target)',
      ]);
      expect(found.exitCode).toBe(8);
      const half = await diagnose({ source: at(source), target: at(target, 'wrong') });
      expect(half.printed).toContain('not compared with west-db');
    });

    it('tells servers that do not answer, with exit code 7', async () => {
      const port = await freePort();
      const found = await diagnose({ source: { ...at(source), port }, target: { ...at(target), port } });
      expect(troubles(found)).toEqual([
        'error HOLT_SOURCE_UNREACHABLE east-db (source)',
        'error HOLT_TARGET_UNREACHABLE west-db (target)',
      ]);
      expect(found.exitCode).toBe(7);
    });

    it('tells grants that are missing, one by one', async () => {
      await source.db.query("REVOKE REPLICATION SLAVE ON *.* FROM 'holt'@'%'");
      await source.db.query("REVOKE ALL PRIVILEGES ON `holt`.* FROM 'holt'@'%'");
      await target.db.query("REVOKE DELETE, UPDATE ON `shop`.* FROM 'holt'@'%'");
      await target.db.query("REVOKE CREATE ON `holt`.* FROM 'holt'@'%'");
      try {
        const found = await diagnose(both());
        expect(troubles(found).filter((one) => !one.includes('HOLT_SOURCE_SETTING'))).toEqual([
          'error HOLT_SOURCE_GRANT east-db (source)',
          'error HOLT_SCHEMA_GRANT east-db (source)',
          'error HOLT_SCHEMA_GRANT west-db (target)',
          ...SOUND.map((name) => `error HOLT_TARGET_GRANT shop.${name} of pipeline p`),
        ]);
        expect(found.printed).toMatch(/lacks REPLICATION SLAVE/);
        expect(found.printed).toMatch(/lacks UPDATE, DELETE on shop\.plain/);
        expect(found.printed).toMatch(/lacks CREATE on the schema holt/);
        expect(found.exitCode).toBe(8);
      } finally {
        await grant(source, 'east-db');
        await grant(target, 'west-db');
      }
    });

    it('tells what schema changes lack, where they are carried', async () => {
      await target.db.query("REVOKE ALTER, DROP, INDEX ON `shop`.* FROM 'holt'@'%'");
      try {
        const found = await diagnose(both());
        expect(troubles(found)).toContain('warn HOLT_TARGET_GRANT pipeline p');
        expect(found.printed).toContain('lacks ALTER, DROP, INDEX in shop');
        const without = await diagnose({ ...both(), pipeline: { ddl: 'stop' } });
        expect(troubles(without)).not.toContain('warn HOLT_TARGET_GRANT pipeline p');
      } finally {
        await grant(target, 'west-db');
      }
    });

    if (flavour !== 'mariadb')
      it('tells an account from which triggers are hidden', async () => {
        await target.db.query("REVOKE TRIGGER ON `shop`.* FROM 'holt'@'%'");
        try {
          const found = await diagnose(both());
          expect(troubles(found)).toContain('error HOLT_TARGET_GRANT shop.plain of pipeline p');
          expect(found.printed).toContain('lacks TRIGGER on shop.plain');
        } finally {
          await grant(target, 'west-db');
        }
      });

    if (flavour === 'mariadb')
      it('tells a target where the account may not set what time it is, if schema changes are carried', async () => {
        const told = async (pipeline: object = {}) => troubles(await diagnose({ ...both(), pipeline }));
        const trouble = 'warn HOLT_TARGET_TIME pipeline p';
        try {
          await target.restartWith({ secure_timestamp: 'YES' });
          expect(await told()).toContain(trouble);
          expect(await told({ ddl: 'stop' })).not.toContain(trouble);
          // A privilege helps where the setting is SUPER, as what to do says.
          await target.restartWith({ secure_timestamp: 'SUPER' });
          expect(await told()).toContain(trouble);
          await target.db.query("GRANT BINLOG REPLAY ON *.* TO 'holt'@'%'");
          expect(await told()).not.toContain(trouble);
        } finally {
          await target.db.query("REVOKE BINLOG REPLAY ON *.* FROM 'holt'@'%'");
          await target.restartWith({});
        }
      });

    it('tells STATEMENT format, a short retention, MINIMAL images and a small packet', async () => {
      const retention = flavour === 'mysql' ? 'binlog_expire_logs_seconds' : 'expire_logs_days';
      const seconds = flavour === 'mysql' ? 3600 : 1;
      await source.db.query(
        `SET GLOBAL binlog_format = 'STATEMENT', GLOBAL binlog_row_image = 'MINIMAL', GLOBAL ${retention} = ${seconds}`,
      );
      await target.db.query('SET GLOBAL max_allowed_packet = 1048576');
      try {
        const found = await diagnose(both());
        const told = troubles(found);
        expect(told).toContain('error HOLT_SOURCE_BINLOG_FORMAT east-db (source)');
        expect(told).toContain('warn HOLT_SOURCE_SETTING east-db (source)');
        expect(told).toContain('warn HOLT_TARGET_PACKET_SMALL pipeline p');
        expect(told.includes('warn HOLT_SOURCE_RETENTION east-db (source)')).toBe(flavour === 'mysql');
        expect(found.printed).toContain('binlog_row_image is MINIMAL');
      } finally {
        await source.restartWith({});
        await target.restartWith({});
      }
    });

    it('tells a log that is off and a server that is read-only', async () => {
      await source.restartWith({ log_bin: null, ...(flavour === 'mysql' ? { skip_log_bin: true } : {}) });
      await target.db.query('SET GLOBAL read_only = 1');
      try {
        const found = await diagnose(both());
        expect(troubles(found)).toContain('error HOLT_SOURCE_BINLOG_OFF east-db (source)');
        expect(troubles(found)).toContain('error HOLT_TARGET_READ_ONLY west-db (target)');
      } finally {
        await target.db.query('SET GLOBAL read_only = 0');
      }
    });
  });

const COLUMNS = '(id INT PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(10,2)) ENGINE=InnoDB';
const SOUND = ['plain', 'unique_too'];
/** What stands at the target in place of the same table. */
const PLANTED: Readonly<Record<string, readonly string[]>> = {
  triggered: [
    `CREATE TABLE shop.triggered ${COLUMNS}`,
    'CREATE TRIGGER shop.noted BEFORE INSERT ON shop.triggered FOR EACH ROW SET @seen = 1',
  ],
  myisam: [`CREATE TABLE shop.myisam ${COLUMNS.replace('InnoDB', 'MyISAM')}`],
  missing: [],
  narrow: ['CREATE TABLE shop.narrow (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL)'],
  misfit: ['CREATE TABLE shop.misfit (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(10,1))'],
  unfilled: [
    'CREATE TABLE shop.unfilled (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(10,2), more INT NOT NULL)',
  ],
  nokey: ['CREATE TABLE shop.nokey (id INT NOT NULL, name VARCHAR(20) NOT NULL, price DECIMAL(10,2))'],
  second: [
    'CREATE TABLE shop.second (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL, price DECIMAL(10,2), UNIQUE KEY second (name))',
  ],
  several: [
    'CREATE TABLE shop.several (id INT PRIMARY KEY, price DATE) ENGINE=MyISAM',
    'CREATE TRIGGER shop.seen BEFORE INSERT ON shop.several FOR EACH ROW SET @seen = 1',
  ],
};

async function createAccount(server: DatabaseServer): Promise<void> {
  await server.db.query(`CREATE USER 'holt'@'%' IDENTIFIED BY '${PASSWORD}'`);
}

/** Every statement of `grants print`, as a person would run them: either server takes them all. */
async function grant(server: DatabaseServer, name: string): Promise<void> {
  const pipeline = {
    source: 'east-db',
    target: 'west-db',
    tables: { include: ['shop.*'], exclude: [] },
    rules: [],
    ddl: { default: 'replicate', kinds: {} },
  } as unknown as PipelineConfig;
  const source = { name, user: 'holt', host: 'h', port: 1 } as unknown as DataSourceConfig;
  const config = { pipelines: [pipeline] } as unknown as HoltConfig;
  for (const line of grantStatements(config, source)) {
    if (!line.startsWith('GRANT')) continue;
    await server.db.query(line);
  }
}

async function schemasOf(server: DatabaseServer): Promise<string[]> {
  const rows = await server.db.query('SHOW DATABASES');
  return rows.map((row) => String(Object.values(row)[0])).toSorted();
}
