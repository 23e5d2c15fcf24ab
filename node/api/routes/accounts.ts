/** Accounts and API tokens. */
import { z } from 'zod';
import { HoltError } from '../../../lib/errors.ts';
import { accountName, pipelineScope, type TokenRecord, type UserRecord } from '../../access/records.ts';
import { type Principal, ROLES } from '../../access/role.ts';
import { pageByKey, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';
import { newToken, tokenView, userView } from '../views.ts';

const named = z.object({ name: z.string().max(64) });
const withId = z.object({ id: z.string().max(64) });
const role = z.enum(ROLES);
const password = z.string().min(1).max(1024);
const userOf = (record: UserRecord): z.input<typeof userView> => record;
const tokenOf = (record: TokenRecord): z.input<typeof tokenView> => record;

/** Who manages accounts reaches all pipelines: a confined administrator could free himself. */
function unbound(principal: Principal | null): Principal {
  if (principal === null || principal.scopes.length > 0)
    throw new HoltError('HOLT_FORBIDDEN', 'accounts are managed by administrators of all pipelines', {
      disposition: 'fatal',
    });
  return principal;
}

export const ACCOUNT_ROUTES: readonly Route[] = [
  route({
    id: 'listUsers',
    method: 'GET',
    path: '/users',
    tag: 'accounts',
    summary: 'Accounts.',
    access: 'admin',
    query: pageQuery,
    answer: pageOf(userView),
    async handle({ services, query }) {
      return pageByKey((await services.accounts.users()).map(userOf), (one) => one.name, query);
    },
  }),
  route({
    id: 'createUser',
    method: 'POST',
    path: '/users',
    tag: 'accounts',
    summary: 'Make an account.',
    access: 'admin',
    body: z.strictObject({ name: accountName, role, pipelines: pipelineScope.default(null), password }),
    status: 201,
    answer: userView,
    problems: ['HOLT_ACCOUNT_EXISTS'],
    async handle({ services, body, principal, audit }) {
      audit({ object: body.name });
      return userOf(await services.accounts.createUser(body, unbound(principal).name));
    },
  }),
  route({
    id: 'changeUser',
    method: 'PATCH',
    path: '/users/:name',
    tag: 'accounts',
    summary: 'Change role, pipelines or password of an account, or disable it; its logins end.',
    access: 'admin',
    params: named,
    body: z.strictObject({
      role: role.optional(),
      pipelines: pipelineScope.optional(),
      disabled: z.boolean().optional(),
      password: password.optional(),
    }),
    answer: userView,
    problems: ['HOLT_ACCOUNT_UNKNOWN', 'HOLT_LAST_ADMIN'],
    async handle({ services, params, body, principal }) {
      unbound(principal);
      return userOf(await services.accounts.changeUser(params.name, body));
    },
  }),
  route({
    id: 'deleteUser',
    method: 'DELETE',
    path: '/users/:name',
    tag: 'accounts',
    summary: 'Delete an account with its tokens and logins.',
    access: 'admin',
    params: named,
    problems: ['HOLT_ACCOUNT_UNKNOWN', 'HOLT_LAST_ADMIN'],
    async handle({ services, params, principal }) {
      unbound(principal);
      await services.accounts.deleteUser(params.name);
    },
  }),
  route({
    id: 'listTokens',
    method: 'GET',
    path: '/tokens',
    tag: 'accounts',
    summary: "API tokens: one's own; all of them for administrators.",
    access: 'account',
    query: pageQuery,
    answer: pageOf(tokenView),
    async handle({ services, principal, query }) {
      if (principal === null) throw new HoltError('HOLT_UNAUTHENTICATED', 'nobody is logged in');
      return pageByKey((await services.accounts.tokens(principal)).map(tokenOf), (one) => one.id, query);
    },
  }),
  route({
    id: 'createToken',
    method: 'POST',
    path: '/tokens',
    tag: 'accounts',
    summary:
      'Make an API token, with no more than one may do oneself. Its text is in this answer and nowhere else.',
    access: 'account',
    body: z.strictObject({
      name: z.string().min(1).max(128).describe('What it is for.'),
      role,
      pipelines: pipelineScope.default(null),
      expiresInDays: z
        .number()
        .positive()
        .max(3650)
        .nullable()
        .default(90)
        .describe('null: it does not expire.'),
    }),
    status: 201,
    answer: newToken,
    problems: ['HOLT_FORBIDDEN'],
    secret: true,
    async handle({ services, body, principal, audit }) {
      if (principal === null) throw new HoltError('HOLT_UNAUTHENTICATED', 'nobody is logged in');
      const expiresMs =
        body.expiresInDays === null ? null : Math.round(Date.now() + body.expiresInDays * 86_400_000);
      const { record, text } = await services.accounts.createToken(principal, { ...body, expiresMs });
      audit({ object: record.id });
      return { ...tokenOf(record), token: text };
    },
  }),
  route({
    id: 'revokeToken',
    method: 'DELETE',
    path: '/tokens/:id',
    tag: 'accounts',
    summary: 'Revoke an API token; other nodes refuse it within two seconds.',
    access: 'account',
    params: withId,
    problems: ['HOLT_TOKEN_UNKNOWN'],
    async handle({ services, params, principal }) {
      if (principal === null) throw new HoltError('HOLT_UNAUTHENTICATED', 'nobody is logged in');
      await services.accounts.revokeToken(principal, params.id);
    },
  }),
];
