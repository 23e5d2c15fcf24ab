import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../../canal/protocol/byte-reader.ts';
import { encodeBinlogDump } from '../../../../canal/protocol/com-binlog-dump.ts';
import { encodeBinlogDumpGtid } from '../../../../canal/protocol/com-binlog-dump-gtid.ts';
import { encodeRegisterReplica } from '../../../../canal/protocol/com-register-replica.ts';
import {
  chooseCapabilities,
  decodeHandshake,
  encodeHandshakeResponse,
} from '../../../../canal/protocol/handshake.ts';
import { CAPABILITY } from '../../../../canal/protocol/protocol.ts';
import { decodeErr, errnoOf, isEof, isErr, serverError } from '../../../../canal/protocol/reply.ts';
import { decodeColumnName, decodeRow } from '../../../../canal/protocol/result-set.ts';

const PROTOCOL_ERROR = expect.objectContaining({ code: 'HOLT_SOURCE_PROTOCOL' });

/** As sent by MySQL 5.6 in https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html. */
const MYSQL_GREETING = Buffer.concat([
  Buffer.from([10]),
  Buffer.from('5.6.24-log\0'),
  Buffer.from('2a000000', 'hex'),
  Buffer.from('12345678'),
  Buffer.from('00', 'hex'),
  Buffer.from('fff7210200ff8115', 'hex'),
  Buffer.alloc(10),
  Buffer.from('90abcdefghij\0'),
  Buffer.from('mysql_native_password\0'),
]);

describe('decodeHandshake', () => {
  it('reads who the server is and its nonce of 20 bytes', () => {
    const handshake = decodeHandshake(MYSQL_GREETING);
    expect(handshake).toMatchObject({
      serverVersion: '5.6.24-log',
      flavour: 'mysql',
      threadId: 42,
      authPlugin: 'mysql_native_password',
    });
    expect(handshake.nonce.toString()).toBe('1234567890abcdefghij');
    expect(handshake.capabilities).toBe(0x81fff7ff);
  });

  it('takes off the version that MariaDB puts before its own', () => {
    const text = Buffer.from('5.5.5-10.11.19-MariaDB-log\0');
    const greeting = Buffer.concat([Buffer.from([10]), text, MYSQL_GREETING.subarray(12)]);
    expect(decodeHandshake(greeting)).toMatchObject({
      serverVersion: '10.11.19-MariaDB-log',
      flavour: 'mariadb',
    });
  });

  it('refuses other protocols, and a greeting cut anywhere before its end', () => {
    expect(() => decodeHandshake(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow(PROTOCOL_ERROR);
    for (let length = 0; length < 12; length += 1)
      expect(() => decodeHandshake(MYSQL_GREETING.subarray(0, length))).toThrow(PROTOCOL_ERROR);
  });
});

describe('encodeHandshakeResponse', () => {
  it('has user, answer, plugin and attributes in their places', () => {
    const capabilities = chooseCapabilities(0xffff_ffff, false);
    expect(capabilities & CAPABILITY.ssl).toBe(0);
    expect(chooseCapabilities(0xffff_ffff, true) & CAPABILITY.ssl).toBe(CAPABILITY.ssl);
    const response = encodeHandshakeResponse({
      capabilities,
      user: 'répl',
      authPlugin: 'mysql_native_password',
      authResponse: Buffer.alloc(300, 1),
      attributes: { program_name: 'holt' },
    });
    const reader = new ByteReader(response, 'response', 32);
    expect(reader.nullTerminated().toString('utf8')).toBe('répl');
    expect(reader.lenencBytes()).toEqual(Buffer.alloc(300, 1));
    expect(reader.nullTerminated().toString()).toBe('mysql_native_password');
    const attributes = new ByteReader(reader.lenencBytes(), 'attributes');
    expect([attributes.lenencBytes().toString(), attributes.lenencBytes().toString()]).toEqual([
      'program_name',
      'holt',
    ]);
    expect(reader.remaining).toBe(0);
  });
});

describe('replies', () => {
  it('an error has number, state and text, before login without a state', () => {
    const err = Buffer.concat([Buffer.from('ff1504', 'hex'), Buffer.from('#28000Access denied')]);
    expect(isErr(err)).toBe(true);
    expect(decodeErr(err)).toEqual({ errno: 1045, sqlState: '28000', message: 'Access denied' });
    const early = Buffer.concat([Buffer.from('ff1004', 'hex'), Buffer.from('Too many connections')]);
    expect(decodeErr(early)).toEqual({ errno: 1040, sqlState: '', message: 'Too many connections' });
  });

  it.each([
    [1045, 'HOLT_SOURCE_ACCESS_DENIED', 'retry'],
    [1040, 'HOLT_SOURCE_UNREACHABLE', 'retry'],
    [1053, 'HOLT_SOURCE_LINK_LOST', 'retry'],
    [1227, 'HOLT_SOURCE_GRANT', 'retry'],
    [1251, 'HOLT_SOURCE_AUTH_METHOD', 'retry'],
    [1064, 'HOLT_SOURCE_SQL', 'pause'],
  ])('error %i is %s: %s', (errno, code, disposition) => {
    const error = serverError({ errno, sqlState: 'HY000', message: 'm' }, 'doing');
    expect(error).toMatchObject({ code, disposition });
    expect(errnoOf(error)).toBe(errno);
  });

  it('a row that begins like an EOF is none', () => {
    expect(isEof(Buffer.from('fe00000200', 'hex'))).toBe(true);
    expect(isEof(Buffer.concat([Buffer.from('fe', 'hex'), Buffer.alloc(8)]))).toBe(false);
  });
});

describe('rows', () => {
  it('values are bytes, NULL is null, lengths of all sizes are read', () => {
    const long = Buffer.alloc(70_000, 9);
    const row = Buffer.concat([
      Buffer.from([3]),
      Buffer.from([0, 0xff, 0x80]),
      Buffer.from([0xfb]),
      Buffer.from([0]),
      Buffer.from('fc2c01', 'hex'),
      Buffer.alloc(300, 5),
      Buffer.from('fd701101', 'hex'),
      long,
    ]);
    expect(decodeRow(row, 5)).toEqual([
      Buffer.from([0, 0xff, 0x80]),
      null,
      Buffer.alloc(0),
      Buffer.alloc(300, 5),
      long,
    ]);
    expect(decodeRow(row, 6).at(-1)).toBe(null);
    expect(() => decodeRow(row.subarray(0, -1), 5)).toThrow(PROTOCOL_ERROR);
  });

  it('a column shows its alias', () => {
    const texts = ['def', 's', 't', 't', 'alias', 'name'].map((text) =>
      Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]),
    );
    expect(decodeColumnName(Buffer.concat(texts))).toBe('alias');
  });
});

