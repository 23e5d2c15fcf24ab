/**
 * Whether a source still has, unbroken, what follows a position: asked before every dump.
 *
 * GTIDs must be contained in what the source has executed and must contain what it has purged. A file must be there and long
 * enough. And where the place is on the same server, the last event before it must be the one that was read
 * then: a server that was reset and filled anew counts its GTIDs and files from 1 again.
 */
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { GtidSet, gtidSetOf } from '../../model/gtid-set.ts';
import {
  formatMariadbGtid,
  type MariadbGtid,
  mariadbPositionOf,
  parseMariadbGtids,
} from '../../model/mariadb-gtid.ts';
import {
  type BinlogCoordinates,
  formOf,
  type LastEvent,
  type Position,
  parseFilePosition,
} from '../../model/position.ts';
import type { ServerConnection, ServerEndpoint } from '../protocol/server-connection.ts';
import { FIRST_OFFSET } from './dump-session.ts';
import type { RawEvent } from './dump-stream.ts';
import { OUTSIDE_CAUSES } from './outside-causes.ts';
import { scanLog } from './scan-log.ts';
import { type BinlogFile, listBinlogFiles, type SourceFacts } from './source-facts.ts';

export interface PositionCheckOptions {
  readonly endpoint: ServerEndpoint;
  readonly connection: ServerConnection;
  readonly facts: SourceFacts;
  readonly position: Position;
  /** Identity of the server on which `position.at` was read; null where that is not known. */
  readonly readFrom: string | null;
  /** How long GTIDs may be missing that the dump has already sent: a server shows a commit to replicas before it counts it; default 10 s. */
  readonly graceMs?: number;
  readonly clock?: Clock;
}

/** @throws HOLT_SOURCE_POSITION_FOREIGN, HOLT_SOURCE_POSITION_PURGED */
export async function checkPosition(options: PositionCheckOptions, signal?: AbortSignal): Promise<void> {
  const { position, facts, readFrom } = options;
  const form = formOf(position.text);
  switch (form) {
    case 'mysql':
      await checkGtidSet(options, signal);
      break;
    case 'mariadb':
      await checkMariadbGtids(options, signal);
      break;
    case 'file':
      await checkFile(options);
      break;
    default:
      form satisfies never;
  }
  const at = form === 'file' ? parseFilePosition(position.text) : position.at;
  const isSameServer = form === 'file' || readFrom === facts.identity;
  if (at === null || position.lastEvent === null || !isSameServer) return;
  await checkLastEvent(options, at, position.lastEvent, signal);
}

async function checkGtidSet(options: PositionCheckOptions, signal?: AbortSignal): Promise<void> {
  const { connection, facts, position } = options;
  if (facts.flavour !== 'mysql' || !facts.gtids)
    throw foreign(
      `the position is a MySQL GTID set, and the source is ${facts.flavour} ${facts.version} with gtid_mode ${facts.gtidMode ?? 'unknown'}`,
      'set gtid_mode to ON at the source, or set the position in a form that it has',
    );
  const wanted = gtidSetOf(position.text);
  const missing = await patiently(options, signal, async () => {
    const { rows } = await connection.query('SELECT @@global.gtid_executed, @@global.gtid_purged');
    const executed = GtidSet.parse(rows[0]?.[0]?.toString('latin1') ?? '');
    const lost = GtidSet.parse(rows[0]?.[1]?.toString('latin1') ?? '').subtract(wanted);
    if (!lost.isEmpty)
      throw new HoltError(
        'HOLT_SOURCE_POSITION_PURGED',
        `the source has purged ${lost}, which we do not have`,
        {
          disposition: 'pause',
          facts: { variable: 'gtid_purged', value: lost.toString() },
        },
      );
    const rest = wanted.subtract(executed);
    return rest.isEmpty ? null : rest.toString();
  });
  if (missing !== null)
    throw foreign(`gtid_executed of the source lacks ${missing}, which the position has`, undefined, {
      variable: 'gtid_executed',
      value: missing,
    });
}

/** What has been purged, MariaDB says when the dump begins. */
async function checkMariadbGtids(options: PositionCheckOptions, signal?: AbortSignal): Promise<void> {
  const { connection, facts, position } = options;
  if (facts.flavour !== 'mariadb')
    throw foreign(`the position is of a MariaDB server, and the source is MySQL ${facts.version}`);
  const wanted = mariadbPositionOf(position.text);
  const missing = await patiently(options, signal, async () => {
    const { rows } = await connection.query('SELECT @@global.gtid_binlog_state');
    const state = parseMariadbGtids(rows[0]?.[0]?.toString('latin1') ?? '');
    const rest = wanted.gtids.filter((gtid) => !state.some((one) => covers(one, gtid)));
    return rest.length === 0 ? null : rest.map(formatMariadbGtid).join(',');
  });
  if (missing !== null)
    throw foreign(`gtid_binlog_state of the source lacks ${missing}, which the position has`, undefined, {
      variable: 'gtid_binlog_state',
      value: missing,
    });
}

function covers(logged: MariadbGtid, gtid: MariadbGtid): boolean {
  return logged.domain === gtid.domain && logged.server === gtid.server && logged.sequence >= gtid.sequence;
}

