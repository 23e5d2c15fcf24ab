/**
 * Which threads of the source are Holt's own, busy with a schema change (protocol section 5): the loop mark of a statement that cannot
 * carry one. It holds from the journal's row to the row's end, and no longer than the server: numbers of threads begin again then.
 */
export interface DdlMark {
  /** The journal row's key. */
  readonly id: bigint;
  readonly threadId: number;
  /** Site at which the schema was first changed. */
  readonly origin: string;
}

/** A change of a row of `holt.ddl`, as the log shows it. */
export type DdlJournalEvent =
  | { readonly kind: 'opened'; readonly mark: DdlMark }
  | { readonly kind: 'ended'; readonly id: bigint };

export class DdlMarks {
  readonly #open = new Map<bigint, DdlMark>();

  /** @param open those that were open at the place where reading begins */
  constructor(open: readonly DdlMark[] = []) {
    for (const mark of open) this.#open.set(mark.id, mark);
  }

  note(event: DdlJournalEvent): void {
    if (event.kind === 'opened') this.#open.set(event.mark.id, event.mark);
    else this.#open.delete(event.id);
  }

  serverStarted(): void {
    this.#open.clear();
  }

  /** Null for a thread that is nobody of ours. */
  of(threadId: number): DdlMark | null {
    for (const mark of this.#open.values()) if (mark.threadId === threadId) return mark;
    return null;
  }
}
