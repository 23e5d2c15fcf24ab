import { open } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventDecoder } from '../../canal/event/decoder.ts';
import { readBinlogFile } from '../../canal/event/file-reader.ts';
import { waitFor } from '../../lib/abort.ts';
import type { PipelineId } from '../../model/ids.ts';
import { openTree } from '../../node/open-tree.ts';
import { nodePath, recordPath, STAGES_ROOT } from '../../scheduler/paths.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { ChannelClient } from '../../stages/pipe/channel/channel-client.ts';
import { signRequest } from '../../stages/pipe/channel/signature.ts';
import type { DatabaseServer } from '../support/database-server.ts';
import { HoltInstallation } from '../support/holt-installation.ts';
import { startDatabase, startZookeeper } from '../support/servers.ts';
import { describeWithOwn } from '../support/shared-servers.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';
import type { ZookeeperServer } from '../support/zookeeper-server.ts';

/**
 * Issue 2, "Bad input": everything that can be wrong around one pipeline gives one clear error with a stable code, another pipeline goes
 * on, nothing is lost, and it heals when the cause is gone.
 *
 * Two pipelines between the same two servers, run by one node. `bad` reaches both through a proxy and with an account of
 * its own, so that links, passwords and grants can be taken from it alone.
 */
const PASSWORD = 'never-logged-7';
const BAD = 'bad' as PipelineId;

class Bench implements AsyncDisposable {
  readonly source: DatabaseServer;
  readonly target: DatabaseServer;
  readonly zookeeper: ZookeeperServer;
  readonly sourceLink: TcpProxy;
  readonly targetLink: TcpProxy;
  readonly holt: HoltInstallation;
  readonly tree: CoordinationTree;
  #nextId = 1;

  private constructor(
    parts: Pick<Bench, 'source' | 'target' | 'zookeeper' | 'sourceLink' | 'targetLink' | 'holt' | 'tree'>,
  ) {
    this.source = parts.source;
    this.target = parts.target;
    this.zookeeper = parts.zookeeper;
    this.sourceLink = parts.sourceLink;
    this.targetLink = parts.targetLink;
    this.holt = parts.holt;
    this.tree = parts.tree;
  }

  static async start(): Promise<Bench> {
    const [source, target, zookeeper] = await Promise.all([
      startDatabase('mariadb'),
      startDatabase('mariadb'),
      startZookeeper(),
    ]);
    for (const server of [source, target]) {
      for (const schema of ['good', 'bad']) {
        await server.db.query(`CREATE DATABASE ${schema}`);
        await server.db.query(`CREATE TABLE ${schema}.t ${COLUMNS}`);
      }
      const isTarget = server === target;
      for (const sql of isTarget ? TARGET_TABLES : SOURCE_TABLES) await server.db.query(sql);
      await server.db.query(`CREATE USER 'bad'@'%' IDENTIFIED BY '${PASSWORD}'`);
      await server.db.query("GRANT ALL PRIVILEGES ON holt.* TO 'bad'@'%'");
    }
    await source.db.query("GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'bad'@'%'");
    await source.db.query("GRANT SELECT ON bad.* TO 'bad'@'%'");
    await target.db.query("GRANT SELECT, INSERT, UPDATE, DELETE ON bad.* TO 'bad'@'%'");
    await target.db.query("GRANT PROCESS ON *.* TO 'bad'@'%'");
    const sourceLink = await TcpProxy.start({ target: { host: '127.0.0.1', port: source.port } });
    const targetLink = await TcpProxy.start({ target: { host: '127.0.0.1', port: target.port } });
    const through = (link: TcpProxy) => ({
      flavour: 'mariadb' as const,
      host: '127.0.0.1',
      port: link.port,
      user: 'bad',
      password: PASSWORD,
    });
    const holt = await HoltInstallation.create({
      databases: {
        east: source.db.endpoint,
        west: target.db.endpoint,
        far: through(sourceLink),
        weak: through(targetLink),
      },
      zookeeper: zookeeper.connectString,
      nodes: { n1: 'east' },
      nodeSpec: { serves: ['east', 'west', 'far', 'weak'] },
      pipelines: {
        good: { source: 'east-db', target: 'west-db', start: 'now', tables: ['good.*'] },
      },
      channels: {
        other: {
          pipelines: {
            bad: { source: 'far-db', target: 'weak-db', start: 'now', tables: ['bad.*'], ddl: 'stop' },
          },
        },
      },
    });
    const tree = openTree({
      kind: 'zookeeper',
      servers: zookeeper.connectString,
      sessionTimeoutMs: 10_000,
      tls: { mode: 'disabled', ca: null, cert: null, key: null },
      auth: null,
    });
    void tree.run();
    await tree.whenConnected();
    const bench = new Bench({ source, target, zookeeper, sourceLink, targetLink, holt, tree });
    await holt.start();
    for (const name of ['good', 'bad'])
      await waitFor(async () => /^(?:idle|running)$/.test((await holt.status(name))?.state ?? ''), {
        timeoutMs: 30_000,
        what: `pipeline ${name} to run`,
      });
    return bench;
  }

