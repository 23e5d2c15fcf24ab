import { describe, expect, it } from 'vitest';
import type { DdlStatement } from '../../../../../model/ddl.ts';
import {
  mayAskTheTime,
  setStatement,
  sqlModeText,
  statementSession,
  undoAssignments,
} from '../../../../../stages/load/ddl/statement-session.ts';

const NOW = new Map([
  ['session_track_system_variables', 'time_zone,autocommit'],
  ['sql_mode', 'STRICT_ALL_TABLES'],
  ['character_set_client', 'binary'],
  ['collation_connection', 'binary'],
  ['collation_server', 'latin1_swedish_ci'],
  ['time_zone', '+00:00'],
  ['foreign_key_checks', 'ON'],
  ['unique_checks', 'ON'],
  ['timestamp', '1795290812.080844'],
  ['default_collation_for_utf8mb4', 'utf8mb4_0900_ai_ci'],
]);
const NAMES = new Map([
  [33, 'utf8mb3_general_ci'],
  [45, 'utf8mb4_general_ci'],
  [28, 'gbk_chinese_ci'],
]);

function assignments(change: Partial<DdlStatement>) {
  const statement: DdlStatement = {
    schema: 'shop',
    sql: Buffer.from('ALTER TABLE t ADD c INT'),
    threadId: 1,
    nature: 'ddl',
    sqlMode: 0n,
    charset: 45,
    kind: 'alter-table',
    sourceRef: '0-1-1',
    server: { flavour: 'mariadb', version: 101_100 },
    caseSensitive: true,
    ...change,
  };
  const set = statementSession({
    statement,
    flavour: 'mysql',
    now: NOW,
    collationOf: (id) => NAMES.get(id) ?? null,
  });
  return Object.fromEntries(set);
}

describe('the session of a schema change', () => {
  it('is the source’s: mode, character sets, zone and checks', () => {
    expect(
      assignments({
        sqlMode: 0x4n | 0x10_0000n,
        charset: 28,
        session: {
          flags: 0x0400_0000,
          charset: { client: 28, connection: 28, server: 45 },
          timeZone: 'Europe/Berlin',
        },
      }),
    ).toEqual({
      session_track_system_variables: '',
      sql_mode: 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION',
      character_set_client: 'gbk',
      collation_connection: 'gbk_chinese_ci',
      collation_server: 'utf8mb4_general_ci',
      default_collation_for_utf8mb4: 'utf8mb4_general_ci',
      time_zone: 'Europe/Berlin',
      foreign_key_checks: 'OFF',
    });
  });

  it('stops the driver from following the character set before that changes', () => {
    expect(Object.keys(assignments({}))[0]).toBe('session_track_system_variables');
  });

  it('sets nothing that the target does not know, nor what is so already', () => {
    const set = assignments({ session: { flags: 0, explicitDefaultsForTimestamp: true } });
    expect(Object.keys(set)).not.toContain('explicit_defaults_for_timestamp');
    expect(Object.keys(set)).not.toContain('foreign_key_checks');
  });

  it('takes a collation of the same character set for one that the target lacks', () => {
    // utf8mb4_0900_ai_ci, which MariaDB does not have; and utf8mb3_bin by a server that calls it utf8.
    const charset = { client: 255, connection: 255, server: 255 };
    expect(assignments({ charset: 255, session: { charset } })).toMatchObject({
      character_set_client: 'utf8mb4',
      collation_connection: 'utf8mb4_bin',
    });
    expect(assignments({ charset: 83 })).toMatchObject({
      character_set_client: 'utf8mb3',
      collation_connection: 'utf8mb3_bin',
    });
  });

  it('knows MariaDB’s other grammar only there', () => {
    expect(sqlModeText(1n << 9n, 'mariadb')).toBe('ORACLE,NO_ENGINE_SUBSTITUTION');
    expect(sqlModeText(1n << 9n, 'mysql')).toBe('NO_ENGINE_SUBSTITUTION');
  });

  it('is undone in the opposite order', () => {
    const set = [
      ['sql_mode', ''],
      ['time_zone', 'SYSTEM'],
    ] as const;
    expect(setStatement(undoAssignments(set, NOW))).toBe(
      "SET SESSION time_zone = '+00:00', SESSION sql_mode = 'STRICT_ALL_TABLES'",
    );
  });

  it('takes nothing from the log that could be more than a value', () => {
    expect(() => setStatement([['time_zone', "x', @@global.read_only = '1"]])).toThrow(RangeError);
  });

  it('is of the time at which the statement began, to the microsecond, and the clock runs again afterwards', () => {
    expect(assignments({ session: { timestamp: 1_600_000_000 } }).timestamp).toBe('1600000000.000000');
    const set = [['timestamp', '1600000000.000123']] as const;
    expect(assignments({ session: { timestamp: 1_600_000_000, microseconds: 123 } }).timestamp).toBe(
      set[0][1],
    );
    expect(assignments({ session: {} })).not.toHaveProperty('timestamp');
    expect(setStatement(set)).toBe('SET SESSION timestamp = 1600000000.000123');
    expect(setStatement(undoAssignments(set, NOW))).toBe('SET SESSION timestamp = DEFAULT');
    expect(() => setStatement([['timestamp', '1; DROP TABLE t']])).toThrow(RangeError);
    expect(() => setStatement([['time_zone', 'DEFAULT)']])).toThrow(RangeError);
  });

  it('has the source’s collation for utf8mb4, by its log or its kind, where the target can have it', () => {
    const there = (change: Partial<DdlStatement>) => assignments(change).default_collation_for_utf8mb4;
    const mysql = { flavour: 'mysql', version: 80_036 } as const;
    expect(there({})).toBe('utf8mb4_general_ci');
    expect(there({ server: { flavour: 'mysql', version: 50_651 } })).toBe('utf8mb4_general_ci');
    expect(there({ server: mysql, session: { defaultCollationForUtf8mb4: 45 } })).toBe('utf8mb4_general_ci');
    // As it is already.
    expect(there({ server: mysql })).toBeUndefined();
    expect(there({ server: { flavour: 'mariadb', version: 110_800 } })).toBeUndefined();
  });

  it('knows what may depend on the time of the day', () => {
    for (const sql of ['ALTER TABLE t ADD c DATETIME DEFAULT NOW()', 'CREATE TABLE t (at timestamp)'])
      expect(mayAskTheTime(Buffer.from(sql))).toBe(true);
    expect(mayAskTheTime(Buffer.from('ALTER TABLE t ADD c INT'))).toBe(false);
  });
});
