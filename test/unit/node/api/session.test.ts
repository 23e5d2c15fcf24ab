import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../lib/clock.ts';
import { type ApiAnswer, ApiBench, ROOT_TOKEN } from '../../../support/api-bench.ts';

const PASSWORD = 'Correct-Horse-9';

let bench: ApiBench;
let aheadMs = 0;
beforeEach(async () => {
  aheadMs = 0;
  const { sleep } = systemClock;
  bench = await ApiBench.start({
    operations: { nodes: () => Promise.resolve([]), setDesired: () => Promise.resolve() },
    clock: {
      sleep,
      nowMs: () => systemClock.nowMs() + aheadMs,
      monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    },
  });
});
afterEach(() => bench[Symbol.asyncDispose]());

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  bench.send('POST', path, { body: JSON.stringify(body), headers });
const login = (name: string, password: string) => post('/api/v1/session', { name, password });
const asRoot = (method: string, path: string, body?: unknown) =>
  bench.send(method, path, {
    token: ROOT_TOKEN,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const makeUser = (name: string, role: string, more: object = {}) =>
  asRoot('POST', '/api/v1/users', { name, role, password: PASSWORD, ...more });

interface Session {
  readonly cookie: string;
  readonly csrf: string;
}

function sessionOf(answer: ApiAnswer): Session {
  expect(answer.status).toBe(201);
  const [cookie = ''] = answer.headers['set-cookie'] as readonly string[];
  expect(cookie).toMatch(/^holt_session=holt_ses_[^;]+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/);
  return { cookie: cookie.split(';')[0] ?? '', csrf: (answer.json() as { readonly csrf: string }).csrf };
}

const under = ({ cookie, csrf }: Session, method: string, path: string, body?: unknown, withCsrf = true) =>
  bench.send(method, path, {
    headers: { cookie, ...(withCsrf ? { 'holt-csrf': csrf } : {}) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe('the first account', () => {
  test('is made with the setup token, once, and is an administrator', async () => {
    expect((await bench.send('GET', '/api/v1/setup')).json()).toEqual({ needed: true });
    const offer = await bench.accounts.offerSetup();
    const body = { token: offer?.token, name: 'ann', password: PASSWORD };
    const wrong = await post('/api/v1/setup', { ...body, token: `${offer?.token?.slice(0, -1)}x` });
    expect(wrong.json()).toMatchObject({ code: 'HOLT_SETUP_REFUSED', status: 403 });
    const session = sessionOf(await post('/api/v1/setup', body));
    expect((await under(session, 'GET', '/api/v1/session')).json()).toMatchObject({
      name: 'ann',
      role: 'admin',
    });
    expect((await post('/api/v1/setup', { ...body, name: 'eve' })).json()).toMatchObject({
      code: 'HOLT_SETUP_REFUSED',
    });
    expect((await bench.send('GET', '/api/v1/setup')).json()).toEqual({ needed: false });
    expect(await bench.accounts.offerSetup()).toBeNull();
  });

  test('a setup token ends after a day; a node that starts again prints another', async () => {
    const first = await bench.accounts.offerSetup();
    aheadMs = 25 * 3_600_000;
    expect(
      (await post('/api/v1/setup', { token: first?.token, name: 'ann', password: PASSWORD })).status,
    ).toBe(403);
    const second = await bench.accounts.offerSetup();
    expect(second?.token).not.toBe(first?.token);
    expect(
      (await post('/api/v1/setup', { token: second?.token, name: 'ann', password: PASSWORD })).status,
    ).toBe(201);
  });

  test.each(['short', 'aaaaaaaaaaaa', 'password-of-annika'])(
    'the password %j is refused',
    async (password) => {
      const offer = await bench.accounts.offerSetup();
      const answer = await post('/api/v1/setup', { token: offer?.token, name: 'annika', password });
      expect(answer.json()).toMatchObject({
        code: 'HOLT_REQUEST_INVALID',
        detail: expect.stringMatching(/^password/),
      });
      // It was not used up.
      expect(
        (await post('/api/v1/setup', { token: offer?.token, name: 'annika', password: PASSWORD })).status,
      ).toBe(201);
    },
  );
});

describe('a login', () => {
  test('lets its cookie in, for changes only together with the csrf value, and no more after logout', async () => {
    await makeUser('ann', 'operator');
    const session = sessionOf(await login('ann', PASSWORD));
    expect((await under(session, 'GET', '/api/v1/nodes')).status).toBe(200);
    const pause = (withCsrf: boolean, given = session) =>
      under(given, 'PUT', '/api/v1/pipelines/p/pause', { why: 'x' }, withCsrf);
    expect((await pause(false)).json()).toMatchObject({ code: 'HOLT_CSRF', status: 403 });
    expect((await pause(true, { ...session, csrf: 'x' })).json()).toMatchObject({ code: 'HOLT_CSRF' });
    expect((await pause(true)).json()).toEqual({ pipeline: 'p', desired: 'paused' });
    expect((await under(session, 'DELETE', '/api/v1/session')).status).toBe(204);
    expect((await under(session, 'GET', '/api/v1/nodes')).status).toBe(401);
  });

  test('ends by time, with another password, when disabled, and when deleted', async () => {
    await makeUser('ann', 'viewer');
    for (const end of [
      () => {
        aheadMs += 3_600_001;
        return Promise.resolve();
      },
      () => asRoot('PATCH', '/api/v1/users/ann', { password: PASSWORD }),
      () => asRoot('PATCH', '/api/v1/users/ann', { role: 'operator' }),
      () => asRoot('PATCH', '/api/v1/users/ann', { disabled: true }),
    ]) {
      const session = sessionOf(await login('ann', PASSWORD));
      expect((await under(session, 'GET', '/api/v1/nodes')).status).toBe(200);
      await end();
      expect((await under(session, 'GET', '/api/v1/nodes')).status).toBe(401);
    }
    expect((await login('ann', PASSWORD)).json()).toMatchObject({ code: 'HOLT_LOGIN_FAILED' });
    expect((await asRoot('DELETE', '/api/v1/users/ann')).status).toBe(204);
    expect((await login('ann', PASSWORD)).json()).toMatchObject({ code: 'HOLT_LOGIN_FAILED' });
  });

  test("changes one's own password with the old one only, and never by a token", async () => {
    await makeUser('ann', 'viewer');
    const session = sessionOf(await login('ann', PASSWORD));
    const change = (old: string) =>
      under(session, 'PUT', '/api/v1/session/password', { old, new: `${PASSWORD}+` });
    expect((await change('wrong')).json()).toMatchObject({ code: 'HOLT_LOGIN_FAILED' });
    const made = await under(session, 'POST', '/api/v1/tokens', { name: 't', role: 'viewer' });
    const { token } = made.json() as { readonly token: string };
    const byToken = await bench.send('PUT', '/api/v1/session/password', {
      token,
      body: JSON.stringify({ old: PASSWORD, new: `${PASSWORD}+` }),
    });
    expect(byToken.json()).toMatchObject({ code: 'HOLT_FORBIDDEN' });
    expect((await change(PASSWORD)).status).toBe(204);
    expect((await login('ann', `${PASSWORD}+`)).status).toBe(201);
  });

  test('says the same of a name that is none as of a wrong password, and locks longer and longer', async () => {
    await makeUser('ann', 'viewer');
    const unknown = await login('nobody', PASSWORD);
    const wrong = await login('ann', 'Wrong-Horse-99');
    const shape = ({ instance: _, ...rest }: Record<string, unknown>) => rest;
    expect(shape(unknown.json() as Record<string, unknown>)).toEqual(
      shape(wrong.json() as Record<string, unknown>),
    );
    for (let more = 0; more < 4; more++) await login('ann', 'Wrong-Horse-99');
    const locked = await login('ann', PASSWORD);
    expect(locked.json()).toMatchObject({ code: 'HOLT_LOGIN_LOCKED', status: 429 });
    const seconds = Number(locked.headers['retry-after']);
    expect(seconds).toBeGreaterThan(0);
    aheadMs += seconds * 1000;
    await login('ann', 'Wrong-Horse-99');
    expect(Number((await login('ann', PASSWORD)).headers['retry-after'])).toBeGreaterThan(seconds);
    aheadMs += 20 * 60_000;
    expect((await login('ann', PASSWORD)).status).toBe(201);
    // And is forgotten.
    expect((await login('ann', 'Wrong-Horse-99')).status).toBe(401);
    expect((await login('ann', PASSWORD)).status).toBe(201);
  });
});

describe('accounts', () => {
  test('the last administrator stays one', async () => {
    await makeUser('ann', 'admin');
    await makeUser('bob', 'admin', { pipelines: ['p'] });
    for (const [method, body] of [
      ['PATCH', { role: 'viewer' }],
      ['PATCH', { disabled: true }],
      ['PATCH', { pipelines: ['p'] }],
      ['DELETE', undefined],
    ] as const)
      expect((await asRoot(method, '/api/v1/users/ann', body)).json()).toMatchObject({
        code: 'HOLT_LAST_ADMIN',
      });
    await makeUser('eve', 'admin');
    expect((await asRoot('DELETE', '/api/v1/users/ann')).status).toBe(204);
  });

  test('a name is taken once', async () => {
    expect((await makeUser('ann', 'viewer')).status).toBe(201);
    expect((await makeUser('ann', 'admin')).json()).toMatchObject({
      code: 'HOLT_ACCOUNT_EXISTS',
      status: 409,
    });
    expect((await makeUser('../x', 'admin')).status).toBe(400);
  });

  test('an administrator of some pipelines manages no accounts', async () => {
    await makeUser('bob', 'admin', { pipelines: ['own-*'] });
    const session = sessionOf(await login('bob', PASSWORD));
    const answer = await under(session, 'POST', '/api/v1/users', {
      name: 'x',
      role: 'admin',
      password: PASSWORD,
    });
    expect(answer.json()).toMatchObject({ code: 'HOLT_FORBIDDEN' });
  });
});

describe('tokens', () => {
  test('never reach further than whoever made them, and end with that account', async () => {
    await makeUser('ann', 'operator', { pipelines: ['own-*'] });
    const session = sessionOf(await login('ann', PASSWORD));
    const make = (wish: object) => under(session, 'POST', '/api/v1/tokens', { name: 't', ...wish });
    expect((await make({ role: 'admin', pipelines: ['own-1'] })).json()).toMatchObject({
      code: 'HOLT_FORBIDDEN',
    });
    expect((await make({ role: 'operator' })).json()).toMatchObject({ code: 'HOLT_FORBIDDEN' });
    expect((await make({ role: 'operator', pipelines: ['other'] })).json()).toMatchObject({
      code: 'HOLT_FORBIDDEN',
    });
    const made = (await make({ role: 'operator', pipelines: ['own-1'] })).json() as {
      token: string;
      id: string;
    };
    const pause = (pipeline: string) =>
      bench.send('PUT', `/api/v1/pipelines/${pipeline}/pause`, { token: made.token, body: '{}' });
    expect((await pause('own-1')).status).toBe(202);
    expect((await pause('own-2')).status).toBe(403);
    // The account loses a role: so does its token.
    await asRoot('PATCH', '/api/v1/users/ann', { role: 'viewer' });
    expect((await pause('own-1')).json()).toMatchObject({ code: 'HOLT_FORBIDDEN' });
    await asRoot('PATCH', '/api/v1/users/ann', { disabled: true });
    expect((await pause('own-1')).status).toBe(401);
  });

  test('end by time and by being revoked; only their own are seen by those who are no administrators', async () => {
    await makeUser('ann', 'viewer');
    await makeUser('bob', 'viewer');
    const ann = sessionOf(await login('ann', PASSWORD));
    const bob = sessionOf(await login('bob', PASSWORD));
    const make = async (expiresInDays: number) =>
      (await under(ann, 'POST', '/api/v1/tokens', { name: 't', role: 'viewer', expiresInDays })).json() as {
        readonly token: string;
        readonly id: string;
      };
    const short = await make(0.01);
    const long = await make(30);
    const reads = async ({ token }: { readonly token: string }) =>
      (await bench.send('GET', '/api/v1/nodes', { token })).status;
    expect([await reads(short), await reads(long)]).toEqual([200, 200]);
    const seen = async (session: Session) =>
      ((await under(session, 'GET', '/api/v1/tokens')).json() as { readonly items: readonly unknown[] }).items
        .length;
    expect([await seen(ann), await seen(bob)]).toEqual([2, 0]);
    expect((await under(bob, 'DELETE', `/api/v1/tokens/${long.id}`)).status).toBe(404);
    aheadMs += 3_000_000;
    expect([await reads(short), await reads(long)]).toEqual([401, 200]);
    expect((await under(ann, 'DELETE', `/api/v1/tokens/${long.id}`)).status).toBe(204);
    expect(await reads(long)).toBe(401);
  });
});

describe('records in the tree', () => {
  test('that somebody without the cluster key put there or moved do not count', async () => {
    await makeUser('ann', 'viewer');
    await makeUser('root', 'admin');
    const [ann] = bench.embedded.standing('/seda/access/user/ann');
    const forged = JSON.parse(String(ann?.data)) as { record: { role: string } };
    forged.record.role = 'admin';
    await bench.tree.set('/seda/access/user/ann', Buffer.from(JSON.stringify(forged)), 'any');
    aheadMs += 10_000;
    expect((await login('ann', PASSWORD)).json()).toMatchObject({ code: 'HOLT_LOGIN_FAILED' });
    // Whole, and sealed, but for another name.
    await bench.tree.set('/seda/access/user/root', Buffer.from(String(ann?.data)), 'any');
    expect((await login('root', PASSWORD)).json()).toMatchObject({ code: 'HOLT_LOGIN_FAILED' });
    await bench.tree.set('/seda/access/user/ann', Buffer.from(String(ann?.data)), 'any');
    expect((await login('ann', PASSWORD)).status).toBe(201);
  });
});

describe('too many requests', () => {
  test('from a stranger are refused, and others go on', async () => {
    let refused: ApiAnswer | null = null;
    for (let sent = 0; sent < 400 && refused === null; sent++) {
      const answer = await bench.send('GET', '/api/v1/nodes');
      if (answer.status === 429) refused = answer;
    }
    expect(refused?.json()).toMatchObject({ code: 'HOLT_RATE_LIMIT' });
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0);
    expect((await asRoot('GET', '/api/v1/nodes')).status).toBe(200);
  });
});

describe('a POST with an Idempotency-Key', () => {
  const create = (key: string, name: string, token = ROOT_TOKEN) =>
    bench.send('POST', '/api/v1/users', {
      token,
      headers: { 'idempotency-key': key },
      body: JSON.stringify({ name, role: 'admin', password: PASSWORD }),
    });

  test('is carried out once; its answer is given again', async () => {
    const first = await create('k1', 'ann');
    expect(first.status).toBe(201);
    const again = await create('k1', 'ann');
    expect(again).toMatchObject({ status: 201, text: first.text });
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect((await create('k1', 'bob')).json()).toMatchObject({ code: 'HOLT_REQUEST_KEY_USED', status: 422 });
    expect((await create('k2', 'ann')).json()).toMatchObject({ code: 'HOLT_ACCOUNT_EXISTS' });
    aheadMs += 25 * 3_600_000;
    expect((await create('k1', 'ann')).json()).toMatchObject({ code: 'HOLT_ACCOUNT_EXISTS' });
  });

  test('that was refused may be tried again, and one with a secret is not answered twice', async () => {
    await makeUser('root', 'admin');
    await create('a', 'ann');
    expect((await create('k', 'ann')).status).toBe(409);
    await asRoot('DELETE', '/api/v1/users/ann');
    expect((await create('k', 'ann')).status).toBe(201);
    const token = () =>
      bench.send('POST', '/api/v1/tokens', {
        token: ROOT_TOKEN,
        headers: { 'idempotency-key': 't' },
        body: JSON.stringify({ name: 't', role: 'viewer' }),
      });
    const made = (await token()).json() as { readonly token: string };
    expect((await token()).json()).toMatchObject({ code: 'HOLT_REQUEST_DONE' });
    const kept = bench.embedded.standing('/seda/access').map(({ data }) => String(data));
    expect(kept.join('')).not.toContain(made.token.split('_')[3]);
  });

  test('at the same time at two nodes is carried out once', async () => {
    const answers = await Promise.all([create('k', 'ann'), create('k', 'ann'), create('k', 'ann')]);
    const codes = answers.map((one) => one.status).toSorted();
    expect(codes[0]).toBe(201);
    for (const one of answers)
      if (one.status !== 201) expect(one.json()).toMatchObject({ code: 'HOLT_REQUEST_RUNNING' });
  });
});

describe('with the login switched off', () => {
  test('everybody on this machine is administrator, and pages of elsewhere are not', async () => {
    await using open = await ApiBench.start({
      auth: false,
      operations: { nodes: () => Promise.resolve([]), setDesired: () => Promise.resolve() },
    });
    expect((await open.send('GET', '/api/v1/users')).status).toBe(200);
    expect((await open.send('GET', '/api/v1/session')).json()).toMatchObject({
      kind: 'anyone',
      role: 'admin',
    });
    const body = '{}';
    expect((await open.send('PUT', '/api/v1/pipelines/p/pause', { body })).status).toBe(202);
    const headers = { origin: 'http://evil.example' };
    expect((await open.send('PUT', '/api/v1/pipelines/p/pause', { body, headers })).status).toBe(400);
  });

  test('nothing is served to other machines', async () => {
    await expect(ApiBench.start({ auth: false, server: { host: '0.0.0.0' } })).rejects.toMatchObject({
      code: 'HOLT_API_NOT_LOOPBACK',
    });
  });
});
