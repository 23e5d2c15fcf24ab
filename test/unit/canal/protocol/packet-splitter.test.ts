import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketSplitter } from '../../../../canal/protocol/packet-splitter.ts';
import { writePackets } from '../../../../canal/protocol/packet-writer.ts';
import { FULL_PACKET_BYTES } from '../../../../canal/protocol/protocol.ts';

const MIB = 1024 * 1024;

function splitter(maxPayloadBytes = 256 * MIB): PacketSplitter {
  return new PacketSplitter({ maxPayloadBytes });
}

function allOf(from: PacketSplitter): Buffer[] {
  const payloads: Buffer[] = [];
  for (let payload = from.next(); payload !== null; payload = from.next())
    payloads.push(Buffer.from(payload));
  return payloads;
}

/** Several payloads on the wire, sequence numbers going on as a server's do. */
function wireOf(payloads: readonly Buffer[]): Buffer {
  let sequence = 0;
  return Buffer.concat(
    payloads.map((payload) => {
      const { bytes, nextSequence } = writePackets(payload, sequence);
      sequence = nextSequence;
      return bytes;
    }),
  );
}

const patterned = (length: number): Buffer => Buffer.alloc(length, 'abcdefghijklmnopqrstuvwxyz0123456789-');

describe('PacketSplitter', () => {
  it('gives back what was written, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 300 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 50 }),
        (raw, cuts) => {
          const payloads = raw.map((bytes) => Buffer.from(bytes));
          const wire = wireOf(payloads);
          const reader = splitter();
          const got: Buffer[] = [];
          for (let from = 0, turn = 0; from < wire.length; turn += 1) {
            const to = from + (cuts[turn % cuts.length] ?? 1);
            reader.push(wire.subarray(from, to));
            // Sometimes several pieces wait before anyone asks.
            if (turn % 3 !== 0) got.push(...allOf(reader));
            from = to;
          }
          got.push(...allOf(reader));
          expect(got).toEqual(payloads);
          expect(reader.bufferedBytes).toBe(0);
          expect(reader.isMidPayload).toBe(false);
        },
      ),
    );
  });

  it('needs every byte: cut in two at each place, the payload comes with the second piece', () => {
    const payloads = [Buffer.from('first'), Buffer.alloc(0), Buffer.from('the third one')];
    const wire = wireOf(payloads);
    for (let cut = 0; cut <= wire.length; cut += 1) {
      const reader = splitter();
      reader.push(wire.subarray(0, cut));
      const before = allOf(reader);
      reader.push(wire.subarray(cut));
      expect([...before, ...allOf(reader)]).toEqual(payloads);
      expect(before.length).toBeLessThan(cut === wire.length ? 4 : 3);
    }
  });

  it('a payload within one piece is a view of it, not a copy', () => {
    const wire = wireOf([Buffer.from('abc')]);
    const reader = splitter();
    reader.push(wire);
    expect(reader.next()?.buffer).toBe(wire.buffer);
  });

  it.each([
    ['one less than a full packet', FULL_PACKET_BYTES - 1],
    ['exactly a full packet, which an empty one follows', FULL_PACKET_BYTES],
    ['one more than a full packet', FULL_PACKET_BYTES + 1],
    ['two full packets', FULL_PACKET_BYTES * 2],
    ['forty MiB', 40 * MIB + 7],
  ])('puts together %s', (_name, length) => {
    const payload = patterned(length);
    const wire = wireOf([Buffer.from('before'), payload, Buffer.from('after')]);
    const reader = splitter();
    const got: Buffer[] = [];
    for (let from = 0; from < wire.length; from += 65_536) {
      reader.push(wire.subarray(from, from + 65_536));
      got.push(...allOf(reader));
      // Bytes of a payload in the making do not count as waiting: the socket has to go on.
      expect(reader.bufferedBytes).toBe(0);
    }
    expect(got.length).toBe(3);
    expect(got[1]?.equals(payload)).toBe(true);
    expect(got[2]?.toString()).toBe('after');
  });

  it('refuses a payload above the cap as soon as it shows', () => {
    const wire = wireOf([patterned(2_000)]);
    const reader = splitter(1_000);
    reader.push(wire.subarray(0, 4));
    expect(() => reader.next()).toThrow(
      expect.objectContaining({ code: 'HOLT_SOURCE_PACKET_TOO_LARGE', disposition: 'pause' }),
    );
  });

  it('refuses one that tells its length in its first packet before the second is received', () => {
    const reader = new PacketSplitter({
      maxPayloadBytes: 20 * MIB,
      lengthHint: (head) => head.readUInt32LE(0),
    });
    const head = Buffer.alloc(FULL_PACKET_BYTES);
    head.writeUInt32LE(21 * MIB);
    reader.push(Buffer.from([0xff, 0xff, 0xff, 0]));
    reader.push(head);
    expect(reader.next()).toBe(null);
    reader.push(Buffer.from([1, 0, 0, 1]));
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'HOLT_SOURCE_PACKET_TOO_LARGE' }));
  });

  it('refuses packets out of order, unless they carry an error', () => {
    const lost = splitter();
    lost.push(writePackets(Buffer.from('x'), 1).bytes);
    expect(() => lost.next()).toThrow(expect.objectContaining({ code: 'HOLT_SOURCE_PROTOCOL' }));
    const killed = splitter();
    killed.push(writePackets(Buffer.from([0xff, 1, 2]), 7).bytes);
    expect(killed.next()).toEqual(Buffer.from([0xff, 1, 2]));
  });

  it('says whether the stream stops within a payload', () => {
    const wire = wireOf([Buffer.from('abc')]);
    for (let cut = 0; cut <= wire.length; cut += 1) {
      const reader = splitter();
      reader.push(wire.subarray(0, cut));
      reader.next();
      expect(reader.isMidPayload).toBe(cut > 0 && cut < wire.length);
    }
  });
});
