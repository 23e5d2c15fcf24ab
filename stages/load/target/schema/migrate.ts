/**
 * Brings the `holt` schema of a server to the version this program knows. Any number of processes may do so at once: one works
 * under a user lock, the others wait and find it done. A server that is at the version already is only read, so accounts
 * need no CREATE once the schema stands.
 */
import { type Clock, systemClock } from '../../../../lib/clock.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { bytesLiteral } from '../sql-text.ts';
import { type TargetConnection, TargetServerError } from '../target-connection.ts';
import { MIGRATIONS, type Migration } from './migrations.ts';

export interface MigrateOptions {
  /** Used for nothing else meanwhile: on MySQL 5.6 taking the lock gives up any other user lock of the session. */
  readonly connection: TargetConnection;
  /** Who did it, for people. */
  readonly by: string;
  readonly migrations?: readonly Migration[];
  /** How long to wait for another process that migrates. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

const LOCK = 'holt:migrate';
const ER_NO_SUCH_TABLE = 1146;
const ER_BAD_DB = 1049;
const ER_DUP_FIELDNAME = 1060;

/**
 * @returns the version before and after.
 * @throws HoltError HOLT_SCHEMA_NEWER when a newer program has been there, HOLT_SCHEMA_BUSY when the lock is not to be had in time,
 *   HOLT_SCHEMA_FAILED when the server refuses a statement.
 */
export async function migrate(
  options: MigrateOptions,
): Promise<{ readonly from: number; readonly to: number }> {
  const { connection } = options;
  const migrations = options.migrations ?? MIGRATIONS;
  const newest = migrations.at(-1)?.version ?? 0;
  const from = await installedVersion(connection);
  if (from > newest) throw newerError(from, newest);
  if (from === newest) return { from, to: newest };
  await takeLock(options);
  try {
    // Another process may have done it, or part of it, while we waited.
    const installed = await installedVersion(connection);
    if (installed > newest) throw newerError(installed, newest);
    await run(connection, 'CREATE DATABASE IF NOT EXISTS holt DEFAULT CHARACTER SET utf8mb4');
    await run(connection, MIGRATION_TABLE);
    for (const migration of migrations) {
      if (migration.version <= installed) continue;
      for (const statement of migration.statements) await run(connection, statement);
      await run(
        connection,
        `INSERT INTO holt.migration (version, what, migrated_by, migrated_at) VALUES (${migration.version}, ` +
          `${bytesLiteral(migration.what)}, ${bytesLiteral(options.by)}, UTC_TIMESTAMP(6))`,
      );
    }
    return { from, to: newest };
  } finally {
    await connection.rows(`SELECT RELEASE_LOCK('${LOCK}')`).catch(() => connection.destroy());
  }
}

/** 0 where there is none. Another server error, such as a missing grant, passes through. */
export async function installedVersion(connection: TargetConnection): Promise<number> {
  try {
    const [row] = await connection.rows('SELECT MAX(version) FROM holt.migration');
    return Number(row?.[0]?.toString('latin1') ?? 0);
  } catch (error) {
    if (error instanceof TargetServerError && (error.errno === ER_NO_SUCH_TABLE || error.errno === ER_BAD_DB))
      return 0;
    throw error;
  }
}

const MIGRATION_TABLE = `CREATE TABLE IF NOT EXISTS holt.migration (
  version INT UNSIGNED NOT NULL,
  what VARBINARY(255) NOT NULL,
  migrated_by VARBINARY(255) NOT NULL,
  migrated_at DATETIME(6) NOT NULL,
  PRIMARY KEY (version)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4`;

async function takeLock(options: MigrateOptions): Promise<void> {
  const clock = options.clock ?? systemClock;
  const end = clock.monotonicMs() + (options.timeoutMs ?? 60_000);
  for (;;) {
    options.signal?.throwIfAborted();
    const [row] = await options.connection.rows(`SELECT GET_LOCK('${LOCK}', 1)`);
    if (row?.[0]?.toString('latin1') === '1') return;
    if (clock.monotonicMs() >= end)
      throw new HoltError(
        'HOLT_SCHEMA_BUSY',
        'another process is migrating the holt schema and does not end',
        {
          disposition: 'retry',
        },
      );
  }
}

async function run(connection: TargetConnection, statement: string): Promise<void> {
  try {
    await connection.execute(statement);
  } catch (error) {
    if (!(error instanceof TargetServerError)) throw error;
    // Somebody got as far as this before the version was written.
    if (error.errno === ER_DUP_FIELDNAME) return;
    throw new HoltError('HOLT_SCHEMA_FAILED', `the holt schema cannot be made: ${error.serverText}`, {
      disposition: 'retry',
      facts: { errno: error.errno, statement: statement.slice(0, 60) },
      cause: error,
    });
  }
}

function newerError(installed: number, known: number): HoltError {
  return new HoltError(
    'HOLT_SCHEMA_NEWER',
    `the holt schema has version ${installed}, and this program knows up to ${known}`,
    { disposition: 'pause', facts: { installed, known } },
  );
}
