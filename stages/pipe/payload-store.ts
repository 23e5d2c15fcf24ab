/** Payloads in this node's memory, bounded in bytes (G6), ended by receipts and by reigns. */
import { type Deferred, deferred } from '../../lib/deferred.ts';
import type { PipelineId, Tenure } from '../../model/ids.ts';
import type { PayloadKey } from './pipe.ts';

interface Held {
  readonly key: PayloadKey;
  readonly bytes: Buffer;
  /** Sent ahead, and nobody has asked for it yet: goes first when room is needed. */
  isAhead: boolean;
}

interface Waiting {
  readonly key: PayloadKey;
  readonly size: number;
  readonly turn: Deferred<void>;
}

export class PayloadStore {
  readonly #maxBytes: number;
  /** Pipeline → identity → payload, in order of arrival. */
  readonly #held = new Map<PipelineId, Map<string, Held>>();
  readonly #ruling = new Map<PipelineId, Tenure>();
  readonly #waiting: Waiting[] = [];
  #heldBytes = 0;

  constructor(options: { readonly maxBytes: number }) {
    this.#maxBytes = options.maxBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Keeps it as soon as there is room. The lowest sequence of a pipeline never waits: it is what everything behind it
   * waits for.
   */
  async put(key: PayloadKey, bytes: Buffer, signal: AbortSignal): Promise<void> {
    while (!this.#fits(key, bytes.length)) {
      if (this.#evictAhead()) continue;
      signal.throwIfAborted();
      const waiting: Waiting = { key, size: bytes.length, turn: deferred() };
      this.#waiting.push(waiting);
      const onAbort = () => waiting.turn.reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        await waiting.turn.promise;
      } finally {
        signal.removeEventListener('abort', onAbort);
        const at = this.#waiting.indexOf(waiting);
        if (at !== -1) this.#waiting.splice(at, 1);
      }
    }
    this.#keep(key, bytes, false);
  }

  /** Keeps what was sent ahead of the claim, if the reign rules and there is room without taking any from others. */
  putAhead(key: PayloadKey, bytes: Buffer): boolean {
    if (this.#ruling.get(key.pipeline) !== key.tenure) return false;
    if (this.#heldBytes + bytes.length > this.#maxBytes) return false;
    this.#keep(key, bytes, true);
    return true;
  }

  get(key: PayloadKey): Buffer | null {
    const held = this.#held.get(key.pipeline)?.get(identityOf(key));
    if (held === undefined) return null;
    held.isAhead = false;
    return held.bytes;
  }

  #keep(key: PayloadKey, bytes: Buffer, isAhead: boolean): void {
    const pipeline = this.#pipeline(key.pipeline);
    const identity = identityOf(key);
    const held = pipeline.get(identity);
    if (held !== undefined) {
      held.isAhead &&= isAhead;
      return;
    }
    pipeline.set(identity, { key, bytes, isAhead });
    this.#heldBytes += bytes.length;
  }

  /** The youngest that was sent ahead goes; false when there is none. */
  #evictAhead(): boolean {
    for (const pipeline of this.#held.values()) {
      const youngest = [...pipeline].findLast(([, { isAhead }]) => isAhead);
      if (youngest === undefined) continue;
      pipeline.delete(youngest[0]);
      this.#heldBytes -= youngest[1].bytes.length;
      return true;
    }
    return false;
  }

  received(pipeline: PipelineId, tenure: Tenure, seq: bigint): readonly PayloadKey[] {
    return this.#drop(pipeline, (key) => key.tenure === tenure && key.seq <= seq);
  }

  partReceived(pipeline: PipelineId, tenure: Tenure, seq: bigint, part: number): readonly PayloadKey[] {
    return this.#drop(
      pipeline,
      (key) => key.tenure === tenure && (key.seq < seq || (key.seq === seq && key.part <= part)),
    );
  }

  ruling(pipeline: PipelineId, tenure: Tenure | null): readonly PayloadKey[] {
    if (tenure === null) this.#ruling.delete(pipeline);
    else this.#ruling.set(pipeline, tenure);
    return this.#drop(pipeline, (key) => key.tenure !== tenure);
  }

  #fits(key: PayloadKey, size: number): boolean {
    if (this.#heldBytes === 0 || this.#heldBytes + size <= this.#maxBytes) return true;
    for (const { key: other } of this.#held.get(key.pipeline)?.values() ?? [])
      if (
        other.tenure === key.tenure &&
        (other.seq < key.seq || (other.seq === key.seq && other.part < key.part))
      )
        return false;
    return true;
  }

  #pipeline(name: PipelineId): Map<string, Held> {
    let pipeline = this.#held.get(name);
    if (pipeline === undefined) {
      pipeline = new Map();
      this.#held.set(name, pipeline);
    }
    return pipeline;
  }

  #drop(name: PipelineId, which: (key: PayloadKey) => boolean): readonly PayloadKey[] {
    const pipeline = this.#held.get(name);
    const dropped: PayloadKey[] = [];
    for (const [identity, held] of pipeline ?? []) {
      if (!which(held.key)) continue;
      pipeline?.delete(identity);
      this.#heldBytes -= held.bytes.length;
      dropped.push(held.key);
    }
    // Also when nothing of this store went: a lower sequence may have gone elsewhere, and the next is now the lowest.
    for (const waiting of [...this.#waiting])
      if (this.#fits(waiting.key, waiting.size)) waiting.turn.resolve();
    return dropped;
  }
}

/** Names a payload within its pipeline; also the tail of its Redis key. */
export function identityOf(key: PayloadKey): string {
  return `${key.tenure}:${key.seq}:${key.part}:${key.sha256}`;
}
