/**
 * What a guard that matched nothing means (protocol section 4, the table), as a total function over what a locking read of the row shows.
 * Pure: the scheduler's explorer runs it too.
 */

/** What decides, of the row under lock. */
export interface RowState {
  readonly epoch: number;
  readonly tenure: string;
  readonly loader: string | null;
  readonly seq: bigint;
  readonly targetIdentity: string;
}

/** What the batch expected. */
export interface Expectation {
  readonly epoch: number;
  readonly tenure: string;
  readonly loader: string;
  /** The batch's own seq, n. */
  readonly seq: bigint;
  /** Identity of the server that is connected. */
  readonly targetIdentity: string;
  /** True when a batch (or an advance) before this one is known to be on its way. */
  readonly beforeInFlight: boolean;
}

export type MismatchDecision =
  /** Committed before: drop the batch, give the receipt. */
  | { readonly kind: 'repeat' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'lost-run' }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'rewind'; readonly why: string }
  /** No row. */
  | { readonly kind: 'stop' };

export function decideMismatch(row: RowState | null, expected: Expectation): MismatchDecision {
  if (row === null) return { kind: 'stop' };
  if (row.epoch > expected.epoch) return { kind: 'superseded' };
  if (row.epoch < expected.epoch)
    return {
      kind: 'rewind',
      why: `the row has epoch ${row.epoch}, this reign is ${expected.epoch}: the target lost the raise`,
    };
  if (row.targetIdentity !== expected.targetIdentity)
    return {
      kind: 'rewind',
      why: `connected to ${expected.targetIdentity}, the row was raised on ${row.targetIdentity}`,
    };
  // The same number under another tenure: the reign of a target or an ensemble that was rebuilt.
  if (row.tenure !== expected.tenure)
    return { kind: 'rewind', why: 'the row is of another tenure with the same epoch' };
  if (row.seq >= expected.seq) return { kind: 'repeat' };
  if (row.loader !== expected.loader) return { kind: 'lost-run' };
  if (row.seq < expected.seq - 1n && expected.beforeInFlight) return { kind: 'wait' };
  return { kind: 'rewind', why: `the row is at seq ${row.seq}, the batch is ${expected.seq}` };
}

/** The same for taking Load: null when the row is of this reign and server, so that the run may be taken. */
export function decideTake(
  row: RowState | null,
  expected: Pick<Expectation, 'epoch' | 'tenure' | 'targetIdentity'>,
): Exclude<MismatchDecision, { readonly kind: 'repeat' | 'wait' | 'lost-run' }> | null {
  const decision = decideMismatch(row, {
    ...expected,
    loader: row?.loader ?? '',
    seq: (row?.seq ?? 0n) + 1n,
    beforeInFlight: false,
  });
  if (decision.kind === 'stop' || decision.kind === 'superseded') return decision;
  if (
    row !== null &&
    row.epoch === expected.epoch &&
    row.tenure === expected.tenure &&
    row.targetIdentity === expected.targetIdentity
  )
    return null;
  return decision.kind === 'rewind' ? decision : { kind: 'rewind', why: 'the row is not of this reign' };
}
