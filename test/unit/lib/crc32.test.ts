import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32Of } from '../../../lib/crc32.ts';

const bytes = fc.uint8Array({ maxLength: 600 });

it('crc32Of() gives what zlib gives, for any piece of any bytes', () => {
  fc.assert(
    fc.property(bytes, fc.nat(600), fc.nat(600), (all, a, b) => {
      const [start, end] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)];
      expect(crc32Of(all, start, end)).toBe(crc32(all.subarray(start, end)));
    }),
  );
});
