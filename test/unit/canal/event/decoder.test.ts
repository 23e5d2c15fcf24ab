import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { EventDecoder } from '../../../../canal/event/decoder.ts';
import type { BinlogEvent } from '../../../../canal/event/event.ts';
import { HoltError } from '../../../../lib/errors.ts';
import {
  concat,
  eventBytes,
  formatDescription,
  type HeaderFields,
  lenenc,
  mariadbPacked,
  metadataField,
  name,
  signedVarint,
  tableMapBody,
  text,
  u8,
  u16,
  u32,
  u48,
  u64,
  varint,
} from '../../../support/binlog-bytes.ts';

function decoderFor(options: Parameters<typeof formatDescription>[0] = {}): EventDecoder {
  const decoder = new EventDecoder({ maxEventBytes: 1_000_000 });
  decoder.decode(formatDescription(options));
  return decoder;
}

const MARIADB = { version: '10.11.19-MariaDB-log' };

function decode(
  typeCode: number,
  body: Buffer,
  options: HeaderFields & { mariadb?: boolean } = {},
): BinlogEvent {
  return decoderFor(options.mariadb === true ? MARIADB : {}).decode(eventBytes(typeCode, body, options));
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof HoltError) return error.code;
    throw error;
  }
  return 'no error';
}

const UUID = Buffer.from('3ad01f51e5b311f1a38a02fc00000001', 'hex');
const UUID_TEXT = '3ad01f51-e5b3-11f1-a38a-02fc00000001';

