/**
 * The one way Load, raise and their helpers speak to a target server: one session with settings of our own, statements as bytes.
 */

/** What the server answered to one statement that gives no rows. */
export interface StatementResult {
  /** Rows matched (the session is opened with FOUND_ROWS). */
  readonly affectedRows: number;
  readonly warningCount: number;
  /** The server's own text, such as `Records: 3  Duplicates: 2  Warnings: 0`; empty if none. Always in English. */
  readonly info: string;
}

/** An error answered by the server, by number: callers decide by it. */
export interface ServerErrorFacts {
  readonly errno: number;
  readonly sqlState: string;
}

export interface TargetConnection {
  /** The server's connection id. */
  readonly threadId: number;
  /**
   * Statement text as bytes; exactly one statement. One at a time: the next only after the answer to the last.
   * @throws TargetServerError when the server refuses it, TargetLinkError when no answer came (it may have been done).
   */
  execute(sql: Buffer | string): Promise<StatementResult>;
  /** Rows as arrays of raw column bytes (null for NULL), text protocol. Throws as `execute` does. */
  rows(sql: Buffer | string): Promise<(Buffer | null)[][]>;
  /** False after any failure of the transport. */
  readonly usable: boolean;
  /** Where the session takes rows as events of the binlog: the server's own id, which they must bear. Absent or null where it does not. */
  readonly rowEventsAs?: number | null;
  /** Says goodbye, or destroys the socket when that takes longer than a second. */
  close(): Promise<void>;
  /** Destroys the socket at once: whatever was open rolls back. */
  destroy(): void;
}

/** What is known of a server from its own variables; read once per connection. */
export interface TargetServer {
  readonly flavour: 'mysql' | 'mariadb';
  /** As the server gives it, e.g. `10.11.19-MariaDB-log`. */
  readonly version: string;
  /** major × 10000 + minor × 100 + patch. */
  readonly versionNumber: number;
  /** Names this server and no copy of it: see `target-identity.ts`. */
  readonly identity: string;
  /** True when the server writes a binlog, so that the guard's row is a loop mark there. */
  readonly binlog: boolean;
  /** `server_id`; 0 where it is not known. */
  readonly serverId?: number;
  /** Largest statement the server takes, bytes. */
  readonly maxAllowedPacket: number;
}

/** A connection as `connectTarget` gives it. */
export interface TargetSession extends TargetConnection {
  readonly server: TargetServer;
  /** Keeps an idle session from the server's `wait_timeout`. Does nothing while a statement runs. */
  ping(): Promise<void>;
}

/** The server answered a statement with an error. Its own text may hold row values: it is kept apart, and never logged. */
export class TargetServerError extends Error implements ServerErrorFacts {
  override readonly name = 'TargetServerError';
  readonly errno: number;
  readonly sqlState: string;
  /** The server's text; may hold row values. */
  readonly serverText: string;
  /** Name of the data source. */
  readonly server: string;

  constructor(facts: {
    readonly server: string;
    readonly errno: number;
    readonly sqlState: string;
    readonly symbol: string;
    readonly serverText: string;
  }) {
    super(`${facts.symbol} (${facts.errno}, ${facts.sqlState})`);
    this.server = facts.server;
    this.errno = facts.errno;
    this.sqlState = facts.sqlState;
    this.serverText = facts.serverText;
  }
}

/** The connection failed, or could not be made: a statement in flight may or may not have been done. */
export class TargetLinkError extends Error {
  override readonly name = 'TargetLinkError';
  /** Name of the data source. */
  readonly server: string;

  constructor(server: string, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.server = server;
  }
}
