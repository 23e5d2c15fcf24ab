import { createConnection, isIP, type Socket } from 'node:net';
import { withDeadline } from '../../lib/abort.ts';
import { HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import type { DataSourceConfig } from '../../model/config.ts';
import type { AuthMethod } from './auth/auth-method.ts';
import { authMethod } from './auth/auth-methods.ts';
import { ByteReader } from './byte-reader.ts';
import { encodeQuery } from './com-query.ts';
import { encodeRegisterReplica, type ReplicaRegistration } from './com-register-replica.ts';
import {
  chooseCapabilities,
  decodeHandshake,
  encodeHandshakeResponse,
  encodeSslRequest,
  type ServerHandshake,
} from './handshake.ts';
import { PacketChannel } from './packet-channel.ts';
import { CAPABILITY, COMMAND, protocolError } from './protocol.ts';
import { ReceiveMemory } from './receive-memory.ts';
import { decodeErr, isEof, isErr, isOk, serverError } from './reply.ts';
import { decodeColumnCount, decodeColumnName, decodeRow, type ResultSet, textRows } from './result-set.ts';
import { tlsOptions } from './tls-options.ts';

/** Where a server is and who we are there: a data source's configuration fits. */
export type ServerEndpoint = Pick<
  DataSourceConfig,
  'host' | 'port' | 'user' | 'password' | 'tls' | 'connectTimeoutMs'
>;

export interface ServerConnectionOptions {
  readonly endpoint: ServerEndpoint;
  /** What the connection is for; the server shows it among the connection's attributes. */
  readonly purpose: string;
  /** The server's RSA key (PEM), for caching_sha2_password without TLS; null: it is fetched, and only over loopback. */
  readonly serverPublicKey?: string | null;
  /** A reply that takes longer ends the connection; default 60 s. */
  readonly replyTimeoutMs?: number;
  /** Largest row or event; default 1 GiB and a little, the servers' own limit. */
  readonly maxPayloadBytes?: number;
  /** Read ahead; default 1 MiB. */
  readonly maxBufferedBytes?: number;
  readonly lengthHint?: (head: Buffer) => number | null;
  /** Much will come: memory is laid out for it. */
  readonly isBulk?: boolean;
}

const MAX_PAYLOAD_BYTES = 1024 * 1024 * 1024 + 1024 * 1024;
const MAX_BUFFERED_BYTES = 1024 * 1024;
const AUTH_SWITCH = 0xfe;
const AUTH_MORE = 0x01;
const CLOSE_GRACE_MS = 1_000;

/**
 * One session with a server: one exchange at a time, until a dump takes it over.
 *
 * Every failure is a HoltError with a code of its own (see `reply.ts` for those that the server gives). A query that
 * the server refuses leaves the connection usable; anything else ends it.
 */
export class ServerConnection {
  readonly handshake: ServerHandshake;
  /** True where the link is encrypted. */
  readonly usesTls: boolean;
  readonly #channel: PacketChannel;
  readonly #replyTimeoutMs: number;

  private constructor(
    channel: PacketChannel,
    handshake: ServerHandshake,
    options: ServerConnectionOptions,
    usesTls: boolean,
  ) {
    this.#channel = channel;
    this.handshake = handshake;
    this.usesTls = usesTls;
    this.#replyTimeoutMs = options.replyTimeoutMs ?? 60_000;
  }

  /**
   * Connects and logs in, within the endpoint's `connectTimeoutMs`.
   * @throws HOLT_SOURCE_UNREACHABLE, HOLT_SOURCE_TLS, HOLT_SOURCE_ACCESS_DENIED, HOLT_SOURCE_AUTH_METHOD, HOLT_SOURCE_PROTOCOL
   */
  static async connect(options: ServerConnectionOptions, signal?: AbortSignal): Promise<ServerConnection> {
    const { endpoint } = options;
    const peer = `${endpoint.host}:${endpoint.port}`;
    const secureWith = tlsOptions(endpoint.tls, endpoint.host);
    const deadline = AbortSignal.timeout(endpoint.connectTimeoutMs);
    const both = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
    let channel: PacketChannel | null = null;
    try {
      // Under TLS it is the TLS layer that reads.
      const receive = options.isBulk === true && secureWith === null ? new ReceiveMemory() : null;
      const socket = await open(endpoint, both, receive);
      channel = new PacketChannel({
        socket,
        receive,
        peer,
        maxBufferedBytes: options.maxBufferedBytes ?? MAX_BUFFERED_BYTES,
        maxPayloadBytes: options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES,
        ...(options.lengthHint === undefined ? {} : { lengthHint: options.lengthHint }),
      });
      // A stop or the deadline destroys the channel, which wakes whoever waits on it, in a TLS handshake too.
      const opened = channel;
      const onAbort = () => opened.destroy();
      both.addEventListener('abort', onAbort, { once: true });
      try {
        const handshake = await login(channel, options, secureWith);
        return new ServerConnection(channel, handshake, options, secureWith !== null);
      } finally {
        both.removeEventListener('abort', onAbort);
      }
    } catch (error) {
      channel?.destroy();
      if (signal?.aborted) throw signal.reason;
      if (deadline.aborted) throw unreachable(peer, `no login within ${endpoint.connectTimeoutMs} ms`, error);
      // Whoever hangs up before the login is done was not reached: nothing was lost.
      if (error instanceof HoltError && error.code === 'HOLT_SOURCE_LINK_LOST')
        throw unreachable(peer, error.message, error);
      throw error;
    }
  }

  get threadId(): number {
    return this.handshake.threadId;
  }

  get isUsable(): boolean {
    return this.#channel.isUsable;
  }

  /** Runs one statement; one without rows gives an empty result. */
  query(sql: string | Buffer): Promise<ResultSet> {
    const shown = typeof sql === 'string' ? sql : sql.toString('latin1', 0, 100);
    return this.#exchange(shown, async () => {
      this.#channel.sendCommand(encodeQuery(sql));
      return await this.#readResult(shown);
    });
  }

  /** The rows of one statement as objects of text. */
  async textRows(sql: string): Promise<Readonly<Record<string, string | null>>[]> {
    return textRows(await this.query(sql));
  }

  ping(): Promise<void> {
    return this.#command('ping', Buffer.from([COMMAND.ping]));
  }

  registerReplica(registration: ReplicaRegistration): Promise<void> {
    return this.#command('register as replica', encodeRegisterReplica(registration));
  }

  /** Sends a dump command. From here on the channel is the caller's, and carries events until it ends. */
  startDump(command: Buffer): PacketChannel {
    this.#channel.sendCommand(command);
    return this.#channel;
  }

  /** Says goodbye; never fails. */
  async close(): Promise<void> {
    if (this.#channel.isUsable) this.#channel.sendCommand(Buffer.from([COMMAND.quit]));
    await this.#channel.end(CLOSE_GRACE_MS);
  }

  destroy(): void {
    this.#channel.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #command(what: string, payload: Buffer): Promise<void> {
    return this.#exchange(what, async () => {
      this.#channel.sendCommand(payload);
      const reply = await this.#channel.read();
      if (isErr(reply)) throw serverError(decodeErr(reply), what);
      if (!isOk(reply)) throw protocolError(`${what}: the server answers with ${reply[0]}`);
    });
  }

  async #exchange<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await withDeadline(work(), this.#replyTimeoutMs, what);
    } catch (error) {
      if (error instanceof HoltError && typeof error.facts.errno === 'number') throw error;
      this.#channel.destroy();
      if (error instanceof HoltError) throw error;
      throw new HoltError('HOLT_SOURCE_LINK_LOST', messageOf(error), { disposition: 'retry', cause: error });
    }
  }

  async #readResult(sql: string): Promise<ResultSet> {
    const first = await this.#channel.read();
    if (isErr(first)) throw serverError(decodeErr(first), sql);
    if (isOk(first)) return { columns: [], rows: [] };
    const count = decodeColumnCount(first);
    const columns: string[] = [];
    while (columns.length < count) columns.push(decodeColumnName(await this.#channel.read()));
    if (!isEof(await this.#channel.read())) throw protocolError(`${sql}: more columns than announced`);
    const rows: (Buffer | null)[][] = [];
    for (;;) {
      const payload = await this.#channel.read();
      if (isErr(payload)) throw serverError(decodeErr(payload), sql);
      if (isEof(payload)) return { columns, rows };
      rows.push(decodeRow(payload, count));
    }
  }
}

function open(endpoint: ServerEndpoint, signal: AbortSignal, receive: ReceiveMemory | null): Promise<Socket> {
  const { host, port } = endpoint;
  return new Promise((resolve, reject) => {
    const socket = createConnection({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 10_000,
      ...(receive === null ? {} : { onread: receive.onread }),
    });
    const fail = (error: Error) => {
      socket.destroy();
      signal.removeEventListener('abort', onAbort);
      reject(isAbort(error) ? error : unreachable(`${host}:${port}`, error.message, error));
    };
    const onAbort = () => fail(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}

async function login(
  channel: PacketChannel,
  options: ServerConnectionOptions,
  secureWith: ReturnType<typeof tlsOptions>,
): Promise<ServerHandshake> {
  const { endpoint } = options;
  const doing = `login as ${endpoint.user} at ${endpoint.host}:${endpoint.port}`;
  const greeting = await channel.read();
  if (isErr(greeting)) throw serverError(decodeErr(greeting), doing);
  const handshake = decodeHandshake(greeting);
  if ((handshake.capabilities & CAPABILITY.protocol41) === 0)
    throw protocolError('the server is older than MySQL 4.1');
  const capabilities = chooseCapabilities(handshake.capabilities, secureWith !== null);
  if (secureWith !== null) {
    if ((handshake.capabilities & CAPABILITY.ssl) === 0)
      throw tlsError(`${doing}: tls.mode is ${endpoint.tls.mode}, and the server offers no TLS`);
    channel.sendReply(encodeSslRequest(capabilities));
    try {
      await channel.upgrade(secureWith);
    } catch (cause) {
      throw tlsError(`${doing}: TLS failed: ${messageOf(cause)}`, cause);
    }
  }
  const context = {
    password: endpoint.password.resolve(),
    linkIsPrivate: secureWith !== null,
    serverPublicKey: options.serverPublicKey ?? null,
    mayFetchPublicKey: isLoopback(endpoint.host),
  };
  let plugin = handshake.authPlugin === '' ? 'mysql_native_password' : handshake.authPlugin;
  let method = firstMethod(plugin, { ...context, nonce: handshake.nonce });
  if (method.plugin !== plugin) plugin = method.plugin;
  channel.sendReply(
    encodeHandshakeResponse({
      capabilities,
      user: endpoint.user,
      authPlugin: plugin,
      authResponse: method.attempt.first(),
      attributes: { program_name: 'holt', holt_purpose: options.purpose, _pid: String(process.pid) },
    }),
  );
  for (;;) {
    const reply = await channel.read();
    if (isOk(reply)) return handshake;
    if (isErr(reply)) throw serverError(decodeErr(reply), doing);
    if (reply[0] === AUTH_SWITCH) {
      const reader = new ByteReader(reply, 'auth switch', 1);
      if (reader.remaining === 0)
        throw new HoltError(
          'HOLT_SOURCE_AUTH_METHOD',
          `${doing}: the server asks for the login of MySQL 4.0`,
          {
            disposition: 'retry',
          },
        );
      plugin = reader.nullTerminated().toString('latin1');
      const nonce = reader.rest();
      method = {
        plugin,
        // The terminating zero is not a part of the nonce.
        attempt: authMethod(plugin, {
          ...context,
          nonce: Buffer.from(nonce.at(-1) === 0 ? nonce.subarray(0, -1) : nonce),
        }),
      };
      channel.sendReply(method.attempt.first());
    } else if (reply[0] === AUTH_MORE) {
      const answer = method.attempt.more(Buffer.from(reply.subarray(1)));
      if (answer !== null) channel.sendReply(answer);
    } else throw protocolError(`${doing}: the server answers with ${reply[0]}`);
  }
}

/**
 * The server's default plugin need not be the account's: with one that we do not have or may not use here, begin with native
 * password and let the server switch to what the account has.
 */
function firstMethod(
  plugin: string,
  context: Parameters<typeof authMethod>[1],
): { readonly plugin: string; readonly attempt: AuthMethod } {
  try {
    return { plugin, attempt: authMethod(plugin, context) };
  } catch {
    return { plugin: 'mysql_native_password', attempt: authMethod('mysql_native_password', context) };
  }
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

function unreachable(peer: string, how: string, cause: unknown): HoltError {
  return new HoltError('HOLT_SOURCE_UNREACHABLE', `${peer}: ${how}`, {
    disposition: 'retry',
    facts: { peer },
    cause,
  });
}

function tlsError(message: string, cause?: unknown): HoltError {
  return new HoltError('HOLT_SOURCE_TLS', message, { disposition: 'retry', cause });
}
