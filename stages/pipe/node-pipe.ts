/**
 * The pipe of a node: its memory, its site's Redis where configured, and other nodes by the signed channel.
 */
import { createHash } from 'node:crypto';
import type { Transform } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { AbortError, abortable } from '../../lib/abort.ts';
import { Breather } from '../../lib/breather.ts';
import { deferred } from '../../lib/deferred.ts';
import { HoltError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { isLoopback } from '../../lib/loopback.ts';
import { type BatchHeader, batchHeader, type PayloadPlace } from '../../model/batch.ts';
import type { NodeId, PipelineId, SiteId, Tenure } from '../../model/ids.ts';
import { parseTenure, pipelineId } from '../../model/ids.ts';
import type { ChannelClient } from './channel/channel-client.ts';
import type { ChannelRoute, LargeRoute } from './channel/channel-server.ts';
import {
  compressor,
  decompressor,
  isCodec,
  MIN_COMPRESSED_BYTES,
  supportedCodecs,
} from './channel/compression.ts';
import { identityOf, PayloadStore } from './payload-store.ts';
import type { PayloadKey, Pipe, PipeGuard, UnhashedKey } from './pipe.ts';
import type { RedisPayloads } from './redis-payloads.ts';

/** How long a node that is not registered may take to answer. */
const ABSENT_MS = 1_000;

export const PAYLOAD_ROUTE = '/pipe/v1/payload';
/** POST: a payload that nobody has asked for yet. */
export const AHEAD_ROUTE = '/pipe/v1/ahead';
/** POST: the header of a task that stands. */
export const ANNOUNCEMENT_ROUTE = '/pipe/v1/announcement';

/** A larger payload is not sent ahead: compressing it takes longer than the word of its task, and it would cross the link twice. */
const MAX_AHEAD_PAYLOAD_BYTES = 512 * 1024;
/** Compressed bytes on their way unasked: enough for what a long link holds, and little enough for what else crosses it. */
const MAX_AHEAD_BYTES = 8 * 1024 * 1024;
/** A slow link may hold much before the answer comes. */
const AHEAD_SILENCE_MS = 30_000;
/** How long what is announced to us may be behind the word of it, which comes on another connection. */
const BEHIND_MS = 25;
const MAX_ANNOUNCEMENT_BYTES = 48 * 1024;

export interface NodePipeOptions {
  readonly node: NodeId;
  readonly site: SiteId;
  /** Base URL under which other nodes reach this one's channel. */
  readonly address: () => string;
  readonly client: ChannelClient;
  readonly guard: PipeGuard;
  readonly redis: RedisPayloads | null;
  readonly maxBytes: number;
  /** Largest payload taken from another node. */
  readonly maxPayloadBytes: number;
  /** Nodes present at a site, with their addresses: another one may have the copy in Redis. */
  readonly present: () => readonly {
    readonly node: NodeId;
    readonly site: SiteId;
    readonly address: string;
  }[];
  readonly log: Logger;
}

export class NodePipe implements Pipe {
  readonly #options: NodePipeOptions;
  readonly #store: PayloadStore;
  readonly #listeners = new Set<(header: BatchHeader) => void>();
  /** Payloads being sent here unasked, by identity; resolve when they are here, or will not be. */
  readonly #arriving = new Map<string, Promise<void>>();
  /** Called with the identity when something begins to arrive. */
  readonly #heeding = new Set<(identity: string) => void>();
  readonly #closed = new AbortController();
  #aheadBytes = 0;

  constructor(options: NodePipeOptions) {
    this.#options = options;
    this.#store = new PayloadStore({ maxBytes: options.maxBytes });
  }

  get heldBytes(): number {
    return this.#store.heldBytes;
  }

  async put(key: UnhashedKey, payload: Buffer, signal: AbortSignal): Promise<PayloadPlace> {
    const { node, site, address, redis } = this.#options;
    const full: PayloadKey = { ...key, sha256: key.sha256 ?? (await sha256Of(payload)) };
    await this.#store.put(full, payload, signal);
    const copied = redis !== null && (await redis.put(full, payload));
    return {
      kind: copied ? 'redis' : 'node',
      node,
      site,
      address: address(),
      sha256: full.sha256,
      bytes: payload.length,
    };
  }

  async get(header: BatchHeader, signal: AbortSignal): Promise<Buffer> {
    const key = keyOf(header);
    const place = header.payload;
    const here = this.#store.get(key);
    if (here !== null) return here;
    if (place.bytes > this.#options.maxPayloadBytes)
      throw new HoltError(
        'HOLT_PAYLOAD_TOO_LARGE',
        `batch ${header.seq} has ${place.bytes} bytes, more than this node takes`,
        {
          disposition: 'pause',
          remedy: "Raise pipe.maxPayload, or lower the pipeline's batch.maxBytes.",
          facts: { pipeline: header.pipeline, batch: header.seq, bytes: place.bytes },
        },
      );
    if (place.kind === 'redis' && place.site === this.#options.site && this.#options.redis !== null) {
      const copy = await this.#options.redis.get(key);
      if (copy !== null && copy.length === place.bytes && (await sha256Of(copy)) === key.sha256)
        return this.#keep(key, copy, signal);
    }
    return this.#keep(key, await this.#brought(header, key, signal), signal);
  }

  received(pipeline: PipelineId, tenure: Tenure, seq: bigint): void {
    this.#forget(this.#store.received(pipeline, tenure, seq));
  }

  partReceived(pipeline: PipelineId, tenure: Tenure, seq: bigint, part: number): void {
    this.#forget(this.#store.partReceived(pipeline, tenure, seq, part));
  }

  ruling(pipeline: PipelineId, tenure: Tenure | null): void {
    this.#forget(this.#store.ruling(pipeline, tenure));
  }

  #forget(keys: readonly PayloadKey[]): void {
    this.#options.redis?.remove(keys);
  }

  sendAhead(header: BatchHeader): () => void {
    const { node, present } = this.#options;
    const to = present().find((one) => one.node === header.hint);
    const payload = this.#store.get(keyOf(header));
    if (to === undefined || to.node === node || payload === null) return () => {};
    const tell = () => {
      this.#announce(header, to.address).catch((error: unknown) =>
        this.#unsent('pipe:announcement:failed', header, error),
      );
    };
    if (payload.length > MAX_AHEAD_PAYLOAD_BYTES) return tell;
    let isAnswered = false;
    this.#sendAhead(header, payload, to.address)
      .catch((error: unknown) => this.#unsent('pipe:ahead:failed', header, error))
      .finally(() => {
        isAnswered = true;
      });
    return () => {
      // Whoever answers that fast sees the task as soon as we could tell of it.
      if (!isAnswered) tell();
    };
  }

  onAnnounced(listener: (header: BatchHeader) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #sendAhead(header: BatchHeader, payload: Buffer, address: string): Promise<void> {
    const codec =
      payload.length < MIN_COMPRESSED_BYTES || isLoopback(new URL(address).hostname) ? 'identity' : 'br';
    const bytes = await collected(compressor(codec), payload);
    // One is always let through; what is too much at a time is fetched.
    if (this.#aheadBytes > 0 && this.#aheadBytes + bytes.length > MAX_AHEAD_BYTES) return;
    this.#aheadBytes += bytes.length;
    try {
      const target = `${AHEAD_ROUTE}?${queryOf(keyOf(header), { codec, bytes: String(payload.length) })}`;
      await this.#options.client.send(address, target, bytes, {
        signal: this.#closed.signal,
        silenceMs: AHEAD_SILENCE_MS,
      });
    } finally {
      this.#aheadBytes -= bytes.length;
    }
  }

  async #announce(header: BatchHeader, address: string): Promise<void> {
    if (JSON.stringify(header).length > MAX_ANNOUNCEMENT_BYTES) return;
    await this.#options.client.post(address, ANNOUNCEMENT_ROUTE, header, this.#closed.signal);
  }

  #unsent(event: string, { pipeline, seq }: BatchHeader, error: unknown): void {
    this.#options.log.debug({ event, pipeline, batch: seq, err: error }, 'a batch was not sent ahead');
  }

  /** What is sent here unasked, or what we fetch: whichever is here first. */
  async #brought(header: BatchHeader, key: PayloadKey, signal: AbortSignal): Promise<Buffer> {
    const identity = identityOf(key);
    const begun = deferred<void>();
    const heed = (arriving: string) => {
      if (arriving === identity) begun.resolve();
    };
    this.#heeding.add(heed);
    if (this.#arriving.has(identity)) begun.resolve();
    const over = new AbortController();
    try {
      if (header.hint === this.#options.node && header.payload.bytes <= MAX_AHEAD_PAYLOAD_BYTES)
        await abortable(Promise.race([begun.promise, setTimeout(BEHIND_MS, null, { ref: false })]), signal);
      const sent = this.#arriving.has(identity) ? await this.#arrival(key, signal) : this.#store.get(key);
      if (sent !== null) return sent;
      const fetched = this.#fetch(header, key, AbortSignal.any([signal, over.signal]));
      const arrived = begun.promise.then(async () => (await this.#arrival(key, signal)) ?? fetched);
      arrived.catch(() => {});
      return await Promise.race([fetched, arrived]);
    } finally {
      over.abort(new AbortError('the payload is here'));
      this.#heeding.delete(heed);
    }
  }

  /** The payload if it is being sent here unasked, and comes. */
  async #arrival(key: PayloadKey, signal: AbortSignal): Promise<Buffer | null> {
    const arriving = this.#arriving.get(identityOf(key));
    if (arriving !== undefined) await abortable(arriving, signal);
    return this.#store.get(key);
  }

  /** The channel's route that takes what is sent ahead. */
  get aheadRoute(): LargeRoute {
    return {
      // No more than is ever sent so, and what packing may add to it: bodies stand in memory before the store counts them (G6).
      maxBytes: 2 * MAX_AHEAD_PAYLOAD_BYTES,
      begin: ({ query }) => {
        const key = parseKey(query);
        const over = deferred<void>();
        const identity = identityOf(key);
        this.#arriving.set(identity, over.promise);
        for (const heed of this.#heeding) heed(identity);
        return async (body) => {
          try {
            const kept = body !== null && (await this.#takeAhead(key, body, query));
            return { kind: 'json', value: { kept } };
          } finally {
            if (this.#arriving.get(identity) === over.promise) this.#arriving.delete(identity);
            over.resolve();
          }
        };
      },
    };
  }

  async #takeAhead(key: PayloadKey, body: Buffer, query: URLSearchParams): Promise<boolean> {
    const codec = query.get('codec') ?? '';
    const size = Number(query.get('bytes'));
    if (!isCodec(codec) || !(size <= MAX_AHEAD_PAYLOAD_BYTES)) return false;
    const payload = await collected(decompressor(codec), body, size);
    if (payload.length !== size || (await sha256Of(payload)) !== key.sha256) return false;
    return this.#store.putAhead(key, payload);
  }

  /** The channel's route that hears of tasks for this node. */
  readonly announcementRoute: ChannelRoute = ({ body }) => {
    const header = batchHeader.safeParse(JSON.parse(body.toString('utf8')));
    const isForUs = header.success && header.data.hint === this.#options.node;
    if (isForUs) for (const listener of this.#listeners) listener(header.data);
    return Promise.resolve({ kind: 'json', value: { heard: isForUs } });
  };

  close(): Promise<void> {
    this.#closed.abort(new AbortError('the pipe is closed'));
    this.#options.client.close();
    this.#options.redis?.close();
    return Promise.resolve();
  }

  /** The channel's route that hands payloads out. */
  readonly route: ChannelRoute = async ({ node, query }) => {
    const key = parseKey(query);
    if (!(await this.#options.guard.mayFetch(node, key)))
      throw new HoltError(
        'HOLT_PIPE_REFUSED',
        `node ${node} holds no claim on batch ${key.seq} of ${key.pipeline}, and is not announced for it`,
      );
    const bytes = this.#store.get(key) ?? (await this.#options.redis?.get(key)) ?? null;
    if (bytes === null)
      throw new HoltError(
        'HOLT_PAYLOAD_GONE',
        `the rows of batch ${key.seq} of ${key.pipeline} are not here`,
        { disposition: 'rewind' },
      );
    return { kind: 'bytes', bytes };
  };

  /** Kept here too: the next stage on this node, and a second try, need not cross the link again. */
  async #keep(key: PayloadKey, bytes: Buffer, signal: AbortSignal): Promise<Buffer> {
    await this.#store.put(key, bytes, signal);
    return bytes;
  }

  async #fetch(header: BatchHeader, key: PayloadKey, signal: AbortSignal): Promise<Buffer> {
    const { client, present, node } = this.#options;
    const place = header.payload;
    const others =
      place.kind === 'redis'
        ? present().filter((one) => one.site === place.site && one.node !== place.node && one.node !== node)
        : [];
    const holders = [{ node: place.node, address: place.address }, ...others].filter(
      (one) => one.node !== node,
    );
    let unreachable: HoltError | null = null;
    for (const holder of holders) {
      // A node that is not registered at that address is most likely gone, and perhaps frozen: it gets one short chance.
      // One that has started anew under its old name has taken another port, and what its former self held is gone.
      const isThere = present().some((one) => one.node === holder.node && one.address === holder.address);
      const patience = isThere ? signal : AbortSignal.any([signal, AbortSignal.timeout(ABSENT_MS)]);
      try {
        return await client.bytes(
          holder.address,
          targetOf(key),
          { sha256: key.sha256, bytes: place.bytes, accept: acceptFor(holder.address) },
          patience,
        );
      } catch (error) {
        signal.throwIfAborted();
        if (patience.aborted) continue;
        if (!(error instanceof HoltError)) throw error;
        if (error.code === 'HOLT_PAYLOAD_GONE') continue;
        // A node that is still registered may answer later; one that is gone has taken its memory with it.
        if (error.code === 'HOLT_PIPE_UNREACHABLE' && !isThere) continue;
        unreachable = error;
      }
    }
    if (unreachable !== null) throw unreachable;
    throw new HoltError('HOLT_PAYLOAD_GONE', `nobody has the rows of batch ${header.seq} any more`, {
      disposition: 'rewind',
      facts: { pipeline: header.pipeline, batch: header.seq, node: place.node },
    });
  }
}

function keyOf(header: BatchHeader): PayloadKey {
  return {
    pipeline: header.pipeline,
    tenure: header.tenure,
    seq: BigInt(header.seq),
    part: header.part,
    sha256: header.payload.sha256,
  };
}

/** On this machine compressing would only cost; between machines it saves most of the link. */
function acceptFor(address: string): string {
  return isLoopback(new URL(address).hostname) ? 'identity' : supportedCodecs.join(', ');
}

function targetOf(key: PayloadKey): string {
  return `${PAYLOAD_ROUTE}?${queryOf(key)}`;
}

function queryOf(key: PayloadKey, more: Readonly<Record<string, string>> = {}): URLSearchParams {
  return new URLSearchParams({
    pipeline: key.pipeline,
    tenure: key.tenure,
    seq: String(key.seq),
    part: String(key.part),
    sha256: key.sha256,
    ...more,
  });
}

function parseKey(query: URLSearchParams): PayloadKey {
  const text = (name: string, form: RegExp) => {
    const value = query.get(name) ?? '';
    if (!form.test(value))
      throw new HoltError('HOLT_PIPE_REFUSED', `${name} of the payload asked for has not the form of one`);
    return value;
  };
  return {
    pipeline: pipelineId(text('pipeline', /^.{1,64}$/)),
    tenure: parseTenure(text('tenure', /^[0-9a-f]{32}$/)),
    seq: BigInt(text('seq', /^[0-9]{1,20}$/)),
    part: Number(text('part', /^[0-9]{1,9}$/)),
    sha256: text('sha256', /^[0-9a-f]{64}$/),
  };
}

/** In slices, with the thread given away in between: pings and health live on it. */
async function sha256Of(bytes: Buffer): Promise<string> {
  const hash = createHash('sha256');
  const breather = new Breather();
  const size = 1024 * 1024;
  for (let at = 0; at < bytes.length; at += size) {
    hash.update(bytes.subarray(at, at + size));
    if (breather.due()) await breather.breathe();
  }
  return hash.digest('hex');
}

/** What a codec makes of the bytes, but not more than `maxBytes` and one. */
async function collected(
  transform: Transform | null,
  bytes: Buffer,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<Buffer> {
  if (transform === null) return bytes;
  const chunks: Buffer[] = [];
  let size = 0;
  transform.end(bytes);
  for await (const chunk of transform) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > maxBytes) break;
  }
  return Buffer.concat(chunks);
}
