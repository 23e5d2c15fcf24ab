/**
 * A schema change on its way from source to target: what it is, and what the pipeline does with its kind.
 */
import { DDL_KINDS, type SqlServer } from './ddl-kind.ts';
import type { SourceStatement } from './source-item.ts';

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
