import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Clock } from '../../../lib/clock.ts';
import { type Deferred, deferred } from '../../../lib/deferred.ts';
import { messageOf } from '../../../lib/errors.ts';
import {
  type Answer,
  type Link,
  type LinkEnd,
  LinkError,
  type LinkHandlers,
  type LinkOp,
  type Refusal,
  type Replies,
  type Requests,
  type SessionTicket,
  type WatchEventType,
  type WatchList,
} from '../client/link.ts';
import { lineageOf } from '../path.ts';
import { formatServer, type ServerAddress } from './connect-string.ts';
import { decodeConnectResponse, encodeConnectRequest } from './wire/connect.ts';
import { type CodecContext, relative } from './wire/context.ts';
import { FrameReader } from './wire/frame-reader.ts';
import { JuteReader, JuteWriter } from './wire/jute.ts';
import { MultiRefusedError } from './wire/multi.ts';
import { opCodes, reservedXids } from './wire/op-code.ts';
import { codecs } from './wire/requests.ts';
import { kindOfServerCode, nameOfServerCode, serverCodes } from './wire/server-code.ts';
import { setWatchesBodies } from './wire/set-watches.ts';
import { formatSessionId } from './wire/stat.ts';

/** What a connection proves itself with, before anything else is sent on it. */
export interface Credential {
  /** `digest` for user and password. */
  readonly scheme: string;
  /** For `digest`: `user:password`. Secret. */
  readonly auth: string;
}

export interface ZookeeperLinkOptions {
  readonly server: ServerAddress;
  /** Present: the connection is made over TLS with these options. */
  readonly tls: ConnectionOptions | undefined;
  readonly credentials: readonly Credential[];
  readonly context: CodecContext;
  readonly ticket: SessionTicket | null;
  readonly timeoutMs: number;
  /** Zxid that the server must not be behind of. */
  readonly lastZxid: bigint;
  readonly sawZxid: (zxid: bigint) => void;
  readonly handlers: LinkHandlers;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly xid: number;
  readonly answered: (error: number, body: JuteReader, zxid: bigint) => void;
}

const eventTypes = new Map<number, WatchEventType>([
  [1, 'created'],
  [2, 'deleted'],
  [3, 'data-changed'],
  [4, 'children-changed'],
]);

/** Connects to one server, gets the session, proves the credentials, makes the chroot. @throws LinkError */
export async function openZookeeperLink(options: ZookeeperLinkOptions): Promise<Link> {
  const link = new ZookeeperLink(options);
  await link.open();
  return link;
}

/**
 * One TCP or TLS connection to a ZooKeeper server. Holds no policy: it does not retry, time out or queue; whoever owns it
 * destroys it when it is too quiet. Nothing that a server sends can throw out of the socket's handler: what is
 * not understood ends this connection with a reason.
 */
class ZookeeperLink implements Link {
  readonly server: string;
  readonly #options: ZookeeperLinkOptions;
  readonly #handlers: LinkHandlers;
  readonly #frames = new FrameReader();
  readonly #waiting: Waiting[] = [];
  readonly #closed: Deferred<void> = deferred();
  readonly #opened: Deferred<void> = deferred();
  #socket: Socket | undefined;
  #ticket: SessionTicket = { sessionId: '', password: Buffer.alloc(0), timeoutMs: 0 };
  #grantedAtMs = 0;
  #hasSession = false;
  #isClosed = false;
  #isCorked = false;
  #authsWaiting = 0;
  #lastXid = 0;

  constructor(options: ZookeeperLinkOptions) {
    this.#options = options;
    this.#handlers = options.handlers;
    this.server = formatServer(options.server);
  }

  get ticket(): SessionTicket {
    return this.#ticket;
  }

  get grantedAtMs(): number {
    return this.#grantedAtMs;
  }

