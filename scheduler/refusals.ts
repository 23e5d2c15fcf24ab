/** The reasons for which a lock, a claim or a reign ends, as errors: they are the reasons of the `lost` and `over` signals. */
import { type ErrorFacts, HoltError } from '../lib/errors.ts';

export function isHoltError(error: unknown, code?: string): error is HoltError {
  return error instanceof HoltError && (code === undefined || error.code === code);
}

/** The lock is gone, or can no longer be shown to be ours. */
export function claimLost(path: string, why: string, facts: ErrorFacts = {}): HoltError {
  return new HoltError('HOLT_CLAIM_LOST', `${path}: ${why}`, {
    disposition: 'retry',
    facts: { path, ...facts },
  });
}

/** Another reign rules the pipeline than the one the work belongs to. */
export function epochSuperseded(path: string, own: number, ruling: number | null): HoltError {
  const now = ruling === null ? 'no epoch rules' : `epoch ${ruling} rules`;
  return new HoltError('HOLT_EPOCH_SUPERSEDED', `${path}: made in epoch ${own}, and ${now}`, {
    disposition: 'retry',
    facts: { path, own, ruling },
  });
}
