import { Breather } from '../../lib/breather.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import { queryVerb } from '../assembler/statement.ts';
import { statementOf } from '../assembler/transaction-assembler.ts';
import { EventDecoder } from '../event/decoder.ts';
import { compareCoordinates } from '../feed/coordinates.ts';
import type { ServerEndpoint } from '../protocol/server-connection.ts';
import type { ScannedStatements } from '../schema/certainty.ts';
import type { RawEvent } from './dump-stream.ts';
import { scanArrivals } from './scan-log.ts';

/** Events that statements and what they are decoded by stand in: QUERY, FORMAT_DESCRIPTION, MariaDB's compressed QUERY. */
const TYPES: ReadonlySet<number> = new Set([2, 15, 165]);

/** What most transactions begin with, without making anything of it. */
const BEGIN = Buffer.from('BEGIN');
/** Bytes of log between two looks at whether the thread was held for long. */
const LOOK_BYTES = 32 * 1024;

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
  let sinceLook = 0;
  for await (const arrived of scanArrivals({ endpoint, file: from.file, from: from.offset }, signal)) {
    for (let event = arrived.next(); event !== null; event = arrived.next()) {
      if (isAtOrBehind(event, to)) return { statements, to, isCut: false };
      if (bytes > maxBytes || keptBytes > MAX_KEPT_BYTES)
        return { statements, to: { file: event.file, offset: event.start }, isCut: true };
      bytes += event.to - event.from;
      sinceLook += event.to - event.from;
      if (TYPES.has(event.header.typeCode)) {
        const decoded = decoder.decodeVerified(event.memory, event.header, event.from, event.to);
        if (decoded.kind === 'query') {
          const verb = decoded.says(BEGIN) ? null : queryVerb(decoded.sql);
          // What changes rows changes no table.
          if (verb?.kind === 'other' && verb.nature === 'ddl') {
            keptBytes += decoded.sql.length + STATEMENT_BYTES;
            const at = { file: event.file, offset: event.start };
            statements.push({ at, statement: statementOf(decoded, verb.nature, decoded.header.timestamp) });
          }
        }
      }
      if (sinceLook >= LOOK_BYTES) {
        sinceLook = 0;
        if (breather.due()) await breather.breathe();
      }
    }
  }
  return { statements, to, isCut: false };
}

function isAtOrBehind(event: RawEvent, place: BinlogCoordinates): boolean {
  if (event.file === place.file) return event.start >= place.offset;
  return compareCoordinates({ file: event.file, offset: event.start }, place) >= 0;
}
