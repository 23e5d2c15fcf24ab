/** Errors as RFC 9457 problem details with Holt's stable codes. */
import { HoltError } from '../../lib/errors.ts';
import { ERROR_CODES, type ErrorCodeName, remedyOf } from '../../model/error-codes.ts';
import { type WaitStanding, waitStanding } from '../operations.ts';

export interface ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly remedy?: string;
  /** Where it stands, of HOLT_WAIT_TIMEOUT. */
  readonly standing?: WaitStanding;
  /** The request's id in the node's log. */
  readonly instance?: string;
}

const STATUS: Readonly<Partial<Record<ErrorCodeName, number>>> = {
  HOLT_PIPELINE_UNKNOWN: 404,
  HOLT_CONFIG_VERSION: 412,
  HOLT_IF_MATCH_MISSING: 428,
  HOLT_CONFIG_UNKNOWN: 404,
  HOLT_BATCH_UNKNOWN: 404,
  HOLT_NODE_NEEDED: 409,
  HOLT_NODE_UNKNOWN: 404,
  HOLT_ZNODE_UNKNOWN: 404,
  HOLT_LEDGER_MISSING: 404,
  HOLT_DDL_MISSING: 404,
  HOLT_DDL_SETTLED: 409,
  HOLT_VERIFY_UNKNOWN: 404,
  HOLT_WAIT_TIMEOUT: 504,
  HOLT_TRACE_TABLE: 404,
  HOLT_TRACE_KEY: 400,
  HOLT_TRACE_UNKNOWN: 404,
  HOLT_PIPELINE_STATE: 409,
  HOLT_LEDGER_REPLAYED: 409,
  HOLT_REPLAY_REFUSED: 409,
  HOLT_POSITION_INVALID: 400,
  HOLT_REQUEST_INVALID: 400,
  HOLT_NAME_INVALID: 400,
  HOLT_TABLE_NOT_PARKED: 404,
  HOLT_UNAUTHENTICATED: 401,
  HOLT_FORBIDDEN: 403,
  HOLT_CSRF: 403,
  HOLT_LOGIN_FAILED: 401,
  HOLT_LOGIN_LOCKED: 429,
  HOLT_RATE_LIMIT: 429,
  HOLT_SETUP_REFUSED: 403,
  HOLT_REQUEST_KEY_USED: 422,
  HOLT_REQUEST_RUNNING: 409,
  HOLT_REQUEST_DONE: 409,
  HOLT_ACCOUNT_UNKNOWN: 404,
  HOLT_ACCOUNT_EXISTS: 409,
  HOLT_LAST_ADMIN: 409,
  HOLT_TOKEN_UNKNOWN: 404,
  HOLT_ALARM_UNKNOWN: 404,
  HOLT_ALARM_CHANNEL_UNKNOWN: 404,
  HOLT_ALARM_SILENCE_UNKNOWN: 404,
  HOLT_ALARM_SILENCES_FULL: 409,
  HOLT_ALARM_BUSY: 409,
};

/** HTTP status of a code where the error itself says no more. */
export function statusOf(code: string): number {
  return (STATUS as Readonly<Record<string, number | undefined>>)[code] ?? 500;
}

export function problemDetails(error: unknown): ProblemDetails {
  if (error instanceof HoltError) {
    const remedy = remedyOf(error);
    const status =
      (STATUS as Readonly<Record<string, number | undefined>>)[error.code] ??
      (error.disposition === 'retry' ? 503 : 500);
    return {
      type: `https://holt.invalid/errors/${error.code}`,
      title: error.code,
      status,
      code: error.code,
      detail: error.message,
      ...(remedy === null ? {} : { remedy }),
      ...(error.code === 'HOLT_WAIT_TIMEOUT' ? { standing: waitStanding.parse(error.facts) } : {}),
    };
  }
  return {
    type: 'https://holt.invalid/errors/HOLT_INTERNAL',
    title: 'HOLT_INTERNAL',
    status: 500,
    code: 'HOLT_INTERNAL',
    detail: error instanceof Error ? error.message : String(error),
    remedy: ERROR_CODES.HOLT_INTERNAL.remedy,
  };
}
