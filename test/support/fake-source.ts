import { createServer, type Server, type Socket } from 'node:net';
import { PacketSplitter } from '../../canal/protocol/packet-splitter.ts';
import { writePackets } from '../../canal/protocol/packet-writer.ts';

/** What the script of a test does with a dump. */
export class FakeDump {
  /** The dump command as received. */
  readonly command: Buffer;
  /** Counts from 0. */
  readonly index: number;
  readonly #socket: Socket;
  #sequence = 1;

  constructor(socket: Socket, command: Buffer, index: number) {
    this.#socket = socket;
    this.command = command;
    this.index = index;
  }

  send(...events: readonly Buffer[]): void {
    for (const event of events) this.sendPayload(Buffer.concat([Buffer.from([0]), event]));
  }

  sendPayload(payload: Buffer): void {
    const { bytes, nextSequence } = writePackets(payload, this.#sequence);
    this.#sequence = nextSequence;
    this.#socket.write(bytes);
  }

  /** The first bytes of an event, and then nothing. */
  sendPart(event: Buffer, length: number): void {
    const { bytes } = writePackets(Buffer.concat([Buffer.from([0]), event]), this.#sequence);
    this.#socket.write(bytes.subarray(0, length));
  }

  fail(errno: number, message: string): void {
    const head = Buffer.from([0xff, errno & 0xff, errno >> 8]);
    this.sendPayload(Buffer.concat([head, Buffer.from(`#HY000${message}`)]));
  }

  endOfLog(): void {
    this.sendPayload(Buffer.from('fe00000200', 'hex'));
  }

  /** Closes the connection. */
  hangUp(): void {
    this.#socket.end();
  }
}

export interface FakeSourceOptions {
  readonly version?: string;
  readonly checksum?: 'CRC32' | 'NONE';
  readonly onDump: (dump: FakeDump) => void;
  /** Statements that get no answer. */
  readonly ignores?: RegExp;
}

/**
 * A server that logs everybody in, answers every query with OK or with one value, and dumps what a test says: for streams that no real
 * server sends on demand (damage, offsets beyond 4 GiB, silence).
 */
export class FakeSource implements AsyncDisposable {
  readonly #options: FakeSourceOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Statements received, in order. */
  readonly queries: string[] = [];
  #dumps = 0;

  private constructor(options: FakeSourceOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(options: FakeSourceOptions): Promise<FakeSource> {
    const source = new FakeSource(options);
    await new Promise<void>((resolve) => source.#server.listen(0, '127.0.0.1', resolve));
    return source;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  get dumps(): number {
    return this.#dumps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    const splitter = new PacketSplitter({ maxPayloadBytes: 1024 * 1024 });
    let loggedIn = false;
    const reply = (payload: Buffer) => {
      const { bytes, nextSequence } = writePackets(payload, splitter.nextSequence);
      splitter.nextSequence = nextSequence;
      socket.write(bytes);
    };
    reply(greeting(this.#options.version ?? '9.7.4'));
    socket.on('data', (piece) => {
      splitter.push(piece);
      for (;;) {
        if (loggedIn) splitter.nextSequence = 0;
        const payload = splitter.next();
        if (payload === null) return;
        if (!loggedIn) {
          loggedIn = true;
          reply(OK);
        } else this.#command(socket, payload, reply);
      }
    });
  }

  #command(socket: Socket, payload: Buffer, reply: (payload: Buffer) => void): void {
    switch (payload[0]) {
      case 0x03: {
        const sql = payload.toString('utf8', 1);
        this.queries.push(sql);
        if (this.#options.ignores?.test(sql)) return;
        if (/^SELECT @master_binlog_checksum/.test(sql))
          for (const part of oneValue(this.#options.checksum ?? 'CRC32')) reply(part);
        else reply(OK);
        return;
      }
      case 0x12:
      case 0x1e:
        this.#options.onDump(new FakeDump(socket, Buffer.from(payload), this.#dumps++));
        return;
      case 0x01:
        socket.end();
        return;
      default:
        reply(OK);
    }
  }
}

const OK = Buffer.from('00000002000000', 'hex');
const EOF = Buffer.from('fe00000200', 'hex');

function greeting(version: string): Buffer {
  return Buffer.concat([
    Buffer.from([10]),
    Buffer.from(`${version}\0`),
    Buffer.from('2a000000', 'hex'),
    Buffer.from('12345678\0'),
    Buffer.from('fff7210200ff8115', 'hex'),
    Buffer.alloc(10),
    Buffer.from('90abcdefghij\0mysql_native_password\0'),
  ]);
}

function oneValue(value: string): Buffer[] {
  const text = (part: string) => Buffer.concat([Buffer.from([part.length]), Buffer.from(part)]);
  const column = Buffer.concat([...['def', '', '', '', 'v', ''].map(text), Buffer.alloc(13)]);
  return [Buffer.from([1]), column, EOF, text(value), EOF];
}
