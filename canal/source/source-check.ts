/**
 * What a server must be like to be followed: asked before the first event, and by `holt doctor`.
 *
 * `sourceProblems` decides over facts, `checkSource` gathers them. Each problem is a HoltError that names the
 * variable or privilege, the value found, and the remedy.
 */
import { withDeadline } from '../../lib/abort.ts';
import { HoltError } from '../../lib/errors.ts';
import { encodeBinlogDump } from '../protocol/com-binlog-dump.ts';
import { decodeErr, errnoOf, isErr } from '../protocol/reply.ts';
import { ServerConnection, type ServerEndpoint } from '../protocol/server-connection.ts';
import { listReplicas, type RegisteredReplica, strangerAmong } from './registered-replicas.ts';
import { listBinlogFiles, readLogStatus, readSourceFacts, type SourceFacts } from './source-facts.ts';

const OLDEST = { mysql: [5, 6, 0], mariadb: [10, 5, 0] } as const;
const NAMES = { mysql: 'MySQL', mariadb: 'MariaDB' } as const;
const DUMP_PRIVILEGE = 'REPLICATION SLAVE';
const REPLY_TIMEOUT_MS = 30_000;

export interface SourceFindings {
  readonly facts: SourceFacts;
  /** The id under which Holt wants to follow. */
  readonly ownServerId: number;
  /** Those known; empty where the source does not tell. */
  readonly replicas: readonly RegisteredReplica[];
  /** Privileges that were refused when tried. */
  readonly missingGrants: readonly string[];
  /** Who we are there, as the server says: `'user'@'host'`. */
  readonly account: string;
}

/** All that stands against following this source, worst first. Pure. */
export function sourceProblems(findings: SourceFindings): readonly HoltError[] {
  const { facts, ownServerId, replicas, missingGrants, account } = findings;
  const problems: HoltError[] = [];
  const problem = (
    code:
      | 'HOLT_SOURCE_VERSION'
      | 'HOLT_SOURCE_BINLOG_OFF'
      | 'HOLT_SOURCE_BINLOG_FORMAT'
      | 'HOLT_SOURCE_GRANT'
      | 'HOLT_SOURCE_SERVER_ID',
    message: string,
    remedy: string,
    about: Record<string, string | number>,
  ) =>
    problems.push(
      new HoltError(code, message, {
        disposition: code === 'HOLT_SOURCE_GRANT' ? 'retry' : 'pause',
        remedy,
        facts: about,
      }),
    );

  const oldest = OLDEST[facts.flavour];
  if (isOlder(facts.versionNumber, oldest))
    problem(
      'HOLT_SOURCE_VERSION',
      `the source is ${NAMES[facts.flavour]} ${facts.version}`,
      `use ${NAMES[facts.flavour]} ${oldest[0]}.${oldest[1]} or later`,
      { variable: 'version', value: facts.version },
    );
  if (!facts.logBin)
    problem(
      'HOLT_SOURCE_BINLOG_OFF',
      'log_bin is OFF at the source',
      'set log_bin in the option file of the server and restart it',
      { variable: 'log_bin', value: 'OFF' },
    );
  // Servers that have only rows left have no such variable any more.
  if (facts.binlogFormat !== null && facts.binlogFormat.toUpperCase() !== 'ROW')
    problem(
      'HOLT_SOURCE_BINLOG_FORMAT',
      `binlog_format is ${facts.binlogFormat} at the source, and ROW is needed`,
      'SET GLOBAL binlog_format = ROW, put it into the option file, and let open sessions reconnect',
      { variable: 'binlog_format', value: facts.binlogFormat },
    );
  for (const privilege of missingGrants)
    problem(
      'HOLT_SOURCE_GRANT',
      `${account} lacks ${privilege} at the source`,
      privilege === 'SELECT'
        ? `GRANT SELECT ON the replicated schemas TO ${account}`
        : `GRANT ${privilege} ON *.* TO ${account}`,
      { variable: 'privilege', value: privilege },
    );
  if (ownServerId === facts.serverId)
    problem(
      'HOLT_SOURCE_SERVER_ID',
      `server_id of the source is ${facts.serverId}, the same as Holt is to use there`,
      'set another serverId for the data source',
      { variable: 'server_id', value: facts.serverId },
    );
  const stranger = strangerAmong(replicas, ownServerId);
  if (stranger !== undefined)
    problem(
      'HOLT_SOURCE_SERVER_ID',
      `another replica (host ${JSON.stringify(stranger.host)}) follows the source as server_id ${ownServerId}`,
      'set another serverId for the data source: two replicas of one id throw each other out',
      { variable: 'server_id', value: ownServerId },
    );
  return problems;
}

/** Worth knowing, no reason to refuse: shown by `holt doctor`. Pure. */
export function sourceNotes(facts: SourceFacts): readonly string[] {
  const notes: string[] = [];
  if (facts.binlogRowImage !== null && facts.binlogRowImage.toUpperCase() !== 'FULL')
    notes.push(
      `binlog_row_image is ${facts.binlogRowImage}: changes are applied as partial updates, and differences cannot be judged by the whole row`,
    );
  if (facts.binlogRowMetadata !== null && facts.binlogRowMetadata.toUpperCase() !== 'FULL')
    notes.push(
      `binlog_row_metadata is ${facts.binlogRowMetadata}: column names come from the present schema, so set it to FULL if tables change`,
    );
  if (facts.binlogChecksum !== null && facts.binlogChecksum.toUpperCase() === 'NONE')
    notes.push('binlog_checksum is NONE: damage in the log or on the way is not noticed');
  if (facts.logReplicaUpdates === false)
    notes.push(
      'log_slave_updates (log_replica_updates) is OFF: what the source replicates from elsewhere is not in its log',
    );
  if (facts.flavour === 'mysql' && !facts.gtids)
    notes.push(
      `gtid_mode is ${facts.gtidMode ?? 'unknown'}: positions are file and offset, and do not carry over to another source`,
    );
  return notes;
}

