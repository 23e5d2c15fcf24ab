import { describe, expect, it } from 'vitest';
import { parseQueryStatus } from '../../../../canal/event/query-status.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { concat, name, text, u8, u16, u24, u32, u64 } from '../../../support/binlog-bytes.ts';

const short = (value: string) => concat(u8(value.length), text(value));

describe('parseQueryStatus', () => {
  it('reads every variable that MySQL and MariaDB write', () => {
    const bytes = concat(
      concat(u8(0), u32(0x4000)),
      concat(u8(1), u64(1n << 33n)),
      concat(u8(2), name('std')),
      concat(u8(3), u16(2), u16(1)),
      concat(u8(4), u16(255), u16(45), u16(8)),
      concat(u8(5), short('SYSTEM')),
      concat(u8(6), short('std')),
      concat(u8(7), u16(3)),
      concat(u8(8), u16(33)),
      concat(u8(9), u64(1)),
      concat(u8(10), u32(99)),
      concat(u8(11), short('me'), short('here')),
      concat(u8(12), u8(2), text('a\0b\0')),
      concat(u8(13), u24(123_456)),
      concat(u8(16), u8(1)),
      concat(u8(17), u64(77)),
      concat(u8(18), u16(255)),
      concat(u8(19), u8(0)),
      concat(u8(20), u8(1)),
      concat(u8(130), u8(4), u64(41)),
      concat(u8(131), u8(2), Buffer.alloc(8)),
      u8(255),
    );
    expect(parseQueryStatus(bytes)).toEqual({
      flags: 0x4000,
      sqlMode: 1n << 33n,
      catalog: 'std',
      autoIncrement: { increment: 2, offset: 1 },
      charset: { client: 255, connection: 45, server: 8 },
      timeZone: 'SYSTEM',
      lcTimeNames: 3,
      databaseCollation: 33,
      invoker: { user: 'me', host: 'here' },
      updatedSchemas: ['a', 'b'],
      microseconds: 123_456,
      explicitDefaultsForTimestamp: true,
      ddlXid: 77n,
      defaultCollationForUtf8mb4: 255,
      requirePrimaryKey: false,
      defaultTableEncryption: true,
      alter: { flags: 4, startSequence: 41n },
    });
  });

  it('reads the forms that stand for others', () => {
    expect(parseQueryStatus(concat(u8(128), u24(5), u8(129), u64(6)))).toEqual({
      microseconds: 5,
      ddlXid: 6n,
    });
    expect(parseQueryStatus(concat(u8(12), u8(254)))).toEqual({ updatedSchemas: null });
    expect(parseQueryStatus(concat(u8(130), u8(2)))).toEqual({ alter: { flags: 2, startSequence: null } });
    expect(parseQueryStatus(Buffer.alloc(0))).toEqual({});
  });

  it('stops at a code it does not know, and keeps what came before', () => {
    expect(parseQueryStatus(concat(u8(7), u16(1), u8(99), u8(1), u8(2)))).toEqual({
      lcTimeNames: 1,
      unknownCode: 99,
    });
  });

  it('refuses a value that is cut off', () => {
    expect(() => parseQueryStatus(concat(u8(1), u32(1)))).toThrow(HoltError);
    expect(() => parseQueryStatus(concat(u8(12), u8(1), text('no end')))).toThrow(HoltError);
  });
});
