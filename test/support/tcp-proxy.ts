import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** As seen from the client: `up` is what it sends, `down` what it gets. */
export type Direction = 'up' | 'down';

export interface ProxyTarget {
  readonly host: string;
  readonly port: number;
}

/** One packet of a protocol, its header included; `index` counts from 0 in its direction of its connection. */
export interface Packet {
  readonly direction: Direction;
  readonly index: number;
  readonly bytes: Buffer;
  /** Counts from 0 in the order in which clients connected. */
  readonly connection: number;
}

/** What becomes of a packet: it goes on; it alone is lost; it is lost and the connection is cut. */
export type Verdict = 'pass' | 'drop' | 'cut';

/** Finds packets in a stream: the length of the packet at the beginning of `bytes`, undefined while more is needed. */
export type Framing = (bytes: Buffer) => number | undefined;

/** 3 bytes length, 1 byte sequence (MySQL client/server protocol, "Protocol::Packet"). */
export const mysqlPackets: Framing = (bytes) => (bytes.length < 4 ? undefined : 4 + bytes.readUIntLE(0, 3));

/** 4 bytes length, big endian (ZooKeeper's jute records). */
export const zookeeperPackets: Framing = (bytes) =>
  bytes.length < 4 ? undefined : 4 + bytes.readUInt32BE(0);

export interface TcpProxyOptions {
  readonly target: ProxyTarget;
  /** Without it bytes pass as they come and `onPacket` is not asked. */
  readonly framing?: Framing;
}

/**
 * Stands between a client and a server on loopback and misbehaves on demand: refuses, cuts, stalls, delays, loses one
 * direction, or swallows a single packet. Nothing is held in memory while stalled: the sockets are not read, so that
 * back-pressure reaches the sender as on a real link.
 */
export class TcpProxy implements AsyncDisposable {
  /** Asked for each packet, in order; needs `framing`. */
  onPacket: ((packet: Packet) => Verdict) | undefined;
  readonly #target: ProxyTarget;
  readonly #framing: Framing | undefined;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #mode: Record<Direction, 'flow' | 'stall' | 'lose'> = { up: 'flow', down: 'flow' };
  #delayMs = 0;
  #refusing = false;
  #accepted = 0;

  private constructor(options: TcpProxyOptions) {
    this.#target = options.target;
    this.#framing = options.framing;
    // Half-open on purpose: one side's end is passed on as an end, not as the death of both.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  static async start(options: TcpProxyOptions): Promise<TcpProxy> {
    const proxy = new TcpProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  readonly host = '127.0.0.1';

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#links.size;
  }

  /** Connections ever made. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Bytes that reached the other side since the start. */
  readonly passed: Record<Direction, number> = { up: 0, down: 0 };

  /** Ends all connections at once with a reset, as a killed peer or a firewall does. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** New connections are closed at once, until `heal`; those that are open stay. */
  refuse(): void {
    this.#refusing = true;
  }

  /** Bytes stay where they are, connections stay open; both directions, or one. */
  stall(direction?: Direction): void {
    this.#set('stall', direction);
  }

  /** Bytes vanish, connections stay open; both directions, or one. */
  lose(direction?: Direction): void {
    this.#set('lose', direction);
  }

  /** Each chunk arrives this much later, order kept; throughput is not limited. Half a round trip, that is. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Back to a link that works. Bytes that were stalled go on; those that were lost stay lost. */
  heal(): void {
    this.#refusing = false;
    this.#delayMs = 0;
    this.onPacket = undefined;
    this.#set('flow');
  }