  async open(): Promise<void> {
    const { signal } = this.#options;
    const onAbort = () => this.#close(messageOf(signal.reason), 'connection');
    if (signal.aborted) throw this.#error('connection', messageOf(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      this.#startSocket();
      await this.#opened.promise;
      if (this.#options.ticket === null) await this.#ensureChroot();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  send<K extends LinkOp>(op: K, args: Requests[K], answer: Answer<Replies[K]>): void {
    this.#request(op, args, this.#options.context, answer);
  }

  rearm(list: WatchList): void {
    for (const body of setWatchesBodies(list, this.#options.lastZxid, this.#options.context)) {
      const writer = new JuteWriter(body.length + 8).int(reservedXids.setWatches).int(opCodes.setWatches);
      this.#write(writer.raw(body).packet());
    }
  }

  endSession(): Promise<void> {
    const xid = this.#nextXid();
    this.#waiting.push({ xid, answered: () => this.#close('session ended', 'connection') });
    this.#write(new JuteWriter().int(xid).int(opCodes.closeSession).packet());
    return this.#closed.promise;
  }

  destroy(reason: string): void {
    this.#close(reason, 'connection');
  }

  #startSocket(): void {
    const { host, port } = this.#options.server;
    const { tls, ticket, timeoutMs, lastZxid, clock } = this.#options;
    const onReady = () => {
      this.#grantedAtMs = clock.monotonicMs();
      const sessionId = ticket === null ? 0n : BigInt.asIntN(64, BigInt(ticket.sessionId));
      const password = ticket === null ? Buffer.alloc(16) : ticket.password;
      this.#write(encodeConnectRequest({ lastZxid, timeoutMs, sessionId, password }));
    };
    const socket =
      tls === undefined
        ? connectTcp({ host, port }, onReady)
        : connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...tls, host, port }, onReady);
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', (error) => this.#close(`${messageOf(error)}`, 'connection'));
    socket.on('close', () => this.#close('closed by the server', 'connection'));
  }

  #received(chunk: Buffer): void {
    try {
      for (const body of this.#frames.push(chunk)) {
        if (this.#isClosed) return;
        if (this.#hasSession) this.#reply(body);
        else this.#granted(body);
      }
    } catch (error) {
      this.#close(`malformed packet: ${messageOf(error)}`, 'connection');
    }
  }

  #granted(body: Buffer): void {
    const { timeoutMs, sessionId, password } = decodeConnectResponse(body);
    if (timeoutMs <= 0 || sessionId === 0n) {
      this.#close('session expired', 'session-expired');
      return;
    }
    this.#hasSession = true;
    this.#ticket = { sessionId: formatSessionId(sessionId), password, timeoutMs };
    // Before anything else on this connection (defect Z5 of node-zookeeper-client).
    for (const { scheme, auth } of this.#options.credentials) {
      this.#authsWaiting += 1;
      const writer = new JuteWriter().int(reservedXids.auth).int(opCodes.setAuth);
      this.#write(writer.int(0).string(scheme).buffer(Buffer.from(auth)).packet());
    }
    if (this.#authsWaiting === 0) this.#opened.resolve();
  }

  #reply(body: Buffer): void {
    const reader = new JuteReader(body);
    const xid = reader.int();
    const zxid = reader.long();
    const error = reader.int();
    if (zxid > 0n) this.#options.sawZxid(zxid);
    this.#handlers.heard();
    switch (xid) {
      case reservedXids.notification:
        this.#notified(reader);
        return;
      case reservedXids.ping:
        return;
      case reservedXids.auth:
        this.#authorised(error);
        return;
      case reservedXids.setWatches:
        if (error !== serverCodes.ok)
          this.#close(`watches refused: ${nameOfServerCode(error)}`, 'connection');
        return;
      default:
        this.#answered(xid, zxid, error, reader);
    }
  }