  /** A row in the tables of both pipelines. */
  async write(): Promise<number> {
    const id = this.#nextId;
    this.#nextId += 1;
    for (const schema of ['good', 'bad'])
      await this.source.db.query(`INSERT INTO ${schema}.t (id, name) VALUES (${id}, 'row ${id}')`);
    return id;
  }

  async arrives(schema: string, id: number, timeoutMs = 30_000): Promise<void> {
    await waitFor(
      async () =>
        (await this.target.db.value(`SELECT 1 FROM ${schema}.t WHERE id = ${id}`).catch(() => null)) === '1',
      { timeoutMs, pollMs: 50, what: `row ${id} of ${schema} at the target; ${await this.#seen()}` },
    );
  }

  /** Until the pipeline `bad` shows the code; the other one goes on meanwhile. */
  async shows(
    code: string,
    timeoutMs = 30_000,
  ): Promise<{ readonly reason: string; readonly state: string }> {
    let last: unknown = null;
    const status = await waitFor(
      async () => {
        const now = await this.holt.status('bad');
        last = now ?? last;
        return now?.code === code ? now : null;
      },
      { timeoutMs, pollMs: 50, what: `the code ${code}` },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; last seen ${JSON.stringify(last)}`);
    });
    expect(['degraded', 'failed']).toContain(status.state);
    expect(status.reason).not.toContain(PASSWORD);
    const id = await this.write();
    await this.arrives('good', id);
    expect((await this.holt.status('good'))?.code).toBeNull();
    expect(this.holt.node('n1').logText()).toContain(code);
    return { reason: status.reason ?? '', state: status.state };
  }

  /** Rows flow again, all of them have arrived, once, and nothing is shown as wrong. */
  async heals(timeoutMs = 30_000): Promise<void> {
    const id = await this.write();
    await this.arrives('bad', id, timeoutMs);
    for (const schema of ['good', 'bad']) {
      await this.arrives(schema, id);
      const rows = (server: DatabaseServer) => server.db.query(`SELECT * FROM ${schema}.t ORDER BY id`);
      expect(await rows(this.target)).toEqual(await rows(this.source));
    }
    await waitFor(async () => (await this.holt.status('bad'))?.code === null, {
      timeoutMs: 20_000,
      what: `the code to go; ${await this.#seen()}`,
    });
    expect(await this.target.db.value('SELECT COUNT(*) FROM holt.ledger')).toBe('0');
    expect(this.holt.node('n1').isRunning).toBe(true);
  }

  resume(): Promise<void> {
    return this.holt.node('n1').api.setDesired('bad', { desired: 'running', by: 'test', why: 'mended' });
  }

