import { describe, expect, test } from 'vitest';
import {
  answerIsGenuine,
  MAX_SKEW_MS,
  RequestVerifier,
  signAnswer,
  signRequest,
} from '../../../../stages/pipe/channel/signature.ts';

const key = Buffer.from('0123456789abcdef');
const request = { method: 'GET', target: '/pipe/v1/payload?seq=1', body: Buffer.alloc(0) };
const NOW = 1_700_000_000_000;

describe('RequestVerifier', () => {
  test('takes a signed request once', () => {
    const verifier = new RequestVerifier({ key, nowMs: () => NOW });
    const headers = { ...signRequest(key, 'west-1', NOW, request) };
    expect(verifier.verify(headers, request)).toMatchObject({ kind: 'genuine', node: 'west-1' });
    expect(verifier.verify(headers, request)).toEqual({ kind: 'refused', why: 'it was sent before' });
  });

  test.each([
    [
      'another key',
      (h: Record<string, string>) =>
        signRequest(Buffer.from('another key of 16'), h['holt-node'] ?? '', NOW, request),
    ],
    ['another caller', (h: Record<string, string>) => ({ ...h, 'holt-node': 'east-9' })],
    ['another time', (h: Record<string, string>) => ({ ...h, 'holt-time': String(NOW + 1) })],
    ['another nonce', (h: Record<string, string>) => ({ ...h, 'holt-nonce': '00' })],
    ['no signature', ({ 'holt-signature': _, ...h }: Record<string, string>) => h],
  ])('refuses %s', (_what, change) => {
    const verifier = new RequestVerifier({ key, nowMs: () => NOW });
    const headers = change({ ...signRequest(key, 'west-1', NOW, request) });
    expect(verifier.verify({ ...headers }, request).kind).toBe('refused');
  });

  test('refuses another path, and a body that was not signed', () => {
    const verifier = new RequestVerifier({ key, nowMs: () => NOW });
    const headers = { ...signRequest(key, 'west-1', NOW, request) };
    expect(verifier.verify(headers, { ...request, target: '/pipe/v1/payload?seq=2' }).kind).toBe('refused');
    expect(verifier.verify(headers, { ...request, body: Buffer.from('x') }).kind).toBe('refused');
  });

  test('refuses clocks further apart than allowed, and forgets nonces only after they are too old to be used', () => {
    let now = NOW;
    const verifier = new RequestVerifier({ key, nowMs: () => now });
    const headers = { ...signRequest(key, 'west-1', NOW, request) };
    expect(
      verifier.verify({ ...signRequest(key, 'a', NOW - MAX_SKEW_MS - 1, request) }, request),
    ).toMatchObject({ why: expect.stringContaining('clock differs by -30 s') });
    expect(verifier.verify(headers, request).kind).toBe('genuine');
    for (const later of [1, MAX_SKEW_MS - 1, MAX_SKEW_MS, 2 * MAX_SKEW_MS, 3 * MAX_SKEW_MS]) {
      now = NOW + later;
      expect(verifier.verify(headers, request).kind).toBe('refused');
    }
  });
});

test('an answer is genuine only for its nonce, status and body', () => {
  const body = Buffer.from('{}');
  const signature = signAnswer(key, 'n', 200, body);
  expect(answerIsGenuine(key, 'n', 200, body, signature)).toBe(true);
  expect(answerIsGenuine(key, 'm', 200, body, signature)).toBe(false);
  expect(answerIsGenuine(key, 'n', 404, body, signature)).toBe(false);
  expect(answerIsGenuine(key, 'n', 200, Buffer.from('[]'), signature)).toBe(false);
  expect(answerIsGenuine(key, 'n', 200, body, undefined)).toBe(false);
});