describe('EventDecoder', () => {
  it('holds the format description in force, with the checksum it announces', () => {
    const decoder = new EventDecoder();
    expect(decoder.format).toBeNull();
    decoder.decode(formatDescription({ version: '5.7.44-log' }));
    expect(decoder.format).toMatchObject({
      serverVersion: '5.7.44-log',
      checksum: 'crc32',
      binlogVersion: 4,
    });
    expect(decoder.mariadb).toBe(false);
    decoder.decode(formatDescription({ ...MARIADB, checksum: 'none' }));
    expect(decoder.format).toMatchObject({ checksum: 'none' });
    expect(decoder.mariadb).toBe(true);
    expect(decoder.decode(eventBytes(16, u64(5), { checksum: false }))).toMatchObject({
      kind: 'xid',
      xid: 5n,
    });
  });

  it('reads descriptions of servers that know no checksums', () => {
    const lengths = new Array(27).fill(8);
    const body = concat(
      u16(4),
      Buffer.from('5.5.62-log'.padEnd(50, '\0')),
      u32(1),
      u8(19),
      Buffer.from(lengths),
    );
    const decoder = new EventDecoder();
    expect(decoder.decode(eventBytes(15, body, { checksum: false }))).toMatchObject({
      checksum: 'none',
      createdAt: 1,
      postHeaderLengths: Uint8Array.from(lengths),
    });
  });

  it.each([
    ['a binlog version before 4', concat(u16(3), Buffer.alloc(80)), 'HOLT_EVENT_UNSUPPORTED'],
    [
      'an unknown checksum',
      concat(u16(4), Buffer.from('8.4.0'.padEnd(50, '\0')), u32(0), u8(19), u8(2), Buffer.alloc(0)),
      'HOLT_EVENT_UNSUPPORTED',
    ],
    [
      'another header length',
      concat(u16(4), Buffer.from('8.4.0'.padEnd(50, '\0')), u32(0), u8(13), u8(1)),
      'HOLT_EVENT_CORRUPT',
    ],
    ['a cut description', concat(u16(4), Buffer.alloc(9)), 'HOLT_EVENT_CORRUPT'],
  ])('refuses %s', (_, body, code) => {
    expect(codeOf(() => new EventDecoder().decode(eventBytes(15, body)))).toBe(code);
  });

  it('takes the artificial ROTATE before any description, with a checksum or without', () => {
    const body = concat(u64(4), text('binlog.000007'));
    for (const checksum of [true, false])
      expect(
        new EventDecoder().decode(eventBytes(4, body, { checksum, timestamp: 0, flags: 0x20 })),
      ).toMatchObject({ kind: 'rotate', file: 'binlog.000007', offset: 4 });
  });

  it('refuses a wrong checksum', () => {
    const event = eventBytes(16, u64(5));
    event.writeUInt8(event.readUInt8(20) ^ 1, 20);
    expect(codeOf(() => decoderFor().decode(event))).toBe('HOLT_EVENT_CHECKSUM');
  });

  it('names an unknown type, and skips it only where the flag allows', () => {
    expect(() => decode(99, u64(5))).toThrow(/event type 99 is not known/);
    expect(codeOf(() => decode(99, u64(5)))).toBe('HOLT_EVENT_UNKNOWN');
    expect(codeOf(() => decode(0, u64(5)))).toBe('HOLT_EVENT_UNKNOWN');
    expect(decode(99, u64(5), { flags: 0x80 })).toMatchObject({ kind: 'ignored', name: 'type-99' });
  });

  it.each([1, 6, 7, 8, 10, 12, 20, 21, 22])('refuses type %i of servers before 5.1', (code) => {
    expect(codeOf(() => decode(code, Buffer.alloc(100)))).toBe('HOLT_EVENT_UNSUPPORTED');
  });

  it.each([
    [28, 'ignorable', false],
    [36, 'transactionContext', false],
    [37, 'viewChange', false],
    [161, 'mariadbBinlogCheckpoint', true],
    [164, 'mariadbStartEncryption', true],
  ])('passes over type %i', (code, title, mariadb) => {
    expect(decode(code, Buffer.alloc(30), { mariadb })).toMatchObject({ kind: 'ignored', name: title });
  });

  it('reads the short events', () => {
    expect(decode(3, Buffer.alloc(0)).kind).toBe('stop');
    expect(decode(4, concat(u64(0x1_0000_0004), text('b.2')))).toMatchObject({
      offset: 0x1_0000_0004,
      file: 'b.2',
    });
    expect(decode(5, concat(u8(2), u64(7)))).toMatchObject({ kind: 'statement-context', name: 'intvar' });
    expect(decode(13, concat(u64(1), u64(2)))).toMatchObject({ kind: 'statement-context', name: 'rand' });
    expect(decode(14, concat(u32(1), text('v'), u8(1)))).toMatchObject({ name: 'user-var' });
    expect(
      decode(14, concat(u32(1), text('v'), u8(0), u8(0), u32(33), u32(2), text('xy'), u8(0))),
    ).toMatchObject({
      name: 'user-var',
    });
    expect(decode(16, u64(0xffff_ffff_ffff_fffen))).toMatchObject({ xid: 0xffff_ffff_ffff_fffen });
    expect(decode(26, concat(u16(1), u8(4), text('lost')))).toMatchObject({
      kind: 'incident',
      incident: 1,
      message: 'lost',
    });
    expect(decode(29, concat(u8(3), text('a longer statement')))).toMatchObject({
      kind: 'rows-query',
      sql: text('a longer statement'),
    });
    expect(decode(160, text('insert'), { mariadb: true })).toMatchObject({
      kind: 'rows-query',
      sql: text('insert'),
    });
  });

  it('refuses a file offset beyond 2^53', () => {
    expect(codeOf(() => decode(4, concat(u64(1n << 60n), text('b.2'))))).toBe('HOLT_EVENT_CORRUPT');
  });

  it('reads statements, compressed ones too', () => {
    const head = concat(
      u32(9),
      u32(0),
      u8(4),
      u16(1062),
      u16(5),
      Buffer.from([0, 0, 0, 0, 0]),
      text('shop'),
      u8(0),
    );
    const expected = {
      kind: 'query',
      threadId: 9,
      schema: 'shop',
      errorCode: 1062,
      statusVars: Buffer.alloc(5),
      sql: text('CREATE TABLE t (a INT)'),
    };
    expect(decode(2, concat(head, text('CREATE TABLE t (a INT)')))).toMatchObject(expected);
    const packed = mariadbPacked(text('CREATE TABLE t (a INT)'));
    expect(decode(165, concat(head, packed), { mariadb: true })).toMatchObject(expected);
  });

  it('refuses compression that lies about its size', () => {
    const head = concat(u32(9), u32(0), u8(0), u16(0), u16(0), u8(0));
    const bomb = (length: number) =>
      concat(head, u8(0x84), u32(length).reverse() as Buffer, deflateSync(Buffer.alloc(5000)));
    expect(codeOf(() => decode(165, bomb(10)))).toBe('HOLT_EVENT_CORRUPT');
    expect(codeOf(() => decode(165, bomb(6000)))).toBe('HOLT_EVENT_CORRUPT');
    expect(codeOf(() => decode(165, bomb(0x7fff_ffff)))).toBe('HOLT_EVENT_TOO_LARGE');
    expect(codeOf(() => decode(165, concat(head, u8(0x94), u32(1))))).toBe('HOLT_EVENT_CORRUPT');
  });

  it('names the parts of LOAD DATA in statement form', () => {
    const block = concat(u32(1), text('1,2\n'));
    expect(decode(17, block)).toMatchObject({ kind: 'load-data', name: 'begin-load-query', sql: null });
    expect(decode(9, block)).toMatchObject({ kind: 'load-data', name: 'append-block' });
    expect(decode(11, u32(1))).toMatchObject({ kind: 'load-data', name: 'delete-file' });
    const head = concat(u32(9), u32(0), u8(1), u16(0), u16(0), u32(1), u32(10), u32(20), u8(0));
    expect(decode(18, concat(head, text('s'), u8(0), text('LOAD DATA')))).toMatchObject({
      name: 'execute-load-query',
      sql: text('LOAD DATA'),
      // Names in the statement may be without a schema.
      session: { threadId: 9, schema: 's' },
    });
  });

  it('reads heartbeats of all three forms', () => {
    expect(decode(27, text('binlog.000003'), { logPos: 500 })).toMatchObject({
      kind: 'heartbeat',
      file: 'binlog.000003',
      offset: 500,
    });
    expect(decode(27, concat(u64(0x2_0000_0000), text('b.3')), { mariadb: true, logPos: 0 })).toMatchObject({
      file: 'b.3',
      offset: 0x2_0000_0000,
    });
    const body = concat(u8(1), u8(3), text('b.4'), u8(2), u8(9), u8(254), u64(0x3_0000_0000), u8(0));
    expect(decode(41, body)).toMatchObject({ kind: 'heartbeat', file: 'b.4', offset: 0x3_0000_0000 });
  });

  it('reads an XA id, and none that is longer than XA allows', () => {
    expect(decode(38, concat(u8(1), u32(0xffff_ffff), u32(1), u32(2), text('abc')))).toMatchObject({
      kind: 'xa-prepare',
      onePhase: true,
      formatId: -1,
      gtrid: text('a'),
      bqual: text('bc'),
    });
    expect(codeOf(() => decode(38, concat(u8(1), u32(1), u32(65), u32(0), Buffer.alloc(65))))).toBe(
      'HOLT_EVENT_CORRUPT',
    );
  });
});

