/**
 * What a node keeps on its own disk: lines of JSON in files of some minutes each, appended to and never changed. The oldest file goes when it is
 * older than the retention, or when all of them take more than they may. A line that a crash tore is passed over.
 *
 * Files of our own and no embedded database: what is kept is append-only and read in order of time, and the databases that run on
 * Node 20 either need a build step at install or hold everything in memory.
 */
import { createReadStream, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { Breather } from '../../lib/breather.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';

const HOUR_MS = 3_600_000;
const NAME = /^([0-9]{13})\.ndjson$/;

/** Short names: there are millions of them. */
export interface Kept {
  /** ms since 1970 by the clock of the node that wrote it. */
  readonly t: number;
  /** Pipeline. */
  readonly p: string;
}

export interface SegmentStoreOptions<T extends Kept> {
  readonly folder: string;
  /** Of a line. */
  readonly schema: z.ZodType<T>;
  /** What goes into one file; default an hour. */
  readonly segmentMs?: number;
  readonly retentionMs: number;
  readonly maxBytes: number;
}

export class SegmentStore<T extends Kept> {
  readonly #options: SegmentStoreOptions<T>;
  readonly #segmentMs: number;
  /** Writes one after the other. */
  #writing: Promise<void> = Promise.resolve();
  #cleanedAt = -1;

  /** @throws HoltError HOLT_DATA_DIR when the folder cannot be made. */
  constructor(options: SegmentStoreOptions<T>) {
    this.#options = options;
    this.#segmentMs = options.segmentMs ?? HOUR_MS;
    try {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new HoltError('HOLT_DATA_DIR', `${options.folder}: ${messageOf(error)}`, {
        disposition: 'fatal',
        facts: { path: options.folder },
        cause: error,
      });
    }
  }

  /** Of one moment. @throws what the file system says. */
  append(samples: readonly T[]): Promise<void> {
    const write = async () => {
      const [first] = samples;
      if (first === undefined) return;
      const start = Math.floor(first.t / this.#segmentMs) * this.#segmentMs;
      // One file alone must not take all there is: what comes behind half of it is not kept.
      if (sizeOf(this.#path(start)) > this.#options.maxBytes / 2) return;
      // A torn line of an earlier process must not swallow the first of ours.
      const text = `${this.#cleanedAt === start ? '' : '\n'}${samples.map((one) => JSON.stringify(one)).join('\n')}\n`;
      await appendFile(this.#path(start), text, { mode: 0o600 });
      if (this.#cleanedAt !== start) {
        this.#cleanedAt = start;
        this.#forgetOld(first.t);
      }
    };
    const mine = this.#writing.then(write);
    this.#writing = mine.catch(() => {});
    return mine;
  }

  /** Of a pipeline in [fromMs, toMs), oldest first as far as the clock that wrote them went forward. */
  async *read(pipeline: string, fromMs: number, toMs: number, signal: AbortSignal): AsyncGenerator<T> {
    const breather = new Breather();
    const needle = `"p":${JSON.stringify(pipeline)}`;
    for (const start of this.#starts()) {
      if (start + this.#segmentMs <= fromMs || start >= toMs) continue;
      const input = createReadStream(this.#path(start), { encoding: 'utf8' });
      try {
        for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
          signal.throwIfAborted();
          if (breather.due()) await breather.breathe();
          if (!line.includes(needle)) continue;
          const found = this.#parsed(line);
          if (found !== null && found.p === pipeline && found.t >= fromMs && found.t < toMs) yield found;
        }
      } catch (error) {
        // It was forgotten while we read.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      } finally {
        input.destroy();
      }
    }
  }

  /** Resolves when all that was appended is written. */
  async close(): Promise<void> {
    await this.#writing;
  }

  #forgetOld(nowMs: number): void {
    const { retentionMs, maxBytes } = this.#options;
    const starts = this.#starts();
    const sizes = new Map(starts.map((start) => [start, sizeOf(this.#path(start))]));
    let total = [...sizes.values()].reduce((sum, one) => sum + one, 0);
    for (const start of starts.slice(0, -1)) {
      if (start + this.#segmentMs > nowMs - retentionMs && total <= maxBytes) break;
      rmSync(this.#path(start), { force: true });
      total -= sizes.get(start) ?? 0;
    }
  }

  #starts(): number[] {
    return readdirSync(this.#options.folder)
      .flatMap((name) => {
        const [, start] = NAME.exec(name) ?? [];
        return start === undefined ? [] : [Number(start)];
      })
      .sort((a, b) => a - b);
  }

  #parsed(line: string): T | null {
    try {
      const result = this.#options.schema.safeParse(JSON.parse(line));
      return result.success ? result.data : null;
    } catch {
      return null;
    }
  }

  #path(start: number): string {
    return join(this.#options.folder, `${String(start).padStart(13, '0')}.ndjson`);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
