import { systemClock } from '../../../lib/clock.ts';
import type { LinkHandlers } from '../../../scheduler/tree/client/link.ts';
import {
  type ConnectResponse,
  decodeConnectResponse,
} from '../../../scheduler/tree/zookeeper/wire/connect.ts';
import { opCodes } from '../../../scheduler/tree/zookeeper/wire/op-code.ts';
import { formatSessionId } from '../../../scheduler/tree/zookeeper/wire/stat.ts';
import { openZookeeperLink } from '../../../scheduler/tree/zookeeper/zookeeper-link.ts';
import { type Packet, TcpProxy, zookeeperPackets } from '../../support/tcp-proxy.ts';

const writes = new Set<number>([opCodes.create2, opCodes.setData, opCodes.delete, opCodes.multi]);

/** A proxy in front of a ZooKeeper server that knows which session passes through it, and can do it harm. */
export class ProxiedSession implements AsyncDisposable {
  readonly #proxy: TcpProxy;
  readonly #server: { readonly host: string; readonly port: number };
  #granted: ConnectResponse | undefined;
  #isLosingReply = false;
  #lostXid: number | undefined;

  private constructor(proxy: TcpProxy, server: { readonly host: string; readonly port: number }) {
    this.#proxy = proxy;
    this.#server = server;
    this.#listen();
  }

  static async start(connectString: string): Promise<ProxiedSession> {
    const [host = '', port = ''] = (connectString.split(',')[0] ?? '').split(':');
    const server = { host, port: Number(port) };
    return new ProxiedSession(await TcpProxy.start({ target: server, framing: zookeeperPackets }), server);
  }

  get proxy(): TcpProxy {
    return this.#proxy;
  }

  get connectString(): string {
    return `${this.#proxy.host}:${this.#proxy.port}`;
  }

  cutOff(): void {
    this.#proxy.refuse();
    this.#proxy.cut();
  }

  silence(): void {
    this.#proxy.stall();
  }

  resume(): void {
    this.#proxy.heal();
    this.#listen();
  }

  /** The connection is cut in place of the answer to the next write. */
  loseNextReply(): void {
    this.#isLosingReply = true;
  }

  /** Ends the session at the server, through another connection that takes it over. */
  async expire(): Promise<void> {
    const granted = this.#granted;
    if (granted === undefined) throw new Error('no session passed yet');
    const handlers: LinkHandlers = { watchFired: () => {}, heard: () => {}, closed: () => {} };
    const link = await openZookeeperLink({
      server: this.#server,
      tls: undefined,
      credentials: [],
      context: { chroot: '', acl: [] },
      ticket: { ...granted, sessionId: formatSessionId(granted.sessionId) },
      timeoutMs: granted.timeoutMs,
      lastZxid: 0n,
      sawZxid: () => {},
      handlers,
      clock: systemClock,
      signal: AbortSignal.timeout(5_000),
    });
    await link.endSession();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy.dispose();
  }

  #listen(): void {
    this.#proxy.onPacket = (packet) => this.#verdict(packet);
  }

  #verdict({ direction, index, bytes }: Packet): 'pass' | 'cut' {
    if (index === 0) {
      if (direction === 'down') this.#granted = decodeConnectResponse(Buffer.from(bytes.subarray(4)));
      return 'pass';
    }
    const xid = bytes.readInt32BE(4);
    if (direction === 'down') {
      if (xid !== this.#lostXid) return 'pass';
      this.#lostXid = undefined;
      return 'cut';
    }
    if (this.#isLosingReply && writes.has(bytes.readInt32BE(8))) {
      this.#isLosingReply = false;
      this.#lostXid = xid;
    }
    return 'pass';
  }
}