  #answered(xid: number, zxid: bigint, error: number, reader: JuteReader): void {
    const waiting = this.#waiting.shift();
    if (waiting?.xid !== xid) {
      this.#close(`answer to request ${xid}, expected ${waiting?.xid}`, 'connection');
      return;
    }
    // The session has moved to another connection: whatever else this one says is void.
    if (error === serverCodes.sessionMoved) {
      this.#close('session moved to another connection', 'connection');
      return;
    }
    waiting.answered(error, reader, zxid);
  }

  /** `WatcherEvent { int type; int state; ustring path; }` */
  #notified(reader: JuteReader): void {
    const type = eventTypes.get(reader.int());
    reader.int();
    const path = relative(reader.string(), this.#options.context);
    // Types without a meaning here (-1: state of the connection; removed and persistent watches) tell nothing new.
    if (type !== undefined && path !== undefined) this.#handlers.watchFired(type, path);
  }

  #authorised(error: number): void {
    if (error !== serverCodes.ok) {
      this.#close(`credentials refused: ${nameOfServerCode(error)}`, 'auth-failed');
      return;
    }
    this.#authsWaiting -= 1;
    if (this.#authsWaiting === 0) this.#opened.resolve();
  }

  #request<K extends LinkOp>(
    op: K,
    args: Requests[K],
    context: CodecContext,
    answer: Answer<Replies[K]>,
  ): void {
    if (this.#isClosed) return;
    const codec = codecs[op];
    if (op === 'ping') {
      this.#write(new JuteWriter(8).int(reservedXids.ping).int(codec.code).packet());
      return;
    }
    const xid = this.#nextXid();
    const writer = new JuteWriter().int(xid).int(codec.code);
    codec.encode(writer, args, context);
    this.#waiting.push({
      xid,
      answered: (error, body, zxid) => {
        if (error !== serverCodes.ok) {
          answer.no({ kind: kindOfServerCode(error), serverCode: error, detail: nameOfServerCode(error) });
          return;
        }
        let reply: Replies[K];
        try {
          reply = codec.decode(body, { zxid, sessionId: this.#ticket.sessionId }, args);
        } catch (failure) {
          if (!(failure instanceof MultiRefusedError)) throw failure;
          answer.no(failure.refusal);
          return;
        }
        answer.ok(reply);
      },
    });
    this.#write(writer.packet());
  }

  /** The chroot's own nodes, made with paths as the servers know them. */
  async #ensureChroot(): Promise<void> {
    const { context } = this.#options;
    if (context.chroot === '') return;
    const outside = { ...context, chroot: '' };
    for (const path of lineageOf(context.chroot)) {
      const isThere = await this.#ask('exists', { path, watch: false }, outside);
      if (isThere === undefined || isThere.kind !== 'no-node') continue;
      const refusal = await this.#ask('create', { path, data: Buffer.alloc(0), ephemeral: false }, outside);
      if (refusal !== undefined && refusal.kind !== 'node-exists') {
        const reason = `chroot ${path} cannot be made: ${refusal.detail ?? refusal.kind}`;
        this.#close(reason, 'connection');
        throw this.#error('connection', reason);
      }
    }
  }

  #ask<K extends LinkOp>(op: K, args: Requests[K], context: CodecContext): Promise<Refusal | undefined> {
    return new Promise((resolve, reject) => {
      this.#request(op, args, context, { ok: () => resolve(undefined), no: resolve });
      this.#closed.promise.then(() => reject(this.#error('connection', 'closed during start')), reject);
    });
  }

  #write(packet: Buffer): void {
    const socket = this.#socket;
    if (socket === undefined || this.#isClosed) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        socket.uncork();
      });
    }
    socket.write(packet);
  }

  #nextXid(): number {
    this.#lastXid = this.#lastXid === 0x7fffffff ? 1 : this.#lastXid + 1;
    return this.#lastXid;
  }

  #error(end: LinkEnd, reason: string): LinkError {
    return new LinkError(end, this.server, reason);
  }

  #close(reason: string, end: LinkEnd): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // No lingering: what is still in our buffers should not reach a server after we have counted it as lost.
    if (this.#options.tls === undefined) this.#socket?.resetAndDestroy();
    else this.#socket?.destroy();
    this.#opened.promise.catch(() => {});
    this.#opened.reject(this.#error(end, reason));
    this.#closed.resolve();
    this.#handlers.closed(reason, end);
  }
}
