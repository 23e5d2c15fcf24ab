import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { HoltInstallation } from '../support/holt-installation.ts';
import { repositoryRoot } from '../support/inventory.ts';
import { startDatabase, startZookeeper } from '../support/servers.ts';
import { createShop, SCHEMA, ShopWriter } from '../support/shop.ts';

type Disposable = AsyncDisposable;

/** Two nodes at two sites with ZooKeeper between them, asked over HTTP and by the command line. */
describe('the API of an installation', () => {
  const resources: Disposable[] = [];
  let holt: HoltInstallation;
  let writer: ShopWriter;

  beforeAll(async () => {
    const [east, west, zookeeper] = await Promise.all([
      startDatabase('mariadb'),
      startDatabase('mariadb'),
      startZookeeper(),
    ]);
    resources.push(east, west, zookeeper);
    for (const { db } of [east, west]) await createShop(db, { sites: ['east'] });
    holt = await HoltInstallation.create({
      databases: { east: east.db.endpoint, west: west.db.endpoint },
      zookeeper: `127.0.0.1:${zookeeper.port}`,
      nodes: { 'east-1': 'east', 'west-1': 'west' },
      pipelines: {
        'east-west': { source: 'east-db', target: 'west-db', start: 'now', tables: [`${SCHEMA}.*`] },
      },
    });
    resources.push(holt);
    await holt.start();
    // What is written before it begins is not carried.
    await waitFor(async () => (await holt.status('east-west'))?.state === 'idle', {
      timeoutMs: 120_000,
      pollMs: 100,
      what: 'the pipeline to begin',
    });
    writer = new ShopWriter({ db: east.db, site: 'east', index: 0, count: 1, rate: 50 });
    writer.start();
  });
  afterAll(async () => {
    await writer?.stop();
    for (const one of resources.reverse()) await one[Symbol.asyncDispose]();
  });

  const call = async (node: string, method: string, path: string, body?: unknown) => {
    const answer = await fetch(`${holt.node(node).apiUrl}/api/v1${path}`, {
      method,
      signal: AbortSignal.timeout(30_000),
      headers: {
        authorization: `Bearer ${holt.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  };

  it('the log level of a node is changed through another', async () => {
    const level = () => call('east-1', 'GET', '/nodes/west-1/log-level');
    expect((await level()).json).toEqual({ node: 'west-1', level: 'info' });
    await call('east-1', 'PUT', '/nodes/west-1/log-level', { level: 'debug' });
    expect((await level()).json).toEqual({ node: 'west-1', level: 'debug' });
    await waitFor(() => /"level":"debug"/.test(holt.node('west-1').logText()), {
      timeoutMs: 30_000,
      pollMs: 200,
      what: 'a line of level debug',
    });
    expect((await call('east-1', 'PUT', '/nodes/west-1/log-level', { level: 'info' })).status).toBe(200);
    expect((await call('east-1', 'GET', '/nodes/nowhere/log-level')).status).toBe(404);
  });

  it('shows sites, claims, batches and the tree, and hides what is about accounts', async () => {
    const { json } = await call('west-1', 'GET', '/sites');
    expect(json.items).toMatchObject([
      { site: 'east', nodes: ['east-1'], outgoing: ['east-west'] },
      { site: 'west', nodes: ['west-1'], incoming: ['east-west'] },
    ]);
    const claims = (await call('west-1', 'GET', '/claims')).json.items as readonly {
      kind: string;
      node: string;
    }[];
    expect(claims).toContainEqual(
      expect.objectContaining({ kind: 'mainstem', node: 'east-1', pipeline: 'east-west' }),
    );
    expect(claims).toContainEqual(
      expect.objectContaining({ kind: 'source', node: 'east-1', source: 'east-db' }),
    );
    await waitFor(
      async () =>
        ((await call('west-1', 'GET', '/pipelines/east-west/batches')).json.items as unknown[]).length > 0,
      { timeoutMs: 60_000, pollMs: 5, what: 'a batch in flight' },
    );
    const root = await call('west-1', 'GET', '/tree?path=/seda');
    expect(root.json.items).toEqual(expect.arrayContaining(['access', 'node', 'pipeline', 'stage']));
    const setup = await call('west-1', 'GET', '/tree?path=/seda/access/setup');
    expect(setup.json.node).toMatchObject({ hidden: true, data: null });
    expect((await call('west-1', 'GET', '/tree?path=/nowhere')).status).toBe(404);
  });

  it('changes the configuration for all nodes, only from the version that was read, and until the files change', async () => {
    const put = async (node: string, config: unknown, etag: string | null) => {
      const answer = await fetch(`${holt.node(node).apiUrl}/api/v1/pipelines/east-west/config`, {
        method: 'PUT',
        signal: AbortSignal.timeout(30_000),
        headers: {
          authorization: `Bearer ${holt.token}`,
          'content-type': 'application/json',
          ...(etag === null ? {} : { 'if-match': etag }),
        },
        body: JSON.stringify({ config, why: 'a test' }),
      });
      return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
    };
    const read = async (node: string) =>
      (await call(node, 'GET', '/pipelines/east-west/config')).json as {
        readonly version: number;
        readonly overridesFiles: boolean;
        readonly config: { readonly batch: Readonly<Record<string, number>> };
      };
    const { version, config } = await read('west-1');
    const next = { ...config, batch: { ...config.batch, maxRows: 777 } };
    expect(await put('west-1', next, null)).toMatchObject({
      status: 428,
      json: { code: 'HOLT_IF_MATCH_MISSING' },
    });
    expect(await put('west-1', next, `"${version + 1}"`)).toMatchObject({
      status: 412,
      json: { code: 'HOLT_CONFIG_VERSION' },
    });
    expect(await put('west-1', { ...next, target: 'east-db' }, `"${version}"`)).toMatchObject({
      status: 400,
    });
    const before = (await holt.status('east-west'))?.epoch ?? 0;
    expect((await put('west-1', config, `"${version}"`)).json).toMatchObject({ version });
    expect((await put('west-1', next, `"${version}"`)).json).toMatchObject({ version: version + 1 });
    await waitFor(
      async () => {
        const now = await holt.status('east-west');
        return (now?.epoch ?? 0) > before && (now?.state === 'running' || now?.state === 'idle');
      },
      { timeoutMs: 120_000, pollMs: 200, what: 'a reign with the new configuration' },
    );
    // A node that starts with unchanged files leaves it.
    await holt.node('west-1').stop();
    await holt.node('west-1').start();
    await holt.node('west-1').ready();
    expect(await read('east-1')).toMatchObject({ overridesFiles: true, config: { batch: { maxRows: 777 } } });
    const diff = async (query: string) =>
      (await call('west-1', 'GET', `/pipelines/east-west/config/diff${query}`)).json.differences;
    expect(await diff('')).toEqual([
      { path: 'batch.maxRows', before: String(config.batch.maxRows), after: '777' },
    ]);
    expect((await put('east-1', config, `"${(await read('east-1')).version}"`)).json).toMatchObject({
      overridesFiles: false,
    });
    // All three are kept, and what was put through the API can be compared with what rules.
    const kept = (await call('west-1', 'GET', '/pipelines/east-west/config/history')).json.items as readonly {
      readonly id: string;
      readonly overridesFiles: boolean;
      readonly isCurrent: boolean;
    }[];
    expect(kept.map(({ overridesFiles, isCurrent }) => [overridesFiles, isCurrent])).toEqual([
      [false, true],
      [true, false],
      [false, false],
    ]);
    expect(await diff(`?from=${kept[1]?.id}`)).toEqual([
      { path: 'batch.maxRows', before: '777', after: String(config.batch.maxRows) },
    ]);
    expect((await call('west-1', 'GET', '/pipelines/east-west/config/history/nonsense')).status).toBe(404);
  });

  it('begins anew from the checkpoint when asked to, and not where nothing has failed', async () => {
    const epoch = async () => (await holt.status('east-west'))?.epoch ?? 0;
    await waitFor(async () => ['running', 'idle'].includes((await holt.status('east-west'))?.state ?? ''), {
      timeoutMs: 120_000,
      pollMs: 200,
      what: 'the pipeline to work',
    });
    const before = await epoch();
    const failed = await call('west-1', 'POST', '/pipelines/east-west/restart?onlyFailed=true', { why: 't' });
    expect(failed).toMatchObject({ status: 202, json: { restarted: false } });
    expect(await epoch()).toBe(before);
    const all = await call('west-1', 'POST', '/pipelines/east-west/restart', { why: 'a test' });
    expect(all).toMatchObject({ status: 202, json: { restarted: true } });
    await waitFor(async () => (await epoch()) > before, {
      timeoutMs: 60_000,
      pollMs: 200,
      what: 'a new reign',
    });
    expect(
      await call('west-1', 'POST', '/pipelines/east-west/batches/0000000001-1/retry', { why: 't' }),
    ).toMatchObject({ status: 404, json: { code: 'HOLT_BATCH_UNKNOWN' } });
    expect((await call('east-1', 'PUT', '/pipelines/east-west/pause', { why: 'a test' })).status).toBe(202);
    expect(await call('west-1', 'POST', '/pipelines/east-west/restart', { why: 't' })).toMatchObject({
      status: 409,
      json: { code: 'HOLT_PIPELINE_STATE' },
    });
    expect((await call('east-1', 'PUT', '/pipelines/east-west/resume', { why: 'a test' })).status).toBe(202);
  });

  it('a node puts its work down when asked to, says so, and takes it up again', async () => {
    const state = async () => (await call('west-1', 'GET', '/nodes/east-1/drain')).json.state;
    expect(await call('west-1', 'PUT', '/nodes/east-1/drain', { why: 'a test' })).toMatchObject({
      status: 409,
      json: { code: 'HOLT_NODE_NEEDED', detail: expect.stringContaining('east-west (select)') },
    });
    const asked = await call('west-1', 'PUT', '/nodes/east-1/drain', { why: 'a test', force: true });
    expect(asked.status).toBe(202);
    await waitFor(async () => (await state()) === 'drained', {
      timeoutMs: 60_000,
      pollMs: 100,
      what: 'the node to be drained',
    });
    expect((await call('west-1', 'GET', '/nodes/east-1')).json).toMatchObject({ state: 'drained' });
    const claims = (await call('west-1', 'GET', '/claims')).json.items as readonly { node: string }[];
    expect(claims.filter((one) => one.node === 'east-1')).toEqual([]);
    expect((await fetch(`${holt.node('east-1').apiUrl}/readyz`)).status).toBe(503);
    expect((await call('east-1', 'GET', '/nodes')).status).toBe(200);
    expect((await call('west-1', 'DELETE', '/nodes/east-1/drain')).status).toBe(202);
    await waitFor(
      async () => {
        const now = await holt.status('east-west');
        return (await state()) === 'working' && (now?.state === 'running' || now?.state === 'idle');
      },
      { timeoutMs: 120_000, pollMs: 200, what: 'the pipeline to go on' },
    );
  });

  // After the drain: it shows, too, that no row was lost by it.
  it('a check that runs at one node is seen from the other', async () => {
    const started = await call('east-1', 'POST', '/pipelines/east-west/checks');
    expect(started.status).toBe(202);
    const seen = () => call('west-1', 'GET', `/pipelines/east-west/checks/${String(started.json.id)}`);
    expect((await seen()).json).toMatchObject({ id: started.json.id, pipeline: 'east-west' });
    const listed = await call('west-1', 'GET', '/pipelines/east-west/checks');
    expect(listed.json.items).toEqual([expect.objectContaining({ id: started.json.id })]);
    await waitFor(async () => (await seen()).json.state === 'equal', {
      timeoutMs: 150_000,
      pollMs: 200,
      what: 'the check to end',
    });
    expect((await call('west-1', 'GET', '/pipelines/east-west/checks/0000')).json).toMatchObject({
      code: 'HOLT_VERIFY_UNKNOWN',
    });
  });

  it('shows queues, the files of a node without secrets, and makes a support bundle', async () => {
    expect((await call('west-1', 'GET', '/queues')).json).toMatchObject({
      items: expect.arrayContaining([
        expect.objectContaining({ node: 'east-1', queue: 'holt-verify-east-1', kept: 'memory', failed: 0 }),
        expect.objectContaining({ node: 'west-1', queue: 'holt-verify-west-1' }),
      ]),
      silent: [],
    });
    const { json } = await call('west-1', 'GET', '/nodes/east-1/config');
    expect(json).toMatchObject({
      node: 'east-1',
      pipelines: ['east-west'],
      config: { node: { site: 'east' } },
    });
    const bundle = await call('west-1', 'GET', '/support-bundle');
    expect(bundle.json).toMatchObject({ details: { 'east-west': { config: { pipeline: 'east-west' } } } });
    for (const text of [JSON.stringify(json), JSON.stringify(bundle.json)])
      expect(text).not.toContain(holt.token);
  });

  it('tells what changes as it changes, at the node that does not lead', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      let all = '';
      const stream = request(
        `${holt.node('west-1').apiUrl}/api/v1/events`,
        { headers: { authorization: `Bearer ${holt.token}` } },
        (response) =>
          response.on('data', (data) => {
            all += String(data);
            if (!/event: snapshot[\s\S]*event: pipeline\n/.test(all)) return;
            resolve(all);
            stream.destroy();
          }),
      );
      stream.on('error', reject);
      stream.setTimeout(60_000, () => stream.destroy(new Error('nothing came')));
      stream.end();
    });
    expect(text).toMatch(/event: pipeline\ndata: \{"pipeline":"east-west"/);
  });

  it('keeps the history through a restart of the node that wrote it', async () => {
    const samples = async () => {
      const { json } = await call('west-1', 'GET', '/pipelines/east-west/history?step=5000');
      return json as {
        readonly points: readonly { readonly fromMs: number }[];
        readonly silent: readonly string[];
      };
    };
    const before = await waitFor(
      async () => {
        const found = await samples();
        return found.points.length >= 2 && found.silent.length === 0 ? found : null;
      },
      { timeoutMs: 60_000, pollMs: 500, what: 'two points' },
    );
    await holt.node('east-1').kill();
    await holt.node('east-1').start();
    await holt.node('east-1').ready();
    const after = await waitFor(
      async () => {
        const found = await samples();
        return found.silent.length === 0 && found.points.length > before.points.length ? found : null;
      },
      { timeoutMs: 60_000, pollMs: 500, what: 'more points' },
    );
    const kept = new Set(after.points.map((one) => Math.floor(one.fromMs / 5_000)));
    // Steps are counted from another beginning: each must still be there, or the one beside it.
    for (const { fromMs } of before.points) {
      const step = Math.floor(fromMs / 5_000);
      expect([step - 1, step, step + 1].some((one) => kept.has(one))).toBe(true);
    }
  });

  it('begins with the setup token at the command line; logins and tokens hold at every node', async () => {
    const home = join(holt.folder, 'home');
    const cli = (args: readonly string[]) =>
      new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>(
        (resolve, reject) => {
          const child = spawn(process.execPath, [join(repositoryRoot(), 'bin/holt.mjs'), ...args], {
            env: { PATH: process.env.PATH ?? '', HOME: home, XDG_CONFIG_HOME: home },
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
          child.once('error', reject);
          child.once('close', (code) => resolve({ code, out, err }));
        },
      );
    const east = holt.node('east-1').apiUrl;
    const west = holt.node('west-1').apiUrl;
    expect(await cli(['status', '--server', east])).toMatchObject({ code: 6 });
    const tokens = [...holt.nodes.values()].flatMap((node) =>
      [...node.logText().matchAll(/setup token: (holt_setup_\S+)/g)].map(([, token]) => token ?? ''),
    );
    const passwordFile = join(holt.folder, 'password');
    writeFileSync(passwordFile, 'Correct-Horse-9\n');
    let made = { code: 1 as number | null, out: '', err: 'no token was printed' };
    // The newest counts; nodes that started again printed another.
    for (const token of tokens.toReversed()) {
      made = await cli([
        ...['setup', '--server', east, '--user', 'ann', '--token', token],
        ...['--password-file', passwordFile],
      ]);
      if (made.code === 0) break;
    }
    expect(made).toMatchObject({ code: 0, out: expect.stringContaining('ann is logged in') });
    expect(await cli(['whoami'])).toMatchObject({ code: 0, out: expect.stringContaining('ann') });
    expect((await cli(['status', '-o', 'yaml'])).out).toContain('pipeline: east-west');
    // The same login is none of another server's business.
    expect(await cli(['status', '--server', west])).toMatchObject({ code: 6 });
    const login = await cli([
      ...['login', '--server', west, '--user', 'ann', '--password-file', passwordFile, '--as', 'west'],
    ]);
    expect(login.code).toBe(0);
    const token = (
      await cli(['token', 'create', 'a test', '--role', 'viewer', '--context', 'west'])
    ).out.trim();
    const tokenFile = join(holt.folder, 'viewer');
    writeFileSync(tokenFile, token);
    const asViewer = ['--server', east, '--token-file', tokenFile];
    expect(await cli(['status', ...asViewer])).toMatchObject({ code: 0 });
    expect(await cli(['pipeline', 'pause', 'east-west', ...asViewer])).toMatchObject({
      code: 6,
      err: expect.stringContaining('HOLT_FORBIDDEN'),
    });
    const audit = JSON.parse((await cli(['audit', 'list', '-o', 'json'])).out) as readonly object[];
    expect(audit).toContainEqual(
      expect.objectContaining({ action: 'pausePipeline', result: 'refused', code: 'HOLT_FORBIDDEN' }),
    );
    expect(audit).toContainEqual(expect.objectContaining({ action: 'setup', who: 'ann', result: 'done' }));
    expect(await cli(['logout', '--context', 'west'])).toMatchObject({ code: 0 });
    for (const node of holt.nodes.values()) {
      const printed = node.logText().replace(/setup token: \S+/g, '');
      for (const secret of [holt.token, token, 'Correct-Horse-9', ...tokens])
        expect(printed).not.toContain(secret);
    }
  });
});
