import { describe, expect, it } from 'vitest';
import { type SourceFindings, sourceNotes, sourceProblems } from '../../../../canal/source/source-check.ts';
import { sourceFacts } from '../../../../canal/source/source-facts.ts';

const MYSQL = {
  version: '9.7.4',
  server_id: '101',
  server_uuid: '3e11fa47-71ca-11e1-9e33-c80aa9429562',
  log_bin: 'ON',
  binlog_format: 'ROW',
  binlog_row_image: 'FULL',
  binlog_row_metadata: 'FULL',
  binlog_checksum: 'CRC32',
  gtid_mode: 'ON',
  log_replica_updates: 'ON',
};

function facts(over: Record<string, string> = {}, flavour: 'mysql' | 'mariadb' = 'mysql') {
  return sourceFacts(flavour, new Map(Object.entries({ ...MYSQL, ...over })));
}

function findings(over: Partial<SourceFindings> = {}): SourceFindings {
  return {
    facts: facts(),
    ownServerId: 4711,
    replicas: [],
    missingGrants: [],
    account: "'repl'@'%'",
    ...over,
  };
}

describe('sourceProblems', () => {
  it('a server that fits has none', () => {
    expect(sourceProblems(findings())).toEqual([]);
    expect(sourceNotes(facts())).toEqual([]);
  });

  const cases: readonly (readonly [
    name: string,
    findings: Partial<SourceFindings>,
    code: string,
    variable: string,
    value: string | number,
  ])[] = [
    ['no log', { facts: facts({ log_bin: 'OFF' }) }, 'HOLT_SOURCE_BINLOG_OFF', 'log_bin', 'OFF'],
    [
      'statements',
      { facts: facts({ binlog_format: 'MIXED' }) },
      'HOLT_SOURCE_BINLOG_FORMAT',
      'binlog_format',
      'MIXED',
    ],
    ['too old', { facts: facts({ version: '5.5.62' }) }, 'HOLT_SOURCE_VERSION', 'version', '5.5.62'],
    [
      'too old a MariaDB',
      { facts: facts({ version: '10.4.34-MariaDB' }, 'mariadb') },
      'HOLT_SOURCE_VERSION',
      'version',
      '10.4.34-MariaDB',
    ],
    [
      'no grant',
      { missingGrants: ['REPLICATION SLAVE'] },
      'HOLT_SOURCE_GRANT',
      'privilege',
      'REPLICATION SLAVE',
    ],
    ['own id', { ownServerId: 101 }, 'HOLT_SOURCE_SERVER_ID', 'server_id', 101],
    [
      'id of another replica',
      { replicas: [{ serverId: 4711, host: 'replica-3' }] },
      'HOLT_SOURCE_SERVER_ID',
      'server_id',
      4711,
    ],
  ];
  it.each(cases)('%s: code, variable, value and remedy', (_name, over, code, variable, value) => {
    const problems = sourceProblems(findings(over));
    expect(problems).toEqual([
      expect.objectContaining({ code, disposition: code === 'HOLT_SOURCE_GRANT' ? 'retry' : 'pause' }),
    ]);
    expect(problems[0]?.facts).toEqual({ variable, value });
    expect(problems[0]?.message).toContain(String(value));
    expect(problems[0]?.remedy).toMatch(/./);
  });

  it('all at once', () => {
    const all = sourceProblems(
      findings({
        facts: facts({ log_bin: 'OFF', binlog_format: 'STATEMENT' }),
        missingGrants: ['SELECT', 'REPLICATION CLIENT'],
      }),
    );
    expect(all.map(({ code }) => code)).toEqual([
      'HOLT_SOURCE_BINLOG_OFF',
      'HOLT_SOURCE_BINLOG_FORMAT',
      'HOLT_SOURCE_GRANT',
      'HOLT_SOURCE_GRANT',
    ]);
    expect(all.at(-1)?.remedy).toBe("GRANT REPLICATION CLIENT ON *.* TO 'repl'@'%'");
  });

  it('another Holt under our id is no stranger: it is the one we take over from', () => {
    expect(sourceProblems(findings({ replicas: [{ serverId: 4711, host: 'holt' }] }))).toEqual([]);
  });

  it('a server that has no binlog_format any more has rows', () => {
    const { binlog_format: _, ...rest } = MYSQL;
    expect(sourceProblems(findings({ facts: sourceFacts('mysql', new Map(Object.entries(rest))) }))).toEqual(
      [],
    );
  });
});

describe('sourceFacts', () => {
  it('positions are GTIDs only where gtid_mode is ON, and always on MariaDB', () => {
    expect(facts().gtids).toBe(true);
    expect(facts({ gtid_mode: 'ON_PERMISSIVE' }).gtids).toBe(false);
    expect(facts({ version: '10.11.19-MariaDB-log' }, 'mariadb').gtids).toBe(true);
  });

  it('the identity has no colon, and is a digest where the server has none', () => {
    expect(facts().identity).toBe(MYSQL.server_uuid);
    expect(facts({ server_uid: 'Mpv8aXf/b2N0==' }, 'mariadb').identity).toBe('Mpv8aXf/b2N0==');
    const digest = (over: Record<string, string>) =>
      facts({ hostname: 'a', datadir: '/data', ...over }, 'mariadb').identity;
    expect(digest({})).toMatch(/^digest-[0-9a-f]{32}$/);
    expect(digest({})).toBe(digest({ version: '11.4.1-MariaDB' }));
    for (const over of [{ hostname: 'b' }, { datadir: '/data2' }, { server_id: '7' }])
      expect(digest(over)).not.toBe(digest({}));
  });
});

describe('sourceNotes', () => {
  it('names what is worth knowing', () => {
    const notes = sourceNotes(
      facts({
        binlog_row_image: 'MINIMAL',
        binlog_row_metadata: 'MINIMAL',
        binlog_checksum: 'NONE',
        gtid_mode: 'OFF',
        log_replica_updates: 'OFF',
      }),
    );
    expect(notes.length).toBe(5);
    expect(notes.join('\n')).toMatch(/binlog_row_image is MINIMAL.*gtid_mode is OFF/s);
  });
});
