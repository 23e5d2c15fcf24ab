import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConsole } from '../../../../node/api/console-files.ts';
import { ApiBench } from '../../../support/api-bench.ts';

const PAGE = `<!doctype html><title>Holt</title>${'<p>text</p>'.repeat(100)}`;
let folder = '';
let bench: ApiBench;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holt-console-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), PAGE);
  writeFileSync(join(folder, 'assets/index-abc.js'), 'export {};');
  writeFileSync(join(folder, 'notes.txt'), 'not for browsers');
  bench = await ApiBench.start({ server: { console: readConsole(folder) } });
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const asBrowser = (path: string, headers: Record<string, string> = {}) =>
  bench.send('GET', path, { headers: { accept: 'text/html,*/*', ...headers } });

describe('the console', () => {
  test.each(['/', '/pipelines/east-west?range=24h', '/nodes'])(
    '%s is the page, asked for anew each time, under a policy that lets only its own files run',
    async (path) => {
      const answer = await asBrowser(path);
      expect(answer).toMatchObject({ status: 200, text: PAGE });
      expect(answer.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-cache',
      });
      expect(answer.headers['content-security-policy']).toContain("script-src 'self'");
      expect(answer.headers['content-security-policy']).not.toContain('unsafe');
      const etag = String(answer.headers.etag);
      expect(await asBrowser(path, { 'if-none-match': etag })).toMatchObject({ status: 304, text: '' });
    },
  );

  test('files with a hash in their name are kept for good; one that is not there is no page', async () => {
    const answer = await asBrowser('/assets/index-abc.js');
    expect(answer).toMatchObject({ status: 200, text: 'export {};' });
    expect(answer.headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect((await asBrowser('/assets/index-old.js')).status).toBe(404);
    expect((await asBrowser('/assets/../../package.json')).text).not.toContain('dependencies');
  });

  test('is sent smaller to who takes it so', async () => {
    const answer = await fetch(bench.url, { headers: { 'accept-encoding': 'gzip' } });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    expect(await answer.text()).toBe(PAGE);
    expect(gunzipSync(readConsole(folder).files.get('/')?.gzipped ?? Buffer.alloc(0)).toString()).toBe(PAGE);
  });

  test('has nothing to do with the API: what is not there is told as a problem, and other methods, too', async () => {
    for (const path of ['/api/v1/nothing', '/api', '/metrics/x', '/livez/x']) {
      const answer = await asBrowser(path);
      expect(answer.status, path).toBe(404);
      expect(answer.headers['content-type'], path).toContain('application/problem+json');
    }
    expect((await bench.send('POST', '/pipelines')).status).toBe(404);
    expect((await bench.send('GET', '/pipelines')).status).toBe(404);
    expect((await asBrowser('/notes.txt')).text).toBe(PAGE);
  });

  test('that is not built says so', () => {
    expect(readConsole(join(folder, 'nowhere')).files.get('/')?.bytes.toString()).toContain('npm run build');
  });
});