  async #seen(): Promise<string> {
    return `status ${JSON.stringify(await this.holt.status('bad'))}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tree.stop();
    await this.holt[Symbol.asyncDispose]();
    await this.sourceLink[Symbol.asyncDispose]();
    await this.targetLink[Symbol.asyncDispose]();
    await Promise.allSettled([this.zookeeper.dispose(), this.source.dispose(), this.target.dispose()]);
  }
}

const PLANTED = ['lacking', 'narrow', 'misfit', 'triggered', 'myisam', 'short'];
const COLUMNS = '(id INT PRIMARY KEY, name VARCHAR(20) NOT NULL)';
const SOURCE_TABLES = PLANTED.map((name) => `CREATE TABLE bad.${name} ${COLUMNS}`);
const TARGET_TABLES = [
  'CREATE TABLE bad.narrow (id INT PRIMARY KEY)',
  'CREATE TABLE bad.misfit (id INT PRIMARY KEY, name DATE)',
  `CREATE TABLE bad.triggered ${COLUMNS}`,
  'CREATE TRIGGER bad.noted BEFORE INSERT ON bad.triggered FOR EACH ROW SET @a = 1',
  `CREATE TABLE bad.myisam ${COLUMNS} ENGINE = MyISAM`,
  'CREATE TABLE bad.short (id INT PRIMARY KEY, name VARCHAR(2) NOT NULL)',
];

/** Where the last rows event of a binlog file begins. */
async function lastRowsOf(file: string): Promise<number> {
  const decoder = new EventDecoder();
  let last = 0;
  for await (const { offset, bytes } of readBinlogFile(file))
    if (decoder.decode(bytes).kind === 'rows') last = offset;
  return last;
}

async function flipBit(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, at);
  } finally {
    await file.close();
  }
}

describeWithOwn(['mariadb', 'zookeeper'], 'bad input', () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
    await bench.arrives('good', await bench.write());
    await bench.heals();
  });
  afterAll(() => bench?.[Symbol.asyncDispose]());

  afterEach(async () => {
    // Nothing where the test has mended what it broke; else the next one would suffer for it.
    await bench.resume();
  });

  /** Breaks something, sees the code, mends it, sees it heal; mended in any case, so that one test does not spoil the next. */
  async function suffers(
    code: string,
    { breaks, mends }: { readonly breaks: () => Promise<unknown>; readonly mends: () => Promise<unknown> },
  ): Promise<string> {
    let reason: string;
    try {
      await breaks();
      ({ reason } = await bench.shows(code));
    } finally {
      await mends();
    }
    await bench.heals();
    return reason;
  }

  describe('servers', () => {
    it('a target that cannot be reached', async () => {
      await suffers('HOLT_TARGET_UNREACHABLE', {
        breaks: async () => {
          bench.targetLink.refuse();
          bench.targetLink.cut();
          await bench.write();
        },
        mends: async () => bench.targetLink.heal(),
      });
    });

    it('a source that cannot be reached', async () => {
      await suffers('HOLT_SOURCE_UNREACHABLE', {
        breaks: async () => {
          bench.sourceLink.refuse();
          bench.sourceLink.cut();
        },
        mends: async () => bench.sourceLink.heal(),
      });
    });

    it('a wrong password at the target', async () => {
      const reason = await suffers('HOLT_TARGET_ACCESS_DENIED', {
        breaks: async () => {
          await bench.target.db.query("SET PASSWORD FOR 'bad'@'%' = PASSWORD('another')");
          bench.targetLink.cut();
          await bench.write();
        },
        mends: () => bench.target.db.query(`SET PASSWORD FOR 'bad'@'%' = PASSWORD('${PASSWORD}')`),
      });
      expect(reason).toContain('weak-db');
    });

    it('a wrong password at the source', async () => {
      await suffers('HOLT_SOURCE_ACCESS_DENIED', {
        breaks: async () => {
          await bench.source.db.query("SET PASSWORD FOR 'bad'@'%' = PASSWORD('another')");
          bench.sourceLink.cut();
        },
        mends: () => bench.source.db.query(`SET PASSWORD FOR 'bad'@'%' = PASSWORD('${PASSWORD}')`),
      });
    });

    it('a missing grant at the target', async () => {
      await suffers('HOLT_TARGET_ACCESS_DENIED', {
        breaks: async () => {
          await bench.target.db.query("REVOKE INSERT ON bad.* FROM 'bad'@'%'");
          bench.targetLink.cut();
          await bench.write();
        },
        mends: () => bench.target.db.query("GRANT INSERT ON bad.* TO 'bad'@'%'"),
      });
    });

    it('a missing grant at the source', async () => {
      const reason = await suffers('HOLT_SOURCE_GRANT', {
        breaks: async () => {
          await bench.source.db.query("REVOKE REPLICATION SLAVE ON *.* FROM 'bad'@'%'");
          bench.sourceLink.cut();
        },
        mends: () => bench.source.db.query("GRANT REPLICATION SLAVE ON *.* TO 'bad'@'%'"),
      });
      expect(reason).toContain('REPLICATION SLAVE');
    });
  });

  describe('tables', () => {
    it.each([
      ['lacking', 'HOLT_TARGET_TABLE_MISSING', `CREATE TABLE bad.lacking ${COLUMNS}`],
      ['narrow', 'HOLT_TARGET_COLUMN_MISSING', 'ALTER TABLE bad.narrow ADD name VARCHAR(20) NOT NULL'],
      ['misfit', 'HOLT_TARGET_COLUMN_TYPE', 'ALTER TABLE bad.misfit MODIFY name VARCHAR(20) NOT NULL'],
      ['triggered', 'HOLT_TARGET_TRIGGER', 'DROP TRIGGER bad.noted'],
      ['myisam', 'HOLT_TARGET_ENGINE', 'ALTER TABLE bad.myisam ENGINE = InnoDB'],
      ['short', 'HOLT_TARGET_VALUE_REFUSED', 'ALTER TABLE bad.short MODIFY name VARCHAR(20) NOT NULL'],
    ])('%s: %s', async (table, code, mend) => {
      const reason = await suffers(code, {
        breaks: () => bench.source.db.query(`INSERT INTO bad.${table} VALUES (1, 'secret-value')`),
        mends: () => bench.target.db.query(mend),
      });
      expect(reason).toContain(`bad.${table}`);
      expect(bench.holt.node('n1').logText()).not.toContain('secret-value');
      expect(await bench.target.db.value(`SELECT name FROM bad.${table}`)).toBe('secret-value');
    });
  });

  describe('the log', () => {
    it('DDL that is to stop the pipeline pauses it with the statement, and it goes on after resume', async () => {
      await bench.source.db.query('ALTER TABLE bad.t ADD note INT NULL');
      const { reason, state } = await bench.shows('HOLT_DDL_ON_REPLICATED_TABLE');
      expect(state).toBe('failed');
      expect(reason).toContain('ADD note');
      await bench.target.db.query('ALTER TABLE bad.t ADD note INT NULL');
      const behind = /position to (mariadb:\S*[0-9])/.exec(reason)?.[1];
      expect(behind, reason).toBeDefined();
      await bench.holt.node('n1').api.setPosition('bad', behind ?? '', 'the statement was run by hand');
      await bench.resume();
      await bench.heals();
    });

    it('a position that the source has purged', async () => {
      const { api } = bench.holt.node('n1');
      const early = await bench.source.db.value('SELECT @@global.gtid_binlog_pos');
      const id = await bench.write();
      await bench.arrives('bad', id);
      await bench.source.db.query('FLUSH BINARY LOGS');
      await bench.arrives('good', await bench.write());
      await bench.heals();
      const [newest] = (await bench.source.db.query('SHOW MASTER STATUS')) as { File: string }[];
      await api.setDesired('bad', { desired: 'paused', by: 'test', why: 'to go back' });
      const { position } = await api.position('bad');
      // Of another flavour, and of the future: refused, and nothing is changed.
      for (const wrong of [
        'mysql:3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5',
        `${position?.replace(/[0-9]+$/, '')}99999999`,
      ])
        await expect(api.setPosition('bad', wrong, 'a mistake')).rejects.toMatchObject({
          code: 'HOLT_SOURCE_POSITION_FOREIGN',
        });
      expect(await api.position('bad')).toMatchObject({ position });
      await api.setPosition('bad', `mariadb:${early}`, 'a mistake');
      await waitFor(
        async () => {
          await bench.source.db.query(`PURGE BINARY LOGS TO '${newest?.File}'`);
          return (await bench.source.db.query('SHOW BINARY LOGS')).length === 1;
        },
        { timeoutMs: 30_000, pollMs: 200, what: 'the source to purge its log' },
      );
      await bench.resume();
      const { state } = await bench.shows('HOLT_SOURCE_POSITION_PURGED');
      expect(state).toBe('failed');
      await api.setPosition('bad', position ?? '', 'the mistake is undone');
      await bench.resume();
      await bench.heals();
    });
  });

  describe('links and bytes', () => {
    it('streams that are cut in the middle, again and again, at both ends', async () => {
      for (let i = 0; i < 20; i++) {
        await bench.write();
        bench.sourceLink.cut();
        if (i % 3 === 0) bench.targetLink.cut();
        await bench.write();
      }
      await bench.heals();
    });

    it('an event that is damaged in the log stops those who read it, and they go on when it is whole', async () => {
      const node = bench.holt.node('n1');
      await node.stop();
      await bench.write();
      const file = (await bench.source.binlogFiles()).at(-1) ?? '';
      const offset = await lastRowsOf(file);
      await flipBit(file, offset + 25);
      try {
        await bench.holt.start();
        for (const name of ['good', 'bad'])
          await waitFor(async () => (await bench.holt.status(name))?.code === 'HOLT_EVENT_CHECKSUM', {
            timeoutMs: 60_000,
            what: `pipeline ${name} to stop at the damage`,
          });
      } finally {
        await flipBit(file, offset + 25);
      }
      for (const name of ['good', 'bad'])
        await node.api.setDesired(name, { desired: 'running', by: 'test', why: 'the file is whole again' });
      await bench.heals();
    });
  });

  describe('znodes', () => {
    const garbage = Buffer.from('{"version": 99, "written": "by a stranger"}');

    it.each(['config', 'epoch', 'state', 'receipt', 'termination'] as const)(
      'foreign data in %s of the pipeline',
      async (record) => {
        const path = recordPath(BAD, record);
        const before = await bench.tree.get(path);
        const reason = await suffers('HOLT_ZNODE_FOREIGN', {
          breaks: () =>
            before === null ? bench.tree.create(path, garbage) : bench.tree.set(path, garbage, 'any'),
          // What Holt writes anew with every batch or request needs nobody to mend it.
          mends: async () => {
            if (record === 'receipt') return;
            const now = await bench.tree.get(path);
            if (before !== null) await bench.tree.set(path, before.data, 'any');
            else if (now !== null) await bench.tree.remove(path, 'any');
          },
        });
        expect(reason).toContain(path);
      },
    );

    it('a foreign task: one with a name that is none, one with foreign data', async () => {
      for (const name of ['garbage', '9999999999-00000000000000000001']) {
        const path = `${STAGES_ROOT}/bad:extract/${name}`;
        const reason = await suffers('HOLT_ZNODE_FOREIGN', {
          breaks: () => bench.tree.create(path, garbage),
          mends: () => bench.tree.remove(path, 'any'),
        });
        expect(reason).toContain(path);
      }
    });
  });

  describe('calls between nodes', () => {
    it('refuses what is unsigned, signed with another key, or sent twice, and says nothing', async () => {
      const presence = JSON.parse(
        (await bench.tree.get(nodePath('n1' as Parameters<typeof nodePath>[0])))?.data.toString() ?? '{}',
      ) as { address: string };
      const { address } = presence;
      const key = Buffer.from(bench.holt.env.HOLT_CLUSTER_KEY ?? '');
      const get = (target: string, headers: Record<string, string> = {}) =>
        fetch(`${address}${target}`, { headers, signal: AbortSignal.timeout(5_000) });
      for (const target of ['/status/v1/node', '/pipe/v1/payload?pipeline=bad', '/', '/nowhere']) {
        const answer = await get(target);
        expect(answer.status).toBe(401);
        expect(await answer.text()).not.toMatch(/bad|n1|tenure/);
      }
      const stranger = new ChannelClient({
        node: 'n1',
        key: Buffer.alloc(24, 7),
        tls: null,
        nowMs: () => Date.now(),
      });
      await expect(
        stranger.json(address, '/status/v1/node', AbortSignal.timeout(5_000)),
      ).rejects.toMatchObject({ code: 'HOLT_PIPE_REFUSED' });
      const request = { method: 'GET', target: '/status/v1/node', body: Buffer.alloc(0) };
      const signed = { ...signRequest(key, 'n2', Date.now(), request) };
      expect((await get(request.target, signed)).status).toBe(200);
      expect((await get(request.target, signed)).status).toBe(401);
      const late = { ...signRequest(key, 'n2', Date.now() - 120_000, request) };
      expect((await get(request.target, late)).status).toBe(401);
      // Signed, and for a payload that does not exist, or with a request that is none.
      const friend = new ChannelClient({ node: 'n2', key, tls: null, nowMs: () => Date.now() });
      for (const query of [
        '',
        '?pipeline=bad',
        `?pipeline=bad&tenure=x&seq=${'9'.repeat(400)}&part=-1&sha256=zz`,
      ])
        await expect(
          friend.json(address, `/pipe/v1/payload${query}`, AbortSignal.timeout(5_000)),
        ).rejects.toMatchObject({ code: expect.stringMatching(/^HOLT_/) });
      await bench.heals();
    });
  });
});