describe('GTID events', () => {
  const base = concat(u8(0), UUID, u64(23));
  const clock = concat(u8(2), u64(11), u64(12));
  const us = (value: number, flag: boolean) =>
    concat(u48(value % 2 ** 48), u8(Math.floor(value / 2 ** 48) | (flag ? 0x80 : 0)));

  it.each([
    ['5.6', base, {}],
    ['5.7', concat(base, clock), { lastCommitted: 11n, sequenceNumber: 12n }],
    [
      '8.0.1',
      concat(base, clock, us(1_700_000_000_123_456, false)),
      { immediateCommitUs: 1_700_000_000_123_456, originalCommitUs: 1_700_000_000_123_456 },
    ],
    [
      '8.0.26 on a replica',
      concat(
        base,
        clock,
        us(1_700_000_000_123_456, true),
        us(1_600_000_000_000_001, false),
        lenenc(70_000),
        u32(0x8000_0000 + 80_026),
        u32(80_020),
        u64(77),
      ),
      {
        immediateCommitUs: 1_700_000_000_123_456,
        originalCommitUs: 1_600_000_000_000_001,
        transactionLength: 70_000,
      },
    ],
  ])('are read as MySQL %s writes them', (_, body, more) => {
    expect(decode(33, body)).toMatchObject({
      kind: 'gtid',
      gtid: { flavour: 'mysql', uuid: UUID_TEXT, tag: '', number: 23n },
      lastCommitted: 0n,
      immediateCommitUs: null,
      transactionLength: null,
      ...('lastCommitted' in more || 'immediateCommitUs' in more
        ? { lastCommitted: 11n, sequenceNumber: 12n }
        : {}),
      ...more,
    });
    expect(decode(34, body)).toMatchObject({ kind: 'gtid', gtid: null });
  });

  const message = (last: number, ...fields: readonly Buffer[]): Buffer => {
    const inner = concat(varint(last), ...fields);
    // The size counts itself: one or two bytes.
    for (const size of [1, 2]) {
      const total = 1 + size + inner.length;
      if (varint(total).length === size) return concat(varint(1), varint(total), inner);
    }
    throw new Error('too long');
  };
  const uuidField = concat(varint(1), ...[...UUID].map((byte) => varint(byte)));

  it('with a tag are read from their serialization, unknown fields skipped', () => {
    const body = message(
      12,
      concat(varint(0), varint(1)),
      uuidField,
      concat(varint(2), signedVarint(9_000_000_000_000_000_000n)),
      concat(varint(3), varint(3), text('abc')),
      concat(varint(4), signedVarint(-1n)),
      concat(varint(5), signedVarint(300n)),
      concat(varint(6), varint(1_700_000_000_123_456)),
      concat(varint(8), varint(500)),
      concat(varint(40), text('from the future')),
    );
    expect(decode(42, body)).toMatchObject({
      kind: 'gtid',
      gtid: { uuid: UUID_TEXT, tag: 'abc', number: 9_000_000_000_000_000_000n },
      lastCommitted: -1n,
      sequenceNumber: 300n,
      immediateCommitUs: 1_700_000_000_123_456,
      originalCommitUs: 1_700_000_000_123_456,
      transactionLength: 500,
    });
  });

  it.each([
    ['an unknown field that may not be ignored', message(41, uuidField)],
    ['another serialization', concat(varint(2), varint(20), Buffer.alloc(30))],
    ['fields out of order', message(1, concat(varint(2), varint(1)), uuidField)],
    ['no number', message(1, uuidField)],
    ['a tag too long', message(1, uuidField, concat(varint(3), varint(33), Buffer.alloc(33, 97)))],
    ['a tag with odd characters', message(1, uuidField, concat(varint(3), varint(2), text('A:')))],
    ['a size beyond its end', concat(varint(1), varint(90), varint(1))],
  ])('with a tag and %s are refused', (_, body) => {
    expect(codeOf(() => decode(42, body))).toBe('HOLT_EVENT_CORRUPT');
  });

  it('of the files before are a canonical set, in both encodings', () => {
    const other = Buffer.alloc(16, 0x11);
    const intervals = (...bounds: readonly (readonly [number, number])[]) =>
      concat(u64(bounds.length), ...bounds.map(([first, last]) => concat(u64(first), u64(last + 1))));
    const untagged = concat(u64(2), UUID, intervals([7, 9], [1, 3], [4, 5]), other, intervals([1, 1]));
    expect(decode(35, untagged)).toMatchObject({
      kind: 'previous-gtids',
      set: `11111111-1111-1111-1111-111111111111:1,${UUID_TEXT}:1-5:7-9`,
    });
    const tagged = concat(
      u64((1n << 56n) | (3n << 8n) | 1n),
      concat(UUID, varint(1), text('b'), intervals([5, 6])),
      concat(UUID, varint(0), intervals([1, 2])),
      concat(UUID, varint(1), text('a'), intervals([1, 1])),
    );
    expect(decode(35, tagged)).toMatchObject({ set: `${UUID_TEXT}:1-2:a:1:b:5-6` });
    expect(decode(35, u64(0))).toMatchObject({ set: '' });
    expect(codeOf(() => decode(35, u64(2n << 56n)))).toBe('HOLT_EVENT_CORRUPT');
    expect(codeOf(() => decode(35, concat(u64(1), UUID, u64(1n << 40n))))).toBe('HOLT_EVENT_CORRUPT');
    expect(codeOf(() => decode(35, concat(u64(1), UUID, u64(1), u64(5), u64(5))))).toBe('HOLT_EVENT_CORRUPT');
  });

  it('of MariaDB are read with their flags', () => {
    const head = (flags: number) => concat(u64(1n << 60n), u32(3), u8(flags));
    const pad = Buffer.alloc(6);
    expect(decode(162, concat(head(0x04), pad), { mariadb: true, serverId: 12 })).toMatchObject({
      kind: 'mariadb-gtid',
      gtid: { flavour: 'mariadb', domain: 3, server: 12, sequence: 1n << 60n },
      standalone: false,
      transactional: true,
      alter: 'none',
      alterStartSequence: null,
    });
    expect(decode(162, concat(head(0x03), u64(99)), { mariadb: true })).toMatchObject({ standalone: true });
    const xa = concat(head(0x40), u32(1), u8(1), u8(2), text('abc'));
    expect(decode(162, xa, { mariadb: true })).toMatchObject({ preparedXa: true, completedXa: false });
    for (const [extra, alter] of [
      [0x02, 'start'],
      [0x04, 'commit'],
      [0x08, 'rollback'],
    ] as const) {
      const ends = alter === 'start' ? pad : u64(41);
      expect(decode(162, concat(head(0x21), u8(extra), ends), { mariadb: true })).toMatchObject({
        ddl: true,
        alter,
        alterStartSequence: alter === 'start' ? null : 41n,
      });
    }
    const all = concat(head(0x23), u64(1), u8(0x1d), u8(2), u64(40), u32(77));
    expect(decode(162, all, { mariadb: true })).toMatchObject({ alter: 'commit', alterStartSequence: 40n });
    const list = concat(u32(0x1000_0000 + 2), u32(0), u32(1), u64(5), u32(1), u32(2), u64(6));
    expect(decode(163, list, { mariadb: true })).toMatchObject({
      kind: 'mariadb-gtid-list',
      gtids: [
        { domain: 0, server: 1, sequence: 5n },
        { domain: 1, server: 2, sequence: 6n },
      ],
    });
    expect(codeOf(() => decode(163, u32(0x0fff_ffff), { mariadb: true }))).toBe('HOLT_EVENT_CORRUPT');
  });
});