  async dispose(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #set(mode: 'flow' | 'stall' | 'lose', direction?: Direction): void {
    if (direction !== 'down') this.#mode.up = mode;
    if (direction !== 'up') this.#mode.down = mode;
    for (const link of this.#links) link.modeChanged();
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const connection = this.#accepted++;
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const link = new Link(client, server, {
      modeOf: (direction) => this.#mode[direction],
      delayMs: () => this.#delayMs,
      framing: this.#framing,
      verdict: (direction, index, bytes) =>
        this.onPacket?.({ direction, index, bytes, connection }) ?? 'pass',
      passed: (direction, bytes) => {
        this.passed[direction] += bytes;
      },
      closed: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

interface LinkOptions {
  modeOf(direction: Direction): 'flow' | 'stall' | 'lose';
  delayMs(): number;
  readonly framing: Framing | undefined;
  verdict(direction: Direction, index: number, bytes: Buffer): Verdict;
  passed(direction: Direction, bytes: number): void;
  closed(): void;
}

/** A client's connection and ours to the server. */
class Link {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #flows: readonly Flow[];
  #isCut = false;

  constructor(client: Socket, server: Socket, options: LinkOptions) {
    this.#client = client;
    this.#server = server;
    const cut = () => this.cut();
    this.#flows = [
      new Flow('up', client, server, options, cut),
      new Flow('down', server, client, options, cut),
    ];
    let open = 2;
    for (const socket of [client, server]) {
      socket.on('error', cut);
      socket.on('close', () => {
        open--;
        if (open === 0) options.closed();
      });
    }
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#client.resetAndDestroy();
    // A connection still being made cannot be reset.
    if (this.#server.connecting) this.#server.destroy();
    else this.#server.resetAndDestroy();
  }

  modeChanged(): void {
    for (const flow of this.#flows) flow.resume();
  }
}

/** One direction of a link. */
class Flow {
  readonly #direction: Direction;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: LinkOptions;
  readonly #cutAfterwards: () => void;
  #partial: Buffer = Buffer.alloc(0);
  #index = 0;
  /** What has been read and waits for its delay to pass. */
  #inDelay = Promise.resolve();
  #delayed = 0;
  #blocked = false;

  constructor(
    direction: Direction,
    from: Socket,
    to: Socket,
    options: LinkOptions,
    cutAfterwards: (to: Socket) => void,
  ) {
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.#cutAfterwards = () => cutAfterwards(to);
    from.on('data', (chunk) => this.#take(chunk));
    from.on('end', () => this.#later(() => to.end()));
    to.on('drain', () => {
      this.#blocked = false;
      this.resume();
    });
    if (options.modeOf(direction) === 'stall') from.pause();
  }

  resume(): void {
    if (this.#options.modeOf(this.#direction) === 'stall') this.#from.pause();
    else if (!this.#blocked) this.#from.resume();
  }

  #take(chunk: Buffer): void {
    if (this.#options.modeOf(this.#direction) === 'lose') return;
    const { framing } = this.#options;
    if (framing === undefined) {
      this.#pass(chunk);
      return;
    }
    this.#partial = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    for (;;) {
      const length = framing(this.#partial);
      if (length === undefined || this.#partial.length < length) return;
      const packet = this.#partial.subarray(0, length);
      this.#partial = this.#partial.subarray(length);
      const verdict = this.#options.verdict(this.#direction, this.#index++, packet);
      switch (verdict) {
        case 'pass':
          this.#pass(packet);
          break;
        case 'drop':
          break;
        case 'cut':
          this.#from.pause();
          this.#later(this.#cutAfterwards);
          return;
        default:
          verdict satisfies never;
      }
    }
  }

  #pass(bytes: Buffer): void {
    this.#later(() => {
      if (this.#to.destroyed) return;
      this.#options.passed(this.#direction, bytes.length);
      if (this.#to.write(bytes)) return;
      this.#blocked = true;
      this.#from.pause();
    });
  }

  #later(act: () => void): void {
    const delayMs = this.#options.delayMs();
    if (delayMs === 0 && this.#delayed === 0) {
      act();
      return;
    }
    this.#delayed++;
    const due = new Promise<void>((resolve) => setTimeout(resolve, delayMs));
    this.#inDelay = Promise.all([this.#inDelay, due]).then(() => {
      this.#delayed--;
      act();
    });
  }
}
