import type { EventHeader } from '../event/event.ts';
import type { RawEvent } from './dump-stream.ts';

/** An event as it lies among others in what came from the network: a view of its bytes is made only for who asks. */
export class LogEvent implements RawEvent {
  readonly kind = 'event';
  readonly header: EventHeader;
  readonly memory: Buffer;
  readonly from: number;
  readonly to: number;
  readonly file: string;
  readonly start: number;
  readonly end: number;

  constructor(
    header: EventHeader,
    memory: Buffer,
    from: number,
    to: number,
    file: string,
    start: number,
    end: number,
  ) {
    this.header = header;
    this.memory = memory;
    this.from = from;
    this.to = to;
    this.file = file;
    this.start = start;
    this.end = end;
  }

  get bytes(): Buffer {
    return this.memory.subarray(this.from, this.to);
  }
}