describe('commands of a replica', () => {
  it('COM_BINLOG_DUMP is as the manual of MariaDB shows it', () => {
    // The example of https://mariadb.com/kb/en/com_binlog_dump/, without the packet header.
    const expected = Buffer.concat([
      Buffer.from('1234060000020075270000', 'hex'),
      Buffer.from('mysql-bin.000034'),
    ]);
    const command = encodeBinlogDump({ serverId: 10101, flags: 2, file: 'mysql-bin.000034', offset: 0x634 });
    expect(command.toString('hex')).toBe(expected.toString('hex'));
  });

  it('COM_REGISTER_SLAVE is as the manual of MariaDB shows it, but for rank and port', () => {
    // https://mariadb.com/kb/en/5-slave-registration/: "15 75270000 08 SBslave1 00 00 c95a …".
    const command = encodeRegisterReplica({ serverId: 10101, host: 'SBslave1' });
    expect(command.toString('hex')).toBe(
      `157527000008${Buffer.from('SBslave1').toString('hex')}0000${'0000'}0000000000000000`,
    );
  });

  it('COM_BINLOG_DUMP_GTID begins with the first file and says that a set follows', () => {
    const executed = Buffer.from('0000000000000000', 'hex');
    const command = encodeBinlogDumpGtid({ serverId: 7, flags: 0, executed });
    expect(command.toString('hex')).toBe(
      ['1e', '0400', '07000000', '00000000', '0400000000000000', '08000000', '0000000000000000'].join(''),
    );
  });
});
