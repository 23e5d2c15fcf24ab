/**
 * POST with an Idempotency-Key: carried out once within a day, whichever node gets the repeat. What was answered is kept in the
 * coordination tree and given again, unless it holds what must not stand there.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { ACCESS } from '../../scheduler/paths.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { isTreeError } from '../../scheduler/tree/tree-error.ts';
import { type RequestRecord, requestRecord, sealer } from '../access/records.ts';
import { SealedRecords, type Versioned } from '../access/sealed-records.ts';

const KEPT_MS = 24 * 3_600_000;
/** A request that is not over by then will not end any more: its node is gone. */
const ABANDONED_MS = 5 * 60_000;
const PRUNE_MS = 3_600_000;
const MAX_ANSWER = 32 * 1024;

export interface RepeatableRequest {
  readonly key: string;
  /** Keys of one are not those of another. */
  readonly principal: string;
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
  /** Whether the answer may be kept. */
  readonly keeps: boolean;
}

export interface KnownAnswer {
  readonly status: number;
  readonly body: unknown;
}

export class RepeatedRequests {
  readonly #records: SealedRecords<RequestRecord>;
  readonly #clock: Clock;
  #prunedMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly tree: CoordinationTree;
    readonly key: Buffer;
    readonly clock: Clock;
    readonly log: Logger;
  }) {
    this.#clock = options.clock;
    this.#records = new SealedRecords({
      ...options,
      sealer: sealer(requestRecord, options.key),
      parent: `${ACCESS}/request`,
    });
  }

  /**
   * Carries `work` out, or gives the answer it had.
   * @throws HoltError HOLT_REQUEST_KEY_USED, HOLT_REQUEST_RUNNING, HOLT_REQUEST_DONE; whatever `work` throws: it may then be tried again.
   */
  async once(
    request: RepeatableRequest,
    work: () => Promise<KnownAnswer>,
  ): Promise<KnownAnswer & { readonly isRepeat: boolean }> {
    if (!/^[\x21-\x7e]{1,255}$/.test(request.key))
      throw new HoltError(
        'HOLT_REQUEST_INVALID',
        'Idempotency-Key: 1 to 255 visible characters are expected',
        {
          disposition: 'fatal',
        },
      );
    const id = sha256(`${request.principal}\n${request.key}`).slice(0, 32);
    const fingerprint = sha256(JSON.stringify([request.method, request.url, request.body ?? null]));
    const known = await this.#begin(id, fingerprint);
    if (known !== null) return { ...known, isRepeat: true };
    let answer: KnownAnswer;
    try {
      answer = await work();
    } catch (error) {
      await this.#records.remove(id).catch(() => {});
      throw error;
    }
    const body = JSON.stringify(answer.body ?? null);
    const kept = request.keeps && body.length <= MAX_ANSWER ? { status: answer.status, body } : null;
    const mine = await this.#records.read(id);
    if (mine !== null)
      await this.#records.replace(id, { ...mine.value, done: true, answer: kept }, mine.version);
    return { ...answer, isRepeat: false };
  }

  async #begin(id: string, fingerprint: string): Promise<KnownAnswer | null> {
    const atMs = Math.round(this.#clock.nowMs());
    const record: RequestRecord = { version: 1, fingerprint, atMs, answer: null, done: false };
    for (;;) {
      const known = await this.#records.read(id);
      if (known !== null) {
        const taken = this.#judge(known, fingerprint, atMs);
        if (taken !== 'again') return taken;
        await this.#records.remove(id);
      }
      try {
        await this.#records.create(id, record);
        await this.#prune(atMs);
        return null;
      } catch (error) {
        if (!isTreeError(error, 'node-exists')) throw error;
      }
    }
  }

  #judge({ value }: Versioned<RequestRecord>, fingerprint: string, nowMs: number): KnownAnswer | 'again' {
    const ageMs = nowMs - value.atMs;
    if (ageMs > KEPT_MS || (!value.done && ageMs > ABANDONED_MS)) return 'again';
    if (value.fingerprint !== fingerprint)
      throw new HoltError('HOLT_REQUEST_KEY_USED', 'this Idempotency-Key came with another request before', {
        disposition: 'fatal',
      });
    if (!value.done)
      throw new HoltError('HOLT_REQUEST_RUNNING', 'the same request is being carried out', {
        disposition: 'retry',
      });
    if (value.answer === null)
      throw new HoltError('HOLT_REQUEST_DONE', 'the same request was carried out; its answer was not kept', {
        disposition: 'fatal',
      });
    return { status: value.answer.status, body: JSON.parse(value.answer.body) as unknown };
  }

  async #prune(nowMs: number): Promise<void> {
    if (nowMs - this.#prunedMs < PRUNE_MS) return;
    this.#prunedMs = nowMs;
    for (const id of await this.#records.names()) {
      const record = await this.#records.get(id);
      if (record === null || nowMs - record.atMs > KEPT_MS) await this.#records.remove(id);
    }
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
