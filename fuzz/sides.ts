/** The two servers of a run, and one case's schemas on them. */
import type { Connection } from 'mysql2/promise';
import { Database, type DatabaseEndpoint } from '../test/support/database.ts';
import type { DatabaseServer, Settings } from '../test/support/database-server.ts';
import { startDatabase } from '../test/support/servers.ts';
import { createTableSql, type FuzzCase, lateKeySql, PAIRS, type PairName, quoted } from './case.ts';

export const SCHEMA_PREFIX = 'fuzz_';
/** A row in it ends what is to be read. */
export const MARKER_TABLE = 'zz_marker';

/** What a process needs to use servers that another one started. */
export interface SidesEndpoints {
  readonly source: DatabaseEndpoint;
  readonly target: DatabaseEndpoint;
}

/** Nothing here is to survive: the servers need not wait for any disk. */
const QUICK: Settings = { innodb_flush_log_at_trx_commit: 0, sync_binlog: 0, innodb_doublewrite: 0 };

export class Sides implements AsyncDisposable {
  readonly source: Database;
  readonly target: Database;
  readonly #servers: readonly DatabaseServer[];

  private constructor(source: Database, target: Database, servers: readonly DatabaseServer[]) {
    this.source = source;
    this.target = target;
    this.#servers = servers;
  }

  static async start(pair: PairName): Promise<Sides> {
    const [from, to] = PAIRS[pair];
    const servers: DatabaseServer[] = [];
    try {
      for (const flavour of [from, to])
        servers.push(await startDatabase(flavour, { settings: { ...QUICK, max_allowed_packet: '64M' } }));
      const [source, target] = servers;
      if (source === undefined || target === undefined) throw new Error('no servers');
      return new Sides(source.db, target.db, servers);
    } catch (error) {
      for (const server of servers) await server.dispose();
      throw error;
    }
  }

  static at(endpoints: SidesEndpoints): Sides {
    return new Sides(new Database(endpoints.source), new Database(endpoints.target), []);
  }

  get endpoints(): SidesEndpoints {
    return { source: this.source.endpoint, target: this.target.endpoint };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source.close();
    await this.target.close();
    for (const server of this.#servers) await server.dispose();
  }
}

const LENIENT = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'";

/**
 * Both schemas with the case's tables. Nothing of it is in the source's log but, for a reader that begins before and is to know them however
 * late it comes, how the tables were made.
 */
export async function createTables(
  sides: Sides,
  one: FuzzCase,
  schema: string,
  isLogged: boolean,
): Promise<void> {
  for (const side of ['source', 'target'] as const) {
    const connection = await sides[side].connect();
    try {
      await connection.query('SET SESSION sql_log_bin = 0');
      await connection.query(LENIENT);
      await connection.query('SET SESSION foreign_key_checks = 0');
      await connection.query(`CREATE DATABASE ${quoted(schema)} CHARACTER SET utf8mb4`);
      await connection.query(`USE ${quoted(schema)}`);
      if (isLogged && side === 'source') await connection.query('SET SESSION sql_log_bin = 1');
      for (const table of one.tables)
        for (const sql of createTableSql(table, side)) await connection.query(sql);
      await connection.query('SET SESSION sql_log_bin = 0');
      for (const sql of lateKeySql(one.tables)) await connection.query(sql);
      await connection.query(`CREATE TABLE ${MARKER_TABLE} (id INT PRIMARY KEY) ENGINE=InnoDB`);
    } finally {
      await connection.end();
    }
  }
}

export async function dropTables(sides: Sides, schema: string): Promise<void> {
  for (const side of ['source', 'target'] as const) {
    const connection = await sides[side].connect();
    try {
      await connection.query('SET SESSION sql_log_bin = 0');
      await connection.query('SET SESSION foreign_key_checks = 0');
      await connection.query(`DROP DATABASE IF EXISTS ${quoted(schema)}`);
    } finally {
      await connection.end();
    }
  }
}

/** A session at a side as the case wants it. */
export async function openSession(
  db: Database,
  schema: string,
  session: readonly string[],
): Promise<Connection> {
  const connection = await db.connect({ schema });
  await connection.query(LENIENT);
  for (const sql of session) await connection.query(sql);
  return connection;
}
