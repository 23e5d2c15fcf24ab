/** What has become of a change, from what is known of it. Pure. */
import type { RowOp } from '../../model/rows.ts';
import { STAGES, type StageName } from '../../model/stage.ts';
import type { OutcomeKind, TraceOutcome, TraceStep } from './trace.ts';

/** What a row filter makes of a change. */
export type FilterVerdict =
  | { readonly kind: 'passes'; readonly op: RowOp }
  | { readonly kind: 'dropped' }
  /** The images do not say. */
  | { readonly kind: 'unknown'; readonly why: string };

export interface BatchTimes {
  readonly id: string;
  /** ms since 1970, each by the clock of the node that did it; null while it is not done. */
  readonly selectedMs: number | null;
  readonly extractedMs: number | null;
  readonly transformedMs: number | null;
  readonly appliedMs: number | null;
}

export interface LedgerFact {
  readonly id: string;
  readonly kind: string;
  readonly decision: 'source' | 'target';
  readonly state: string;
  readonly why: string;
}

export interface TraceFacts {
  readonly pipeline: string;
  /** Commit at the source by the clock of the nodes there, as far as the clocks are known. */
  readonly commitMs: number;
  readonly nowMs: number;
  /** Which pattern leaves the table out; null for a table that is carried. */
  readonly leftOutBy: string | null;
  /** Where Holt brought the change from; null for one that was made at the source. */
  readonly origin: string | null;
  readonly carriesOrigin: boolean;
  /** The rule's row filter; null without one. */
  readonly filter: { readonly rule: string; readonly where: string; readonly verdict: FilterVerdict } | null;
  /** The rule's user processor; null without one. */
  readonly processor: string | null;
  readonly preparedXid: string | null;
  /** The checkpoint is behind the transaction; null where there is none. */
  readonly isCovered: boolean | null;
  /** Select has read it; null when nobody can say. */
  readonly isRead: boolean | null;
  /** The batch that it is in, while that stands at a stage. */
  readonly inFlight: (BatchTimes & { readonly stage: StageName; readonly holder: string | null }) | null;
  /** The batch that it was in, as a node has kept it. */
  readonly applied: (BatchTimes & { readonly node: string }) | null;
  readonly ledger: LedgerFact | null;
  /** Its table is parked; `isHeld` null where not all that is held was looked at. */
  readonly parked: { readonly code: string; readonly why: string; readonly isHeld: boolean | null } | null;
  /** What the pipeline is doing, where that is not its work: paused by whom, failed why. */
  readonly standstill: string | null;
}

/** Kinds of ledger entries where the target's row was not the one expected; all others are rows that it could not take. */
const CONFLICTS: ReadonlySet<string> = new Set([
  'insert-present',
  'update-missing',
  'update-differs',
  'delete-missing',
  'delete-differs',
]);

const NOTHING = { code: null, stage: null, holder: null, batch: null, ledgerId: null, appliedMs: null };

export function traceVerdict(facts: TraceFacts): {
  readonly outcome: TraceOutcome;
  readonly steps: readonly TraceStep[];
} {
  const outcome = outcomeOf(facts);
  const leavesHere = outcome.kind === 'filtered' || outcome.kind === 'not-carried';
  return { outcome, steps: leavesHere ? [] : stepsOf(facts, outcome) };
}

function outcomeOf(facts: TraceFacts): TraceOutcome {
  const { filter, inFlight, applied, isCovered } = facts;
  const say = (kind: OutcomeKind, text: string, more: Partial<TraceOutcome> = {}): TraceOutcome => ({
    ...NOTHING,
    kind,
    text,
    ...more,
  });
  if (facts.leftOutBy !== null)
    return say('filtered', `${facts.pipeline} does not carry the table: ${facts.leftOutBy}`);
  if (facts.origin !== null && !facts.carriesOrigin)
    return say(
      'not-carried',
      `Holt itself wrote it here, from ${facts.origin}: ${facts.pipeline} does not carry changes of that origin, so that none comes back`,
    );
  if (filter?.verdict.kind === 'dropped')
    return say('filtered', `the row filter of the rule for ${filter.rule} leaves it out: ${filter.where}`);
  if (isCovered === true) return arrived(facts, say);
  if (inFlight !== null)
    return say(
      'in-flight',
      `in batch ${short(inFlight.id)} at ${inFlight.stage}, ${holderText(inFlight.holder)}${still(facts)}`,
      {
        stage: inFlight.stage,
        holder: inFlight.holder,
        batch: inFlight.id,
      },
    );
  // What has left the boards and is not behind the checkpoint as it was read a moment before.
  if (applied !== null)
    return say('applied', `applied by ${applied.node} in batch ${short(applied.id)}`, {
      batch: applied.id,
      appliedMs: applied.appliedMs,
    });
  const what =
    isCovered === null
      ? `${facts.pipeline} has no checkpoint yet`
      : facts.isRead === true
        ? 'Select has read it and has it in no batch that went out yet'
        : facts.isRead === false
          ? 'Select has not read it yet'
          : 'it is not at the target, in no batch that stands at a stage, and nobody leads who could say whether it was read';
  return say('not-read', `${what}${still(facts)}`, { stage: 'select' });
}

