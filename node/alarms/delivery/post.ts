/**
 * One POST to a channel's address. It must not become a way in: only where the configuration says, no redirect is followed, nothing of
 * the answer is kept but its status, and time and size are limited.
 */
import { createHmac } from 'node:crypto';
import { request } from 'undici';
import { HoltError, messageOf } from '../../../lib/errors.ts';
import { isLoopback } from '../../../lib/loopback.ts';

const TIMEOUT_MS = 10_000;

export interface PostOptions {
  /** As configured; resolved at the moment of use. */
  readonly url: string;
  readonly body: unknown;
  /** Key of the signature; null for none. */
  readonly secret: string | null;
  /** The same for every attempt: who gets it twice knows by it. */
  readonly id: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** @throws HoltError HOLT_ALARM_CHANNEL (fatal: as configured it cannot work), HOLT_ALARM_REFUSED (retry). Neither has the address. */
export async function post({ url, body, secret, id, nowMs, signal }: PostOptions): Promise<void> {
  const target = addressOf(url);
  const text = JSON.stringify(body);
  const seconds = String(Math.floor(nowMs / 1000));
  let status: number;
  try {
    const answer = await request(target, {
      method: 'POST',
      body: text,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'holt',
        'holt-event': id,
        ...(secret === null
          ? {}
          : { 'holt-timestamp': seconds, 'holt-signature': signatureOf(secret, seconds, text) }),
      },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    status = answer.statusCode;
    // What it says is of no use, and may be without end.
    answer.body.on('error', () => {}).destroy();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw refused(`no answer: ${causeOf(error)}`, error);
  }
  if (status >= 300 && status < 400)
    throw new HoltError(
      'HOLT_ALARM_CHANNEL',
      `the address answers with a redirect (${status}), which is not followed`,
      {
        disposition: 'fatal',
      },
    );
  if (status < 200 || status >= 300) throw refused(`the answer is ${status}`);
}

/** `v1=` and HMAC-SHA-256, hex, of `<seconds>.<body>`: the receiver computes the same, and refuses what is old. */
export function signatureOf(secret: string, seconds: string, body: string): string {
  return `v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

function addressOf(text: string): URL {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : null;
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new HoltError('HOLT_ALARM_CHANNEL', 'the address of the channel is no http or https address', {
      disposition: 'fatal',
    });
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw new HoltError(
      'HOLT_ALARM_CHANNEL',
      'the address of the channel is plain http, and not on this machine',
      {
        disposition: 'fatal',
      },
    );
  return url;
}

function refused(why: string, cause?: unknown): HoltError {
  return new HoltError('HOLT_ALARM_REFUSED', `the channel did not take it: ${why}`, {
    disposition: 'retry',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Without the address, which may be a secret. */
function causeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : messageOf(error).slice(0, 60);
}
