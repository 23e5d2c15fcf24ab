import type { ErrorCodeName } from '../../model/error-codes.ts';

/**
 * Failures that say nothing of the log or of our place in it: links, accounts, grants. Time or a person at the server heals them
 * without a word to us, so that they are tried again however long it takes.
 */
export const OUTSIDE_CAUSES: ReadonlySet<string> = new Set([
  'HOLT_SOURCE_UNREACHABLE',
  'HOLT_SOURCE_LINK_LOST',
  'HOLT_SOURCE_SILENT',
  'HOLT_SOURCE_TLS',
  'HOLT_SOURCE_ACCESS_DENIED',
  'HOLT_SOURCE_AUTH_METHOD',
  'HOLT_SOURCE_GRANT',
] satisfies ErrorCodeName[]);
