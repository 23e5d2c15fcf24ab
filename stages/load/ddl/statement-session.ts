/**
 * The session in which a schema change means at the target what it meant at the source: how its text reads (sql_mode, character set), and what it
 * does with what it does not say (time zone, defaults of TIMESTAMP, checks, what time it is). Pure: which variables to set, from what they are now.
 */
import { charsetOf } from '../../../canal/value/charset.ts';
import { canMeanUtf8mb4, type DdlStatement, utf8mb4Collation } from '../../../model/ddl.ts';
import type { StatementSession } from '../../../model/source-item.ts';

/** Bits of `sql_mode` in the log that every server knows, by their names. Of those that only change rows, and of compound ones, none. */
const SQL_MODES: readonly (readonly [bit: number, name: string])[] = [
  [0, 'REAL_AS_FLOAT'],
  [1, 'PIPES_AS_CONCAT'],
  [2, 'ANSI_QUOTES'],
  [3, 'IGNORE_SPACE'],
  [5, 'ONLY_FULL_GROUP_BY'],
  [6, 'NO_UNSIGNED_SUBTRACTION'],
  [7, 'NO_DIR_IN_CREATE'],
  [19, 'NO_AUTO_VALUE_ON_ZERO'],
  [20, 'NO_BACKSLASH_ESCAPES'],
  [21, 'STRICT_TRANS_TABLES'],
  [22, 'STRICT_ALL_TABLES'],
  [23, 'NO_ZERO_IN_DATE'],
  [24, 'NO_ZERO_DATE'],
  [25, 'ALLOW_INVALID_DATES'],
  [26, 'ERROR_FOR_DIVISION_BY_ZERO'],
  [29, 'HIGH_NOT_PRECEDENCE'],
  [31, 'PAD_CHAR_TO_FULL_LENGTH'],
];
/** MariaDB reads statements by another grammar. */
const ORACLE_BIT = 9;

const FLAG_NO_FOREIGN_KEY_CHECKS = 0x0400_0000;
const FLAG_RELAXED_UNIQUE_CHECKS = 0x0800_0000;
const FLAG_AUTO_IS_NULL = 0x4000;

/** Variables whose present values have to be known: all that may be set. */
export const STATEMENT_VARIABLES = [
  // First: the driver follows what a server tells of its character set, and would send other bytes.
  'session_track_system_variables',
  'sql_mode',
  'character_set_client',
  'collation_connection',
  'collation_server',
  'time_zone',
  'explicit_defaults_for_timestamp',
  'foreign_key_checks',
  'unique_checks',
  'sql_auto_is_null',
  'default_collation_for_utf8mb4',
  'timestamp',
] as const;
const TIMESTAMP = 'timestamp';
type StatementVariable = (typeof STATEMENT_VARIABLES)[number];

export interface StatementSessionInput {
  readonly statement: DdlStatement;
  readonly flavour: 'mysql' | 'mariadb';
  /** Present values by name; a variable that the server does not know is absent. */
  readonly now: ReadonlyMap<string, string>;
  /** The target's name of a collation by the source's id; null for one it does not have. */
  readonly collationOf: (id: number) => string | null;
}

/** Assignments, in order; empty where nothing differs. */
export function statementSession(input: StatementSessionInput): readonly (readonly [string, string])[] {
  const { statement, flavour, now, collationOf } = input;
  const { session = {}, sqlMode } = statement;
  const wanted = new Map<StatementVariable, string>();
  wanted.set('session_track_system_variables', '');
  if (sqlMode !== null) wanted.set('sql_mode', sqlModeText(sqlMode, flavour));
  const client = statement.charset ?? session.charset?.client ?? UTF8MB4;
  wanted.set('character_set_client', charsetName(client, collationOf));
  const connection = session.charset?.connection ?? client;
  wanted.set('collation_connection', collationOf(connection) ?? plainCollation(connection, collationOf));
  const server = session.charset === undefined ? null : collationOf(session.charset.server);
  if (server !== null) wanted.set('collation_server', server);
  // Known to MySQL 8.0.11 and later; who sends a statement to others has seen that it means the same there.
  const utf8mb4 = utf8mb4Collation(statement.server, session);
  if (canMeanUtf8mb4(NEWEST_MYSQL, utf8mb4)) wanted.set('default_collation_for_utf8mb4', utf8mb4);
  if (session.timeZone !== undefined) wanted.set('time_zone', session.timeZone);
  if (session.explicitDefaultsForTimestamp !== undefined)
    wanted.set('explicit_defaults_for_timestamp', onOff(session.explicitDefaultsForTimestamp));
  if (session.flags !== undefined) {
    wanted.set('foreign_key_checks', onOff((session.flags & FLAG_NO_FOREIGN_KEY_CHECKS) === 0));
    wanted.set('unique_checks', onOff((session.flags & FLAG_RELAXED_UNIQUE_CHECKS) === 0));
    wanted.set('sql_auto_is_null', onOff((session.flags & FLAG_AUTO_IS_NULL) !== 0));
  }
  // Rows that are there already get it for a new column DEFAULT CURRENT_TIMESTAMP.
  const begun = statementTime(session);
  if (begun !== null) wanted.set('timestamp', begun);
  return STATEMENT_VARIABLES.flatMap((name) => {
    const value = wanted.get(name);
    const present = now.get(name);
    return value === undefined || present === undefined || same(name, value, present)
      ? []
      : [[name, value] as const];
  });
}

