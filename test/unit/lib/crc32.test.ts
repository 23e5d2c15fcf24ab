import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32Byte, crc32Join, crc32Of, crc32Word, MAX_JOINED_BYTES } from '../../../lib/crc32.ts';

const bytes = fc.uint8Array({ maxLength: 600 });

it('crc32Of() gives what zlib gives, for any piece of any bytes', () => {
  fc.assert(
    fc.property(bytes, fc.nat(600), fc.nat(600), (all, a, b) => {
      const [start, end] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)];
      expect(crc32Of(all, start, end)).toBe(crc32(all.subarray(start, end)));
    }),
  );
});

it('crc32Join() gives the sum of two pieces one after the other', () => {
  const second = fc.oneof(
    bytes,
    fc.nat(MAX_JOINED_BYTES).map((length) => Buffer.alloc(length, 0x5a)),
  );
  fc.assert(
    fc.property(bytes, second, (one, other) => {
      const joined = crc32Join(crc32(one), crc32(other), other.length) >>> 0;
      expect(joined).toBe(crc32(Buffer.concat([one, other])));
    }),
  );
});

it('crc32Byte() and crc32Word() go on by a byte, and by four', () => {
  fc.assert(
    fc.property(bytes, fc.nat(255), fc.nat(0xffff_ffff), (one, byte, word) => {
      expect(crc32Byte(crc32(one), byte) >>> 0).toBe(crc32(Buffer.concat([one, Buffer.from([byte])])));
      const four = Buffer.alloc(4);
      four.writeUInt32LE(word);
      expect(crc32Word(crc32(one), word) >>> 0).toBe(crc32(Buffer.concat([one, four])));
    }),
  );
});
