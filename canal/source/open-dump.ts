import { createHash } from 'node:crypto';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { gtidSetOf } from '../../model/gtid-set.ts';
import { mariadbPositionOf } from '../../model/mariadb-gtid.ts';
import {
  type BinlogCoordinates,
  formOf,
  type PositionText,
  parseFilePosition,
} from '../../model/position.ts';
import { EVENT_CODE } from '../event/event-code.ts';
import { DUMP_FLAG, encodeBinlogDump } from '../protocol/com-binlog-dump.ts';
import { encodeBinlogDumpGtid } from '../protocol/com-binlog-dump-gtid.ts';
import type { PacketChannel } from '../protocol/packet-channel.ts';
import { ServerConnection, type ServerEndpoint } from '../protocol/server-connection.ts';
import { announceAbilities, eventLengthHint, FIRST_OFFSET, MAX_COMMAND_OFFSET } from './dump-session.ts';
import type { DumpStream, RawEvent } from './dump-stream.ts';
import { RawEventReader } from './raw-event-reader.ts';
import { listReplicas, REPLICA_HOST, strangerAmong } from './registered-replicas.ts';

export interface OpenDumpOptions {
  readonly endpoint: ServerEndpoint;
  /** Under which the server knows us; a dump kicks out another one of the same id. */
  readonly serverId: number;
  readonly start: PositionText;
  /** How often an idle source says that it is alive; default 1 s. */
  readonly heartbeatMs?: number;
  /** Before the first event the source may be looking for it in its files, and says nothing; default 120 s. */
  readonly startTimeoutMs?: number;
  /** Arrived and not yet taken, above which the source waits; default 4 MiB. An event larger than that passes alone. */
  readonly maxBufferedBytes?: number;
  /** Default 1 GiB and a little: the servers' own limit. */
  readonly maxEventBytes?: number;
  /** See `RawEventReaderOptions`. */
  readonly isPassing?: boolean;
  readonly clock?: Clock;
}

/** Silent for this many heartbeat periods, the link is dead. */
const SILENT_PERIODS = 3;
const TICKS_PER_PERIOD = 2;
const NET_WRITE_TIMEOUT_S = 86_400;

/**
 * Connects, registers and starts a dump; resolves when the command is sent. What the server has against the position
 * comes from `next`.
 *
 * @throws what `ServerConnection` throws
 */
