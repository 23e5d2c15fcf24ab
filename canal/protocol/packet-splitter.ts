import { HoltError } from '../../lib/errors.ts';
import type { PacketRun } from './packet-run.ts';
import { FULL_PACKET_BYTES, protocolError } from './protocol.ts';

export interface PacketSplitterOptions {
  /** Largest payload taken. */
  readonly maxPayloadBytes: number;
  /**
   * The length of a payload that spans packets, told by its first 16 MiB - 1 bytes; null where it does not tell.
   * With it the whole is allocated once, and one above the cap is refused before it is received.
   */
  readonly lengthHint?: (head: Buffer) => number | null;
}

const HEADER_BYTES = 4;
const ERROR_REPLY = 0xff;

const NOTHING = Buffer.alloc(0);

interface Piece {
  readonly memory: Buffer;
  readonly start: number;
  end: number;
}

/**
 * Takes what a socket gives, in pieces of any size, and hands out whole payloads.
 *
 * A payload within one piece lies there, without a copy or another object; one that spans pieces is
 * copied once into a buffer of its own. Source of the layout: see `packet-writer.ts`.
 */
export class PacketSplitter {
  readonly #maxPayloadBytes: number;
  readonly #lengthHint: ((head: Buffer) => number | null) | undefined;
  /** Pieces not yet begun, in order. */
  readonly #waiting: Piece[] = [];
  /** What the piece being read lies in, how far it is read, and where it ends. */
  #piece: Buffer = NOTHING;
  #offset = 0;
  #pieceEnd = 0;
  #bufferedBytes = 0;
  /** A packet's header that was cut between two pieces. */
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFill = 0;
  /** The payload being put together; empty when none is. */
  #whole: Buffer | null = null;
  #wholeFill = 0;
  /** Bytes of the present packet still to come; -1 when a header comes next. */
  #packetLeft = -1;
  #packetIsLast = false;
  #outOfOrder = false;

  /** What the payload that `advance` found lies in, from `start` to `end`: valid until the next call. */
  memory: Buffer = NOTHING;
  start = 0;
  end = 0;

  /** The sequence number that the next packet, of whichever side, has to have. */
  nextSequence = 0;

  constructor(options: PacketSplitterOptions) {
    this.#maxPayloadBytes = options.maxPayloadBytes;
    this.#lengthHint = options.lengthHint;
  }

