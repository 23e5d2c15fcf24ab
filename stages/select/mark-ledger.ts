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
    const key = `${mark.pipeline}\0${mark.lane}`;
    const last = this.#last.get(key);
    if (last !== undefined && mark.seq > last + 1n) return { last };
    this.#last.set(key, mark.seq);
    return null;
  }
}
