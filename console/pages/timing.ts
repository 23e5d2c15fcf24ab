/** Where the time of a batch went, stage by stage: pure. Clocks of nodes are apart by milliseconds, so that no span is below nothing. */
import type { StageName } from '../../model/stage.ts';
import type { AppliedBatchView } from '../../node/api/views.ts';
import type { BatchView } from '../../node/cluster-views.ts';

export interface Span {
  readonly stage: StageName;
  readonly fromMs: number;
  readonly toMs: number;
  /** Nobody works on it. */
  readonly isQueue: boolean;
  /** It goes on. */
  readonly isOpen: boolean;
}

export interface TimedBatch {
  readonly id: string;
  readonly seq: string;
  readonly part: number;
  readonly rows: number;
  readonly transactions: number;
  readonly fromMs: number;
  /** Null while it is in flight. */
  readonly appliedMs: number | null;
  /** Where it is in flight. */
  readonly stage: StageName | null;
  readonly holder: string | null;
  readonly spans: readonly Span[];
}

export function timedApplied(batch: AppliedBatchView): TimedBatch {
  const steps: (readonly [StageName, number | null, boolean])[] = [
    ['select', batch.selectedMs, false],
    ['extract', batch.extractedMs, false],
    ['transform', batch.transformedMs, false],
    ['load', batch.loadBeganMs, true],
    ['load', batch.appliedMs, false],
  ];
  return {
    id: batch.id,
    seq: batch.seq,
    part: 0,
    rows: batch.rows,
    transactions: batch.transactions,
    fromMs: batch.firstCommitMs,
    appliedMs: batch.appliedMs,
    stage: null,
    holder: batch.node,
    spans: spansOf(batch.firstCommitMs, steps),
  };
}

/** `nowMs` by the clock of the node that was asked. */
export function timedInFlight(batch: BatchView, nowMs: number): TimedBatch {
  const heldMs = batch.heldSinceMs;
  const steps: (readonly [StageName, number | null, boolean])[] = [
    ['select', batch.selectedMs, false],
    ['extract', batch.extractedMs, false],
    ['transform', batch.transformedMs, false],
    ...(heldMs === null
      ? ([[batch.stage, nowMs, true]] as const)
      : ([
          [batch.stage, heldMs, true],
          [batch.stage, nowMs, false],
        ] as const)),
  ];
  const spans = spansOf(batch.firstCommitMs, steps);
  return {
    id: batch.id,
    seq: batch.seq,
    part: batch.part,
    rows: batch.rows,
    transactions: batch.transactions,
    fromMs: batch.firstCommitMs,
    appliedMs: null,
    stage: batch.stage,
    holder: batch.holder,
    spans: spans.map((span, index) => ({ ...span, isOpen: index === spans.length - 1 })),
  };
}

function spansOf(fromMs: number, steps: readonly (readonly [StageName, number | null, boolean])[]): Span[] {
  const spans: Span[] = [];
  let at = fromMs;
  for (const [stage, untilMs, isQueue] of steps) {
    if (untilMs === null) continue;
    const toMs = Math.max(at, untilMs);
    spans.push({ stage, fromMs: at, toMs, isQueue, isOpen: false });
    at = toMs;
  }
  return spans;
}

/** What is in flight first, then what was applied last; of each at most `most`, newest first. One that is both was applied meanwhile. */
export function timeline(
  inFlight: readonly BatchView[],
  applied: readonly AppliedBatchView[],
  options: { readonly nowMs: number; readonly most: number },
): readonly TimedBatch[] {
  const done = new Set(applied.map((one) => one.id));
  const open = inFlight.filter((one) => !done.has(one.id)).map((one) => timedInFlight(one, options.nowMs));
  const all = [...open, ...applied.map(timedApplied)];
  return all.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, options.most);
}

/** From when to when a timeline is drawn: what its batches span, but not more than `mostMs`. */
export function rangeOf(
  batches: readonly TimedBatch[],
  mostMs: number,
): { readonly fromMs: number; readonly toMs: number } | null {
  if (batches.length === 0) return null;
  const toMs = Math.max(...batches.flatMap(({ spans }) => spans.map((span) => span.toMs)));
  const fromMs = Math.min(...batches.map((one) => one.fromMs));
  return { fromMs: Math.max(fromMs, toMs - mostMs), toMs: Math.max(toMs, fromMs + 1) };
}
