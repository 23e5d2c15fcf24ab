import { expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import { SQL_MODE } from '../../../stages/load/target/session-settings.ts';
import { TargetLinkError, TargetServerError } from '../../../stages/load/target/target-connection.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import { withServer } from '../../support/servers.ts';
import { describeDatabase, describeWithOwn } from '../../support/shared-servers.ts';
import { mysqlPackets, TcpProxy } from '../../support/tcp-proxy.ts';
import { dataSourceOf, Sessions } from './target-fixture.ts';

describeDatabase(DATABASE_FLAVOURS, 'a session at the target', (context) => {
  it('sends statements byte for byte, whatever the character set of the column', async () => {
    await using sessions = new Sessions();
    const session = await sessions.to(dataSourceOf(context.db));
    const { schema } = context;
    await session.execute(
      `CREATE TABLE \`${schema}\`.bytes (id INT PRIMARY KEY, b BLOB, l VARCHAR(300) CHARACTER SET latin1, g VARCHAR(20) CHARACTER SET gbk) ENGINE=InnoDB`,
    );
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const escaped = Buffer.from(
      [...all].flatMap((byte) =>
        byte === 0 ? [0x5c, 0x30] : byte === 0x27 || byte === 0x5c ? [0x5c, byte] : [byte],
      ),
    );
    // 0xBF5C is one character in gbk; its second byte is a backslash.
    const gbk = Buffer.from([0xbf, 0x5c, 0x5c]);
    await session.execute(
      Buffer.concat([
        Buffer.from(`INSERT INTO \`${schema}\`.bytes VALUES (1, '`),
        escaped,
        Buffer.from("', '"),
        escaped,
        Buffer.from("', '"),
        gbk,
        Buffer.from("')"),
      ]),
    );
    const [row] = await session.rows(
      `SELECT b, CAST(l AS BINARY), CAST(g AS BINARY), NULL FROM \`${schema}\`.bytes`,
    );
    expect(row).toEqual([all, all, Buffer.from([0xbf, 0x5c]), null]);
    const [text] = await session.rows("SELECT 'ü€?'");
    expect(text?.[0]?.toString('utf8')).toBe('ü€?');
  });

  it('has settings of its own, whatever the server says', async () => {
    await using sessions = new Sessions();
    const session = await sessions.to(dataSourceOf(context.db));
    const [row] = await session.rows(
      'SELECT @@sql_mode, @@time_zone, @@character_set_client, @@character_set_results, @@innodb_lock_wait_timeout, @@wait_timeout, @@foreign_key_checks, @@lc_messages',
    );
    expect(row?.map(String)).toEqual([
      expect.stringContaining(SQL_MODE.split(',')[0] ?? ''),
      '+00:00',
      'binary',
      'binary',
      '10',
      '60',
      '1',
      'en_US',
    ]);
    const [isolation] = await session.rows(
      "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')",
    );
    expect(String(isolation?.[1])).toBe('READ-COMMITTED');
  });

  it('counts the rows that matched, and passes the counts of an upsert on', async () => {
    await using sessions = new Sessions();
    const session = await sessions.to(dataSourceOf(context.db));
    const table = `\`${context.schema}\`.counts`;
    await session.execute(`CREATE TABLE ${table} (id INT PRIMARY KEY, v INT) ENGINE=InnoDB`);
    await session.execute(`INSERT INTO ${table} VALUES (1, 1)`);
    expect((await session.execute(`UPDATE ${table} SET v = 1 WHERE id = 1`)).affectedRows).toBe(1);
    const upsert = await session.execute(
      `INSERT INTO ${table} VALUES (1, 5), (2, 2), (3, 3) ON DUPLICATE KEY UPDATE v = VALUES(v)`,
    );
    expect(upsert.info).toMatch(/^Records: 3 {2}Duplicates: 1 {2}Warnings: \d+$/);
  });

  it('takes exactly one statement at a time', async () => {
    await using sessions = new Sessions();
    const session = await sessions.to(dataSourceOf(context.db));
    await expect(session.execute('SET @a = 1; SET @b = 1')).rejects.toMatchObject({ errno: 1064 });
    const first = session.execute('DO SLEEP(0.05)');
    await expect(session.execute('SET @a = 1')).rejects.toThrow(/one statement at a time/);
    await first;
  });

  it('tells an answer of the server from no answer', async () => {
    await using sessions = new Sessions();
    const [session, other] = [
      await sessions.to(dataSourceOf(context.db)),
      await sessions.to(dataSourceOf(context.db)),
    ];
    await expect(session.execute('SELECT * FROM nowhere.nothing')).rejects.toBeInstanceOf(TargetServerError);
    expect(session.usable).toBe(true);
    const sleeping = session.execute('DO SLEEP(30)').catch((error: unknown) => error);
    await waitFor(
      async () =>
        (
          await other.rows(
            `SELECT 1 FROM information_schema.processlist WHERE id = ${session.threadId} AND info LIKE '%SLEEP%'`,
          )
        ).length > 0,
      { timeoutMs: 5000, what: 'the statement runs' },
    );
    await other.execute(`KILL ${session.threadId}`);
    const error = await sleeping;
    expect(error instanceof TargetLinkError || error instanceof TargetServerError).toBe(true);
    await expect(session.execute('SET @a = 1')).rejects.toBeInstanceOf(TargetLinkError);
    expect(session.usable).toBe(false);
  });

  it('gives up a server that does not answer the login', async () => {
    await using proxy = await TcpProxy.start({ target: context.db });
    proxy.stall('down');
    const started = performance.now();
    await expect(
      connectTarget(dataSourceOf(context.db, { port: proxy.port, connectTimeoutMs: 300 })),
    ).rejects.toBeInstanceOf(TargetLinkError);
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it('gives up a server that answers the login and then no more', async () => {
    await using proxy = await TcpProxy.start({ target: context.db, framing: mysqlPackets });
    let queries = 0;
    // COM_QUERY is byte 3 of what a client sends after the login.
    proxy.onPacket = ({ direction, bytes }) => {
      if (direction === 'up' && bytes[4] === 3) queries++;
      return direction === 'down' && queries > 0 ? 'drop' : 'pass';
    };
    await expect(
      connectTarget(dataSourceOf(context.db, { port: proxy.port, connectTimeoutMs: 500 })),
    ).rejects.toBeInstanceOf(TargetLinkError);
  });

  it('rejects a wrong password with the server’s number, and an abort at once', async () => {
    await expect(
      connectTarget(dataSourceOf({ ...context.db.endpoint, password: 'wrong' })),
    ).rejects.toMatchObject({ errno: 1045 });
    await expect(
      connectTarget(dataSourceOf(context.db), { signal: AbortSignal.abort(new Error('stopped')) }),
    ).rejects.toThrow('stopped');
  });

  it('refuses TLS that the server does not give or that cannot be verified', async () => {
    const tls = { mode: 'verify-identity' as const, ca: null, cert: null, key: null };
    await expect(connectTarget(dataSourceOf(context.db, { tls }))).rejects.toMatchObject({
      code: 'HOLT_TARGET_TLS',
    });
  });
});

describeWithOwn(['mariadb'], 'a session at a target with other settings', () => {
  it('switches its own binlog format to ROW where the server says MIXED, and refuses where it may not', async () => {
    await withServer('mariadb', { settings: { binlog_format: 'MIXED' } }, async ({ db }) => {
      await using sessions = new Sessions();
      const session = await sessions.to(dataSourceOf(db));
      expect(String((await session.rows('SELECT @@session.binlog_format'))[0]?.[0])).toBe('ROW');
      await db.query("CREATE USER 'plain'@'%' IDENTIFIED BY 'plain'");
      await db.query("GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO 'plain'@'%'");
      await expect(
        connectTarget(dataSourceOf({ ...db.endpoint, user: 'plain', password: 'plain' })),
      ).rejects.toMatchObject({ code: 'HOLT_TARGET_BINLOG_FORMAT', disposition: 'retry' });
    });
  });

  it('does not write to a read-only server, even where the account could', async () => {
    await withServer('mariadb', { settings: { read_only: 'ON' } }, async ({ db }) => {
      await expect(connectTarget(dataSourceOf(db))).rejects.toMatchObject({ code: 'HOLT_TARGET_READ_ONLY' });
      const looking = await connectTarget(dataSourceOf(db), { session: { writes: false } });
      await looking.close();
    });
  });
});

describeWithOwn(['mysql'], 'a session at a MySQL with TLS', () => {
  it('encrypts, and verifies as far as the mode says', async () => {
    await withServer('mysql', {}, async ({ db, dataDir }) => {
      const file = (name: string) => `${dataDir}/${name}`;
      const required = await connectTarget(
        dataSourceOf(db, { tls: { mode: 'required', ca: null, cert: null, key: null } }),
      );
      const [cipher] = await required.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
      expect(cipher?.[1]?.length).toBeGreaterThan(0);
      await required.close();
      const ca = file('ca.pem');
      const verified = await connectTarget(
        dataSourceOf(db, {
          tls: { mode: 'verify-ca', ca, cert: file('client-cert.pem'), key: file('client-key.pem') },
        }),
      );
      await verified.close();
      await expect(
        connectTarget(
          dataSourceOf(db, {
            tls: { mode: 'verify-identity', ca, cert: null, key: null },
            host: 'localhost',
          }),
        ),
      ).rejects.toMatchObject({ code: 'HOLT_TARGET_TLS' });
      await expect(
        connectTarget(dataSourceOf(db, { tls: { mode: 'verify-ca', ca: null, cert: null, key: null } })),
      ).rejects.toMatchObject({ code: 'HOLT_TARGET_TLS' });
    });
  });
});
