/** What is asked of every database server, whatever it is used for. */
import { systemClock } from '../../lib/clock.ts';
import { installedVersion } from '../../stages/load/target/schema/migrate.ts';
import { readVariables } from '../../stages/load/target/session-settings.ts';
import { TargetServerError, type TargetSession } from '../../stages/load/target/target-connection.ts';
import { type ClockReading, clockReading } from './clock-checks.ts';

export interface ServerFacts {
  readonly variables: ReadonlyMap<string, string>;
  readonly clock: ClockReading;
  /** Version of the `holt` schema; 0 where there is none. Null when it may not be read. */
  readonly schemaVersion: number | null;
  /** Privileges on the schema `holt` that were refused when tried. */
  readonly missingOnHolt: readonly string[];
  /** May see the sessions of other accounts. */
  readonly seesProcesses: boolean;
  /** May set what time it is for its own session. */
  readonly setsTime: boolean;
}

const VARIABLES = [
  'log_bin',
  'binlog_format',
  'read_only',
  'super_read_only',
  'max_allowed_packet',
  'binlog_expire_logs_seconds',
  'expire_logs_days',
  'lower_case_table_names',
  'secure_timestamp',
];

/** Number of a refusal for want of a privilege. */
const DENIED: ReadonlySet<number> = new Set([1044, 1142, 1143, 1227]);

export async function readServerFacts(name: string, session: TargetSession): Promise<ServerFacts> {
  const variables = readVariables(
    await session.rows(
      `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${VARIABLES.map((one) => `'${one}'`).join(', ')})`,
    ),
  );
  const asked = systemClock.nowMs();
  const [time] = await session.rows('SELECT UNIX_TIMESTAMP(NOW(6)) * 1000');
  const clock = clockReading(name, Number(time?.[0]?.toString('latin1')), asked, systemClock.nowMs());
  const missingOnHolt: string[] = [];
  for (const [privilege, statement] of HOLT_PROBES)
    if (await isDenied(session, statement)) missingOnHolt.push(privilege);
  let schemaVersion: number | null = null;
  try {
    schemaVersion = await installedVersion(session);
  } catch (error) {
    if (!(error instanceof TargetServerError && DENIED.has(error.errno))) throw error;
    // An account without any privilege on the schema is not told either that there is none.
  }
  return {
    variables,
    clock,
    schemaVersion,
    missingOnHolt,
    seesProcesses: !(await isDenied(session, 'SHOW ENGINE INNODB STATUS')),
    setsTime: await setsTime(session),
  };
}

/**
 * Statements on a table that does not exist: a server looks at the privilege first and at the table then, so that nothing is
 * changed, whatever the answer. The text of SHOW GRANTS is a poorer witness: roles and their defaults.
 */
const HOLT_PROBES: readonly (readonly [privilege: string, statement: string])[] = [
  ['CREATE', 'CREATE TABLE holt.holt_doctor LIKE holt.holt_doctor_nowhere'],
  ['ALTER', 'ALTER TABLE holt.holt_doctor_nowhere ENGINE = InnoDB'],
  ['SELECT', 'SELECT 1 FROM holt.holt_doctor_nowhere LIMIT 0'],
  ['INSERT', 'INSERT INTO holt.holt_doctor_nowhere VALUES (1)'],
  ['UPDATE', 'UPDATE holt.holt_doctor_nowhere SET a = 1 WHERE FALSE'],
  ['DELETE', 'DELETE FROM holt.holt_doctor_nowhere WHERE FALSE'],
];

/** Tried, since MariaDB's `secure_timestamp` asks for a privilege, or lets nobody; the session goes back to the server's own clock. */
async function setsTime(session: TargetSession): Promise<boolean> {
  try {
    await session.execute('SET SESSION timestamp = 1000000000.000001');
  } catch (error) {
    if (!(error instanceof TargetServerError)) throw error;
    return false;
  }
  await session.execute('SET SESSION timestamp = DEFAULT');
  return true;
}

/** True when the server refuses for want of a privilege; any other answer is no. */
export async function isDenied(session: TargetSession, statement: string): Promise<boolean> {
  try {
    await session.rows(statement);
    return false;
  } catch (error) {
    if (!(error instanceof TargetServerError)) throw error;
    return DENIED.has(error.errno);
  }
}
