/** Passwords: scrypt with a salt of its own each (RFC 7914; N, r, p as OWASP advises for it), compared in constant time. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { HoltError } from '../../lib/errors.ts';

export interface PasswordCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

export const PASSWORD_COST: PasswordCost = { n: 2 ** 15, r: 8, p: 3 };
const KEY_BYTES = 32;
export const MIN_PASSWORD = 10;
const MAX_PASSWORD = 1024;
/** Each takes 32 MiB and a core for a while: the rest waits. */
const AT_ONCE = 2;

const base64 = z.string().regex(/^[A-Za-z0-9+/]{16,256}={0,2}$/);

/** Its cost is stored with it, so that it may be raised later. */
export const passwordHash = z.strictObject({
  kind: z.literal('scrypt'),
  n: z
    .number()
    .int()
    .min(2)
    .max(2 ** 20),
  r: z.number().int().min(1).max(64),
  p: z.number().int().min(1).max(64),
  salt: base64,
  hash: base64,
});
export type PasswordHash = z.infer<typeof passwordHash>;

/** @throws HoltError HOLT_REQUEST_INVALID for what is no good password. */
export function checkPassword(password: string, name: string): void {
  const why =
    password.length < MIN_PASSWORD
      ? `has ${password.length} characters; at least ${MIN_PASSWORD} are needed`
      : password.length > MAX_PASSWORD
        ? `is longer than ${MAX_PASSWORD} characters`
        : password.toLowerCase().includes(name.toLowerCase()) && name.length > 3
          ? 'contains the name of the account'
          : new Set(password).size < 4
            ? 'has too few different characters'
            : null;
  if (why !== null)
    throw new HoltError('HOLT_REQUEST_INVALID', `password: it ${why}`, { disposition: 'fatal' });
}

export async function hashPassword(password: string, cost = PASSWORD_COST): Promise<PasswordHash> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, cost);
  return { kind: 'scrypt', ...cost, salt: salt.toString('base64'), hash: hash.toString('base64') };
}

/** `stored` null takes as long, and is never right: who guesses names learns nothing from the time it takes. */
export async function passwordFits(
  password: string,
  stored: PasswordHash | null,
  cost = PASSWORD_COST,
): Promise<boolean> {
  const against = stored ?? { ...NOBODY, ...cost };
  const expected = Buffer.from(against.hash, 'base64');
  const found = await derive(password.slice(0, MAX_PASSWORD), Buffer.from(against.salt, 'base64'), against);
  return found.length === expected.length && timingSafeEqual(found, expected) && stored !== null;
}

const NOBODY = {
  salt: Buffer.alloc(16, 1).toString('base64'),
  hash: Buffer.alloc(KEY_BYTES, 1).toString('base64'),
};

let running = 0;
const waiting: (() => void)[] = [];

async function derive(
  password: string,
  salt: Buffer,
  { n, r, p }: { readonly n: number; readonly r: number; readonly p: number },
): Promise<Buffer> {
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await new Promise((resolve, reject) => {
      scrypt(
        password.normalize('NFKC'),
        salt,
        KEY_BYTES,
        { N: n, r, p, maxmem: 256 * n * r },
        (error, key) => (error === null ? resolve(key) : reject(error)),
      );
    });
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}
