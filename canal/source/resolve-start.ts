/**
 * From a configured start to the exact position before the first transaction. Used only where there is no checkpoint.
 *
 * Places in files become GTIDs where the source has them: the set before the file, which the file itself holds in its head, and each
 * transaction up to the place.
 */
import { HoltError } from '../../lib/errors.ts';
import type { StartConfig } from '../../model/config.ts';
import { GtidSet } from '../../model/gtid-set.ts';
import { MariadbPosition } from '../../model/mariadb-gtid.ts';
import {
  type BinlogCoordinates,
  filePosition,
  type LastEvent,
  type Position,
  type PositionText,
} from '../../model/position.ts';
import type { TransactionGtid } from '../../model/source-item.ts';
import { EventDecoder } from '../event/decoder.ts';
import { EVENT_CODE } from '../event/event-code.ts';
import type { ServerConnection, ServerEndpoint } from '../protocol/server-connection.ts';
import { currentPosition } from './current-position.ts';
import { FIRST_OFFSET } from './dump-session.ts';
import { isPreamble } from './open-dump.ts';
import { checkPosition } from './position-check.ts';
import { scanLog } from './scan-log.ts';
import { type BinlogFile, listBinlogFiles, type SourceFacts } from './source-facts.ts';
import { TransactionEnds } from './transaction-ends.ts';

export interface ResolveStartOptions {
  readonly endpoint: ServerEndpoint;
  readonly connection: ServerConnection;
  readonly facts: SourceFacts;
  readonly start: StartConfig;
}

/** @throws HOLT_SOURCE_START_INVALID, and what `checkPosition` throws for a GTID set */
export async function resolveStart(options: ResolveStartOptions, signal?: AbortSignal): Promise<Position> {
  const { start, connection, facts } = options;
  switch (start.kind) {
    case 'now':
      return await currentPosition(connection, facts);
    case 'earliest':
      return await earliest(options, signal);
    case 'gtid':
      return await fromGtid(options, start.set, signal);
    case 'file':
      return await fromFile(options, { file: start.file, offset: start.offset }, signal);
    case 'time':
      return await fromTime(options, start.iso, signal);
    default:
      return start satisfies never;
  }
}

async function earliest(options: ResolveStartOptions, signal?: AbortSignal): Promise<Position> {
  const { connection, facts } = options;
  const [oldest] = await listBinlogFiles(connection);
  if (oldest === undefined) throw invalid('the source has no binary logs');
  const history = await readHead(options, oldest.name, signal);
  // What is purged may be more than what the oldest file has before it, and the server wants us to have all of it.
  if (history.set !== null) {
    const { rows } = await connection.query('SELECT @@global.gtid_purged');
    history.set.addAll(GtidSet.parse(rows[0]?.[0]?.toString('latin1') ?? ''));
  }
  const at = { file: oldest.name, offset: FIRST_OFFSET };
  return { text: history.position(facts, at), at, lastEvent: null };
}

async function fromGtid(options: ResolveStartOptions, set: string, signal?: AbortSignal): Promise<Position> {
  const { facts } = options;
  if (!facts.gtids)
    throw invalid(`start.gtid is given, and gtid_mode of the source is ${facts.gtidMode ?? 'unknown'}`);
  const text =
    facts.flavour === 'mariadb' ? MariadbPosition.parse(set).toPosition() : GtidSet.parse(set).toPosition();
  const position: Position = { text, at: null, lastEvent: null };
  await checkPosition({ ...options, position, readFrom: null, graceMs: 0 }, signal);
  return position;
}

async function fromFile(
  options: ResolveStartOptions,
  wanted: BinlogCoordinates,
  signal?: AbortSignal,
): Promise<Position> {
  const files = await listBinlogFiles(options.connection);
  const found = files.find(({ name }) => name === wanted.file);
  if (found === undefined)
    throw invalid(
      `there is no ${wanted.file} at the source; it has ${files[0]?.name} to ${files.at(-1)?.name}`,
    );
  const place = `${wanted.file}:${wanted.offset}`;
  if (wanted.offset < FIRST_OFFSET || wanted.offset > found.bytes)
    throw invalid(`${place} is outside of the file, which has ${found.bytes} bytes`);
  const history = await readHead(options, wanted.file, signal);
  if (wanted.offset <= history.headEnd) {
    const at = { file: wanted.file, offset: FIRST_OFFSET };
    return { text: history.position(options.facts, at), at, lastEvent: null };
  }
  const ends = new TransactionEnds();
  let last: { readonly end: number; readonly lastEvent: LastEvent } | null = null;
  for await (const event of scanLog({ ...options, file: wanted.file, from: FIRST_OFFSET }, signal)) {
    if (event.file !== wanted.file || event.start >= wanted.offset) break;
    const isCut = event.end > wanted.offset;
    const end = isCut ? null : ends.push(event);
    if (end !== null) {
      history.add(end.gtid);
      last = { end: end.end.offset, lastEvent: end.lastEvent };
    }
    if (event.end < wanted.offset) continue;
    if (isCut || ends.isOpen)
      throw invalid(
        `${place} is in the middle of ${isCut ? 'an event' : 'a transaction'}; the transaction before it ends at ${last?.end ?? history.headEnd}`,
      );
    break;
  }
  return { text: history.position(options.facts, wanted), at: wanted, lastEvent: last?.lastEvent ?? null };
}

