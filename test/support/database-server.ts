import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ControlledServer, PortTaken } from './controlled-server.ts';
import { Database, type DatabaseFlavour } from './database.ts';
import { freePort } from './free-port.ts';
import { type Program, programOf } from './inventory.ts';
import type { KeptProcessOptions } from './kept-process.ts';
import { temporaryFolder } from './kept-process.ts';

/** Server options as in my.cnf, underscores or dashes; `true` is an option without value, null takes a default away. */
export type Settings = Readonly<Record<string, string | number | true | null>>;

export interface DatabaseServerOptions {
  /** Beside or in place of the defaults, for instance `{ binlog_row_image: 'MINIMAL' }`. */
  readonly settings?: Settings;
  /** Default: a number of its own within this process. */
  readonly serverId?: number;
  /** What its clock shows, in the words of libfaketime: `+3s`, `-3s`, `+0`. It can be set while the server runs, see `setClock`. */
  readonly clock?: string;
}

const PASSWORD = 'holt';
const START_TIMEOUT_MS = 60_000;

let lastServerId = 100;

/**
 * MariaDB or MySQL as a child process on a free loopback port, with an empty data folder of its own, row binlog on,
 * and `root` with a password. Its log is flushed as a test needs it: kill -9 of the server loses nothing, a power cut would.
 */
export class DatabaseServer extends ControlledServer {
  readonly flavour: DatabaseFlavour;
  readonly version: string;
  readonly port: number;
  readonly db: Database;
  readonly #program: Program;
  /** Preloaded for a clock of its own; null where it has the machine's. */
  readonly #fakeTime: Program | null;
  #settings: Settings;

  private constructor(
    flavour: DatabaseFlavour,
    { program, fakeTime }: { readonly program: Program; readonly fakeTime: Program | null },
    placement: { readonly dir: string; readonly port: number },
    settings: Settings,
  ) {
    super({
      name: `${flavour} ${program.version} on port ${placement.port}`,
      dir: placement.dir,
      startTimeoutMs: START_TIMEOUT_MS,
      stopTimeoutMs: 60_000,
    });
    this.flavour = flavour;
    this.version = program.version;
    this.port = placement.port;
    this.db = new Database({
      flavour,
      host: '127.0.0.1',
      port: placement.port,
      user: 'root',
      password: PASSWORD,
    });
    this.#program = program;
    this.#fakeTime = fakeTime;
    this.#settings = settings;
  }

  /** A running server; `ServerUnavailable` where this machine has none of the flavour. */
  static async start(flavour: DatabaseFlavour, options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
    const program = await programOf(flavour);
    const fakeTime = options.clock === undefined ? null : await programOf('libfaketime');
    const template = await dataTemplate(flavour, program, program.cacheDir);
    const serverId = options.serverId ?? ++lastServerId;
    for (let attempt = 1; ; attempt++) {
      const dir = await temporaryFolder(flavour);
      await copyFolder(template, join(dir, 'data'));
      const placement = { dir, port: await freePort() };
      const server = new DatabaseServer(flavour, { program, fakeTime }, placement, {
        server_id: serverId,
        ...options.settings,
      });
      try {
        if (options.clock !== undefined) await server.setClock(options.clock);
        await server.start();
        return server;
      } catch (error) {
        await server.dispose();
        if (!(error instanceof PortTaken) || attempt === 5) throw error;
      }
    }
  }

  /** Moves its clock, within a second; only where it was started with one of its own. */
  async setClock(text: string): Promise<void> {
    await writeFile(join(this.dir, 'clock'), `${text}\n`);
  }

  /** Where its binlog files and tables are. */
  get dataDir(): string {
    return join(this.dir, 'data');
  }

  /** Stops, changes settings (null goes back to the server's default), and starts again on the same data. */
  async restartWith(settings: Settings): Promise<void> {
    await this.stop();
    this.#settings = { ...this.#settings, ...settings };
    await this.start();
  }

  /** The binlog files' full paths, oldest first. */
  async binlogFiles(): Promise<string[]> {
    const rows = await this.db.query('SHOW BINARY LOGS');
    return rows.map((row) => join(this.dataDir, String(row.Log_name)));
  }

