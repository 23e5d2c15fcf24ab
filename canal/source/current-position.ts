import { GtidSet } from '../../model/gtid-set.ts';
import { MariadbPosition } from '../../model/mariadb-gtid.ts';
import { filePosition, type Position } from '../../model/position.ts';
import type { ServerConnection } from '../protocol/server-connection.ts';
import { type LogStatus, readLogStatus, type SourceFacts } from './source-facts.ts';

const TRIES = 5;

/**
 * The end of the source's log now: in GTIDs where the source has them, else file and offset.
 * @throws HOLT_SOURCE_GRANT, HOLT_SOURCE_BINLOG_OFF
 */
export async function currentPosition(connection: ServerConnection, facts: SourceFacts): Promise<Position> {
  const status = await readLogStatus(connection, facts);
  const at = { file: status.file, offset: status.offset };
  if (facts.flavour === 'mariadb') return await mariadbPosition(connection, facts, status);
  if (!facts.gtids) return { text: filePosition(facts.identity, at), at, lastEvent: null };
  // One statement gives set and place of one moment.
  return { text: GtidSet.parse(status.executedGtidSet).toPosition(), at, lastEvent: null };
}

/** MariaDB gives GTIDs and place by two statements: they are of one moment if the place is the same before and after. */
async function mariadbPosition(
  connection: ServerConnection,
  facts: SourceFacts,
  first: LogStatus,
): Promise<Position> {
  let before = first;
  for (let tries = 1; ; tries += 1) {
    const { rows } = await connection.query('SELECT @@global.gtid_binlog_pos');
    const text = MariadbPosition.parse(rows[0]?.[0]?.toString('latin1') ?? '').toPosition();
    const after = await readLogStatus(connection, facts);
    if (after.file === before.file && after.offset === before.offset)
      return { text, at: { file: after.file, offset: after.offset }, lastEvent: null };
    // On a busy source the GTIDs alone: they decide, the place is for display.
    if (tries === TRIES) return { text, at: null, lastEvent: null };
    before = after;
  }
}
