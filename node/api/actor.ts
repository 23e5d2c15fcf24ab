import { z } from 'zod';
import { HoltError } from '../../lib/errors.ts';
import type { Principal } from '../access/role.ts';

/** Who acts through a shared token, as a program says; shown behind the account's own name. */
export const byField = z
  .string()
  .max(128)
  .optional()
  .describe('Who acts through a shared token; shown in brackets behind its name.');

export const whyField = z.string().max(4096).default('').describe('Why, for status and audit.');

/** For what concerns all pipelines alike: whoever is confined to some has no say in it. */
export function unconfined(principal: Principal | null, what: string): Principal {
  if (principal === null)
    throw new HoltError('HOLT_UNAUTHENTICATED', 'nobody is logged in', { disposition: 'fatal' });
  if (principal.scopes.length > 0)
    throw new HoltError('HOLT_FORBIDDEN', `${principal.name} is confined to some pipelines; ${what}`, {
      disposition: 'fatal',
    });
  return principal;
}

export function actorOf(principal: Principal | null, by: string | undefined): string {
  if (principal === null)
    throw new HoltError('HOLT_UNAUTHENTICATED', 'nobody is logged in', { disposition: 'fatal' });
  if (principal.kind === 'anyone') return by === undefined || by === '' ? principal.name : by;
  return by === undefined || by === '' || by === principal.name
    ? principal.name
    : `${principal.name} (${by})`;
}
