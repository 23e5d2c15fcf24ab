/**
 * The settings of every session that Holt opens at a target: what a statement means must not depend on the server's or the account's
 * defaults. Pure: which statements to send, and what the answers must be.
 */
import { HoltError } from '../../../lib/errors.ts';
import type { TargetServer } from './target-connection.ts';
import { IDENTITY_VARIABLES, identityOf } from './target-identity.ts';

export interface SessionSettings {
  /** After so long without a statement the server ends the session and rolls back: what a frozen loader costs at most. */
  readonly waitTimeoutS: number;
  /** innodb_lock_wait_timeout. */
  readonly lockWaitTimeoutS: number;
  /** lock_wait_timeout: waiting for a table that a DDL holds. */
  readonly metadataLockWaitS: number;
  /** False for sessions that only look: they may speak to a read-only server, and one without row format. */
  readonly writes: boolean;
  /** Whether the session is to take rows as events of the binlog, if its account may. */
  readonly rowEvents: boolean;
}

export const DEFAULT_SESSION: SessionSettings = {
  waitTimeoutS: 60,
  lockWaitTimeoutS: 10,
  metadataLockWaitS: 30,
  writes: true,
  rowEvents: false,
};

/**
 * - strict, so that a value that does not fit is an error and not another value;
 * - zero dates, and dates as the source had them under ALLOW_INVALID_DATES, arrive as they are;
 * - an explicit 0 in an AUTO_INCREMENT column stays 0;
 * - backslash escapes and backtick quoting mean what our writers mean: neither NO_BACKSLASH_ESCAPES nor ANSI_QUOTES;
 * - a missing engine is an error.
 */
export const SQL_MODE = 'NO_AUTO_VALUE_ON_ZERO,STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';

/** For one statement that stores the error value of an ENUM; whoever sends it counts the warnings. */
export const LENIENT_SQL_MODE = SQL_MODE.replace(',STRICT_ALL_TABLES', '');

/** Variables that exist on some servers only: set to these where `SHOW VARIABLES` lists them. */
const WHERE_KNOWN: Readonly<Record<string, string>> = {
  sql_safe_updates: '0',
  sql_auto_is_null: '0',
  sql_big_selects: '1',
  sql_select_limit: '18446744073709551615',
  completion_type: '0',
  foreign_key_checks: '1',
  unique_checks: '1',
  check_constraint_checks: '1',
  max_execution_time: '0',
  max_statement_time: '0',
  idle_transaction_timeout: '0',
  idle_write_transaction_timeout: '0',
  // The first is the name in 5.6 and in MariaDB before 11.1.
  tx_isolation: "'READ-COMMITTED'",
  transaction_isolation: "'READ-COMMITTED'",
  tx_read_only: '0',
  transaction_read_only: '0',
  // Replies such as `Records: 3  Duplicates: 2` are read: they must be in English.
  lc_messages: "'en_US'",
};

const VARIABLES = [
  ...IDENTITY_VARIABLES,
  ...Object.keys(WHERE_KNOWN),
  'version',
  'log_bin',
  'sql_log_bin',
  'binlog_format',
  'max_allowed_packet',
  'read_only',
  'super_read_only',
];

/** Asks for what `readServer` and `sessionStatements` need; answers in rows of name and value. */
export const VARIABLES_QUERY = `SHOW SESSION VARIABLES WHERE Variable_name IN (${VARIABLES.map((name) => `'${name}'`).join(', ')})`;

export function readVariables(rows: readonly (readonly (Buffer | null)[])[]): ReadonlyMap<string, string> {
  return new Map(
    rows.map(([name, value]) => [
      name?.toString('latin1').toLowerCase() ?? '',
      value?.toString('utf8') ?? '',
    ]),
  );
}

export function readServer(variables: ReadonlyMap<string, string>): TargetServer {
  const version = variables.get('version') ?? '';
  const [, major, minor, patch] = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return {
    flavour: /mariadb/i.test(version) ? 'mariadb' : 'mysql',
    version,
    versionNumber: Number(major ?? 0) * 10_000 + Number(minor ?? 0) * 100 + Number(patch ?? 0),
    identity: identityOf(variables),
    binlog: isOn(variables.get('log_bin')),
    serverId: Number(variables.get('server_id') ?? 0),
    maxAllowedPacket: Number(variables.get('max_allowed_packet') ?? 1024 * 1024),
  };
}

