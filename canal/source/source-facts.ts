import { createHash } from 'node:crypto';
import { HoltError } from '../../lib/errors.ts';
import type { SourceIdentity } from '../canal.ts';
import { errnoOf } from '../protocol/reply.ts';
import type { ServerConnection } from '../protocol/server-connection.ts';

/** What a server says about itself; null where its version has no such setting. */
export interface SourceFacts extends SourceIdentity {
  /** `[major, minor, patch]`. */
  readonly versionNumber: readonly [number, number, number];
  readonly logBin: boolean;
  readonly binlogFormat: string | null;
  readonly binlogRowImage: string | null;
  readonly binlogRowMetadata: string | null;
  readonly binlogChecksum: string | null;
  /** MySQL only. */
  readonly gtidMode: string | null;
  /** Whether what the server itself replicates from elsewhere is in its log. */
  readonly logReplicaUpdates: boolean | null;
}

/** Variables that are asked for; a server leaves out those that it does not know. */
const VARIABLES = [
  'version',
  'server_id',
  'server_uuid',
  'server_uid',
  'hostname',
  'datadir',
  'log_bin',
  'binlog_format',
  'binlog_row_image',
  'binlog_row_metadata',
  'binlog_checksum',
  'gtid_mode',
  'log_slave_updates',
  'log_replica_updates',
] as const;

export async function readSourceFacts(connection: ServerConnection): Promise<SourceFacts> {
  const names = VARIABLES.map((name) => `'${name}'`).join(', ');
  const rows = await connection.query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names})`);
  const values = new Map(
    rows.rows.map(([name, value]) => [
      name?.toString('utf8').toLowerCase() ?? '',
      value?.toString('utf8') ?? '',
    ]),
  );
  return sourceFacts(connection.handshake.flavour, values);
}

/** @param variables as SHOW GLOBAL VARIABLES gives them, names in lower case */
export function sourceFacts(
  flavour: 'mysql' | 'mariadb',
  variables: ReadonlyMap<string, string>,
): SourceFacts {
  const get = (name: (typeof VARIABLES)[number]) => variables.get(name) ?? null;
  const version = get('version') ?? '';
  const [, major, minor, patch] = /^([0-9]+)\.([0-9]+)\.([0-9]+)/.exec(version) ?? [];
  const gtidMode = get('gtid_mode');
  const updates = get('log_replica_updates') ?? get('log_slave_updates');
  return {
    flavour,
    version,
    versionNumber: [Number(major ?? 0), Number(minor ?? 0), Number(patch ?? 0)],
    identity: serverIdentity(flavour, variables),
    serverId: Number(get('server_id') ?? 0),
    gtids: flavour === 'mariadb' || gtidMode?.toUpperCase() === 'ON',
    logBin: isOn(get('log_bin')) ?? false,
    binlogFormat: get('binlog_format'),
    binlogRowImage: get('binlog_row_image'),
    binlogRowMetadata: get('binlog_row_metadata'),
    binlogChecksum: get('binlog_checksum'),
    gtidMode,
    logReplicaUpdates: isOn(updates),
  };
}

/**
 * Tells one server from another through restarts: server_uuid on MySQL, server_uid on MariaDB where it exists (10.5.26,
 * 10.6.19, 10.11.9 and later), else a digest of server id, host and data directory. Never contains a colon.
 */
function serverIdentity(flavour: 'mysql' | 'mariadb', variables: ReadonlyMap<string, string>): string {
  const own = variables.get(flavour === 'mysql' ? 'server_uuid' : 'server_uid');
  if (own !== undefined && own !== '' && !own.includes(':')) return own;
  const parts = ['server_id', 'hostname', 'datadir'].map((name) => variables.get(name) ?? '');
  return `digest-${createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 32)}`;
}

function isOn(value: string | null): boolean | null {
  return value === null ? null : value.toUpperCase() === 'ON' || value === '1';
}

export interface LogStatus {
  readonly file: string;
  readonly offset: number;
  /** Empty on MariaDB and without GTIDs. */
  readonly executedGtidSet: string;
}

/** MySQL 8.4 and later have no other words than "binary log status". */
function hasBinaryLogStatus(facts: Pick<SourceFacts, 'flavour' | 'versionNumber'>): boolean {
  const [major, minor] = facts.versionNumber;
  return facts.flavour === 'mysql' && (major > 8 || (major === 8 && minor >= 4));
}

/** What gives the end of the log, as its first two columns. */
export function logStatusQuery(facts: Pick<SourceFacts, 'flavour' | 'versionNumber'>): string {
  return hasBinaryLogStatus(facts) ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS';
}

/**
 * Where the log ends now: file, offset and executed set of one moment.
 * @throws HOLT_SOURCE_GRANT, HOLT_SOURCE_BINLOG_OFF
 */
export async function readLogStatus(
  connection: ServerConnection,
  facts: Pick<SourceFacts, 'flavour' | 'versionNumber'>,
): Promise<LogStatus> {
  const sql = logStatusQuery(facts);
  const [row] = await connection.textRows(sql);
  const offset = Number(row?.Position);
  if (row?.File === undefined || row.File === null || !Number.isSafeInteger(offset))
    throw new HoltError('HOLT_SOURCE_BINLOG_OFF', `${sql} gives nothing: the source writes no binary log`, {
      disposition: 'pause',
    });
  return {
    file: row.File,
    offset,
    executedGtidSet: (row.Executed_Gtid_Set ?? '').replace(/\s+/g, ''),
  };
}

export interface BinlogFile {
  readonly name: string;
  readonly bytes: number;
}

/** The source's files, oldest first; never empty. */
export async function listBinlogFiles(connection: ServerConnection): Promise<readonly BinlogFile[]> {
  const ER_NO_BINARY_LOGGING = 1381;
  try {
    const rows = await connection.textRows('SHOW BINARY LOGS');
    return rows.map((row) => ({ name: row.Log_name ?? '', bytes: Number(row.File_size) }));
  } catch (error) {
    if (errnoOf(error) !== ER_NO_BINARY_LOGGING) throw error;
    throw new HoltError('HOLT_SOURCE_BINLOG_OFF', 'the source writes no binary log', {
      disposition: 'pause',
      cause: error,
    });
  }
}
