/**
 * The life of a mainstem: from wanting the lock to a reign, through rewinds, to letting go.
 *
 *     follower ─want─► locking ─lock-made─► reading ─row-read─► holding ─raise─► preparing ─tree-read─► raising
 *        ▲               │ lock-refused                            ▲                                       │ target-raised
 *        └───────────────┘                                         │ target-failed                         ▼
 *        ▲                                                         └──────────────────────────────── proclaiming
 *        │ released                                                                                        │ proclaimed
 *     letting-go ◄── release, target-refused, proclaim-refused     reigning ◄─cleared── clearing ◄─────────┘
 *        any ─lost─► follower                                         └─raise (rewind)─► preparing
 *
 * `taking` names one taking of the lock (the version of its parent): the multi that proclaims an epoch checks it.
 */
import type { Tenure } from '../../model/ids.ts';
import { type Step, stay, step, type TransitionTable, transitionOf } from './machine.ts';

/** What a raise goes by. */
export interface RaiseBasis {
  readonly takeOver: boolean;
  /** Take-over: the row's epoch read right after the lock was made. Rewind: the epoch that ends. */
  readonly seenEpoch: number | null;
  readonly ownTenure: Tenure | null;
}

/** `/epoch` as read before the target half; version null when there was none. */
export interface TreeEpoch {
  readonly epoch: number;
  readonly version: number | null;
}

export interface Raised {
  readonly epoch: number;
  readonly tenure: Tenure;
}

export type MainstemState =
  | { readonly name: 'follower' }
  | { readonly name: 'locking' }
  | { readonly name: 'reading'; readonly taking: number }
  /** The lock is held and nothing reigns: before the first raise, or after one that failed. */
  | { readonly name: 'holding'; readonly taking: number; readonly basis: RaiseBasis }
  | { readonly name: 'preparing'; readonly taking: number; readonly basis: RaiseBasis }
  | {
      readonly name: 'raising';
      readonly taking: number;
      readonly basis: RaiseBasis;
      readonly treeEpoch: TreeEpoch;
    }
  | { readonly name: 'proclaiming'; readonly taking: number; readonly raised: Raised }
  | { readonly name: 'clearing'; readonly taking: number; readonly raised: Raised; readonly version: number }
  | { readonly name: 'reigning'; readonly taking: number; readonly raised: Raised; readonly version: number }
  | { readonly name: 'letting-go'; readonly why: string };

export type MainstemEvent =
  | { readonly type: 'want' }
  | { readonly type: 'lock-made'; readonly taking: number }
  /** Another's lock stands. */
  | { readonly type: 'lock-refused' }
  | { readonly type: 'row-read'; readonly epoch: number | null }
  /** Asked for: the first raise, or a rewind. */
  | { readonly type: 'raise' }
  | { readonly type: 'tree-read'; readonly epoch: TreeEpoch }
  | { readonly type: 'target-raised'; readonly raised: Raised }
  /** Somebody else raised since. */
  | { readonly type: 'target-refused'; readonly why: string }
  /** The target half failed in a way that may pass, or needs a person: the lock stays. */
  | { readonly type: 'target-failed' }
  | { readonly type: 'proclaimed'; readonly version: number }
  | { readonly type: 'proclaim-refused'; readonly why: string }
  | { readonly type: 'cleared' }
  /** `/epoch` is no longer what this reign set. */
  | { readonly type: 'superseded' }
  /** Session, lease or lock gone. */
  | { readonly type: 'lost'; readonly why: string }
  | { readonly type: 'release' }
  | { readonly type: 'released' };

export type MainstemAction =
  | { readonly type: 'make-lock' }
  | { readonly type: 'read-row' }
  | { readonly type: 'read-tree' }
  | { readonly type: 'raise-target'; readonly basis: RaiseBasis; readonly treeEpoch: TreeEpoch }
  /** One multi: the lock of `taking` is ours, `/epoch` has `treeEpoch.version`; set it. */
  | {
      readonly type: 'proclaim';
      readonly taking: number;
      readonly treeEpoch: TreeEpoch;
      readonly raised: Raised;
    }
  /** Delete all tasks standing, each with its claim, each while `/epoch` has `version`. */
  | { readonly type: 'clear'; readonly version: number }
  | { readonly type: 'begin-reign'; readonly raised: Raised; readonly version: number }
  | { readonly type: 'end-reign'; readonly why: string }
  | { readonly type: 'remove-lock' };

type MainstemStep = Step<MainstemState, MainstemAction>;

const FOLLOWER: MainstemState = { name: 'follower' };

const letGo = (why: string): MainstemStep => step({ name: 'letting-go', why }, { type: 'remove-lock' });
const fall = (): MainstemStep => step(FOLLOWER);
const fallFromReign = (why: string): MainstemStep => step(FOLLOWER, { type: 'end-reign', why });

