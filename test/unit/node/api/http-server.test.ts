import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HoltError } from '../../../../lib/errors.ts';
import { ApiBench, ROOT_TOKEN } from '../../../support/api-bench.ts';

/** What the API was asked to do; every operation but these fails. */
const asked: unknown[][] = [];
const operations = {
  nodes: () => Promise.resolve([]),
  pipelines: () =>
    Promise.reject(new HoltError('HOLT_TREE_DEADLINE', 'the tree is away', { disposition: 'retry' })),
  pipeline: (name: string) =>
    Promise.reject(new HoltError('HOLT_PIPELINE_UNKNOWN', `there is no pipeline "${name}"`)),
  setDesired: (...args: unknown[]) => {
    asked.push(args);
    return Promise.resolve();
  },
  position: () => Promise.reject(new HoltError('HOLT_PIPELINE_UNKNOWN', 'no row')),
  setPosition: (...args: unknown[]) => {
    asked.push(args);
    return Promise.reject(new HoltError('HOLT_POSITION_INVALID', 'no position'));
  },
  deletePipeline: () =>
    Promise.reject(new HoltError('HOLT_PIPELINE_STATE', 'p is running', { remedy: 'Stop it first.' })),
  errors: () => Promise.reject(new TypeError('x is undefined')),
};

let bench: ApiBench;
beforeAll(async () => {
  bench = await ApiBench.start({ operations });
});
afterAll(() => bench[Symbol.asyncDispose]());

const send = async (
  method: string,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly body?: string } = {},
) => {
  const { status, headers, text } = await bench.send(method, path, { token: ROOT_TOKEN, ...options });
  return { status, type: String(headers['content-type']), body: text };
};

const JSON_TYPE = { 'content-type': 'application/json' };
const GOOD = JSON.stringify({ by: 'ann', why: 'upgrade' });

