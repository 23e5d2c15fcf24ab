/**
 * Settling the journal's open rows: whether the statement of a connection that is gone ran. Evidence is gathered without any lock, since reading
 * a log may take long; what it comes to is written under the lock of the checkpoint's row by whoever raises or takes
 * Load, and only to rows that are still open.
 */
import { HoltError } from '../../../lib/errors.ts';
import { type Logger, silentLogger } from '../../../lib/logger.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import { bytesLiteral } from '../target/sql-text.ts';
import { type TargetConnection, type TargetServer, TargetServerError } from '../target/target-connection.ts';
import { endRegistration } from '../target/writer-registry.ts';
import type { DdlRow, TableState } from './ddl.ts';
import { decideSettle, type SettleDecision, type SettleEvidence } from './decide-settle.ts';
import { closeDdlRow, readOpenDdl } from './journal.ts';
import { compareTableStates, readTableStates } from './table-states.ts';
import { readLogEnd, searchLog } from './target-log.ts';

export interface SettleOptions {
  /** Outside a transaction. */
  readonly connection: TargetConnection;
  readonly server: TargetServer;
  readonly target: DataSourceConfig;
  readonly pipeline: string;
  readonly signal: AbortSignal;
  readonly log?: Logger;
}

export interface Settlement {
  readonly row: DdlRow;
  readonly evidence: SettleEvidence;
  readonly decision: SettleDecision;
}

/** What became of each open row, once its connection is gone. Nothing is written. */
export async function judgeOpenDdl(options: SettleOptions): Promise<readonly Settlement[]> {
  const settlements: Settlement[] = [];
  for (const row of await readOpenDdl(options.connection, options.pipeline)) {
    await endRegistration(options.connection, row.registration, options.signal);
    const evidence = await gather(row, options);
    const decision = decideSettle(evidence);
    (options.log ?? silentLogger).warn(
      { event: 'ddl:settle', pipeline: options.pipeline, id: String(row.id), evidence, decision },
      'a schema change was begun, and its connection is gone',
    );
    settlements.push({ row, evidence, decision });
  }
  return settlements;
}

/**
 * Writes what was judged, inside a transaction that holds the checkpoint's row. Null when nothing is open any more; otherwise why not:
 * a row that needs a person, or one that has been opened since it was looked.
 */
export async function writeSettlements(
  connection: TargetConnection,
  server: TargetServer,
  pipeline: string,
  settlements: readonly Settlement[],
  by: string,
): Promise<{ readonly kind: 'ask'; readonly settlement: Settlement } | { readonly kind: 'again' } | null> {
  const open = await readOpenDdl(connection, pipeline);
  for (const row of open) {
    const settlement = settlements.find((one) => one.row.id === row.id);
    if (settlement === undefined) return { kind: 'again' };
    const { decision } = settlement;
    if (decision.kind === 'ask') return { kind: 'ask', settlement };
    await closeDdlRow(connection, row.id, {
      state: decision.kind,
      why: decision.why,
      by,
      log: await readLogEnd(connection, server),
    });
  }
  return null;
}

/** Why a pipeline stops: somebody has to look. */
export function unsettled(pipeline: string, target: string, { row, decision }: Settlement): HoltError {
  const shown = shownSql(row.mapped);
  return new HoltError(
    'HOLT_DDL_UNSETTLED',
    `${pipeline}: a schema change was begun at the target, and it cannot be told whether it ran (${decision.why}): ${shown}`,
    {
      disposition: 'pause',
      remedy: `Look at the target whether it ran; then \`holt ddl settle ${pipeline} ${row.id} --ran\` or \`--did-not-run\`, and resume.`,
      facts: { pipeline, target, id: String(row.id), statement: shown },
    },
  );
}

const MAX_SHOWN = 2000;

export function shownSql(sql: Buffer): string {
  const text = sql.toString('utf8', 0, 4 * MAX_SHOWN).trim();
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

async function gather(row: DdlRow, options: SettleOptions): Promise<SettleEvidence> {
  const { connection, server, target, signal } = options;
  const elsewhere = row.serverIdentity !== server.identity;
  const started = await readServerStart(connection);
  return {
    elsewhere,
    restarted: Math.abs(Number(row.serverStarted) - Number(started)) > CLOCK_SLACK_S,
    ownGtid: row.ownGtid === null ? 'none' : await isExecuted(connection, row.ownGtid),
    log: elsewhere
      ? 'unreadable'
      : !server.binlog
        ? 'off'
        : row.log === null
          ? 'unreadable'
          : await searchLog(target, row.log, row.connectionId, signal),
    tables: elsewhere ? 'unknown' : await tablesSince(connection, row.tablesBefore),
  };
}

const CLOCK_SLACK_S = 5;

/** Seconds since 1970, by the server's own clock. */
export async function readServerStart(connection: TargetConnection): Promise<string> {
  const [uptime] = await connection.rows("SHOW GLOBAL STATUS LIKE 'Uptime'");
  const [now] = await connection.rows('SELECT UNIX_TIMESTAMP()');
  return String(Number(now?.[0]?.toString('latin1')) - Number(uptime?.[1]?.toString('latin1')));
}

async function isExecuted(connection: TargetConnection, gtid: string): Promise<'executed' | 'absent'> {
  const [row] = await connection.rows(
    `SELECT GTID_SUBSET(CONVERT(${bytesLiteral(gtid)} USING utf8), @@global.gtid_executed)`,
  );
  return row?.[0]?.toString('latin1') === '1' ? 'executed' : 'absent';
}

async function tablesSince(
  connection: TargetConnection,
  before: readonly TableState[],
): Promise<'changed' | 'same' | 'unknown'> {
  const tables = before.flatMap(({ schema, table }) => (table === null ? [] : [{ schema, table }]));
  const database = before.find(({ table }) => table === null)?.schema ?? null;
  try {
    return compareTableStates(before, await readTableStates(connection, tables, database));
  } catch (error) {
    if (error instanceof TargetServerError) return 'unknown';
    throw error;
  }
}
