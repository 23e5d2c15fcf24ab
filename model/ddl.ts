/**
 * A schema change on its way from source to target: what it is, and what the pipeline does with its kind.
 */
import { DDL_KINDS, type SqlServer } from './ddl-kind.ts';
import type { SourceStatement, StatementSession } from './source-item.ts';

/** Kinds of statements that a policy can be given for; `other` is what nobody can read, and may concern a replicated table. */
export const DDL_POLICY_KINDS = [...DDL_KINDS, 'other'] as const;
export type DdlPolicyKind = (typeof DDL_POLICY_KINDS)[number];

/** `replicate`: done at the target, once, in its place; `ignore`: passed over; `stop`: the pipeline pauses there. */
export const DDL_ACTIONS = ['replicate', 'ignore', 'stop'] as const;
export type DdlAction = (typeof DDL_ACTIONS)[number];

export interface DdlPolicy {
  readonly default: DdlAction;
  readonly kinds: Readonly<Partial<Record<DdlPolicyKind, DdlAction>>>;
}

export function ddlActionOf(policy: DdlPolicy, kind: DdlPolicyKind): DdlAction {
  return policy.kinds[kind] ?? policy.default;
}

/** Whether any kind of schema change is carried. */
export function carriesDdl(policy: DdlPolicy): boolean {
  return policy.default === 'replicate' || Object.values(policy.kinds).includes('replicate');
}

/** A statement of a batch, with its kind. */
export interface DdlStatement extends SourceStatement {
  readonly kind: DdlPolicyKind;
  /** Where the source has it: its GTID, else `file:offset` of its first event. Names it among all others. */
  readonly sourceRef: string;
  /** The server that it was written for: its words, and how it compares names. */
  readonly server: SqlServer;
  readonly caseSensitive: boolean;
}

const UTF8MB4_GENERAL_CI = 45;
/** By the number, the only values of MySQL's `default_collation_for_utf8mb4`. */
const SETTABLE: readonly string[] = ['utf8mb4_0900_ai_ci', 'utf8mb4_general_ci'];

/**
 * The collation that CHARACTER SET utf8mb4 has where none is named. MySQL 8.0.11 and later take it from the session, and log it; others
 * have one for good (https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_default_collation_for_utf8mb4,
 * https://mariadb.com/kb/en/supported-character-sets-and-collations/).
 */
export function utf8mb4Collation(
  { flavour, version }: SqlServer,
  { defaultCollationForUtf8mb4 }: StatementSession,
): string {
  if (flavour === 'mysql')
    return version < 80_001 || defaultCollationForUtf8mb4 === UTF8MB4_GENERAL_CI
      ? 'utf8mb4_general_ci'
      : 'utf8mb4_0900_ai_ci';
  return version < 110_500 ? 'utf8mb4_general_ci' : 'utf8mb4_uca1400_ai_ci';
}

/** Whether a session at the server can have this one. */
export function canMeanUtf8mb4({ flavour, version }: SqlServer, collation: string): boolean {
  return flavour === 'mysql' && version >= 80_011 && SETTABLE.includes(collation);
}
