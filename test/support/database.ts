import { randomBytes } from 'node:crypto';
import mysql from 'mysql2/promise';

export const DATABASE_FLAVOURS = ['mariadb', 'mysql', 'mysql56'] as const;
export type DatabaseFlavour = (typeof DATABASE_FLAVOURS)[number];

/** What it takes to log in, with all privileges. Plain data: it travels between processes. */
export interface DatabaseEndpoint {
  readonly flavour: DatabaseFlavour;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Column name → value. Integers beyond 2^53, decimals and dates come as text, BLOB and BINARY as Buffer. */
export type Row = Record<string, unknown>;

export interface ConnectOptions {
  readonly schema?: string;
  readonly user?: string;
  readonly password?: string;
  readonly multipleStatements?: boolean;
}

/** Plain SQL to a server under test, through mysql2 and nothing of Holt. */
export class Database implements AsyncDisposable {
  readonly flavour: DatabaseFlavour;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  #pool: mysql.Pool | undefined;

  constructor(endpoint: DatabaseEndpoint) {
    this.flavour = endpoint.flavour;
    this.host = endpoint.host;
    this.port = endpoint.port;
    this.user = endpoint.user;
    this.password = endpoint.password;
  }

  get endpoint(): DatabaseEndpoint {
    const { flavour, host, port, user, password } = this;
    return { flavour, host, port, user, password };
  }

  /** mysql://user:password@host:port */
  get url(): string {
    return `mysql://${encodeURIComponent(this.user)}:${encodeURIComponent(this.password)}@${this.host}:${this.port}`;
  }

  /**
   * One statement (or several, separated by semicolons) on a connection of its own choice; values are bound to `?`.
   * Gives the rows of the (last) result set, none for a statement without one.
   */
  async query<R extends Row = Row>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    this.#pool ??= mysql.createPool({ ...this.#settings({ multipleStatements: true }), connectionLimit: 4 });
    const [result] = await this.#pool.query(sql, [...values]);
    const last = Array.isArray(result) && Array.isArray(result.at(-1)) ? result.at(-1) : result;
    return Array.isArray(last) ? (last.filter((row) => !isOutcome(row)) as R[]) : [];
  }

  /** The single value of the first row, as text; undefined where there is no row, null for NULL. */
  async value(sql: string, values: readonly unknown[] = []): Promise<string | null | undefined> {
    const [row] = await this.query(sql, values);
    if (row === undefined) return undefined;
    const [value] = Object.values(row);
    return value === null ? null : String(value);
  }

  /** A connection of one's own, for transactions and session settings; the caller ends it. */
  connect(options: ConnectOptions = {}): Promise<mysql.Connection> {
    return mysql.createConnection(this.#settings(options));
  }

  /** Creates an empty schema whose name begins as given and is in use nowhere else. */
  async freshSchema(prefix = 't'): Promise<string> {
    const name = `${prefix.replace(/[^a-z0-9_]/gi, '_').slice(0, 40)}_${randomBytes(4).toString('hex')}`;
    await this.query(`CREATE DATABASE \`${name}\` CHARACTER SET utf8mb4`);
    return name;
  }

  /** Ends the connections behind `query`; the next `query` opens new ones. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end().catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #settings(options: ConnectOptions): mysql.ConnectionOptions {
    return {
      host: this.host,
      port: this.port,
      user: options.user ?? this.user,
      password: options.password ?? this.password,
      ...(options.schema === undefined ? {} : { database: options.schema }),
      multipleStatements: options.multipleStatements ?? false,
      supportBigNumbers: true,
      bigNumberStrings: false,
      dateStrings: true,
      connectTimeout: 10_000,
    };
  }
}

/** Among the results of several statements stand those without rows, too. */
function isOutcome(row: unknown): boolean {
  return typeof row === 'object' && row !== null && row.constructor.name === 'ResultSetHeader';
}

/** `mysql://user:password@host:port`, as the environment gives it. */
export function endpointOf(flavour: DatabaseFlavour, url: string): DatabaseEndpoint {
  const { protocol, hostname, port, username, password } = new URL(url);
  if (!/^(mysql|mariadb):$/.test(protocol)) throw new Error(`${flavour}: the URL must begin with mysql://`);
  return {
    flavour,
    host: hostname,
    port: port === '' ? 3306 : Number(port),
    user: decodeURIComponent(username || 'root'),
    password: decodeURIComponent(password),
  };
}
