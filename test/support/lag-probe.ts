/**
 * Measures the lag of a replication from outside, on the one clock of this process: when a writer's transactions commit at the source, when
 * they are to be seen at the target, and what Holt says in between.
 */
import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { Measured } from '../../model/lag.ts';
import type { Database } from './database.ts';
import { SCHEMA } from './shop.ts';

/** A moment that lies between two readings of the clock. */
export interface Between {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A transaction: when it was committed, and when it was seen at the target; not yet: from infinity on. */
export interface Passage {
  readonly committed: Between;
  readonly seen: Between;
}

/** What was shown, asked and answered at these moments. */
export interface ShownLag {
  readonly asked: Between;
  readonly lag: Measured | null;
}

/** The lag that there was at a moment: at least and at most, as far as the readings tell. */
export function lagAt(
  passages: readonly Passage[],
  ms: number,
): { readonly least: number; readonly most: number } {
  let least = 0;
  let most = 0;
  for (const { committed, seen } of passages) {
    if (most === 0 && committed.fromMs <= ms && seen.toMs > ms) most = ms - committed.fromMs;
    if (committed.toMs <= ms && seen.fromMs > ms) {
      least = ms - committed.toMs;
      break;
    }
  }
  return { least, most: Math.max(most, least) };
}

const STEP_MS = 5;

/** How far what was shown is from any lag that there was while it was asked for, or up to `lateMs` before; 0 when it was one. */
export function deviationOf(passages: readonly Passage[], { asked, lag }: ShownLag, lateMs: number): number {
  if (lag === null) return Number.POSITIVE_INFINITY;
  let deviation = Number.POSITIVE_INFINITY;
  for (let ms = asked.fromMs - lateMs; ms <= asked.toMs + STEP_MS; ms += STEP_MS) {
    const { least, most } = lagAt(passages, Math.min(ms, asked.toMs));
    deviation = Math.min(deviation, Math.max(0, least - lag.ms, lag.ms - most));
    if (deviation === 0) break;
  }
  return deviation;
}

export const PROBE_TABLE = `${SCHEMA}.lag_probe`;
const FOREVER: Between = { fromMs: Number.POSITIVE_INFINITY, toMs: Number.POSITIVE_INFINITY };

export class LagProbe implements AsyncDisposable {
  readonly #writer: Connection;
  readonly #watcher: Connection;
  readonly #committed: Between[] = [];
  readonly #seen: Between[] = [];
  #over = false;
  #watching: Promise<void> = Promise.resolve();

  private constructor(writer: Connection, watcher: Connection) {
    this.#writer = writer;
    this.#watcher = watcher;
  }

  /** Makes the table at both ends; before Holt starts. */
  static async create(source: Database, target: Database): Promise<LagProbe> {
    for (const db of [source, target])
      await db.query(
        `CREATE TABLE ${PROBE_TABLE} (id BIGINT NOT NULL, line INT NOT NULL, text VARCHAR(200), PRIMARY KEY (id, line))`,
      );
    const probe = new LagProbe(await source.connect(), await target.connect());
    probe.#watching = probe.#watch();
    probe.#watching.catch(() => {});
    return probe;
  }

  get transactions(): number {
    return this.#committed.length;
  }

  /** One transaction of so many rows, which stays open for a while before its commit. */
  async write(rows: number, openMs = 0): Promise<void> {
    const id = this.#committed.length;
    const values = Array.from({ length: rows }, (_, line) => `(${id},${line},REPEAT('x',100))`);
    await this.#writer.query('BEGIN');
    await this.#writer.query(`INSERT INTO ${PROBE_TABLE} VALUES ${values.join(',')}`);
    if (openMs > 0) await new Promise((resolve) => setTimeout(resolve, openMs));
    const fromMs = performance.now();
    await this.#writer.query('COMMIT');
    this.#committed.push({ fromMs, toMs: performance.now() });
  }

  passages(): readonly Passage[] {
    return this.#committed.map((committed, id) => ({ committed, seen: this.#seen[id] ?? FOREVER }));
  }

  async #watch(): Promise<void> {
    let fromMs = performance.now();
    while (!this.#over) {
      const askedMs = performance.now();
      const [rows] = await this.#watcher.query<RowDataPacket[]>(`SELECT MAX(id) AS id FROM ${PROBE_TABLE}`);
      const toMs = performance.now();
      const id = rows[0]?.id === null ? -1 : Number(rows[0]?.id);
      while (this.#seen.length <= id) this.#seen.push({ fromMs, toMs });
      fromMs = askedMs;
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#watching.catch(() => {});
    await this.#writer.end();
    await this.#watcher.end();
  }
}
