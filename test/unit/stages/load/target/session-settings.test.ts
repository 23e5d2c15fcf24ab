import { describe, expect, it } from 'vitest';
import {
  DEFAULT_SESSION,
  needsRowFormat,
  readServer,
  readVariables,
  refuseUnfit,
  SQL_MODE,
  sessionStatement,
  verifySession,
} from '../../../../../stages/load/target/session-settings.ts';
import { identityOf } from '../../../../../stages/load/target/target-identity.ts';

const variables = (values: Record<string, string>) => new Map(Object.entries(values));
const row = (...values: string[]) => values.map((value) => Buffer.from(value));

describe('readServer()', () => {
  it.each([
    ['10.11.19-MariaDB-log', 'mariadb', 101119],
    ['5.5.5-10.5.29-MariaDB', 'mariadb', 100529],
    ['9.7.4-2', 'mysql', 90704],
    ['5.6.24-log', 'mysql', 50624],
  ] as const)('reads %s', (version, flavour, versionNumber) => {
    expect(readServer(variables({ version, log_bin: 'ON' }))).toMatchObject({
      flavour,
      versionNumber,
      binlog: true,
    });
  });

  it('reads names and values as the server writes them', () => {
    expect(readVariables([row('Server_Id', '7')])).toEqual(new Map([['server_id', '7']]));
  });
});

describe('identityOf()', () => {
  it('takes the server’s own id, and else a digest of what tells it apart', () => {
    expect(identityOf(variables({ server_uuid: 'AB-1' }))).toBe('ab-1');
    expect(identityOf(variables({ server_uid: 'x:y=' }))).toBe('uid-x_y=');
    const host = identityOf(variables({ server_id: '1', hostname: 'a', datadir: '/d/' }));
    expect(host).toMatch(/^host-[0-9a-f]{32}$/);
    expect(identityOf(variables({ server_id: '1', hostname: 'a', datadir: '/e/' }))).not.toBe(host);
  });
});

describe('sessionStatement()', () => {
  it('sets what exists at the server, and nothing else', () => {
    const text = sessionStatement(DEFAULT_SESSION, variables({ max_statement_time: '5', tx_isolation: 'x' }));
    expect(text).toContain('SESSION max_statement_time = 0');
    expect(text).not.toContain('max_execution_time');
    expect(text).toContain("SESSION tx_isolation = 'READ-COMMITTED'");
  });
});

describe('verifySession()', () => {
  it('accepts our settings and names what is not as it must be', () => {
    verifySession('west-db', row('7', SQL_MODE, '+00:00', 'binary', '1', 'READ-COMMITTED'));
    expect(() =>
      verifySession(
        'west-db',
        row('7', `${SQL_MODE},ANSI_QUOTES`, '+00:00', 'binary', '1', 'READ-COMMITTED'),
      ),
    ).toThrow(/sql_mode/);
    expect(() =>
      verifySession(
        'west-db',
        row('7', `${SQL_MODE},NO_BACKSLASH_ESCAPES`, '+00:00', 'binary', '1', 'READ-COMMITTED'),
      ),
    ).toThrow(/sql_mode/);
    expect(() =>
      verifySession('west-db', row('7', 'STRICT_ALL_TABLES', '+00:00', 'binary', '1', 'READ-COMMITTED')),
    ).toThrow(/sql_mode/);
    expect(() =>
      verifySession('west-db', row('7', SQL_MODE, 'SYSTEM', 'binary', '1', 'READ-COMMITTED')),
    ).toThrow(/time_zone/);
    expect(() =>
      verifySession('west-db', row('7', SQL_MODE, '+00:00', 'utf8mb4', '1', 'READ-COMMITTED')),
    ).toThrow(/character_set_client/);
    expect(() =>
      verifySession('west-db', row('7', SQL_MODE, '+00:00', 'binary', '0', 'READ-COMMITTED')),
    ).toThrow(/autocommit/);
    expect(() =>
      verifySession('west-db', row('7', SQL_MODE, '+00:00', 'binary', '1', 'REPEATABLE-READ')),
    ).toThrow(/isolation/);
  });
});

describe('what a session that writes refuses', () => {
  it('needs row format only where a binlog is written', () => {
    expect(needsRowFormat(variables({ log_bin: 'ON', binlog_format: 'MIXED' }))).toBe(true);
    expect(needsRowFormat(variables({ log_bin: 'ON', binlog_format: 'ROW' }))).toBe(false);
    expect(needsRowFormat(variables({ log_bin: 'OFF', binlog_format: 'MIXED' }))).toBe(false);
    // A server that knows no other format.
    expect(needsRowFormat(variables({ log_bin: 'ON' }))).toBe(false);
  });

  it('refuses a read-only server and a session that is not logged', () => {
    refuseUnfit(
      'west-db',
      variables({ read_only: 'OFF', super_read_only: 'OFF', log_bin: 'ON', sql_log_bin: 'ON' }),
    );
    expect(() => refuseUnfit('west-db', variables({ read_only: 'ON' }))).toThrow(/read-only/);
    // MariaDB 12: a stricter kind of read-only.
    expect(() => refuseUnfit('west-db', variables({ read_only: 'NO_LOCK' }))).toThrow(/read-only/);
    expect(() => refuseUnfit('west-db', variables({ super_read_only: '1' }))).toThrow(/read-only/);
    expect(() => refuseUnfit('west-db', variables({ log_bin: 'ON', sql_log_bin: 'OFF' }))).toThrow(
      /sql_log_bin/,
    );
  });
});