  protected override launch(): KeptProcessOptions {
    const settings = { ...commonSettings(this.flavour), ...this.#settings, port: this.port };
    return {
      command: [
        ...this.#program.command,
        ...fixedArguments(this.flavour, this.#program, this.dataDir),
        ...toArguments(settings),
      ],
      cwd: this.dir,
      env: { ...this.#program.env, ...this.#clockEnv() },
      logFile: join(this.dir, 'server.log'),
    };
  }

  /** Only what time it is: how long something takes stays as it is. */
  #clockEnv(): Readonly<Record<string, string>> {
    if (this.#fakeTime === null) return {};
    return {
      ...this.#fakeTime.env,
      FAKETIME_TIMESTAMP_FILE: join(this.dir, 'clock'),
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  protected override async answers(): Promise<boolean> {
    return logsIn(this.db);
  }

  protected override hangUp(): Promise<void> {
    return this.db.close();
  }
}

async function logsIn(db: Database): Promise<boolean> {
  try {
    const connection = await db.connect();
    connection.destroy();
    return true;
  } catch {
    return false;
  }
}

/** What tests want of every server: small, quick, and logging rows. */
function commonSettings(flavour: DatabaseFlavour): Settings {
  const common: Settings = {
    'bind-address': '127.0.0.1',
    'skip-name-resolve': true,
    performance_schema: 'OFF',
    character_set_server: 'utf8mb4',
    max_connections: 200,
    table_open_cache: 400,
    innodb_buffer_pool_size: '64M',
    innodb_flush_log_at_trx_commit: 2,
    sync_binlog: 0,
    log_bin: 'binlog',
    binlog_format: 'ROW',
    max_binlog_size: '1G',
  };
  switch (flavour) {
    case 'mariadb':
      return { ...common, log_slave_updates: 'ON', innodb_log_file_size: '32M' };
    case 'mysql': {
      // The row format is the only one left and naming it is a warning at best.
      const { binlog_format: _, ...kept } = common;
      return {
        ...kept,
        gtid_mode: 'ON',
        enforce_gtid_consistency: 'ON',
        innodb_redo_log_capacity: '64M',
        mysqlx: 'OFF',
        secure_file_priv: 'NULL',
      };
    }
    case 'mysql56':
      return {
        ...common,
        innodb_file_per_table: 'ON',
        sql_mode: 'NO_ENGINE_SUBSTITUTION,STRICT_TRANS_TABLES',
      };
    default:
      return flavour satisfies never;
  }
}

function fixedArguments(flavour: DatabaseFlavour, program: Program, dataDir: string): string[] {
  const base = program.paths.base ?? '/usr';
  const share = program.paths.share ?? join(base, 'share', 'mysql');
  const args = ['--no-defaults', `--basedir=${base}`, `--datadir=${dataDir}`, `--lc-messages-dir=${share}`];
  args.push(`--character-sets-dir=${join(share, 'charsets')}`);
  // Relative to the data folder: the path of a socket must be shorter than many a temporary folder's.
  args.push('--socket=mysql.sock', '--pid-file=mysql.pid', `--tmpdir=${dataDir}/..`);
  if (flavour === 'mysql') args.push(`--plugin-dir=${join(base, 'lib', 'mysql', 'plugin')}`);
  if (flavour === 'mariadb') args.push(`--plugin-dir=${join(base, 'lib', 'mysql', 'plugin')}`);
  if (process.getuid?.() === 0) args.push('--user=root');
  return args;
}

function toArguments(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => {
    if (value === null) return [];
    return value === true ? [`--${name}`] : [`--${name}=${value}`];
  });
}

/**
 * An initialised data folder with our `root` in it, made once per server version and copied ever after: a copy takes
 * a tenth of a second, initialising several seconds.
 */
async function dataTemplate(flavour: DatabaseFlavour, program: Program, cacheDir: string): Promise<string> {
  const parent = join(cacheDir, 'data');
  const template = join(parent, `${flavour}-${program.version}-1`);
  if (existsSync(template)) return template;
  await mkdir(parent, { recursive: true });
  // Beside its final place, so that the last step is a rename; two processes may do this at once, one rename wins.
  const work = await mkdtemp(join(parent, `.${flavour}-`));
  try {
    const data = join(work, 'data');
    await mkdir(data);
    await initialise(flavour, program, data);
    await addRoot(flavour, program, work);
    await rename(data, template).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return template;
}

async function initialise(flavour: DatabaseFlavour, program: Program, data: string): Promise<void> {
  const [command, ...words] = program.command;
  if (command === undefined) throw new Error(`${flavour}: the program has no command`);
  switch (flavour) {
    case 'mariadb': {
      const args = ['--no-defaults', `--basedir=${program.paths.base}`, `--datadir=${data}`];
      args.push('--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=32M');
      if (process.getuid?.() === 0) args.push('--user=root');
      return runToEnd(program.paths.installDb ?? 'mariadb-install-db', args, program.env);
    }
    case 'mysql':
      return runToEnd(
        command,
        [
          ...words,
          ...fixedArguments(flavour, program, data),
          '--initialize-insecure',
          '--innodb-redo-log-capacity=64M',
        ],
        program.env,
      );
    case 'mysql56':
      // The package ships an initialised folder, and no script to make one.
      await rm(data, { recursive: true });
      return copyFolder(program.paths.data ?? '', data);
    default:
      return flavour satisfies never;
  }
}

/** Runs the server once on the new folder for the account that the tests log in with. */
async function addRoot(flavour: DatabaseFlavour, program: Program, work: string): Promise<void> {
  const users = flavour === 'mariadb' ? 'mysql.global_priv' : 'mysql.user';
  const create =
    flavour === 'mysql56'
      ? [`GRANT ALL ON *.* TO 'root'@'%' IDENTIFIED BY '${PASSWORD}' WITH GRANT OPTION`]
      : [
          `CREATE USER 'root'@'%' IDENTIFIED BY '${PASSWORD}'`,
          `GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION`,
        ];
  // One statement a line: an init file knows no other separator on the older servers.
  const sql = [`DELETE FROM ${users} WHERE host <> 'localhost' OR user = ''`, 'FLUSH PRIVILEGES', ...create];
  const initFile = join(work, 'root.sql');
  await writeFile(initFile, `${sql.join(';\n')};\n`);
  const port = await freePort();
  const server = new InitialisingServer(flavour, program, work, port, initFile);
  await server.start();
  await server.stop();
  for (const own of ['auto.cnf', 'mysql.sock', 'mysql.sock.lock'])
    await rm(join(work, 'data', own), { force: true });
}

/** A server on a folder in the cache, up for as long as its init file takes. */
class InitialisingServer extends ControlledServer {
  readonly #launch: KeptProcessOptions;
  readonly #db: Database;

  constructor(flavour: DatabaseFlavour, program: Program, work: string, port: number, initFile: string) {
    super({
      name: `${flavour} ${program.version} being initialised`,
      dir: work,
      startTimeoutMs: START_TIMEOUT_MS,
      stopTimeoutMs: START_TIMEOUT_MS,
    });
    const {
      log_bin: _,
      binlog_format: __,
      gtid_mode: ___,
      enforce_gtid_consistency: ____,
      ...settings
    } = commonSettings(flavour);
    const withoutBinlog: Settings = flavour === 'mysql' ? { ...settings, 'skip-log-bin': true } : settings;
    const args = toArguments({ ...withoutBinlog, log_slave_updates: null, port, init_file: initFile });
    this.#db = new Database({ flavour, host: '127.0.0.1', port, user: 'root', password: PASSWORD });
    this.#launch = {
      command: [...program.command, ...fixedArguments(flavour, program, join(work, 'data')), ...args],
      cwd: work,
      env: program.env,
      logFile: join(work, 'server.log'),
    };
  }

  protected override launch(): KeptProcessOptions {
    return this.#launch;
  }

  protected override answers(): Promise<boolean> {
    return logsIn(this.#db);
  }

  protected override hangUp(): Promise<void> {
    return this.#db.close();
  }
}

const execute = promisify(execFile);

/** `cp` shares blocks where the file system can and keeps sparse files sparse. */
async function copyFolder(from: string, to: string): Promise<void> {
  await execute('cp', ['-R', '--reflink=auto', '--sparse=auto', from, to]);
}

async function runToEnd(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  try {
    await execute(command, [...args], { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stderr, stdout } = error as { stderr?: string; stdout?: string };
    throw new Error(`${command} failed:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error });
  }
}
