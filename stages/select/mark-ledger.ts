import type { LoadMark } from '../../model/source-item.ts';

/**
 * Checks that the loop marks of every pipeline and lane come without a gap (protocol section 6): a missing one means that
 * somebody keeps part of Holt's own schema from the log, and that marked transactions may pass for unmarked ones.
 *
 * Numbers may begin anywhere, and may go back: a source that failed over to a replica lacking the last seconds gets them again.
 */
export class MarkLedger {
  readonly #last = new Map<string, bigint>();

  /** Notes a mark; what was last seen, if some lie between. A mark that was refused is not noted. */
  note(mark: LoadMark): { readonly last: bigint } | null {
    const key = keyOf(mark);
    const last = this.#last.get(key);
    if (last !== undefined && mark.seq > last + 1n) return { last };
    this.#last.set(key, mark.seq);
    return null;
  }

  /** A lane begins anew: its next mark has the number after this one. */
  begin(lane: { readonly pipeline: string; readonly lane: number; readonly seq: bigint }): void {
    this.#last.set(keyOf(lane), lane.seq);
  }
}

function keyOf(lane: { readonly pipeline: string; readonly lane: number }): string {
  return `${lane.pipeline}\0${lane.lane}`;
}
