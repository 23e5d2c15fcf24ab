/**
 * A backlog on a real source: sysbench's `oltp_write_only`, run with nobody following. Before it, the source's data folder is
 * copied: every target begins as exactly what the source was.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DatabaseServer, Settings } from '../test/support/database-server.ts';
import { programOf } from '../test/support/inventory.ts';
import { temporaryFolder } from '../test/support/kept-process.ts';
import { startDatabase } from '../test/support/servers.ts';

export type BenchFlavour = 'mariadb' | 'mysql';

export const SCHEMA = 'sbtest';
/** Its only row is the last change of the backlog: where it is, everything is. */
export const END_TABLE = 'backlog_end';

const run = promisify(execFile);

export interface BacklogOptions {
  readonly flavour: BenchFlavour;
  readonly transactions: number;
  readonly tables: number;
  readonly tableRows: number;
  /** sysbench's --rand-type. */
  readonly distribution: 'special' | 'uniform';
}

/** The same for source and targets, Holt's and the replica's. */
export function benchSettings(flavour: BenchFlavour): Settings {
  const common: Settings = {
    innodb_buffer_pool_size: '1G',
    innodb_flush_log_at_trx_commit: 2,
    sync_binlog: 0,
    binlog_row_image: 'FULL',
    max_allowed_packet: '64M',
  };
  switch (flavour) {
    case 'mariadb':
      return { ...common, innodb_log_file_size: '512M' };
    case 'mysql':
      return { ...common, innodb_redo_log_capacity: '1G' };
    default:
      return flavour satisfies never;
  }
}

export class Backlog implements AsyncDisposable {
  readonly options: BacklogOptions;
  readonly source: DatabaseServer;
  /** GTID set of the source before the first transaction. */
  readonly start: string;
  readonly binlogBytes: number;
  readonly #snapshot: string;

  private constructor(parts: {
    readonly options: BacklogOptions;
    readonly source: DatabaseServer;
    readonly start: string;
    readonly binlogBytes: number;
    readonly snapshot: string;
  }) {
    this.options = parts.options;
    this.source = parts.source;
    this.start = parts.start;
    this.binlogBytes = parts.binlogBytes;
    this.#snapshot = parts.snapshot;
  }

  static async make(options: BacklogOptions, say: (text: string) => void): Promise<Backlog> {
    const { flavour, tables, tableRows, transactions } = options;
    const source = await startDatabase(flavour, { settings: benchSettings(flavour) });
    try {
      await source.db.query(`CREATE DATABASE ${SCHEMA} CHARACTER SET utf8mb4`);
      await source.db.query(
        `CREATE TABLE ${SCHEMA}.${END_TABLE} (id INT NOT NULL PRIMARY KEY) ENGINE=InnoDB`,
      );
      say(`loading ${tables} tables of ${tableRows} rows`);
      await sysbench(source, options, ['--threads=1', 'prepare']);
      await source.stop();
      const snapshot = join(await temporaryFolder('snapshot'), 'data');
      await copyFolder(source.dataDir, snapshot);
      // Targets begin with logs and identities of their own.
      for (const name of await readdir(snapshot))
        if (/^binlog\.|^auto\.cnf$|^mysql\.(sock|pid)/.test(name))
          await rm(join(snapshot, name), { force: true });
      await source.start();
      await source.db.query('FLUSH BINARY LOGS');
      const start = await gtids(source);
      say(`running ${transactions} transactions`);
      await sysbench(source, options, ['--threads=4', `--events=${transactions}`, '--time=0', 'run']);
      await source.db.query(`INSERT INTO ${SCHEMA}.${END_TABLE} VALUES (1)`);
      const logs = await source.db.query('SHOW BINARY LOGS');
      const binlogBytes = Number(logs.at(-1)?.File_size ?? 0);
      return new Backlog({ options, source, start, binlogBytes, snapshot });
    } catch (error) {
      await source.dispose();
      throw error;
    }
  }

  /** sysbench's transaction is an update of an indexed column, one of another, a DELETE and an INSERT. */
  get rows(): number {
    return this.options.transactions * 4;
  }

  get tables(): readonly string[] {
    return [...Array.from({ length: this.options.tables }, (_, i) => `sbtest${i + 1}`), END_TABLE];
  }

  /** A server that is what the source was before the backlog, its tables in memory. */
  async target(settings: Settings = {}): Promise<DatabaseServer> {
    const { flavour } = this.options;
    const target = await startDatabase(flavour, { settings: { ...benchSettings(flavour), ...settings } });
    try {
      await this.reset(target);
      return target;
    } catch (error) {
      await target.dispose();
      throw error;
    }
  }

  /** Makes a target what the source was before the backlog, on the same port. */
  async reset(target: DatabaseServer): Promise<void> {
    await target.stop();
    await rm(target.dataDir, { recursive: true });
    await copyFolder(this.#snapshot, target.dataDir);
    await target.start();
    for (const table of this.tables.slice(0, -1)) {
      await target.db.query(`SELECT SUM(LENGTH(pad)) FROM ${SCHEMA}.${table} FORCE INDEX (PRIMARY)`);
      const [, n] = /(\d+)$/.exec(table) ?? [];
      await target.db.query(`SELECT COUNT(k) FROM ${SCHEMA}.${table} FORCE INDEX (k_${n}) WHERE k > 0`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.dispose();
  }
}

/** The server's GTIDs, as it and Holt's positions write them. */
async function gtids(server: DatabaseServer): Promise<string> {
  const variable = server.flavour === 'mariadb' ? '@@gtid_binlog_pos' : '@@global.gtid_executed';
  return ((await server.db.value(`SELECT ${variable}`)) ?? '').replace(/\s/g, '');
}

async function sysbench(
  server: DatabaseServer,
  options: BacklogOptions,
  args: readonly string[],
): Promise<void> {
  const program = await programOf('sysbench');
  const [command, ...words] = program.command;
  if (command === undefined) throw new Error('sysbench has no command');
  // Logging in once through another client leaves the account in the server's cache: no TLS is needed for the rest.
  await server.db.query('SELECT 1');
  await run(
    command,
    [
      ...words,
      join(program.paths.lua ?? '/usr/share/sysbench', 'oltp_write_only.lua'),
      '--db-driver=mysql',
      '--mysql-host=127.0.0.1',
      `--mysql-port=${server.port}`,
      `--mysql-user=${server.db.user}`,
      `--mysql-password=${server.db.password}`,
      `--mysql-db=${SCHEMA}`,
      `--tables=${options.tables}`,
      `--table-size=${options.tableRows}`,
      `--rand-type=${options.distribution}`,
      '--rand-seed=1',
      '--report-interval=0',
      ...args,
    ],
    { env: { ...process.env, ...program.env }, maxBuffer: 16 * 1024 * 1024 },
  );
}

/** `cp` shares blocks where the file system can; a plain copy elsewhere. */
async function copyFolder(from: string, to: string): Promise<void> {
  try {
    await run('cp', ['-R', '--reflink=auto', '--sparse=auto', from, to]);
  } catch {
    await cp(from, to, { recursive: true });
  }
}

/** CPU seconds of a process so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
