import { Breather } from '../../lib/breather.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import { queryVerb } from '../assembler/statement.ts';
import { statementOf } from '../assembler/transaction-assembler.ts';
import { EventDecoder } from '../event/decoder.ts';
import { compareCoordinates } from '../feed/coordinates.ts';
import type { ServerEndpoint } from '../protocol/server-connection.ts';
import type { ScannedStatements } from '../schema/certainty.ts';
import { scanLog } from './scan-log.ts';

/** Events that statements and what they are decoded by stand in: QUERY, FORMAT_DESCRIPTION, MariaDB's compressed QUERY. */
const TYPES: ReadonlySet<number> = new Set([2, 15, 165]);

/** Of a statement beside its text. */
const STATEMENT_BYTES = 1024;
/** Bytes of statements that are kept: schema changes are few, and a log that is full of them is not looked through to its end. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

/** The statements of a source's log that may change tables, between two places; rows are passed over unread. */
export async function scanStatements(
  endpoint: ServerEndpoint,
  from: BinlogCoordinates,
  to: BinlogCoordinates,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<ScannedStatements> {
  const statements: ScannedStatements['statements'][number][] = [];
  const decoder = new EventDecoder();
  const breather = new Breather();
  let bytes = 0;
  let keptBytes = 0;
  let reached = from;
  for await (const event of scanLog({ endpoint, file: from.file, from: from.offset }, signal)) {
    const at = { file: event.file, offset: event.start };
    if (compareCoordinates(at, to) >= 0) return { statements, to, isCut: false };
    if (bytes > maxBytes || keptBytes > MAX_KEPT_BYTES) return { statements, to: reached, isCut: true };
    bytes += event.to - event.from;
    reached = { file: event.file, offset: event.end };
    if (TYPES.has(event.header.typeCode)) {
      const decoded = decoder.decode(event.bytes);
      if (decoded.kind === 'query') {
        const verb = queryVerb(decoded.sql);
        // What changes rows changes no table.
        if (verb.kind === 'other' && verb.nature === 'ddl') {
          keptBytes += decoded.sql.length + STATEMENT_BYTES;
          statements.push({ at, statement: statementOf(decoded, verb.nature, decoded.header.timestamp) });
        }
      }
    }
    if (breather.due()) await breather.breathe();
  }
  return { statements, to, isCut: false };
}
