import { createHash } from 'node:crypto';
import type { AuthContext, AuthMethod } from './auth-method.ts';

/**
 * MariaDB's client_ed25519: an Ed25519 signature of the nonce, whose secret is derived from the password.
 *
 * Plain Ed25519 (RFC 8032, section 5.1) but for one thing: where the RFC hashes a secret of 32 random bytes, here the password itself,
 * of any length, is hashed. node:crypto takes only keys of 32 bytes, so the curve is here; one login is two
 * multiplications. Not in constant time: who could measure it so finely has the process already.
 * Source: https://mariadb.com/kb/en/authentication-plugin-ed25519/ and RFC 8032.
 */
export class Ed25519Password implements AuthMethod {
  readonly #context: AuthContext;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  first(): Buffer {
    const { password, nonce } = this.#context;
    return password === '' ? Buffer.alloc(0) : signEd25519(Buffer.from(password, 'utf8'), nonce);
  }

  more(): null {
    return null;
  }
}

/** The field's prime and the group's order. */
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = mod(-121665n * power(121666n, P - 2n), P);

/** Extended coordinates: x = X/Z, y = Y/Z, T = XY/Z. */
interface Point {
  readonly x: bigint;
  readonly y: bigint;
  readonly z: bigint;
  readonly t: bigint;
}

const BASE_Y = mod(4n * power(5n, P - 2n), P);
const BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202n;
const BASE: Point = { x: BASE_X, y: BASE_Y, z: 1n, t: mod(BASE_X * BASE_Y, P) };
const ZERO: Point = { x: 0n, y: 1n, z: 1n, t: 0n };

/** RFC 8032, 5.1.6, with the secret's hash taken over `secret` of any length. 64 bytes. */
export function signEd25519(secret: Buffer, message: Buffer): Buffer {
  const hash = sha512(secret);
  const clamped = Buffer.from(hash.subarray(0, 32));
  clamped[0] = (clamped[0] ?? 0) & 0xf8;
  clamped[31] = ((clamped[31] ?? 0) & 0x7f) | 0x40;
  const scalar = fromBytes(clamped);
  const publicKey = encodePoint(multiply(BASE, scalar));
  const r = mod(fromBytes(sha512(hash.subarray(32), message)), L);
  const commitment = encodePoint(multiply(BASE, r));
  const challenge = mod(fromBytes(sha512(commitment, publicKey, message)), L);
  return Buffer.concat([commitment, toBytes(mod(r + challenge * scalar, L))]);
}

/** Complete addition on the twisted curve with a = -1, RFC 8032, 5.1.4. */
function add(p: Point, q: Point): Point {
  const a = mod((p.y - p.x) * (q.y - q.x), P);
  const b = mod((p.y + p.x) * (q.y + q.x), P);
  const c = mod(2n * p.t * q.t * D, P);
  const d = mod(2n * p.z * q.z, P);
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return { x: mod(e * f, P), y: mod(g * h, P), z: mod(f * g, P), t: mod(e * h, P) };
}

function multiply(point: Point, scalar: bigint): Point {
  let sum = ZERO;
  let doubled = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) sum = add(sum, doubled);
    doubled = add(doubled, doubled);
  }
  return sum;
}

function encodePoint(point: Point): Buffer {
  const inverse = power(point.z, P - 2n);
  const bytes = toBytes(mod(point.y * inverse, P));
  bytes[31] = (bytes[31] ?? 0) | (Number(mod(point.x * inverse, P) & 1n) << 7);
  return bytes;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = mod(base, P);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = mod(result * square, P);
    square = mod(square * square, P);
  }
  return result;
}

function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** Little-endian. */
function fromBytes(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

function toBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
}

function sha512(...parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
