/** XA transactions between PREPARE and outcome: those whose bodies are in no batch yet, and those whose bodies went out. */
import type { SourceRows } from '../../model/source-item.ts';

/** Its outcome was not read yet, and its body is in no batch yet. */
export interface Prepared {
  readonly commitUs: number;
  readonly gtid: string;
  /** Those of replicated tables; may be none. */
  readonly rows: readonly SourceRows[];
  readonly bytes: number;
}

/** XA transactions that are remembered as held at the target; the outcome of one that is not goes alone in its batch. */
const MAX_HELD_XA = 10_000;

export class PreparedXa {
  /** By id, in the order of the log. */
  readonly #prepared = new Map<string, Prepared>();
  /** Ids whose bodies went out under this reign, newest last. */
  readonly #held = new Set<string>();
  #rows = 0;
  #bytes = 0;

  /** How many are put aside. */
  get size(): number {
    return this.#prepared.size;
  }

  /** Rows put aside. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes put aside. */
  get bytes(): number {
    return this.#bytes;
  }

  get(xid: string): Prepared | undefined {
    return this.#prepared.get(xid);
  }

  /** Puts a body aside; one of the same id before it is forgotten. */
  add(xid: string, body: Prepared): void {
    this.#drop(xid);
    this.#prepared.set(xid, body);
    this.#rows += rowsOf(body);
    this.#bytes += body.bytes;
  }

  /** All that is put aside, for a batch: from now on it is held. */
  takeAll(): readonly (readonly [string, Prepared])[] {
    const all = [...this.#prepared];
    for (const [xid] of all) {
      this.#drop(xid);
      this.hold(xid);
    }
    return all;
  }

  /** Its body is in a batch. */
  hold(xid: string): void {
    this.#held.delete(xid);
    this.#held.add(xid);
    const [oldest] = this.#held;
    if (this.#held.size > MAX_HELD_XA && oldest !== undefined) this.#held.delete(oldest);
  }

  isHeld(xid: string): boolean {
    return this.#held.has(xid);
  }

  /** Its outcome was read. */
  forget(xid: string): void {
    this.#drop(xid);
    this.#held.delete(xid);
  }

  #drop(xid: string): void {
    const body = this.#prepared.get(xid);
    if (body === undefined) return;
    this.#prepared.delete(xid);
    this.#rows -= rowsOf(body);
    this.#bytes -= body.bytes;
  }
}

function rowsOf({ rows }: Prepared): number {
  return rows.reduce((sum, one) => sum + one.rows, 0);
}
