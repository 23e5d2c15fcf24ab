/** The calling side of the channel between nodes: signed requests, streamed answers, every wait with a deadline. */
import { createHash } from 'node:crypto';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as TlsAgent } from 'node:https';
import { HoltError, messageOf } from '../../../lib/errors.ts';
import { readNamedFile } from '../../../lib/named-file.ts';
import { BODY_HASH_HEADER, type ChannelTls } from './channel-server.ts';
import { decompressor, isCodec } from './compression.ts';
import { answerIsGenuine, type RequestFacts, sha256, signRequest } from './signature.ts';

const MAX_JSON_BYTES = 8 * 1024 * 1024;

export interface ChannelClientOptions {
  readonly node: string;
  readonly key: Buffer;
  readonly tls: ChannelTls | null;
  readonly nowMs: () => number;
  /** Longest silence of the other side. */
  readonly silenceMs?: number;
}

export interface BytesWanted {
  readonly sha256: string;
  readonly bytes: number;
  /** Content codings accepted, best first. */
  readonly accept: string;
}

interface SentRequest extends RequestFacts {
  readonly body: Buffer;
}

interface SendOptions {
  readonly silenceMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export class ChannelClient {
  readonly #options: ChannelClientOptions;
  readonly #agent: Agent | TlsAgent;
  readonly #silenceMs: number;

  constructor(options: ChannelClientOptions) {
    this.#options = options;
    this.#silenceMs = options.silenceMs ?? 3_000;
    this.#agent =
      options.tls === null
        ? new Agent({ keepAlive: true, maxSockets: 32 })
        : new TlsAgent({
            keepAlive: true,
            maxSockets: 32,
            cert: readNamedFile(options.tls.cert, 'pipe.tls.cert'),
            key: readNamedFile(options.tls.key, 'pipe.tls.key'),
            ca: readNamedFile(options.tls.ca, 'pipe.tls.ca'),
            minVersion: 'TLSv1.2',
          });
  }

  /** A signed JSON answer. @throws HoltError HOLT_PIPE_UNREACHABLE, HOLT_PIPE_REFUSED, or the code the other node gave. */
  async json(base: string, target: string, signal: AbortSignal): Promise<unknown> {
    return this.#json(base, { method: 'GET', target, body: Buffer.alloc(0) }, signal);
  }

  /** As `json`, with a JSON value for the other node; not sent again by itself. */
  async post(base: string, target: string, value: unknown, signal: AbortSignal): Promise<unknown> {
    return this.#json(base, { method: 'POST', target, body: Buffer.from(JSON.stringify(value)) }, signal);
  }

  /** As `post`, with bytes for a large route; `silenceMs` is how long nothing may move. */
  async send(
    base: string,
    target: string,
    bytes: Buffer,
    options: { readonly signal: AbortSignal; readonly silenceMs: number },
  ): Promise<unknown> {
    const request = { method: 'POST', target, body: bytes };
    const { response, nonce } = await this.#send(base, request, 'identity', options.signal, {
      silenceMs: options.silenceMs,
      headers: { [BODY_HASH_HEADER]: sha256(bytes) },
    });
    const body = await this.#collect(response, base, MAX_JSON_BYTES);
    this.#check(response, nonce, body, base);
    return JSON.parse(body.toString('utf8'));
  }

  async #json(base: string, request: SentRequest, signal: AbortSignal): Promise<unknown> {
    const { response, nonce } = await this.#send(base, request, 'identity', signal);
    const body = await this.#collect(response, base, MAX_JSON_BYTES);
    this.#check(response, nonce, body, base);
    return JSON.parse(body.toString('utf8'));
  }

  /** Exactly the bytes wanted. @throws as `json`, and HOLT_PAYLOAD_CORRUPT for other bytes. */
  async bytes(base: string, target: string, wanted: BytesWanted, signal: AbortSignal): Promise<Buffer> {
    const { response, nonce } = await this.#send(
      base,
      { method: 'GET', target, body: Buffer.alloc(0) },
      wanted.accept,
      signal,
    );
    if (response.statusCode !== 200) {
      this.#check(response, nonce, await this.#collect(response, base, MAX_JSON_BYTES), base);
      throw unreachable(base, `status ${response.statusCode}`);
    }
    const encoding = String(response.headers['content-encoding'] ?? 'identity');
    if (!isCodec(encoding)) throw unreachable(base, `content coding ${encoding}`);
    const transform = decompressor(encoding);
    const stream = transform === null ? response : response.pipe(transform);
    // A failing socket must end the decompressor's reader too.
    if (transform !== null) response.on('error', (error) => transform.destroy(error));
    const result = Buffer.allocUnsafe(wanted.bytes);
    const hash = createHash('sha256');
    let at = 0;
    try {
      for await (const chunk of stream) {
        const part = chunk as Buffer;
        if (at + part.length > wanted.bytes) {
          response.destroy();
          throw corrupt(`more than the ${wanted.bytes} bytes announced`);
        }
        part.copy(result, at);
        hash.update(part);
        at += part.length;
      }
    } catch (error) {
      if (error instanceof HoltError) throw error;
      signal.throwIfAborted();
      throw unreachable(base, messageOf(error), error);
    }
    if (at !== wanted.bytes) throw corrupt(`${at} of ${wanted.bytes} bytes`);
    if (hash.digest('hex') !== wanted.sha256) throw corrupt('another hash than its header names');
    return result;
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(
    base: string,
    { method, target, body }: SentRequest,
    accept: string,
    signal: AbortSignal,
    { silenceMs = this.#silenceMs, headers = {} }: SendOptions = {},
  ): Promise<{ readonly response: IncomingMessage; readonly nonce: string }> {
    const url = new URL(target, base);
    const path = url.pathname + url.search;
    const signed = signRequest(this.#options.key, this.#options.node, this.#options.nowMs(), {
      method,
      target: path,
      body,
    });
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const call = send(
        url,
        {
          method,
          agent: this.#agent,
          signal,
          headers: { ...signed, ...headers, 'accept-encoding': accept, 'content-length': body.length },
        },
        (response) => resolve({ response, nonce: signed['holt-nonce'] }),
      );
      call.setTimeout(silenceMs, () => call.destroy(new Error(`silent for ${silenceMs} ms`)));
      call.on('error', (error) =>
        reject(signal.aborted ? signal.reason : unreachable(base, error.message, error)),
      );
      call.end(body);
    });
  }

  async #collect(response: IncomingMessage, base: string, maxBytes: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response) {
        size += (chunk as Buffer).length;
        if (size > maxBytes) throw new Error(`answer larger than ${maxBytes} bytes`);
        chunks.push(chunk as Buffer);
      }
    } catch (error) {
      throw unreachable(base, messageOf(error), error);
    }
    return Buffer.concat(chunks);
  }

  /** Throws unless the answer is a genuine 200. */
  #check(response: IncomingMessage, nonce: string, body: Buffer, base: string): void {
    const status = response.statusCode ?? 0;
    const genuine = answerIsGenuine(
      this.#options.key,
      nonce,
      status,
      body,
      response.headers['holt-signature'],
    );
    if (status === 200 && genuine) return;
    const { code, message } = problemIn(body);
    if (status === 401 || !genuine)
      throw new HoltError(
        'HOLT_PIPE_REFUSED',
        `${base} ${status === 401 ? `refused the request: ${message}` : 'gave an answer that it did not sign'}`,
        {
          disposition: 'retry',
          remedy: 'Check that all nodes have the same cluster key and clocks within 30 s.',
          facts: { address: base },
        },
      );
    throw new HoltError(code, `${base}: ${message}`, {
      disposition: code === 'HOLT_PAYLOAD_GONE' ? 'rewind' : 'retry',
      facts: { address: base },
    });
  }
}

function problemIn(body: Buffer): { readonly code: string; readonly message: string } {
  try {
    const value = JSON.parse(body.toString('utf8')) as { code?: unknown; message?: unknown };
    return {
      code: typeof value.code === 'string' ? value.code : 'HOLT_INTERNAL',
      message: String(value.message ?? ''),
    };
  } catch {
    return { code: 'HOLT_PIPE_UNREACHABLE', message: 'an answer that is no JSON' };
  }
}

function unreachable(base: string, why: string, cause?: unknown): HoltError {
  return new HoltError('HOLT_PIPE_UNREACHABLE', `node at ${base} does not answer: ${why}`, {
    disposition: 'retry',
    remedy: 'Check that the node runs and that pipe.advertise leads to it.',
    facts: { address: base },
    cause,
  });
}

function corrupt(what: string): HoltError {
  return new HoltError('HOLT_PAYLOAD_CORRUPT', `a batch payload arrived with ${what}`, {
    disposition: 'rewind',
  });
}
