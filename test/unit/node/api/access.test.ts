import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiBench, ROOT_TOKEN } from '../../../support/api-bench.ts';

/**
 * Who may call what, said here once more and by hand. A route that is missing fails the first test: whoever adds one says who may call it.
 */
const EXPECTED = {
  getVersion: 'public',
  getSetup: 'public',
  setup: 'public',
  login: 'public',
  getSession: 'account',
  logout: 'account',
  changeOwnPassword: 'account',
  listTokens: 'account',
  createToken: 'account',
  revokeToken: 'account',
  listUsers: 'admin',
  createUser: 'admin',
  changeUser: 'admin',
  deleteUser: 'admin',
  listAudit: 'admin',
  listNodes: 'viewer',
  listClocks: 'viewer',
  listSites: 'viewer',
  getNode: 'viewer',
  getNodeConfig: 'admin',
  getDrain: 'viewer',
  drainNode: 'operator',
  undrainNode: 'operator',
  listQueues: 'viewer',
  getSupportBundle: 'admin',
  getBatch: 'viewer',
  retryBatch: 'operator',
  restartPipeline: 'operator',
  checkConfig: 'operator',
  listConfigs: 'viewer',
  getKeptConfig: 'viewer',
  diffConfigs: 'viewer',
  closeError: 'operator',
  getLogLevel: 'viewer',
  setLogLevel: 'admin',
  listAppliedBatches: 'viewer',
  listBatches: 'viewer',
  listClaims: 'admin',
  getZnode: 'admin',
  followEvents: 'viewer',
  getHistory: 'viewer',
  listAlarms: 'viewer',
  acknowledgeAlarm: 'operator',
  listAlarmNotices: 'viewer',
  listAlarmRules: 'viewer',
  listAlarmChannels: 'viewer',
  testAlarmChannel: 'operator',
  listAlarmSilences: 'viewer',
  createAlarmSilence: 'operator',
  endAlarmSilence: 'operator',
  listChecks: 'viewer',
  listPipelines: 'viewer',
  getPipelineStatus: 'viewer',
  startPipeline: 'operator',
  resumePipeline: 'operator',
  pausePipeline: 'operator',
  stopPipeline: 'operator',
  deletePipeline: 'admin',
  getConfig: 'viewer',
  setConfig: 'admin',
  getPosition: 'viewer',
  setPosition: 'admin',
  waitForPosition: 'viewer',
  startTrace: 'operator',
  getTrace: 'operator',
  cancelTrace: 'operator',
  listParkedTables: 'viewer',
  parkTable: 'operator',
  resumeTable: 'operator',
  listErrors: 'viewer',
  getError: 'operator',
  replayError: 'operator',
  listDdl: 'viewer',
  getDdl: 'viewer',
  settleDdl: 'operator',
  startCheck: 'operator',
  getCheck: 'viewer',
} as const;

const RANK = ['nobody', 'viewer', 'operator', 'admin'] as const;
type Caller = (typeof RANK)[number];

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly audited: boolean;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly operationId: string; readonly 'x-holt-audited': boolean }>>
    >
  >;
}

let bench: ApiBench;
let operations: readonly Operation[] = [];
const tokens = new Map<Caller, string>();
/** Of an account confined to pipelines that begin with "own-". */
let confined = '';

beforeAll(async () => {
  bench = await ApiBench.start();
  for (const role of ['viewer', 'operator', 'admin'] as const) tokens.set(role, await tokenOf(role, null));
  confined = await tokenOf('operator', ['own-*']);
  const document = (await bench.send('GET', '/api/v1/openapi.json')).json() as Document;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({
      id: one.operationId,
      method: method.toUpperCase(),
      path,
      audited: one['x-holt-audited'],
    })),
  );
});
afterAll(() => bench[Symbol.asyncDispose]());

async function tokenOf(role: string, pipelines: readonly string[] | null): Promise<string> {
  const answer = await bench.send('POST', '/api/v1/tokens', {
    token: ROOT_TOKEN,
    body: JSON.stringify({ name: `for ${role}`, role, pipelines }),
  });
  expect(answer.status).toBe(201);
  return (answer.json() as { readonly token: string }).token;
}

/** With a body that no route takes: who is let in is told that, and nothing happens. */
function call(one: Operation, token: string | undefined, pipeline = 'p') {
  const path = one.path.replace('{name}', pipeline).replace(/\{[a-z]+\}/gi, 'x');
  // A stream that is let in would stay open.
  const query = one.id === 'followEvents' ? '?topics=none' : '';
  return bench.send(one.method, `/api/v1${path}${query}`, {
    ...(token === undefined ? {} : { token }),
    ...(one.method === 'GET' || one.method === 'DELETE' ? {} : { body: '{"unknown":1}' }),
  });
}

function isAllowed(caller: Caller, wanted: string): boolean {
  if (wanted === 'public') return true;
  if (wanted === 'account') return caller !== 'nobody';
  return RANK.indexOf(caller) >= RANK.indexOf(wanted as Caller);
}

