/** Who is logged in, and how one gets in and out. */

import type { Role } from '../../node/access/role.ts';
import type { SessionView } from '../../node/api/views.ts';
import { change, get, setLogin, whenLoggedOut } from '../api/client.ts';
import { type Problem, problemOf } from '../api/problem.ts';
import { startLive, stopLive } from '../live/live.ts';
import { Store, useStore } from '../live/store.ts';

export type Session =
  | { readonly kind: 'asking' }
  /** No account was made yet. */
  | { readonly kind: 'setup' }
  | { readonly kind: 'out'; readonly why: string | null }
  | { readonly kind: 'in'; readonly view: SessionView; readonly release: string | null }
  | { readonly kind: 'unreachable'; readonly problem: Problem };

export const session = new Store<Session>({ kind: 'asking' });

const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];

export async function askSession(): Promise<void> {
  try {
    enter(await get<SessionView>('/session'));
  } catch (error) {
    const problem = problemOf(error);
    if (!problem.isLogin) {
      session.set({ kind: 'unreachable', problem });
      return;
    }
    const setup = await get<{ readonly needed: boolean }>('/setup').catch(() => ({ needed: false }));
    session.set(setup.needed ? { kind: 'setup' } : { kind: 'out', why: null });
  }
}

export async function login(name: string, password: string): Promise<void> {
  enter(await change<SessionView>('POST', '/session', { name, password }));
}

export async function setup(token: string, name: string, password: string): Promise<void> {
  enter(await change<SessionView>('POST', '/setup', { token, name, password }));
}

export async function logout(): Promise<void> {
  await change('DELETE', '/session').catch(() => {});
  leave(null);
}

function enter(view: SessionView): void {
  setLogin(view);
  session.set({ kind: 'in', view, release: null });
  startLive();
  get<{ readonly release: string }>('/version').then(
    ({ release }) => {
      const now = session.value;
      if (now.kind === 'in') session.set({ ...now, release });
    },
    () => {},
  );
}

function leave(why: string | null): void {
  setLogin(null);
  stopLive();
  session.set({ kind: 'out', why });
}

whenLoggedOut(() => {
  if (session.value.kind === 'in') leave('Your login is over. What you were looking at is still there.');
});

/** Whether whoever is logged in may do what needs this role. */
export function useMay(role: Role): boolean {
  return useStore(session, (now) => now.kind === 'in' && ROLES.indexOf(now.view.role) >= ROLES.indexOf(role));
}