describe('TABLE_MAP', () => {
  it('resolves the types that hide in STRING, and the metadata of each type', () => {
    // CHAR(300 bytes): 0x12c; its bits 8 and 9 stand inverted in the type.
    const types = [254, 254, 254, 246, 16, 15, 252, 245, 18, 3, 5, 12];
    const metadata = Buffer.from([0xee, 0x2c, 0xf7, 2, 0xf8, 8, 20, 10, 3, 1, 0x90, 1, 2, 4, 6, 8]);
    const event = decode(19, tableMapBody({ types, metadata }));
    expect(event).toMatchObject({
      kind: 'table-map',
      map: {
        tableId: 108,
        schema: 'shop',
        table: 'orders',
        columnCount: 12,
        types: [254, 247, 248, 246, 16, 15, 252, 245, 18, 3, 5, 12],
        metas: [300, 2, 8, (20 << 8) | 10, (1 << 8) | 3, 400, 2, 4, 6, 0, 8, 0],
        unsigned: null,
        names: null,
      },
    });
  });

  it('reads all optional metadata and skips unknown fields', () => {
    const types = [3, 15, 255, 254, 254, 242, 252, 8];
    const metadata = Buffer.from([40, 0, 4, 0xf7, 1, 0xf8, 1, 4, 2]);
    const labels = (...words: readonly string[]) =>
      concat(
        lenenc(words.length),
        ...words.map((word) => concat(lenenc(Buffer.byteLength(word)), text(word))),
      );
    const names = ['id', 'title', 'place', 'e', 's', 'vec', 'body', 'n'];
    const optional = concat(
      metadataField(1, Buffer.from([0b0100_0000])),
      metadataField(2, concat(lenenc(255), lenenc(1), lenenc(63))),
      metadataField(4, concat(...names.map((word) => concat(lenenc(word.length), text(word))))),
      metadataField(5, labels('x', 'y')),
      metadataField(6, labels('ä', '')),
      metadataField(7, lenenc(1)),
      metadataField(9, concat(lenenc(1), lenenc(10), lenenc(0), lenenc(0))),
      metadataField(11, concat(lenenc(8), lenenc(28))),
      metadataField(12, Buffer.from([0b1111_1101])),
      metadataField(13, lenenc(3)),
      metadataField(77, text('of a later server')),
    );
    expect(decode(19, tableMapBody({ types, metadata, optional }))).toMatchObject({
      map: {
        names,
        unsigned: [false, false, false, false, false, false, false, true],
        collations: [0, 255, 0, 8, 28, 63, 255, 0],
        primaryKey: [1, 0],
        enumValues: [null, null, null, [text('ä'), text('')], null, null, null, null],
        setValues: [null, null, null, null, [text('x'), text('y')], null, null, null],
        geometryTypes: [null, null, 1, null, null, null, null, null],
        visible: [true, true, true, true, true, true, false, true],
        vectorDimensions: [null, null, null, null, null, 3, null, null],
      },
    });
    // MariaDB counts the geometry among the character columns: there the 63 is the geometry's.
    expect(decode(19, tableMapBody({ types, metadata, optional }), { mariadb: true })).toMatchObject({
      map: { collations: [0, 255, 63, 8, 28, 255, 255, 0] },
    });
  });

  it('is the same object as long as its bytes are the same, and keeps no view into them', () => {
    const decoder = decoderFor();
    const mapOf = (event: Buffer) => {
      const decoded = decoder.decode(event);
      return decoded.kind === 'table-map' ? decoded.map : null;
    };
    const event = eventBytes(19, tableMapBody({ types: [3] }));
    const first = mapOf(event);
    expect(mapOf(Buffer.from(event))).toBe(first);
    event.fill(0);
    expect(first).toMatchObject({ schema: 'shop', raw: tableMapBody({ types: [3] }) });
    const altered = mapOf(eventBytes(19, tableMapBody({ types: [3, 3] })));
    expect(altered).toMatchObject({ columnCount: 2 });
    expect(mapOf(eventBytes(19, tableMapBody({ types: [3] })))).toEqual(first);
  });

  it('has ids of 32 bits where the post-header says so', () => {
    const lengths = new Array(42).fill(8);
    lengths[18] = 6;
    const body = tableMapBody({ types: [3] });
    const event = decoderFor({ lengths }).decode(eventBytes(19, concat(u32(9), body.subarray(6))));
    expect(event).toMatchObject({ map: { tableId: 9, schema: 'shop' } });
  });

  it.each([
    ['an unknown type', tableMapBody({ types: [200] }), 'HOLT_EVENT_UNSUPPORTED'],
    ['metadata left over', tableMapBody({ types: [3], metadata: u8(1) }), 'HOLT_EVENT_CORRUPT'],
    ['metadata missing', tableMapBody({ types: [15], metadata: u8(1) }), 'HOLT_EVENT_CORRUPT'],
    ['too many columns', tableMapBody({ types: new Array(5000).fill(3) }), 'HOLT_EVENT_CORRUPT'],
    ['a name without NUL', concat(u48(1), u16(1), u8(1), text('ab')), 'HOLT_EVENT_CORRUPT'],
    [
      'a key over a column that is not there',
      tableMapBody({ types: [3], optional: metadataField(8, lenenc(1)) }),
      'HOLT_EVENT_CORRUPT',
    ],
  ])('with %s is refused', (_, body, code) => {
    expect(codeOf(() => decode(19, body))).toBe(code);
  });
});

