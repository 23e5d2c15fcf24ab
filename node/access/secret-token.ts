/**
 * Random secrets of the API. Each is 256 random bits, so that its plain SHA-256 at rest gives nothing away; an id in front
 * finds the record. The prefix lets scanners for leaked secrets find them.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

export const TOKEN_PREFIXES = { token: 'holt_api', session: 'holt_ses', setup: 'holt_setup' } as const;
export type TokenKind = keyof typeof TOKEN_PREFIXES;

const FORM = /^(holt_[a-z]+)_([0-9a-f]{16})_([A-Za-z0-9-]{43})$/;

export interface NewSecret {
  readonly id: string;
  /** Shown once, to whom it belongs. */
  readonly text: string;
  readonly hash: string;
}

export function newSecret(kind: TokenKind): NewSecret {
  const id = randomBytes(8).toString('hex');
  // '_' divides the parts; base64url has it as a digit.
  const secret = randomBytes(32).toString('base64url').replaceAll('_', '-');
  return { id, text: `${TOKEN_PREFIXES[kind]}_${id}_${secret}`, hash: hashSecret(secret) };
}

/** Null for what has not the form of one. */
export function parseSecret(
  kind: TokenKind,
  text: string,
): { readonly id: string; readonly hash: string } | null {
  const [, prefix, id, secret] = FORM.exec(text) ?? [];
  if (prefix !== TOKEN_PREFIXES[kind] || id === undefined || secret === undefined) return null;
  return { id, hash: hashSecret(secret) };
}

export function hashSecret(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
