/**
 * What a node does with the Load claims of one pipeline: it takes the run once a tenure, then brings batch after batch
 * to the target, in the order of the claims; the answer of the guard decides what becomes of each.
 *
 *     idle ─claimed─► taking ─took─► ready ─(lowest claim)─► loading ─applied─► ready
 *                        │                                      │ part-done ─► ready, mid-transaction
 *                        └─────── lost-run, superseded, rewind, stop, claim lost ───────► idle (claims let go)
 *
 * Receipts are given while the next batch loads: one that is lost is given again by whoever claims the task then.
 * A transaction stays open between the parts of a batch (`open`): then only its next part may follow, and losing the
 * claim of one of its parts ends the run. A part that comes without those before it is loaded like any other: by the row
 * it is a repeat or a rewind.
 */
import { type Step, stay, step, type TransitionTable, transitionOf } from './machine.ts';

/** One task of Load, claimed by this node. */
export interface LoadItem {
  readonly epoch: number;
  readonly tenure: string;
  readonly seq: bigint;
  readonly part: number;
  readonly lastPart: boolean;
}

/** The reign for which the run is held. */
export interface RunReign {
  readonly epoch: number;
  readonly tenure: string;
}

/** An open target transaction: the parts executed in it, whose claims stay held until its COMMIT. */
export interface OpenTransaction {
  readonly seq: bigint;
  readonly parts: readonly LoadItem[];
}

/** Claims waiting, lowest first. */
type Waiting = readonly LoadItem[];

export type LoadRunState =
  | { readonly name: 'idle' }
  | { readonly name: 'taking'; readonly reign: RunReign; readonly waiting: Waiting }
  | {
      readonly name: 'ready';
      readonly reign: RunReign;
      readonly waiting: Waiting;
      readonly open: OpenTransaction | null;
    }
  | {
      readonly name: 'loading';
      readonly reign: RunReign;
      readonly item: LoadItem;
      readonly waiting: Waiting;
      readonly open: OpenTransaction | null;
    };

export type LoadRunEvent =
  | { readonly type: 'claimed'; readonly item: LoadItem }
  | { readonly type: 'took' }
  /** Taking or loading answered that the run is another loader's. */
  | { readonly type: 'lost-run' }
  /** A higher epoch is in the row. */
  | { readonly type: 'superseded' }
  | { readonly type: 'rewind'; readonly why: string }
  | { readonly type: 'stop'; readonly code: string; readonly why: string }
  /** Committed, now or before. */
  | { readonly type: 'applied' }
  | { readonly type: 'part-done' }
  /** The claim of this task is no longer ours. */
  | { readonly type: 'claim-lost'; readonly seq: bigint; readonly part: number }
  /** The node stops: claims go back. */
  | { readonly type: 'leave' };

export type LoadRunAction =
  | { readonly type: 'take'; readonly reign: RunReign }
  | { readonly type: 'load'; readonly item: LoadItem }
  /** Give the receipt: delete claim and task, parts included. */
  | { readonly type: 'finish'; readonly item: LoadItem }
  | { readonly type: 'part-progress'; readonly item: LoadItem }
  /** Give back the claims of these tasks. */
  | { readonly type: 'let-go'; readonly items: readonly LoadItem[] }
  /** Roll back and close the connection: nothing of this run may come through later. */
  | { readonly type: 'close' }
  | { readonly type: 'request-rewind'; readonly item: LoadItem; readonly why: string }
  | { readonly type: 'request-pause'; readonly item: LoadItem; readonly code: string; readonly why: string };

type LoadRunStep = Step<LoadRunState, LoadRunAction>;
type Running = Exclude<LoadRunState, { readonly name: 'idle' }>;

const IDLE: LoadRunState = { name: 'idle' };

function before(a: LoadItem, b: LoadItem): number {
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1;
  return a.part - b.part;
}

function enqueue(waiting: Waiting, item: LoadItem): Waiting {
  return [...waiting.filter((other) => before(other, item) !== 0), item].sort(before);
}

/** Every claim of the run, lowest first. */
export function heldBy(state: LoadRunState): readonly LoadItem[] {
  switch (state.name) {
    case 'idle':
      return [];
    case 'taking':
      return state.waiting;
    case 'ready':
      return [...(state.open?.parts ?? []), ...state.waiting];
    case 'loading':
      return [...(state.open?.parts ?? []), state.item, ...state.waiting];
    default:
      return state satisfies never;
  }
}

const letGo = (items: readonly LoadItem[]): readonly LoadRunAction[] =>
  items.length === 0 ? [] : [{ type: 'let-go', items }];

/** Ends the run: whatever is open rolls back, claims go back, and somebody may be told. */
function endRun(state: Running, ...told: readonly LoadRunAction[]): LoadRunStep {
  return step<LoadRunState, LoadRunAction>(IDLE, { type: 'close' }, ...told, ...letGo(heldBy(state)));
}

const isHeld = (state: LoadRunState, item: Pick<LoadItem, 'seq' | 'part'>): boolean =>
  heldBy(state).some((other) => other.seq === item.seq && other.part === item.part);

