import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32Of } from '../../../lib/crc32.ts';

it('crc32Of() gives what zlib gives, for any piece of any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(600), fc.nat(600), (bytes, a, b) => {
      const [start, end] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
      expect(crc32Of(bytes, start, end)).toBe(crc32(bytes.subarray(start, end)));
    }),
  );
});