async function fromTime(options: ResolveStartOptions, iso: string, signal?: AbortSignal): Promise<Position> {
  const instantMs = Date.parse(iso);
  if (Number.isNaN(instantMs)) throw invalid(`${JSON.stringify(iso)} is no time`);
  const files = await listBinlogFiles(options.connection);
  let index = await lastFileBegunBy(options, files, instantMs, signal);
  for (;;) {
    const position = await lastEndBefore(options, files[index]?.name ?? '', instantMs, signal);
    // A file is dated by the session that filled the one before, and one that replays what is old (a replica's, or Holt's with a
    // schema change) dates it too early: it is the right one if something in it is from before the instant, or it is the oldest.
    if (index === 0 || (position.at?.offset ?? 0) > FIRST_OFFSET) return position;
    index -= 1;
  }
}

/** Behind the last transaction of a file and those that follow that was committed before the instant. */
async function lastEndBefore(
  options: ResolveStartOptions,
  file: string,
  instantMs: number,
  signal?: AbortSignal,
): Promise<Position> {
  const instantUs = instantMs * 1_000;
  const history = await readHead(options, file, signal);
  const ends = new TransactionEnds();
  const beginning = { file, offset: FIRST_OFFSET };
  let position: Position = {
    text: history.position(options.facts, beginning),
    at: beginning,
    lastEvent: null,
  };
  for await (const event of scanLog({ ...options, file, from: FIRST_OFFSET }, signal)) {
    const end = ends.push(event);
    if (end === null) continue;
    // Where the log has whole seconds, a transaction of the second asked for may be from after the instant.
    const bound = end.commitIsExact ? instantUs : Math.floor(instantMs / 1_000) * 1_000_000;
    if (end.commitUs >= bound) break;
    history.add(end.gtid);
    position = { text: history.position(options.facts, end.end), at: end.end, lastEvent: end.lastEvent };
  }
  return position;
}

/** Index of the newest file that was begun at or before the instant: what was committed at it or later is in this file or after it. */
async function lastFileBegunBy(
  options: ResolveStartOptions,
  files: readonly BinlogFile[],
  instantMs: number,
  signal?: AbortSignal,
): Promise<number> {
  const begunMs = async (index: number) =>
    (await readHead(options, files[index]?.name ?? '', signal)).begunAt * 1_000;
  let low = 0;
  let high = files.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    // In the very second of the instant the file may have been begun after it.
    if ((await begunMs(middle)) < Math.floor(instantMs / 1_000) * 1_000) low = middle;
    else high = middle - 1;
  }
  const oldest = files[0]?.name ?? '';
  if (low > 0 || isFirstEver(oldest)) return low;
  const beganMs = await begunMs(0);
  if (beganMs > instantMs)
    throw invalid(
      `the log of the source goes back to ${new Date(beganMs).toISOString()} (${oldest}), and start.time is ${new Date(instantMs).toISOString()}`,
      'choose a later time, or start: earliest',
    );
  return 0;
}

function isFirstEver(file: string): boolean {
  return /\.0*1$/.test(file);
}

/** What the source had done before a place in its log; grows while the log is read. */
class History {
  /** Seconds since 1970 at which the file was begun. */
  readonly begunAt: number;
  /** Where the head ends and transactions begin. */
  readonly headEnd: number;
  readonly set: GtidSet | null;
  readonly #mariadb: MariadbPosition | null;

  constructor(options: {
    readonly begunAt: number;
    readonly headEnd: number;
    readonly set: GtidSet | null;
    readonly mariadb: MariadbPosition | null;
  }) {
    this.begunAt = options.begunAt;
    this.headEnd = options.headEnd;
    this.set = options.set;
    this.#mariadb = options.mariadb;
  }

  add(gtid: TransactionGtid | null): void {
    if (gtid?.flavour === 'mysql') this.set?.add(gtid);
    else if (gtid?.flavour === 'mariadb') this.#mariadb?.advance(gtid);
  }

  position(facts: SourceFacts, at: BinlogCoordinates): PositionText {
    return this.set?.toPosition() ?? this.#mariadb?.toPosition() ?? filePosition(facts.identity, at);
  }
}

/** Reads FORMAT_DESCRIPTION and PREVIOUS_GTIDS or GTID_LIST of a file. */
async function readHead(options: ResolveStartOptions, file: string, signal?: AbortSignal): Promise<History> {
  const { facts } = options;
  const decoder = new EventDecoder();
  const set = facts.flavour === 'mysql' && facts.gtids ? new GtidSet() : null;
  const mariadb = facts.flavour === 'mariadb' ? new MariadbPosition() : null;
  let begunAt = 0;
  let headEnd = FIRST_OFFSET;
  for await (const event of scanLog({ ...options, file, from: FIRST_OFFSET }, signal)) {
    if (!isPreamble(event) || event.file !== file) break;
    headEnd = event.end;
    if (event.header.typeCode === EVENT_CODE.formatDescription) begunAt = event.header.timestamp;
    const decoded = decoder.decodeVerified(event.bytes, event.header);
    if (decoded.kind === 'previous-gtids') set?.addAll(GtidSet.parse(decoded.set));
    // Of several servers in a domain the last one to write comes last.
    if (decoded.kind === 'mariadb-gtid-list') for (const gtid of decoded.gtids) mariadb?.advance(gtid);
  }
  return new History({ begunAt, headEnd, set, mariadb });
}

function invalid(message: string, remedy?: string): HoltError {
  return new HoltError('HOLT_SOURCE_START_INVALID', message, {
    disposition: 'pause',
    ...(remedy === undefined ? {} : { remedy }),
  });
}