function arrived(
  facts: TraceFacts,
  say: (kind: OutcomeKind, text: string, more?: Partial<TraceOutcome>) => TraceOutcome,
): TraceOutcome {
  const { ledger, parked, applied } = facts;
  const seen = { batch: applied?.id ?? null, appliedMs: applied?.appliedMs ?? null };
  if (ledger !== null) {
    const isConflict = CONFLICTS.has(ledger.kind);
    const stands =
      ledger.decision === 'target'
        ? isConflict
          ? "it lost: the target's version stands"
          : 'the target could not take it, and it is kept as a dead letter'
        : 'it was applied all the same';
    const after = ledger.state === 'open' ? '' : `; ${ledger.state}`;
    return say(isConflict ? 'conflict' : 'dead-letter', `${ledger.why}; ${stands}${after}`, {
      ...seen,
      code: ledger.kind,
      ledgerId: ledger.id,
    });
  }
  if (facts.preparedXid !== null)
    return say(
      'prepared',
      'its XA transaction is prepared and not committed: its rows are held at the target until XA COMMIT',
      seen,
    );
  if (parked?.isHeld === true)
    return say('held', `its table is parked, and the change is held at the target: ${parked.why}`, {
      ...seen,
      code: parked.code,
    });
  if (parked !== null && parked.isHeld === null)
    return say('passed', 'its table is parked, and too much is held to say whether this change is among it', {
      ...seen,
      code: parked.code,
    });
  if (facts.processor !== null)
    return say(
      'passed',
      `its batch is at the target; the user processor ${facts.processor} decides what is made of the row, and was not asked`,
      seen,
    );
  if (applied === null)
    return say('applied', 'applied; when is not known: no node that answers has kept its batch');
  return say('applied', `applied by ${applied.node} in batch ${short(applied.id)}`, seen);
}

/** Epoch and number, without the zeros that make names of tasks order as text. */
const short = (id: string) => id.replace(/(?<![0-9])0+(?=[0-9])/g, '');

const holderText = (holder: string | null) =>
  holder === null ? 'where no node has taken it' : `on ${holder}`;

const still = ({ standstill }: TraceFacts) => (standstill === null ? '' : `; ${standstill}`);

/** Where its time went, stage by stage. */
function stepsOf(facts: TraceFacts, outcome: TraceOutcome): readonly TraceStep[] {
  const times = facts.inFlight ?? facts.applied;
  const at = outcome.stage;
  if (times === null) {
    if (at === null) return [];
    return [{ stage: at, tookMs: passed(facts.commitMs, facts.nowMs), doneMs: null, node: outcome.holder }];
  }
  const done: Readonly<Record<StageName, number | null>> = {
    select: times.selectedMs,
    extract: times.extractedMs,
    transform: times.transformedMs,
    load: times.appliedMs,
  };
  const steps: TraceStep[] = [];
  let beforeMs: number | null = facts.commitMs;
  for (const stage of STAGES) {
    const doneMs = done[stage];
    const isHere = stage === at;
    const endMs = doneMs ?? (isHere ? facts.nowMs : null);
    if (endMs === null) continue;
    const node = isHere ? outcome.holder : stage === 'load' ? (facts.applied?.node ?? null) : null;
    steps.push({ stage, tookMs: passed(beforeMs, endMs), doneMs: isHere ? null : doneMs, node });
    if (isHere) break;
    beforeMs = endMs;
  }
  return steps;
}

/** Clocks of several machines: a little below nothing is nothing. */
function passed(fromMs: number | null, toMs: number): number | null {
  return fromMs === null ? null : Math.max(0, Math.round(toMs - fromMs));
}
