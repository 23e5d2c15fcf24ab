import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TlsConfig } from '../../../model/config.ts';
import type { PositionText } from '../../../model/position.ts';
import { type Certificates, makeCertificates, whyNoCertificates } from '../../support/certificates.ts';
import type { DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import {
  type Account,
  connectTo,
  dumpFrom,
  endpointFor,
  NO_TLS,
  pullAll,
  transactionsOf,
} from './source-fixture.ts';

async function whoAmI(server: DatabaseServer, account: Account): Promise<string> {
  await using connection = await connectTo(endpointFor(server, account));
  const { rows } = await connection.query('SELECT CURRENT_USER()');
  await connection.ping();
  return rows[0]?.[0]?.toString() ?? '';
}

/** How the session is encrypted; empty where it is not. */
async function cipherOf(server: DatabaseServer, account: Account): Promise<string> {
  await using connection = await connectTo(endpointFor(server, account));
  const { rows } = await connection.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
  return rows[0]?.[1]?.toString() ?? '';
}

const DENIED = expect.objectContaining({ code: 'HOLT_SOURCE_ACCESS_DENIED', disposition: 'retry' });
const BAD_TLS = expect.objectContaining({ code: 'HOLT_SOURCE_TLS', disposition: 'retry' });

for (const flavour of ['mariadb', 'mysql', 'mysql56'] as const satisfies readonly DatabaseFlavour[]) {
  describeWithOwn([flavour], `login at ${flavour}`, () => {
    let server: DatabaseServer;
    let certificates: Certificates | undefined;

    beforeAll(async () => {
      if ((await whyNoCertificates()) === undefined && flavour !== 'mysql56')
        certificates = await makeCertificates(['DNS:localhost', 'IP:127.0.0.1']);
      const tls = certificates && {
        ssl_ca: certificates.ca,
        ssl_cert: certificates.cert,
        ssl_key: certificates.key,
      };
      server = await startDatabase(flavour, { settings: { ...tls } });
    });
    afterAll(() => server.dispose());

    it('tells version, flavour and connection id', async () => {
      await using connection = await connectTo(endpointFor(server));
      expect(connection.handshake.flavour).toBe(flavour === 'mariadb' ? 'mariadb' : 'mysql');
      const { rows } = await connection.query('SELECT VERSION(), CONNECTION_ID()');
      expect(rows[0]?.map(String)).toEqual([connection.handshake.serverVersion, String(connection.threadId)]);
    });

    it('an empty password, a password with every kind of character, a wrong one', async () => {
      const odd = 'pä$$ "quo\'ted" \\ 漢字';
      const quoted = `'${odd.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
      await server.db.query(`CREATE USER none@'%' IDENTIFIED BY ''`);
      await server.db.query(`CREATE USER odd@'%' IDENTIFIED BY ${quoted}`);
      expect(await whoAmI(server, { user: 'none', password: '' })).toBe('none@%');
      expect(await whoAmI(server, { user: 'odd', password: odd })).toBe('odd@%');
      await expect(whoAmI(server, { user: 'odd', password: 'wrong' })).rejects.toEqual(DENIED);
      await expect(whoAmI(server, { user: 'none', password: 'some' })).rejects.toEqual(DENIED);
      await expect(whoAmI(server, { user: 'nobody', password: '' })).rejects.toEqual(DENIED);
    });

    const noTls = flavour === 'mariadb' ? { ssl: '0' } : flavour === 'mysql56' ? { ssl: 0 } : null;
    if (noTls !== null)
      it('a server without TLS is refused where TLS is asked for', async () => {
        const clear = await startDatabase(flavour, { settings: noTls });
        try {
          await expect(whoAmI(clear, { tls: { ...NO_TLS, mode: 'required' } })).rejects.toEqual(BAD_TLS);
        } finally {
          await clear.dispose();
        }
      });

    if (flavour !== 'mysql56')
      it('TLS: the link is encrypted, and each mode checks what it says', async (context) => {
        if (certificates === undefined) return context.skip(await whyNoCertificates());
        const { ca, strangeCa } = certificates;
        const modes: readonly (readonly [TlsConfig['mode'], string | null, string, boolean])[] = [
          ['required', null, '127.0.0.1', true],
          ['verify-ca', ca, '127.0.0.1', true],
          ['verify-ca', null, '127.0.0.1', false],
          ['verify-ca', strangeCa, '127.0.0.1', false],
          ['verify-identity', ca, '127.0.0.1', true],
          ['verify-identity', ca, 'localhost', true],
          // The same server by an address that its certificate does not name.
          ['verify-ca', ca, '127.0.0.2', true],
          ['verify-identity', ca, '127.0.0.2', false],
        ];
        await server.db.query('SET GLOBAL max_connect_errors = 1000000');
        for (const [mode, caFile, host, works] of modes) {
          const login = cipherOf(server, { host, tls: { ...NO_TLS, mode, ca: caFile } }).catch(
            (error: unknown) => error,
          );
          const what = `${mode} ${host} ${caFile}`;
          const result = await login;
          // 127.0.0.2 needs a server that listens there.
          if (host === '127.0.0.2' && isUnreachable(result)) continue;
          if (works) expect(result, what).toMatch(/^TLS_|-/);
          else expect(result, what).toEqual(BAD_TLS);
        }
        expect(await cipherOf(server, {})).toBe('');
      });

    if (flavour !== 'mysql56') {
      it('a dump over TLS, with rows of many TLS records', async (context) => {
        if (certificates === undefined) return context.skip(await whyNoCertificates());
        await server.db.query('CREATE DATABASE IF NOT EXISTS d');
        await server.db.query('CREATE TABLE d.t (v LONGBLOB)');
        await server.db.query(`INSERT INTO d.t VALUES (REPEAT('x', 3000000)), ('y')`);
        const endpoint = endpointFor(server, {
          tls: { ...NO_TLS, mode: 'verify-identity', ca: certificates.ca },
        });
        const dump = await dumpFrom(endpoint, (flavour === 'mysql' ? 'mysql:' : 'mariadb:') as PositionText);
        const events = await pullAll(dump);
        await dump.close();
        expect(events.some(({ bytes }) => bytes.length > 3_000_000)).toBe(true);
        expect(transactionsOf(events).length).toBeGreaterThan(2);
      });
    }

    if (flavour === 'mariadb') {
      it('client_ed25519', async (context) => {
        const installed = await server.db.query("INSTALL SONAME 'auth_ed25519'").catch(() => undefined);
        if (installed === undefined)
          return context.skip("MariaDB's plugin auth_ed25519 is not on this machine");
        await server.db.query(
          "CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('sesame öffne dich')",
        );
        expect(await whoAmI(server, { user: 'ed', password: 'sesame öffne dich' })).toBe('ed@%');
        await expect(whoAmI(server, { user: 'ed', password: 'sesame' })).rejects.toEqual(DENIED);
      });
    }

    if (flavour === 'mysql') {
      it('caching_sha2_password: full login by RSA, then by the cache; over TLS', async () => {
        await server.db.query("CREATE USER sha@'%' IDENTIFIED WITH caching_sha2_password BY 'first'");
        // The first login of an account cannot be in the cache.
        expect(await whoAmI(server, { user: 'sha', password: 'first' })).toBe('sha@%');
        expect(await whoAmI(server, { user: 'sha', password: 'first' })).toBe('sha@%');
        await expect(whoAmI(server, { user: 'sha', password: 'second' })).rejects.toEqual(DENIED);
        await server.db.query("ALTER USER sha@'%' IDENTIFIED BY 'third'");
        expect(
          await cipherOf(server, { user: 'sha', password: 'third', tls: { ...NO_TLS, mode: 'required' } }),
        ).toMatch(/TLS/);
        await expect(whoAmI(server, { user: 'sha', password: 'first' })).rejects.toEqual(DENIED);
      });

      it('a server that takes no clear link says so', async () => {
        await server.db.query('SET GLOBAL require_secure_transport = ON');
        const refused = whoAmI(server, {}).catch((error: unknown) => error);
        const result = await refused;
        await using tls = await connectTo(endpointFor(server, { tls: { ...NO_TLS, mode: 'required' } }));
        await tls.query('SET GLOBAL require_secure_transport = OFF');
        expect(result).toEqual(BAD_TLS);
      });

      it('an account that requires TLS is refused without it', async () => {
        await server.db.query("CREATE USER safe@'%' IDENTIFIED BY 'x' REQUIRE SSL");
        await expect(whoAmI(server, { user: 'safe', password: 'x' })).rejects.toEqual(DENIED);
        expect(
          await whoAmI(server, { user: 'safe', password: 'x', tls: { ...NO_TLS, mode: 'required' } }),
        ).toBe('safe@%');
      });
    }

    it('results: NULL, empty, bytes of every value, more than 16 MiB in a value, errors between', async () => {
      await using connection = await connectTo(endpointFor(server));
      await server.db.query(`SET GLOBAL max_allowed_packet = ${64 * 1024 * 1024}`);
      await using fresh = await connectTo(endpointFor(server));
      const { columns, rows } = await connection.query("SELECT NULL AS n, '' AS e, x'00ff807f' AS b");
      expect([columns, rows]).toEqual([
        ['n', 'e', 'b'],
        [[null, Buffer.alloc(0), Buffer.from('00ff807f', 'hex')]],
      ]);
      await expect(connection.query('SELEC 1')).rejects.toMatchObject({
        code: 'HOLT_SOURCE_SQL',
        facts: { errno: 1064, sqlState: '42000' },
      });
      const mib = 1024 * 1024;
      const long = await fresh.query(`SELECT REPEAT('abcdefgh', ${4 * mib}), 1`);
      expect(long.rows[0]?.[0]?.equals(Buffer.alloc(32 * mib, 'abcdefgh'))).toBe(true);
      expect((await connection.query('SELECT 2')).rows).toEqual([[Buffer.from('2')]]);
    });

    it('a statement above 16 MiB goes out in packets', async () => {
      await using connection = await connectTo(endpointFor(server));
      const text = 'x'.repeat(17 * 1024 * 1024);
      const { rows } = await connection.query(`SELECT LENGTH('${text}')`);
      expect(String(rows[0]?.[0])).toBe(String(text.length));
    });

    it('a killed connection is a lost link', async () => {
      await using connection = await connectTo(endpointFor(server));
      await server.db.query(`KILL ${connection.threadId}`);
      await expect(connection.query('SELECT 1')).rejects.toMatchObject({
        code: 'HOLT_SOURCE_LINK_LOST',
        disposition: 'retry',
      });
      expect(connection.isUsable).toBe(false);
    });
  });
}

function isUnreachable(result: unknown): boolean {
  return result instanceof Error && 'code' in result && result.code === 'HOLT_SOURCE_UNREACHABLE';
}
