/**
 * Schema changes of Holt's own that were under way at a server where reading of its log begins: the journal's row is behind that place
 * already, the statement may be ahead. Without them the reader would take Holt's statement for the site's own.
 */
import { compareCoordinates, fileNumber } from '../../../canal/feed/coordinates.ts';
import type { BinlogCoordinates } from '../../../model/position.ts';
import type { DdlMark } from '../../select/ddl-marks.ts';
import { bytesLiteral, integerLiteral } from '../target/sql-text.ts';
import { type TargetConnection, TargetServerError } from '../target/target-connection.ts';
import type { LogPlace } from './ddl.ts';
import { readServerStart } from './settle.ts';

export interface MarkRow {
  readonly mark: DdlMark;
  readonly isOpen: boolean;
  /** Before the journal's row. */
  readonly opened: LogPlace | null;
  /** Behind the statement, or where it was known that none comes. */
  readonly settled: LogPlace | null;
  /** The server was started anew since. */
  readonly restarted: boolean;
}

/** Pure. `start` is null where the place is not known: then what is open now counts. */
export function marksAt(rows: readonly MarkRow[], start: BinlogCoordinates | null): readonly DdlMark[] {
  return rows
    .filter(({ isOpen, opened, settled, restarted }) => {
      if (start === null || opened === null) return isOpen && !restarted;
      if (compareCoordinates(opened, start) > 0) return false;
      // A restart begins a file: within the same one it is still ahead, and ends the mark when it is met.
      if (restarted && opened.file !== start.file) return false;
      return isOpen || (settled !== null && compareCoordinates(start, settled) < 0);
    })
    .map(({ mark }) => mark);
}

const NO_SUCH_TABLE = new Set([1146, 1049, 1054]);
/**
 * Whatever may have been under way there, however much came since: one that is left out is an echo. By the numbers of the files
 * alone, `marksAt` looks closer.
 */
function underWayAt(start: BinlogCoordinates | null): string {
  if (start === null) return "state = 'open'";
  const number = integerLiteral(BigInt(fileNumber(start.file)));
  const file = (column: string) => `CAST(SUBSTRING_INDEX(${column}, '.', -1) AS UNSIGNED)`;
  return (
    `(log_file IS NULL OR ${file('log_file')} <= ${number}) ` +
    `AND (state = 'open' OR ${file('settled_file')} >= ${number})`
  );
}

/** @param identity of the server that is asked: rows copied from another one say nothing of its log */
export async function readOpenMarks(
  connection: TargetConnection,
  identity: string,
  start: BinlogCoordinates | null,
): Promise<readonly DdlMark[]> {
  try {
    const started = await readServerStart(connection);
    const rows = await connection.rows(
      'SELECT id, connection_id, origin, state, log_file, log_offset, settled_file, settled_offset, server_started ' +
        `FROM holt.ddl WHERE server_identity = ${bytesLiteral(identity)} AND ${underWayAt(start)} ORDER BY id DESC`,
    );
    return marksAt(
      rows.map((row): MarkRow => {
        const [id, connectionId, origin, state, file, offset, settledFile, settledOffset, rowStarted] =
          row.map((value) => value?.toString('utf8') ?? null);
        return {
          mark: { id: BigInt(id ?? 0), threadId: Number(connectionId), origin: origin ?? '' },
          isOpen: state === 'open',
          opened: place(file, offset),
          settled: place(settledFile, settledOffset),
          restarted: Math.abs(Number(rowStarted) - Number(started)) > CLOCK_SLACK_S,
        };
      }),
      start,
    );
  } catch (error) {
    // A server that Holt has not written to yet.
    if (error instanceof TargetServerError && NO_SUCH_TABLE.has(error.errno)) return [];
    throw error;
  }
}

/** What columns of type TIMESTAMP are without a word, where the log does not say it with each statement. */
export async function readExplicitDefaults(connection: TargetConnection): Promise<boolean | null> {
  const [row] = await connection.rows("SHOW GLOBAL VARIABLES LIKE 'explicit_defaults_for_timestamp'");
  const value = row?.[1]?.toString('latin1');
  return value === undefined ? null : value === 'ON';
}

const CLOCK_SLACK_S = 5;

function place(file: string | null | undefined, offset: string | null | undefined): LogPlace | null {
  return file === null || file === undefined || offset === null || offset === undefined
    ? null
    : { file, offset: Number(offset) };
}
