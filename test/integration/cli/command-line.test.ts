import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
    [['status', '-o', 'xml'], 'table, json'],
    [['run', '--listen', 'nowhere'], 'host:port'],
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