  /** Bytes that came and are neither handed out nor in the payload being put together. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Takes what came, which lies in `memory` from `start` to `end`. It may go on where what came before ends. */
  push(memory: Buffer, start = 0, end = memory.length): void {
    if (start === end) return;
    this.#bufferedBytes += end - start;
    const last = this.#waiting.at(-1);
    if (last !== undefined) {
      if (last.memory === memory && last.end === start) last.end = end;
      else this.#waiting.push({ memory, start, end });
    } else if (this.#piece === memory && this.#pieceEnd === start) this.#pieceEnd = end;
    else if (this.#offset === this.#pieceEnd) this.#begin(memory, start, end);
    else this.#waiting.push({ memory, start, end });
  }

  /** The next whole payload, or null when more bytes are needed. */
  next(): Buffer | null {
    return this.advance() ? this.memory.subarray(this.start, this.end) : null;
  }

  /** Finds the next whole payload, without a view of it; false when more bytes are needed. */
  advance(): boolean {
    for (;;) {
      if (this.#packetLeft < 0) {
        if (!this.#readHeader()) return false;
        if (this.#whole === null && this.#packetIsLast) {
          const piece = this.#piece;
          const start = this.#offset;
          const end = start + this.#packetLeft;
          if (end <= this.#pieceEnd) {
            this.#consume(this.#packetLeft);
            this.#finish(piece, start, end);
            return true;
          }
        }
        this.#makeRoom(this.#packetLeft);
      }
      const whole = this.#whole ?? NOTHING;
      while (this.#packetLeft > 0) {
        const length = Math.min(this.#packetLeft, this.#pieceEnd - this.#offset);
        if (length === 0) return false;
        this.#piece.copy(whole, this.#wholeFill, this.#offset, this.#offset + length);
        this.#wholeFill += length;
        this.#packetLeft -= length;
        this.#consume(length);
      }
      if (this.#packetIsLast) {
        this.#finish(whole, 0, this.#wholeFill);
        return true;
      }
      this.#packetLeft = -1;
    }
  }

  /**
   * Finds as many payloads at once as lie whole in one memory, one packet each and in order, begin with the byte `first` and find room in
   * `run`. 0 where the next one does not: `advance` says what it is.
   */
  takeRun(run: PacketRun, first: number): number {
    run.begin(this.#piece);
    if (this.#packetLeft >= 0 || this.#whole !== null || this.#headerFill > 0) return 0;
    const memory = this.#piece;
    const pieceEnd = this.#pieceEnd;
    const { starts, ends } = run;
    const most = Math.min(FULL_PACKET_BYTES - 1, this.#maxPayloadBytes);
    let at = this.#offset;
    let sequence = this.nextSequence;
    let count = 0;
    for (; count < starts.length; count++) {
      const start = at + HEADER_BYTES;
      if (start >= pieceEnd || memory[start] !== first || memory[at + 3] !== sequence) break;
      const length =
        (memory[at] as number) | ((memory[at + 1] as number) << 8) | ((memory[at + 2] as number) << 16);
      const end = start + length;
      if (end > pieceEnd || length === 0 || length > most) break;
      starts[count] = start;
      ends[count] = end;
      at = end;
      sequence = (sequence + 1) & 0xff;
    }
    if (count === 0) return 0;
    run.count = count;
    this.nextSequence = sequence;
    this.#consume(at - this.#offset);
    return count;
  }

  /** True in the middle of a payload: an end of the stream here cuts it off. */
  get isMidPayload(): boolean {
    return this.#headerFill > 0 || this.#packetLeft >= 0 || this.#whole !== null;
  }

  #finish(memory: Buffer, start: number, end: number): void {
    // Servers send some errors (shutdown, kill, idle timeout) out of turn; anything else out of order is a damaged stream.
    if (this.#outOfOrder && (start === end || memory[start] !== ERROR_REPLY))
      throw protocolError('a packet came out of order');
    this.#packetLeft = -1;
    this.#whole = null;
    this.#wholeFill = 0;
    this.#outOfOrder = false;
    this.memory = memory;
    this.start = start;
    this.end = end;
  }

  #begin(memory: Buffer, start: number, end: number): void {
    this.#piece = memory;
    this.#offset = start;
    this.#pieceEnd = end;
  }

  #consume(length: number): void {
    this.#offset += length;
    this.#bufferedBytes -= length;
    if (this.#offset < this.#pieceEnd) return;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#begin(next.memory, next.start, next.end);
  }

  #readHeader(): boolean {
    const piece = this.#piece;
    const offset = this.#offset;
    if (this.#headerFill === 0 && this.#pieceEnd - offset >= HEADER_BYTES) {
      this.#consume(HEADER_BYTES);
      this.#startPacket(piece, offset);
      return true;
    }
    while (this.#headerFill < HEADER_BYTES) {
      if (this.#offset === this.#pieceEnd) return false;
      this.#header[this.#headerFill] = this.#piece[this.#offset] ?? 0;
      this.#headerFill += 1;
      this.#consume(1);
    }
    this.#headerFill = 0;
    this.#startPacket(this.#header, 0);
    return true;
  }

  #startPacket(header: Buffer, offset: number): void {
    const length =
      (header[offset] as number) |
      ((header[offset + 1] as number) << 8) |
      ((header[offset + 2] as number) << 16);
    const sequence = header[offset + 3] as number;
    if (sequence !== this.nextSequence) this.#outOfOrder = true;
    this.nextSequence = (sequence + 1) & 0xff;
    this.#packetLeft = length;
    this.#packetIsLast = length < FULL_PACKET_BYTES;
    if (this.#wholeFill + length > this.#maxPayloadBytes) throw this.#tooLarge(this.#wholeFill + length);
  }

  #makeRoom(length: number): void {
    const whole = this.#whole;
    if (whole === null) {
      this.#whole = Buffer.allocUnsafe(length);
      return;
    }
    const needed = this.#wholeFill + length;
    if (needed <= whole.length) return;
    const told = this.#lengthHint?.(whole.subarray(0, this.#wholeFill)) ?? null;
    if (told !== null && told > this.#maxPayloadBytes) throw this.#tooLarge(told);
    const roomy = told ?? Math.min(this.#maxPayloadBytes, this.#wholeFill * 2);
    const grown = Buffer.allocUnsafe(Math.max(needed, roomy));
    whole.copy(grown, 0, 0, this.#wholeFill);
    this.#whole = grown;
  }

  #tooLarge(length: number): HoltError {
    return new HoltError(
      'HOLT_SOURCE_PACKET_TOO_LARGE',
      `the source sends ${length} bytes or more at once, and ${this.#maxPayloadBytes} are taken`,
      { disposition: 'pause', facts: { length, maxPayloadBytes: this.#maxPayloadBytes } },
    );
  }
}
