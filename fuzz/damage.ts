import type { Random } from '../test/support/random.ts';

/** Bytes at which lengths, counts and flags turn into something else. */
const EDGES = [0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff];
const LENGTHS = [0, 1, 0x7f, 0xff, 0x100, 0x7fff, 0xffff, 0x1_0000, 0xff_ffff, 0x7fff_ffff, 0xffff_ffff];
const MAX_GROWTH = 100_000;

/** `bytes` with one to five places changed: bits, bytes, lengths, pieces cut out, doubled or put in. */
export function damaged(random: Random, bytes: Buffer): Buffer {
  let body: Buffer = Buffer.from(bytes);
  for (let i = random.int(1, 5); i > 0; i--) body = damagedOnce(random, body);
  return body;
}

function damagedOnce(random: Random, body: Buffer): Buffer {
  const at = random.int(0, Math.max(0, body.length - 1));
  const length = random.int(1, 40);
  switch (random.int(1, 8)) {
    case 1:
      return body.subarray(0, at);
    case 2:
      return Buffer.concat([body.subarray(0, at), body.subarray(at + length)]);
    case 3:
      return Buffer.concat([body.subarray(0, at), random.bytes(length), body.subarray(at)]);
    case 4: {
      const times = random.pick([1, 2, 50]);
      const piece = body.subarray(at, at + length);
      if (body.length + piece.length * times > bytesAllowed(body)) return body;
      return Buffer.concat([
        body.subarray(0, at),
        ...Array.from({ length: times }, () => piece),
        body.subarray(at),
      ]);
    }
    case 5: {
      const size = random.pick([2, 3, 4]);
      if (at + size > body.length) return body;
      body.writeUIntLE(random.pick(LENGTHS) % 2 ** (8 * size), at, size);
      return body;
    }
    case 6:
      if (body.length > 0) body[at] = random.pick(EDGES);
      return body;
    default:
      if (body.length > 0) body[at] = (body[at] ?? 0) ^ (1 << random.int(0, 7));
      return body;
  }
}

function bytesAllowed(body: Buffer): number {
  return Math.max(MAX_GROWTH, body.length);
}
