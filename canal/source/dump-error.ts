import { type Disposition, HoltError } from '../../lib/errors.ts';
import type { ErrorCodeName } from '../../model/error-codes.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import { type ServerError, serverError } from '../protocol/reply.ts';

/**
 * The servers' texts, first match wins. MySQL 5.6 to 9.7 and MariaDB 10.5 to 11; each says the same in slightly other words
 * ("slave" or "replica", "master" or "source"), and nearly all under the one number 1236.
 */
const MEANINGS: readonly (readonly [text: RegExp, code: ErrorCodeName, disposition: Disposition])[] = [
  [/same server_uuid|same server_id|same server id/i, 'HOLT_SOURCE_SERVER_ID', 'retry'],
  [
    /purged|could not find first log file name|could not find GTID state|slave state is too old/i,
    'HOLT_SOURCE_POSITION_PURGED',
    'pause',
  ],
  [
    /has more GTIDs than|not in the master's binlog|position > file size|impossible position|bogus data|diverged|AUTO_POSITION mode|GTID_MODE/i,
    'HOLT_SOURCE_POSITION_FOREIGN',
    'pause',
  ],
  [/max_allowed_packet/i, 'HOLT_SOURCE_PACKET_TOO_LARGE', 'pause'],
  [/binary log is not open/i, 'HOLT_SOURCE_BINLOG_OFF', 'pause'],
];

/** ER_MASTER_FATAL_ERROR_READING_BINLOG */
const FATAL_READING_BINLOG = 1236;

/** What the server's refusal to begin or go on with a dump means. `at` is the last place received. */
export function dumpError(error: ServerError, at: BinlogCoordinates | null): HoltError {
  const known = MEANINGS.find(([text]) => text.test(error.message));
  if (known === undefined && error.errno !== FATAL_READING_BINLOG) return serverError(error, 'dump');
  // The rest of 1236 (an I/O error, a file being written at this moment) may pass; if it does not, the owner sees it repeat.
  const [, code, disposition] = known ?? (['', 'HOLT_SOURCE_SQL', 'retry'] as const);
  return new HoltError(code, `the source ends the dump: ${error.message} (error ${error.errno})`, {
    disposition,
    facts: { errno: error.errno, sqlState: error.sqlState, file: at?.file, offset: at?.offset },
  });
}