/** The statement that makes these assignments. Values are names, numbers and zones: those that are no such thing are refused. */
export function setStatement(assignments: readonly (readonly [string, string])[]): string {
  return `SET ${assignments
    .map(([name, value]) => {
      const good = name === TIMESTAMP ? /^(?:\d+\.\d{6}|DEFAULT)$/ : /^[\w,+:/ -]*$/;
      if (!good.test(value)) throw new RangeError(`${name} cannot be ${JSON.stringify(value)}`);
      // Of the one that is a number, no server takes a text.
      return `SESSION ${name} = ${name === TIMESTAMP ? value : `'${value}'`}`;
    })
    .join(', ')}`;
}

/** The value of `timestamp` when the statement began, by its session's clock: seconds since 1970 with six digits; null where the log does not say. */
export function statementTime({ timestamp, microseconds = 0 }: StatementSession): string | null {
  return timestamp === undefined ? null : `${timestamp}.${String(microseconds).padStart(6, '0')}`;
}

/** Whether what the statement does may depend on what time it is; true of many that do not. */
export function mayAskTheTime(sql: Buffer): boolean {
  return /date|time|now/i.test(sql.toString('latin1'));
}

/** What makes them undone. The clock goes on by itself: what it said before is no value to go back to. */
export function undoAssignments(
  assignments: readonly (readonly [string, string])[],
  now: ReadonlyMap<string, string>,
): readonly (readonly [string, string])[] {
  return assignments
    .map(([name]) => [name, name === TIMESTAMP ? 'DEFAULT' : (now.get(name) ?? '')] as const)
    .reverse();
}

export function sqlModeText(bits: bigint, flavour: 'mysql' | 'mariadb'): string {
  const names = SQL_MODES.filter(([bit]) => (bits & (1n << BigInt(bit))) !== 0n).map(([, name]) => name);
  if (flavour === 'mariadb' && (bits & (1n << BigInt(ORACLE_BIT))) !== 0n) names.push('ORACLE');
  // A table in another engine than the source's would not be the same table.
  return [...names, 'NO_ENGINE_SUBSTITUTION'].join(',');
}

const NEWEST_MYSQL = { flavour: 'mysql', version: Number.MAX_SAFE_INTEGER } as const;
const UTF8MB4 = 45;
/** Of utf8mb3, which older servers call utf8. */
const UTF8_GENERAL_CI = 33;
const BINARY = 63;

function charsetName(collation: number, collationOf: (id: number) => string | null): string {
  const name = charsetOf(collation) ?? 'utf8mb4';
  if (name !== 'utf8mb3') return name;
  return (collationOf(UTF8_GENERAL_CI) ?? 'utf8mb3_general_ci').replace('_general_ci', '');
}

/** For a collation that the target does not have: one of the same character set that every server has. */
function plainCollation(collation: number, collationOf: (id: number) => string | null): string {
  return collation === BINARY ? 'binary' : `${charsetName(collation, collationOf)}_bin`;
}

function onOff(value: boolean): string {
  return value ? 'ON' : 'OFF';
}

/** Ids of collations whose names have to be asked of the target. */
export function collationsToAsk(statement: DdlStatement): readonly number[] {
  const { charset } = statement.session ?? {};
  const ids = [statement.charset, charset?.client, charset?.connection, charset?.server, UTF8_GENERAL_CI];
  return [...new Set(ids.filter((id) => id !== null && id !== undefined))];
}

function same(name: StatementVariable, value: string, present: string): boolean {
  // A clock that runs is never the same.
  if (name === TIMESTAMP) return false;
  if (name !== 'sql_mode') return value.toLowerCase() === present.toLowerCase();
  return value.split(',').sort().join() === present.split(',').sort().join();
}
