import { ServerConnection, type ServerEndpoint } from '../../canal/protocol/server-connection.ts';
import { readLogStatus } from '../../canal/source/source-facts.ts';
import { formOf, type PositionText } from '../../model/position.ts';
import { wantedPosition } from './wanted-position.ts';

/**
 * Where the source's log ends now, in the form of `like`, by one statement: whatever was committed before is included.
 * @throws what `ServerConnection` throws; HOLT_SOURCE_GRANT, HOLT_SOURCE_BINLOG_OFF
 */
export async function sourceHead(
  endpoint: ServerEndpoint,
  like: PositionText,
  signal: AbortSignal,
): Promise<PositionText> {
  const connection = await ServerConnection.connect({ endpoint, purpose: 'position' }, signal);
  try {
    const form = formOf(like);
    if (form !== 'file') {
      const variable = form === 'mysql' ? 'gtid_executed' : 'gtid_binlog_pos';
      const { rows } = await connection.query(`SELECT @@global.${variable}`);
      return wantedPosition(rows[0]?.[0]?.toString('latin1') ?? '', like);
    }
    const { flavour, serverVersion } = connection.handshake;
    const [, major = '0', minor = '0', patch = '0'] =
      /^([0-9]+)\.([0-9]+)\.([0-9]+)/.exec(serverVersion) ?? [];
    const versionNumber = [Number(major), Number(minor), Number(patch)] as const;
    const { file, offset } = await readLogStatus(connection, { flavour, versionNumber });
    return wantedPosition(`${file}:${offset}`, like);
  } finally {
    await connection.close();
  }
}
