import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkSource, inspectSource } from '../../../canal/source/source-check.ts';
import { sourceFacts } from '../../../canal/source/source-facts.ts';
import { filePosition } from '../../../model/position.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import {
  type Account,
  connectTo,
  dumpFrom,
  endpointFor,
  factsOf,
  pullAll,
  transactionsOf,
} from './source-fixture.ts';

const OWN_ID = 40_001;

for (const flavour of DATABASE_FLAVOURS) {
  describeWithOwn([flavour], `the source check at ${flavour}`, () => {
    let server: DatabaseServer;
    const monitor = flavour === 'mariadb' ? 'BINLOG MONITOR' : 'REPLICATION CLIENT';

    /** The account, its password the same as its name. */
    const createUser = async (name: string, ...grants: readonly string[]): Promise<Account> => {
      await server.db.query(`CREATE USER ${name}@'%' IDENTIFIED BY '${name}'`);
      for (const grant of grants) await server.db.query(`GRANT ${grant} TO ${name}@'%'`);
      return { user: name, password: name };
    };
    const check = (account: Account = {}, wants?: (schema: string, table: string) => boolean) =>
      checkSource({
        endpoint: endpointFor(server, account),
        serverId: OWN_ID,
        ...(wants === undefined ? {} : { wants }),
      });

    beforeAll(async () => {
      server = await startDatabase(flavour);
      await server.db.query('CREATE DATABASE shop');
      await server.db.query('CREATE TABLE shop.a (id INT PRIMARY KEY)');
      await server.db.query('CREATE DATABASE secret');
      await server.db.query('CREATE TABLE secret.b (id INT PRIMARY KEY)');
    });
    afterAll(() => server.dispose());

    it('a server as it should be, with no more than the grants needed: passes, and can be followed', async () => {
      const account = await createUser(
        'repl',
        'REPLICATION SLAVE ON *.*',
        `${monitor} ON *.*`,
        'SELECT ON shop.*',
      );
      const facts = await check(account, (schema) => schema === 'shop');
      expect(facts).toMatchObject({
        flavour: flavour === 'mariadb' ? 'mariadb' : 'mysql',
        logBin: true,
        serverId: Number(await server.db.value('SELECT @@server_id')),
        gtids: flavour !== 'mysql56',
      });
      expect(facts.version).toBe(await server.db.value('SELECT VERSION()'));
      const [file] = await server.db.query('SHOW BINARY LOGS');
      const start = filePosition(facts.identity, { file: String(file?.Log_name), offset: 4 });
      const dump = await dumpFrom(endpointFor(server, account), start);
      expect(transactionsOf(await pullAll(dump)).length).toBeGreaterThan(3);
      await dump.close();
    });

    it('the identity is the same after a restart, and not that of another server', async () => {
      const { identity } = await factsOf(endpointFor(server));
      await server.restart();
      expect((await factsOf(endpointFor(server))).identity).toBe(identity);
      expect(identity).not.toContain(':');
      await using other = await startDatabase(flavour);
      expect((await factsOf(endpointFor(other))).identity).not.toBe(identity);
      if (flavour === 'mysql') expect(identity).toBe(await server.db.value('SELECT @@server_uuid'));
    });

    it.each([
      ['REPLICATION SLAVE', 'noslave', [`${monitor} ON *.*`, 'SELECT ON *.*']],
      [monitor, 'nomonitor', ['REPLICATION SLAVE ON *.*', 'SELECT ON *.*']],
      ['SELECT', 'noselect', ['REPLICATION SLAVE ON *.*', `${monitor} ON *.*`, 'INSERT ON shop.*']],
      ['SELECT', 'seesnone', ['REPLICATION SLAVE ON *.*', `${monitor} ON *.*`]],
    ])('a missing %s is named (%s)', async (privilege, name, grants) => {
      const account = await createUser(name, ...grants);
      await expect(check(account)).rejects.toMatchObject({
        code: 'HOLT_SOURCE_GRANT',
        message: `'${name}'@'%' lacks ${privilege} at the source`,
        remedy: expect.stringContaining(privilege),
        facts: { variable: 'privilege', value: privilege },
      });
    });

    it('SELECT is tried on the tables wanted, not on others', async () => {
      const account = await createUser(
        'partly',
        'REPLICATION SLAVE ON *.*',
        `${monitor} ON *.*`,
        'SELECT ON shop.*',
        'INSERT ON secret.*',
      );
      await check(account, (schema) => schema === 'shop');
      await expect(check(account)).rejects.toMatchObject({ facts: { value: 'SELECT' } });
    });

    it('the id of the server itself, and of another replica, is refused', async () => {
      const serverId = Number(await server.db.value('SELECT @@server_id'));
      await expect(checkSource({ endpoint: endpointFor(server), serverId })).rejects.toMatchObject({
        code: 'HOLT_SOURCE_SERVER_ID',
        facts: { variable: 'server_id', value: serverId },
      });
      await using replica = await connectTo(endpointFor(server));
      await replica.registerReplica({ serverId: 40_002, host: 'replica-7' });
      await expect(checkSource({ endpoint: endpointFor(server), serverId: 40_002 })).rejects.toMatchObject({
        code: 'HOLT_SOURCE_SERVER_ID',
        message: expect.stringContaining('replica-7'),
      });
    });

    if (flavour !== 'mysql') {
      it('statement and mixed format are refused', async () => {
        for (const format of ['STATEMENT', 'MIXED']) {
          await server.db.query(`SET GLOBAL binlog_format = '${format}'`);
          await expect(check()).rejects.toMatchObject({
            code: 'HOLT_SOURCE_BINLOG_FORMAT',
            facts: { variable: 'binlog_format', value: format },
          });
        }
        await server.db.query("SET GLOBAL binlog_format = 'ROW'");
        await check();
      });
    }

    it('a server without a log is refused, and all that is wrong is told at once', async () => {
      await using off = await startDatabase(flavour, {
        settings:
          flavour === 'mysql'
            ? { log_bin: null, 'skip-log-bin': true, gtid_mode: 'OFF', enforce_gtid_consistency: 'OFF' }
            : { log_bin: null, log_slave_updates: null },
        serverId: OWN_ID,
      });
      const { facts, problems } = await inspectSource({ endpoint: endpointFor(off), serverId: OWN_ID });
      expect(facts.logBin).toBe(false);
      expect(problems.map(({ code }) => code)).toEqual(['HOLT_SOURCE_BINLOG_OFF', 'HOLT_SOURCE_SERVER_ID']);
      expect(problems[0]?.facts).toEqual({ variable: 'log_bin', value: 'OFF' });
    });

    it('facts are those that the server shows', async () => {
      const rows = await server.db.query('SHOW GLOBAL VARIABLES');
      const variables = new Map(rows.map((row) => [String(row.Variable_name), String(row.Value)]));
      const expected = sourceFacts(flavour === 'mariadb' ? 'mariadb' : 'mysql', variables);
      expect(await factsOf(endpointFor(server))).toEqual(expected);
    });
  });
}