export async function openDump(options: OpenDumpOptions, signal: AbortSignal): Promise<DumpStream> {
  const connection = await ServerConnection.connect(
    {
      endpoint: options.endpoint,
      purpose: 'binlog dump',
      maxBufferedBytes: options.maxBufferedBytes ?? 4 * 1024 * 1024,
      ...(options.maxEventBytes === undefined ? {} : { maxPayloadBytes: options.maxEventBytes + 1 }),
      lengthHint: eventLengthHint,
      isBulk: true,
    },
    signal,
  );
  try {
    return await start(connection, options);
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Stable and of our own, so that a newer dump of ours, also from another node, replaces the older and no stranger's. */
function replicaUuid(serverId: number): string {
  const hex = createHash('sha256').update(`holt replica ${serverId}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** Session settings have an old and a new name each; a server does not mind user variables that it does not know. */
async function start(connection: ServerConnection, options: OpenDumpOptions): Promise<DumpStream> {
  const heartbeatMs = options.heartbeatMs ?? 1_000;
  const heartbeatNs = Math.round(heartbeatMs * 1_000_000);
  const uuid = replicaUuid(options.serverId);
  // A source that waits for us, perhaps for hours, must not take us for dead: it would only have to send all again.
  await connection.query(`SET SESSION net_write_timeout = ${NET_WRITE_TIMEOUT_S}`);
  await connection.query(
    `SET @master_heartbeat_period = ${heartbeatNs}, @source_heartbeat_period = ${heartbeatNs}, @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`,
  );
  const checksum = await announceAbilities(connection);
  const form = formOf(options.start);
  if (form === 'mariadb') await announceGtids(connection, options.start);
  const stranger = strangerAmong(await listReplicas(connection), options.serverId);
  // Registered in its name, it may be gone already: the server notices late.
  if (stranger !== undefined)
    throw new HoltError(
      'HOLT_SOURCE_SERVER_ID',
      `another replica (host ${JSON.stringify(stranger.host)}) follows the source as server_id ${options.serverId}`,
      { disposition: 'retry', facts: { variable: 'server_id', value: options.serverId } },
    );
  await connection.registerReplica({ serverId: options.serverId, host: REPLICA_HOST });
  const { command, skipTo } = dumpCommand(options, connection.handshake.flavour);
  const channel = connection.startDump(command);
  const reader = new RawEventReader(channel, {
    checksum,
    contiguous: form === 'file' && connection.handshake.flavour === 'mysql',
    skipTo,
    ...(options.isPassing === undefined ? {} : { isPassing: options.isPassing }),
  });
  return new BinlogDump({
    channel,
    reader,
    heartbeatMs,
    startTimeoutMs: options.startTimeoutMs ?? 120_000,
    peer: `${options.endpoint.host}:${options.endpoint.port}`,
    clock: options.clock ?? systemClock,
  });
}

/**
 * Strict mode makes the server refuse a GTID that it has not, even where it has later ones: such a position is of another history.
 * Source: https://mariadb.com/kb/en/5-slave-registration/.
 */
async function announceGtids(connection: ServerConnection, start: PositionText): Promise<void> {
  const state = mariadbPositionOf(start).toString();
  await connection.query(
    `SET @slave_connect_state = '${state}', @slave_gtid_strict_mode = 1, @slave_gtid_ignore_duplicates = 0`,
  );
}

/** MariaDB is not asked for ANNOTATE_ROWS: nobody reads them, and they are a good part of a log of small transactions. */
function dumpCommand(
  options: OpenDumpOptions,
  flavour: 'mysql' | 'mariadb',
): {
  readonly command: Buffer;
  readonly skipTo: BinlogCoordinates | null;
} {
  const { serverId, start } = options;
  const form = formOf(start);
  switch (form) {
    case 'mysql':
      return {
        command: encodeBinlogDumpGtid({
          serverId,
          flags: DUMP_FLAG.heartbeatV2,
          executed: gtidSetOf(start).encode(),
        }),
        skipTo: null,
      };
    case 'mariadb':
      return {
        command: encodeBinlogDump({
          serverId,
          flags: 0,
          file: '',
          offset: FIRST_OFFSET,
        }),
        skipTo: null,
      };
    case 'file': {
      const { file, offset } = parseFilePosition(start);
      // Beyond 4 GiB the command has no room for the place: begin with the file, and pass over what is before.
      const beyond = offset > MAX_COMMAND_OFFSET;
      return {
        command: encodeBinlogDump({
          serverId,
          flags: flavour === 'mysql' ? DUMP_FLAG.heartbeatV2 : 0,
          file,
          offset: beyond ? FIRST_OFFSET : offset,
        }),
        skipTo: beyond ? { file, offset } : null,
      };
    }
    default:
      return form satisfies never;
  }
}

interface BinlogDumpOptions {
  readonly channel: PacketChannel;
  readonly reader: RawEventReader;
  readonly heartbeatMs: number;
  readonly startTimeoutMs: number;
  readonly peer: string;
  readonly clock: Clock;
}

/** Event kinds that come at once, before the server has found the place. */
const PREAMBLE: ReadonlySet<number> = new Set([
  EVENT_CODE.rotate,
  EVENT_CODE.formatDescription,
  EVENT_CODE.previousGtids,
  EVENT_CODE.mariadbGtidList,
  EVENT_CODE.mariadbStartEncryption,
  EVENT_CODE.mariadbBinlogCheckpoint,
]);

/** True for what a new connection begins with, whether or not the server goes on with what was asked for. */
export function isPreamble(event: RawEvent): boolean {
  return PREAMBLE.has(event.header.typeCode);
}

class BinlogDump implements DumpStream {
  readonly #channel: PacketChannel;
  readonly #reader: RawEventReader;
  readonly #peer: string;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  readonly #startDeadlineMs: number;
  readonly #ticker: NodeJS.Timeout;
  /** The server has begun to send what we asked for, or said that it waits for it. */
  #started = false;
  #silentTicks = 0;
  #receivedBefore = 0;

  constructor(options: BinlogDumpOptions) {
    this.#channel = options.channel;
    this.#reader = options.reader;
    this.#peer = options.peer;
    this.#clock = options.clock;
    this.#heartbeatMs = options.heartbeatMs;
    this.#startDeadlineMs = this.#clock.monotonicMs() + options.startTimeoutMs;
    this.#ticker = setInterval(() => this.#tick(), options.heartbeatMs / TICKS_PER_PERIOD);
  }

  get at(): BinlogCoordinates | null {
    return this.#reader.at;
  }

  get receivedBytes(): number {
    return this.#channel.receivedBytes;
  }

  get bufferedBytes(): number {
    return this.#channel.bufferedBytes;
  }

  get lastHeardMs(): number {
    return this.#channel.lastHeardMs;
  }

  next(): RawEvent | null {
    try {
      const event = this.#reader.next();
      if (event !== null) {
        if (!this.#started && !isPreamble(event)) this.#started = true;
        return event;
      }
    } catch (error) {
      this.#end();
      throw error;
    }
    if (this.#reader.isEnded) {
      this.#end();
      throw new HoltError('HOLT_SOURCE_LINK_LOST', `the source ${this.#peer} ended the dump`, {
        disposition: 'retry',
        facts: { peer: this.#peer },
      });
    }
    return null;
  }

  fill(signal: AbortSignal): Promise<void> {
    return this.#reader.fill(signal);
  }

  close(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }

  #end(): void {
    clearInterval(this.#ticker);
    // A dump is not ended by a command; the server notices the closed socket with its next heartbeat.
    this.#channel.destroy();
  }

  /**
   * Counts turns of the event loop in which someone waited and nothing came, rather than comparing clocks: after this process
   * itself was busy or frozen, what has arrived meanwhile is read before the next turn.
   */
  #tick(): void {
    const received = this.#channel.receivedBytes;
    const isSilent = this.#channel.isStarved && received === this.#receivedBefore;
    this.#receivedBefore = received;
    this.#silentTicks = isSilent ? this.#silentTicks + 1 : 0;
    const limit = SILENT_PERIODS * TICKS_PER_PERIOD;
    if (this.#silentTicks < limit) return;
    if (!this.#started && this.#clock.monotonicMs() < this.#startDeadlineMs) return;
    clearInterval(this.#ticker);
    this.#channel.destroy(
      new HoltError(
        'HOLT_SOURCE_SILENT',
        `the source ${this.#peer} sent nothing for ${SILENT_PERIODS} heartbeat periods of ${this.#heartbeatMs} ms`,
        { disposition: 'retry', facts: { peer: this.#peer, heartbeatMs: this.#heartbeatMs } },
      ),
    );
  }
}