describe('row events', () => {
  const images = Buffer.from([0, 1, 0, 0, 0]);
  const v1 = concat(u48(108), u16(1), lenenc(2), u8(3));
  const v2 = (extra: Buffer) => concat(u48(108), u16(0x11), u16(extra.length + 2), extra, lenenc(2), u8(3));

  it.each([
    [23, v1, images, { op: 'insert', before: null, after: u8(3), flags: 1 }],
    [24, concat(v1, u8(1)), images, { op: 'update', before: u8(3), after: u8(1) }],
    [25, v1, images, { op: 'delete', before: u8(3), after: null }],
    [30, v2(Buffer.alloc(0)), images, { op: 'insert', after: u8(3), flags: 0x11 }],
    [31, concat(v2(Buffer.from([1, 0, 5, 0])), u8(2)), images, { op: 'update', before: u8(3), after: u8(2) }],
    [32, v2(Buffer.alloc(7)), images, { op: 'delete', before: u8(3) }],
    [39, concat(v2(Buffer.alloc(0)), u8(2)), images, { op: 'update', partialJson: true }],
    [166, v1, mariadbPacked(images), { op: 'insert' }],
    [167, concat(v1, u8(3)), mariadbPacked(images), { op: 'update' }],
    [168, v1, mariadbPacked(images), { op: 'delete' }],
    [169, v2(Buffer.alloc(0)), mariadbPacked(images), { op: 'insert' }],
    [170, concat(v2(Buffer.alloc(0)), u8(3)), mariadbPacked(images), { op: 'update' }],
    [171, v2(Buffer.alloc(0)), mariadbPacked(images), { op: 'delete' }],
  ])('of type %i are read', (code, head, data, expected) => {
    expect(decode(code, concat(head, data), { mariadb: code > 100 })).toMatchObject({
      kind: 'rows',
      tableId: 108,
      columnCount: 2,
      partialJson: false,
      data: images,
      ...expected,
    });
  });

  it.each([
    ['too many columns', concat(u48(1), u16(0), lenenc(5000), Buffer.alloc(700))],
    ['a bitmap cut off', concat(u48(1), u16(0), lenenc(100), Buffer.alloc(3))],
  ])('with %s are refused', (_, body) => {
    expect(codeOf(() => decode(23, body))).toBe('HOLT_EVENT_CORRUPT');
  });

  it('refuses extra data shorter than its length field', () => {
    expect(codeOf(() => decode(30, concat(u48(1), u16(0), u16(1), lenenc(1), u8(1))))).toBe(
      'HOLT_EVENT_CORRUPT',
    );
  });
});

