/**
 * What tells a server from every copy of it. `server_uuid` on MySQL (it is in the data directory, and MySQL makes a new one for a
 * copy that lacks `auto.cnf`); on MariaDB `server_uid` where the server has it, else a digest of server id, host and
 * data directory. No colon in it, as positions hold identities too.
 */
import { createHash } from 'node:crypto';

/** Variables to read for it. */
export const IDENTITY_VARIABLES = ['server_uuid', 'server_uid', 'server_id', 'hostname', 'datadir'] as const;

/** From the server's variables by name; a missing one counts as empty. */
export function identityOf(variables: ReadonlyMap<string, string>): string {
  const uuid = variables.get('server_uuid');
  if (uuid !== undefined && uuid !== '') return uuid.toLowerCase();
  const uid = variables.get('server_uid');
  if (uid !== undefined && uid !== '') return `uid-${uid.replaceAll(':', '_')}`;
  const facts = ['server_id', 'hostname', 'datadir'].map((name) => variables.get(name) ?? '');
  return `host-${createHash('sha256').update(facts.join('\0')).digest('hex').slice(0, 32)}`;
}
