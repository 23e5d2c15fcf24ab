/**
 * A backlog on a real source, made with nobody following. Before it, the source's data folder is copied: every target begins as
 * exactly what the source was.
 *
 * It comes in parts, each ended by a row of its own in `backlog_end`: where that row is, the part is. So a side that takes many
 * minutes can be timed over the first parts only, and still has to end with equal tables.
 */
import { execFile } from 'node:child_process';
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compareSchemas } from '../test/support/compare-schemas.ts';
import type { DatabaseServer, Settings } from '../test/support/database-server.ts';
import { temporaryFolder } from '../test/support/kept-process.ts';
import { startDatabase } from '../test/support/servers.ts';
import { type BenchFlavour, benchSettings, type Flush, flushStatement } from './bench-servers.ts';
import type { Say } from './recorder.ts';

export const SCHEMA = 'sbtest';
export const END_TABLE = 'backlog_end';
export const PARTS = 20;
/** Of larger tables it is only said that they differ. */
const EXPLAINED_ROWS = 200_000;

const run = promisify(execFile);

/** What the tables are, and what is done to them. */
export interface BacklogPlan {
  readonly name: string;
  /** Without `backlog_end`, as they are in the end. */
  readonly tables: readonly string[];
  /** Further settings of every server. */
  readonly settings?: Settings;
  prepare(source: DatabaseServer): Promise<void>;
  /** Does the part (from 0, of `PARTS`); gives the row changes that the log got by it. */
  write(source: DatabaseServer, part: number): Promise<number>;
  /** Brings a target's tables into its memory. */
  warm?(target: DatabaseServer): Promise<void>;
}

export interface BacklogOptions {
  readonly flavour: BenchFlavour;
  readonly flush: Flush;
  readonly plan: BacklogPlan;
}

export class Backlog implements AsyncDisposable {
  readonly options: BacklogOptions;
  readonly source: DatabaseServer;
  /** GTID set of the source before the first transaction. */
  readonly start: string;
  readonly binlogBytes: number;
  /** Row changes up to the end of each part, the rows of `backlog_end` left out. */
  readonly rowsBehind: readonly number[];
  readonly #snapshot: string;
  #checksums: ReadonlyMap<string, string> | null = null;

  private constructor(parts: {
    readonly options: BacklogOptions;
    readonly source: DatabaseServer;
    readonly start: string;
    readonly binlogBytes: number;
    readonly rowsBehind: readonly number[];
    readonly snapshot: string;
  }) {
    this.options = parts.options;
    this.source = parts.source;
    this.start = parts.start;
    this.binlogBytes = parts.binlogBytes;
    this.rowsBehind = parts.rowsBehind;
    this.#snapshot = parts.snapshot;
  }

  static async make(options: BacklogOptions, say: Say): Promise<Backlog> {
    const { flavour, plan } = options;
    // The log is made quickly whatever is measured with it.
    const source = await startDatabase(flavour, {
      settings: { ...benchSettings(flavour, 'relaxed'), ...plan.settings },
    });
    try {
      await source.db.query(`CREATE DATABASE ${SCHEMA} CHARACTER SET utf8mb4`);
      await source.db.query(
        `CREATE TABLE ${SCHEMA}.${END_TABLE} (id INT NOT NULL PRIMARY KEY) ENGINE=InnoDB`,
      );
      say(`${plan.name}: making the tables`);
      await plan.prepare(source);
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
      const before = new Set((await source.db.query('SHOW BINARY LOGS')).map((one) => one.Log_name));
      const rowsBehind: number[] = [];
      for (let part = 0, rows = 0; part < PARTS; part++) {
        rows += await plan.write(source, part);
        rowsBehind.push(rows);
        await source.db.query(`INSERT INTO ${SCHEMA}.${END_TABLE} VALUES (${part + 1})`);
        if (part % 4 === 3) say(`backlog: ${rows} row changes`);
      }
      await source.db.query(flushStatement(options.flush));
      const logs = await source.db.query('SHOW BINARY LOGS');
      const last = [...before].at(-1);
      const binlogBytes = logs
        .filter((one) => one.Log_name === last || !before.has(one.Log_name))
        .reduce((sum, one) => sum + Number(one.File_size), 0);
      return new Backlog({ options, source, start, binlogBytes, rowsBehind, snapshot });
    } catch (error) {
      await source.dispose();
      throw error;
    }
  }

  get rows(): number {
    return this.rowsBehind.at(-1) ?? 0;
  }

  /** A server that is what the source was before the backlog, its tables in memory. */
  async target(settings: Settings = {}): Promise<DatabaseServer> {
    const { flavour, flush, plan } = this.options;
    const target = await startDatabase(flavour, {
      settings: { ...benchSettings(flavour, flush), ...plan.settings, ...settings },
    });
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
    await this.options.plan.warm?.(target);
  }

  /** Both servers count and sum up every row by themselves, which shares nothing with Holt. @throws Error naming what differs. */
  async mustBeEqual(target: DatabaseServer): Promise<void> {
    this.#checksums ??= await checksums(this.source, this.#tables);
    const found = await checksums(target, this.#tables);
    const differences = this.#tables.filter((table) => found.get(table) !== this.#checksums?.get(table));
    if (differences.length > 0)
      throw new Error(`not equal: ${await this.#explained(target, differences[0] ?? '')}`);
    const ends = await target.db.value(`SELECT COUNT(*) FROM ${SCHEMA}.${END_TABLE}`);
    if (ends !== String(PARTS)) throw new Error(`${ends} parts have ended, and there are ${PARTS}`);
  }

  async #explained(target: DatabaseServer, table: string): Promise<string> {
    const rows = Number(await this.source.db.value(`SELECT COUNT(*) FROM ${SCHEMA}.${table}`));
    if (rows > EXPLAINED_ROWS) return table;
    const { differences } = await compareSchemas(this.source.db, target.db, SCHEMA, [table]);
    const definitions = await Promise.all(
      [this.source, target].map(
        async ({ db }) => (await db.query(`SHOW CREATE TABLE ${SCHEMA}.${table}`))[0],
      ),
    );
    return `${table}: ${differences.join('; ')}; ${definitions.map((one) => one?.['Create Table']).join('\n')}`;
  }

  get #tables(): readonly string[] {
    return [...this.options.plan.tables, END_TABLE];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.dispose();
  }
}

/** Table → checksum of all its rows. */
async function checksums(
  server: DatabaseServer,
  tables: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const sums = new Map<string, string>();
  for (let at = 0; at < tables.length; at += 50) {
    const names = tables.slice(at, at + 50).map((table) => `${SCHEMA}.${table}`);
    for (const row of await server.db.query(`CHECKSUM TABLE ${names.join(', ')} EXTENDED`)) {
      const table = String(row.Table).slice(SCHEMA.length + 1);
      if (row.Checksum === null) throw new Error(`there is no table ${table}`);
      sums.set(table, String(row.Checksum));
    }
  }
  return sums;
}

/** The server's GTIDs, as it and Holt's positions write them. */
async function gtids(server: DatabaseServer): Promise<string> {
  const variable = server.flavour === 'mariadb' ? '@@gtid_binlog_pos' : '@@global.gtid_executed';
  return ((await server.db.value(`SELECT ${variable}`)) ?? '').replace(/\s/g, '');
}

/** `cp` shares blocks where the file system can; a plain copy elsewhere. */
async function copyFolder(from: string, to: string): Promise<void> {
  try {
    await run('cp', ['-R', '--reflink=auto', '--sparse=auto', from, to]);
  } catch {
    await cp(from, to, { recursive: true });
  }
}