export interface CheckSourceOptions {
  readonly endpoint: ServerEndpoint;
  readonly serverId: number;
  /** Tables that will be replicated; those that can be seen are tried with SELECT. Default: all. */
  readonly wants?: (schema: string, table: string) => boolean;
}

/** Facts and problems of a source, all at once. @throws what `ServerConnection` throws */
export async function inspectSource(
  options: CheckSourceOptions,
  signal?: AbortSignal,
): Promise<{ readonly facts: SourceFacts; readonly problems: readonly HoltError[] }> {
  await using connection = await ServerConnection.connect(
    { endpoint: options.endpoint, purpose: 'source check' },
    signal,
  );
  const facts = await readSourceFacts(connection);
  const missingGrants: string[] = [];
  if (facts.logBin) {
    const monitor = facts.flavour === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR';
    const mayMonitor = await isGranted(async () => {
      await readLogStatus(connection, facts);
      await listBinlogFiles(connection);
    });
    if (!mayMonitor) missingGrants.push(monitor);
    if (!(await mayDump(options.endpoint, signal))) missingGrants.push(DUMP_PRIVILEGE);
  }
  if (!(await maySelect(connection, options.wants ?? (() => true)))) missingGrants.push('SELECT');
  const findings: SourceFindings = {
    facts,
    ownServerId: options.serverId,
    replicas: await listReplicas(connection),
    missingGrants,
    account: await accountOf(connection),
  };
  return { facts, problems: sourceProblems(findings) };
}

/**
 * Refuses a source that cannot be followed.
 * @throws the worst problem; the others are counted in its facts
 */
export async function checkSource(options: CheckSourceOptions, signal?: AbortSignal): Promise<SourceFacts> {
  const { facts, problems } = await inspectSource(options, signal);
  const [worst] = problems;
  if (worst === undefined) return facts;
  throw worst;
}

function isOlder(version: readonly number[], oldest: readonly number[]): boolean {
  for (const [index, part] of oldest.entries()) {
    const found = version[index] ?? 0;
    if (found !== part) return found < part;
  }
  return false;
}

const ACCESS_ERRORS: ReadonlySet<number> = new Set([1044, 1045, 1142, 1143, 1227]);

function isAccessError(error: unknown): boolean {
  return ACCESS_ERRORS.has(errnoOf(error) ?? 0);
}

async function isGranted(attempt: () => Promise<unknown>): Promise<boolean> {
  try {
    await attempt();
    return true;
  } catch (error) {
    if (isAccessError(error)) return false;
    throw error;
  }
}

/**
 * Tries the privilege itself, since roles and their defaults make the text of grants a poor witness: a dump of a file that cannot exist,
 * as no replica (id 0 throws nobody out). The server looks at the privilege first and at the file then.
 */
async function mayDump(endpoint: ServerEndpoint, signal?: AbortSignal): Promise<boolean> {
  const connection = await ServerConnection.connect({ endpoint, purpose: 'source check' }, signal);
  try {
    const channel = connection.startDump(
      encodeBinlogDump({ serverId: 0, flags: 1, file: 'holt-source-check', offset: 4 }),
    );
    const reply = await withDeadline(channel.read(signal), REPLY_TIMEOUT_MS, 'the dump asked for in a check');
    return !isErr(reply) || !ACCESS_ERRORS.has(decodeErr(reply).errno);
  } finally {
    connection.destroy();
  }
}

/** Tables that can be seen and are wanted can be read; where none is seen, some grant at least speaks of SELECT. */
async function maySelect(
  connection: ServerConnection,
  wants: (schema: string, table: string) => boolean,
): Promise<boolean> {
  const MAX_TRIED = 500;
  const seen = await connection.query(
    "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')",
  );
  const tables = seen.rows
    .map(([schema, table]) => [schema?.toString('utf8') ?? '', table?.toString('utf8') ?? ''] as const)
    .filter(([schema, table]) => wants(schema, table));
  if (tables.length === 0) {
    const grants = await connection.query('SHOW GRANTS');
    return grants.rows.some(([text]) =>
      /\b(?:SELECT|ALL PRIVILEGES)\b|^GRANT [`'][^ ]* TO /i.test(String(text)),
    );
  }
  for (const [schema, table] of tables.slice(0, MAX_TRIED)) {
    const name = `\`${schema.replaceAll('`', '``')}\`.\`${table.replaceAll('`', '``')}\``;
    try {
      await connection.query(`SELECT 1 FROM ${name} LIMIT 0`);
    } catch (error) {
      if (isAccessError(error)) return false;
      // Dropped meanwhile, or broken: not a matter of privileges.
      if (errnoOf(error) === null) throw error;
    }
  }
  return true;
}

async function accountOf(connection: ServerConnection): Promise<string> {
  const { rows } = await connection.query('SELECT CURRENT_USER()');
  const text = rows[0]?.[0]?.toString('utf8') ?? '';
  const cut = text.lastIndexOf('@');
  return `'${text.slice(0, cut)}'@'${text.slice(cut + 1)}'`;
}
