/** What dumps and scans have in common: how a connection is made ready, and how large an event may be. */
import type { ServerConnection } from '../protocol/server-connection.ts';

/** The first event of a file, after the four bytes that mark it as a binlog. */
export const FIRST_OFFSET = 4;
/** The dump command has 32 bits for the offset. */
export const MAX_COMMAND_OFFSET = 0xffff_ffff;

/** The length field of an event's header, plus the packet's status byte. */
export function eventLengthHint(head: Buffer): number | null {
  return head[0] === 0 && head.length >= 14 ? head.readUInt32LE(10) + 1 : null;
}

/**
 * Tells the server that we understand the checksum that it writes now; without this it refuses to send checksummed events.
 * Older files may have another one: their FORMAT_DESCRIPTION says so. And MariaDB, that we know its own events.
 *
 * @returns what the events before the first FORMAT_DESCRIPTION have
 */
export async function announceAbilities(connection: ServerConnection): Promise<'none' | 'crc32'> {
  await connection.query(
    'SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum',
  );
  if (connection.handshake.flavour === 'mariadb') await connection.query('SET @mariadb_slave_capability = 4');
  const { rows } = await connection.query('SELECT @master_binlog_checksum');
  return rows[0]?.[0]?.toString('latin1').toUpperCase() === 'CRC32' ? 'crc32' : 'none';
}
