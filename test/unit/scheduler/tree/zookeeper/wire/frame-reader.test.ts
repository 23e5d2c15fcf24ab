import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../../../../../scheduler/tree/zookeeper/wire/frame-reader.ts';
import { WireError } from '../../../../../../scheduler/tree/zookeeper/wire/jute.ts';

function framed(bodies: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    bodies.map((body) => {
      const packet = Buffer.alloc(4 + body.length);
      packet.writeInt32BE(body.length, 0);
      packet.set(body, 4);
      return packet;
    }),
  );
}

describe('packets of a stream', () => {
  it('come out whole, however the stream is cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 12 });
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 40 }), (parts, cuts) => {
        const stream = framed(parts);
        const reader = new FrameReader();
        const found: Buffer[] = [];
        let at = 0;
        for (const size of [...cuts, stream.length]) {
          for (const body of reader.push(stream.subarray(at, at + size))) found.push(Buffer.from(body));
          at += size;
        }
        expect(found).toEqual(parts.map((part) => Buffer.from(part)));
      }),
    );
  });

  it('come out of a chunk of many without recursion or copies of the rest (Z13)', () => {
    const stream = framed(Array.from({ length: 200_000 }, () => Buffer.alloc(16)));
    let count = 0;
    for (const _ of new FrameReader().push(stream)) count += 1;
    expect(count).toBe(200_000);
  });

  it.each([-1, 65])('end the stream when %i bytes are announced', (length) => {
    const header = Buffer.alloc(4);
    header.writeInt32BE(length, 0);
    expect(() => [...new FrameReader(64).push(header)]).toThrow(WireError);
  });
});
