/**
 * What a raise does with the rows it has locked (protocol section 2, step 3). Pure: the scheduler's explorer runs it too.
 */
import { LANE } from '../../../model/holt-tables.ts';

export interface RaiseRow {
  readonly lane: number;
  readonly epoch: number;
  readonly tenure: string;
  readonly cluster: string;
}

export interface RaiseFacts {
  readonly cluster: string;
  /** Rows of the pipeline, all locked. */
  readonly rows: readonly RaiseRow[];
  /** First raise after taking the lock. */
  readonly takeOver: boolean;
  /** Take-over: the row's epoch as read right after the lock was made, null for no row. Otherwise: the epoch of the reign that ends. */
  readonly seenEpoch: number | null;
  /** Tenures known to be ours: that of the reign that ends, and one that a raise of ours has set since. */
  readonly ownTenures: readonly string[];
  /** Epoch in `/epoch`; 0 when there is none. */
  readonly treeEpoch: number;
  /** `/epoch` or the row at the source says that the pipeline has run. */
  readonly hasRun: boolean;
  /** A row of the DDL journal is open. */
  readonly openDdl: boolean;
  /** Someone sets the position: this alone may make rows for a pipeline that has run. */
  readonly setsPosition: boolean;
  /** Parallel lanes that the pipeline is to have; default 0. */
  readonly lanes?: number;
  /** Parallel lanes that have been written by; default 0. */
  readonly plannedLanes?: number;
}

export type RaiseDecision =
  /** Somebody else raised since. */
  | { readonly kind: 'let-go'; readonly why: string }
  | { readonly kind: 'stop'; readonly code: RaiseStop; readonly why: string }
  /** Raise the rows that are there, and make those of `newLanes`. With no rows there, all are made. */
  | { readonly kind: 'raise'; readonly epoch: number; readonly newLanes: readonly number[] };

export type RaiseStop = 'HOLT_CHECKPOINT_MISSING' | 'HOLT_CHECKPOINT_FOREIGN' | 'HOLT_DDL_UNSETTLED';

/** Lanes that every pipeline has. */
export const STANDING_LANES: readonly number[] = [LANE.stream, LANE.replay, LANE.drain];

export function decideRaise(facts: RaiseFacts): RaiseDecision {
  const { rows } = facts;
  const foreign = rows.find((row) => row.cluster !== facts.cluster);
  if (foreign !== undefined)
    return {
      kind: 'stop',
      code: 'HOLT_CHECKPOINT_FOREIGN',
      why: `the checkpoint row belongs to the installation ${JSON.stringify(foreign.cluster)}`,
    };
  const stream = rows.find((row) => row.lane === LANE.stream);
  if (stream === undefined) {
    if (!facts.setsPosition && (facts.hasRun || facts.seenEpoch !== null || rows.length > 0))
      return {
        kind: 'stop',
        code: 'HOLT_CHECKPOINT_MISSING',
        why: 'the pipeline has run before, and its checkpoint row is gone',
      };
  } else {
    const why = ruledByAnother(facts, stream);
    if (why !== null) return { kind: 'let-go', why };
    // What it had done beyond the others is not known any more.
    const lost = parallelLanes(facts.plannedLanes ?? 0).find(
      (lane) => !rows.some((row) => row.lane === lane),
    );
    if (lost !== undefined && !facts.setsPosition)
      return { kind: 'stop', code: 'HOLT_CHECKPOINT_MISSING', why: `the row of lane ${lost} is gone` };
  }
  if (facts.openDdl)
    return { kind: 'stop', code: 'HOLT_DDL_UNSETTLED', why: 'a schema change was begun and is not settled' };
  return {
    kind: 'raise',
    epoch: 1 + Math.max(facts.treeEpoch, facts.seenEpoch ?? 0, ...rows.map((row) => row.epoch)),
    newLanes: [...STANDING_LANES, ...parallelLanes(facts.lanes ?? 0)].filter(
      (lane) => !rows.some((row) => row.lane === lane),
    ),
  };
}

function parallelLanes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** Why the row says that somebody else reigns; null when it does not. */
function ruledByAnother(facts: RaiseFacts, stream: RaiseRow): string | null {
  if (facts.ownTenures.includes(stream.tenure)) return null;
  if (facts.takeOver)
    return stream.epoch === facts.seenEpoch
      ? null
      : `the row has epoch ${stream.epoch}, and ${facts.seenEpoch ?? 'no row'} when the mainstem was taken`;
  // A rewind: a lower epoch is a target that lost our raise, which is what the rewind is for.
  return stream.epoch < (facts.seenEpoch ?? 0)
    ? null
    : `the row has epoch ${stream.epoch} of another tenure, the reign that ends was ${facts.seenEpoch ?? 'none'}`;
}
