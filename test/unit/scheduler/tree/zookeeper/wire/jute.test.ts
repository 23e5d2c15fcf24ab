import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JuteReader, JuteWriter, WireError } from '../../../../../../scheduler/tree/zookeeper/wire/jute.ts';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const record = fc.record({
  int: int32,
  long: int64,
  bool: fc.boolean(),
  buffer: fc.uint8Array({ maxLength: 600 }),
  string: fc.string({ unit: 'grapheme', maxLength: 80 }),
  strings: fc.array(fc.string({ maxLength: 20 }), { maxLength: 20 }),
});

describe('jute', () => {
  it('reads what it wrote', () => {
    fc.assert(
      fc.property(record, fc.nat(64), (value, sizeHint) => {
        const writer = new JuteWriter(sizeHint)
          .int(value.int)
          .long(value.long)
          .bool(value.bool)
          .buffer(Buffer.from(value.buffer))
          .string(value.string)
          .strings(value.strings);
        const packet = writer.packet();
        expect(packet.readInt32BE(0)).toBe(packet.length - 4);
        expect(packet.subarray(4)).toEqual(writer.bytes());
        const reader = new JuteReader(packet.subarray(4));
        expect(reader.int()).toBe(value.int);
        expect(reader.long()).toBe(value.long);
        expect(reader.bool()).toBe(value.bool);
        expect(reader.buffer()).toEqual(Buffer.from(value.buffer));
        expect(reader.string()).toBe(value.string);
        expect(reader.strings()).toEqual(value.strings);
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  it('writes the bytes of the Java archive', () => {
    const bytes = new JuteWriter()
      .int(1)
      .long(-2n)
      .bool(true)
      .buffer(null)
      .string('é')
      .strings(['a'])
      .bytes();
    expect(bytes.toString('hex')).toBe('00000001fffffffffffffffe01ffffffff00000002c3a9000000010000000161');
  });

  it('takes null for empty', () => {
    const reader = new JuteReader(Buffer.from('ffffffffffffffffffffffff', 'hex'));
    expect(reader.buffer()).toEqual(Buffer.alloc(0));
    expect(reader.string()).toBe('');
    expect(reader.strings()).toEqual([]);
  });

  it('gives data of its own, not a view of the packet', () => {
    const packet = new JuteWriter().buffer(Buffer.from('abc')).bytes();
    const data = new JuteReader(packet).buffer();
    packet.fill(0);
    expect(data.toString()).toBe('abc');
  });

  it('refuses lengths that lie, whatever the bytes', () => {
    expect(() => new JuteReader(Buffer.from('7fffffff', 'hex')).buffer()).toThrow(WireError);
    expect(() => new JuteReader(Buffer.from('fffffffe', 'hex')).string()).toThrow(WireError);
    expect(() => new JuteReader(Buffer.from('7fffffff00000000', 'hex')).strings()).toThrow(WireError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new JuteReader(Buffer.from(bytes));
        try {
          while (reader.remaining > 0) {
            reader.strings();
            reader.buffer();
            reader.string();
          }
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });
});
