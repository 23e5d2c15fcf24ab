import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  computeChecksum,
  EVENT_FLAG,
  readEventHeader,
  verifyChecksum,
} from '../../../../canal/event/header.ts';
import { HoltError } from '../../../../lib/errors.ts';

function event(type: number, flags: number, body: Buffer): Buffer {
  const bytes = Buffer.alloc(19 + body.length + 4);
  bytes.writeUInt32LE(0x65432100, 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt32LE(0xfffffffe, 5);
  bytes.writeUInt32LE(bytes.length, 9);
  bytes.writeUInt32LE(0xf0000000, 13);
  bytes.writeUInt16LE(flags, 17);
  body.copy(bytes, 19);
  return bytes;
}

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof HoltError) return error.code;
    throw error;
  }
  return 'no error';
};

describe('readEventHeader', () => {
  it('reads unsigned 32-bit fields', () => {
    const bytes = event(2, 0x28, Buffer.from('body'));
    expect(readEventHeader(bytes, 7)).toEqual({
      timestamp: 0x65432100,
      typeCode: 2,
      serverId: 0xfffffffe,
      eventLength: bytes.length,
      logPos: 0xf0000000,
      flags: 0x28,
      crc32: 7,
    });
  });

  it('refuses an event shorter than a header, and one whose length field differs', () => {
    expect(codeOf(() => readEventHeader(Buffer.alloc(18), null))).toBe('HOLT_EVENT_CORRUPT');
    expect(codeOf(() => readEventHeader(event(2, 0, Buffer.alloc(3)).subarray(0, 20), null))).toBe(
      'HOLT_EVENT_CORRUPT',
    );
  });
});

describe('verifyChecksum', () => {
  it('accepts what the server wrote and refuses any changed bit', () => {
    const bytes = event(2, 0, Buffer.from('hello'));
    const sum = crc32(bytes.subarray(0, -4));
    bytes.writeUInt32LE(sum, bytes.length - 4);
    expect(verifyChecksum(bytes)).toBe(sum);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(codeOf(() => verifyChecksum(changed))).toBe('HOLT_EVENT_CHECKSUM');
    }
  });

  it('leaves the in-use flag of a format description out of the sum, and of no other event', () => {
    const closed = event(15, 0, Buffer.from('description'));
    const open = event(15, EVENT_FLAG.inUse, Buffer.from('description'));
    expect(computeChecksum(open)).toBe(computeChecksum(closed));
    expect(computeChecksum(event(2, EVENT_FLAG.inUse, Buffer.from('x')))).not.toBe(
      computeChecksum(event(2, 0, Buffer.from('x'))),
    );
  });

  it('refuses an event without room for a trailer', () => {
    expect(codeOf(() => verifyChecksum(Buffer.alloc(22)))).toBe('HOLT_EVENT_CORRUPT');
  });
});
