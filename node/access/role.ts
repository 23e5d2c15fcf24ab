/**
 * Who may do what through the API. A role includes those before it; an account may be confined to some pipelines.
 *
 * - viewer: sees states, figures and texts, no row values and no secrets.
 * - operator: acts on pipelines and tables, and sees the rows of the ledger.
 * - admin: accounts, tokens of others, audit, positions, configuration, the coordination tree.
 */
import { wildcard } from '../../lib/wildcard.ts';

export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Whoever a request was found to come from. */
export interface Principal {
  /** `token` is one made through the API, `config` the one of the configuration, `anyone` who comes while api.auth is off. */
  readonly kind: 'user' | 'token' | 'config' | 'anyone';
  /** As the audit log shows it. */
  readonly name: string;
  readonly role: Role;
  /** Pipelines it is confined to: patterns, of which one must fit in each list. Empty for all pipelines. */
  readonly scopes: readonly (readonly string[])[];
  /** The account behind it; null for tokens that belong to none. */
  readonly user: string | null;
}

export function atLeast(role: Role, wanted: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}

export function lesser(a: Role, b: Role): Role {
  return atLeast(a, b) ? b : a;
}

/** A token reaches no further than the account that made it: each has a list of its own. */
export function mayTouch({ scopes }: Pick<Principal, 'scopes'>, pipeline: string): boolean {
  return scopes.every((patterns) => patterns.some((pattern) => wildcard(pattern)(pipeline)));
}

/** `null` in records is no confinement. */
export function scopesOf(...lists: readonly (readonly string[] | null)[]): readonly (readonly string[])[] {
  return lists.filter((one) => one !== null);
}
