/** Login, the first account, and who one is. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HoltError } from '../../../lib/errors.ts';
import type { Login } from '../../access/accounts.ts';
import { accountName } from '../../access/records.ts';
import type { Principal } from '../../access/role.ts';
import { type Call, type Route, route } from '../route.ts';
import { sessionView } from '../views.ts';

const tag = 'session';
const password = z.string().min(1).max(1024);

/** Bound to the login, and known to whoever may read its answers: Holt's own page. */
export function csrfOf(session: string): string {
  return createHash('sha256').update(`csrf\n${session}`).digest('base64url');
}

function viewOf(principal: Principal, login: Login | null): z.input<typeof sessionView> {
  const { name, kind, role, scopes } = principal;
  return {
    ...{ name, kind, role, pipelines: scopes },
    csrf: login === null ? null : csrfOf(login.session),
    expiresMs: login?.expiresMs ?? null,
  };
}

function begin(call: Call<unknown, unknown, unknown>, login: Login): z.input<typeof sessionView> {
  call.setSession({ text: login.session, expiresMs: login.expiresMs });
  call.audit({ who: login.principal.name, object: login.principal.name });
  return viewOf(login.principal, login);
}

export const SESSION_ROUTES: readonly Route[] = [
  route({
    id: 'getSession',
    method: 'GET',
    path: '/session',
    tag,
    summary: 'Who this request comes from, and what it may do.',
    access: 'account',
    answer: sessionView,
    async handle(call) {
      if (call.principal === null) throw new HoltError('HOLT_UNAUTHENTICATED', 'nobody is logged in');
      const login = call.session === null ? null : await call.services.accounts.bySession(call.session);
      return viewOf(call.principal, call.principal.kind === 'user' ? login : null);
    },
  }),
  route({
    id: 'login',
    method: 'POST',
    path: '/session',
    tag,
    summary: 'Log in with name and password; sets the cookie.',
    access: 'public',
    body: z.strictObject({ name: z.string().min(1).max(64), password }),
    status: 201,
    answer: sessionView,
    problems: ['HOLT_LOGIN_FAILED', 'HOLT_LOGIN_LOCKED'],
    secret: true,
    async handle(call) {
      const { name } = call.body;
      call.audit({ who: name, object: name });
      return begin(call, await call.services.accounts.login(name, call.body.password, call.from));
    },
  }),
  route({
    id: 'logout',
    method: 'DELETE',
    path: '/session',
    tag,
    summary: 'Log out: the cookie is worth nothing from now on.',
    access: 'account',
    async handle(call) {
      if (call.session !== null) await call.services.accounts.logout(call.session);
      call.setSession(null);
    },
  }),
  route({
    id: 'changeOwnPassword',
    method: 'PUT',
    path: '/session/password',
    tag,
    summary: "Change one's own password; every login of the account ends.",
    access: 'account',
    body: z.strictObject({ old: password, new: password }),
    problems: ['HOLT_LOGIN_FAILED', 'HOLT_LOGIN_LOCKED'],
    async handle(call) {
      // A token must not be able to make itself a login that outlives it.
      if (call.principal?.kind !== 'user' || call.principal.user === null)
        throw new HoltError('HOLT_FORBIDDEN', 'only who is logged in with a password changes it', {
          disposition: 'fatal',
        });
      const { old, new: next } = call.body;
      await call.services.accounts.changeOwnPassword(call.principal.user, old, next, call.from);
      call.setSession(null);
    },
  }),
  route({
    id: 'getSetup',
    method: 'GET',
    path: '/setup',
    tag,
    summary: 'Whether there is no account yet.',
    access: 'public',
    answer: z.object({ needed: z.boolean() }).meta({ id: 'Setup' }),
    async handle({ services }) {
      return { needed: services.accounts.open === null && (await services.accounts.needsSetup()) };
    },
  }),
  route({
    id: 'setup',
    method: 'POST',
    path: '/setup',
    tag,
    summary:
      'Make the first account, an administrator, with the token that was printed at the first start; logs it in.',
    access: 'public',
    body: z.strictObject({ token: z.string().max(256), name: accountName, password }),
    status: 201,
    answer: sessionView,
    problems: ['HOLT_SETUP_REFUSED', 'HOLT_LOGIN_LOCKED'],
    secret: true,
    async handle(call) {
      const { token, name } = call.body;
      call.audit({ who: name, object: name });
      return begin(call, await call.services.accounts.setup(token, name, call.body.password, call.from));
    },
  }),
];
