/**
 * The server side of the channel between nodes: every request signed, over TLS with both sides' certificates where
 * they are given. Refused requests get a signed reason and nothing else.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { HoltError, messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import { readNamedFile } from '../../../lib/named-file.ts';
import { chooseCodec, compressor, MIN_COMPRESSED_BYTES } from './compression.ts';
import { RequestVerifier, sha256, signAnswer, type Verdict } from './signature.ts';

const MAX_REQUEST_BYTES = 64 * 1024;

export interface ChannelRequest {
  /** Name of the node that signed it. */
  readonly node: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
}

export type ChannelAnswer =
  | { readonly kind: 'json'; readonly value: unknown }
  /** Sent compressed as the caller accepts, in slices; not signed, since the caller knows its hash. */
  | { readonly kind: 'bytes'; readonly bytes: Buffer };

export type ChannelRoute = (request: ChannelRequest) => Promise<ChannelAnswer>;

/** A route whose body may be large. The signature covers the body's hash, which the caller tells first: nothing of a stranger's is read. */
export interface LargeRoute {
  readonly maxBytes: number;
  /** The body is about to be read; what this returns is called with it, or with null when it did not come. */
  readonly begin: (request: Omit<ChannelRequest, 'body'>) => (body: Buffer | null) => Promise<ChannelAnswer>;
}

/** Names the SHA-256 of a large body, hex. */
export const BODY_HASH_HEADER = 'holt-body';

export interface ChannelTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface ChannelServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly key: Buffer;
  readonly tls: ChannelTls | null;
  readonly nowMs: () => number;
  readonly log: Logger;
  /** `GET /path` → handler. */
  readonly routes: Readonly<Record<string, ChannelRoute>>;
  readonly largeRoutes?: Readonly<Record<string, LargeRoute>>;
}

export class ChannelServer {
  readonly #options: ChannelServerOptions;
  readonly #verifier: RequestVerifier;
  readonly #server: Server;