describe('who may call what', () => {
  test('every operation of the document is in the table here, and no other', () => {
    expect(operations.map((one) => one.id).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  test.each(RANK)('%s is let in where it should be, and nowhere else', async (caller) => {
    const wrong: string[] = [];
    for (const one of operations) {
      // It would end what the next ones need.
      if (one.id === 'logout') continue;
      const answer = await call(one, tokens.get(caller));
      const isRefused =
        answer.status === 401 || (answer.status === 403 && /HOLT_FORBIDDEN.*this needs/.test(answer.text));
      const allowed = isAllowed(caller, EXPECTED[one.id as keyof typeof EXPECTED]);
      if (isRefused === allowed) wrong.push(`${one.id}: ${answer.status} ${answer.text.slice(0, 200)}`);
      if (isRefused) expect(answer.status).toBe(caller === 'nobody' ? 401 : 403);
    }
    expect(wrong).toEqual([]);
  });

  test('an account confined to some pipelines is refused all others, on every route of a pipeline', async () => {
    const ofPipelines = operations.filter((one) => one.path.startsWith('/pipelines/{name}'));
    expect(ofPipelines.length).toBeGreaterThan(15);
    for (const one of ofPipelines) {
      const foreign = await call(one, confined, 'other');
      expect([one.id, foreign.status]).toEqual([one.id, 403]);
      const own = await call(one, confined, 'own-1');
      const isForAdmins = EXPECTED[one.id as keyof typeof EXPECTED] === 'admin';
      expect([one.id, own.status === 403]).toEqual([one.id, isForAdmins]);
    }
  });

  test.each(['nonsense', `${'holt_api'}_${'0'.repeat(16)}_${'A'.repeat(43)}`, 'x'.repeat(600), ''])(
    'the token %j is nobody',
    async (token) => {
      expect((await bench.send('GET', '/api/v1/pipelines', { token })).status).toBe(401);
    },
  );

  test('a good token under another scheme is nobody', async () => {
    const headers = { authorization: `Basic ${tokens.get('admin')}` };
    expect((await bench.send('GET', '/api/v1/nodes', { headers })).status).toBe(401);
  });
});

describe('the audit log', () => {
  test('has an entry for everything that was asked for and could change something, whoever asked', async () => {
    const audited = operations.filter((one) => one.audited);
    expect(operations.filter((one) => one.method !== 'GET' && !one.audited)).toEqual([]);
    for (const one of audited.filter(({ id }) => id !== 'logout')) {
      const before = await entries();
      await call(one, tokens.get('admin'));
      await call(one, tokens.get('viewer'));
      const after = await entries();
      const fresh = after.filter((entry) => !before.some(({ id }) => id === entry.id));
      expect(fresh.map(({ action }) => action)).toEqual([one.id, one.id]);
      for (const entry of fresh)
        expect(entry).toMatchObject({
          node: 'n1',
          from: '127.0.0.1',
          result: expect.stringMatching(/refused|failed|done/),
        });
    }
  });

  test('goes in pages, newest first, and can be asked for one account', async () => {
    const all = await entries();
    const paged: { readonly id: string }[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const after: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = (
        await bench.send('GET', `/api/v1/audit?limit=7${after}`, { token: ROOT_TOKEN })
      ).json() as {
        readonly items: readonly { readonly id: string }[];
        readonly next: string | null;
      };
      expect(page.items.length).toBeLessThanOrEqual(7);
      paged.push(...page.items);
      cursor = page.next;
    }
    expect(paged.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
    expect(all.map(({ id }) => id)).toEqual(
      all
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
    const some = await bench.send('GET', '/api/v1/audit?result=done', { token: ROOT_TOKEN });
    expect((some.json() as { readonly items: readonly { readonly result: string }[] }).items).toEqual(
      all.filter((one) => one.result === 'done'),
    );
  });

  test('never holds a secret', async () => {
    const secret = 'Correct-Horse-9';
    await bench.send('POST', '/api/v1/users', {
      token: ROOT_TOKEN,
      body: JSON.stringify({ name: 'eve', role: 'viewer', password: secret }),
    });
    await bench.send('POST', '/api/v1/session', { body: JSON.stringify({ name: 'eve', password: secret }) });
    const text = JSON.stringify(await entries());
    expect(text).toContain('eve');
    expect(text).not.toContain(secret);
    for (const token of tokens.values()) expect(text).not.toContain(token.split('_')[3]);
  });
});

async function entries(): Promise<
  readonly { readonly id: string; readonly action: string; readonly result: string }[]
> {
  const answer = await bench.send('GET', '/api/v1/audit?limit=1000', { token: ROOT_TOKEN });
  return (answer.json() as { readonly items: readonly { id: string; action: string; result: string }[] })
    .items;
}

describe('secrets', () => {
  test('are in no answer but the one that gives them', async () => {
    const secrets = bench.embedded
      .standing('/seda/access')
      .flatMap(({ data }) =>
        [...data.toString('utf8').matchAll(/"(?:hash|salt|seal)":"([^"]+)"/g)].map(
          ([, found]) => found ?? '',
        ),
      );
    expect(secrets.length).toBeGreaterThan(5);
    for (const one of operations.filter(({ method }) => method === 'GET')) {
      const { text } = await call(one, ROOT_TOKEN);
      for (const secret of [...secrets, ROOT_TOKEN]) expect(text.includes(secret) ? one.id : null).toBeNull();
    }
  });

  test('answers are not kept by browsers or proxies, and frames and foreign scripts have no place', async () => {
    const { headers } = await bench.send('GET', '/api/v1/session', { token: ROOT_TOKEN });
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  });
});