/** The one statement that makes a session ours: one, because a mainstem may be a long way from its target. */
export function sessionStatement(settings: SessionSettings, variables: ReadonlyMap<string, string>): string {
  const assignments = [
    `sql_mode = '${SQL_MODE}'`,
    `time_zone = '+00:00'`,
    'autocommit = 1',
    `wait_timeout = ${settings.waitTimeoutS}`,
    `innodb_lock_wait_timeout = ${settings.lockWaitTimeoutS}`,
    `lock_wait_timeout = ${settings.metadataLockWaitS}`,
    ...Object.entries(WHERE_KNOWN).flatMap(([name, value]) =>
      variables.has(name) ? [`${name} = ${value}`] : [],
    ),
  ];
  return `SET NAMES binary, ${assignments.map((assignment) => `SESSION ${assignment}`).join(', ')}`;
}

/** True when the session's binlog format has to be set: a change logged as a statement carries no mark. */
export function needsRowFormat(variables: ReadonlyMap<string, string>): boolean {
  const format = variables.get('binlog_format');
  return isOn(variables.get('log_bin')) && format !== undefined && format.toUpperCase() !== 'ROW';
}

/** Asks for what `verifySession` judges. */
export function verifyQuery(variables: ReadonlyMap<string, string>): string {
  const isolation = variables.has('transaction_isolation') ? 'transaction_isolation' : 'tx_isolation';
  return `SELECT CONNECTION_ID(), @@session.sql_mode, @@session.time_zone, @@session.character_set_client, @@session.autocommit, @@session.${isolation}`;
}

/**
 * What the session must show after all of it.
 * @throws HoltError HOLT_TARGET_SESSION naming variable, value and what it should be.
 */
export function verifySession(server: string, row: readonly (Buffer | null)[]): void {
  const [, sqlMode, timeZone, charset, autocommit, isolation] = row.map(
    (value) => value?.toString('latin1') ?? '',
  );
  const modes = new Set((sqlMode ?? '').split(','));
  const wrong =
    SQL_MODE.split(',').find((mode) => !modes.has(mode)) ??
    [
      'NO_BACKSLASH_ESCAPES',
      'ANSI_QUOTES',
      'NO_ZERO_DATE',
      'NO_ZERO_IN_DATE',
      'PAD_CHAR_TO_FULL_LENGTH',
    ].find((mode) => modes.has(mode));
  const problem =
    wrong !== undefined
      ? `sql_mode is ${sqlMode}`
      : timeZone !== '+00:00'
        ? `time_zone is ${timeZone}`
        : charset !== 'binary'
          ? `character_set_client is ${charset}`
          : autocommit !== '1'
            ? `autocommit is ${autocommit}`
            : isolation !== 'READ-COMMITTED'
              ? `transaction_isolation is ${isolation}`
              : null;
  if (problem !== null)
    throw new HoltError(
      'HOLT_TARGET_SESSION',
      `${server}: the session did not take our settings: ${problem}`,
      {
        disposition: 'retry',
      },
    );
}

/** @throws HoltError when a session that is to write cannot do so with a mark that others see. */
export function refuseUnfit(server: string, variables: ReadonlyMap<string, string>): void {
  if (isOn(variables.get('super_read_only')) || isOn(variables.get('read_only')))
    throw new HoltError('HOLT_TARGET_READ_ONLY', `${server} is read-only`, {
      disposition: 'retry',
      facts: { variable: isOn(variables.get('super_read_only')) ? 'super_read_only' : 'read_only' },
    });
  if (isOn(variables.get('log_bin')) && !isOn(variables.get('sql_log_bin') ?? 'ON'))
    throw new HoltError('HOLT_TARGET_SESSION', `${server}: sql_log_bin is off in our session`, {
      disposition: 'retry',
    });
}

function isOn(value: string | undefined): boolean {
  if (value === undefined) return false;
  const text = value.toUpperCase();
  return text !== 'OFF' && text !== '0' && text !== '' && text !== 'FALSE';
}
