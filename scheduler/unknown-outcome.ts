import { isTreeError } from './tree/tree-error.ts';

/**
 * A write was sent and its answer is missing. Once the session is connected again and a `barrier` has passed, a read tells: requests
 * on a former connection were either ordered before the session moved, or are refused. A read without the barrier tells
 * nothing, since the server may be behind the one that took the write.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  return isTreeError(error) && error.outcomeUnknown;
}

/** The request surely did nothing, and the same may succeed later in this session. */
export function isUnsent(error: unknown): boolean {
  return isTreeError(error, 'connection-loss', 'deadline') && !error.outcomeUnknown;
}