/** A batch came in: of the reign at hand it waits; a newer reign takes over the run; an older one is given back. */
function admit(state: Running, item: LoadItem): LoadRunStep {
  if (item.epoch === state.reign.epoch && item.tenure === state.reign.tenure) {
    // Lost and claimed again before the loss was told: it is in work already.
    const isInWork = !state.waiting.some((other) => before(other, item) === 0) && isHeld(state, item);
    return isInWork ? stay(state) : proceed({ ...state, waiting: enqueue(state.waiting, item) });
  }
  if (item.epoch <= state.reign.epoch) return step<LoadRunState, LoadRunAction>(state, ...letGo([item]));
  const reign = { epoch: item.epoch, tenure: item.tenure };
  return step<LoadRunState, LoadRunAction>(
    { name: 'taking', reign, waiting: [item] },
    { type: 'close' },
    ...letGo(heldBy(state)),
    { type: 'take', reign },
  );
}

/** Starts the lowest waiting batch where that is possible. */
function proceed(state: Running): LoadRunStep {
  if (state.name !== 'ready') return stay(state);
  const [item, ...waiting] = state.waiting;
  if (item === undefined) return stay(state);
  const { open } = state;
  const nextPart = 1 + (open?.parts.at(-1)?.part ?? -1);
  if (open !== null && (item.seq !== open.seq || item.part !== nextPart)) {
    if (item.seq > open.seq || (item.seq === open.seq && item.part > nextPart)) return stay(state);
    return endRun(state, {
      type: 'request-rewind',
      item,
      why: 'a batch below the open transaction came back',
    });
  }
  // Also a part without those before it: they died with another loader, or are done. The guard tells which.
  return step<LoadRunState, LoadRunAction>(
    { name: 'loading', reign: state.reign, item, waiting, open },
    { type: 'load', item },
  );
}

/** A claim that only waited is dropped; one that is in work, or whose part the open transaction has, ends the run. */
function loseClaim(state: Running, lost: { readonly seq: bigint; readonly part: number }): LoadRunStep {
  const isLost = (item: LoadItem) => item.seq === lost.seq && item.part === lost.part;
  if (!isHeld(state, lost)) return stay(state);
  if (state.waiting.some(isLost))
    return stay({ ...state, waiting: state.waiting.filter((item) => !isLost(item)) });
  const items = heldBy(state).filter((item) => !isLost(item));
  return step<LoadRunState, LoadRunAction>(IDLE, { type: 'close' }, ...letGo(items));
}

/** The receipt takes all parts of the batch away, those too that a repeat finds waiting. */
function applied(state: Extract<LoadRunState, { readonly name: 'loading' }>): LoadRunStep {
  const { reign, item } = state;
  const waiting = state.waiting.filter(({ seq }) => seq !== item.seq);
  return after({ type: 'finish', item }, proceed({ name: 'ready', reign, waiting, open: null }));
}

const after = (action: LoadRunAction, next: LoadRunStep): LoadRunStep => ({
  state: next.state,
  actions: [action, ...next.actions],
});

export const LOAD_RUN_TABLE: TransitionTable<LoadRunState, LoadRunEvent, LoadRunAction> = {
  idle: {
    claimed: (_, { item }) => {
      const reign = { epoch: item.epoch, tenure: item.tenure };
      return step({ name: 'taking', reign, waiting: [item] }, { type: 'take', reign });
    },
    took: stay,
    'lost-run': stay,
    superseded: stay,
    rewind: stay,
    stop: stay,
    applied: stay,
    'part-done': stay,
    'claim-lost': stay,
    leave: stay,
  },
  taking: {
    claimed: (state, { item }) => admit(state, item),
    took: ({ reign, waiting }) => proceed({ name: 'ready', reign, waiting, open: null }),
    'lost-run': (state) => endRun(state),
    superseded: (state) => endRun(state),
    rewind: (state, { why }) => endRun(state, ...askRewind(state, why)),
    stop: (state, { code, why }) => endRun(state, ...askPause(state, code, why)),
    applied: stay,
    'part-done': stay,
    'claim-lost': (state, event) => loseClaim(state, event),
    leave: (state) => endRun(state),
  },
  ready: {
    claimed: (state, { item }) => admit(state, item),
    took: stay,
    'lost-run': stay,
    superseded: stay,
    rewind: (state, { why }) => endRun(state, ...askRewind(state, why)),
    stop: (state, { code, why }) => endRun(state, ...askPause(state, code, why)),
    applied: stay,
    'part-done': stay,
    'claim-lost': (state, event) => loseClaim(state, event),
    leave: (state) => endRun(state),
  },
  loading: {
    claimed: (state, { item }) => admit(state, item),
    took: stay,
    'lost-run': (state) => endRun(state),
    superseded: (state) => endRun(state),
    rewind: (state, { why }) => endRun(state, ...askRewind(state, why)),
    stop: (state, { code, why }) => endRun(state, ...askPause(state, code, why)),
    applied: (state) => applied(state),
    'part-done': ({ reign, item, waiting, open: before }) => {
      const open = { seq: item.seq, parts: [...(before?.parts ?? []), item] };
      return after({ type: 'part-progress', item }, proceed({ name: 'ready', reign, waiting, open }));
    },
    'claim-lost': (state, event) => loseClaim(state, event),
    leave: (state) => endRun(state),
  },
};

function askRewind(state: Running, why: string): readonly LoadRunAction[] {
  const [item] = heldBy(state);
  return item === undefined ? [] : [{ type: 'request-rewind', item, why }];
}

function askPause(state: Running, code: string, why: string): readonly LoadRunAction[] {
  const [item] = heldBy(state);
  return item === undefined ? [] : [{ type: 'request-pause', item, code, why }];
}

export const loadRunTransition = transitionOf(LOAD_RUN_TABLE);
export const initialLoadRun: LoadRunState = IDLE;
