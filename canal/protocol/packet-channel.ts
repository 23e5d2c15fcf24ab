import type { Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { type Deferred, deferred } from '../../lib/deferred.ts';
import { HoltError } from '../../lib/errors.ts';
import type { PacketRun } from './packet-run.ts';
import { PacketSplitter, type PacketSplitterOptions } from './packet-splitter.ts';
import { writePackets } from './packet-writer.ts';
import type { ReceiveMemory } from './receive-memory.ts';

export interface PacketChannelOptions extends PacketSplitterOptions {
  /** Connected. */
  readonly socket: Socket;
  /** What the socket reads into, where it was made so; it gives no `data` then. */
  readonly receive?: ReceiveMemory | null;
  /** For messages, `host:port`. */
  readonly peer: string;
  /** Reading pauses while this much has arrived and is not taken. */
  readonly maxBufferedBytes: number;
  readonly clock?: Clock;
}

/**
 * Payloads over one socket, pulled.
 *
 * `next` gives what has arrived, `fill` waits for more. The socket is read ahead up to `maxBufferedBytes` and then
 * paused, so the server's own send blocks: back-pressure reaches the source. After the socket has ended, what
 * arrived before can still be taken; then `next` throws why it ended.
 */
export class PacketChannel {
  readonly #splitter: PacketSplitter;
  readonly #peer: string;
  readonly #maxBufferedBytes: number;
  readonly #clock: Clock;
  #socket: Socket;
  #paused = false;
  #failure: HoltError | null = null;
  /** Whoever waits in `fill`; one at a time. */
  #waiter: Deferred<void> | null = null;
  #receivedBytes = 0;
  #lastHeardMs: number;

  constructor(options: PacketChannelOptions) {
    this.#splitter = new PacketSplitter(options);
    this.#peer = options.peer;
    this.#maxBufferedBytes = options.maxBufferedBytes;
    this.#clock = options.clock ?? systemClock;
    this.#socket = options.socket;
    this.#lastHeardMs = this.#clock.monotonicMs();
    this.#attach();
    options.receive?.attach((memory, start, end) => this.#received(memory, start, end));
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get bufferedBytes(): number {
    return this.#splitter.bufferedBytes;
  }

  /** `Clock.monotonicMs` of the last byte. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** True while someone waits and the socket is being read: silence now is the peer's. */
  get isStarved(): boolean {
    return this.#waiter !== null && !this.#paused && this.#failure === null;
  }

  get isUsable(): boolean {
    return this.#failure === null;
  }

  /** Sends a command: a new exchange. */
  sendCommand(payload: Buffer): void {
    this.#splitter.nextSequence = 0;
    this.sendReply(payload);
  }

  /** Sends within the present exchange. */
  sendReply(payload: Buffer): void {
    const { bytes, nextSequence } = writePackets(payload, this.#splitter.nextSequence);
    this.#splitter.nextSequence = nextSequence;
    this.#socket.write(bytes);
  }

  /** The next payload that is here, or null. Throws the channel's end when nothing whole is left before it. */
  next(): Buffer | null {
    const payload = this.#splitter.next();
    if (payload === null && this.#failure !== null) throw this.#failure;
    return payload;
  }

  /**
   * Finds the next payload that is here, without a view of it: it lies in `memory` from `payloadStart` to `payloadEnd`. False when nothing whole is
   * here; throws the channel's end as `next` does.
   */
  advance(): boolean {
    if (this.#splitter.advance()) return true;
    if (this.#failure !== null) throw this.#failure;
    return false;
  }

  /** Finds many payloads at once where that is possible; see `PacketSplitter.takeRun`. Never throws: `advance` does when nothing is left. */
  takeRun(run: PacketRun, first: number): number {
    return this.#splitter.takeRun(run, first);
  }

  get memory(): Buffer {
    return this.#splitter.memory;
  }

  get payloadStart(): number {
    return this.#splitter.start;
  }

  get payloadEnd(): number {
    return this.#splitter.end;
  }

  /** Resolves when bytes have come since the last `next` gave null, or the channel has ended. */
  fill(signal?: AbortSignal): Promise<void> {
    if (this.#failure !== null || this.#splitter.bufferedBytes > 0) return Promise.resolve();
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.#resume();
    const waiter = deferred<void>();
    this.#waiter = waiter;
    if (signal === undefined) return waiter.promise;
    const onAbort = () => {
      if (this.#waiter === waiter) this.#waiter = null;
      waiter.reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    return waiter.promise.finally(() => signal.removeEventListener('abort', onAbort));
  }

  /** The next payload, waiting for it. */
  async read(signal?: AbortSignal): Promise<Buffer> {
    for (;;) {
      const payload = this.next();
      if (payload !== null) return payload;
      await this.fill(signal);
    }
  }

  /** Goes on over TLS on the same socket; nothing may have arrived that is not taken. */
  async upgrade(options: ConnectionOptions): Promise<TLSSocket> {
    const plain = this.#socket;
    plain.removeAllListeners('data');
    plain.removeAllListeners('end');
    plain.removeAllListeners('close');
    const secure = connectTls({ ...options, socket: plain });
    await new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', resolve);
      secure.once('error', reject);
      secure.once('close', () => reject(new Error('the server closed the connection')));
    });
    secure.removeAllListeners('error');
    secure.removeAllListeners('close');
    this.#socket = secure;
    this.#attach();
    return secure;
  }

  /** Sends what is written and closes; `destroy` after `graceMs` if the peer does not. */
  async end(graceMs: number): Promise<void> {
    const socket = this.#socket;
    if (!socket.destroyed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        socket.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        socket.resume();
        socket.end();
      });
    }
    this.destroy();
  }

  /** Ends at once; `reason` is what `next` throws from now on, unless the channel had ended before. */
  destroy(reason?: HoltError): void {
    this.#fail(reason ?? this.#lost('was closed here'));
    this.#socket.destroy();
  }

  #attach(): void {
    const socket = this.#socket;
    // A socket that reads into memory of ours gives none of these.
    socket.on('data', (piece: Buffer) => this.#received(piece, 0, piece.length));
    socket.on('error', (error) => this.#fail(this.#lost(`failed: ${error.message}`, error)));
    socket.on('end', () => this.#fail(this.#lost('was closed by the server')));
    socket.on('close', () => this.#fail(this.#lost('was closed')));
    if (this.#paused) socket.pause();
  }

  #received(memory: Buffer, start: number, end: number): void {
    this.#receivedBytes += end - start;
    this.#lastHeardMs = this.#clock.monotonicMs();
    this.#splitter.push(memory, start, end);
    if (this.#splitter.bufferedBytes >= this.#maxBufferedBytes && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#wake();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve();
  }

  #fail(reason: HoltError): void {
    this.#failure ??= reason;
    this.#wake();
  }

  #lost(how: string, cause?: unknown): HoltError {
    const cut = this.#splitter.isMidPayload ? ', in the middle of a packet' : '';
    return new HoltError('HOLT_SOURCE_LINK_LOST', `the connection to ${this.#peer} ${how}${cut}`, {
      disposition: 'retry',
      facts: { peer: this.#peer },
      cause,
    });
  }
}
