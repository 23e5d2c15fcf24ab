import type { SessionState } from '../tree.ts';

/** What happens to a session, as the transitions see it. */
export type SessionSignal =
  /** A link with a new session is up. */
  | 'granted'
  /** A link with the session we had is up again. */
  | 'resumed'
  /** The link is gone, or its server does not answer. */
  | 'link-down'
  /** The session is over: said by the server or by our own lease clock. */
  | 'over'
  /** The next session is being looked for. */
  | 'retry'
  /** The server refused the credentials; a session there was is over. */
  | 'auth-refused'
  | 'stop';

/**
 * State × signal → next state; null: cannot happen in that state. The whole table is written out, so a missing cell
 * does not compile.
 */
export const sessionTransitions: {
  readonly [State in SessionState]: { readonly [Signal in SessionSignal]: SessionState | null };
} = {
  connecting: {
    granted: 'connected',
    resumed: null,
    'link-down': null,
    over: null,
    retry: 'connecting',
    'auth-refused': 'auth-failed',
    stop: 'closed',
  },
  connected: {
    granted: null,
    resumed: null,
    'link-down': 'suspended',
    over: 'lost',
    retry: null,
    'auth-refused': null,
    stop: 'closed',
  },
  suspended: {
    granted: null,
    resumed: 'connected',
    'link-down': 'suspended',
    over: 'lost',
    retry: null,
    'auth-refused': null,
    stop: 'closed',
  },
  lost: {
    granted: null,
    resumed: null,
    'link-down': null,
    over: null,
    retry: 'connecting',
    'auth-refused': null,
    stop: 'closed',
  },
  'auth-failed': {
    granted: null,
    resumed: null,
    'link-down': null,
    over: null,
    retry: 'connecting',
    'auth-refused': null,
    stop: 'closed',
  },
  closed: {
    granted: null,
    resumed: null,
    'link-down': null,
    over: null,
    retry: null,
    'auth-refused': null,
    stop: 'closed',
  },
};
