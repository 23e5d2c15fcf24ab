/**
 * A long link between two sites in user space: every byte stays on it for half a round trip, and no more bytes a second get on it
 * than it carries, all connections of a direction together. Each direction is full duplex with the other.
 *
 * Like a link with a queue before it: who sends faster than it carries waits in `QUEUE_BYTES` a connection, then the socket is not
 * read any more. What TCP itself would do over such a link (slow start, windows of the kernel) is not played.
 */

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

export type Site = 'east' | 'west';

export interface LinkSettings {
  readonly rttMs: number;
  readonly mbitPerSecond: number;
}

/** Beyond what is on its way: what the sender's kernel would hold. */
const QUEUE_BYTES = 4 * 1024 * 1024;

export class WanLink {
  readonly #settings: LinkSettings;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #directions: Readonly<Record<Site, Direction>>;

  constructor(settings: LinkSettings) {
    this.#settings = settings;
    this.#directions = { east: new Direction(settings), west: new Direction(settings) };
  }

  /** Bytes that got on the link so far, by the site they came from. */
  get bytes(): Readonly<Record<Site, number>> {
    return { east: this.#directions.east.bytes, west: this.#directions.west.bytes };
  }

  /** A port at which clients of one site reach a port of the other. */
  async open(clients: Site, port: number): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const far = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
      this.#join(client, far, this.#directions[clients]);
      this.#join(far, client, this.#directions[clients === 'east' ? 'west' : 'east']);
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket, direction: Direction): void {
    this.#sockets.add(from);
    const most = QUEUE_BYTES + this.#settings.mbitPerSecond * 125 * this.#settings.rttMs;
    let held = 0;
    let isBlocked = false;
    const flow = () => {
      if (held < most && !isBlocked) from.resume();
      else from.pause();
    };
    from.on('data', (chunk) => {
      held += chunk.length;
      flow();
      direction.send(chunk.length, () => {
        held -= chunk.length;
        if (!to.destroyed && !to.write(chunk)) isBlocked = true;
        flow();
      });
    });
    to.on('drain', () => {
      isBlocked = false;
      flow();
    });
    from.on('end', () => direction.send(0, () => to.end()));
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      direction.send(0, () => {
        if (from.errored !== null) to.destroy();
      });
    });
  }
}

interface OnItsWay {
  readonly dueMs: number;
  readonly arrive: () => void;
}

/** One way over the link: what gets on it first arrives first. */
class Direction {
  readonly #delayMs: number;
  readonly #bytesPerMs: number;
  readonly #queue: OnItsWay[] = [];
  #head = 0;
  #freeMs = 0;
  #timer: NodeJS.Timeout | null = null;
  bytes = 0;

  constructor({ rttMs, mbitPerSecond }: LinkSettings) {
    this.#delayMs = rttMs / 2;
    this.#bytesPerMs = mbitPerSecond * 125;
  }

  send(bytes: number, arrive: () => void): void {
    this.bytes += bytes;
    this.#freeMs = Math.max(this.#freeMs, performance.now()) + bytes / this.#bytesPerMs;
    this.#queue.push({ dueMs: this.#freeMs + this.#delayMs, arrive });
    this.#timer ??= this.#wake();
  }

  #wake(): NodeJS.Timeout | null {
    const next = this.#queue[this.#head];
    if (next === undefined) return null;
    return setTimeout(() => this.#deliver(), Math.max(0, next.dueMs - performance.now()));
  }

  #deliver(): void {
    const nowMs = performance.now();
    for (let next = this.#queue[this.#head]; next !== undefined; next = this.#queue[this.#head]) {
      if (next.dueMs > nowMs) break;
      this.#head += 1;
      next.arrive();
    }
    if (this.#head > 1_000) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    this.#timer = this.#wake();
  }
}
