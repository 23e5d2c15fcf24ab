import { DeadlineError, withDeadline } from '../../lib/abort.ts';
import { HoltError } from '../../lib/errors.ts';
import { DUMP_FLAG, encodeBinlogDump } from '../protocol/com-binlog-dump.ts';
import { ServerConnection, type ServerEndpoint } from '../protocol/server-connection.ts';
import { announceAbilities, eventLengthHint, MAX_COMMAND_OFFSET } from './dump-session.ts';
import type { RawEvent } from './dump-stream.ts';
import { RawEventReader } from './raw-event-reader.ts';

export interface ScanOptions {
  readonly endpoint: ServerEndpoint;
  readonly file: string;
  /** An event's first byte; 4 is the file's first event. */
  readonly from: number;
}

const AS_NO_REPLICA = 0;
/** No heartbeats come on a scan: it never waits for anything but the disk of the server. */
const SILENCE_MS = 60_000;

/**
 * Reads a source's log from a place to its present end, event by event, on a connection of its own; goes on through the files
 * that follow. As replica 0 it is like the mysqlbinlog program: it throws nobody out and does not wait for more.
 *
 * Ends when the log does or when the consumer stops iterating.
 *
 * @throws what `ServerConnection` and `RawEventReader` throw; a place where no event begins gives an error or events that make no sense
 */
export async function* scanLog(
  options: ScanOptions,
  signal?: AbortSignal,
): AsyncGenerator<RawEvent, void, void> {
  for await (const arrived of scanArrivals(options, signal))
    for (let event = arrived.next(); event !== null; event = arrived.next()) yield event;
}

/** Gives what events are taken from, whenever some have arrived: for who looks at millions, each of which would be a promise in `scanLog`. */
export async function* scanArrivals(
  options: ScanOptions,
  signal?: AbortSignal,
): AsyncGenerator<Pick<RawEventReader, 'next'>, void, void> {
  const connection = await ServerConnection.connect(
    {
      endpoint: options.endpoint,
      purpose: 'binlog scan',
      maxBufferedBytes: 4 * 1024 * 1024,
      lengthHint: eventLengthHint,
      isBulk: true,
    },
    signal,
  );
  try {
    const checksum = await announceAbilities(connection);
    const channel = connection.startDump(
      encodeBinlogDump({
        serverId: AS_NO_REPLICA,
        flags: DUMP_FLAG.nonBlocking | DUMP_FLAG.annotateRows,
        file: options.file,
        offset: Math.min(options.from, MAX_COMMAND_OFFSET),
      }),
    );
    const reader = new RawEventReader(channel, { checksum, contiguous: false });
    for (;;) {
      yield reader;
      if (reader.isEnded) return;
      await fillWithin(reader, signal);
    }
  } finally {
    connection.destroy();
  }
}

async function fillWithin(reader: RawEventReader, signal?: AbortSignal): Promise<void> {
  try {
    await withDeadline(reader.fill(signal), SILENCE_MS, 'the source');
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw new HoltError('HOLT_SOURCE_SILENT', error.message, { disposition: 'retry', cause: error });
  }
}
