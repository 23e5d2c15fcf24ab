/**
 * What `holt doctor` finds: one line each. Checks are asked of servers by the probes of this folder; what their answers mean is
 * decided by pure functions over values, which give findings.
 */
import { HoltError, messageOf } from '../../lib/errors.ts';
import { ERROR_CODES, type ErrorCodeName, remedyOf } from '../../model/error-codes.ts';

export type FindingLevel = 'ok' | 'warn' | 'error';

export interface Finding {
  readonly level: FindingLevel;
  /** Null for what is as it should be. */
  readonly code: string | null;
  /** What it is about, and what stops or suffers without it: `pipeline shop`, `data source east-db`, `east.shop.orders`. */
  readonly about: string;
  readonly message: string;
  readonly remedy: string | null;
  /** True when something did not answer at all. */
  readonly unreachable: boolean;
}

export function ok(about: string, message: string): Finding {
  return { level: 'ok', code: null, about, message, remedy: null, unreachable: false };
}

export interface Trouble {
  readonly code: ErrorCodeName;
  readonly about: string;
  readonly message: string;
  /** The code's own remedy if absent. */
  readonly remedy?: string;
}

export function warning(trouble: Trouble): Finding {
  return finding('warn', trouble);
}

export function problem(trouble: Trouble): Finding {
  return finding('error', trouble);
}

function finding(level: FindingLevel, { code, about, message, remedy }: Trouble): Finding {
  return { level, code, about, message, remedy: remedy ?? ERROR_CODES[code].remedy, unreachable: false };
}

/** Codes that say that nobody answered. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'HOLT_SOURCE_UNREACHABLE',
  'HOLT_SOURCE_LINK_LOST',
  'HOLT_SOURCE_SILENT',
  'HOLT_TARGET_UNREACHABLE',
  'HOLT_TREE_DEADLINE',
  'HOLT_TREE_CONNECTION_LOSS',
  'HOLT_TREE_SESSION_LOST',
] satisfies ErrorCodeName[]);

/** Anything thrown by a check. */
export function failure(about: string, error: unknown): Finding {
  if (!(error instanceof HoltError))
    return problem({ code: 'HOLT_INTERNAL', about, message: messageOf(error) });
  return {
    level: 'error',
    code: error.code,
    about,
    message: error.message,
    remedy: remedyOf(error),
    unreachable: UNREACHABLE.has(error.code),
  };
}

/** 0, 7 when something that is needed does not answer, 8 when a check found an error. */
export function exitCodeOfFindings(findings: readonly Finding[]): 0 | 7 | 8 {
  const errors = findings.filter((one) => one.level === 'error');
  if (errors.some((one) => one.unreachable)) return 7;
  return errors.length > 0 ? 8 : 0;
}