describe('the API', () => {
  test.each<[string, string, string, string | undefined, Record<string, string>, number, string]>([
    ['a route that is none', 'GET', '/api/v1/nowhere', undefined, {}, 404, 'HOLT_REQUEST_INVALID'],
    ['a method that is none', 'PATCH', '/api/v1/nodes', undefined, {}, 404, 'HOLT_REQUEST_INVALID'],
    [
      'a pipeline that is none',
      'GET',
      '/api/v1/pipelines/x/status',
      undefined,
      {},
      404,
      'HOLT_PIPELINE_UNKNOWN',
    ],
    [
      'a name that is too long',
      'GET',
      `/api/v1/pipelines/${'x'.repeat(90)}/status`,
      undefined,
      {},
      400,
      'HOLT_REQUEST_INVALID',
    ],
    ['a state that forbids it', 'DELETE', '/api/v1/pipelines/p', undefined, {}, 409, 'HOLT_PIPELINE_STATE'],
    ['a tree that is away', 'GET', '/api/v1/pipelines', undefined, {}, 503, 'HOLT_TREE_DEADLINE'],
    ['a defect', 'GET', '/api/v1/pipelines/p/errors', undefined, {}, 500, 'HOLT_INTERNAL'],
    [
      'a limit that is no number',
      'GET',
      '/api/v1/pipelines/p/errors?limit=many',
      undefined,
      {},
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a limit that is too high',
      'GET',
      '/api/v1/pipelines/p/errors?limit=1e9',
      undefined,
      {},
      400,
      'HOLT_REQUEST_INVALID',
    ],
    ['no body', 'PUT', '/api/v1/pipelines/p/pause', undefined, {}, 400, 'HOLT_REQUEST_INVALID'],
    [
      'a body that is no JSON',
      'PUT',
      '/api/v1/pipelines/p/pause',
      '{"why":',
      JSON_TYPE,
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a body of another type',
      'PUT',
      '/api/v1/pipelines/p/pause',
      GOOD,
      { 'content-type': 'text/plain' },
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a reason that is no text',
      'PUT',
      '/api/v1/pipelines/p/pause',
      GOOD.replace('"upgrade"', '1'),
      JSON_TYPE,
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a key that is none',
      'PUT',
      '/api/v1/pipelines/p/pause',
      GOOD.replace('"why"', '"wy":1,"why"'),
      JSON_TYPE,
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a key of a prototype',
      'PUT',
      '/api/v1/pipelines/p/pause',
      GOOD.replace('{', '{"__proto__":{"x":1},'),
      JSON_TYPE,
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a body of 3 MB',
      'PUT',
      '/api/v1/pipelines/p/pause',
      GOOD.replace('upgrade', 'x'.repeat(3e6)),
      JSON_TYPE,
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a position that is none',
      'PATCH',
      '/api/v1/pipelines/p/position',
      '{"position":"x","why":"y"}',
      JSON_TYPE,
      400,
      'HOLT_POSITION_INVALID',
    ],
    [
      'a name of another host',
      'GET',
      '/api/v1/nodes',
      undefined,
      { host: 'evil.example' },
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a page of another origin',
      'PUT',
      '/api/v1/pipelines/p/pause',
      GOOD,
      { ...JSON_TYPE, origin: 'http://evil.example' },
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a page without an origin',
      'PUT',
      '/api/v1/pipelines/p/pause',
      GOOD,
      { ...JSON_TYPE, origin: 'null' },
      400,
      'HOLT_REQUEST_INVALID',
    ],
    [
      'a page at another port',
      'POST',
      '/api/v1/pipelines/p/checks',
      undefined,
      { origin: 'http://127.0.0.1:1' },
      400,
      'HOLT_REQUEST_INVALID',
    ],
  ])('%s', async (_, method, path, body, headers, status, code) => {
    const before = asked.length;
    const answer = await send(method, path, { headers, ...(body === undefined ? {} : { body }) });
    expect(answer.status).toBe(status);
    expect(answer.type).toContain('application/problem+json');
    expect(JSON.parse(answer.body)).toMatchObject({ code, status, detail: expect.any(String) });
    if (code !== 'HOLT_POSITION_INVALID') expect(asked).toHaveLength(before);
  });

  test('every problem says what to do', async () => {
    for (const path of ['/api/v1/pipelines', '/api/v1/pipelines/x/status', '/api/v1/pipelines/p/errors'])
      expect(JSON.parse((await send('GET', path)).body)).toHaveProperty(
        'remedy',
        expect.stringMatching(/\S/),
      );
  });

  test('passes on what is asked for, names with signs too', async () => {
    await bench.client().setDesired('a/b ?ü', {
      desired: 'paused',
      by: 'ann',
      why: 'upgrade',
    });
    expect(asked.at(-1)).toEqual(['a/b ?ü', { desired: 'paused', by: 'api.token (ann)', why: 'upgrade' }]);
  });

  test('a position of many GTIDs passes', async () => {
    const position = `mysql:${'3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,'.repeat(20_000)}`;
    await expect(bench.client().setPosition('p', position, 'test')).rejects.toMatchObject({
      code: 'HOLT_POSITION_INVALID',
    });
    expect(asked.at(-1)).toEqual(['p', position, 'test']);
  });

  test('the client gives errors as they were, and as worth another try only those that are', async () => {
    const client = bench.client();
    await expect(client.pipelines()).rejects.toMatchObject({
      code: 'HOLT_TREE_DEADLINE',
      disposition: 'retry',
    });
    await expect(client.deletePipeline('p')).rejects.toMatchObject({
      code: 'HOLT_PIPELINE_STATE',
      disposition: 'fatal',
      remedy: 'Stop it first.',
    });
  });

  test('health', async () => {
    expect(await send('GET', '/livez')).toMatchObject({ status: 200 });
    expect(await send('GET', '/readyz')).toMatchObject({
      status: 503,
      body: '{"ok":false,"reason":"the node is starting"}',
    });
    expect(await send('GET', '/metrics')).toMatchObject({ status: 200, body: '# metrics\n' });
  });
});
