import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Notice } from '../../../../node/alarms/alarms.ts';
import { messageOfNotice } from '../../../../node/alarms/delivery/message.ts';
import { post } from '../../../../node/alarms/delivery/post.ts';
import { postBody } from '../../../../node/alarms/delivery/post-body.ts';
import { NOON } from './alarm-cases.ts';

const NOTICE: Notice = {
  id: `${String(NOON).padStart(15, '0')}-0123456789ab`,
  kind: 'firing',
  atMs: NOON,
  group: 'pipeline shop',
  severity: 'critical',
  count: 1,
  channels: ['ops'],
  alarms: [
    {
      id: 'stuck~shop',
      rule: 'stuck',
      kind: 'stuck',
      severity: 'critical',
      subject: 'shop',
      pipeline: 'shop',
      sinceMs: NOON - 20_000,
      value: 31_000,
      stage: 'load',
      node: 'west-2',
      code: 'HOLT_TARGET_UNREACHABLE',
    },
  ],
};
const WHERE = { cluster: 'prod <&> *x*', link: 'https://holt.example' };

interface Got {
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

async function receiver(
  answer: (response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly got: Got[] }> {
  const got: Got[] = [];
  const made = createServer((request, response) => {
    let body = '';
    request.on('data', (data) => {
      body += String(data);
    });
    request.on('end', () => {
      got.push({ url: request.url, headers: request.headers, body });
      answer(response);
    });
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, got };
}

const sending = (url: string, secret: string | null = null) =>
  post({ url, body: { a: 1 }, secret, id: 'event-1', nowMs: NOON, signal: new AbortController().signal });

describe('a post', () => {
  test('has the id of the event, and a signature of time and body', async () => {
    const { url, got } = await receiver((response) => response.writeHead(204).end());
    await sending(`${url}/hook?x=1`, 'key');
    expect(got).toHaveLength(1);
    const [{ headers, body, url: path } = expect.fail()] = got;
    expect(path).toBe('/hook?x=1');
    expect(body).toBe('{"a":1}');
    expect(headers).toMatchObject({ 'holt-event': 'event-1', 'holt-timestamp': String(NOON / 1000) });
    const mac = createHmac('sha256', 'key')
      .update(`${NOON / 1000}.{"a":1}`)
      .digest('hex');
    expect(headers['holt-signature']).toBe(`v1=${mac}`);
  });

  test('follows no redirect', async () => {
    const { url, got } = await receiver((response) =>
      response.writeHead(307, { location: '/elsewhere' }).end(),
    );
    await expect(sending(url)).rejects.toMatchObject({ code: 'HOLT_ALARM_CHANNEL' });
    expect(got).toHaveLength(1);
  });

  test('is refused by what is no success, without a word of the answer or the address', async () => {
    const { url } = await receiver((response) => response.writeHead(500).end('secret of theirs'));
    const error = await sending(`${url}/token-in-path`).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'HOLT_ALARM_REFUSED',
      disposition: 'retry',
      message: expect.stringContaining('500'),
    });
    expect(String(error)).not.toMatch(/secret|token|127/);
  });

  test('does not read an answer without end', async () => {
    let close = () => {};
    const closed = new Promise<void>((resolve) => {
      close = resolve;
    });
    const { url } = await receiver((response) => {
      response.on('close', close);
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    await sending(url);
    await closed;
  });

  test.each([
    ['ftp://127.0.0.1/', 'no http or https'],
    ['file:///etc/passwd', 'no http or https'],
    ['nothing', 'no http or https'],
    ['http://169.254.169.254/latest', 'plain http'],
    ['http://example.org/', 'plain http'],
  ])('goes not to %s', async (url, why) => {
    const error = await sending(url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HOLT_ALARM_CHANNEL', message: expect.stringContaining(why) });
    expect(String(error)).not.toContain(url);
  });

  test('to nobody is an error that may pass, and does not name the address', async () => {
    const error = await sending('http://127.0.0.1:1/token-in-path').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HOLT_ALARM_REFUSED', disposition: 'retry' });
    expect(String(error)).not.toMatch(/token|127/);
  });
});

describe('words', () => {
  const message = messageOfNotice(NOTICE, WHERE);

  test('name stage, node, figure and what to do', () => {
    expect(message.title).toBe('[critical] prod <&> *x*: shop is stuck at load on node west-2');
    expect(message.lines).toEqual([
      'shop is stuck at load on node west-2 (nothing moved for 31 s, for 20 s) [stuck]',
    ]);
    expect(message.remedies[0]).toMatch(/^HOLT_TARGET_UNREACHABLE: /);
    expect(message.link).toBe('https://holt.example/alarms');
    const over = messageOfNotice({ ...NOTICE, kind: 'resolved' }, WHERE);
    expect(over.lines).toEqual(['shop is stuck at load on node west-2 (lasted 20 s) [stuck]']);
    expect(over.title).toMatch(/^\[over\]/);
  });

  test('of many alarms name the cause and how many', () => {
    const many = messageOfNotice({ ...NOTICE, group: 'node west-2', count: 51 }, WHERE);
    expect(many.title).toContain('node west-2: 51 alarms');
    expect(many.lines.at(-1)).toBe('and 50 more');
  });

  test('are escaped for where they go', () => {
    const slack = JSON.stringify(postBody('slack', message, NOTICE));
    expect(slack).toContain('prod &lt;&amp;&gt; *x*');
    expect(slack).not.toMatch(/<&>/);
    const mattermost = postBody('mattermost', { ...message, lines: ['a *b* <c> `d`'] }, NOTICE) as {
      readonly attachments: readonly { readonly text: string }[];
    };
    expect(mattermost.attachments[0]?.text.split('\n')[0]).toBe('a \\*b\\* \\<c\\> \\`d\\`');
    const discord = postBody('discord', { ...message, lines: ['@everyone', 'x'.repeat(9_000)] }, NOTICE) as {
      readonly embeds: readonly { readonly description: string }[];
    };
    expect(discord).toMatchObject({ allowed_mentions: { parse: [] } });
    expect(discord.embeds[0]?.description.length).toBeLessThanOrEqual(4_000);
    expect(postBody('teams', message, NOTICE)).toMatchObject({
      type: 'message',
      attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive' }],
    });
  });

  test('a webhook has the facts in the form that is documented', () => {
    expect(postBody('webhook', message, NOTICE)).toMatchObject({
      version: 1,
      id: NOTICE.id,
      kind: 'firing',
      severity: 'critical',
      group: 'pipeline shop',
      count: 1,
      alarms: [{ id: 'stuck~shop', stage: 'load', node: 'west-2' }],
    });
  });
});
