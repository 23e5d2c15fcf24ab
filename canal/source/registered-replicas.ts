import { HoltError } from '../../lib/errors.ts';
import type { ServerConnection } from '../protocol/server-connection.ts';

/** What SHOW REPLICAS shows as our host; by this one Holt knows another from a stranger. */
export const REPLICA_HOST = 'holt';

/** Another replica that is registered with the source. */
export interface RegisteredReplica {
  readonly serverId: number;
  readonly host: string;
}

/**
 * The replicas that the source knows. Empty where it does not tell: MariaDB wants REPLICATION MASTER ADMIN for that; a clash
 * of ids then shows as being thrown out.
 */
export async function listReplicas(connection: ServerConnection): Promise<readonly RegisteredReplica[]> {
  let rows: Readonly<Record<string, string | null>>[];
  try {
    rows = await connection.textRows(statementOf(connection));
  } catch (error) {
    if (error instanceof HoltError && error.code === 'HOLT_SOURCE_GRANT') return [];
    throw error;
  }
  return rows.map((row) => ({
    serverId: Number(row.Server_Id ?? row.Server_id),
    host: row.Host ?? '',
  }));
}

/** MySQL 8.4 and later have no other word than "replicas". */
function statementOf(connection: ServerConnection): string {
  const { flavour, serverVersion } = connection.handshake;
  const [major = 0, minor = 0] = serverVersion.split('.', 2).map(Number);
  const isNew = flavour === 'mysql' && (major > 8 || (major === 8 && minor >= 4));
  return isNew ? 'SHOW REPLICAS' : 'SHOW SLAVE HOSTS';
}

/** A replica of `serverId` that is none of ours: a dump under this id would throw it out. */
export function strangerAmong(
  replicas: readonly RegisteredReplica[],
  serverId: number,
): RegisteredReplica | undefined {
  return replicas.find((one) => one.serverId === serverId && one.host !== REPLICA_HOST);
}
