import { AbortError } from './abort.ts';
import { type Deferred, deferred } from './deferred.ts';

/**
 * A first-in first-out queue bounded in bytes (G6). `put` waits while the queue is full; an item larger than the
 * bound passes alone. One or many takers.
 */
export class BoundedQueue<T> {
  readonly #maxBytes: number;
  readonly #items: { readonly item: T; readonly bytes: number }[] = [];
  readonly #takers: Deferred<T>[] = [];
  readonly #putters: { readonly item: T; readonly bytes: number; readonly done: Deferred<void> }[] = [];
  #queuedBytes = 0;
  #closed: unknown;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get length(): number {
    return this.#items.length;
  }

  put(item: T, bytes: number): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker.resolve(item);
      return Promise.resolve();
    }
    if (this.#putters.length === 0 && this.#fits(bytes)) {
      this.#items.push({ item, bytes });
      this.#queuedBytes += bytes;
      return Promise.resolve();
    }
    const done = deferred<void>();
    this.#putters.push({ item, bytes, done });
    return done.promise;
  }

  take(): Promise<T> {
    const first = this.#items.shift();
    if (first !== undefined) {
      this.#queuedBytes -= first.bytes;
      this.#admit();
      return Promise.resolve(first.item);
    }
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const waiting = deferred<T>();
    this.#takers.push(waiting);
    return waiting.promise;
  }

  /** Nothing more goes in; what is queued can still be taken, then takers get `reason`. */
  close(reason: unknown = new AbortError('queue closed')): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    for (const putter of this.#putters.splice(0)) putter.done.reject(reason);
    for (const taker of this.#takers.splice(0)) taker.reject(reason);
  }

  #fits(bytes: number): boolean {
    return this.#items.length === 0 || this.#queuedBytes + bytes <= this.#maxBytes;
  }

  #admit(): void {
    for (;;) {
      const next = this.#putters[0];
      if (next === undefined || !this.#fits(next.bytes)) return;
      this.#putters.shift();
      this.#items.push({ item: next.item, bytes: next.bytes });
      this.#queuedBytes += next.bytes;
      next.done.resolve();
    }
  }
}
