import { HoltError } from '../../lib/errors.ts';
import { errnoOf } from '../protocol/reply.ts';
import { ServerConnection, type ServerEndpoint } from '../protocol/server-connection.ts';

/**
 * An ordinary session with the source for questions about its tables: opened when first asked, again when it broke. One
 * question at a time.
 */
export class SourceSession {
  readonly #endpoint: ServerEndpoint;
  #connection: ServerConnection | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: { readonly endpoint: ServerEndpoint }) {
    this.#endpoint = options.endpoint;
  }

  /** Rows as text. @throws HoltError: `retry` when the source cannot be reached, HOLT_SOURCE_SQL for what it refuses. */
  query(sql: string, signal: AbortSignal): Promise<readonly (readonly (string | null)[])[]> {
    const answer = this.#last.then(() => this.#ask(sql, signal));
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** A question in flight fails, and is for its owner to repeat; the next one opens another session. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    connection?.destroy();
    await this.#last;
  }

  async #ask(sql: string, signal: AbortSignal): Promise<readonly (readonly (string | null)[])[]> {
    signal.throwIfAborted();
    if (this.#connection?.isUsable !== true) this.#connection = await this.#connect(signal);
    const { rows } = await this.#connection.query(sql);
    return rows.map((row) => row.map((value) => value?.toString('utf8') ?? null));
  }

  async #connect(signal: AbortSignal): Promise<ServerConnection> {
    const connection = await ServerConnection.connect(
      { endpoint: this.#endpoint, purpose: 'source schema' },
      signal,
    );
    try {
      await connection.query('SET NAMES utf8mb4');
      await connection.query("SET SESSION sql_mode = ''");
      // MySQL 8.0.30 and later can hide the primary key it has made up, which is in the log all the same.
      await optional(connection, 'SET SESSION show_gipk_in_create_table_and_information_schema = ON');
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }
}

/** For settings that not every server has. */
async function optional(connection: ServerConnection, sql: string): Promise<void> {
  try {
    await connection.query(sql);
  } catch (error) {
    if (!(error instanceof HoltError) || errnoOf(error) === null) throw error;
  }
}
