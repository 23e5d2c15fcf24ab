import { HoltError } from '../../lib/errors.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import { ByteReader } from '../event/byte-reader.ts';
import type { EventHeader } from '../event/event.ts';
import { EVENT_CODE, eventName } from '../event/event-code.ts';
import { CHECKSUM_BYTES, EVENT_FLAG, HEADER_BYTES, verifyChecksum } from '../event/header.ts';
import { decodeRotate } from '../event/rotate.ts';

import type { PacketChannel } from '../protocol/packet-channel.ts';
import { PacketRun } from '../protocol/packet-run.ts';
import { protocolError } from '../protocol/protocol.ts';
import { decodeErr, isEof, isErr } from '../protocol/reply.ts';
import { dumpError } from './dump-error.ts';
import type { RawEvent } from './dump-stream.ts';
import { LogEvent } from './log-event.ts';
import { endOfSummed } from './summed-run.ts';

/** Where payloads come from: a `PacketChannel`. */
export type PayloadSource = Pick<
  PacketChannel,
  'takeRun' | 'advance' | 'memory' | 'payloadStart' | 'payloadEnd' | 'fill'
>;

export interface RawEventReaderOptions {
  /** What the server thinks we understand: holds until the first FORMAT_DESCRIPTION says what is. */
  readonly checksum: 'none' | 'crc32';
  /**
   * Every event must begin where the one before ended. So it is in a dump by file from MySQL; by GTID the server leaves
   * out what we have, and MariaDB leaves out some of its own kinds.
   */
  readonly contiguous: boolean;
  /** Events of `file` that end at or before `offset` are passed over: for places that the dump command cannot name. */
  readonly skipTo?: BinlogCoordinates | null;
  /** Every event is given out in the same object, which holds until the next one is asked for: for who is done with it by then. */
  readonly isPassing?: boolean;
}

const WRAP = 2 ** 32;
/** What a packet with an event begins with. */
const EVENT_STATUS = 0;
/** Where the type stands in the common header. */
const TYPE_OFFSET = 4;
/** Where the FORMAT_DESCRIPTION event names the checksum algorithm: the byte before the trailer, which this event always has. */
const ALGORITHM_FROM_END = 1 + CHECKSUM_BYTES;
const CRC32 = 1;

/**
 * Raw events out of the packets of a dump: `00 · event`, until `ff` (an error) or `fe` (the end of the log).
 *
 * Verifies checksums and keeps the 64-bit offset: the header's is cut to 32 bits, but events follow each other, so the
 * true end is the first place at or after `offset so far + length` that agrees with the header's in its lower 32 bits.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_replication.html.
 */
export class RawEventReader {
  readonly #channel: PayloadSource;
  readonly #contiguous: boolean;
  readonly #skipTo: BinlogCoordinates | null;
  readonly #isPassing: boolean;
  #passing: LogEvent | null = null;
  #checksum: 'none' | 'crc32';
  #file: string | null = null;
  #offset = 0;
  #ended = false;
  /** Packets that came together, those before `#runAt` handed out, and those before `#summedTo` found right together. */
  readonly #run = new PacketRun();
  #runAt = 0;
  #summedTo = 0;

  constructor(channel: PayloadSource, options: RawEventReaderOptions) {
    this.#channel = channel;
    this.#checksum = options.checksum;
    this.#contiguous = options.contiguous;
    this.#skipTo = options.skipTo ?? null;
    this.#isPassing = options.isPassing ?? false;
  }

  /** Null until the server has named its first file. */
  get at(): BinlogCoordinates | null {
    return this.#file === null ? null : { file: this.#file, offset: this.#offset };
  }

  /** The server has said that its log ends here. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** The next event that has arrived whole, else null. */
  next(): RawEvent | null {
    while (!this.#ended) {
      const event = this.#runAt < this.#run.count || this.#nextRun() ? this.#ofRun() : this.#single();
      if (event === null || this.#skipTo === null || !this.#isSkipped(event)) return event;
    }
    return null;
  }

  /** Waits for more; see `PacketChannel.fill`. */
  fill(signal?: AbortSignal): Promise<void> {
    return this.#ended ? Promise.resolve() : this.#channel.fill(signal);
  }

  /** All events that can be found at once. */
  #nextRun(): boolean {
    this.#runAt = 0;
    this.#summedTo = 0;
    return this.#channel.takeRun(this.#run, EVENT_STATUS) > 0;
  }