describe('PARTIAL_ROW_DATA', () => {
  const rows = eventBytes(23, concat(u48(108), u16(1), lenenc(2), u8(3), Buffer.alloc(90, 7)), {
    checksum: false,
  });
  const fragment = (number: number, of: number, chunk: Buffer, size: number | null = null) =>
    eventBytes(
      172,
      concat(
        u32(of),
        u32(number),
        u8(size === null ? 0 : 1),
        size === null ? Buffer.alloc(0) : u64(size),
        chunk,
      ),
      { logPos: 1000 + number },
    );

  it('is put together, and takes its place from the last fragment', () => {
    const decoder = decoderFor(MARIADB);
    expect(decoder.decode(fragment(1, 3, rows.subarray(0, 40), rows.length)).kind).toBe('ignored');
    expect(decoder.decode(fragment(2, 3, rows.subarray(40, 80))).kind).toBe('ignored');
    expect(decoder.decode(fragment(3, 3, rows.subarray(80)))).toMatchObject({
      kind: 'rows',
      op: 'insert',
      data: Buffer.alloc(90, 7),
      header: { logPos: 1003, typeCode: 23 },
    });
    expect(decoder.decode(eventBytes(16, u64(1))).kind).toBe('xid');
  });

  it.each([
    ['out of order', [fragment(1, 3, rows.subarray(0, 40), rows.length), fragment(3, 3, rows.subarray(40))]],
    ['without a first', [fragment(2, 3, rows.subarray(40))]],
    ['longer than the whole', [fragment(1, 2, rows, rows.length), fragment(2, 2, rows)]],
    ['shorter than the whole', [fragment(1, 2, rows, rows.length + 5), fragment(2, 2, Buffer.alloc(0))]],
    ['of a whole far larger than they', [fragment(1, 2, rows, 900_000)]],
    ['of something else', [fragment(1, 1, eventBytes(16, u64(1), { checksum: false }), 27)]],
    [
      'with another event between',
      [fragment(1, 2, rows.subarray(0, 40), rows.length), eventBytes(16, u64(1))],
    ],
  ])('refuses fragments %s', (_, events) => {
    const decoder = decoderFor(MARIADB);
    expect(codeOf(() => events.map((event) => decoder.decode(event)))).toBe('HOLT_EVENT_CORRUPT');
  });

  it('refuses a whole beyond the limit', () => {
    expect(codeOf(() => decoderFor(MARIADB).decode(fragment(1, 90_000, rows, 2_000_000)))).toBe(
      'HOLT_EVENT_TOO_LARGE',
    );
  });
});