/** What the next raise of a mainstem that has raised goes by: only its own epoch, or an older one, may be in the row. */
const afterRaised = (raised: Raised): RaiseBasis => ({
  takeOver: false,
  seenEpoch: raised.epoch,
  ownTenure: raised.tenure,
});

export const MAINSTEM_TABLE: TransitionTable<MainstemState, MainstemEvent, MainstemAction> = {
  follower: {
    want: () => step({ name: 'locking' }, { type: 'make-lock' }),
    // The answer to a creation that was given up: the lock may be ours and must not stay.
    'lock-made': () => letGo('the lock was made after it was given up'),
    'lock-refused': stay,
    'row-read': stay,
    raise: stay,
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': stay,
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: stay,
    lost: stay,
    release: stay,
    released: stay,
  },
  locking: {
    want: stay,
    'lock-made': (_, { taking }) => step({ name: 'reading', taking }, { type: 'read-row' }),
    'lock-refused': fall,
    'row-read': stay,
    raise: stay,
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': stay,
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: stay,
    lost: fall,
    release: fall,
    released: stay,
  },
  reading: {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': ({ taking }, { epoch }) =>
      step({ name: 'holding', taking, basis: { takeOver: true, seenEpoch: epoch, ownTenure: null } }),
    raise: stay,
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': stay,
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: stay,
    lost: fall,
    release: () => letGo('released'),
    released: stay,
  },
  holding: {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': stay,
    raise: ({ taking, basis }) => step({ name: 'preparing', taking, basis }, { type: 'read-tree' }),
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': stay,
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: stay,
    lost: fall,
    release: () => letGo('released'),
    released: stay,
  },
  preparing: {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': stay,
    raise: stay,
    'tree-read': ({ taking, basis }, { epoch }) =>
      step(
        { name: 'raising', taking, basis, treeEpoch: epoch },
        { type: 'raise-target', basis, treeEpoch: epoch },
      ),
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': ({ taking, basis }) => step({ name: 'holding', taking, basis }),
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: stay,
    lost: fall,
    release: () => letGo('released'),
    released: stay,
  },
  raising: {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': stay,
    raise: stay,
    'tree-read': stay,
    'target-raised': ({ taking, treeEpoch }, { raised }) =>
      step({ name: 'proclaiming', taking, raised }, { type: 'proclaim', taking, treeEpoch, raised }),
    'target-refused': (_, { why }) => letGo(why),
    'target-failed': ({ taking, basis }) => step({ name: 'holding', taking, basis }),
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: stay,
    lost: fall,
    release: () => letGo('released'),
    released: stay,
  },
  proclaiming: {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': stay,
    raise: stay,
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    // Proclaiming failed in a way that may pass: the row is ours already, so the next raise goes by its epoch.
    'target-failed': ({ taking, raised }) => step({ name: 'holding', taking, basis: afterRaised(raised) }),
    proclaimed: ({ taking, raised }, { version }) =>
      step({ name: 'clearing', taking, raised, version }, { type: 'clear', version }),
    'proclaim-refused': (_, { why }) => letGo(why),
    cleared: stay,
    superseded: stay,
    lost: fall,
    release: () => letGo('released'),
    released: stay,
  },
  clearing: {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': stay,
    raise: stay,
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': ({ taking, raised }) => step({ name: 'holding', taking, basis: afterRaised(raised) }),
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: ({ taking, raised, version }) =>
      step({ name: 'reigning', taking, raised, version }, { type: 'begin-reign', raised, version }),
    superseded: ({ taking, raised }) => step({ name: 'holding', taking, basis: afterRaised(raised) }),
    lost: fall,
    release: () => letGo('released'),
    released: stay,
  },
  reigning: {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': stay,
    // A rewind: the reign ends before anything else is done.
    raise: ({ taking, raised }) =>
      step(
        { name: 'preparing', taking, basis: afterRaised(raised) },
        { type: 'end-reign', why: 'rewind' },
        { type: 'read-tree' },
      ),
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': stay,
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: ({ taking, raised }) =>
      step(
        { name: 'holding', taking, basis: afterRaised(raised) },
        { type: 'end-reign', why: 'another epoch was proclaimed' },
      ),
    lost: (_, { why }) => fallFromReign(why),
    release: () =>
      step(
        { name: 'letting-go', why: 'released' },
        { type: 'end-reign', why: 'released' },
        { type: 'remove-lock' },
      ),
    released: stay,
  },
  'letting-go': {
    want: stay,
    'lock-made': stay,
    'lock-refused': stay,
    'row-read': stay,
    raise: stay,
    'tree-read': stay,
    'target-raised': stay,
    'target-refused': stay,
    'target-failed': stay,
    proclaimed: stay,
    'proclaim-refused': stay,
    cleared: stay,
    superseded: stay,
    lost: fall,
    release: stay,
    released: fall,
  },
};

export const mainstemTransition = transitionOf(MAINSTEM_TABLE);
export const initialMainstem: MainstemState = FOLLOWER;