  #ofRun(): LogEvent {
    const run = this.#run;
    const index = this.#runAt;
    this.#runAt = index + 1;
    const start = (run.starts[index] as number) + 1;
    return this.#read(run.memory, start, run.ends[index] as number, index);
  }

  /** The next packet, where it is no event, or one that spans packets or memories. */
  #single(): LogEvent | null {
    const channel = this.#channel;
    if (!channel.advance()) return null;
    const { memory, payloadStart: start, payloadEnd: end } = channel;
    if (start < end && memory[start] === EVENT_STATUS) return this.#read(memory, start + 1, end, -1);
    const payload = memory.subarray(start, end);
    if (isErr(payload)) throw dumpError(decodeErr(payload), this.at);
    if (!isEof(payload)) throw protocolError(`a dump packet begins with ${payload[0]}`);
    this.#ended = true;
    return null;
  }

  /** `index`: its place in the run; -1 for one outside. */
  #read(memory: Buffer, start: number, end: number, index: number): LogEvent {
    try {
      if (memory[start + TYPE_OFFSET] === EVENT_CODE.formatDescription && end - start > TYPE_OFFSET)
        this.#checksum = checksumOf(memory.subarray(start, end));
      const isSummed = this.#checksum === 'crc32';
      if (isSummed && (index < 0 || index >= this.#summedTo)) this.#verify(memory, start, end, index);
      const event = this.#event(memory, start, end, isSummed);
      return event.typeCode === EVENT_CODE.rotate ? this.#rotate(event) : this.#place(event);
    } catch (error) {
      if (!(error instanceof HoltError)) throw error;
      // A damaged packet may come whole the next time; where the log itself is damaged, the owner sees it repeat.
      const place = this.#file === null ? '' : ` after ${this.#file}:${this.#offset}`;
      throw new HoltError(error.code, `${error.message}${place}`, {
        disposition: 'retry',
        facts: { ...error.facts, file: this.#file, offset: this.#offset },
        cause: error,
      });
    }
  }

  #event(memory: Buffer, start: number, end: number, isSummed: boolean): LogEvent {
    if (this.#passing !== null) return this.#passing.over(memory, start, end, isSummed);
    const event = new LogEvent(memory, start, end, isSummed);
    if (this.#isPassing) this.#passing = event;
    return event;
  }

  /** Verifies the checksum: with those of the events that came along where that is possible, else by itself. */
  #verify(memory: Buffer, start: number, end: number, index: number): void {
    const to = index < 0 ? index : endOfSummed(this.#run, index);
    if (to > index) this.#summedTo = to;
    else verifyChecksum(memory, start, end);
  }

  #place(event: LogEvent): LogEvent {
    const file = this.#file;
    if (file === null)
      throw protocolError(
        `the dump begins with ${eventName(event.typeCode) ?? event.typeCode}, not with ROTATE`,
      );
    if (!this.#takesPlace(event)) {
      this.#follow(event);
      return event.placed(file, this.#offset, this.#offset);
    }
    const end = this.#endOf(event);
    this.#offset = end;
    return event.placed(file, end - event.eventLength, end);
  }

  /** Names the next file where it stands in the log, the present one where it is made up. */
  #rotate(event: LogEvent): LogEvent {
    const end = event.isSummed ? event.to - CHECKSUM_BYTES : event.to;
    const rotate = decodeRotate(
      new ByteReader(event.memory, 'rotate', event.from + HEADER_BYTES, end),
      event,
    );
    const from = this.#file;
    const isReal = from !== null && this.#takesPlace(event);
    const at = isReal ? this.#endOf(event) : rotate.offset;
    this.#file = rotate.file;
    this.#offset = rotate.offset;
    return isReal
      ? event.placed(from, at - event.eventLength, at)
      : event.placed(rotate.file, rotate.offset, rotate.offset);
  }

  #takesPlace(header: EventHeader): boolean {
    if ((header.flags & EVENT_FLAG.artificial) !== 0) return false;
    switch (header.typeCode) {
      case EVENT_CODE.heartbeat:
      case EVENT_CODE.heartbeatV2:
        return false;
      default:
        // 0 is what made-up events say, and also what one says that ends at a multiple of 4 GiB.
        return header.logPos !== 0 || (this.#offset + header.eventLength) % WRAP === 0;
    }
  }

  /** Heartbeats, and MariaDB's made-up GTID list, name a place: how far the server has sent, or passed over what we have. */
  #follow(header: EventHeader): void {
    if (header.logPos === 0 || header.typeCode === EVENT_CODE.formatDescription) return;
    const gap = (((header.logPos - this.#offset) % WRAP) + WRAP) % WRAP;
    if (gap === 0) return;
    if (this.#contiguous)
      throw protocolError(
        `the source has sent up to ${header.logPos}, and ${this.#offset % WRAP} has come: events are missing`,
      );
    if (gap < WRAP / 2) this.#offset += gap;
  }

  #endOf(header: EventHeader): number {
    const least = this.#offset + header.eventLength;
    const gap = header.logPos === least ? 0 : (((header.logPos - least) % WRAP) + WRAP) % WRAP;
    if (gap !== 0 && this.#contiguous)
      throw protocolError(
        `${eventName(header.typeCode) ?? header.typeCode} should end at ${least % WRAP} and says ${header.logPos}: events are missing`,
      );
    const end = least + gap;
    if (!Number.isSafeInteger(end)) throw protocolError(`an event ends at offset ${end}`);
    return end;
  }

  #isSkipped(event: RawEvent): boolean {
    const until = this.#skipTo;
    if (until === null || event.start === event.end) return false;
    if (event.header.typeCode === EVENT_CODE.formatDescription) return false;
    return event.file === until.file && event.end <= until.offset;
  }
}

/** @throws HOLT_EVENT_CORRUPT */
function checksumOf(formatDescription: Buffer): 'none' | 'crc32' {
  const algorithm =
    formatDescription.length > HEADER_BYTES + ALGORITHM_FROM_END
      ? formatDescription[formatDescription.length - ALGORITHM_FROM_END]
      : undefined;
  if (algorithm === CRC32) return 'crc32';
  if (algorithm === 0) return 'none';
  throw new HoltError(
    'HOLT_EVENT_CORRUPT',
    `a FORMAT_DESCRIPTION event names the unknown checksum algorithm ${algorithm}`,
    { disposition: 'retry' },
  );
}
