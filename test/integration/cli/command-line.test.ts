import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor, withDeadline } from '../../../lib/abort.ts';
import { freePort } from '../../support/free-port.ts';
import { repositoryRoot } from '../../support/inventory.ts';

/** `holt` as a person runs it: a process, its two streams, its exit code. */
const HOLT = join(repositoryRoot(), 'bin/holt.mjs');
const folder = mkdtempSync(join(tmpdir(), 'holt-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function holt(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [HOLT, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => {
    out += String(data);
  });
  child.stderr.on('data', (data) => {
    err += String(data);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

const BROKEN = `apiVersion: holt/v1
kind: Holt
metadata: {name: broken}
spec:
  dataSources:
    east: {site: east, host: 127.0.0.1, user: holt, pasword: "\${env:X}"}
    west: {site: west, host: 127.0.0.1, user: holt, port: many}
  channels:
    c:
      pipelines:
        p: {source: east, target: wset, tables: [shop.*]}
`;

describe('the command line', () => {
  // The first call in a clone builds.
  beforeAll(async () => {
    await holt(['--version']);
  }, 180_000);

  it('shows what there is', async () => {
    const { code, out, err } = await holt(['--help']);
    expect(code).toBe(0);
    expect(err).toBe('');
    for (const command of [
      'node',
      'run',
      'config',
      'doctor',
      'status',
      'lag',
      'pipeline',
      'position',
      'verify',
      'errors',
      'grants',
      'binlog',
    ])
      expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  });

  it('tells its version', async () => {
    expect(await holt(['--version'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });

  it.each([
    [['statsu'], 'status'],
    [['pipeline', 'strat', 'p'], 'start'],
    [['status', '--wtach'], '--watch'],
    [['position', 'set', 'p', 'mysql:'], '--reason'],
    [['pipeline', 'delete', 'p'], '--yes'],
    [['status', '-o', 'xml'], 'table, wide, json, yaml'],
    [['run', '--listen', 'nowhere'], 'host:port'],
    [['run', '--listen', '127.0.0.1:65536'], 'host:port'],
    [['errors', 'list', 'p', '--limit', 'all'], 'whole number'],
    [['verify'], 'pipeline'],
  ])('%j is a matter of usage: exit code 2 and a hint', async (args, hint) => {
    const { code, out, err } = await holt(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(hint);
  });

  it('names every problem of a broken configuration with its place: exit code 3', async () => {
    const path = join(folder, 'broken.yaml');
    writeFileSync(path, BROKEN);
    for (const command of [['config', 'check'], ['config', 'show'], ['doctor'], ['node']]) {
      const { code, out, err } = await holt([...command, '-c', path]);
      expect(code).toBe(3);
      expect(out).toBe('');
      expect(err).toContain('[HOLT_CONFIG_INVALID]');
      expect(err).toMatch(/broken\.yaml:6:\d+: .*unknown key "pasword" Did you mean "password"\?/);
      expect(err).toMatch(/broken\.yaml:7:\d+: .*port/);
    }
  });

  it('a binlog file that is none leaves nothing on standard output', async () => {
    const path = join(folder, 'no.binlog');
    writeFileSync(path, 'hello world');
    expect(await holt(['binlog', 'dump', path])).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('it is no binlog file'),
    });
  });

  it('holt run does not take the work from the nodes of a configuration, nor runs nothing', async () => {
    const examples = join(repositoryRoot(), 'conf/examples');
    expect(await holt(['run', '-c', join(examples, 'two-way.yaml')])).toMatchObject({
      code: 3,
      err: expect.stringContaining('holt node --name east-1'),
    });
    const path = join(folder, 'bare.yaml');
    writeFileSync(
      path,
      'apiVersion: holt/v1\nkind: Holt\nmetadata: {name: bare}\nspec: {coordination: {kind: embedded}}\n',
    );
    expect(await holt(['run', '-c', path])).toMatchObject({
      code: 3,
      err: expect.stringContaining('no pipeline'),
    });
    expect(await holt(['node', '-c', path])).toMatchObject({
      code: 4,
      err: expect.stringContaining('no nodes'),
    });
    writeFileSync(path, '# nothing yet\n');
    expect(await holt(['config', 'check', '-c', path])).toMatchObject({
      code: 3,
      err: expect.stringContaining('is empty'),
    });
  });

  it('a watch goes on while the node is away, and an interrupt ends it at once', async () => {
    const port = await freePort();
    const child = spawn(
      process.execPath,
      [HOLT, 'status', '--watch', '0.1', '--server', `http://127.0.0.1:${port}`],
      { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let out = '';
    child.stdout.on('data', (data) => {
      out += String(data);
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await waitFor(() => out.split('HOLT_SERVER_UNREACHABLE').length > 2, {
      what: 'a second try',
      timeoutMs: 30_000,
    });
    child.kill('SIGINT');
    expect(await withDeadline(ended, 30_000, 'the end')).toBe(130);
  });

  it('an interrupt does not wait for a node that does not answer', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => silent.once('listening', resolve));
      const asked = new Promise((resolve) => silent.once('request', resolve));
      const server = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const child = spawn(
        process.execPath,
        [HOLT, 'pipeline', 'pause', 'p', '--timeout', '600', '--server', server],
        { cwd: folder, stdio: 'ignore' },
      );
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      await withDeadline(asked, 30_000, 'the request');
      child.kill('SIGINT');
      expect(await withDeadline(ended, 30_000, 'the end')).toBe(130);
    } finally {
      silent.closeAllConnections();
      silent.close();
    }
  });

  it('a configuration that is not there, or no YAML', async () => {
    expect(await holt(['config', 'check', '-c', join(folder, 'nowhere.yaml')])).toMatchObject({
      code: 3,
      err: expect.stringContaining('[HOLT_CONFIG_MISSING]'),
    });
    const path = join(folder, 'no.yaml');
    writeFileSync(path, 'a: [1, 2\nb: }');
    expect(await holt(['config', 'check', '-c', path])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/no\.yaml:\d+:\d+/),
    });
  });

  it('no node answers: one line, a hint and a code, exit code 7', async () => {
    const server = `http://127.0.0.1:${await freePort()}`;
    const { code, out, err } = await holt(['status', '--server', server]);
    expect(code).toBe(7);
    expect(out).toBe('');
    expect(err.trimEnd().split('\n')).toEqual([
      expect.stringMatching(
        /^holt: no answer from http:\/\/127\.0\.0\.1:\d+: .*\[HOLT_SERVER_UNREACHABLE\]$/,
      ),
      expect.stringMatching(/^ {2}\S.*--server/),
    ]);
  });

  it.each([['-o', 'json'], ['--output=json'], ['-ojson'], ['--output', 'json']])(
    'with %s %s the error is JSON, too',
    async (...output) => {
      const { code, err } = await holt(['status', ...output.filter(Boolean)], {
        HOLT_SERVER: `http://127.0.0.1:${await freePort()}`,
      });
      expect(code).toBe(7);
      expect(JSON.parse(err)).toEqual({
        error: {
          code: 'HOLT_SERVER_UNREACHABLE',
          message: expect.stringContaining('no answer from'),
          remedy: expect.stringContaining('Start a node'),
        },
      });
    },
  );

  it('something else answers at the address: it is told so', async () => {
    const server = createServer((_, response) => response.end('<html>hello</html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const ended = await holt(['status', '--server', `http://127.0.0.1:${port}`]);
      expect(ended).toMatchObject({ code: 1, err: expect.stringContaining('[HOLT_SERVER_FOREIGN]') });
    } finally {
      server.close();
    }
    expect(await holt(['status', '--server', 'nonsense'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('"nonsense" is no address of a node'),
    });
  });

  describe('a node that cannot start', () => {
    /** A configuration of one node and no server: it needs none to find out. */
    function configuration(node: object, spec: object = {}): string {
      const path = join(folder, `${randomBytes(4).toString('hex')}.yaml`);
      const document = {
        apiVersion: 'holt/v1',
        kind: 'Holt',
        metadata: { name: 'x' },
        spec: {
          coordination: { kind: 'embedded' },
          sites: { east: {} },
          nodes: { n1: { site: 'east', listen: '127.0.0.1:0', pipe: { listen: '127.0.0.1:0' }, ...node } },
          ...spec,
        },
      };
      writeFileSync(path, JSON.stringify(document));
      return path;
    }

    it.each<[string, object, object, number, Readonly<Record<string, string>>]>([
      ['HOLT_API_NOT_LOOPBACK', { listen: '0.0.0.0:0' }, { api: { auth: 'off' } }, 3, {}],
      ['HOLT_API_TOKEN_WEAK', {}, { api: { token: '${env:WEAK}' } }, 3, { WEAK: 'short' }],
      ['HOLT_SECRET_MISSING', { clusterKey: '${env:NOT_SET}' }, {}, 3, {}],
      ['HOLT_CLUSTER_KEY_WEAK', { clusterKey: '${env:WEAK}' }, {}, 3, { WEAK: 'short' }],
      [
        'HOLT_FILE_UNREADABLE',
        { pipe: { listen: '127.0.0.1:0', tls: { cert: 'a.pem', key: 'b.pem', ca: 'c.pem' } } },
        {},
        3,
        {},
      ],
      [
        'HOLT_FILE_UNREADABLE',
        {},
        { coordination: { kind: 'zookeeper', tls: { mode: 'verify-ca', ca: 'nowhere.pem' } } },
        3,
        {},
      ],
    ])('%s', async (code, node, spec, exitCode, env) => {
      const ended = await holt(['node', '-c', configuration(node, spec)], env);
      expect(ended.err).toContain(`[${code}]`);
      expect(ended.code).toBe(exitCode);
      expect(ended.err).not.toContain('    at ');
    });

    it('a port that is taken', async () => {
      const other = createServer();
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
      const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
      try {
        for (const [node, code] of [
          [{ listen: taken }, 'HOLT_API_LISTEN'],
          [{ pipe: { listen: taken } }, 'HOLT_PIPE_LISTEN'],
        ] as const) {
          const ended = await holt(['node', '-c', configuration(node)]);
          expect(ended.err).toContain(`[${code}]`);
          expect(ended.err).toContain(taken);
          expect(ended.code).toBe(1);
        }
      } finally {
        other.close();
      }
    });

    it('a name that the configuration does not have', async () => {
      const ended = await holt(['node', '--name', 'n2', '-c', configuration({})]);
      expect(ended).toMatchObject({ code: 4, err: expect.stringContaining('[HOLT_NODE_UNKNOWN]') });
      expect(ended.err).toContain('n1');
    });
  });

  it('a node that never reaches ZooKeeper says so, and leaves when asked', async () => {
    const path = join(folder, 'alone.yaml');
    const token = 'a-token-of-twenty-four-characters';
    const api = await freePort();
    writeFileSync(
      path,
      JSON.stringify({
        apiVersion: 'holt/v1',
        kind: 'Holt',
        metadata: { name: 'x' },
        spec: {
          coordination: { kind: 'zookeeper', servers: `127.0.0.1:${await freePort()}` },
          api: { token: '${env:API_TOKEN}' },
          dataSources: {
            a: { site: 'east', host: '127.0.0.1', port: 1, user: 'holt' },
            b: { site: 'west', host: '127.0.0.1', port: 1, user: 'holt' },
          },
          channels: {
            c: { pipelines: { p: { source: 'a', target: 'b', start: 'now', tables: ['shop.*'] } } },
          },
          nodes: { n1: { site: 'east', listen: `127.0.0.1:${api}`, pipe: { listen: '127.0.0.1:0' } } },
        },
      }),
    );
    const child = spawn(process.execPath, [HOLT, 'node', '-c', path], {
      stdio: 'ignore',
      env: { ...process.env, API_TOKEN: token },
    });
    const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
    try {
      const ready = await waitFor(
        async () => {
          const answer = await fetch(`http://127.0.0.1:${api}/readyz`).catch(() => null);
          return answer === null ? null : { status: answer.status, body: (await answer.json()) as unknown };
        },
        { timeoutMs: 30_000, what: 'the node to answer' },
      );
      expect(ready).toEqual({ status: 503, body: { ok: false, reason: expect.stringContaining('session') } });
      const server = `http://127.0.0.1:${api}`;
      const status = await holt(['status', '--server', server], { HOLT_TOKEN: token });
      expect(status).toMatchObject({ code: 7, err: expect.stringContaining('[HOLT_TREE_') });
      expect(await holt(['status', '--server', server])).toMatchObject({
        code: 6,
        err: expect.stringContaining('[HOLT_UNAUTHENTICATED]'),
      });
      child.kill('SIGTERM');
      // Nothing is held: it need not wait for what does not answer.
      expect(await withDeadline(ended, 5_000, 'the node to leave')).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('a reader that has seen enough ends the output without a word', async () => {
    const child = spawn(
      'sh',
      [
        '-c',
        `"${process.execPath}" "${HOLT}" binlog dump "$1" | head -n 2`,
        'sh',
        join(repositoryRoot(), 'test/fixtures/binlog/mysql.binlog'),
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let err = '';
    child.stderr.on('data', (data) => {
      err += String(data);
    });
    await new Promise((resolve) => child.once('close', resolve));
    expect(err).toBe('');
  });
});
