/**
 * The one way Load, raise and their helpers speak to a target server: one session with settings of our own, statements as bytes.
 */

/** What the server answered to one statement that gives no rows. */
export interface StatementResult {
  /** Rows matched (the session is opened with FOUND_ROWS). */
  readonly affectedRows: number;
  readonly warningCount: number;
  /** The server's own text, such as `Records: 3  Duplicates: 2  Warnings: 0`; empty if none. */
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
  /** Statement text as bytes; exactly one statement. */
  execute(sql: Buffer | string): Promise<StatementResult>;
  /** Rows as arrays of raw column bytes (null for NULL), text protocol. */
  rows(sql: Buffer | string): Promise<(Buffer | null)[][]>;
  /** False after any failure of the transport. */
  readonly usable: boolean;
  /** Says goodbye, or destroys the socket when that takes longer than a second. */
  close(): Promise<void>;
  /** Destroys the socket at once: whatever was open rolls back. */
  destroy(): void;
}
