import type { EventHeader } from '../event/event.ts';
import { CHECKSUM_BYTES, checkEventLength, readChecksum } from '../event/header.ts';
import type { RawEvent } from './dump-stream.ts';

/**
 * An event as it lies among others in what came from the network, and its own header: what the bytes say is read when asked for. Several of
 * these go with every row, so that each field and object counts.
 */
export class LogEvent implements RawEvent, EventHeader {
  memory: Buffer;
  from: number;
  to: number;
  #isSummed: boolean;
  file: string;
  start = 0;
  end = 0;

  /**
   * `isSummed`: it ends in a checksum, which has been verified.
   * @throws HOLT_EVENT_CORRUPT when it is shorter than a header or its length field says otherwise.
   */
  constructor(memory: Buffer, from: number, to: number, isSummed: boolean, file = '') {
    checkEventLength(memory, from, to);
    this.memory = memory;
    this.from = from;
    this.to = to;
    this.#isSummed = isSummed && to - from >= CHECKSUM_BYTES;
    this.file = file;
  }

  /** Becomes another event; see the constructor. */
  over(memory: Buffer, from: number, to: number, isSummed: boolean): this {
    checkEventLength(memory, from, to);
    this.memory = memory;
    this.from = from;
    this.to = to;
    this.#isSummed = isSummed && to - from >= CHECKSUM_BYTES;
    return this;
  }

  /** Says where it stands. */
  placed(file: string, start: number, end: number): this {
    this.file = file;
    this.start = start;
    this.end = end;
    return this;
  }

  get kind(): 'event' {
    return 'event';
  }

  get header(): EventHeader {
    return this;
  }

  get bytes(): Buffer {
    return this.memory.subarray(this.from, this.to);
  }

  get timestamp(): number {
    return this.#u32(0);
  }

  get typeCode(): number {
    return this.memory[this.from + 4] as number;
  }

  get serverId(): number {
    return this.#u32(5);
  }

  get eventLength(): number {
    return this.to - this.from;
  }

  get logPos(): number {
    return this.#u32(13);
  }

  get flags(): number {
    return (this.memory[this.from + 17] as number) | ((this.memory[this.from + 18] as number) << 8);
  }

  get crc32(): number | null {
    return this.#isSummed ? readChecksum(this.memory, this.to) : null;
  }

  get isSummed(): boolean {
    return this.#isSummed;
  }

  #u32(offset: number): number {
    const { memory } = this;
    const at = this.from + offset;
    return (
      ((memory[at] as number) |
        ((memory[at + 1] as number) << 8) |
        ((memory[at + 2] as number) << 16) |
        ((memory[at + 3] as number) << 24)) >>>
      0
    );
  }
}
