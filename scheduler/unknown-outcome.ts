import { isTreeError } from './tree/tree-error.ts';

/**
 * A write was sent and its answer is missing. Requests of a session are executed in order, and a connection that was given up is
 * dead to the servers once the session has moved: what a later read of the same session does not show did not happen.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  return isTreeError(error) && error.outcomeUnknown;
}

/** The request surely did nothing, and the same may succeed later in this session. */
export function isUnsent(error: unknown): boolean {
  return isTreeError(error, 'connection-loss', 'deadline') && !error.outcomeUnknown;
}
