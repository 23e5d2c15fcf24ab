/** Our end of the link's process, and the calibration: what round trip and bandwidth it really has. */
import { type ChildProcess, fork } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { median } from './measurement.ts';
import type { LinkSettings, Site } from './wan-link.ts';
import type { LinkAnswer, LinkRequest } from './wan-process.ts';

const PROGRAM = fileURLToPath(new URL('./wan-process.ts', import.meta.url));
const PINGS = 9;
const FLOOD_MS = 2_000;

export interface Calibration {
  readonly rttMs: number;
  readonly mbitPerSecond: number;
}

export class WanLine implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: LinkAnswer) => void>();
  #requests = 0;

  constructor({ rttMs, mbitPerSecond }: LinkSettings) {
    this.#child = fork(PROGRAM, [String(rttMs), String(mbitPerSecond)], {
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (answer: LinkAnswer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  /** A port at which clients of one site reach a port of the other. */
  async open(clients: Site, port: number): Promise<number> {
    return (await this.#ask((id) => ({ id, do: 'open', clients, port }))).port;
  }

  /** Bytes so far, by the site they came from. */
  async bytes(): Promise<Readonly<Record<Site, number>>> {
    return (await this.#ask((id) => ({ id, do: 'bytes' }))).bytes;
  }

  /** Measured from the west: small messages there and back, then as many bytes as come. */
  async calibrate(): Promise<Calibration> {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {});
      socket.once('data', (first) => {
        if (first[0] === 1) flood(socket);
        else {
          socket.write(first);
          socket.pipe(socket);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const port = await this.open('west', (server.address() as AddressInfo).port);
    try {
      return { rttMs: await roundTrip(port), mbitPerSecond: await bandwidth(port) };
    } finally {
      server.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const over = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await over;
  }

  #ask(request: (id: number) => LinkRequest): Promise<LinkAnswer> {
    const id = ++this.#requests;
    return new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) reject(new Error('the link has ended'));
      this.#waiting.set(id, resolve);
      this.#child.send(request(id));
    });
  }
}

async function roundTrip(port: number): Promise<number> {
  const socket = await opened(port);
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const startMs = performance.now();
    socket.write(Buffer.alloc(100));
    await new Promise((resolve) => socket.once('data', resolve));
    times.push(performance.now() - startMs);
  }
  socket.destroy();
  return median(times);
}

async function bandwidth(port: number): Promise<number> {
  const socket = await opened(port);
  socket.write(Buffer.from([1]));
  await new Promise((resolve) => socket.once('data', resolve));
  let bytes = 0;
  const startMs = performance.now();
  let lastMs = startMs;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    lastMs = performance.now();
  });
  await new Promise((resolve) => setTimeout(resolve, FLOOD_MS));
  socket.destroy();
  return (bytes * 8) / 1_000 / Math.max(1, lastMs - startMs);
}

function flood(socket: Socket): void {
  const chunk = Buffer.alloc(64 * 1024);
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}
