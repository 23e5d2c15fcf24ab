/**
 * A second copy of payloads in the site's Redis, so that a batch survives its node. Redis only carries: whatever fails
 * here is a copy less, never an error of the batch (G7).
 */
import { Redis } from 'ioredis';
import { withDeadline } from '../../lib/abort.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { identityOf } from './payload-store.ts';
import type { PayloadKey } from './pipe.ts';

/** What was never received, because everyone who knew of it died, goes by itself. */
const EXPIRE_SECONDS = 3600;
const DEADLINE_MS = 5_000;

export class RedisPayloads {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #log: Logger;
  #failing = false;

  constructor(options: { readonly url: string; readonly cluster: string; readonly log: Logger }) {
    this.#log = options.log;
    this.#prefix = `holt:${options.cluster}:payload`;
    this.#redis = new Redis(options.url, {
      maxRetriesPerRequest: 1,
      enableOfflineQueue: false,
      connectTimeout: DEADLINE_MS,
      lazyConnect: false,
    });
    // Without a listener a lost connection would end the process.
    this.#redis.on('error', (error) => this.#failed(error));
    this.#redis.on('ready', () => {
      if (this.#failing) this.#log.info({ event: 'pipe:redis:healed' }, 'Redis answers again');
      this.#failing = false;
    });
  }

  /** @returns whether the copy is there. */
  async put(key: PayloadKey, bytes: Buffer): Promise<boolean> {
    try {
      await withDeadline(
        this.#redis.set(this.#name(key), bytes, 'EX', EXPIRE_SECONDS),
        DEADLINE_MS,
        'Redis SET',
      );
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Null when it is not there, or Redis does not answer. */
  async get(key: PayloadKey): Promise<Buffer | null> {
    try {
      return await withDeadline(this.#redis.getBuffer(this.#name(key)), DEADLINE_MS, 'Redis GET');
    } catch (error) {
      this.#failed(error);
      return null;
    }
  }

  remove(keys: readonly PayloadKey[]): void {
    if (keys.length === 0 || this.#redis.status !== 'ready') return;
    this.#redis.del(keys.map((key) => this.#name(key))).catch((error: unknown) => this.#failed(error));
  }

  close(): void {
    this.#redis.disconnect();
  }

  #name(key: PayloadKey): string {
    return `${this.#prefix}:${key.pipeline}:${identityOf(key)}`;
  }

  #failed(error: unknown): void {
    if (!this.#failing)
      this.#log.warn(
        { event: 'pipe:redis:failed', reason: messageOf(error) },
        'Redis does not answer: batches are kept in memory only',
      );
    this.#failing = true;
  }
}
