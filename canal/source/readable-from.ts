/** Whether a source can be read from a position, asked once and from outside of any engine. */
import type { PositionText } from '../../model/position.ts';
import { ServerConnection, type ServerEndpoint } from '../protocol/server-connection.ts';
import { checkPosition } from './position-check.ts';
import { readSourceFacts } from './source-facts.ts';

/**
 * What has been purged, MariaDB says only when the dump begins.
 * @throws HOLT_SOURCE_POSITION_FOREIGN (another server's, another form, or not done yet), HOLT_SOURCE_POSITION_PURGED
 */
export async function mustBeReadableFrom(
  endpoint: ServerEndpoint,
  text: PositionText,
  signal: AbortSignal,
): Promise<void> {
  const connection = await ServerConnection.connect({ endpoint, purpose: 'source position' }, signal);
  try {
    const facts = await readSourceFacts(connection);
    const position = { text, at: null, lastEvent: null };
    await checkPosition({ endpoint, connection, facts, position, readFrom: null, graceMs: 0 }, signal);
  } finally {
    await connection.close();
  }
}