describe('TRANSACTION_PAYLOAD', () => {
  const inner = [
    eventBytes(2, concat(u32(1), u32(0), u8(0), u16(0), u16(0), u8(0), text('BEGIN')), { checksum: false }),
    eventBytes(16, u64(9), { checksum: false }),
  ];
  const payload = (packed: Buffer, compression: number, plainBytes: number) => {
    const field = (code: number, value: number) =>
      concat(lenenc(code), lenenc(lenenc(value).length), lenenc(value));
    return concat(field(2, compression), field(3, plainBytes), field(1, packed.length), lenenc(0), packed);
  };
  const plain = Buffer.concat(inner);
  const kinds = (event: BinlogEvent): string[] =>
    event.kind === 'transaction-payload' ? Array.from(event.events, ({ kind }) => kind) : [];
  // A frame of raw blocks (RFC 8878, 3.1.1): window of 1 KiB, then blocks of up to 1000 bytes.
  const frame = (bytes: Buffer, window = 0) => {
    const blocks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 1000) {
      const block = bytes.subarray(at, at + 1000);
      const last = at + 1000 >= bytes.length ? 1 : 0;
      blocks.push(
        concat(Buffer.from([(block.length << 3) | last, block.length >> 5, block.length >> 13]), block),
      );
    }
    return concat(u32(0xfd2fb528), u8(0), u8(window), ...blocks);
  };

  it('gives its events, as often as it is asked', () => {
    for (const event of [
      decode(40, payload(plain, 255, plain.length)),
      decode(40, payload(frame(plain), 0, plain.length)),
    ]) {
      expect(kinds(event)).toEqual(['query', 'xid']);
      expect(kinds(event)).toEqual(['query', 'xid']);
    }
  });

  it('goes on over several frames, skippable ones among them', () => {
    const packed = concat(
      frame(plain.subarray(0, 30)),
      u32(0x184d2a53),
      u32(3),
      text('abc'),
      frame(plain.subarray(30)),
    );
    expect(kinds(decode(40, payload(packed, 0, plain.length)))).toEqual(['query', 'xid']);
  });

  it('unpacks a run of a terabyte no further than its first event asks', () => {
    // RLE blocks of 128 KiB from four bytes each.
    const block = Buffer.from([0x02, 0x00, 0x10, 0x00]);
    const packed = concat(
      u32(0xfd2fb528),
      u8(0),
      u8(0x38),
      ...new Array(50_000).fill(block),
      Buffer.from([0x03, 0, 0, 0]),
    );
    const before = process.memoryUsage().arrayBuffers;
    expect(codeOf(() => kinds(decode(40, payload(packed, 0, 1e12))))).toBe('HOLT_EVENT_CORRUPT');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  });

  it.each([
    ['an unknown compression', payload(plain, 3, plain.length), 'HOLT_EVENT_UNSUPPORTED'],
    ['more than it says', payload(plain, 255, 30), 'HOLT_EVENT_CORRUPT'],
    ['a cut event', payload(plain.subarray(0, -1), 255, plain.length), 'HOLT_EVENT_CORRUPT'],
    ['a cut frame', payload(frame(plain).subarray(0, -1), 0, plain.length), 'HOLT_EVENT_CORRUPT'],
    ['no frame', payload(plain, 0, plain.length), 'HOLT_EVENT_CORRUPT'],
    ['a huge window', payload(frame(plain, 0xf8), 0, plain.length), 'HOLT_EVENT_TOO_LARGE'],
    [
      'a huge inner event',
      payload(eventBytes(16, Buffer.alloc(1_100_000)), 255, 2_000_000),
      'HOLT_EVENT_TOO_LARGE',
    ],
    [
      'a payload inside',
      payload(eventBytes(40, payload(plain, 255, plain.length), { checksum: false }), 255, 500),
      'HOLT_EVENT_CORRUPT',
    ],
    ['a format description inside', payload(formatDescription({}), 255, 500), 'HOLT_EVENT_CORRUPT'],
  ])('with %s is refused', (_, body, code) => {
    expect(codeOf(() => kinds(decode(40, body)))).toBe(code);
  });
});

describe('names in errors', () => {
  it('say which event it was', () => {
    expect(() => decode(19, name('x'))).toThrow(/tableMap: .* bytes wanted and .* left/);
  });
});
