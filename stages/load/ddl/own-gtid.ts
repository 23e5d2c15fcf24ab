/**
 * GTIDs of Holt's own at a MySQL target, one a schema change: the server itself then makes it exactly-once. One uuid a pipeline, its numbers without
 * gaps, so that the server's set of executed GTIDs stays short.
 */
import { createHash } from 'node:crypto';
import { GtidSet } from '../../../model/gtid-set.ts';
import { type TargetConnection, type TargetServer, TargetServerError } from '../target/target-connection.ts';

const ER_ACCESS = new Set([1227, 1044, 1045, 1142]);

/** The next one; null where the target has no GTIDs, or the account may not give them. Under the lock of the checkpoint's row. */
export async function nextOwnGtid(
  connection: TargetConnection,
  server: TargetServer,
  pipeline: { readonly cluster: string; readonly name: string },
): Promise<string | null> {
  if (server.flavour !== 'mysql' || !server.binlog) return null;
  const [mode] = await connection.rows("SHOW GLOBAL VARIABLES LIKE 'gtid_mode'");
  if (!/^ON/i.test(mode?.[1]?.toString('latin1') ?? '')) return null;
  const [executed] = await connection.rows('SELECT @@global.gtid_executed');
  const set = GtidSet.parse(executed?.[0]?.toString('latin1') ?? '');
  return `${ownUuid(pipeline)}:${highestOf(set, ownUuid(pipeline)) + 1n}`;
}

export function ownUuid({ cluster, name }: { readonly cluster: string; readonly name: string }): string {
  const hex = createHash('sha256').update(`holt ddl\0${cluster}\0${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Whether this account may say under which GTID a statement runs. Outside a transaction. */
export async function mayGiveGtids(connection: TargetConnection): Promise<boolean> {
  try {
    await connection.execute("SET SESSION gtid_next = 'AUTOMATIC'");
    return true;
  } catch (error) {
    if (error instanceof TargetServerError && ER_ACCESS.has(error.errno)) return false;
    throw error;
  }
}

function highestOf(set: GtidSet, uuid: string): bigint {
  const numbers = set
    .toString()
    .split(',')
    .filter((source) => source.startsWith(`${uuid}:`))
    .flatMap((source) => source.slice(uuid.length + 1).split(/[:-]/))
    .filter((text) => /^[0-9]+$/.test(text));
  return numbers.reduce((highest, text) => (BigInt(text) > highest ? BigInt(text) : highest), 0n);
}
