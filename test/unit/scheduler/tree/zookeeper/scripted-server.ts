import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { FrameReader } from '../../../../../scheduler/tree/zookeeper/wire/frame-reader.ts';
import { JuteReader, JuteWriter } from '../../../../../scheduler/tree/zookeeper/wire/jute.ts';
import { opCodes, reservedXids } from '../../../../../scheduler/tree/zookeeper/wire/op-code.ts';

export interface SeenConnect {
  readonly connection: number;
  readonly lastZxid: bigint;
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly readOnly: boolean;
}

export interface SeenRequest {
  readonly connection: number;
  readonly xid: number;
  readonly type: number;
  readonly body: JuteReader;
}

/** What the script does with a request: an answer, nothing, any bytes, or the end. */
export type Reply =
  | {
      readonly error?: number;
      readonly zxid?: bigint;
      readonly xid?: number;
      readonly body?: (writer: JuteWriter) => JuteWriter;
    }
  | 'silent'
  | 'cut'
  | Buffer;

/**
 * Speaks just enough of ZooKeeper's protocol to say what a real server says only on bad days. Without a script it grants
 * sessions, and answers pings, `sync`, credentials and the end of sessions well.
 */
export class ScriptedServer implements AsyncDisposable {
  onConnect: ((seen: SeenConnect) => 'grant' | 'expired' | 'silent' | 'cut' | Buffer) | undefined;
  onRequest: ((seen: SeenRequest) => Reply | undefined) | undefined;
  readonly connects: SeenConnect[] = [];
  /** Types of all requests, by connection. */
  readonly requests: { readonly connection: number; readonly type: number }[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #accepted = 0;
  #sessions = 0n;

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get open(): number {
    return this.#sockets.size;
  }

  get connectString(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Bytes out of the blue, to every connection. */
  push(bytes: Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const connection = this.#accepted++;
    const frames = new FrameReader();
    let isConnected = false;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      for (const frame of frames.push(chunk)) {
        if (isConnected) this.#request(socket, connection, new JuteReader(Buffer.from(frame)));
        else {
          isConnected = true;
          this.#connect(socket, connection, new JuteReader(frame));
        }
      }
    });
  }

  #connect(socket: Socket, connection: number, reader: JuteReader): void {
    reader.int();
    const head = { connection, lastZxid: reader.long(), timeoutMs: reader.int(), sessionId: reader.long() };
    reader.buffer();
    const seen: SeenConnect = { ...head, readOnly: reader.bool() };
    this.connects.push(seen);
    const verdict = this.onConnect?.(seen) ?? 'grant';
    if (Buffer.isBuffer(verdict)) socket.write(verdict);
    else if (verdict === 'cut') socket.resetAndDestroy();
    else if (verdict === 'expired') socket.write(granted(0n, 0));
    else if (verdict === 'grant') {
      if (seen.sessionId === 0n) this.#sessions += 1n;
      socket.write(granted(seen.sessionId === 0n ? this.#sessions : seen.sessionId, seen.timeoutMs));
    }
  }

  #request(socket: Socket, connection: number, body: JuteReader): void {
    const xid = body.int();
    const type = body.int();
    this.requests.push({ connection, type });
    const reply = this.onRequest?.({ connection, xid, type, body }) ?? {};
    if (reply === 'silent') return;
    if (reply === 'cut') {
      socket.resetAndDestroy();
      return;
    }
    if (Buffer.isBuffer(reply)) {
      socket.write(reply);
      return;
    }
    const writer = new JuteWriter()
      .int(reply.xid ?? xid)
      .long(reply.zxid ?? 1n)
      .int(reply.error ?? 0);
    socket.write((reply.body?.(writer) ?? writer).packet());
    if (type === opCodes.closeSession) socket.end();
  }
}

function granted(sessionId: bigint, timeoutMs: number): Buffer {
  return new JuteWriter()
    .int(0)
    .int(timeoutMs)
    .long(sessionId)
    .buffer(Buffer.alloc(16, 7))
    .bool(false)
    .packet();
}

export function notification(type: number, path: string): Buffer {
  return new JuteWriter()
    .int(reservedXids.notification)
    .long(-1n)
    .int(0)
    .int(type)
    .int(3)
    .string(path)
    .packet();
}

/** A stat with these numbers; the rest is 0. */
export function writeStat(
  writer: JuteWriter,
  stat: { readonly czxid?: bigint; readonly version?: number } = {},
): JuteWriter {
  const zxid = stat.czxid ?? 1n;
  return writer
    .long(zxid)
    .long(zxid)
    .long(0n)
    .long(0n)
    .int(stat.version ?? 0)
    .int(0)
    .int(0)
    .long(0n)
    .int(0)
    .int(0)
    .long(zxid);
}