  private constructor(options: ChannelServerOptions) {
    this.#options = options;
    this.#verifier = new RequestVerifier({ key: options.key, nowMs: options.nowMs });
    const listener: RequestListener = (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        options.log.debug({ event: 'channel:answer:failed', err: error }, 'an answer could not be sent');
        response.destroy();
      });
    };
    this.#server =
      options.tls === null
        ? createServer(listener)
        : createTlsServer(
            {
              cert: readNamedFile(options.tls.cert, 'pipe.tls.cert'),
              key: readNamedFile(options.tls.key, 'pipe.tls.key'),
              ca: readNamedFile(options.tls.ca, 'pipe.tls.ca'),
              requestCert: true,
              rejectUnauthorized: true,
              minVersion: 'TLSv1.2',
            },
            listener,
          );
    this.#server.headersTimeout = 10_000;
    this.#server.requestTimeout = 30_000;
    // Between distant sites a new connection costs a round trip before the first byte.
    this.#server.keepAliveTimeout = 120_000;
  }

  static #make(options: ChannelServerOptions): ChannelServer {
    try {
      return new ChannelServer(options);
    } catch (error) {
      if (error instanceof HoltError) throw error;
      throw new HoltError('HOLT_FILE_UNREADABLE', `pipe.tls: ${messageOf(error)}`, {
        disposition: 'fatal',
        cause: error,
      });
    }
  }

  static async start(options: ChannelServerOptions): Promise<ChannelServer> {
    const channel = ChannelServer.#make(options);
    await new Promise<void>((resolve, reject) => {
      channel.#server.once('error', (error) =>
        reject(
          new HoltError(
            'HOLT_PIPE_LISTEN',
            `the channel between nodes cannot listen on ${options.host}:${options.port}: ${error.message}`,
            {
              disposition: 'fatal',
              remedy: 'Choose another pipe.listen, or end what uses the port.',
              cause: error,
            },
          ),
        ),
      );
      channel.#server.listen({ host: options.host, port: options.port }, resolve);
    });
    return channel;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Base URL for a name or address under which others reach this machine. */
  urlFor(host: string): string {
    const scheme = this.#options.tls === null ? 'http' : 'https';
    return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${this.port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: target = '' } = request;
    const hash = request.headers[BODY_HASH_HEADER];
    if (typeof hash === 'string') return this.#serveLarge(request, response, hash);
    const body = await readBody(request, MAX_REQUEST_BYTES);
    if (body === null) {
      response.writeHead(413, { connection: 'close' }).end();
      return;
    }
    const verdict = this.#verified(request, response, body);
    if (verdict === null) return;
    const url = new URL(target, 'http://node');
    const route = this.#options.routes[`${method} ${url.pathname}`];
    if (route === undefined) return this.#unknown(response, verdict.nonce, `${method} ${url.pathname}`);
    await this.#answer(request, response, verdict.nonce, () =>
      route({ node: verdict.node, query: url.searchParams, body }),
    );
  }

  async #serveLarge(request: IncomingMessage, response: ServerResponse, hash: string): Promise<void> {
    const { method = '', url: target = '' } = request;
    const verdict = this.#verified(request, response, { sha256: hash });
    if (verdict === null) return;
    const url = new URL(target, 'http://node');
    const route = this.#options.largeRoutes?.[`${method} ${url.pathname}`];
    if (route === undefined) return this.#unknown(response, verdict.nonce, `${method} ${url.pathname}`);
    await this.#answer(request, response, verdict.nonce, async () => {
      const take = route.begin({ node: verdict.node, query: url.searchParams });
      const body = await readBody(request, route.maxBytes).catch(() => null);
      return take(body === null || sha256(body) !== hash ? null : body);
    });
  }

  /** Null when it was refused, and answered so. */
  #verified(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer | { readonly sha256: string },
  ): Extract<Verdict, { kind: 'genuine' }> | null {
    const { method = '', url: target = '' } = request;
    const verdict = this.#verifier.verify(request.headers, { method, target, body });
    if (verdict.kind === 'genuine') return verdict;
    this.#options.log.warn(
      { event: 'channel:request:refused', from: request.socket.remoteAddress, reason: verdict.why },
      'a request between nodes was refused',
    );
    // What may still come of its body is not read.
    response.writeHead(401, {
      'content-type': 'application/json',
      ...(Buffer.isBuffer(body) ? {} : { connection: 'close' }),
    });
    response.end(JSON.stringify({ code: 'HOLT_PIPE_REFUSED', message: verdict.why }));
    return null;
  }

  #unknown(response: ServerResponse, nonce: string, what: string): void {
    this.#json(response, nonce, 404, { code: 'HOLT_PIPE_REFUSED', message: `there is no ${what}` });
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    nonce: string,
    work: () => Promise<ChannelAnswer>,
  ): Promise<void> {
    let answer: ChannelAnswer;
    try {
      answer = await work();
    } catch (error) {
      const code = error instanceof HoltError ? error.code : 'HOLT_INTERNAL';
      const status = code === 'HOLT_PIPE_REFUSED' ? 403 : code === 'HOLT_PAYLOAD_GONE' ? 404 : 500;
      if (status === 500)
        this.#options.log.error(
          { event: 'channel:route:failed', err: error },
          'a request between nodes failed',
        );
      this.#json(response, nonce, status, { code, message: messageOf(error) });
      return;
    }
    if (answer.kind === 'json') this.#json(response, nonce, 200, answer.value);
    else await sendBytes(response, answer.bytes, String(request.headers['accept-encoding'] ?? ''));
  }

  #json(response: ServerResponse, nonce: string, status: number, value: unknown): void {
    const body = Buffer.from(JSON.stringify(value));
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': body.length,
      'holt-signature': signAnswer(this.#options.key, nonce, status, body),
    });
    response.end(body);
  }
}

async function sendBytes(response: ServerResponse, bytes: Buffer, accepted: string): Promise<void> {
  const codec = bytes.length < MIN_COMPRESSED_BYTES ? 'identity' : chooseCodec(accepted);
  const transform = compressor(codec);
  if (transform === null) {
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': bytes.length,
      'content-encoding': 'identity',
    });
    await pipeline(slices(bytes), response);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-encoding': codec });
  await pipeline(slices(bytes), transform, response);
}

/** Slices keep what lies in the socket bounded, and let others have the thread in between. */
function* slices(bytes: Buffer): Generator<Buffer> {
  const size = 256 * 1024;
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Null when it is larger than any request of ours. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > maxBytes) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
