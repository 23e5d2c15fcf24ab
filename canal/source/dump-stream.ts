/**
 * The contract of a dump: what a source sends to a replica, as raw events with exact coordinates.
 *
 * Pull-based, made for hundreds of MB/s: `next` is synchronous and hands out events one by one from what has already
 * arrived; `fill` waits until there is more. Nothing is read from the socket while nobody asks: what is buffered
 * is bounded in bytes, and beyond that the source waits (G6).
 *
 *     for (;;) {
 *       for (let item = feed.next(); item !== null; item = feed.next()) consume(item);
 *       await feed.fill(signal);
 *     }
 *
 * `openDump` (`open-dump.ts`) gives one connection's events and fails when it ends; `ReconnectingDump`
 * (`reconnecting-dump.ts`) goes on over a new connection. Both speak `EventFeed`, and so do tests' scripted feeds.
 */
import type { BinlogCoordinates } from '../../model/position.ts';
import type { EventHeader } from '../event/event.ts';

export interface RawEvent {
  readonly kind: 'event';
  /** With the CRC32 as found; it has been verified. */
  readonly header: EventHeader;
  /**
   * What the whole event, with header and checksum, lies in, from `from` to `to`: for `EventDecoder.decodeVerified`. It is far larger:
   * who keeps a few bytes for long, copies them.
   */
  readonly memory: Buffer;
  readonly from: number;
  readonly to: number;
  /** The same as a view, made when asked for. */
  readonly bytes: Buffer;
  /** The file the event is in; for an artificial ROTATE the file it announces. */
  readonly file: string;
  /** First byte of the event in `file`. Artificial events (ROTATE and FORMAT_DESCRIPTION at connect, heartbeats) take no place: start = end. */
  readonly start: number;
  /** First byte after it: 64 bits, where the header's `logPos` wraps at 4 GiB. */
  readonly end: number;
}

/**
 * The connection was replaced. What came since the last transaction boundary comes again, from its first event: drop
 * what is unfinished. Given once for each new connection, before its first event.
 */
export interface Interruption {
  readonly kind: 'interrupted';
  readonly reason: string;
}

export type FeedItem = RawEvent | Interruption;

export interface EventFeed<T extends FeedItem = FeedItem> {
  /** The next item, or null when nothing whole has arrived: then `fill`. Never waits. Throws once what ended the feed when all before it is handed out. */
  next(): T | null;
  /**
   * Resolves when `next` has something to say (an item, or the error that ended the feed). Rejects with the signal's
   * reason when it aborts: nothing is lost by that, the feed can be used further.
   */
  fill(signal: AbortSignal): Promise<void>;
  /** Ends the dump; the source's own thread for it ends too. */
  close(): Promise<void>;
}

/** One connection's events. Ends with a HoltError: `retry` for links and server restarts, `pause` for what repeats. */
export interface DumpStream extends EventFeed<RawEvent> {
  /** File and offset after the last event handed out. Null until the source has said which file it begins with. */
  readonly at: BinlogCoordinates | null;
  /** Bytes received on this connection. */
  readonly receivedBytes: number;
  /** Bytes that have arrived and wait for `next`. */
  readonly bufferedBytes: number;
  /** `Clock.monotonicMs` of the last byte from the source. */
  readonly lastHeardMs: number;
}
