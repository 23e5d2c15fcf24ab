/**
 * `TargetSession` on mysql2. The driver brings handshake, authentication and TLS; the socket is ours, so that `destroy`
 * really destroys it (the driver's own `destroy` only ends it, which waits for a server that does not read).
 *
 * Bytes: the driver encodes a statement's text by the connection's character set. With `binary` its encoding is Node's
 * `latin1`, one byte a character, so a Buffer read as latin1 arrives byte for byte. The character set is asked for in the handshake
 * (5.6 does not report a later change, and the driver would go on with UTF-8) and by SET NAMES.
 */
import { readFileSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import mysql, { type Connection, type ConnectionOptions, type SslOptions } from 'mysql2';
import { abortable, withDeadline } from '../../../lib/abort.ts';
import { assert } from '../../../lib/assert.ts';
import { HoltError, messageOf } from '../../../lib/errors.ts';
import type { DataSourceConfig, TlsConfig } from '../../../model/config.ts';
import { binlogStatement, formatDescription } from './binlog-statement.ts';
import {
  DEFAULT_SESSION,
  needsRowFormat,
  readServer,
  readVariables,
  refuseUnfit,
  type SessionSettings,
  sessionStatement,
  VARIABLES_QUERY,
  verifyQuery,
  verifySession,
} from './session-settings.ts';
import {
  type StatementResult,
  TargetLinkError,
  type TargetServer,
  TargetServerError,
  type TargetSession,
} from './target-connection.ts';

export interface ConnectTargetOptions {
  readonly signal?: AbortSignal;
  readonly session?: Partial<SessionSettings>;
}

/** Opens a session, or rejects within `connectTimeoutMs` of the data source (login and settings included). */
export type ConnectTarget = (
  config: DataSourceConfig,
  options?: ConnectTargetOptions,
) => Promise<TargetSession>;

const CLOSE_DEADLINE_MS = 1000;
const KEEP_ALIVE_MS = 10_000;
/** V8 makes no longer strings. */
const MAX_STATEMENT_BYTES = 0x1fff_ffe8;

/**
 * @throws TargetLinkError when the server cannot be reached or does not answer in time; TargetServerError when it refuses;
 * HoltError when the session cannot be what it must be (HOLT_TARGET_READ_ONLY, HOLT_TARGET_BINLOG_FORMAT, HOLT_TARGET_SESSION, HOLT_TARGET_TLS).
 */
export const connectTarget: ConnectTarget = async (config, options = {}) => {
  const session = { ...DEFAULT_SESSION, ...options.session };
  options.signal?.throwIfAborted();
  const link = new Mysql2Connection(config);
  const opening = withDeadline(link.open(session), config.connectTimeoutMs, `connecting to ${config.name}`);
  try {
    await (options.signal === undefined ? opening : abortable(opening, options.signal));
    return link;
  } catch (error) {
    link.destroy();
    opening.catch(() => {});
    throw error instanceof Error && error.name === 'DeadlineError'
      ? new TargetLinkError(config.name, error.message)
      : error;
  }
};

class Mysql2Connection implements TargetSession {
  readonly #name: string;
  readonly #socket: Socket;
  readonly #connection: Connection;
  #server: TargetServer | null = null;
  #threadId = 0;
  #usable = true;
  #rowEventsAs: number | null = null;
  #busy = false;
  /** Rejects the statement in flight. */
  #giveUp: ((reason: Error) => void) | null = null;

  constructor(config: DataSourceConfig) {
    // What can throw comes before the socket: one that nobody holds would end the process by its error.
    const ssl = sslOptions(config.tls);
    const password = config.password.resolve();
    const socket = connectSocket({
      host: config.host,
      port: config.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    this.#name = config.name;
    this.#socket = socket;
    const options: ConnectionOptions = {
      host: config.host,
      port: config.port,
      user: config.user,
      password,
      charset: 'BINARY',
      connectTimeout: config.connectTimeoutMs,
      // FOUND_ROWS stays on: an UPDATE counts the rows it matched.
      flags: ['FOUND_ROWS', '-LOCAL_FILES', '-CLIENT_QUERY_ATTRIBUTES', '-IGNORE_SPACE', '-ODBC'],
      multipleStatements: false,
      rowsAsArray: true,
      typeCast: false,
      trace: false,
      // Statements are complete: without this the driver looks for placeholders in every byte of them.
      queryFormat: (sql: string) => sql,
      stream: () => socket,
      connectAttributes: { program_name: 'holt' },
      ...(ssl === null ? {} : { ssl }),
    };
    this.#connection = mysql.createConnection(options);
    // Failures between statements: the next statement finds the connection unusable.
    this.#connection.on('error', () => this.#fail());
    socket.on('close', () => {
      this.#fail();
      // The driver forgets a statement in flight once it is closing.
      this.#giveUp?.(new TargetLinkError(this.#name, 'the connection was closed'));
    });
  }

  get threadId(): number {
    return this.#threadId;
  }

  get server(): TargetServer {
    assert(this.#server !== null, 'the session is open');
    return this.#server;
  }

  get usable(): boolean {
    return this.#usable;
  }

  get rowEventsAs(): number | null {
    return this.#rowEventsAs;
  }

  /** Logs in and makes the session ours. */
  async open(session: SessionSettings): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#connection.connect((error) => (error ? reject(this.#translate(error)) : resolve()));
    });
    const variables = readVariables(await this.rows(VARIABLES_QUERY));
    this.#server = readServer(variables);
    if (session.writes) refuseUnfit(this.#name, variables);
    await this.execute(sessionStatement(session, variables));
    if (session.writes && needsRowFormat(variables))
      await this.#switchToRowFormat(variables.get('binlog_format'));
    if (session.writes && session.rowEvents) await this.#prepareForRowEvents(this.#server);
    const [verified] = await this.rows(verifyQuery(variables));
    verifySession(this.#name, verified ?? []);
    this.#threadId = Number(verified?.[0]?.toString('latin1'));
    assert(Number.isSafeInteger(this.#threadId), 'the server gives a connection id');
  }

  /**
   * Rows as events need a right of their own (MariaDB 10.5: BINLOG REPLAY; MySQL 8.0: REPLICATION_APPLIER, or BINLOG_ADMIN with the
   * right to set gtid_next): without it they go as statements. On MySQL the first event leaves the session with transactions that get no
   * GTID until it is told otherwise: whether it may be is tried before.
   */
  async #prepareForRowEvents({ flavour, version, versionNumber, serverId = 0 }: TargetServer): Promise<void> {
    if (versionNumber < (flavour === 'mariadb' ? 100_500 : 80_000) || serverId === 0) return;
    const first = binlogStatement(formatDescription(version, serverId));
    if (flavour === 'mariadb') {
      if (await this.#mayExecute(first)) this.#rowEventsAs = serverId;
      // Our statements are no text that somebody would look for in the log.
      await this.#mayExecute('SET SESSION binlog_annotate_row_events = OFF');
      return;
    }
    const settle = "SET SESSION gtid_next = 'AUTOMATIC', SESSION rbr_exec_mode = 'STRICT'";
    if (!(await this.#mayExecute(settle)) || !(await this.#mayExecute(first))) return;
    await this.execute(settle);
    this.#rowEventsAs = serverId;
  }

  async #mayExecute(sql: Buffer | string): Promise<boolean> {
    try {
      await this.execute(sql);
      return true;
    } catch (error) {
      if (!(error instanceof TargetServerError) || !this.#usable) throw error;
      return false;
    }
  }

  async #switchToRowFormat(format: string | undefined): Promise<void> {
    try {
      await this.execute("SET SESSION binlog_format = 'ROW'");
    } catch (error) {
      if (!(error instanceof TargetServerError)) throw error;
      throw new HoltError(
        'HOLT_TARGET_BINLOG_FORMAT',
        `${this.#name}: binlog_format is ${format}, and our session may not change it`,
        {
          disposition: 'retry',
          remedy:
            "Set binlog_format=ROW at the target, or grant Holt's account the right to set it for its sessions (MariaDB: BINLOG ADMIN, MySQL: SYSTEM_VARIABLES_ADMIN or SUPER).",
          facts: { variable: 'binlog_format', value: format, errno: error.errno },
          cause: error,
        },
      );
    }
    const [row] = await this.rows('SELECT @@session.binlog_format');
    assert(row?.[0]?.toString('latin1') === 'ROW', 'the session took binlog_format=ROW');
  }

  async execute(sql: Buffer | string): Promise<StatementResult> {
    const result = await this.#query(sql);
    if (Array.isArray(result)) return { affectedRows: 0, warningCount: 0, info: '' };
    const header = result as { affectedRows?: number; warningStatus?: number; info?: string };
    return {
      affectedRows: header.affectedRows ?? 0,
      warningCount: header.warningStatus ?? 0,
      info: withoutLength(header.info ?? ''),
    };
  }

  async rows(sql: Buffer | string): Promise<(Buffer | null)[][]> {
    const result = await this.#query(sql);
    assert(Array.isArray(result), 'the statement gives rows');
    return result as (Buffer | null)[][];
  }

  async ping(): Promise<void> {
    if (this.#busy || !this.#usable) return;
    await new Promise<void>((resolve, reject) => {
      this.#connection.ping((error) => (error ? reject(this.#translate(error)) : resolve()));
    });
  }

  async close(): Promise<void> {
    if (!this.#usable) return;
    this.#usable = false;
    const ended = new Promise<void>((resolve) => this.#connection.end(() => resolve()));
    await withDeadline(ended, CLOSE_DEADLINE_MS, 'saying goodbye').catch(() => {});
    this.#socket.destroy();
  }

  destroy(): void {
    this.#fail();
    this.#socket.destroy();
  }

  #query(sql: Buffer | string): Promise<unknown> {
    // What is queued behind a statement that fails would still be sent: nothing is ever queued.
    assert(!this.#busy, 'one statement at a time on a connection');
    if (!this.#usable) return Promise.reject(new TargetLinkError(this.#name, 'the connection is gone'));
    const text = latin1Text(sql);
    this.#busy = true;
    return new Promise<unknown>((resolve, reject) => {
      this.#giveUp = reject;
      this.#connection.query({ sql: text, rowsAsArray: true, typeCast: false }, (error, result) => {
        this.#busy = false;
        this.#giveUp = null;
        if (error) reject(this.#translate(error));
        else resolve(result);
      });
    });
  }

  /** The driver's error as one of ours. */
  #translate(error: unknown): Error {
    const facts = error as {
      errno?: unknown;
      sqlState?: unknown;
      code?: unknown;
      fatal?: unknown;
      sqlMessage?: unknown;
    };
    const answered = typeof facts.errno === 'number' && typeof facts.sqlState === 'string';
    if (!answered || facts.fatal === true || ENDS_SESSION.has(facts.errno as number)) this.#fail();
    if (
      facts.code === 'HANDSHAKE_NO_SSL_SUPPORT' ||
      facts.code === 'HANDSHAKE_SSL_ERROR' ||
      isCertificateError(facts.code)
    )
      return new HoltError('HOLT_TARGET_TLS', `no TLS session with ${this.#name}: ${messageOf(error)}`, {
        disposition: 'retry',
        cause: error,
      });
    if (answered)
      return new TargetServerError({
        server: this.#name,
        errno: facts.errno as number,
        sqlState: facts.sqlState as string,
        symbol: typeof facts.code === 'string' ? facts.code : 'ER_UNKNOWN',
        serverText: String(facts.sqlMessage ?? messageOf(error)),
      });
    return new TargetLinkError(this.#name, messageOf(error), { cause: error });
  }

  #fail(): void {
    this.#usable = false;
  }
}

/** Errors after which the server has ended the session: shutdown, packet too large, killed, killed (MariaDB), idle too long. */
const ENDS_SESSION = new Set([1053, 1153, 1927, 3169, 4031]);

/** From a server without session tracking (5.6) the driver gives the text with its length byte in front. */
function withoutLength(info: string): string {
  return info.charCodeAt(0) === info.length - 1 ? info.slice(1) : info;
}

function latin1Text(sql: Buffer | string): string {
  const bytes = typeof sql === 'string' ? Buffer.from(sql, 'utf8') : sql;
  if (bytes.length > MAX_STATEMENT_BYTES)
    throw new HoltError('HOLT_STATEMENT_TOO_LARGE', `a statement of ${bytes.length} bytes cannot be sent`, {
      facts: { bytes: bytes.length, most: MAX_STATEMENT_BYTES },
    });
  return bytes.toString('latin1');
}

function isCertificateError(code: unknown): boolean {
  return (
    typeof code === 'string' && /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_)/.test(code)
  );
}

/** Null for a connection in clear text. Paths are read now: a changed certificate needs no restart. */
function sslOptions(tls: TlsConfig): SslOptions | null {
  if (tls.mode === 'disabled') return null;
  const file = (path: string | null) => (path === null ? undefined : readPem(path));
  const [ca, cert, key] = [file(tls.ca), file(tls.cert), file(tls.key)];
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.mode !== 'required',
    verifyIdentity: tls.mode === 'verify-identity',
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new HoltError('HOLT_TARGET_TLS', `the TLS file ${path} cannot be read`, {
      disposition: 'retry',
      remedy: 'Check that the file exists and that the user Holt runs as may read it.',
      cause: error,
    });
  }
}