async function checkFile(options: PositionCheckOptions): Promise<void> {
  const { connection, facts, position } = options;
  const { serverIdentity, file, offset } = parseFilePosition(position.text);
  if (serverIdentity !== facts.identity)
    throw foreign(
      `the position is a place on the server ${serverIdentity}, and the source is ${facts.identity}`,
      undefined,
      { variable: 'server_uuid', value: facts.identity },
    );
  const files = await listBinlogFiles(connection);
  const found = files.find(({ name }) => name === file);
  if (found === undefined) throw missingFile(file, files);
  if (offset > found.bytes)
    throw foreign(
      `${file} has ${found.bytes} bytes at the source, and the position is ${offset}`,
      undefined,
      {
        variable: 'File_size',
        value: found.bytes,
      },
    );
}

/** Files are numbered: one below the oldest was deleted, any other never was. */
function missingFile(file: string, files: readonly BinlogFile[]): HoltError {
  const number = (name: string) => Number(/\.([0-9]+)$/.exec(name)?.[1] ?? Number.NaN);
  const [oldest, newest] = [files[0]?.name ?? '', files.at(-1)?.name ?? ''];
  const stem = (name: string) => name.slice(0, name.lastIndexOf('.'));
  const has = `the source has ${oldest} to ${newest}`;
  if (stem(file) === stem(oldest) && number(file) < number(oldest))
    return new HoltError('HOLT_SOURCE_POSITION_PURGED', `the source has deleted ${file}: ${has}`, {
      disposition: 'pause',
      facts: { file, oldest },
    });
  return foreign(`there is no ${file} at the source: ${has}`, undefined, { file, oldest, newest });
}

/** Asks again for a while as long as something is missing. */
async function patiently(
  options: PositionCheckOptions,
  signal: AbortSignal | undefined,
  missing: () => Promise<string | null>,
): Promise<string | null> {
  const clock = options.clock ?? systemClock;
  const end = clock.monotonicMs() + (options.graceMs ?? 10_000);
  for (;;) {
    const found = await missing();
    if (found === null || clock.monotonicMs() >= end) return found;
    await clock.sleep(200, signal);
  }
}

/** What ends most transactions: XID, with its 8 bytes, and the checksum. */
const XID_BYTES = 19 + 8;
const CHECKSUM_BYTES = 4;

/**
 * Compares the event that ends at `at` with the one read then. Its start follows from its length; where that is not known, most
 * are an XID; else the file is read from its beginning.
 */
async function checkLastEvent(
  options: PositionCheckOptions,
  at: BinlogCoordinates,
  expected: LastEvent,
  signal?: AbortSignal,
): Promise<void> {
  if (at.offset <= FIRST_OFFSET) return;
  const { endpoint, facts } = options;
  const files = await listBinlogFiles(options.connection);
  const size = files.find(({ name }) => name === at.file)?.bytes;
  // With GTIDs the file need not be there any more. A file that is there is the one we read, or the server was reset.
  if (size === undefined) return;
  if (size < at.offset)
    throw foreign(
      `${at.file} has ${size} bytes at the source, and we have read ${at.offset} of it`,
      undefined,
      {
        file: at.file,
        value: size,
      },
    );
  const length = expected.length ?? XID_BYTES + (expected.crc32 === null ? 0 : CHECKSUM_BYTES);
  const guess = await eventEndingAt(endpoint, at, at.offset - length, signal);
  if (guess !== null && isAs(guess, expected)) return;
  const found =
    expected.length === undefined ? await eventEndingAt(endpoint, at, FIRST_OFFSET, signal) : guess;
  if (found !== null && isAs(found, expected)) return;
  throw foreign(
    `the event before ${at.file}:${at.offset} ${found === null ? 'is not there' : `is of ${shown(lastEventOf(found))}`}, and the one we read was of ${shown(expected)}: ${facts.identity} was reset or rebuilt`,
    undefined,
    { file: at.file, offset: at.offset },
  );
}

/** Null where events do not meet at `at`, or where the server finds no event at `from`. */
async function eventEndingAt(
  endpoint: ServerEndpoint,
  at: BinlogCoordinates,
  from: number,
  signal?: AbortSignal,
): Promise<RawEvent | null> {
  if (from < FIRST_OFFSET) return null;
  try {
    for await (const event of scanLog({ endpoint, file: at.file, from }, signal)) {
      if (event.start === event.end) continue;
      if (event.file !== at.file || event.end > at.offset) return null;
      if (event.end === at.offset) return event;
    }
    return null;
  } catch (error) {
    // In the middle of an event, whatever its bytes look like: an error of the server, a checksum, a length.
    if (error instanceof HoltError && !OUTSIDE_CAUSES.has(error.code) && !signal?.aborted) return null;
    throw error;
  }
}

function lastEventOf(event: RawEvent): LastEvent {
  return { timestamp: event.header.timestamp, crc32: event.header.crc32, length: event.header.eventLength };
}

function isAs(event: RawEvent, expected: LastEvent): boolean {
  const found = lastEventOf(event);
  return (
    found.timestamp === expected.timestamp &&
    found.crc32 === expected.crc32 &&
    (expected.length === undefined || found.length === expected.length)
  );
}

function shown(event: LastEvent): string {
  const time = new Date(event.timestamp * 1_000).toISOString().slice(0, 19);
  return `${time}Z, CRC32 ${event.crc32 === null ? 'none' : event.crc32.toString(16).padStart(8, '0')}`;
}

function foreign(message: string, remedy?: string, about: Record<string, string | number> = {}): HoltError {
  return new HoltError('HOLT_SOURCE_POSITION_FOREIGN', message, {
    disposition: 'pause',
    facts: about,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
