import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ControlledServer, PortTaken } from './controlled-server.ts';
import { freePort } from './free-port.ts';
import { type Program, programOf } from './inventory.ts';
import { type KeptProcessOptions, temporaryFolder } from './kept-process.ts';

export interface ZookeeperOptions {
  /** Lines of zoo.cfg beside or in place of the defaults. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Writes are answered when they are on the disk, as ZooKeeper ships. Default: not, since only a power cut would tell. */
  readonly forceSync?: boolean;
  /** Under which ports one member of an ensemble reaches another; default: its own. For links between them. */
  readonly seenBy?: (viewer: Member, member: Member) => Promise<Member>;
}

/** The ports of one member of an ensemble. */
export interface Member {
  readonly id: number;
  readonly role: 'participant' | 'observer';
  readonly client: number;
  readonly peer: number;
  readonly election: number;
}

/** Short ticks: sessions from 1 s (2 ticks) up, elections within seconds. */
const DEFAULTS = {
  tickTime: 500,
  initLimit: 20,
  syncLimit: 10,
  minSessionTimeout: 1_000,
  maxSessionTimeout: 60_000,
  maxClientCnxns: 0,
  'admin.enableServer': 'false',
  '4lw.commands.whitelist': '*',
  'autopurge.purgeInterval': 0,
} as const;

const LOGGING = `log4j.rootLogger=WARN, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{ISO8601} [%t] %-5p %c{1} - %m%n
`;

/** A ZooKeeper server on a free loopback port with a data folder of its own. */
export class ZookeeperServer extends ControlledServer {
  readonly version: string;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #program: Program;
  readonly #dataDir: string;
  readonly #forceSync: boolean;

  constructor(
    program: Program,
    dir: string,
    member: Member,
    ensemble: readonly Member[],
    options: ZookeeperOptions,
  ) {
    super({
      name: `zookeeper ${program.version} on port ${member.client}`,
      dir,
      startTimeoutMs: 90_000,
      stopTimeoutMs: 20_000,
    });
    this.version = program.version;
    this.port = member.client;
    this.#program = program;
    this.#forceSync = options.forceSync ?? false;
    this.#dataDir = join(dir, 'data');
    mkdirSync(this.#dataDir);
    const lines: Record<string, string | number> = {
      ...DEFAULTS,
      clientPort: member.client,
      clientPortAddress: this.host,
      dataDir: this.#dataDir,
      ...options.settings,
    };
    if (ensemble.length > 1) {
      writeFileSync(join(this.#dataDir, 'myid'), `${member.id}\n`);
      if (member.role === 'observer') lines.peerType = 'observer';
      for (const { id, role, peer, election } of ensemble)
        lines[`server.${id}`] = `${this.host}:${peer}:${election}:${role}`;
    }
    const config = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(dir, 'zoo.cfg'), config.join(''));
    writeFileSync(join(dir, 'log4j.properties'), LOGGING);
  }

  /** host:port */
  get connectString(): string {
    return `${this.host}:${this.port}`;
  }

  /** A four-letter command's answer, '' where there is none (not serving, no quorum). */
  ask(command: 'ruok' | 'srvr' | 'mntr' | 'cons' | 'dump' | 'wchs'): Promise<string> {
    return fourLetters(this.port, command);
  }

  /** standalone, leader, follower or observer; undefined while it has no quorum or does not run. */
  async mode(): Promise<string | undefined> {
    return /^Mode: (\w+)$/m.exec(await this.ask('srvr'))?.[1];
  }

  /** Stops it and forgets all it stored; `start` brings an empty one to the same port. Single servers only. */
  async wipe(): Promise<void> {
    await this.kill();
    rmSync(this.#dataDir, { recursive: true });
    mkdirSync(this.#dataDir);
  }

  protected override launch(): KeptProcessOptions {
    const jvm = [
      '-Xmx128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-XX:-UsePerfData',
      '-Dzookeeper.jmx.log4j.disable=true',
    ];
    const jars = (this.#program.paths.classPath ?? '').split(':');
    return {
      command: [
        ...this.#program.command,
        ...jvm,
        // kill -9 of the server loses nothing without it; a power cut is not tested
        `-Dzookeeper.forceSync=${this.#forceSync ? 'yes' : 'no'}`,
        '-cp',
        [this.dir, ...jars].join(':'),
        'org.apache.zookeeper.server.quorum.QuorumPeerMain',
        join(this.dir, 'zoo.cfg'),
      ],
      cwd: this.dir,
      env: this.#program.env,
      logFile: join(this.dir, 'server.log'),
    };
  }

  protected override async answers(): Promise<boolean> {
    return (await this.mode()) !== undefined;
  }

  protected override async hangUp(): Promise<void> {}
}

/** Three voters and, on wish, an observer, as between sites. */
export class ZookeeperEnsemble implements AsyncDisposable {
  /** Voters first, then the observer. */
  readonly members: readonly ZookeeperServer[];

  constructor(members: readonly ZookeeperServer[]) {
    this.members = members;
  }

  /** All members: host:port,host:port,… */
  get connectString(): string {
    return this.members.map((member) => member.connectString).join(',');
  }

  async leader(): Promise<ZookeeperServer | undefined> {
    for (const member of this.members)
      if (member.isRunning && (await member.mode()) === 'leader') return member;
    return undefined;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.dispose()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Starts `voters` participants (1: standalone) and `observers`; settles when all serve. */
export async function startMembers(
  counts: { readonly voters: number; readonly observers: number },
  options: ZookeeperOptions,
): Promise<ZookeeperServer[]> {
  const program = await programOf('zookeeper');
  for (let attempt = 1; ; attempt++) {
    const plan: Member[] = [];
    for (let id = 1; id <= counts.voters + counts.observers; id++) {
      const role = id <= counts.voters ? 'participant' : 'observer';
      plan.push({ id, role, client: await freePort(), peer: await freePort(), election: await freePort() });
    }
    const members: ZookeeperServer[] = [];
    for (const member of plan) {
      const dir = await temporaryFolder('zookeeper');
      const seen: Member[] = [];
      for (const other of plan)
        seen.push(other === member ? other : ((await options.seenBy?.(member, other)) ?? other));
      members.push(new ZookeeperServer(program, dir, member, seen, options));
    }
    try {
      await Promise.all(members.map((member) => member.launchOnly()));
      await Promise.all(members.map((member) => member.ready()));
      return members;
    } catch (error) {
      await Promise.all(members.map((member) => member.dispose()));
      if (!(error instanceof PortTaken) || attempt === 5) throw error;
    }
  }
}

function fourLetters(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let answer = '';
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on('connect', () => socket.write(command));
    socket.on('data', (data) => {
      answer += String(data);
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}
