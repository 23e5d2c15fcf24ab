/**
 * Signatures of calls between nodes: HMAC-SHA-256 over method, path with query, caller, time, nonce and the body's hash, under the
 * installation's key. The answer is signed over the nonce and its own hash, so that nobody can answer in a node's place.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How far two nodes' clocks may be apart, and how long a nonce is remembered. */
export const MAX_SKEW_MS = 30_000;
const MAX_NONCES = 100_000;
/** A shorter key could be guessed. */
export const MIN_KEY_BYTES = 16;

export interface SignedHeaders {
  readonly 'holt-node': string;
  readonly 'holt-time': string;
  readonly 'holt-nonce': string;
  readonly 'holt-signature': string;
}

export interface RequestFacts {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  /** The body, or its hash where it is not there yet. */
  readonly body: Buffer | { readonly sha256: string };
}

export function signRequest(key: Buffer, node: string, nowMs: number, request: RequestFacts): SignedHeaders {
  const time = String(Math.round(nowMs));
  const nonce = randomBytes(16).toString('hex');
  return {
    'holt-node': node,
    'holt-time': time,
    'holt-nonce': nonce,
    'holt-signature': requestMac(key, node, time, nonce, request),
  };
}

export function signAnswer(key: Buffer, nonce: string, status: number, body: Buffer): string {
  return mac(key, ['answer', nonce, String(status), sha256(body)]);
}

export function answerIsGenuine(
  key: Buffer,
  nonce: string,
  status: number,
  body: Buffer,
  signature: unknown,
): boolean {
  return typeof signature === 'string' && equal(signature, signAnswer(key, nonce, status, body));
}

export type Verdict =
  | { readonly kind: 'genuine'; readonly node: string; readonly nonce: string }
  | { readonly kind: 'refused'; readonly why: string };

/** Verifies requests; remembers nonces within the window of time, so that none is taken twice. */
export class RequestVerifier {
  readonly #key: Buffer;
  readonly #nowMs: () => number;
  /** Nonce → when it may be forgotten, oldest first. */
  readonly #nonces = new Map<string, number>();

  constructor(options: { readonly key: Buffer; readonly nowMs: () => number }) {
    this.#key = options.key;
    this.#nowMs = options.nowMs;
  }

  verify(headers: Readonly<Record<string, unknown>>, request: RequestFacts): Verdict {
    const {
      'holt-node': node,
      'holt-time': time,
      'holt-nonce': nonce,
      'holt-signature': signature,
    } = headers;
    if (
      typeof node !== 'string' ||
      typeof time !== 'string' ||
      typeof nonce !== 'string' ||
      typeof signature !== 'string'
    )
      return { kind: 'refused', why: 'it is not signed' };
    // The signature first: what is not genuine must not reach the memory of nonces.
    if (!equal(signature, requestMac(this.#key, node, time, nonce, request)))
      return {
        kind: 'refused',
        why: 'its signature does not fit: the cluster keys differ, or it was changed on the way',
      };
    const now = this.#nowMs();
    const skew = Number(time) - now;
    if (!(Math.abs(skew) <= MAX_SKEW_MS))
      return {
        kind: 'refused',
        why: `its clock differs by ${Math.round(skew / 1000)} s; at most ${MAX_SKEW_MS / 1000} s are allowed`,
      };
    for (const [old, untilMs] of this.#nonces) {
      if (untilMs > now && this.#nonces.size < MAX_NONCES) break;
      this.#nonces.delete(old);
    }
    if (this.#nonces.has(nonce)) return { kind: 'refused', why: 'it was sent before' };
    this.#nonces.set(nonce, now + 2 * MAX_SKEW_MS);
    return { kind: 'genuine', node, nonce };
  }
}

function requestMac(key: Buffer, node: string, time: string, nonce: string, request: RequestFacts): string {
  return mac(key, ['request', request.method, request.target, node, time, nonce, hashOf(request.body)]);
}

function mac(key: Buffer, parts: readonly string[]): string {
  return createHmac('sha256', key).update(parts.join('\n')).digest('hex');
}

function hashOf(body: RequestFacts['body']): string {
  return Buffer.isBuffer(body) ? sha256(body) : body.sha256;
}

export function sha256(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

function equal(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
