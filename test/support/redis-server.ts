import { connect } from 'node:net';
import { join } from 'node:path';
import { ControlledServer, PortTaken } from './controlled-server.ts';
import { freePort } from './free-port.ts';
import { type Program, programOf } from './inventory.ts';
import { type KeptProcessOptions, temporaryFolder } from './kept-process.ts';

export interface RedisOptions {
  /** As in redis.conf, for instance `{ appendonly: 'yes' }`; by default nothing is stored on disk. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** Redis on a free loopback port. */
export class RedisServer extends ControlledServer {
  readonly version: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #program: Program;
  readonly #options: RedisOptions;

  private constructor(program: Program, dir: string, port: number, options: RedisOptions) {
    super({
      name: `redis ${program.version} on port ${port}`,
      dir,
      startTimeoutMs: 20_000,
      stopTimeoutMs: 10_000,
    });
    this.version = program.version;
    this.port = port;
    this.#program = program;
    this.#options = options;
  }

  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const program = await programOf('redis');
    for (let attempt = 1; ; attempt++) {
      const server = new RedisServer(program, await temporaryFolder('redis'), await freePort(), options);
      try {
        await server.start();
        return server;
      } catch (error) {
        await server.dispose();
        if (!(error instanceof PortTaken) || attempt === 5) throw error;
      }
    }
  }

  get url(): string {
    return `redis://${this.host}:${this.port}/0`;
  }

  protected override launch(): KeptProcessOptions {
    const settings = {
      port: this.port,
      bind: this.host,
      dir: this.dir,
      save: '',
      appendonly: 'no',
      'maxmemory-policy': 'noeviction',
      ...this.#options.settings,
    };
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return {
      command: [...this.#program.command, ...args],
      cwd: this.dir,
      env: this.#program.env,
      logFile: join(this.dir, 'server.log'),
    };
  }

  protected override answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ host: this.host, port: this.port });
      socket.setTimeout(2_000, () => socket.destroy());
      socket.on('connect', () => socket.write('PING\r\n'));
      socket.on('data', (data) => {
        resolve(String(data).startsWith('+PONG'));
        socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(false));
    });
  }

  protected override async hangUp(): Promise<void> {}
}
