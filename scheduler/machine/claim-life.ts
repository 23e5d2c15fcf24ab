/**
 * The life of a claim: from wanting a task to having handed it on, given it back or lost it.
 *
 *     claiming ─made─► held ─hand-over─► handing ─done─► settled
 *        │ refused        │ release         │ unknown ─► finding-out ─found-done─► settled
 *        ▼                ▼                 │                └─found-undone─► handing (again)
 *     settled         releasing ─released─► settled
 *
 *     any ─lost─► settled        the reason is told once, by the `lost` signal
 *
 * A claim belongs to the session that made it: `lost` comes with the end of the session, with an epoch above the
 * batch's, and when the task is seen to be gone. Whatever is on its way by then is stopped by the multi's own checks.
 */
import { type Step, stay, step, type TransitionTable, transitionOf } from './machine.ts';

export type ClaimEnd = 'handed-over' | 'released' | 'refused' | 'lost' | 'superseded';

export type ClaimState =
  | { readonly name: 'claiming' }
  | { readonly name: 'held' }
  /** The multi is on its way. */
  | { readonly name: 'handing' }
  /** Its answer is missing; what is there is being read. */
  | { readonly name: 'finding-out' }
  | { readonly name: 'releasing' }
  | { readonly name: 'settled'; readonly end: ClaimEnd };

export type ClaimEvent =
  /** The lock is ours (also when a lost answer turns out to have been a yes). */
  | { readonly type: 'made' }
  /** Another's lock stands, or the task is gone. */
  | { readonly type: 'refused' }
  | { readonly type: 'hand-over' }
  | { readonly type: 'done' }
  /** The multi failed its check of `/epoch`. */
  | { readonly type: 'epoch-refused' }
  /** The multi found claim or task gone. */
  | { readonly type: 'claim-refused' }
  | { readonly type: 'unknown' }
  /** Surely not sent: nothing happened. */
  | { readonly type: 'unsent' }
  /** The tree refused the multi for another reason (size, access): nothing happened, and the same would be refused again. */
  | { readonly type: 'rejected' }
  | { readonly type: 'found-done' }
  | { readonly type: 'found-undone' }
  | { readonly type: 'release' }
  | { readonly type: 'released' }
  /** Session lost, lock gone. */
  | { readonly type: 'lost' }
  /** A higher epoch rules. */
  | { readonly type: 'superseded' };

export type ClaimAction =
  | { readonly type: 'grant' }
  | { readonly type: 'send-hand-over' }
  | { readonly type: 'find-out' }
  | { readonly type: 'remove-lock' }
  /** Fires the `lost` signal. */
  | { readonly type: 'abort'; readonly why: 'lost' | 'superseded' };

type ClaimStep = Step<ClaimState, ClaimAction>;

const settled = (end: ClaimEnd): ClaimState => ({ name: 'settled', end });
const end = (how: ClaimEnd): ClaimStep => step(settled(how));
const lose = (): ClaimStep => step(settled('lost'), { type: 'abort', why: 'lost' });
const supersede = (): ClaimStep => step(settled('superseded'), { type: 'abort', why: 'superseded' });
const resend = (): ClaimStep => step({ name: 'handing' }, { type: 'send-hand-over' });

export const CLAIM_TABLE: TransitionTable<ClaimState, ClaimEvent, ClaimAction> = {
  claiming: {
    made: () => step({ name: 'held' }, { type: 'grant' }),
    refused: () => end('refused'),
    'hand-over': stay,
    done: stay,
    'epoch-refused': stay,
    'claim-refused': stay,
    unknown: stay,
    unsent: stay,
    rejected: stay,
    'found-done': stay,
    'found-undone': stay,
    release: () => step({ name: 'releasing' }, { type: 'remove-lock' }),
    released: stay,
    lost: () => end('lost'),
    superseded: () => step({ name: 'releasing' }, { type: 'remove-lock' }),
  },
  held: {
    made: stay,
    refused: stay,
    'hand-over': resend,
    done: stay,
    'epoch-refused': stay,
    'claim-refused': stay,
    unknown: stay,
    unsent: stay,
    rejected: stay,
    'found-done': stay,
    'found-undone': stay,
    release: () => step({ name: 'releasing' }, { type: 'remove-lock' }),
    released: stay,
    lost: lose,
    superseded: supersede,
  },
  handing: {
    made: stay,
    refused: stay,
    'hand-over': stay,
    done: () => end('handed-over'),
    'epoch-refused': supersede,
    'claim-refused': lose,
    unknown: () => step({ name: 'finding-out' }, { type: 'find-out' }),
    unsent: resend,
    rejected: () => step({ name: 'held' }),
    'found-done': stay,
    'found-undone': stay,
    // The multi decides: it either came through before, or finds its claim gone.
    release: stay,
    released: stay,
    lost: lose,
    superseded: supersede,
  },
  'finding-out': {
    made: stay,
    refused: stay,
    'hand-over': stay,
    done: () => end('handed-over'),
    'epoch-refused': supersede,
    'claim-refused': lose,
    unknown: stay,
    unsent: stay,
    rejected: stay,
    'found-done': () => end('handed-over'),
    'found-undone': resend,
    release: stay,
    released: stay,
    lost: lose,
    superseded: supersede,
  },
  releasing: {
    made: stay,
    refused: stay,
    'hand-over': stay,
    done: stay,
    'epoch-refused': stay,
    'claim-refused': stay,
    unknown: stay,
    unsent: stay,
    rejected: stay,
    'found-done': stay,
    'found-undone': stay,
    release: stay,
    released: () => end('released'),
    lost: () => end('lost'),
    superseded: stay,
  },
  settled: {
    made: stay,
    refused: stay,
    'hand-over': stay,
    done: stay,
    'epoch-refused': stay,
    'claim-refused': stay,
    unknown: stay,
    unsent: stay,
    rejected: stay,
    'found-done': stay,
    'found-undone': stay,
    release: stay,
    released: stay,
    lost: stay,
    superseded: stay,
  },
};

export const claimTransition = transitionOf(CLAIM_TABLE);
export const initialClaim: ClaimState = { name: 'claiming' };
